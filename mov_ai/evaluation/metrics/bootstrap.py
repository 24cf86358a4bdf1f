"""95 % bootstrap intervals (Efron, "Bootstrap methods: another look at the jackknife", 1979), the same for a seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from mov_ai.errors import UsageError

MEAN_RESAMPLES = 2000
SET_RESAMPLES = 200
_BLOCK = 1 << 20


def mean_interval(
    values: Sequence[float] | np.ndarray, resamples: int = MEAN_RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """The percentile interval of a mean: 2.5 % and 97.5 % of the means of resampled values (N,).

    Raises:
        UsageError: for fewer than 2 values. ValueError: if one is not finite.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or sample.size < 2:
        raise UsageError(f"bootstrap: expected at least 2 values, got {sample.shape}; measure more videos")
    if not np.isfinite(sample).all():
        raise ValueError("bootstrap: expected finite values")
    means = _resampled((sample,), lambda drawn, axis: drawn.mean(axis), resamples, seed)
    low, high = np.quantile(means, [0.025, 0.975])
    # A mean of equal values differs from them in the last digit.
    return float(np.clip(low, sample.min(), sample.max())), float(np.clip(high, sample.min(), sample.max()))


def share_interval(right: Sequence[float], questions: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """The percentile interval of a share over groups whose members are not independent: whole groups are resampled.

    Args:
        right, asked: (N,) how many of each group are right, of how many that were asked for. N ≥ 2.
    """
    counts = (np.asarray(right, dtype=np.float64), np.asarray(questions, dtype=np.float64))

    def share(some: np.ndarray, of: np.ndarray, axis: int) -> np.ndarray:
        total = of.sum(axis)
        # Draws in which nothing was asked for have no share, and are left out below.
        return np.where(total > 0, some.sum(axis) / np.maximum(total, 1), -1.0)

    shares = _resampled(counts, share, MEAN_RESAMPLES, seed)
    low, high = np.quantile(shares[shares >= 0], [0.025, 0.975])
    return float(low), float(high)


def _resampled(
    samples: tuple[np.ndarray, ...], statistic: Callable[..., np.ndarray], resamples: int, seed: int
) -> np.ndarray:
    """A statistic of samples that are resampled together, (resamples,)."""
    # Half a second, which commands that measure nothing must not pay.
    from scipy.stats import bootstrap

    drawn: np.ndarray = bootstrap(
        samples,
        statistic,
        n_resamples=resamples,
        # So that memory does not grow with the number of values times that of resamples.
        batch=max(1, _BLOCK // samples[0].size),
        paired=True,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).bootstrap_distribution
    return drawn


def set_interval(
    statistic: Callable[..., float],
    sets: Sequence[np.ndarray],
    value: float,
    resamples: int = SET_RESAMPLES,
    seed: int = 0,
    minimum: float = -math.inf,
) -> tuple[float, float]:
    """An interval of a statistic of whole sets, such as a distance between two.

    Each set is resampled by its first axis. A resampled set has duplicates and so less spread than a fresh one, which
    shifts a distance; therefore the replicates' quantiles are taken about the replicates' mean, and laid about the
    value: [v + q2.5 - m, v + q97.5 - m]. The interval tells how the value would vary with other samples of the same
    size; it does not remove the value's own bias with the size.

    Args:
        sets: each (N_i, ...), N_i ≥ 2.
        value: the statistic of the sets as they are.
        minimum: what the statistic cannot be below; the interval is cut there.

    Raises:
        UsageError: if a set has fewer than 2 members.
    """
    for members in sets:
        if len(members) < 2:
            raise UsageError(f"bootstrap: expected at least 2 samples in each set, got {len(members)}; measure more")
    rng = np.random.default_rng(seed)
    drawn = [
        statistic(*(members[rng.integers(0, len(members), len(members))] for members in sets)) for _ in range(resamples)
    ]
    return around(value, drawn, minimum)


def around(value: float, replicates: Sequence[float], minimum: float = -math.inf) -> tuple[float, float]:
    """The 95 % spread of replicates about their mean, laid about a value; the rule of `set_interval`."""
    sample = np.asarray(replicates, dtype=np.float64)
    low, high = value + np.quantile(sample, [0.025, 0.975]) - sample.mean()
    return float(max(min(low, value), minimum)), float(max(high, value))
