"""Layouts as pixels: one frame, a sheet of frames, and boxes that move in a GIF."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mov_ai.graph.draw.layout_things import (
    BESIDE,
    GROUND,
    INK,
    QUIET,
    Panel,
    Thing,
    back_to_front,
    label_places,
    line_colour,
    mixed,
    moments,
    spread,
    text_colour,
    things_of,
)
from mov_ai.graph.draw.placement import Rectangle
from mov_ai.graph.draw.words import clean
from mov_ai.graph.layout import Layout
from mov_ai.graph.schema import SceneGraph
from mov_ai.graph.video_shape import VideoShape

if TYPE_CHECKING:
    import PIL.Image
    import PIL.ImageDraw
    import PIL.ImageFont

#: Longer side of a frame in pixels: on a sheet; in a GIF by itself, and among several.
_ON_SHEET, _ALONE, _AMONG = 256, 384, 256
#: Frames in a row of a sheet, and on a whole sheet of one layout and of one among several.
_IN_ROW, _ON_ONE, _ON_EACH = 8, 64, 8
#: What is seen around a frame, in parts of its longer side.
_AROUND = 0.05
#: Everything is drawn so many times as large and then made smaller, which smooths it.
_FINE = 2
_FOOT, _TITLE, _GAP = 18, 22, 4
_FONT, _LABEL = 12, 11
#: A GIF's first and last frame stay so long, in milliseconds, before it starts again.
_PAUSE = 700
#: The shortest time that players of GIFs keep to, in milliseconds.
_SHORTEST = 20


def layout_sheet(graph: SceneGraph, panels: Sequence[Panel]) -> PIL.Image.Image:
    """Frames of layouts in rows of eight, with their numbers and times.

    Of a long layout 64 frames are shown, of each of several eight: the first, the last, and evenly between.

    Args:
        graph: says what things are called, and their colours.
        panels: one or more; a title stands over each.
    """
    most = _ON_ONE if len(panels) == 1 else _ON_EACH
    blocks = []
    for panel in panels:
        things = things_of(graph, panel.layout)
        numbers = spread(panel.layout.frames, most)
        pictures = [_framed(things, panel.layout, number, _ON_SHEET) for number in numbers]
        block = _grid(pictures, _IN_ROW)
        blocks.append(_titled(block, panel.title) if panel.title else block)
    return _grid(blocks, 1)


def layout_gif(graph: SceneGraph, panels: Sequence[Panel]) -> bytes:
    """The boxes moving, as a GIF that goes on for ever: several layouts side by side, with the time under each.

    A GIF's frames last whole hundredths of a second, and two at least; at more than 50 frames a second some are left
    out.

    Args:
        graph: says what things are called, and their colours.
        panels: one or more, of as many frames.
    """
    layout = panels[0].layout
    fps = (layout.shape or VideoShape()).fps
    # Of more frames than players show, every second, third ... is taken.
    step = max(1, math.ceil(_SHORTEST * fps / 1000))
    numbers = list(range(0, layout.frames, step))
    durations = [max(_SHORTEST, round(100 * step / fps) * 10)] * len(numbers)
    durations[0] = max(durations[0], _PAUSE)
    durations[-1] = max(durations[-1], _PAUSE)
    pictures = _moving(graph, panels, numbers)
    buffer = io.BytesIO()
    first = next(pictures)
    first.save(buffer, format="GIF", save_all=True, append_images=pictures, duration=durations, loop=0, optimize=False)
    return buffer.getvalue()


def _moving(graph: SceneGraph, panels: Sequence[Panel], numbers: Sequence[int]) -> Iterator[PIL.Image.Image]:
    """The pictures of a GIF, one by one."""
    import PIL.Image

    side = _ALONE if len(panels) == 1 else _AMONG
    columns = max(1, math.ceil(math.sqrt(len(panels))))
    things = [things_of(graph, panel.layout) for panel in panels]
    for number in numbers:
        tiles = []
        for panel, its_things in zip(panels, things, strict=True):
            tile = _framed(its_things, panel.layout, number, side)
            tiles.append(_titled(tile, panel.title) if panel.title else tile)
        picture = _grid(tiles, columns)
        yield picture.quantize(64, PIL.Image.Quantize.FASTOCTREE, dither=PIL.Image.Dither.NONE)


def _framed(things: Sequence[Thing], layout: Layout, number: int, side: int) -> PIL.Image.Image:
    """One frame of a layout with its number, its time and how far the video has come below it."""
    import PIL.Image
    import PIL.ImageDraw

    shape = layout.shape or VideoShape(layout.frames)
    scale = side / max(shape.width, shape.height)
    around = round(_AROUND * side)
    wide, high = (max(1, round(length * scale)) + 2 * around for length in (shape.width, shape.height))
    picture = PIL.Image.new("RGB", (wide * _FINE, (high + _FOOT) * _FINE), BESIDE)
    draw = PIL.ImageDraw.Draw(picture)
    edge = around * _FINE
    frame = Rectangle(edge, edge, wide * _FINE - 2 * edge, high * _FINE - 2 * edge)
    draw.rectangle(_corners(frame), fill=GROUND)
    time = float(moments(layout)[number])
    shown = [thing for thing in things if thing.track.corners(number) is not None]
    for thing in back_to_front(shown, number):
        _draw_box(picture, thing, number, time, frame)
    draw.rectangle(_corners(frame), outline=QUIET, width=_FINE)
    _draw_labels(draw, shown, number, time, frame, Rectangle(0, 0, wide * _FINE, high * _FINE))
    foot, font = high * _FINE, _font(_FONT)
    draw.rectangle((0, foot, wide * _FINE, (high + _FOOT) * _FINE), fill=GROUND)
    come = (number + 1) / layout.frames
    draw.rectangle((0, foot, wide * _FINE * come, foot + 2 * _FINE), fill=QUIET)
    texts = f"{number + 1} of {layout.frames}", f"{number / shape.fps:.2f} s"
    ends = (around * _FINE, "la"), ((wide - around) * _FINE, "ra")
    for text, (x, anchor) in zip(texts, ends, strict=True):
        draw.text((x, foot + 3 * _FINE), text, fill=INK, font=font, anchor=anchor)
    return picture.reduce(_FINE)


def _draw_box(picture: PIL.Image.Image, thing: Thing, number: int, time: float, frame: Rectangle) -> None:
    import PIL.Image
    import PIL.ImageDraw

    box = thing.box(number, frame)
    colour = thing.colour(time)
    # What is drawn lies within the picture, however large the box is.
    left, top = max(0, math.floor(box.x)), max(0, math.floor(box.y))
    right, bottom = min(picture.width, math.ceil(box.x + box.width)), min(picture.height, math.ceil(box.y + box.height))
    if right <= left or bottom <= top:
        return
    veil = PIL.Image.new("L", (right - left, bottom - top), 46 if thing.is_region else 110)
    picture.paste(colour, (left, top), veil)
    line = mixed(colour, GROUND, 0.45) if thing.is_region else line_colour(colour)
    PIL.ImageDraw.Draw(picture).rectangle(_corners(box), outline=line, width=_FINE if thing.is_region else 2 * _FINE)


def _draw_labels(
    draw: PIL.ImageDraw.ImageDraw,
    things: Sequence[Thing],
    number: int,
    time: float,
    frame: Rectangle,
    whole: Rectangle,
) -> None:
    font = _font(_LABEL)
    # Regions last: what has the room of the whole frame can stand anywhere in it.
    things = sorted(things, key=lambda thing: thing.is_region)
    boxes = [thing.box(number, frame) for thing in things]
    sizes = [(min(font.getlength(thing.short) + 6 * _FINE, whole.width), 14.0 * _FINE) for thing in things]
    for thing, place in zip(things, label_places(boxes, sizes, whole), strict=True):
        colour = thing.colour(time)
        ground = mixed(colour, GROUND, 0.7) if thing.is_region else line_colour(colour)
        draw.rectangle(_corners(place), fill=ground, outline=GROUND)
        draw.text((place.x + 3 * _FINE, place.y + _FINE), thing.short, fill=text_colour(ground), font=font)


def _corners(box: Rectangle) -> tuple[float, float, float, float]:
    return box.x, box.y, box.x + box.width, box.y + box.height


def _grid(pictures: Sequence[PIL.Image.Image], columns: int) -> PIL.Image.Image:
    """Pictures side by side in rows, with gaps."""
    import PIL.Image

    wide, high = max(p.width for p in pictures) + _GAP, max(p.height for p in pictures) + _GAP
    rows = -(-len(pictures) // columns)
    grid = PIL.Image.new("RGB", (min(columns, len(pictures)) * wide - _GAP, rows * high - _GAP), GROUND)
    for i, picture in enumerate(pictures):
        grid.paste(picture, (i % columns * wide, i // columns * high))
    return grid


def _titled(picture: PIL.Image.Image, title: str) -> PIL.Image.Image:
    """A picture with a line of text over it."""
    import PIL.Image
    import PIL.ImageDraw

    above = PIL.Image.new("RGB", (picture.width * _FINE, _TITLE * _FINE), GROUND)
    draw = PIL.ImageDraw.Draw(above)
    draw.text((4 * _FINE, 4 * _FINE), clean(title), fill=INK, font=_font(_FONT))
    titled = PIL.Image.new("RGB", (picture.width, picture.height + _TITLE), GROUND)
    titled.paste(above.reduce(_FINE))
    titled.paste(picture, (0, _TITLE))
    return titled


def _font(size: int) -> PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont:
    import PIL.ImageFont

    return PIL.ImageFont.load_default(size * _FINE)
