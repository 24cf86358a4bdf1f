"""Whoever goes, the room that it has, and one leg of a way: where it begins, where it ends, and how it bends.

Spots are (x, b, q), see `view`; F frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mov_ai.worlds.stage.company import Body
from mov_ai.worlds.stage.view import View

Spot = tuple[float, float, float]
#: How near things are that go about; where the middle of what flies is, and of what swims, from the top.
NEAR, _SKY, _DEEP = (0.78, 1.15), (0.14, 0.42), (0.3, 0.75)
#: Least distance of boxes from the frame's edge.
EDGE = 0.012


class Unstageable(Exception):
    """What is asked for does not fit; other draws may."""


@dataclass(frozen=True)
class Leg:
    """A way: `begin` if it starts a way of its own, `end` (3,) or (3, F), and `bend` (3, F) that is added to it."""

    begin: Spot
    end: np.ndarray
    bend: np.ndarray | None = None


@dataclass(frozen=True)
class Mover:
    """Whoever goes, and the room that it has.

    Attributes:
        facing: 1 to the right, -1 to the left where nothing says it.
        pads: room to keep free on its left and its right for others, parts of the frame.
        band: top and bottom of what its feet may stand on, or within which it flies.
    """

    body: Body
    is_aloft: bool
    is_swimming: bool
    facing: float
    pads: tuple[float, float]
    band: tuple[float, float]
    view: View
    rng: np.random.Generator

    def draw(self, limits: tuple[float, float]) -> float:
        """A number between two."""
        return limits[0] + (limits[1] - limits[0]) * float(self.rng.random())

    def across(self, q: float) -> tuple[float, float]:
        """Where its middle can be. Raises Unstageable if nowhere."""
        half = self.body.width * q / 2 + EDGE
        low, high = self.pads[0] + half, 1 - self.pads[1] - half
        if high < low:
            raise Unstageable("no room across")
        return low, high

    def level(self, near: tuple[float, float] = NEAR) -> tuple[float, float]:
        """(b, q) of somewhere to be."""
        if self.is_aloft:
            q = self.draw(near)
            return self.aloft(self.draw(_DEEP if self.is_swimming else _SKY), q), q
        low, high = (self.view.nearness(edge) for edge in self.band)
        q = self.draw((min(max(near[0], low), high), max(min(near[1], high, self.view.nearness(0.98)), low)))
        b = self.view.ground(q)
        if b - self.body.height * q < EDGE:
            b = EDGE + self.body.height * q
            if b > 0.99:
                raise Unstageable("too high")
            q = self.view.nearness(b)
        return b, q

    def aloft(self, middle: float, q: float) -> float:
        """The bottom of what flies around that height, within its band and the frame."""
        half = self.body.height * q / 2
        low, high = max(self.band[0], EDGE) + half, min(self.band[1], 1 - EDGE) - half
        if high < low:
            low, high = EDGE + half, 1 - EDGE - half
        return min(max(middle, low), high) + half

    def deeper(self, b: float, q: float, times: float) -> Spot:
        """(0, b, q) on the same ground or height, so many times as near."""
        return 0.0, self.view.horizon + (b - self.view.horizon) * times, q * times
