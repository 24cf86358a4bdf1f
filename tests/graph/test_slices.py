"""A part of a video's timeline: what holds in it, on its own clock; boxes; the whole as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mov_ai.graph import CameraMove, Edge, Layout, Node, SceneGraph, Track, VideoShape
from mov_ai.graph.slices import on_clock, slice_graph, slice_layout, within


def story() -> SceneGraph:
    """A ball rolls in the first half, then turns from red to blue and jumps; a dog is contained by the rolling."""
    graph = SceneGraph(
        "a red ball rolls, then turns blue and jumps",
        [
            Node("s", "scene", "scene", camera=(CameraMove("pan left", (0.0, 0.5)), CameraMove("close-up"))),
            Node("roll", "event", "roll", interval=(0.0, 0.5)),
            Node("jump", "event", "jump", interval=(0.5, 1.0)),
            Node("ball", "entity", "ball"),
            Node("dog", "entity", "dog"),
            Node("red", "attribute", "red", kind="color"),
            Node("blue", "attribute", "blue", kind="color"),
            Node("loose", "attribute", "loose"),
        ],
        [
            Edge("s", "roll", "contains"),
            Edge("s", "jump", "contains"),
            Edge("s", "ball", "contains"),
            Edge("roll", "dog", "contains"),
            Edge("roll", "ball", "agent"),
            Edge("jump", "ball", "agent"),
            Edge("roll", "jump", "temporal", "before"),
            Edge("ball", "red", "has_attribute", interval=(0.0, 0.6)),
            Edge("ball", "blue", "has_attribute", interval=(0.6, 1.0)),
            Edge("ball", "dog", "spatial", "left of", interval=(0.0, 0.25)),
        ],
    )
    graph.validate()
    return graph


def test_the_whole_is_its_own_slice() -> None:
    graph = story()
    part = slice_graph(graph, (0.0, 1.0))
    assert part.graph == graph
    assert part.spans == {"roll": (0.0, 0.5), "jump": (0.5, 1.0)}


def test_what_does_not_hold_in_a_part_is_gone_and_the_rest_is_on_its_clock() -> None:
    part = slice_graph(story(), (0.5, 0.75))
    part.graph.validate()
    assert [node.id for node in part.graph.nodes] == ["s", "jump", "ball", "dog", "red", "blue", "loose"]
    assert part.graph.node("jump").interval == (0.0, 1.0)
    assert part.spans == {"jump": (0.0, 2.0)}
    held = {edge.target: edge.interval for edge in part.graph.edges if edge.type == "has_attribute"}
    assert held["red"] == pytest.approx((0.0, 0.4))
    assert held["blue"] == pytest.approx((0.4, 1.0))
    assert part.graph.of_type("scene")[0].camera == (CameraMove("close-up"),)
    assert not any(edge.type in ("temporal", "spatial") for edge in part.graph.edges)
    # The rolling is over, and what it contained is in the scene.
    assert Edge("s", "dog", "contains") in part.graph.edges


def test_a_change_before_a_part_holds_in_it() -> None:
    part = slice_graph(story(), (0.7, 0.9))
    colors = [(node.label, edge.interval) for node, edge in part.graph.attributes("ball")]
    assert colors == [("blue", (0.0, 1.0))]
    assert all(node.id != "red" for node in part.graph.nodes)
    # Nobody ever had this one, so no part takes it away.
    assert part.graph.node("loose")


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 0.98), st.floats(0.02, 1))
def test_every_part_is_a_valid_graph(start: float, length: float) -> None:
    part = slice_graph(story(), (start, min(1.0, start + length)))
    part.graph.validate()
    assert {event.id for event in part.graph.of_type("event")} == set(part.spans)


def test_clocks() -> None:
    assert on_clock((0.25, 1.0), (0.5, 1.0)) == (-0.5, 1.0)
    assert within((0.25, 0.75), (0.5, 1.0)) == (0.0, 0.5)
    assert within((0.0, 0.5), (0.5, 1.0)) is None


def test_parts_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a part"):
        slice_graph(story(), (0.5, 0.5))
    with pytest.raises(ValueError, match="expected frames of a layout of 4"):
        slice_layout(Layout(4), 2, 3)


def test_boxes_of_some_frames() -> None:
    boxes = np.arange(60, dtype=np.float32).reshape(10, 6)
    layout = Layout(10, [Track("ball", boxes)], VideoShape(frames=10))
    part = slice_layout(layout, 3, 4)
    assert (part.frames, part.shape) == (4, replace(VideoShape(), frames=4))
    assert np.array_equal(part.tracks[0].boxes, boxes[3:7])
