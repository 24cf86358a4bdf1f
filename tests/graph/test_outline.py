"""Outlines: what is inside, JSON and back, what is refused; layouts that carry them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mov_ai.errors import UsageError
from mov_ai.graph import Layout, Track
from mov_ai.graph.outline import filled, outline_from_list, outline_to_list
from mov_ai.graph.slices import slice_layout

SQUARE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
HOLE = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
BOX = [0.5, 0.5, 0.2, 0.2, 1.0, 1.0]


def test_what_two_lines_go_around_is_outside() -> None:
    inside = filled((SQUARE, HOLE), 8)
    assert inside[0, 0] == 1
    assert inside[4, 4] == 0
    assert inside.mean() == pytest.approx(0.75, abs=0.02)
    assert filled((SQUARE,), 4, 6).shape == (4, 6)
    assert filled((SQUARE,), 4, 6).all()


@given(st.integers(3, 40), st.floats(0.1, 0.5))
def test_the_area_of_a_polygon(corners: int, radius: float) -> None:
    angles = 2 * np.pi * np.arange(corners) / corners
    line = tuple((0.5 + radius * float(np.cos(a)), 0.5 + radius * float(np.sin(a))) for a in angles)
    area = corners / 2 * radius**2 * np.sin(2 * np.pi / corners)
    assert filled((line,), 64).mean() == pytest.approx(area, abs=0.02)


@given(st.lists(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=8), min_size=1, max_size=4))
def test_outlines_come_back_from_json_or_are_refused(lines: list[list[tuple[float, float]]]) -> None:
    raw = outline_to_list(tuple(map(tuple, lines)))
    try:
        outline = outline_from_list(raw, "o")
    except UsageError as error:
        assert "lines that go around something" in str(error)  # noqa: PT017
        return
    assert outline_to_list(outline) == raw


BAD: dict[str, tuple[Any, str]] = {
    "no list": (3, "1 to 16 closed lines"),
    "no lines": ([], "1 to 16 closed lines"),
    "two points": ([[[0, 0], [1, 1]]], "at least 3 points"),
    "outside the box": ([[[0, 0], [1, 1.1], [0, 1]]], r"o\[0\]\[1\]: expected \[x, y\]"),
    "not a number": ([[[0, 0], [1, float("nan")], [0, 1]]], "expected"),
    "true": ([[[0, 0], [1, True], [0, 1]]], "expected"),
    "too many": ([[[i / 600, i % 2] for i in range(600)]], "at most 512 points; found 600"),
    "around nothing": ([[[0, 0], [0, 0], [0, 0]]], "go around something"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_outlines_are_named(name: str) -> None:
    raw, said = BAD[name]
    with pytest.raises(UsageError, match=said):
        outline_from_list(raw, "o")


def test_layouts_keep_outlines_and_are_as_before_without() -> None:
    boxes = np.tile(np.array(BOX, np.float32), (4, 1))
    plain = Layout(4, [Track("a", boxes)])
    assert plain.to_dict()["version"] == 2
    assert "outline" not in plain.to_dict()["tracks"][0]
    outlined = Layout(4, [Track("a", boxes, outline=(SQUARE, HOLE)), Track("b", boxes)])
    value = outlined.to_dict()
    assert value["version"] == 3
    again = Layout.from_dict(value)
    changed = (again, again.resampled(9), again.in_aspect(2.0), slice_layout(again, 1, 2), plain.with_given(again))
    for layout in changed:
        assert layout.tracks[0].outline == (SQUARE, HOLE)
    with pytest.raises(UsageError, match="only the keys entity, instance, label, boxes"):
        Layout.from_dict(value | {"version": 2})
