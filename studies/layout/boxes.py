"""The boxes of one actor in a part of a video, and the measures that facts are judged by.

Lengths are fractions of the frame, y points down. All thresholds of predicates that several of them share stand here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mov_ai.graph.layout import BOX_FIELDS

#: A box is seen from this visibility on, and if at least this share of it lies within the frame. Below, people would
#: not notice it; a planner's noise about 0 and 1 is smaller.
SEEN, SEEN_INSIDE = 0.25, 0.1
#: Displacement of a centre that people see as movement, and that they still call standing. Between the two lies sway:
#: neither is granted. Sampled boxes of still things sway by 0.01 to 0.03.
MOVED, STILL = 0.1, 0.06
#: Ratio of lengths (square roots of areas) that people see as another size, or as growing.
LARGER, GROWN = 1.15, 1.2
#: Gap between boxes that touch (drawn boxes are never exact), and between things that are close together.
TOUCH, CLOSE = 0.03, 0.2
#: Difference of centres that makes one left of, or above, another.
ASIDE = 0.03
#: Ratio of depths by which one is behind another; where depths are equal, the difference of lower edges that says it.
BEHIND, LOWER = 1.02, 0.02


@dataclass(frozen=True)
class View:
    """One actor in n frames.

    Attributes:
        boxes: (n, 6), columns as `BOX_FIELDS`.
        times: (n,) middles of the frames on [0, 1].
    """

    boxes: np.ndarray
    times: np.ndarray

    def __post_init__(self) -> None:
        if self.boxes.shape != (len(self.times), len(BOX_FIELDS)):
            raise ValueError(f"boxes: expected ({len(self.times)}, {len(BOX_FIELDS)}); found {self.boxes.shape}")

    def at(self, frames: np.ndarray) -> View:
        """The view of some frames only, by a mask or by indices."""
        return View(self.boxes[frames], self.times[frames])

    @property
    def x(self) -> np.ndarray:
        return self.boxes[:, 0]

    @property
    def y(self) -> np.ndarray:
        return self.boxes[:, 1]

    @property
    def w(self) -> np.ndarray:
        return np.maximum(self.boxes[:, 2], 1e-6)

    @property
    def h(self) -> np.ndarray:
        return np.maximum(self.boxes[:, 3], 1e-6)

    @property
    def depth(self) -> np.ndarray:
        return self.boxes[:, 4]

    @property
    def left(self) -> np.ndarray:
        return self.x - self.w / 2

    @property
    def right(self) -> np.ndarray:
        return self.x + self.w / 2

    @property
    def top(self) -> np.ndarray:
        return self.y - self.h / 2

    @property
    def bottom(self) -> np.ndarray:
        return self.y + self.h / 2

    @property
    def centre(self) -> np.ndarray:
        """(n, 2)."""
        return self.boxes[:, :2]

    @property
    def area(self) -> np.ndarray:
        return self.w * self.h

    @property
    def size(self) -> np.ndarray:
        """The side of a square of the same area."""
        return np.sqrt(self.area)

    @property
    def inside_frame(self) -> np.ndarray:
        """Share of the box that lies within the frame, (n,)."""
        across = np.clip(self.right, 0, 1) - np.clip(self.left, 0, 1)
        down = np.clip(self.bottom, 0, 1) - np.clip(self.top, 0, 1)
        return across * down / self.area

    @property
    def seen(self) -> np.ndarray:
        """In which frames the actor is to be seen; boxes that are not given are not."""
        given = np.isfinite(self.boxes).all(1)
        with np.errstate(invalid="ignore"):
            return given & (self.boxes[:, 5] >= SEEN) & (self.inside_frame >= SEEN_INSIDE)

    @property
    def displacement(self) -> np.ndarray:
        """From the first frame to the last, (2,)."""
        return self.centre[-1] - self.centre[0]

    @property
    def path(self) -> float:
        """Length of the way."""
        return float(np.linalg.norm(np.diff(self.centre, axis=0), axis=1).sum())

    @property
    def reach(self) -> float:
        """The greatest distance from where it is first."""
        return float(np.linalg.norm(self.centre - self.centre[0], axis=1).max())

    @property
    def growth(self) -> float:
        """Last size over first size."""
        return float(self.size[-1] / self.size[0])

    @property
    def speed(self) -> float:
        """Length of the way in lengths of a frame for the whole video, while it moves."""
        steps = np.linalg.norm(np.diff(self.centre, axis=0), axis=1)
        # A tenth of its fastest step is standing.
        moving = steps > 0.1 * max(float(steps.max(initial=0.0)), 1e-6)
        duration = float(np.diff(self.times)[moving].sum())
        return float(steps[moving].sum()) / duration if duration else 0.0


def gap(a: View, b: View) -> np.ndarray:
    """Distance between the edges of two boxes, 0 where they overlap; (n,)."""
    across = np.maximum(np.abs(a.x - b.x) - (a.w + b.w) / 2, 0)
    down = np.maximum(np.abs(a.y - b.y) - (a.h + b.h) / 2, 0)
    return np.hypot(across, down)


def distance(a: View, b: View) -> np.ndarray:
    """Distance of centres, (n,)."""
    return np.linalg.norm(a.centre - b.centre, axis=1)


def overlap(a: View, b: View) -> np.ndarray:
    """Area that two boxes share, (n,)."""
    across = np.minimum(a.right, b.right) - np.maximum(a.left, b.left)
    down = np.minimum(a.bottom, b.bottom) - np.maximum(a.top, b.top)
    return np.maximum(across, 0) * np.maximum(down, 0)


def share_inside(a: View, b: View) -> np.ndarray:
    """Share of `a` that lies within `b`, (n,)."""
    return overlap(a, b) / a.area


def same_box(a: View, b: View) -> np.ndarray:
    """Area shared over area covered (IoU), (n,)."""
    shared = overlap(a, b)
    return shared / (a.area + b.area - shared)


def legs(values: np.ndarray, least: float) -> int:
    """How many runs, up and down by turns, a series has; a run counts from `least` on."""
    turns, low, high, way = 0, values[0], values[0], 0
    for value in values:
        low, high = min(low, value), max(high, value)
        if way >= 0 and high - value >= least:
            # It has come down from `high`; before that it may have gone up.
            turns += 2 if way == 0 and high - values[0] >= least else 1
            way, low, high = -1, value, value
        elif way <= 0 and value - low >= least:
            turns += 2 if way == 0 and values[0] - low >= least else 1
            way, low, high = 1, value, value
        elif way > 0:
            low = value
        elif way < 0:
            high = value
    return turns


def turning(across: np.ndarray, along: np.ndarray) -> float:
    """By how much a way turns about its own middle, in full circles, whatever its width and height."""
    points = np.stack([across, along], 1)
    low, high = points.min(0), points.max(0)
    extent = np.maximum(high - low, 1e-6)
    points = (points - (low + high) / 2) / extent
    angles = np.unwrap(np.arctan2(points[:, 1], points[:, 0]))
    return float(abs(angles[-1] - angles[0]) / (2 * np.pi))
