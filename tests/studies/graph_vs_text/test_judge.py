"""The judge says yes to true clips at the study's size, through the codec too, and no to others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mov_ai.evaluation.checker import Checker
from mov_ai.worlds.tabletop.render import render
from mov_ai.worlds.tabletop.scene import simulate
from studies.graph_vs_text.clips import frames_of
from studies.graph_vs_text.evaluate import embedded_codec
from studies.graph_vs_text.judge import TOPICS, judge, questions
from studies.graph_vs_text.world import FRAMES, SIZE, Told, tell
from studies.stages.measure import through_codec


@pytest.fixture(scope="module")
def checker() -> Checker:
    return Checker.from_pretrained()


def _first(kind: str, motion: str = "") -> Told:
    """The first clip of a kind whose first event is this motion."""
    told = (tell(seed, "validation") for seed in range(1000))
    return next(t for t in told if t.kind == kind and motion in ("", t.scene.actions[0].motion))


def _all_right(checker: Checker, told: Told, frames: np.ndarray) -> bool:
    return all(all(answers) for answers in judge(checker, told.caption.graph, frames).values())


def test_true_clips_pass(checker: Checker) -> None:
    told = [_first(kind) for kind in ("single", "sequence", "pair", "together")] + [tell(900, "validation")]
    codec = embedded_codec()
    for one in told:
        assert _all_right(checker, one, through_codec(codec, frames_of(one).numpy())), one.caption.text


def test_what_is_played_backwards_is_in_the_wrong_order(checker: Checker) -> None:
    told = _first("pair", "jump")
    answers = judge(checker, told.caption.graph, frames_of(told).numpy()[::-1].copy())
    assert answers["looks"] == [True, True] or told.scene.actions[1].motion == "turn"
    assert answers["order"] == [False]


def test_another_color_looks_wrong(checker: Checker) -> None:
    told = _first("single", "left")
    other = next(color for color in ("red", "blue") if color != told.scene.things[0].color)
    wrong = replace(told.scene, things=(replace(told.scene.things[0], color=other),))
    video = render(wrong, SIZE, SIZE, states=simulate(wrong, FRAMES))[0].numpy()
    assert judge(checker, told.caption.graph, video) == {"looks": [False], "motion": [False]}


def test_a_change_at_another_time_is_wrong(checker: Checker) -> None:
    told = _first("sequence", "turn")
    late = [replace(a, interval=(0.75, 1.0)) if a.motion == "turn" else a for a in told.scene.actions]
    scene = replace(told.scene, actions=tuple(late))
    video = render(scene, SIZE, SIZE, states=simulate(scene, FRAMES))[0].numpy()
    assert judge(checker, told.caption.graph, video)["change"] == [False]
    assert judge(checker, told.caption.graph, frames_of(told).numpy())["change"] == [True]


def test_each_part_of_a_graph_is_asked_for() -> None:
    for seed in range(30):
        told = tell(seed, "validation")
        topics = [topic for topic, _ in questions(told.caption.graph)]
        turns = sum(action.motion == "turn" for action in told.scene.actions)
        assert set(topics) <= set(TOPICS)
        assert topics.count("looks") == len(told.scene.things)
        assert topics.count("change") == turns
        assert topics.count("motion") == len(told.scene.actions) - turns
        assert topics.count("order") == len(told.scene.actions) - 1
