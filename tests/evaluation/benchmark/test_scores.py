"""Scores are means over prompts, with intervals that say how much they can be trusted."""

from __future__ import annotations

import math

import pytest

from mov_ai.evaluation.benchmark import CATEGORIES, Benchmark, Verdict, load_prompts
from mov_ai.evaluation.benchmark.scores import score_of


def test_a_score_is_the_mean_of_its_prompts() -> None:
    prompts = load_prompts()[:32]
    pairs = [(p, Verdict(1.0 if p.category == "counts" else i % 2, {})) for i, p in enumerate(prompts)]
    scores = Benchmark.scores(pairs)
    assert list(scores) == list(CATEGORIES)
    assert scores["counts"].share == scores["counts"].high == 1.0
    assert scores["counts"].low == pytest.approx(0.025 ** (1 / 4))
    assert all(score.n == 4 for score in scores.values())
    for score in scores.values():
        assert 0 <= score.low <= score.share <= score.high <= 1


def test_little_is_known_of_few_prompts() -> None:
    assert math.isnan(score_of([]).share)
    assert score_of([]).n == 0
    assert (score_of([1.0]).low, score_of([1.0]).high) == (0.0, 1.0)
    few, many = score_of([0.0, 1.0] * 5), score_of([0.0, 1.0] * 50)
    assert few.share == many.share == 0.5
    assert many.high - many.low < few.high - few.low
    assert score_of([0.0, 0.5, 1.0]) == score_of([0.0, 0.5, 1.0])


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_never_seen_is_not_never(value: float) -> None:
    few, many = score_of([value] * 16), score_of([value] * 64)
    # Clopper-Pearson of 0 of 16: [0, 20.6 %].
    ends = (few.low, few.high) if value == 0 else (1 - few.high, 1 - few.low)
    assert ends == (0.0, pytest.approx(0.2059, abs=1e-4))
    assert 0 < (many.high - many.low) < few.high - few.low
