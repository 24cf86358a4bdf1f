"""Where everyone is while a way is found: spots of groups, whoever bears another, what ways lead by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mov_ai.graph import Interval
from mov_ai.worlds.stage import contacts
from mov_ai.worlds.stage.company import Body
from mov_ai.worlds.stage.formations import Formation
from mov_ai.worlds.stage.meanings import stage_meanings
from mov_ai.worlds.stage.mover import Mover, Spot, Unstageable
from mov_ai.worlds.stage.passages import Target
from mov_ai.worlds.stage.prospect import Prospect
from mov_ai.worlds.stage.screenplay import HANDLED, Deed, Screenplay
from mov_ai.worlds.stage.view import Rectangle, View


class Bearings:
    """What the ways of one draw are found by.

    Args:
        plan: with the room that it keeps. moving: all that go anywhere. time: (F,).

    Attributes:
        paths: performer -> (n, 3, F), of those that have one so far.
        formations: event -> of those that act among themselves in it.
    """

    def __init__(
        self,
        play: Screenplay,
        plan: Prospect,
        view: View,
        regions: dict[str, Rectangle],
        bodies: dict[str, Body],
        moving: set[str],
        time: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        self.play, self.plan, self.view, self.regions, self.bodies = play, plan, view, regions, bodies
        self.moving, self.time, self.rng, self.frames = moving, time, rng, len(time)
        self.paths: dict[str, np.ndarray] = {}
        self.formations: dict[str, Formation] = {}

    def _draw(self, limits: tuple[float, float]) -> float:
        return limits[0] + (limits[1] - limits[0]) * float(self.rng.random())

    def _spread(self, mover: Mover, centre: np.ndarray) -> np.ndarray:
        """The instances of a group around its middle (3,) or (3, F)."""
        body = mover.body
        at = np.broadcast_to(centre.reshape(3, -1), (3, self.frames))
        if len(body.slots) == 1:
            return at[None].copy()
        q = at[2]
        x = at[0] + body.slots[:, :1] * q
        up = body.slots[:, 1:] * q
        nearness = q - up / self.view.slope if not mover.is_aloft else q + 0 * up
        if nearness.min() < 0.15:
            raise Unstageable("too far back")
        return np.stack([x, at[1] - up, nearness], 1)

    def _here(self, path: np.ndarray | None, interval: Interval) -> Spot | None:
        """Where the middle of a group is when something begins."""
        if path is None:
            return None
        frame = int(np.searchsorted(self.time, interval[0]))
        at = path[:, :, min(frame, self.frames - 1)]
        return float(at[:, 0].mean()), float(at[:, 1].max()), float(at[:, 2].max())

    def _target(self, key: str, interval: Interval) -> Target:
        path, body = self.paths[key], self.bodies[key]
        centre = np.stack([path[:, 0].mean(0), path[:, 1].max(0), path[:, 2].max(0)])
        inside = np.flatnonzero((self.time >= interval[0]) & (self.time <= interval[1]))
        first, last = (int(inside[0]), int(inside[-1])) if len(inside) else (0, self.frames - 1)
        seat = stage_meanings().seats.get(self.play.performers[key].thing.noun, 1.0)
        return Target(centre, body.width, body.height, seat, first, last)

    def _ends(self, targets: list[str], interval: Interval) -> tuple[Target, Target] | None:
        """The two things between which something is: two performers, or two of a group."""
        if len(targets) == 2:
            return self._target(targets[0], interval), self._target(targets[1], interval)
        if len(targets) != 1 or len(self.paths[targets[0]]) < 2:
            return None
        whole, path = self._target(targets[0], interval), self.paths[targets[0]]
        body = self.bodies[targets[0]]
        order = np.argsort(path[:, 0, 0])
        place = int(self.rng.integers(len(order) - 1))
        if self.play.performers[targets[0]].apart is not None:
            # The widest gap.
            place = int(np.diff(path[order, 0, 0]).argmax())
        first, second = (replace(whole, path=path[one], w=body.w, h=body.h) for one in order[place : place + 2])
        return first, second

    def _host(self, key: str, deed: Deed | None = None) -> contacts.Host:
        """Whoever bears or leads another; in an event it faces where it goes, or whom it gives something to."""
        path, facing = self.paths[key], self.plan.facing[key]
        if deed is not None:
            frames = np.flatnonzero((self.time >= deed.interval[0]) & (self.time <= deed.interval[1]))
            x = path[0, 0, frames] if len(frames) else path[0, 0, :1]
            others = [other for other in (*deed.receivers, *(t for _, t in deed.ways)) if other in self.paths]
            others = self._other_hands(key, deed) if deed.action == "catch" or key in deed.receivers else others
            if deed.action in HANDLED and others:
                facing = 1.0 if self.paths[others[0]][0, 0, 0] > x[0] else -1.0
            elif abs(x[-1] - x[0]) > 0.05:
                facing = 1.0 if x[-1] > x[0] else -1.0
        return contacts.Host(self.play.performers[key], self.bodies[key], path, facing)

    def _other_hands(self, key: str, deed: Deed) -> list[str]:
        """From whom one gets what is thrown or given."""
        given = [d for d in self.play.deeds if d.action in ("throw", "kick", "give") and d.interval <= deed.interval]
        given = [d for d in given if set(d.patients) & set(deed.patients)]
        return [agent for d in given for agent in d.agents if agent != key and agent in self.paths]
