"""Maximum mean discrepancy between two sets of features: KVD and JEDi.

MMD² of Gretton et al., "A Kernel Two-Sample Test" (JMLR 2012); lower is better, no unit. The unbiased estimate has no
bias with the number of samples and needs far fewer of them than FVD; it may come out below 0, and of two identical sets
it does, a little. The biased one is never below 0, and 0 for identical sets.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from mov_ai.evaluation.metrics.bootstrap import SET_RESAMPLES, around
from mov_ai.evaluation.metrics.frechet import feature_pair
from mov_ai.evaluation.metrics.result import MetricResult, Provenance

#: KID's subsets; sets that are no larger are used whole.
SUBSETS, SUBSET_SIZE = 100, 1000
#: The bootstrap keeps the kernel between all samples; of more it takes a draw of so many.
_BOOTSTRAP_SAMPLES = 4096
_ROWS = 1024


@dataclass(frozen=True)
class Polynomial:
    """(γ x·y + c)^degree of all pairs, (N, D), (M, D) -> (N, M); γ = 1 / D if it is None.

    Degree 3 and c = 1 is KID's (Bińkowski et al., "Demystifying MMD GANs", ICLR 2018), degree 2 and c = 0 JEDi's.
    """

    degree: int = 3
    gamma: float | None = None
    constant: float = 1.0

    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        gamma = 1 / x.shape[1] if self.gamma is None else self.gamma
        values: np.ndarray = (gamma * (x @ y.T) + self.constant) ** self.degree
        return values


KID_KERNEL = Polynomial(3, None, 1.0)
JEDI_KERNEL = Polynomial(2, None, 0.0)


def mmd2(x: np.ndarray, y: np.ndarray, kernel: Polynomial = KID_KERNEL, unbiased: bool = True) -> float:
    """MMD² of two sets (N, D) and (M, D); N, M ≥ 2.

    Biased: mean k(x, x') + mean k(y, y') - 2 mean k(x, y). Unbiased: the first two means leave out a sample with
    itself.

    Raises:
        UsageError: as `check_features`, or if the numbers of features differ.
    """
    x, y = feature_pair(x, y)
    return _mean(kernel, x, x, unbiased) + _mean(kernel, y, y, unbiased) - 2 * _mean(kernel, x, y, False)


def _mean(kernel: Polynomial, x: np.ndarray, y: np.ndarray, without_itself: bool) -> float:
    """Mean kernel of all pairs, in blocks of rows: memory does not grow with N times M."""
    total = itself = 0.0
    for start in range(0, len(x), _ROWS):
        block = kernel(x[start : start + _ROWS], y)
        total += float(block.sum())
        if without_itself:
            itself += float(np.trace(block, offset=start))
    return (total - itself) / (len(x) * len(y) - (len(x) if without_itself else 0))


def _from_kernels(
    xx: np.ndarray, yy: np.ndarray, xy: np.ndarray, u: np.ndarray, v: np.ndarray, unbiased: bool
) -> float:
    """MMD² of samples with weights u (N,), v (M,): how often each was drawn."""

    def within(k: np.ndarray, w: np.ndarray) -> float:
        total, pairs = w @ k @ w, w.sum() ** 2
        if unbiased:
            # Two draws of one sample are the sample with itself.
            total, pairs = total - (w**2) @ np.diag(k), pairs - (w**2).sum()
        return float(total / pairs)

    return within(xx, u) + within(yy, v) - 2 * float(u @ xy @ v / (u.sum() * v.sum()))


def kernel_video_distance(
    generated: np.ndarray,
    reference: np.ndarray,
    provenance: Provenance,
    name: str = "kvd",
    kernel: Polynomial = KID_KERNEL,
    unbiased: bool = True,
    scale: float = 1.0,
    subsets: int = SUBSETS,
    subset_size: int = SUBSET_SIZE,
    resamples: int = SET_RESAMPLES,
    seed: int = 0,
) -> MetricResult:
    """KVD (Unterthiner et al. 2018): `mmd2` as KID takes it, the mean over subsets; whole sets if they are no larger.

    Args:
        generated, reference: features (N, D), (M, D); N, M ≥ 2.
        scale: the value is multiplied by it.
        subsets, subset_size: how many draws without replacement, and of how many samples of each set.

    Raises:
        UsageError: as `mmd2`.
    """
    x, y = feature_pair(generated, reference)
    rng = np.random.default_rng(seed)

    def draw(members: np.ndarray, size: int) -> np.ndarray:
        return members if len(members) <= size else members[rng.permutation(len(members))[:size]]

    rounds = subsets if max(len(x), len(y)) > subset_size else 1
    value = scale * float(
        np.mean([mmd2(draw(x, subset_size), draw(y, subset_size), kernel, unbiased) for _ in range(rounds)])
    )
    p, q = draw(x, _BOOTSTRAP_SAMPLES), draw(y, _BOOTSTRAP_SAMPLES)
    kernels = kernel(p, p), kernel(q, q), kernel(p, q)
    replicates = []
    for _ in range(resamples):
        weights = [rng.multinomial(len(k), np.full(len(k), 1 / len(k))).astype(np.float64) for k in (p, q)]
        # One sample drawn every time has no pair: of two or three samples that happens.
        if not unbiased or all((w > 0).sum() > 1 for w in weights):
            replicates.append(scale * _from_kernels(*kernels, weights[0], weights[1], unbiased))
    shrink = np.sqrt(min(1.0, min(len(p), len(q)) / min(len(x), len(y))))
    notes: list[str] = []
    interval = None
    if replicates:
        low, high = around(value, replicates, minimum=-np.inf if unbiased else 0.0)
        interval = (value - (value - low) * shrink, value + (high - value) * shrink)
    else:
        notes.append(f"{len(x)} and {len(y)} videos: no interval")
    described = {"type": type(kernel).__name__, **asdict(kernel)}
    parameters = {"kernel": described, "estimator": "unbiased" if unbiased else "biased", "scale": scale}
    if rounds > 1:
        parameters |= {"subsets": subsets, "subset_size": subset_size}
    return MetricResult(name, value, interval, len(x), False, provenance, parameters, tuple(notes))


def jedi(
    generated: np.ndarray,
    reference: np.ndarray,
    provenance: Provenance,
    name: str = "jedi_style_mmd",
    unbiased: bool = True,
    seed: int = 0,
) -> MetricResult:
    """100 MMD² with the kernel (x·y / D)², of whole sets.

    Luo et al., "Beyond FVD: Enhanced Evaluation Metrics for Video Generation Quality" (ICLR 2025): 100 times the MMD²
    of V-JEPA features. Its authors' code takes the biased estimate: ask for that (`unbiased=False`) and V-JEPA's
    features to compare with its figures. It may be called "jedi" only then.
    """
    whole = max(len(generated), len(reference))
    return kernel_video_distance(
        generated, reference, provenance, name, JEDI_KERNEL, unbiased, scale=100.0, subset_size=whole, seed=seed
    )
