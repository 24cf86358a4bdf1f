"""Inception score: are the videos' classes clear, and do all classes come up?"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.bootstrap import SET_RESAMPLES, set_interval
from mov_ai.evaluation.metrics.result import MetricResult, Provenance

SPLITS = 10


def inception_score(probabilities: np.ndarray, splits: int = SPLITS) -> float:
    """exp(mean KL(p(y|x) ‖ p(y))), the mean over consecutive splits; [1, C], higher is better.

    Salimans et al., "Improved Techniques for Training GANs" (2016). Biased downward at small n: at most the size of a
    split. Splits are as theirs, samples i N // splits to (i + 1) N // splits.

    Raises:
        UsageError: if it is not (N, C) with rows of sum 1, N ≥ 2 for each split.
    """
    p = _check(probabilities)
    if splits < 1 or len(p) < 2 * splits:
        raise UsageError(f"inception score: {splits} splits need at least {2 * splits} videos, got {len(p)}; give more")
    edges = [i * len(p) // splits for i in range(splits + 1)]
    return float(np.mean([_score(p[a:b]) for a, b in pairwise(edges)]))


def _check(probabilities: np.ndarray) -> np.ndarray:
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or p.shape[1] < 2:
        raise UsageError(f"inception score: expected probabilities (videos, classes), got {p.shape}")
    if not (np.isfinite(p).all() and (p >= 0).all() and np.allclose(p.sum(1), 1, atol=1e-3)):
        raise UsageError("inception score: expected probabilities with sum 1 for each video; apply softmax to logits")
    return p / p.sum(1, keepdims=True)


def _score(p: np.ndarray) -> float:
    marginal = p.mean(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        divergence = np.where(p > 0, p * (np.log(p) - np.log(marginal)), 0.0).sum(1)
    return float(np.exp(divergence.mean()))


def inception_score_result(
    probabilities: np.ndarray,
    provenance: Provenance,
    name: str = "is",
    splits: int = SPLITS,
    resamples: int = SET_RESAMPLES,
    seed: int = 0,
) -> MetricResult:
    """`inception_score` with its interval; fewer splits if there are fewer than 10 videos in each, and a note of it."""
    p = _check(probabilities)
    used = max(1, min(splits, len(p) // 10))
    value = inception_score(p, used)
    low, high = set_interval(lambda drawn: inception_score(drawn, used), (p,), value, resamples, seed, minimum=1.0)
    notes = [] if used == splits else [f"{len(p)} videos: {used} split{'s' * (used > 1)} instead of {splits}"]
    if len(p) // used < p.shape[1]:
        notes.append(f"fewer videos in a split than the {p.shape[1]} classes: the score cannot reach its maximum")
    return MetricResult(
        name, value, (low, min(high, p.shape[1])), len(p), True, provenance, {"splits": used}, tuple(notes)
    )
