"""Shares of what was asked for, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mov_ai.evaluation.metrics.bootstrap import mean_interval


@dataclass(frozen=True)
class Score:
    """A share with its 95 % bootstrap interval over prompts; `n` is how many things were checked."""

    share: float
    low: float
    high: float
    n: int

    def to_dict(self) -> dict[str, float | int | None]:
        """JSON-ready; None where nothing was checked."""
        return {
            name: None if value != value else round(value, 4) if isinstance(value, float) else value
            for name, value in (("share", self.share), ("low", self.low), ("high", self.high), ("n", self.n))
        }


def score_of(values: Sequence[float]) -> Score:
    """The mean of prompts' scores with its 95 % bootstrap interval over prompts.

    Where all scores are 0, or all 1, resampling sees no spread; the open end is then the exact binomial one (Clopper
    and Pearson 1934), so that 0 of 16 is not taken for never. Of none, everything is NaN.
    """
    if not values:
        return Score(float("nan"), float("nan"), float("nan"), 0)
    share = sum(values) / len(values)
    if len(values) == 1:
        return Score(share, 0.0, 1.0, 1)
    low, high = mean_interval(values)
    closed = 0.025 ** (1 / len(values))
    low, high = min(low, closed) if share == 1 else low, max(high, 1 - closed) if share == 0 else high
    return Score(share, low, high, len(values))
