"""What pictures of a layout share: names and colours of its things, what lies behind what, where labels stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mov_ai.graph.draw.placement import Rectangle
from mov_ai.graph.draw.words import clean
from mov_ai.graph.instances import entity_phrase
from mov_ai.graph.layout import Layout, Track
from mov_ai.graph.schema import SceneGraph
from mov_ai.graph.time import Interval, frame_times

Colour = tuple[int, int, int]

#: Of things whose colour nobody says, in turn: Tableau's ten (github.com/vega/vega, "tableau10").
PALETTE: tuple[Colour, ...] = (
    *((78, 121, 167), (242, 142, 43), (89, 161, 79), (176, 122, 161), (225, 87, 89)),
    *((118, 183, 178), (237, 201, 72), (156, 117, 95), (255, 157, 167), (124, 116, 111)),
)
GROUND, BESIDE, INK, QUIET = (255, 255, 255), (233, 236, 240), (29, 33, 39), (92, 100, 112)
#: Characters of a name that are shown.
MAX_NAME = 32
#: A box that covers so much of the frame, or reaches across so much of its width, is a place and no thing in it.
_COVERS, _ACROSS = 0.5, 0.95
#: Lines are at most so bright (relative luminance), to be seen on the ground.
_BRIGHTEST = 0.4


@dataclass(frozen=True)
class Panel:
    """One layout of a picture, with what is written over it; "" for nothing."""

    layout: Layout
    title: str = ""


@dataclass(frozen=True)
class Thing:
    """A track as it is drawn.

    Attributes:
        name: what it is called, with a number where several are called the same.
        short: the same where there is little room: of several, all but the first have only their number.
        colours: what is said of its colour, and while when; empty if nothing is.
        own: its colour where nothing is said.
        is_region: whether it fills most of the frame, and so is drawn behind all others, and pale.
        depth: its mean while it is to be seen.
    """

    track: Track
    name: str
    short: str
    colours: tuple[tuple[Colour, Interval], ...]
    own: Colour
    is_region: bool
    depth: float

    def colour(self, time: float) -> Colour:
        """Its colour at a time on [0, 1]; of several that hold then, the one that began last."""
        held = [(when[0], colour) for colour, when in self.colours if when[0] <= time <= when[1]]
        return max(held, key=lambda pair: pair[0])[1] if held else self.own

    def box(self, number: int, frame: Rectangle) -> Rectangle:
        """Its box in a frame of the layout, in a picture in which the video's frame stands there.

        What fills the frame ends at its edges.
        """
        left, top, right, bottom = self.track.corners(number) or (0, 0, 0, 0)
        if self.is_region:
            left, top, right, bottom = (min(max(edge, 0), 1) for edge in (left, top, right, bottom))
        return Rectangle(
            frame.x + left * frame.width,
            frame.y + top * frame.height,
            (right - left) * frame.width,
            (bottom - top) * frame.height,
        )

    def seen(self) -> list[int]:
        """The frames in which it is to be seen."""
        return [frame for frame in range(len(self.track.boxes)) if self.track.corners(frame) is not None]


def things_of(graph: SceneGraph, layout: Layout) -> list[Thing]:
    """The things of a layout, in its order; the graph says what they are called and of what colour they are."""
    phrases = [entity_phrase(graph, track.entity) or track.label or track.entity for track in layout.tracks]
    kinds = list(dict.fromkeys(track.entity for track in layout.tracks))
    numbers: Counter[str] = Counter()
    things = []
    for track, phrase in zip(layout.tracks, phrases, strict=True):
        numbers[phrase] += 1
        number = f" {numbers[phrase]}" if phrases.count(phrase) > 1 else ""
        name = clean(phrase)[: MAX_NAME - len(number)] + number
        short = number.strip() if numbers[phrase] > 1 else name
        frames = [frame for frame in range(layout.frames) if track.corners(frame) is not None]
        depth = float(track.boxes[frames, 4].mean()) if frames else 0.0
        said = _said_colours(graph, track.entity)
        own = PALETTE[kinds.index(track.entity) % len(PALETTE)]
        things.append(Thing(track, name, short, said, own, _is_region(track, frames), depth))
    return things


def back_to_front(things: Sequence[Thing], frame: int | None = None) -> list[Thing]:
    """Regions, then what is far, then what is near; in one frame, or all in all."""

    def nearness(thing: Thing) -> tuple[bool, float]:
        depth = thing.depth if frame is None else float(np.nan_to_num(thing.track.boxes[frame, 4]))
        return not thing.is_region, -depth

    return sorted(things, key=nearness)


def _is_region(track: Track, frames: Sequence[int]) -> bool:
    corners = np.array([track.corners(frame) for frame in frames]).reshape(-1, 4).clip(0, 1)
    if not len(corners):
        return False
    width, height = np.median(corners[:, 2:] - corners[:, :2], axis=0)
    return bool(width * height >= _COVERS or width >= _ACROSS)


def _said_colours(graph: SceneGraph, entity: str) -> tuple[tuple[Colour, Interval], ...]:
    if all(node.id != entity for node in graph.nodes):
        return ()
    said = [
        (colour_of(node.label), edge.interval)
        for node, edge in graph.attributes(entity)
        if node.kind == "color" and not node.negated
    ]
    return tuple((colour, when) for colour, when in said if colour is not None)


def colour_of(words: str) -> Colour | None:
    """The colour of a name that web pages know; of several words, that of all, the first or the last; else None."""
    from PIL import ImageColor

    parts = words.lower().split()
    for name in ("".join(parts), *parts[:1], *parts[-1:]):
        if name in ImageColor.colormap:
            red, green, blue = ImageColor.getrgb(name)[:3]
            return red, green, blue
    return None


def luminance(colour: Colour) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.1)."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in np.array(colour) / 255)
    return float(0.2126 * red + 0.7152 * green + 0.0722 * blue)


def line_colour(colour: Colour) -> Colour:
    """The colour, darkened if it could not be seen on the ground."""
    while luminance(colour) > _BRIGHTEST:
        colour = mixed(colour, (0, 0, 0), 0.1)
    return colour


def text_colour(ground: Colour) -> Colour:
    """Dark or white, whichever is easier to read on a ground."""
    bright = luminance(ground) + 0.05
    return GROUND if 1.05 / bright > bright / (luminance(INK) + 0.05) else INK


def mixed(colour: Colour, other: Colour, share: float) -> Colour:
    """A colour with a share of another in it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def hexadecimal(colour: Colour) -> str:
    """As "#1d2127"."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def moments(layout: Layout) -> np.ndarray:
    """The time on [0, 1] of each frame."""
    return frame_times(layout.frames)


def spread(frames: int, most: int) -> list[int]:
    """At most so many of the frames from 0 on, evenly, the first and the last among them."""
    return sorted({round(i) for i in np.linspace(0, frames - 1, min(frames, most))})


def label_places(boxes: Sequence[Rectangle], sizes: Sequence[tuple[float, float]], frame: Rectangle) -> list[Rectangle]:
    """A place for each box's label, of (width, height): at one of its corners, where it covers no earlier label.

    The first corner at which a label fits is taken, so that labels of moving boxes seldom jump; all lie in the frame.
    """
    placed: list[Rectangle] = []
    for box, (width, height) in zip(boxes, sizes, strict=True):
        right, bottom = box.x + box.width - width, box.y + box.height
        corners = [
            *((box.x, box.y - height), (box.x, box.y), (box.x, bottom), (box.x, bottom - height)),
            *((right, box.y - height), (right, box.y), (right, bottom), (right, bottom - height)),
            *((box.x - width, box.y), (box.x + box.width, box.y)),
        ]
        middle = box.x + (box.width - width) / 2
        corners += [(middle, box.y + (box.height - height) * share) for share in (0.25, 0.5, 0.75)]
        corners += [(x, y) for x in (box.x, right) for y in (box.y - 2 * height, bottom + height)]
        places = [
            Rectangle(
                min(max(x, frame.x), frame.x + frame.width - width),
                min(max(y, frame.y), frame.y + frame.height - height),
                *(width, height),
            )
            for x, y in corners
        ]
        placed.append(min(places, key=lambda place: sum(place.overlap(other) for other in placed)))
    return placed
