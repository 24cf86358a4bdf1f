"""The benchmark's checker passes what the world renders and fails what is wrong in known ways."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from mov_ai.errors import UsageError
from mov_ai.evaluation.benchmark import CATEGORIES, Benchmark, BenchmarkPrompt, load_prompts
from mov_ai.evaluation.benchmark.benchmark import squared
from mov_ai.evaluation.benchmark.observe import Observed
from mov_ai.evaluation.benchmark.prompts import Check
from mov_ai.evaluation.benchmark.questions import answer
from mov_ai.evaluation.benchmark.scenes import reference_clip, rendered
from tools.benchmark.build import draw_prompts
from tools.benchmark.counterfactuals import CHANGES, NOTHING
from tools.benchmark.validate import Validation, validate

#: One prompt of each category.
NUMBER = len(CATEGORIES)


@cache
def checker() -> Benchmark:
    torch.set_num_threads(1)
    return Benchmark.from_pretrained()


@cache
def validation() -> Validation:
    return validate(load_prompts()[:NUMBER], draw_prompts(1, stream=2), checker())


def overall(name: str) -> float:
    """The mean over all categories to which a kind of clip applies."""
    scores = [score for score in validation().scores[name].values() if score.n]
    return sum(score.share * score.n for score in scores) / sum(score.n for score in scores)


@pytest.mark.parametrize("name", ["true", "fresh"])
def test_real_clips_pass(name: str) -> None:
    assert overall(name) >= 0.95, validation().failures


@pytest.mark.parametrize("name", ["frozen", *NOTHING])
def test_what_shows_nothing_scores_nothing(name: str) -> None:
    assert overall(name) == 0


@pytest.mark.parametrize("name", ["other colors", "other shapes", "reversed", "mirrored"])
def test_clips_of_something_else_score_next_to_nothing(name: str) -> None:
    assert overall(name) <= 0.1


def test_clips_of_other_prompts_score_next_to_nothing() -> None:
    prompts = load_prompts()
    pairs = zip(prompts[:NUMBER:2], prompts[NUMBER : 2 * NUMBER : 2], strict=True)
    scores = [checker().check(one, reference_clip(other).frames).score for one, other in pairs]
    # One of the two things that are asked for may happen to be in the other clip.
    assert np.mean(scores) <= 0.15


@pytest.mark.parametrize("category", CATEGORIES)
def test_each_category_fails_its_own_counterfactuals(category: str) -> None:
    for name in CHANGES[category]:
        score = validation().scores.get(name, {}).get(category)
        if score is not None and score.n:
            assert score.share <= 0.25, name


@cache
def prompt(category: str) -> BenchmarkPrompt:
    return next(p for p in load_prompts() if p.category == category)


@pytest.mark.parametrize("frames", [8, 32])
def test_other_frame_rates_are_judged_alike(frames: int) -> None:
    for category in ("attribute_change", "motion_binding", "counts"):
        clip = rendered(prompt(category).scene, 128, frames)
        assert checker().check(prompt(category), clip).score == 1


def test_other_sizes_are_judged_alike() -> None:
    one = prompt("motion_binding")
    assert checker().check(one, rendered(one.scene, 96)).score == 1
    assert checker().check(one, rendered(one.scene, 200)).score == 1
    wide = np.pad(rendered(one.scene, 128), ((0, 0), (0, 0), (16, 16), (0, 0)), mode="edge")
    assert checker().check(one, wide).score == 1


@pytest.mark.parametrize("frames", [2, 3, 64])
def test_few_and_many_frames_get_a_verdict(frames: int) -> None:
    for one in load_prompts()[: 1 if frames == 64 else len(CATEGORIES)]:
        clip = rendered(one.scene, 64, frames)
        verdict = checker().check(one, clip)
        assert set(verdict.checks) == {check.name for check in one.checks}
        assert 0 <= verdict.score <= 1


def test_a_needed_check_decides() -> None:
    one = prompt("counts")
    verdict = checker().check(one, np.repeat(reference_clip(one).frames[:1], 16, 0))
    assert verdict.checks["something happens"] is False
    assert any(verdict.checks.values())
    assert verdict.score == 0


def test_the_same_video_gets_the_same_verdict() -> None:
    one = prompt("interactions")
    frames = reference_clip(one).frames
    assert checker().check(one, frames) == checker().check(one, frames)


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((16, 128, 128), dtype=np.uint8),
        np.zeros((16, 128, 128, 3), dtype=np.float32),
        np.zeros((1, 128, 128, 3), dtype=np.uint8),
        np.zeros((65, 128, 128, 3), dtype=np.uint8),
        np.zeros((16, 0, 128, 3), dtype=np.uint8),
    ],
)
def test_what_is_not_a_video_is_a_usage_error(frames: np.ndarray) -> None:
    with pytest.raises(UsageError, match="video: expected"):
        squared(frames)


def test_borders_keep_proportions() -> None:
    frames = np.arange(2 * 130 * 150 * 3, dtype=np.uint32).astype(np.uint8).reshape(2, 130, 150, 3)
    square = squared(frames)
    assert square.shape == (2, 150, 150, 3)
    np.testing.assert_array_equal(square[:, 10:140], frames)
    assert squared(frames[:, :40, :60]).shape == (2, 128, 128, 3)


def test_a_question_that_there_is_none_of_is_a_usage_error() -> None:
    one = prompt("counts")
    with pytest.raises(UsageError, match="kind: expected one of"):
        answer(Check("nice", "beauty", False, {}), Observed.of(one.graph, [], 16))
