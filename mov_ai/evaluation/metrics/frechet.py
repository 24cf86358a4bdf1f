"""Fréchet distance between two sets of features: FVD, with what is known of its bias.

FVD is Unterthiner et al., "Towards Accurate Generative Models of Video" (2018): the distance of Dowson and Landau
(1982) between Gaussians fitted to features of generated and of real videos. Unit: that of the features, squared. Range
[0, ∞), lower is better. The estimate is biased upward by about c / n, so that values at different n do not compare.
"""

from __future__ import annotations

import numpy as np

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.bootstrap import set_interval
from mov_ai.evaluation.metrics.result import MetricResult, Provenance

#: Sizes of subsets that `extrapolate` fits a line through, and the draws at each.
POINTS, DRAWS = 10, 4
#: Extrapolation from fewer samples than this says nothing.
MIN_EXTRAPOLATE = 20
#: Standard errors on each side of a value that hold 95 % of a normal distribution.
_NORMAL_95 = 1.959964


def check_features(features: np.ndarray, minimum: int) -> np.ndarray:
    """Features (N, D) as float64; UsageError if they are not finite numbers of at least so many videos."""
    array = np.asarray(features)
    if array.ndim != 2 or not array.shape[1] or array.dtype.kind not in "fiu":
        raise UsageError(f"features: expected numbers (samples, features), got {array.dtype} {array.shape}")
    if len(array) < minimum:
        raise UsageError(f"features: expected at least {minimum} videos, got {len(array)}; give more videos")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise UsageError("features: some are not finite; the network overflowed on a video, or its input was damaged")
    return array


def frechet_distance(features1: np.ndarray, features2: np.ndarray) -> float:
    """|m1 - m2|² + tr C1 + tr C2 - 2 tr (C1 C2)^½ of the Gaussians fitted to two sets (N, D) and (M, D); N, M ≥ 2.

    For fewer samples than features the last trace is taken from the samples: it is the sum of the singular values of
    X Yᵀ / √((N - 1)(M - 1)), with the rows of X and Y centred; the same figure, faster.

    Raises:
        UsageError: as `check_features`, or if the numbers of features differ.
    """
    first, second = feature_pair(features1, features2)
    mean1, mean2 = first.mean(0), second.mean(0)
    if min(len(first), len(second)) >= first.shape[1]:
        covariances = (np.atleast_2d(np.cov(first, rowvar=False)), np.atleast_2d(np.cov(second, rowvar=False)))
        return frechet_distance_from_moments(mean1, covariances[0], mean2, covariances[1])
    x, y = ((c - m) / np.sqrt(len(c) - 1) for c, m in ((first, mean1), (second, mean2)))
    cross = float(np.linalg.svd(x @ y.T, compute_uv=False).sum())
    return _distance(mean1 - mean2, float((x**2).sum() + (y**2).sum()), cross)


def frechet_distance_from_moments(
    mean1: np.ndarray, covariance1: np.ndarray, mean2: np.ndarray, covariance2: np.ndarray
) -> float:
    """The distance of two Gaussians: means (D,), covariances (D, D).

    With C = Q Λ Qᵀ the last trace is the sum of the singular values of Λ1^½ Q1ᵀ Q2 Λ2^½: nothing is squared, no matrix
    that is not symmetric has a root taken, and singular covariances are no special case. What is within rounding of 0
    is 0.
    """
    roots, spread = [], 0.0
    for matrix in (covariance1, covariance2):
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
        roots.append(vectors * np.sqrt(np.clip(values, 0, None)))
        spread += float(np.trace(matrix))
    cross = float(np.linalg.svd(roots[0].T @ roots[1], compute_uv=False).sum())
    return _distance(mean1 - mean2, spread, cross)


def frechet_error(generated: np.ndarray, reference: np.ndarray) -> float:
    """Standard error of `frechet_distance` of two sets (N, D), (M, D), by the delta method.

    How much each sample moves the distance is the derivative by its weight: for a sample a, of a set with mean m and
    features A = (a - m) / √(N - 1), that is 2 (a - m)·(m - m') + N A·(A - G), where G is the gradient of the singular
    values' sum in `frechet_distance`. The error is that of a mean of those. It tells how the value would vary with
    other samples as many, not how far it is from the distance at infinitely many: the bias stays. A bootstrap is wider,
    and needlessly so: a resampled set has duplicates, so a smaller rank and a larger bias than a fresh one, and another
    one in each draw. `python -m studies.intervals.coverage` measures both on Gaussians.

    Raises:
        UsageError: as `frechet_distance`.
    """
    sets = feature_pair(generated, reference)
    means = [members.mean(0) for members in sets]
    scaled = [(members - mean) / np.sqrt(len(members) - 1) for members, mean in zip(sets, means, strict=True)]
    # Of orthonormal Q, A Bᵀ = Qa (Ra Rbᵀ) Qbᵀ has the singular values of what is in the brackets, which is small.
    (qa, ra), (qb, rb) = (np.linalg.qr(matrix) for matrix in scaled)
    u, _, vt = np.linalg.svd(ra @ rb.T, full_matrices=False)
    gradients = qa @ (u @ vt) @ rb, qb @ (u @ vt).T @ ra
    shift, variance = means[0] - means[1], 0.0
    for members, mean, matrix, gradient, away in zip(sets, means, scaled, gradients, (shift, -shift), strict=True):
        moved = 2 * (members - mean) @ away + len(members) * (matrix * (matrix - gradient)).sum(1)
        variance += float(moved.var(ddof=1)) / len(members)
    return float(np.sqrt(variance))


def feature_pair(features1: np.ndarray, features2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two sets as `check_features` gives them; UsageError if they differ in the number of features."""
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
) -> MetricResult:
    """FVD of features (N, D), (M, D), with its interval; to be named "fvd" for I3D's logits only.

    Raises:
        UsageError: as `frechet_distance`.
    """
    sets = feature_pair(generated, reference)
    value = frechet_distance(*sets)
    spread = _NORMAL_95 * frechet_error(*sets)
    interval = (max(0.0, value - spread), value + spread)
    return MetricResult(name, value, interval, len(generated), False, provenance, {}, _rank_notes(*sets))


def _rank_notes(generated: np.ndarray, reference: np.ndarray) -> tuple[str, ...]:
    """What to say of sets that have no more samples than features: their covariances are rank-deficient."""
    return tuple(
        f"{len(members)} {which} videos for {members.shape[1]} features: the covariance has rank {len(members) - 1} at "
        "most and the bias is large; use a kernel distance, or more videos"
        for which, members in (("generated", generated), ("reference", reference))
        if len(members) <= members.shape[1]
    )


def extrapolate(
    generated: np.ndarray, reference: np.ndarray, points: int = POINTS, draws: int = DRAWS, seed: int = 0
) -> float:
    """The Fréchet distance at infinitely many samples: intercept of the line of the distance against 1 / n.

    Chong and Forsyth, "Effectively Unbiased FID and Inception Score and where to find them" (CVPR 2020). They
    extrapolate the generated set only; here both sets are drawn with n samples, since the reference is small too. The
    distance is taken at `points` values of n from a half of the smaller set to all of it, with `draws` seeded subsets
    at each. It may come out a little below 0. For n far below D the law is not 1 / n yet, and a part of the bias stays.

    Raises:
        UsageError: as `frechet_distance`, or for fewer than 20 samples in a set.
    """
    generated, reference = feature_pair(generated, reference)
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
    """`extrapolate` with its interval.

    Raises:
        UsageError: as `extrapolate`.
    """
    sets = feature_pair(generated, reference)
    value = extrapolate(*sets, seed=seed)
    interval = set_interval(lambda a, b: extrapolate(a, b, points=5, draws=1, seed=seed), sets, value, resamples, seed)
    parameters = {"points": POINTS, "draws": DRAWS}
    return MetricResult(name, value, interval, len(generated), False, provenance, parameters, _rank_notes(*sets))
