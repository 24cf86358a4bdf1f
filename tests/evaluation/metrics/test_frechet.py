from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.frechet import (
    extrapolate,
    frechet_distance,
    frechet_distance_from_moments,
    frechet_error,
    frechet_video_distance,
    frechet_video_distance_infinity,
)
from mov_ai.evaluation.metrics.result import Provenance, Settings

PROVENANCE = Provenance("stand-in", None, Settings(12, 8.0, "32x32", "none"))


def random_covariance(rng: np.random.Generator, dim: int, spread: float = 2.0) -> np.ndarray:
    basis, _ = np.linalg.qr(rng.normal(size=(dim, dim)))
    return (basis * np.exp(rng.uniform(-spread, spread, dim))) @ basis.T


def with_sqrtm(mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray) -> float:
    root = scipy.linalg.sqrtm(cov1 @ cov2)
    return float(((mean1 - mean2) ** 2).sum() + np.trace(cov1 + cov2 - 2 * np.real(root)))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_agrees_with_scipys_sqrtm_on_random_gaussians(seed: int, dim: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = ((rng.normal(size=dim), random_covariance(rng, dim)) for _ in range(2))
    assert frechet_distance_from_moments(*one, *other) == pytest.approx(with_sqrtm(*one, *other), rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.floats(-8, 8))
def test_agrees_with_the_closed_form_of_covariances_that_commute(seed: int, dim: int, magnitude: float) -> None:
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.normal(size=(dim, dim)))
    scale = 10.0**magnitude
    values1, values2 = (scale * np.exp(rng.uniform(-6, 6, dim)) for _ in range(2))
    shift = np.sqrt(scale) * rng.normal(size=dim)
    known = float(shift @ shift + ((np.sqrt(values1) - np.sqrt(values2)) ** 2).sum())
    found = frechet_distance_from_moments(
        np.zeros(dim), (basis * values1) @ basis.T, shift, (basis * values2) @ basis.T
    )
    assert found == pytest.approx(known, rel=1e-6)


@pytest.mark.parametrize(("n", "m", "dim"), [(200, 150, 8), (10, 12, 30), (40, 12, 30), (2, 2, 5), (50, 50, 1)])
def test_features_and_moments_give_the_same(n: int, m: int, dim: int) -> None:
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, dim)), 0.5 + 1.5 * rng.normal(size=(m, dim))
    moments = [(s.mean(0), np.atleast_2d(np.cov(s, rowvar=False))) for s in (x, y)]
    assert frechet_distance(x, y) == pytest.approx(frechet_distance_from_moments(*moments[0], *moments[1]), rel=1e-6)


@pytest.mark.parametrize(("n", "dim"), [(500, 16), (64, 400), (2, 3)])
def test_identical_sets_give_0(n: int, dim: int) -> None:
    x = 100 + np.random.default_rng(0).normal(size=(n, dim)) * np.exp(np.linspace(-5, 5, dim))
    assert frechet_distance(x, x) == 0
    assert frechet_distance(x, x[::-1]) == pytest.approx(0, abs=1e-12 * n)
    result = frechet_video_distance(x, x, PROVENANCE)
    assert result.value == 0
    assert result.ci95 is not None
    assert result.ci95[0] == 0


def test_is_symmetric_and_moves_with_a_shift() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(60, 6)), rng.normal(size=(70, 6)) * 2
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x), rel=1e-12)
    assert frechet_distance(x, x + 3) == pytest.approx(54, rel=1e-9)


def test_extrapolation_removes_most_of_the_bias_of_small_sets() -> None:
    rng = np.random.default_rng(4)
    plain, corrected = [], []
    for seed in range(8):
        x, y = rng.normal(size=(200, 10)), rng.normal(size=(200, 10)) + 0.3
        plain.append(frechet_distance(x, y) - 0.9)
        corrected.append(extrapolate(x, y, seed=seed) - 0.9)
    assert np.mean(plain) > 0.1
    assert abs(np.mean(corrected)) < 0.5 * np.mean(plain)
    assert extrapolate(x, y, seed=3) == extrapolate(x, y, seed=3)


def test_results_carry_interval_and_warn_of_few_videos() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(30, 40)), rng.normal(size=(60, 40)) + 1
    result = frechet_video_distance(x, y, PROVENANCE)
    assert result.ci95 is not None
    assert result.ci95[0] < result.value < result.ci95[1]
    assert result.value == frechet_distance(x, y)
    assert result.notes == (
        "30 generated videos for 40 features: the covariance has rank 29 at most and the bias is large; "
        "use a kernel distance, or more videos",
    )
    infinite = frechet_video_distance_infinity(x, y, PROVENANCE, resamples=10)
    assert infinite.name == "fvd_inf"
    assert infinite.value < result.value


@pytest.mark.parametrize(("n", "m", "dim"), [(60, 80, 5), (24, 30, 70), (20, 90, 40)])
def test_the_error_is_the_jackknifes_for_more_and_for_fewer_samples_than_features(n: int, m: int, dim: int) -> None:
    rng = np.random.default_rng(6)
    sets = rng.normal(size=(n, dim)) * 1.4, rng.normal(size=(m, dim)) + 0.5
    variance = 0.0
    for place, members in enumerate(sets):
        left_out = []
        for i in range(len(members)):
            parts = list(sets)
            parts[place] = np.delete(members, i, 0)
            left_out.append(frechet_distance(*parts))
        variance += (len(members) - 1) ** 2 / len(members) * float(np.var(left_out, ddof=1))
    assert frechet_error(*sets) == pytest.approx(variance**0.5, rel=0.12)


@pytest.mark.parametrize(("n", "m", "dim"), [(128, 256, 6), (40, 80, 60)])
def test_intervals_of_gaussians_hold_the_mean_of_other_samples_in_about_95_of_100_cases(
    n: int, m: int, dim: int
) -> None:
    """Within the binomial error of 200 cases; and they are hardly wider than the values' own spread asks for."""
    rng = np.random.default_rng(7)

    def draw() -> tuple[np.ndarray, np.ndarray]:
        return rng.normal(size=(n, dim)) * 1.3 + 0.3, rng.normal(size=(m, dim))

    values = np.array([frechet_distance(*draw()) for _ in range(400)])
    covered, widths = [], []
    for _ in range(200):
        sets = draw()
        spread = 1.96 * frechet_error(*sets)
        covered.append(abs(frechet_distance(*sets) - values.mean()) <= spread)
        widths.append(2 * spread)
    assert 0.91 <= np.mean(covered) <= 0.99
    assert 0.9 <= np.mean(widths) / (3.92 * values.std()) <= 1.4


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((1, 3)), np.zeros((5, 3)), "at least 2 videos, got 1"),
        (np.zeros((5, 3)), np.zeros((5, 4)), "3 and 4; use one network"),
        (np.zeros((5, 3, 1)), np.zeros((5, 3)), "expected numbers"),
        (np.full((5, 3), np.nan), np.zeros((5, 3)), "not finite"),
    ],
)
def test_bad_features_are_refused(x: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        frechet_distance(x, y)


def test_too_few_videos_are_not_extrapolated() -> None:
    with pytest.raises(UsageError, match="at least 20 videos in each set, got 19"):
        extrapolate(np.zeros((19, 2)), np.zeros((30, 2)))
