"""The checker passes what the world renders and fails what it does not."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from mov_ai.evaluation.checker import Checker
from mov_ai.evaluation.checker_tracks import Track
from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.worlds.tabletop import lexicon
from mov_ai.worlds.tabletop.motions import motion_of
from studies.check import verdicts
from studies.check.tiny import held_out_prompts
from studies.check.verdicts import CheckReport, check
from tests.studies.check.wrong_graphs import real_clip, with_other_colors, with_other_motions, with_other_shapes

SEEDS = range(700_000, 700_012)


@cache
def checker() -> Checker:
    torch.set_num_threads(1)
    return Checker.from_pretrained()


@cache
def clip(seed: int) -> tuple[SceneGraph, np.ndarray]:
    return real_clip(seed, "test")


@cache
def tracks(seed: int) -> tuple[Track, ...]:
    return tuple(checker().follow(clip(seed)[1]))


def judge(graph: SceneGraph, seed: int) -> CheckReport:
    return verdicts.judge(graph, list(tracks(seed)), 16)


def total(reports: list[CheckReport], kind: str) -> tuple[int, int]:
    verdicts = [right for report in reports for right in report.verdicts().get(kind, [])]
    return sum(verdicts), len(verdicts)


def test_real_clips_pass() -> None:
    reports = [judge(clip(seed)[0], seed) for seed in SEEDS]
    for kind in ("objects", "events"):
        right, number = total(reports, kind)
        assert number >= 12
        assert right >= number - 1, reports


@pytest.mark.parametrize(
    ("change", "kind", "most"),
    [(with_other_colors, "objects", 0.1), (with_other_shapes, "objects", 0.1), (with_other_motions, "events", 0.1)],
)
def test_wrong_graphs_fail(change, kind: str, most: float) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(3)
    right, number = total([judge(change(clip(seed)[0], rng), seed) for seed in SEEDS], kind)
    assert right <= most * number


def test_another_clips_graph_fails() -> None:
    reports = [judge(clip(seed)[0], other) for seed, other in zip(SEEDS, [*SEEDS[1:], SEEDS[0]], strict=True)]
    right, number = total(reports, "objects")
    # By chance the other clip may show one of the things.
    assert right <= 0.2 * number


def test_a_large_video_is_judged_alike() -> None:
    seed = SEEDS[0]
    graph, video = real_clip(seed, "test", 512)
    small, large = judge(graph, seed), check(checker(), graph, video)
    assert large.verdicts() == small.verdicts()


def test_a_blank_video_fails_everything() -> None:
    video = np.full((16, 128, 128, 3), 150, dtype=np.uint8)
    for seed in SEEDS[:4]:
        report = check(checker(), clip(seed)[0], video)
        assert not any(right for verdicts in report.verdicts().values() for right in verdicts)
        assert report.tracks == 0


def test_the_same_video_gets_the_same_report() -> None:
    graph, video = clip(SEEDS[0])
    first = check(checker(), graph, video)
    assert first == check(checker(), graph, torch.from_numpy(video))
    assert first == judge(graph, SEEDS[0])


def test_a_still_video_shows_no_motion() -> None:
    for seed in SEEDS[:4]:
        graph, video = clip(seed)
        still = np.repeat(video[8:9], 16, 0)
        report = check(checker(), graph, still)
        for event in report.events:
            assert event.motion == "stay" or not event.ok


def test_a_reversed_video_shows_the_opposite() -> None:
    for seed in SEEDS:
        graph, video = clip(seed)
        moved = [n for n in graph.of_type("event") if motion_of(n.label, n.direction) in ("left", "right")]
        if moved and len(graph.of_type("event")) == 1:
            report = check(checker(), graph, video[::-1].copy())
            assert all(event.motion_ok is False for event in report.events)
            return
    pytest.skip("no clip with a single sideways event")


def test_a_missing_object_and_one_too_many_are_noticed() -> None:
    graph, _ = clip(SEEDS[0])
    entity = graph.of_type("entity")[0]
    more = graph.with_node(entity.id, count=entity.count + 1)
    report = {e.entity: e for e in judge(more, SEEDS[0]).entities}[entity.id]
    assert report.count == entity.count
    assert report.count_ok is False
    assert report.ok is False


def test_a_negated_entity_must_not_be_seen() -> None:
    graph = SceneGraph("", [Node("s", "scene", "scene"), Node("a", "entity", "ball", negated=True)])
    report = check(checker(), graph, np.full((16, 128, 128, 3), 150, dtype=np.uint8))
    assert report.entities[0].ok is True


def test_words_the_world_does_not_know_are_not_checked() -> None:
    nodes = [Node("s", "scene", "scene"), Node("a", "entity", "dog"), Node("e", "event", "bark")]
    graph = SceneGraph("a dog barks", nodes, [Edge("e", "a", "agent")])
    report = check(checker(), graph, clip(SEEDS[0])[1])
    assert report.entities[0].ok is None
    assert report.events[0].ok is None
    assert report.verdicts() == {}


def test_a_ball_that_spins_is_not_judged() -> None:
    nodes = [Node("s", "scene", "scene"), Node("a", "entity", "ball"), Node("e", "event", "spin")]
    report = check(checker(), SceneGraph("", nodes, [Edge("e", "a", "agent")]), clip(SEEDS[0])[1])
    assert report.events[0].ok is None


@pytest.mark.parametrize("change", [with_other_colors, with_other_shapes, with_other_motions])
def test_changed_graphs_are_valid_and_differ_everywhere(change) -> None:  # type: ignore[no-untyped-def]
    for prompt in held_out_prompts(8):
        changed = change(prompt.graph, np.random.default_rng(0))
        changed.validate()
        assert len(changed.nodes) == len(prompt.graph.nodes)
        for old, new in zip(prompt.graph.nodes, changed.nodes, strict=True):
            if change is with_other_motions and old.type == "event":
                assert motion_of(old.label, old.direction) != motion_of(new.label, new.direction)
            elif change is with_other_shapes and old.type == "entity":
                assert lexicon.concept("shape", old.label) != lexicon.concept("shape", new.label)
            elif change is with_other_colors and lexicon.concept("color", old.label):
                assert lexicon.concept("color", old.label) != lexicon.concept("color", new.label)
            else:
                assert old == new
