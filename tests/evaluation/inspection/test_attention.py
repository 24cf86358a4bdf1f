"""Boxes and intervals on the grid of tokens, and the shares that are made of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mov_ai.evaluation.inspection.attention import AttentionMaps, Token, box_coverage, boxed_entities, shares
from tests.models.builders import ball_and_cube, still_layout

SIDES = st.floats(0.05, 0.9)


@given(st.floats(0, 1), st.floats(0, 1), SIDES, SIDES, st.integers(1, 9), st.integers(1, 9))
def test_covered_places_add_up_to_the_box_within_the_frame(
    x: float, y: float, w: float, h: float, rows: int, columns: int
) -> None:
    graph = ball_and_cube()
    layout = still_layout(graph, [(x, y, w, h, 4, 1), (0.5, 0.5, 1, 1, 5, 0)], frames=2)
    covered = box_coverage(graph, layout, Token("entity", "ball", "ball"), (2, rows, columns))
    inside = (min(1, x + w / 2) - max(0, x - w / 2)) * (min(1, y + h / 2) - max(0, y - h / 2))
    np.testing.assert_allclose(covered.mean((1, 2)), inside, atol=1e-5)
    assert covered.min() >= 0
    assert covered.max() <= 1 + 1e-6


def test_nodes_have_the_boxes_of_what_they_speak_of() -> None:
    graph = ball_and_cube()
    assert [boxed_entities(graph, graph.node(name)) for name in ("ball", "red", "roll", "cube", "s")] == [
        ["ball"],
        ["ball"],
        ["ball"],
        ["cube"],
        [],
    ]
    layout = still_layout(graph, [(0.25, 0.5, 0.5, 1, 4, 1), (0.75, 0.5, 0.5, 1, 5, 0)], frames=1)
    of_red = box_coverage(graph, layout, Token("attribute", "red", "red"), (1, 1, 2))
    assert of_red.tolist() == [[[1, 0]]]
    # The cube is not to be seen.
    assert not box_coverage(graph, layout, Token("entity", "cube", "cube"), (1, 1, 2)).any()
    assert not box_coverage(graph, layout, Token("text", "ball"), (1, 1, 2)).any()


def test_shares_of_maps_that_are_known() -> None:
    tokens = [Token("null", "(nothing)"), Token("entity", "ball", "ball", (0.0, 0.25))]
    to_ball = np.zeros((2, 1, 4), np.float32)
    to_ball[0, 0] = [0.6, 0.2, 0, 0]
    to_ball[1, 0] = [0, 0, 0.2, 0]
    coverage = np.zeros((2, 2, 1, 4), np.float32)
    coverage[1, :, 0, 0] = 1
    looked = AttentionMaps(
        tokens=tokens,
        maps=np.stack([1 - to_ball, to_ball]),
        by_block=np.array([[0.875, 0.125]]),
        blocks=(1,),
        steps=(1,),
        coverage=coverage,
        frames=np.zeros((2, 8, 8, 3), np.uint8),
        times=np.array([0.25, 0.75]),
    )
    nothing, ball = shares(looked)
    assert (nothing.in_boxes, nothing.box_area, nothing.in_interval) == (None, None, pytest.approx(1))
    assert ball.attention == pytest.approx(1 / 8)
    assert (ball.in_boxes, ball.box_area) == (pytest.approx(0.6), pytest.approx(1 / 4))
    # The interval is half of the first frame.
    assert (ball.in_interval, ball.interval_length) == (pytest.approx(0.8 * 0.5), pytest.approx(1 / 4))
    assert ball.to_dict() == {
        "kind": "entity",
        "name": "ball",
        "node": "ball",
        "interval": [0.0, 0.25],
        "attention": 0.125,
        "in_boxes": 0.6,
        "box_area": 0.25,
        "in_interval": 0.4,
        "interval_length": 0.25,
    }
