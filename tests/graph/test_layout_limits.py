"""What stands against a layout before any verifier: limits, a graph without things, given boxes outside the frame."""

from __future__ import annotations

import numpy as np

from mov_ai.graph import Layout, Node, SceneGraph, Track
from mov_ai.graph.layout_limits import frame_list, limit_faults, share_inside


def graph(count: int = 1, negated: bool = False) -> SceneGraph:
    return SceneGraph("", [Node("s", "scene", "scene"), Node("b", "entity", "ball", count=count, negated=negated)])


def row(x: float, seen: float = 1.0) -> list[float]:
    return [x, 0.5, 0.2, 0.2, 1.0, seen]


def test_nothing_stands_against_what_fits() -> None:
    given = Layout(2, [Track("b", np.array([row(0.1), [np.nan] * 6], np.float32))])
    assert limit_faults(graph(10), given) == []


def test_what_has_no_room_and_a_graph_without_things_are_named() -> None:
    assert limit_faults(graph(40)) == [
        "room for all: at most 10 of one entity and 24 in all; no box: 30 of 40 balls",
    ]
    (fault,) = limit_faults(graph(negated=True))
    assert fault.startswith("something to draw: the graph names nothing that can be shown")


def test_given_boxes_outside_of_the_frame_are_named_with_their_frames() -> None:
    rows = [row(1.5), row(1.5), row(0.5), [np.nan] * 6, row(-0.3), row(-0.3, 0.0), row(1.0, 0.5), row(1.0, 1.0)]
    given = Layout(8, [Track("b", np.array(rows, np.float32), 1, "ball")])
    assert limit_faults(graph(2), given) == [
        "given boxes of ball #2 in the frame: outside in frames 1-2, 5; kept as given",
        "given boxes of ball #2 in the frame: they reach out in frame 8; kept as given",
    ]


def test_the_share_of_a_box_within_the_frame() -> None:
    rows = np.array([row(0.5), row(1.0), row(2.0), [np.nan] * 6])
    np.testing.assert_allclose(share_inside(rows), [1, 0.5, 0, np.nan])


def test_frames_are_counted_from_one_and_joined() -> None:
    assert frame_list([2]) == "frame 3"
    assert frame_list([0, 1, 2, 8]) == "frames 1-3, 9"
