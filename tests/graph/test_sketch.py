"""Sketches: of which thing they are, and the boxes and outlines that they give a layout."""

from __future__ import annotations

import numpy as np
import pytest

from mov_ai.errors import UsageError
from mov_ai.graph import Edge, Layout, Node, SceneGraph, Track
from mov_ai.graph.outline import filled
from mov_ai.graph.sketch import Sketch, drawn_picture, sketched_instances, sketched_layout

TRIANGLE = (((0.5, 0.0), (1.0, 1.0), (0.0, 1.0)),)
BOX = (0.4, 0.5, 0.2, 0.3)


def _graph(balls: int = 2) -> SceneGraph:
    nodes = [Node("s", "scene", "scene"), Node("b", "entity", "ball", count=balls), Node("c", "entity", "cube")]
    nodes.append(Node("r", "attribute", "Red", kind="color"))
    edges = [Edge("s", "b", "contains"), Edge("s", "c", "contains"), Edge("c", "r", "has_attribute")]
    return SceneGraph("", nodes, edges)


def _sketch(entity: str | None = None) -> Sketch:
    return Sketch(TRIANGLE, BOX, entity, "a.png", "0")


def test_a_sketch_is_of_the_thing_that_it_names() -> None:
    names = [None, "cube", "b"]
    assert sketched_instances(_graph(), [_sketch(name) for name in names]) == [("b", 0), ("c", 0), ("b", 1)]
    assert sketched_instances(_graph(), [_sketch("red CUBE")]) == [("c", 0)]
    for name, said in (("dog", "draws no 'dog'"), ("cube", "without a sketch")):
        with pytest.raises(UsageError, match=said):
            sketched_instances(_graph(), [_sketch("cube"), _sketch(name)])


@pytest.mark.parametrize(("frames", "held"), [(1, 1), (3, 1), (16, 1), (64, 3)])
def test_a_thing_begins_where_it_is_drawn(frames: int, held: int) -> None:
    planned = Layout(frames, [Track("c", np.tile(np.array([0.1, 0.1, 0.1, 0.1, 7.0, 1.0], np.float32), (frames, 1)))])
    track = sketched_layout(_graph(), frames, [_sketch("cube")], None, planned, 16).tracks[0]
    assert track.outline == TRIANGLE
    assert np.allclose(track.boxes[:held], [*BOX, 7.0, 1.0])
    assert np.isnan(track.boxes[held:]).all()
    # The planner, which thinks in 16 moments, hears of it.
    sampled = Layout(frames, [track]).resampled(16).tracks[0].boxes
    assert np.isfinite(sampled[0]).all()


def test_given_boxes_go_before_the_place_of_a_sketch() -> None:
    boxes = np.full((4, 6), np.nan, np.float32)
    boxes[0] = [0.9, 0.9, 0.1, 0.1, 2.0, 1.0]
    track = sketched_layout(_graph(), 4, [_sketch()], Layout(4, [Track("b", boxes)]), None, 16).tracks[0]
    assert np.array_equal(track.boxes, boxes, equal_nan=True)
    assert track.outline == TRIANGLE


def test_a_track_is_drawn_in_its_first_box() -> None:
    boxes = np.array([[*BOX, 1.0, 1.0]], np.float32)
    picture = drawn_picture(Track("b", boxes, outline=TRIANGLE), 100, 200)
    assert picture.shape == (100, 200)
    assert (picture[35:65, 60:100] < 128).mean() == pytest.approx(float(filled(TRIANGLE, 64).mean()), abs=0.03)
    picture[34:66, 59:101] = 255
    assert (picture == 255).all()
    outside = np.array([[1.6, -0.5, 0.2, 0.2, 1.0, 0.0]], np.float32)
    assert (drawn_picture(Track("b", outside, outline=TRIANGLE), 50, 50) == 255).all()
