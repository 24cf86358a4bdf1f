"""Pictures of layouts: boxes where they are, in the colours that are said, near before far, for any layout."""

from __future__ import annotations

import io
import itertools
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mov_ai.graph import Edge, Layout, Node, SceneGraph, Track, VideoShape
from mov_ai.graph.draw.layout_pictures import layout_gif, layout_sheet
from mov_ai.graph.draw.layout_svg import layout_svg
from mov_ai.graph.draw.layout_things import (
    Panel,
    back_to_front,
    colour_of,
    label_places,
    line_colour,
    luminance,
    spread,
    text_colour,
    things_of,
)
from mov_ai.graph.draw.placement import Rectangle
from tests.strategies import scene_graphs

SVG = "{http://www.w3.org/2000/svg}"


def boxes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


def moving_ball() -> tuple[SceneGraph, Layout]:
    """A ball that is red and then blue goes right in front of two cubes, before a sky."""
    nodes = [
        *(Node("s", "scene", "scene"), Node("b", "entity", "ball"), Node("c", "entity", "cube", count=2)),
        *(Node("r", "attribute", "red", kind="color"), Node("u", "attribute", "blue", kind="color")),
        *(Node("k", "entity", "sky"), Node("o", "attribute", "old", kind="state")),
    ]
    edges = [
        *(Edge("b", "r", "has_attribute", None, (0, 0.5)), Edge("b", "u", "has_attribute", None, (0.5, 1))),
        Edge("c", "o", "has_attribute"),
    ]
    ball = boxes(*((x, 0.5, 0.2, 0.2, 2.0, 1) for x in (0.2, 0.4, 0.6, 0.8)))
    cube = boxes(*[(0.5, 0.5, 0.3, 0.3, 5.0, 1)] * 4)
    late = boxes((np.nan,) * 6, (0.5, 0.9, 0.1, 0.1, 3, 0), *[(0.5, 0.9, 0.1, 0.1, 3, 1)] * 2)
    sky = boxes(*[(0.5, 0.25, 1.2, 0.5, 1.0, 1)] * 4)
    tracks = [Track("b", ball), Track("c", cube), Track("c", late, 1), Track("k", sky)]
    return SceneGraph("A ball & two <old> cubes", nodes, edges), Layout(4, tracks, VideoShape(4, 8, 64, 128))


def test_things_have_names_said_colours_and_an_order() -> None:
    ball, cube, late, sky = things_of(*moving_ball())
    assert [thing.name for thing in (ball, cube, late, sky)] == ["ball", "old cube 1", "old cube 2", "sky"]
    assert (cube.short, late.short) == ("old cube 1", "2")
    assert [ball.colour(time) for time in (0.1, 0.9)] == [colour_of("red"), colour_of("blue")]
    assert cube.colour(0) == late.colour(0) != sky.colour(0)
    assert [thing.is_region for thing in (ball, cube, late, sky)] == [False, False, False, True]
    # What fills the frame lies behind, however near its depth says that it is.
    assert back_to_front([ball, cube, late, sky]) == [sky, cube, late, ball]
    assert late.seen() == [2, 3]


@pytest.mark.parametrize(
    ("words", "colour"),
    [
        *(("red", (255, 0, 0)), ("Light Blue", (173, 216, 230)), ("bright green", (0, 128, 0))),
        *(("navy blue", (0, 0, 128)), ("iridescent", None), ("", None), ("#ff0000", None)),
    ],
)
def test_colours_by_the_names_that_web_pages_know(words: str, colour: tuple[int, int, int] | None) -> None:
    assert colour_of(words) == colour


@pytest.mark.parametrize("colour", list(itertools.product((0, 120, 255), repeat=3)))
def test_lines_are_seen_on_white_and_texts_on_any_ground(colour: tuple[int, int, int]) -> None:
    assert (1 + 0.05) / (luminance(line_colour(colour)) + 0.05) > 2.3
    ground, ink = luminance(colour) + 0.05, luminance(text_colour(colour)) + 0.05
    assert max(ground, ink) / min(ground, ink) > 4


def test_frames_are_spread_with_the_first_and_the_last() -> None:
    assert spread(4, 8) == [0, 1, 2, 3]
    assert spread(100, 3) == [0, 50, 99] or spread(100, 3) == [0, 49, 99]
    assert spread(1, 8) == [0]


def test_labels_stand_in_the_frame_and_apart_where_there_is_room() -> None:
    frame = Rectangle(0, 0, 100, 100)
    near = [Rectangle(10 + i, 50, 20, 20) for i in range(4)]
    places = label_places([*near, Rectangle(-50, -50, 10, 10)], [(30.0, 10.0)] * 5, frame)
    assert all(a.overlap(b) == 0 for i, a in enumerate(places) for b in places[:i])
    assert all(p.x >= 0 and p.y >= 0 and p.x + p.width <= 100 and p.y + p.height <= 100 for p in places)


def test_the_svg_has_each_thing_with_its_way_and_its_first_and_last_box() -> None:
    graph, layout = moving_ball()
    root = ElementTree.fromstring(layout_svg(graph, [Panel(layout)]))
    texts = ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]
    assert "A ball & two <old> cubes" in texts
    # In the picture and in the list beside it, from near to far.
    assert texts.count("ball") == texts.count("old cube 2") == 2
    listed = texts[texts.index("near to far") + 1 :]
    assert [text for text in listed if text in ("ball", "old cube 1", "old cube 2", "sky")] == [
        *("ball", "old cube 2", "old cube 1", "sky")
    ]
    assert "0.5–1" in texts  # of the cube that is late
    (frame,) = root.findall(f"{SVG}svg")
    dashed = [rect for rect in frame.iter(f"{SVG}rect") if "stroke-dasharray" in rect.attrib]
    assert len(dashed) == 1  # only the ball moves
    path = next(frame.iter(f"{SVG}path")).attrib["d"]
    assert len(re.findall("[ML]", path)) == 4
    filled = [rect.attrib for rect in frame.iter(f"{SVG}rect") if "fill-opacity" in rect.attrib]
    # Frames are 640 wide with 7 % around: the ball ends with its centre at 0.8.
    assert float(filled[-1]["x"]) == pytest.approx(44.8 + 0.7 * 640, abs=0.1)


def test_the_sheet_has_frames_in_which_boxes_are_where_they_are() -> None:
    graph, layout = moving_ball()
    sheet = layout_sheet(graph, [Panel(layout)])
    one = sheet.width // 4
    for number, x in enumerate((0.2, 0.4, 0.6, 0.8)):
        # 256 pixels of the frame with 13 around it; the lower half of the ball has no label on it.
        pixel = sheet.getpixel((round(number * (one + 1) + 13 + x * 256), 13 + round(0.57 * 128)))
        assert isinstance(pixel, tuple)
        red, _, blue = pixel[:3]
        assert (red > blue + 40) == (number < 2), (number, pixel)
        assert (blue > red + 40) == (number >= 2), (number, pixel)


def test_several_layouts_are_drawn_one_by_one_with_their_titles() -> None:
    graph, layout = moving_ball()
    panels = [Panel(layout, f"candidate {i}") for i in range(1, 4)]
    root = ElementTree.fromstring(layout_svg(graph, panels))
    assert len(root.findall(f"{SVG}svg")) == 3
    assert {f"candidate {i}" for i in (1, 2, 3)} <= {"".join(t.itertext()) for t in root.iter(f"{SVG}text")}
    alone, several = layout_sheet(graph, [Panel(layout)]), layout_sheet(graph, panels)
    assert several.width == alone.width
    assert several.height > 3 * alone.height
    with Image.open(io.BytesIO(layout_gif(graph, panels))) as gif:
        assert (gif.n_frames, gif.info["loop"]) == (4, 0)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("frames", "fps", "expected"), [(1, 8, [700]), (4, 8, [700, 120, 120, 700]), (5, 100, [700, 20, 700])]
)
def test_a_gif_keeps_time_and_rests_at_its_ends(frames: int, fps: float, expected: list[int]) -> None:
    graph, layout = moving_ball()
    layout = layout.resampled(frames)
    layout.shape = VideoShape(frames, fps, 64, 128)
    durations = []
    with Image.open(io.BytesIO(layout_gif(graph, [Panel(layout)]))) as gif:
        for number in range(getattr(gif, "n_frames", 1)):
            gif.seek(number)
            durations.append(gif.info["duration"])
    assert durations == expected


_numbers = st.tuples(*[st.floats(-2, 3)] * 2, *[st.floats(0, 4)] * 2, st.floats(0, 100), st.floats(0, 1))
_rows = st.lists(st.none() | _numbers, min_size=2, max_size=2)


@settings(max_examples=10, deadline=None)
@given(scene_graphs(), st.lists(_rows, max_size=4), st.sampled_from([(16, 512), (64, 64), (512, 16)]))
def test_any_layout_of_any_graph_is_drawn(graph: SceneGraph, rows: list[list], sides: tuple[int, int]) -> None:
    ids = [node.id for node in graph.of_type("entity")] or ["?"]
    tracks = [
        Track(ids[i % len(ids)], np.array([(np.nan,) * 6 if row is None else row for row in two]), i, "\x00a<b>")
        for i, two in enumerate(rows)
    ]
    panel = Panel(Layout(2, tracks, VideoShape(2, 8, *sides)), "a & b")
    for panels in ([panel], [panel] * 2):
        ElementTree.fromstring(layout_svg(graph, panels))
    with Image.open(io.BytesIO(layout_gif(graph, [panel]))) as gif:
        assert gif.size[0] > 0
    assert layout_sheet(graph, [panel]).size[0] > 0
