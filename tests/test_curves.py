"""Plots of reports: well-formed SVG in which each value stands where it belongs."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mov_ai.curves import Panel, Point, svg

SPACE = "{http://www.w3.org/2000/svg}"
VALUES = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))


def _circles(text: str) -> list[tuple[float, float]]:
    root = ElementTree.fromstring(text)
    return [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in root.iter(f"{SPACE}circle")]


def test_higher_values_stand_higher_and_doublings_evenly() -> None:
    series = {"a": [Point(n, n / 8000, 0, 1) for n in (1000, 2000, 4000, 8000)], "b <c>": [Point(2000, 0.5, 0.4, 0.6)]}
    text = svg([Panel("score", "clips", series, percent=True, logarithmic=True)])
    *line, alone = _circles(text)
    steps = [b[0] - a[0] for a, b in itertools.pairwise(line)]
    assert steps == pytest.approx([steps[0]] * 3, abs=0.2)
    assert all(above[1] < below[1] for below, above in itertools.pairwise(line))
    assert alone[0] == line[1][0]
    assert "100 %" in text
    assert "b &lt;c&gt;" in text


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=8))
def test_any_points_stay_inside(points: list[tuple[float, float]]) -> None:
    panel = Panel("p", "x", {"s": [Point(x, y, y, y, "l") for x, y in points]}, joined=False)
    places = _circles(svg([panel, panel]))
    assert len(places) == 2 * len(points)
    assert all(40 <= x <= 660 and 20 <= y <= 200 for x, y in places)
