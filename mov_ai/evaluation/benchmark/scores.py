"""From verdicts to the benchmark's figures: a score for each category."""

from __future__ import annotations

from collections.abc import Sequence

from mov_ai.evaluation.benchmark.checker import Verdict
from mov_ai.evaluation.benchmark.prompts import CATEGORIES, BenchmarkPrompt
from mov_ai.evaluation.compositional import Score
from mov_ai.evaluation.metrics.bootstrap import mean_interval


def score_of(values: Sequence[float]) -> Score:
    """The mean of prompts' scores with its 95 % bootstrap interval over prompts.

    Where all scores are 0, or all 1, resampling sees no spread; the open end is then the exact binomial one (Clopper
    and Pearson 1934), so that 0 of 16 is not taken for never. Of none, everything is NaN.

    Args:
        values: each in [0, 1].
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


def category_scores(pairs: Sequence[tuple[BenchmarkPrompt, Verdict]]) -> dict[str, Score]:
    """The score of each category, in the order of `CATEGORIES`; `n` is how many prompts were judged.

    Args:
        pairs: prompts with the verdicts on their videos.
    """
    return {
        category: score_of([verdict.score for prompt, verdict in pairs if prompt.category == category])
        for category in CATEGORIES
    }
