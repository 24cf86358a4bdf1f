"""Fréchet distance between two sets of features: FVD, with what is known of its bias.

FVD is Unterthiner et al., "Towards Accurate Generative Models of Video" (2018): the distance of Dowson and Landau
(1982) between Gaussians fitted to features of generated and of real videos. Unit: that of the features, squared. Range
[0, ∞), lower is better. The estimate is biased upward by about c / n, so that values at different n do not compare.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.bootstrap import SET_RESAMPLES, set_interval
from mov_ai.evaluation.metrics.result import MetricResult, Provenance

#: Sizes of subsets that `extrapolate` fits a line through, and the draws at each.
POINTS, DRAWS = 10, 4
#: Extrapolation from fewer samples than this says nothing.
MIN_EXTRAPOLATE = 20


class FeatureStatistics:
    """Mean and covariance of features, taken batch by batch (Chan, Golub and LeVeque, 1979); memory D × D, float64.

    Attributes:
        n: samples so far.
        mean: (D,).
    """

    def __init__(self, dim: int) -> None:
        """Statistics of no samples of `dim` features."""
        self.n = 0
        self.mean = np.zeros(dim)
        self._scatter = np.zeros((dim, dim))

    def update(self, features: np.ndarray) -> None:
        """Take in a batch (B, D), B ≥ 1.

        Raises:
            UsageError: for another shape, or if a feature is not finite.
        """
        batch = check_features(features, 1)
        if batch.shape[1] != self.mean.size:
            raise UsageError(f"features: expected {self.mean.size} for each sample, got {batch.shape[1]}")
        mean = batch.mean(0)
        centred = batch - mean
        self._add(len(batch), mean, centred.T @ centred)

    def merge(self, other: FeatureStatistics) -> None:
        """Take in the samples of another.

        Raises:
            UsageError: if it has another number of features.
        """
        if other.mean.size != self.mean.size:
            raise UsageError(f"features: expected {self.mean.size} for each sample, got {other.mean.size}")
        if other.n:
            self._add(other.n, other.mean, other._scatter)

    def _add(self, n: int, mean: np.ndarray, scatter: np.ndarray) -> None:
        total = self.n + n
        shift = mean - self.mean
        self._scatter += scatter + np.outer(shift, shift) * (self.n * n / total)
        self.mean = self.mean + shift * (n / total)
        self.n = total

    @property
    def covariance(self) -> np.ndarray:
        """(D, D), with n - 1 in the denominator.

        Raises:
            UsageError: for fewer than 2 samples.
        """
        if self.n < 2:
            raise UsageError(f"Fréchet distance: a covariance needs at least 2 videos, got {self.n}; give more")
        return self._scatter / (self.n - 1)


def statistics(batches: Iterable[np.ndarray]) -> FeatureStatistics:
    """Statistics of a stream of batches (B, D).

    Raises:
        UsageError: as `FeatureStatistics.update`, or if there is no batch.
    """
    total: FeatureStatistics | None = None
    for batch in batches:
        if total is None:
            total = FeatureStatistics(check_features(batch, 1).shape[1])
        total.update(batch)
    if total is None:
        raise UsageError("Fréchet distance: there are no features; give at least 2 videos")
    return total


def check_features(features: np.ndarray, minimum: int) -> np.ndarray:
    """Features (N, D) as float64, N ≥ `minimum`, finite.

    Raises:
        UsageError: if they are not that.
    """
    array = np.asarray(features)
    if array.ndim != 2 or not array.shape[1] or array.dtype.kind not in "fiu":
        raise UsageError(f"features: expected numbers (samples, features), got {array.dtype} {array.shape}")
    if len(array) < minimum:
        raise UsageError(f"features: expected at least {minimum} videos, got {len(array)}; give more videos")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise UsageError("features: some are not finite; the network overflowed on a video, or its input was damaged")
    return array


def frechet_distance_from_moments(
    mean1: np.ndarray, covariance1: np.ndarray, mean2: np.ndarray, covariance2: np.ndarray
) -> float:
    """|m1 - m2|² + tr C1 + tr C2 - 2 tr (C1 C2)^½ of two Gaussians.

    With C = Q Λ Qᵀ the last trace is the sum of the singular values of Λ1^½ Q1ᵀ Q2 Λ2^½: nothing is squared, no matrix
    that is not symmetric has a root taken, and singular covariances are no special case. What is within rounding of 0
    is 0.

    Args:
        mean1, mean2: (D,).
        covariance1, covariance2: (D, D), symmetric, without negative eigenvalues beyond rounding.

    Raises:
        UsageError: for other shapes, numbers that are not finite, or matrices that are no covariances.
    """
    mean1, mean2 = (np.asarray(mean, dtype=np.float64) for mean in (mean1, mean2))
    roots, spread = [], 0.0
    for mean, covariance in ((mean1, covariance1), (mean2, covariance2)):
        matrix = np.asarray(covariance, dtype=np.float64)
        if mean.shape != mean1.shape or mean.ndim != 1 or matrix.shape != (mean.size, mean.size):
            raise UsageError(
                f"Fréchet distance: expected means (D,) and covariances (D, D), got {mean.shape}, {matrix.shape}"
            )
        if not (np.isfinite(matrix).all() and np.isfinite(mean).all()):
            raise UsageError("Fréchet distance: mean and covariance must be finite")
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
        scale = np.abs(matrix).max(initial=0.0)
        if np.abs(matrix - matrix.T).max(initial=0.0) > 1e-8 * scale or values[0] < -1e-8 * max(scale, values[-1]):
            raise UsageError("Fréchet distance: expected symmetric covariances without negative eigenvalues")
        roots.append(vectors * np.sqrt(np.clip(values, 0, None)))
        spread += float(np.trace(matrix))
    cross = float(np.linalg.svd(roots[0].T @ roots[1], compute_uv=False).sum())
    return _distance(mean1 - mean2, spread, cross)


def frechet_distance(features1: np.ndarray, features2: np.ndarray) -> float:
    """`frechet_distance_from_moments` of two sets (N, D) and (M, D), N and M ≥ 2.

    For fewer samples than features it works on the samples: tr (C1 C2)^½ is the sum of the singular values of
    X Yᵀ / √((N - 1)(M - 1)), with the rows of X and Y centred; the same figure, faster.

    Raises:
        UsageError: as `check_features`, or if the numbers of features differ.
    """
    first, second = _pair(features1, features2)
    mean1, mean2 = first.mean(0), second.mean(0)
    if min(len(first), len(second)) >= first.shape[1]:
        covariances = (np.atleast_2d(np.cov(first, rowvar=False)), np.atleast_2d(np.cov(second, rowvar=False)))
        return frechet_distance_from_moments(mean1, covariances[0], mean2, covariances[1])
    x, y = ((c - m) / np.sqrt(len(c) - 1) for c, m in ((first, mean1), (second, mean2)))
    cross = float(np.linalg.svd(x @ y.T, compute_uv=False).sum())
    return _distance(mean1 - mean2, float((x**2).sum() + (y**2).sum()), cross)


def _pair(features1: np.ndarray, features2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = check_features(features1, 2), check_features(features2, 2)
    if first.shape[1] != second.shape[1]:
        raise UsageError(
            f"features: the two sets have {first.shape[1]} and {second.shape[1]}; use one network for both"
        )
    return first, second


def _distance(shift: np.ndarray, spread: float, cross: float) -> float:
    rest = spread - 2 * cross
    # Rounding of sums of D terms; below it there is no telling the distance from 0.
    if rest < 8 * max(shift.size, 16) * np.finfo(np.float64).eps * spread:
        rest = 0.0
    return float(shift @ shift) + rest


def frechet_video_distance(
    generated: np.ndarray,
    reference: np.ndarray,
    provenance: Provenance,
    name: str = "fvd",
    resamples: int = SET_RESAMPLES,
    seed: int = 0,
) -> MetricResult:
    """FVD with its interval.

    Args:
        generated, reference: features (N, D), (M, D); N, M ≥ 2.
        name: "fvd" for I3D's logits only; another for any other network.

    Raises:
        UsageError: as `frechet_distance`.
    """
    generated, reference = _pair(generated, reference)
    value = frechet_distance(generated, reference)
    interval = set_interval(frechet_distance, (generated, reference), value, resamples, seed, minimum=0.0)
    notes = rank_notes(len(generated), len(reference), generated.shape[1])
    return MetricResult(name, value, interval, len(generated), False, provenance, {}, notes)


def rank_notes(n: int, n_reference: int, dim: int) -> tuple[str, ...]:
    """What to say of sets that have no more samples than features: their covariances are rank-deficient."""
    return tuple(
        f"{count} {which} videos for {dim} features: the covariance has rank {count - 1} at most and the bias is "
        "large; use a kernel distance, or more videos"
        for which, count in (("generated", n), ("reference", n_reference))
        if count <= dim
    )


def extrapolate(
    generated: np.ndarray, reference: np.ndarray, points: int = POINTS, draws: int = DRAWS, seed: int = 0
) -> float:
    """The Fréchet distance at infinitely many samples: intercept of the line of the distance against 1 / n.

    Chong and Forsyth, "Effectively Unbiased FID and Inception Score and where to find them" (CVPR 2020). They
    extrapolate the generated set only; here both sets are drawn with n samples, since the reference is small too. The
    distance is taken at `points` values of n from a half of the smaller set to all of it, with `draws`
    seeded subsets at each.

    Args:
        generated, reference: features (N, D), (M, D); N, M ≥ 20.

    Returns:
        In the unit of the distance; may come out a little below 0. For n far below D the law is not 1 / n yet, and a
        part of the bias stays.

    Raises:
        UsageError: as `frechet_distance`, or for fewer samples.
    """
    generated, reference = _pair(generated, reference)
    smaller = min(len(generated), len(reference))
    if smaller < MIN_EXTRAPOLATE:
        raise UsageError(
            f"FVD extrapolation: expected at least {MIN_EXTRAPOLATE} videos in each set, got {smaller}; give more"
        )
    rng = np.random.default_rng(seed)
    inverse, distances = [], []
    for n in np.unique(np.linspace(smaller / 2, smaller, points).round().astype(int)):
        for _ in range(draws):
            parts = (members[rng.permutation(len(members))[:n]] for members in (generated, reference))
            inverse.append(1 / n)
            distances.append(frechet_distance(*parts))
    return float(np.polyfit(inverse, distances, 1)[1])


def frechet_video_distance_infinity(
    generated: np.ndarray,
    reference: np.ndarray,
    provenance: Provenance,
    name: str = "fvd_inf",
    resamples: int = 50,
    seed: int = 0,
) -> MetricResult:
    """`extrapolate` with its interval; N, M ≥ 20.

    Raises:
        UsageError: as `extrapolate`.
    """
    value = extrapolate(generated, reference, seed=seed)

    def quick(a: np.ndarray, b: np.ndarray) -> float:
        return extrapolate(a, b, points=5, draws=1, seed=seed)

    generated, reference = _pair(generated, reference)
    interval = set_interval(quick, (generated, reference), value, resamples, seed)
    parameters = {"points": POINTS, "draws": DRAWS}
    notes = rank_notes(len(generated), len(reference), generated.shape[1])
    return MetricResult(name, value, interval, len(generated), False, provenance, parameters, notes)
