"""Clips of the study: what is shown is what is said, and no meaning is both trained on and judged."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mov_ai.captions.caption import SPLITS
from mov_ai.worlds.tabletop.completion import gold_graph
from mov_ai.worlds.tabletop.motions import motion_of, movers
from studies.graph_vs_text.clips import layout_of
from studies.graph_vs_text.world import COLORS, FRAMES, NOUNS, PATTERNS, Told, tell, told_apart

SEEDS = st.integers(0, 10**6)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from(SPLITS[:2]))
def test_the_graph_says_what_the_scene_shows(seed: int, split: str) -> None:
    told = tell(seed, split)
    graph, scene = told.caption.graph, told.scene
    assert graph.caption == told.caption.text
    events = sorted(graph.of_type("event"), key=lambda node: (node.interval, node.id))
    shown = sorted(scene.actions, key=lambda action: action.interval)
    assert sorted((motion_of(e.label, e.direction), *e.interval) for e in events) == sorted(
        (a.motion, *a.interval) for a in shown
    )
    for thing, entity in zip(scene.things, told.caption.things, strict=True):
        assert graph.node(entity).label == NOUNS[thing.shape]
        colors = sorted((edge.interval, node.label) for node, edge in graph.attributes(entity))
        assert colors[0][1] == thing.color
        mine = [action for action in scene.actions if scene.things[action.thing] is thing]
        assert [label for _, label in colors[1:]] == [action.value for action in mine if action.value]
        assert sum(entity in movers(graph, event) for event in events) == len(mine)
    # Nothing is left to be assumed but what is the same in all clips.
    assumed = [node for node in gold_graph(graph, scene, told.caption.things).nodes if "label" in node.assumed]
    assert {node.kind for node in assumed} <= {"material"}


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_everything_is_in_view(seed: int) -> None:
    layout = layout_of(tell(seed, "train"))
    assert layout.frames == FRAMES
    for track in layout.tracks:
        centre, size = track.boxes[:, :2], track.boxes[:, 2:4]
        assert (centre - size / 2 >= 0).all()
        assert (centre + size / 2 <= 1).all()
        assert (track.boxes[:, 5] > 0.99).all()


def _said(told: Told) -> str:
    """What a caption's graph says, by the words and times of its nodes alone."""
    graph = told.caption.graph
    things = [
        str(
            (
                graph.node(entity).label,
                sorted((edge.interval, node.label) for node, edge in graph.attributes(entity)),
                sorted(
                    (e.label, e.direction, e.interval) for e in graph.of_type("event") if entity in movers(graph, e)
                ),
            )
        )
        for entity in told.caption.things
    ]
    return str(sorted(things))


def test_the_splits_share_no_meaning_and_seeds_always_mean_the_same() -> None:
    trained, judged = ([tell(seed, split) for seed in range(1500)] for split in SPLITS[:2])
    assert not {_said(told) for told in trained} & {_said(told) for told in judged}
    assert len({told.caption.text for told in trained}) > 900
    assert tell(5, "train") == tell(5, "train")
    assert tell(0, "validation").caption.text != tell(1, "validation").caption.text


def test_no_caption_is_judged_twice() -> None:
    told = told_apart(60, "validation")
    assert len({one.caption.text for one in told}) == 60
    assert told == told_apart(60, "validation")


def test_all_there_is_comes_often_enough() -> None:
    told = [tell(seed, "train") for seed in range(400)]
    assert np.unique([one.kind for one in told], return_counts=True)[1].min() > 400 / len(PATTERNS) / 2
    motions = np.unique([action.motion for one in told for action in one.scene.actions], return_counts=True)[1]
    assert motions.min() > motions.sum() / 8
    for color in COLORS:
        assert sum(thing.color == color for one in told for thing in one.scene.things) > 60
