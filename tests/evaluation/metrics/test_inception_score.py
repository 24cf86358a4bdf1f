from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.inception_score import inception_score, inception_score_result
from mov_ai.evaluation.metrics.result import Provenance, Settings

PROVENANCE = Provenance("stand-in", None, Settings(12, 8.0, "32x32", "none"))


def test_known_answers() -> None:
    clear = np.tile(np.eye(5), (4, 1))
    assert inception_score(clear, 1) == pytest.approx(5)
    assert inception_score(clear, 4) == pytest.approx(5)
    assert inception_score(np.full((20, 5), 0.2), 1) == pytest.approx(1)
    assert inception_score(np.tile(np.eye(5)[:1], (20, 1)), 1) == pytest.approx(1)


def test_agrees_with_the_formula_of_salimans_code() -> None:
    p = np.random.default_rng(0).dirichlet(np.full(7, 0.3), 53)
    scores = []
    for i in range(5):
        part = p[i * 53 // 5 : (i + 1) * 53 // 5]
        scores.append(np.exp(np.mean(np.sum(part * (np.log(part) - np.log(part.mean(0, keepdims=True))), 1))))
    assert inception_score(p, 5) == pytest.approx(np.mean(scores), rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 30), st.integers(2, 9), st.floats(0.01, 10))
def test_lies_between_1_and_the_number_of_classes(seed: int, n: int, classes: int, sharpness: float) -> None:
    p = np.random.default_rng(seed).dirichlet(np.full(classes, sharpness), n)
    assert 1 - 1e-9 <= inception_score(p, 1) <= min(n, classes) + 1e-9


def test_falls_as_classes_blur() -> None:
    clear = np.tile(np.eye(5), (8, 1))
    scores = [inception_score((1 - a) * clear + a / 5, 1) for a in (0, 0.2, 0.5, 1)]
    assert scores == sorted(scores, reverse=True)


def test_result_uses_fewer_splits_for_few_videos_and_says_so() -> None:
    p = np.random.default_rng(1).dirichlet(np.full(60, 0.1), 40)
    result = inception_score_result(p, PROVENANCE, resamples=30)
    assert result.parameters == {"splits": 4}
    assert result.notes[0] == "40 videos: 4 splits instead of 10"
    assert "cannot reach its maximum" in result.notes[1]
    assert result.ci95 is not None
    assert 1 <= result.ci95[0] <= result.value <= result.ci95[1] <= 60


@pytest.mark.parametrize(
    ("p", "message"),
    [
        (np.ones((10, 3)), "apply softmax"),
        (np.array([[1.5, -0.5]] * 4), "sum 1"),
        (np.ones(10), "expected probabilities"),
        (np.eye(2)[:1], "need at least 2 videos"),
    ],
)
def test_bad_probabilities_are_refused(p: np.ndarray, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        inception_score(p, 1)
