"""From a scene graph to boxes that show it: who stands where, goes where, and takes what along."""

from __future__ import annotations

import numpy as np

from mov_ai.graph import Interval, Layout, SceneGraph, Track
from mov_ai.graph.time import frame_times
from mov_ai.worlds.stage import contacts
from mov_ai.worlds.stage.camera import Shown, film, progress, share_inside
from mov_ai.worlds.stage.company import ONE_ROW, Body, bearers, going, measure
from mov_ai.worlds.stage.handling import Hands
from mov_ai.worlds.stage.legs import (
    Leg,
    Mover,
    Spot,
    Unstageable,
    entering,
    in_direction,
    leaving,
    spot_of,
    to_place,
)
from mov_ai.worlds.stage.meanings import stage_meanings
from mov_ai.worlds.stage.passages import Target, by_thing, standing
from mov_ai.worlds.stage.prospect import WAYS, Prospect
from mov_ai.worlds.stage.screenplay import (
    HANDLED,
    LED_BY_PATIENT,
    STILL,
    Bond,
    Deed,
    Screenplay,
    depends_on,
    read_screenplay,
)
from mov_ai.worlds.stage.view import MAX_DEPTH, MIDDLE_DEPTH, REGION_DEPTH, choose_view, region_boxes

FRAMES = 16
#: Draws of the whole stage before it is given up, and of one performer's way.
_TRIES, _WAYS = 14, 5
#: Share of the smaller box that two may have in common without a reason, and the longest step from frame to frame.
_TOUCHING, _JUMP = 0.08, 0.24
#: Boxes are as wide and as high as this at least.
_THINNEST = 0.011
#: How much larger and smaller things become.
_GROWN, _SHRUNK = (1.5, 2.1), (0.42, 0.62)


def stage(graph: SceneGraph, rng: np.random.Generator, frames: int = FRAMES) -> Layout | None:
    """Boxes, in a square frame, that show what a graph says.

    Args:
        graph: a valid one; words that `meanings.yaml` and `things.yaml` lack are read by their likes.
        frames: 2 to 1024.

    Returns:
        A track for each instance of each entity that is not negated, or None where no draw fits everything that is
        asked for into the frame.
    """
    play = read_screenplay(graph)
    for attempt in range(_TRIES):
        try:
            shown = _Stage(play, rng, frames, 0.94**attempt).shown()
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

    def __init__(self, play: Screenplay, rng: np.random.Generator, frames: int, squeeze: float) -> None:
        self.play, self.rng, self.frames, self.time = play, rng, frames, frame_times(frames)
        self.borne, self.moving = bearers(play), going(play)
        self.plan = Prospect(play, self.borne, self.time, rng)
        free = (key for key in play.performers if key not in self.borne and not self.plan.flies(key))
        self.view = choose_view(play, any(play.performers[key].count > ONE_ROW for key in free), rng)
        self.regions = region_boxes(play, self.view, rng)
        self.bodies: dict[str, Body] = {}
        if play.performers:
            self.bodies, self.view = measure(play, self.view, self.borne, squeeze, rng)
        self.plan.keep_room(self.bodies)
        self.seen = {key: self.plan.presence(key) for key in play.performers}
        self.paths: dict[str, np.ndarray] = {}
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
        if not film(list(shown.values()), list(behind.values()), self.play.camera, self.view, self.time, self.rng):
            raise Unstageable("the camera loses sight of it")
        boxes = {key: _as_boxes(s, self.seen[key]) for key, s in shown.items()}
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
        for attempt in range(_WAYS):
            try:
                self.paths[key] = self._way(key)
                self._check(key)
                return
            except Unstageable:
                self.paths.pop(key, None)
                if attempt == _WAYS - 1:
                    raise

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
        band = self._mover(key).band
        if len(own.x) > 1 and not self.plan.flies(key) and key not in self.borne and (own.b < band[0] - 0.01).any():
            raise Unstageable("beside the road")
        step = np.hypot(np.diff(own.x, axis=1), np.diff(own.b - own.h / 2, axis=1))
        if self.frames >= FRAMES and (step > _JUMP).any():
            raise Unstageable("jumps")
        for other, path in self.paths.items():
            if other == key or frozenset((key, other)) in self.plan.linked or path is None:
                continue
            both = seen & self.seen[other]
            if both.any() and _overlap(own, self._boxes_of(other))[..., both].max() > _TOUCHING:
                raise Unstageable("touches another")

    def _crossing(self, key: str) -> np.ndarray:
        """(F,) while when it may be out of the frame, for it comes or leaves."""
        crossing = np.zeros(self.frames, dtype=bool)
        for deed in self.plan.deeds(self.plan.root(key)):
            if deed.action == "enter":
                crossing |= self.time <= deed.interval[1]
            elif deed.action == "leave":
                crossing |= self.time >= deed.interval[0]
        return crossing

    # -- one performer's way -------------------------------------------------------------------------------------------

    def _mover(self, key: str) -> Mover:
        flies, body = self.plan.flies(key), self.bodies[key]
        band = (0.0, 1.0) if flies else (self.view.ground(0.5), 0.985)
        if flies and self.play.performers[key].thing.found == "held":
            # Flung things stay low.
            band = (self.view.ground(0.75) - 0.2, self.view.ground(1.1))
        ways = [way for deed in self.plan.deeds(key) for way in deed.ways]
        ways += [(bond.relation, bond.target) for bond in self.play.bonds if bond.source == key]
        for relation, target in ways:
            region = self.play.regions.get(target)
            if region is None:
                continue
            _, top, _, bottom = self.regions[target]
            if region.region == "sky" and flies:
                band = (0.0, bottom)
            elif flies and relation in ("over", "above"):
                band = (0.0, max(top + 0.05, 0.2))
            elif region.region in ("strip", "water") or (region.region == "land" and not flies):
                band = (max(band[0], top + 0.01), min(band[1], bottom - 0.005))
        if band[1] < band[0]:
            raise Unstageable("nowhere to stand")
        swims = self.play.performers[key].thing.found == "water"
        pads = self.plan.pads[key]
        return Mover(body, flies, swims, self.plan.facing[key], (pads[0], pads[1]), band, self.view, self.rng)

    def _way(self, key: str) -> np.ndarray:
        """(n, 3, F)."""
        mover = self._mover(key)
        deeds = [deed for deed in self.plan.deeds(key) if self._acts(key, deed)]
        path: np.ndarray | None = self._given_start(key, mover, deeds)
        for number, deed in enumerate(deeds):
            anchored = self._anchored(key, deed, path)
            if anchored is not None:
                path = anchored
                continue
            leg = self._leg(key, mover, deed, path, self._alike(deeds[number:]))
            start = self._spread(mover, np.array(leg.begin)) if path is None else path
            path = self._moved(mover, start, leg, deed.interval)
        if path is None:
            b, q = mover.level()
            path = self._spread(mover, np.array([mover.draw(mover.across(q)), b, q]))
        return path

    def _acts(self, key: str, deed: Deed) -> bool:
        """Whether an event takes a performer anywhere, or something along with it."""
        if deed.action in STILL:
            return False
        if key in deed.agents:
            if deed.action in HANDLED:
                return deed.action == "carry"
            return deed.action != "wear"
        return deed.action not in ("pass", "approach", "circle", "depart", "flee")

    @staticmethod
    def _alike(deeds: list[Deed]) -> int:
        """How many of the next legs go the same way."""
        number = 1
        while number < len(deeds) and deeds[number].direction == deeds[0].direction and not deeds[number].ways:
            number += 1
        return number

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

    def _moved(self, mover: Mover, path: np.ndarray, leg: Leg, interval: Interval) -> np.ndarray:
        u = progress(interval, self.time)
        moved = (1 - u) * path + u * self._spread(mover, leg.end)
        return moved if leg.bend is None else moved + leg.bend[None]

    def _here(self, path: np.ndarray | None, interval: Interval) -> Spot | None:
        """Where the middle of a group is when something begins."""
        if path is None:
            return None
        frame = int(np.searchsorted(self.time, interval[0]))
        at = path[:, :, min(frame, self.frames - 1)]
        return float(at[:, 0].mean()), float(at[:, 1].max()), float(at[:, 2].max())

    def _leg(self, key: str, mover: Mover, deed: Deed, path: np.ndarray | None, remaining: int) -> Leg:
        here = self._here(path, deed.interval)
        if deed.action == "enter":
            return entering(mover, deed, self.time)
        if deed.action == "leave":
            return leaving(mover, deed, here)
        if deed.action == "meet":
            return self._meeting(key, mover, deed, here)
        ways = [(relation, target) for relation, target in deed.ways if target in self.paths]
        if key in deed.agents and deed.action in WAYS:
            ways += [(WAYS[deed.action], patient) for patient in deed.patients if patient in self.paths]
        between = [target for relation, target in ways if relation == "between"]
        if len(between) == 2:
            return self._between(mover, deed.interval, between, here)
        if ways:
            relation, other = ways[0]
            side = self.plan.side(key, other, relation)
            return by_thing(mover, deed, relation, self._target(other, deed.interval), here, side, self.time)
        if deed.place:
            return to_place(mover, deed, here)
        across = any(relation == "across" for relation, target in deed.ways if target in self.play.regions)
        return in_direction(mover, deed, here, self.time, remaining, across)

    def _target(self, key: str, interval: Interval) -> Target:
        path, body = self.paths[key], self.bodies[key]
        centre = np.stack([path[:, 0].mean(0), path[:, 1].max(0), path[:, 2].max(0)])
        inside = np.flatnonzero((self.time >= interval[0]) & (self.time <= interval[1]))
        first, last = (int(inside[0]), int(inside[-1])) if len(inside) else (0, self.frames - 1)
        seat = stage_meanings().seats.get(self.play.performers[key].thing.noun, 1.0)
        return Target(centre, body.width, body.height, seat, first, last)

    def _meeting(self, key: str, mover: Mover, deed: Deed, here: Spot | None) -> Leg:
        other = deed.patients[0] if key in deed.agents and deed.patients else deed.agents[0]
        if other in self.paths and other != key:
            side = 1.0 if self.plan.facing[other] < 0 else -1.0
            return by_thing(mover, deed, "to", self._target(other, deed.interval), here, side, self.time)
        if here is None:
            b, q = mover.level()
            low, high = mover.across(q)
            share = mover.draw((0.0, 0.2))
            here = (low + share * (high - low) if mover.facing > 0 else high - share * (high - low), b, q)
            step = mover.draw((0.08, 0.16))
        else:
            # Not much past the middle, so that the other one finds room.
            step = min(0.1, max(0.0, mover.facing * (0.5 - here[0])))
        return Leg(here, np.array([here[0] + mover.facing * step, *here[1:]]))

    def _between(self, mover: Mover, interval: Interval, ends: list[str], here: Spot | None) -> Leg:
        first, second = (self._target(end, interval) for end in ends)
        a, b = first.at(first.last), second.at(second.last)
        q = (a[2] + b[2]) / 2
        left, right = sorted(((a[0], first.w * a[2] / 2), (b[0], second.w * b[2] / 2)))
        x = (left[0] + left[1] + right[0] - right[1]) / 2
        if right[0] - right[1] - left[0] - left[1] < mover.body.width * q:
            raise Unstageable("no room between them")
        level = self.view.ground(q) if not mover.is_aloft else a[1]
        if here is None:
            near = q * mover.draw((1.25, 1.45))
            if self.view.ground(near) > 0.985:
                near = q * 0.72
            here = (
                x + mover.draw((-0.12, 0.12)),
                self.view.ground(near) if not mover.is_aloft else 0.95 - level / 2,
                near,
            )
        return Leg(here, np.array([x, level, q]))

    # -- where one stands when it starts -------------------------------------------------------------------------------

    def _given_start(self, key: str, mover: Mover, deeds: list[Deed]) -> np.ndarray | None:
        """Where it is said to be, before anything is done; None if nothing says so."""
        places = sorted((when, place) for who, place, when in self.play.places if who == key)
        if places:
            return self._spread(mover, np.array(spot_of(mover, stage_meanings().places[places[0][1]])))
        for bond in self.play.bonds:
            if bond.relation == "wear" and bond.target == key and bond.source in self.paths:
                return contacts.worn(self._host(bond.source), mover.body, self.play.performers[key].thing.noun)
        bonds = [bond for bond in self.play.bonds if bond.source == key and bond.target in self.paths]
        bonds = [bond for bond in bonds if bond.relation != "wear"]
        between = [bond.target for bond in bonds if bond.relation == "between"]
        if len(between) == 2:
            return self._spread(mover, self._between(mover, bonds[0].interval, between, None).end)
        if bonds and not (deeds and deeds[0].action in HANDLED and key in deeds[0].patients):
            return self._bonded(key, mover, bonds)
        return None

    def _host(self, key: str, deed: Deed | None = None) -> contacts.Host:
        """Whoever bears or leads another; in an event it faces where it goes, or whom it gives something to."""
        path, facing = self.paths[key], self.plan.facing[key]
        if deed is not None:
            frames = np.flatnonzero((self.time >= deed.interval[0]) & (self.time <= deed.interval[1]))
            x = path[0, 0, frames] if len(frames) else path[0, 0, :1]
            others = [other for other in (*deed.receivers, *(t for _, t in deed.ways)) if other in self.paths]
            if deed.action in HANDLED and key in deed.agents and others:
                facing = 1.0 if self.paths[others[0]][0, 0, 0] > x[0] else -1.0
            elif abs(x[-1] - x[0]) > 0.05:
                facing = 1.0 if x[-1] > x[0] else -1.0
        return contacts.Host(self.play.performers[key], self.bodies[key], path, facing)

    def _bonded(self, key: str, mover: Mover, bonds: list[Bond]) -> np.ndarray:
        bond = bonds[0]
        host, relation = self._host(bond.target), bond.relation
        if relation == "on":
            upright = 0.06 if self.play.performers[key].thing.found != "held" else 0.0
            return self._also(mover, contacts.on_top(host, mover.body, upright, mover.draw((-1, 1))), bonds)
        if relation == "in":
            return self._also(mover, contacts.inside(host, mover.body, mover.draw((-1, 1))), bonds)
        target = self._target(bond.target, bond.interval)
        apart = self.bodies[bond.apart].width if bond.apart in self.bodies else None
        side = self.plan.side(key, bond.target, relation)
        spot = standing(mover, relation, target, side, apart, self.plan.flies(bond.target))
        return self._also(mover, self._spread(mover, np.array(spot)), bonds)

    def _also(self, mover: Mover, path: np.ndarray, bonds: list[Bond]) -> np.ndarray:
        """The path, if all further relations hold as well as the first. Raises Unstageable if they do not."""
        for bond in bonds[1:]:
            self._check_bond(mover, path[0, :, 0], bond)
        return path

    def _check_bond(self, mover: Mover, start: np.ndarray, bond: Bond) -> None:
        x, _, q = self._target(bond.target, bond.interval).at(0)
        half = (self.bodies[bond.target].width * q + mover.body.width * start[2]) / 2
        holds = {
            "left": start[0] < x - half,
            "right": start[0] > x + half,
            "behind": start[2] < q * 0.92,
            "front": start[2] > q * 1.08,
        }
        if not holds.get(bond.relation, True):
            raise Unstageable("two relations at once")

    # -- along with others ---------------------------------------------------------------------------------------------

    def _anchored(self, key: str, deed: Deed, path: np.ndarray | None) -> np.ndarray | None:
        """The way of one that another takes along, or handles, from the event on; None if it goes by itself."""
        body, is_agent = self.bodies[key], key in deed.agents
        leader = self._leader(key, deed)
        if leader is None:
            return None
        host = self._host(leader, deed)
        if deed.action == "ride":
            return self._joined(path, contacts.riding(host, body), deed.interval, keeps=True)
        if deed.action == "wear":
            worn = contacts.worn(host, body, self.play.performers[key].thing.noun)
            return self._joined(path, worn, deed.interval, keeps=True)
        if deed.action in HANDLED and not is_agent:
            return self._handled(deed, host, body, path)
        ahead = {"push": 1.0, "chase": -1.0, "follow": -1.0, "pull": -1.0}.get(deed.action, 0.0)
        gap = np.full(self.frames, -0.004 if deed.action in ("push", "pull") else self._draw(contacts.FOLLOWING))
        if deed.action == "chase":
            gap = np.linspace(gap[0], self._draw(contacts.CHASING) * gap[0] / 0.16, self.frames)
        if ahead:
            anchor = contacts.led(host, body, self.view, ahead, gap, self.plan.flies(key))
        else:
            # Side by side.
            rank = deed.agents.index(key) if key in deed.agents[1:] else 1
            others = sum(self.bodies[agent].width for agent in deed.agents[1:rank]) if rank > 1 else 0.0
            centre = self._target(leader, deed.interval).path
            x = centre[0] + ((host.body.width + body.width) / 2 + others + 0.03 * rank) * centre[2]
            anchor = np.stack([x, centre[1], centre[2]])[None]
        anchor = self._spread(self._mover(key), anchor[0])
        return self._joined(path, anchor, deed.interval, keeps=False)

    def _leader(self, key: str, deed: Deed) -> str | None:
        """Whoever takes a performer along in an event; None if it goes by itself."""
        leader: str | None = None
        if key in deed.agents:
            if deed.action in LED_BY_PATIENT and deed.patients:
                leader = deed.patients[0]
            elif key != deed.agents[0] and not deed.place:
                leader = deed.agents[0]
            else:
                beside = [target for relation, target in deed.ways if relation == "beside" and target in self.moving]
                leader = beside[0] if beside and not deed.patients else None
        elif deed.action in (*HANDLED, "wear", "push", "pull") and deed.agents:
            leader = deed.agents[0]
        return leader if leader in self.paths else None

    def _joined(self, path: np.ndarray | None, anchor: np.ndarray, interval: Interval, keeps: bool) -> np.ndarray:
        """On a way of its own first, then along with another; `keeps`: after the event too."""
        inside = np.flatnonzero((self.time >= interval[0]) & (self.time <= interval[1]))
        if len(inside) == 0:
            return anchor if path is None else path
        held = anchor.copy()
        if not keeps:
            held[..., inside[-1] + 1 :] = held[..., inside[-1:]]
            if path is None:
                held[..., : inside[0]] = held[..., inside[:1]]
        if path is None or path.shape != held.shape:
            return held
        u = progress((interval[0], (interval[0] + interval[1]) / 2), self.time)
        # Already there: no need to come.
        close = np.abs(path - held)[:, :2, inside[0]].max() < 0.02
        return np.where(self.time >= interval[0], held, path) if close else (1 - u) * path + u * held

    def _handled(self, deed: Deed, host: contacts.Host, body: Body, path: np.ndarray | None) -> np.ndarray:
        """Things in hands."""
        receivers = [self._host(receiver) for receiver in deed.receivers if receiver in self.paths]
        beds = [(relation, self._host(target)) for relation, target in deed.ways if target in self.paths]
        hands = Hands(deed, host, body, receivers, beds, self.view, self.rng)
        if deed.action in ("hold", "carry"):
            taken = hands.at_feet() if path is None and deed.interval[0] > 0 else path
            return self._joined(taken, hands.hand, deed.interval, keeps=True)
        return hands.moved(hands.begin() if path is None else path, self.time)


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
