"""From a scene graph to boxes that show it: who stands where, goes where, and takes what along."""

from __future__ import annotations

import numpy as np

from mov_ai.graph import Layout, SceneGraph, Track
from mov_ai.graph.time import frame_times
from mov_ai.worlds.stage.camera import Shown, film, progress, share_inside
from mov_ai.worlds.stage.choreography import Choreography
from mov_ai.worlds.stage.company import ONE_ROW, Body, bearers, going, measure
from mov_ai.worlds.stage.mover import Unstageable
from mov_ai.worlds.stage.prospect import Prospect
from mov_ai.worlds.stage.reading import read_screenplay
from mov_ai.worlds.stage.screenplay import (
    Screenplay,
    depends_on,
)
from mov_ai.worlds.stage.view import MAX_DEPTH, MIDDLE_DEPTH, REGION_DEPTH, choose_view, region_boxes

FRAMES = 16
#: Draws of the whole stage before it is given up, and of one performer's way.
_TRIES, _WAYS = 12, 5
#: Further draws that keep what can be kept; from which draw on one looks down on the stage, and things are smaller.
_EASED, _FROM_ABOVE = 4, 6
#: How much smaller things are with each draw, and from above.
_SQUEEZE, _SMALL = 0.93, 0.72
#: Share of the smaller box that two may have in common without a reason, and the longest step from frame to frame.
_TOUCHING, _JUMP = 0.08, 0.24
#: Boxes are as wide and as high as this at least.
_THINNEST = 0.011
#: How much larger and smaller things become.
_GROWN, _SHRUNK = (1.5, 2.1), (0.42, 0.62)


def stage(graph: SceneGraph, rng: np.random.Generator, frames: int = FRAMES, is_strict: bool = False) -> Layout | None:
    """Boxes, in a square frame, that show what a graph says.

    Args:
        graph: a valid one; words that `meanings.yaml` and `things.yaml` lack are read by their likes.
        frames: 2 to 1024.
        is_strict: whether to give None rather than boxes that show only a part of it.

    Returns:
        A track for each instance of each entity that is not negated. Where no draw fits everything that is asked for
        into the frame, or it contradicts itself, what can be kept is kept; None where not even that can be.
    """
    play = read_screenplay(graph)
    for attempt in range(_TRIES + (0 if is_strict else _EASED)):
        try:
            shown = _Stage(play, rng, frames, attempt).shown()
        except Unstageable:
            continue
        labels = {node.id: node.label for node in graph.nodes}
        order = [node.id for node in graph.of_type("entity") if node.id in shown]
        tracks = [
            Track(key, boxes, instance, labels[key]) for key in order for instance, boxes in enumerate(shown[key])
        ]
        return Layout(frames, tracks)
    return None


class _Stage:
    """One draw of everything."""

    def __init__(self, play: Screenplay, rng: np.random.Generator, frames: int, attempt: int) -> None:
        self.play, self.rng, self.frames, self.time = play, rng, frames, frame_times(frames)
        self.is_eased = attempt >= _TRIES
        squeeze = _SQUEEZE ** (attempt % _FROM_ABOVE) * (1.0 if attempt < _FROM_ABOVE else _SMALL)
        self.borne, self.moving = bearers(play), going(play)
        self.plan = Prospect(play, self.borne, self.time, rng)
        free = [key for key in play.performers if key not in self.borne and not self.plan.flies(key)]
        is_crowded = attempt >= _FROM_ABOVE or any(play.performers[key].count > ONE_ROW for key in free)
        self.view = choose_view(play, is_crowded, rng)
        self.regions = region_boxes(play, self.view, rng)
        self.bodies: dict[str, Body] = {}
        if play.performers:
            self.bodies, self.view = measure(play, self.view, self.borne, squeeze, rng)
        self.plan.keep_room(self.bodies)
        presence = {key: self.plan.presence(key) for key in play.performers}
        self.seen = {key: seen.any(0) for key, seen in presence.items()}
        self.presence = presence
        self.steps = Choreography(play, self.plan, self.view, self.regions, self.bodies, self.moving, self.time, rng)
        self.paths = self.steps.paths
        self.sizes: dict[str, np.ndarray] = {}

    def _draw(self, limits: tuple[float, float]) -> float:
        return limits[0] + (limits[1] - limits[0]) * float(self.rng.random())

    # -- the whole -----------------------------------------------------------------------------------------------------

    def shown(self) -> dict[str, np.ndarray]:
        """Entity -> boxes (n, F, 6) as `mov_ai.graph.BOX_FIELDS`. Raises Unstageable if this draw does not fit."""
        for key in self._ordered():
            self._stage_one(key)
        shown = {key: self._boxes_of(key) for key in self.paths}
        behind = {key: self._region(key) for key in self.regions}
        things, camera = list(shown.values()), self.play.camera
        if not film(things, list(behind.values()), camera, self.view, self.time, self.rng) and not self.is_eased:
            raise Unstageable("the camera loses sight of it")
        boxes = {key: _as_boxes(s, self.presence[key]) for key, s in shown.items()}
        present = np.ones(self.frames, dtype=bool)
        boxes |= {key: _as_boxes(s, present, REGION_DEPTH) for key, s in behind.items()}
        return boxes

    def _ordered(self) -> list[str]:
        """Performers, each after those whose ways it must know; a circle is cut where it is first met."""
        done: list[str] = []
        visiting: set[str] = set()

        def visit(key: str) -> None:
            if key in done or key in visiting:
                return
            visiting.add(key)
            for other in depends_on(self.play, key):
                visit(other)
            done.append(key)

        for key in self.play.performers:
            visit(key)
        return done

    def _stage_one(self, key: str) -> None:
        self.sizes[key] = self._growth(key)
        for attempt in range(_WAYS * (4 if self.is_eased else 1)):
            ease = attempt // _WAYS
            try:
                self.paths[key] = self.steps.way(key, ease)
                self._check(key)
                return
            except Unstageable:
                # Wherever that is, it is somewhere.
                if ease < 3 or attempt < 4 * _WAYS - 1 or key not in self.paths:
                    self.paths.pop(key, None)
        if key not in self.paths:
            raise Unstageable("fits nowhere")

    def _growth(self, key: str) -> np.ndarray:
        """(F,) how much larger it is than at first."""
        size = np.ones(self.frames)
        for interval, grows in self.play.performers[key].changes:
            size *= self._draw(_GROWN if grows else _SHRUNK) ** progress(interval, self.time)
        # Things that grow begin small enough to stay in the frame.
        return np.asarray(size / max(1.0, size.max() / 1.25))

    def _region(self, key: str) -> Shown:
        """Of several, each has its part of the width."""
        left, top, right, bottom = self.regions[key]
        n = self.play.numbers[key]
        wide, ones = (right - left) / n, np.ones((n, self.frames))
        x = left + (np.arange(n)[:, None] + 0.5) * wide
        return Shown(x * ones, bottom * ones, ones.copy(), wide * ones, (bottom - top) * ones)

    def _boxes_of(self, key: str) -> Shown:
        body, path, size = self.bodies[key], self.paths[key], self.sizes[key]
        q = path[:, 2]
        w, h = (np.maximum(side * q * size, _THINNEST) for side in (body.w, body.h))
        return Shown(path[:, 0].copy(), path[:, 1].copy(), q.copy(), w, h)

    def _check(self, key: str) -> None:
        """Raises Unstageable if it leaves the frame unasked, jumps, or covers what it has nothing to do with."""
        own, seen = self._boxes_of(key), self.seen[key]
        if not seen.any():
            raise Unstageable("never there")
        low = np.minimum(own.x - own.w / 2, own.b - own.h)
        high = np.maximum(own.x + own.w / 2, own.b)
        if ((low < -0.001) | (high > 1.001))[:, seen & ~self._crossing(key)].any():
            raise Unstageable("out of the frame")
        band = self.steps.mover(key).band
        if len(own.x) > 1 and not self.plan.flies(key) and key not in self.borne and (own.b < band[0] - 0.01).any():
            raise Unstageable("beside the road")
        step = np.hypot(np.diff(own.x, axis=1), np.diff(own.b - own.h / 2, axis=1))
        if self.frames >= FRAMES and (step > _JUMP).any():
            raise Unstageable("jumps")
        for other, path in self.paths.items():
            if other == key or frozenset((key, other)) in self.plan.linked or path is None:
                continue
            both = seen & self.seen[other]
            if both.any() and self._covers(_overlap(own, self._boxes_of(other))[..., both]):
                raise Unstageable("touches another")

    def _covers(self, shared: np.ndarray) -> bool:
        """Whether boxes that have so much in common, (n, m, F), are in each other's way."""
        if not self.is_eased:
            return bool(shared.max() > _TOUCHING)
        # Passing by is no harm.
        return bool((shared > 0.4).mean(-1).max() > 0.25)

    def _crossing(self, key: str) -> np.ndarray:
        """(F,) while when it may be out of the frame, for it comes or leaves."""
        crossing = np.zeros(self.frames, dtype=bool)
        for deed in self.plan.deeds(self.plan.root(key)):
            if deed.action == "enter":
                crossing |= self.time <= deed.interval[1]
            elif deed.action == "leave":
                crossing |= self.time >= deed.interval[0]
        return crossing


def _overlap(a: Shown, b: Shown) -> np.ndarray:
    """(n, m, F) share of the smaller box that lies in the other."""

    def shared(a_low: np.ndarray, a_high: np.ndarray, b_low: np.ndarray, b_high: np.ndarray) -> np.ndarray:
        inner = np.minimum(a_high[:, None], b_high[None]) - np.maximum(a_low[:, None], b_low[None])
        return np.asarray(np.maximum(inner, 0.0))

    across = shared(a.x - a.w / 2, a.x + a.w / 2, b.x - b.w / 2, b.x + b.w / 2)
    up = shared(a.b - a.h, a.b, b.b - b.h, b.b)
    smaller = np.minimum((a.w * a.h)[:, None], (b.w * b.h)[None])
    return np.asarray(across * up / np.maximum(smaller, 1e-9))


def _as_boxes(shown: Shown, present: np.ndarray, depth: float | None = None) -> np.ndarray:
    """(n, F, 6), float32."""
    y = shown.b - shown.h / 2
    away = np.minimum(MIDDLE_DEPTH / shown.q, MAX_DEPTH) if depth is None else np.full_like(shown.x, depth)
    inside = share_inside(shown)
    # What is wholly there is 1, whatever rounding makes of it.
    inside = np.where(inside > 0.995, 1.0, np.minimum(inside, 1.0)) * present
    return np.stack([shown.x, y, shown.w, shown.h, away, inside], -1).astype(np.float32)
