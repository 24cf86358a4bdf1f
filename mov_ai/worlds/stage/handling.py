"""Things in hands: taken up, thrown, caught, kicked, put down, given away."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mov_ai.worlds.stage import contacts
from mov_ai.worlds.stage.camera import progress
from mov_ai.worlds.stage.company import Body
from mov_ai.worlds.stage.mover import Unstageable
from mov_ai.worlds.stage.screenplay import Deed
from mov_ai.worlds.stage.view import View

#: How far thrown things fly, and how high, in parts of the frame; while what part of the event they do.
_THROWN, _ARC, _FLIGHT, _LEAST_THROW = (0.28, 0.5), (0.06, 0.16), 0.75, 0.18
#: While what part of the event things are moved by hand.
_WORK = 0.85
#: Height that things are lifted to, as a part of who lifts them.
_LIFTED = 0.62


class Hands:
    """What one event does to things in hands; paths are (n, 3, F), see `contacts`.

    Args:
        host: whoever has them. body: of one of the things.
        receivers: to whom they go. beds: (relation, what) of the places where they are put.
    """

    def __init__(
        self,
        deed: Deed,
        host: contacts.Host,
        body: Body,
        receivers: Sequence[contacts.Host],
        beds: Sequence[tuple[str, contacts.Host]],
        view: View,
        rng: np.random.Generator,
    ) -> None:
        self.deed, self.host, self.body = deed, host, body
        self.receivers, self.beds, self.view, self.rng = receivers, beds, view, rng
        self.hand = contacts.in_hand(host, body, float(rng.random()))

    def begin(self) -> np.ndarray:
        """Where they are before, if nothing else says it."""
        if self.deed.action == "catch":
            return self._afar(self.hand)
        return self.at_feet() if self.deed.action in ("kick", "lift") else self.hand

    def moved(self, begin: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Their path from there. Raises Unstageable if there is no room for it."""
        end, (start, stop) = self._end(), self.deed.interval
        flies = self.deed.action in ("throw", "catch")
        if self.deed.action == "throw" and abs(float(end[0, 0, 0] - begin[0, 0, 0])) < _LEAST_THROW:
            raise Unstageable("no distance to throw over")
        # It is where it comes to before the event is over.
        u = progress((start, start + (_FLIGHT if flies else _WORK) * (stop - start)), time)
        path = (1 - u) * begin + u * end
        if self.deed.action == "drop":
            path[:, 1] = begin[:, 1] + (end - begin)[:, 1] * u**2
        if flies:
            top = float(np.minimum(begin[:, 1], end[:, 1]).min() - self.body.h * begin[:, 2].max())
            path[:, 1] -= 4 * u * (1 - u) * min(self._draw(_ARC), max(0.0, top - 0.02))
        return np.asarray(path)

    def at_feet(self) -> np.ndarray:
        """On the ground before whoever has them."""
        at = self._at()
        x = at[:, 0] + self.host.facing * ((self.host.body.w + self.body.w) / 2 + 0.004) * at[:, 2]
        q = at[:, 2] * 1.03
        return np.stack([x, self.view.horizon + self.view.slope * q, q], 1)

    def _draw(self, limits: tuple[float, float]) -> float:
        return limits[0] + (limits[1] - limits[0]) * float(self.rng.random())

    def _at(self) -> np.ndarray:
        """The path of whoever has each of them."""
        return self.host.path[np.arange(len(self.hand)) % len(self.host.path)]

    def _end(self) -> np.ndarray:
        action = self.deed.action
        if action in ("throw", "give") and self.receivers:
            return contacts.in_hand(self.receivers[0], self.body, 0.5)
        if action == "throw":
            return self._afar(self.hand)
        if action == "kick":
            feet = self.at_feet()
            return np.stack([self._afar(feet)[:, 0], feet[:, 1], feet[:, 2]], 1)
        if action == "lift":
            return self._raised()
        if action == "release":
            return self._released()
        return self._put() if action in ("lower", "drop", "put") else self.hand

    def _afar(self, near: np.ndarray) -> np.ndarray:
        """Where they land, or come from."""
        sign = {"left": -1.0, "right": 1.0}.get(str(self.deed.direction), self.host.facing)
        x, q = near[0, 0], near[0, 2]
        room = float((1 - self.body.w * q - x if sign > 0 else x - self.body.w * q).min()) - 0.01
        far = min(self._draw(_THROWN), room)
        if far < 0.2:
            raise Unstageable("no room to throw")
        level = self.view.horizon + self.view.slope * near[:, 2] if self.deed.action == "throw" else near[:, 1]
        return np.stack([near[:, 0] + sign * far, level, near[:, 2]], 1)

    def _raised(self) -> np.ndarray:
        at = self._at()
        b = np.minimum(self.hand[:, 1], at[:, 1] - _LIFTED * self.host.body.h * at[:, 2])
        return np.stack([self.hand[:, 0], np.maximum(b, self.body.h * at[:, 2] + 0.01), self.hand[:, 2]], 1)

    def _released(self) -> np.ndarray:
        high = self.hand[:, 1] - self.body.h * self.hand[:, 2] - 0.015
        if high.min() < 0.15:
            raise Unstageable("no room to rise")
        return np.stack([self.hand[:, 0], self.hand[:, 1] - high * 0.95, self.hand[:, 2]], 1)

    def _put(self) -> np.ndarray:
        """On the ground, or where it is said."""
        if self.deed.action == "put" and self.beds:
            relation, bed = self.beds[0]
            if relation == "in":
                return contacts.inside(bed, self.body, 0.0)
            return contacts.on_top(bed, self.body, 0.0, self._draw((-1, 1)))
        return self.at_feet()
