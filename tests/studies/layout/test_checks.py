"""Overlap without reason, leaving the frame untold, and jumps are found; nothing is where there is a reason."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

from mov_ai.graph import Edge, Node, SceneGraph
from studies.layout.cast import Cast
from studies.layout.checks import faults
from studies.layout.facts import read_fact
from tests.studies.layout.drawn import at, drawn, scaled, seen, way

GRAPH = SceneGraph("", [Node("s", "scene", "scene"), Node("cat", "entity", "cat"), Node("dog", "entity", "dog")])


def found(text: str = "", graph: SceneGraph = GRAPH, **tracks: np.ndarray | list[np.ndarray]) -> list[str]:
    layout, cast = drawn(**tracks)
    facts = [read_fact(part, 2) for part in text.split("; ")] if text else []
    return [fault.check for fault in faults(layout, facts, cast, graph)]


CALM = {"cat": at(0.3, 0.5), "dog": way((0, 0.5, 0.7), (1, 0.9, 0.7))}


def test_a_calm_layout_has_no_fault() -> None:
    assert found(**CALM) == []


def test_things_on_top_of_each_other_need_a_reason() -> None:
    pile = {"cat": at(0.5, 0.5), "dog": at(0.52, 0.5)}
    assert found(**pile) == ["overlap"]
    assert found("left_of(cat, dog)", **pile) == ["overlap"]
    assert found("holds(dog, cat)", **pile) == []
    linked = replace(GRAPH, edges=[Edge("cat", "dog", "spatial", "behind")])
    assert found(graph=linked, **pile) == []
    beside = replace(GRAPH, edges=[Edge("cat", "dog", "spatial", "next to")])
    assert found(graph=beside, **pile) == ["overlap"]
    acting = SceneGraph(
        "", [*GRAPH.nodes, Node("e", "event", "hug")], [Edge("e", "cat", "agent"), Edge("e", "dog", "patient")]
    )
    assert found(graph=acting, **pile) == []
    assert found(cat=[at(0.5, 0.5), at(0.5, 0.5)]) == ["overlap"]


def test_passing_by_and_regions_are_reasons_of_their_own() -> None:
    assert found(cat=way((0, 0.1, 0.5), (1, 0.9, 0.5)), dog=at(0.5, 0.5)) == []
    assert found(cat=at(0.5, 0.5), dog=at(0.5, 0.5, 0.9)) == []
    layout, cast = drawn(cat=at(0.5, 0.8, 0.1), dog=at(0.5, 0.8, w=0.9, h=0.2))
    assert [fault.check for fault in faults(layout, [], cast, GRAPH)] == ["overlap"]
    park = Cast(cast.actors, regions=frozenset({"dog"}))
    assert faults(layout, [], park, GRAPH) == []


@pytest.mark.parametrize(
    "fact", ["leaves(cat, right)", "present(cat) @1", "all_move(right)", "moves(cat, up) then leaves(cat)"]
)
def test_leaving_the_frame_must_be_told(fact: str) -> None:
    gone = {"cat": way((0, 0.5, 0.5), (1, 1.1, 0.5))}
    assert found(**gone) == ["leaves"]
    assert found("moves(cat, right)", **gone) == ["leaves"]
    assert found(fact, **gone) == []


def test_vanishing_must_be_told_too() -> None:
    assert found(cat=seen(at(0.5, 0.5), 0, 0.5)) == ["leaves"]
    assert found("vanishes(cat)", cat=seen(at(0.5, 0.5), 0, 0.5)) == []


@pytest.mark.parametrize("frames", [8, 16, 48])
def test_jumps_are_found_and_quick_ways_are_not(frames: int) -> None:
    layout, cast = drawn(cat=way((0.3, 0.1, 0.5), (0.7, 0.9, 0.5)), dog=scaled(at(0.5, 0.2, 0.1), 1, 2.5))
    assert faults(layout.resampled(frames), [], cast, GRAPH) == []
    leap = deepcopy(layout.resampled(frames))
    leap.tracks[0].boxes[: frames // 2, 0] = 0.1
    leap.tracks[0].boxes[frames // 2 :, 0] = 0.9
    assert [fault.check for fault in faults(leap, [], cast, GRAPH)] == ["jumps"]
    burst = deepcopy(layout.resampled(frames))
    burst.tracks[1].boxes[: frames // 2, 2:4] = 0.05
    burst.tracks[1].boxes[frames // 2 :, 2:4] = 0.3
    assert [fault.check for fault in faults(burst, [], cast, GRAPH)] == ["jumps"]
