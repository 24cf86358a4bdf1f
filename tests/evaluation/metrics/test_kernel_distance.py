from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics import kernel_distance
from mov_ai.evaluation.metrics.kernel_distance import (
    JEDI_KERNEL,
    KID_KERNEL,
    Polynomial,
    jedi,
    kernel_video_distance,
    mmd2,
)
from mov_ai.evaluation.metrics.result import Provenance, Settings

PROVENANCE = Provenance("stand-in", None, Settings(12, 8.0, "32x32", "none"))
KERNELS = [KID_KERNEL, JEDI_KERNEL]


def by_loops(x: np.ndarray, y: np.ndarray, kernel: Polynomial) -> float:
    """The definition, pair by pair."""

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float(kernel(a[None], b[None])[0, 0])

    n, m = len(x), len(y)
    within_x = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_y = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within_x + within_y - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 7), st.integers(2, 7), st.sampled_from(KERNELS))
def test_unbiased_estimate_is_the_definition(seed: int, n: int, m: int, kernel: Polynomial) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 3)), rng.normal(size=(m, 3)) + 1
    assert mmd2(x, y, kernel) == pytest.approx(by_loops(x, y, kernel), rel=1e-9, abs=1e-12)


def test_agrees_with_torchmetrics_and_with_jedis_formula() -> None:
    import torch
    from torchmetrics.image.kid import poly_mmd

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 5)), rng.normal(size=(20, 5)) + 0.5
    reference = poly_mmd(torch.from_numpy(x), torch.from_numpy(y), 3, None, 1.0)
    assert mmd2(x, y, KID_KERNEL) == pytest.approx(float(reference), rel=1e-9)
    # JEDi's code: scikit-learn's polynomial kernel of degree 2, gamma 1 / D, coef0 0, and the means of all pairs.
    means = [((a @ b.T / 5) ** 2).mean() for a, b in ((x, x), (y, y), (x, y))]
    expected = means[0] + means[1] - 2 * means[2]
    assert mmd2(x, y, JEDI_KERNEL, unbiased=False) == pytest.approx(expected, rel=1e-12)


def test_large_sets_go_through_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(25, 3)), rng.normal(size=(17, 3))
    whole = [mmd2(x, y, unbiased=unbiased) for unbiased in (True, False)]
    monkeypatch.setattr(kernel_distance, "_ROWS", 7)
    assert [mmd2(x, y, unbiased=unbiased) for unbiased in (True, False)] == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
def test_identical_sets_give_0_biased_and_no_more_than_0_unbiased(kernel: Polynomial) -> None:
    x = np.random.default_rng(1).normal(size=(40, 6))
    assert mmd2(x, x, kernel, unbiased=False) == pytest.approx(0, abs=1e-12)
    assert -0.5 < mmd2(x, x, kernel) <= 0


@pytest.mark.parametrize("kernel", KERNELS)
def test_unbiased_mean_does_not_move_with_n_and_biased_does(kernel: Polynomial) -> None:
    rng = np.random.default_rng(2)

    def mean(n: int, unbiased: bool) -> float:
        pairs = [(rng.normal(size=(n, 4)), rng.normal(size=(n, 4))) for _ in range(300)]
        return float(np.mean([mmd2(x, y, kernel, unbiased) for x, y in pairs]))

    assert abs(mean(5, True)) < 0.25 * mean(5, False)
    assert mean(5, False) > 3 * mean(30, False)


def test_result_has_interval_kernel_and_estimator() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(30, 6)), rng.normal(size=(50, 6)) + 1
    result = kernel_video_distance(x, y, PROVENANCE)
    assert result.value == mmd2(x, y)
    assert result.ci95 is not None
    assert result.ci95[0] < result.value < result.ci95[1]
    assert result.parameters["estimator"] == "unbiased"
    assert result.parameters["kernel"] == {"type": "Polynomial", "degree": 3, "gamma": None, "constant": 1.0}
    of_jedi = jedi(x, y, PROVENANCE, unbiased=False)
    assert of_jedi.value == pytest.approx(100 * mmd2(x, y, JEDI_KERNEL, unbiased=False))
    assert kernel_video_distance(x, y, PROVENANCE) == result


def test_subsets_of_a_large_set_come_near_the_whole() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(300, 4)), rng.normal(size=(300, 4)) + 0.5
    result = kernel_video_distance(x, y, PROVENANCE, subset_size=60, resamples=20)
    assert result.value == pytest.approx(mmd2(x, y), rel=0.1)
    assert result.parameters["subset_size"] == 60


def test_two_videos_are_enough_and_one_is_refused() -> None:
    x = np.random.default_rng(5).normal(size=(2, 3))
    result = kernel_video_distance(x, x + 1, PROVENANCE)
    assert np.isfinite(result.value)
    with pytest.raises(UsageError, match="at least 2 videos, got 1"):
        kernel_video_distance(x[:1], x, PROVENANCE)
    with pytest.raises(UsageError, match="use one network for both"):
        mmd2(x, x[:, :2])
