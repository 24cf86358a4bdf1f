"""Each performer's way over the stage, from what it does and from the ways of those that it depends on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mov_ai.graph import Interval
from mov_ai.graph.time import FULL
from mov_ai.worlds.stage import contacts
from mov_ai.worlds.stage.bearings import Bearings
from mov_ai.worlds.stage.camera import progress
from mov_ai.worlds.stage.company import Body
from mov_ai.worlds.stage.formations import among, form_up
from mov_ai.worlds.stage.handling import Hands
from mov_ai.worlds.stage.legs import entering, in_direction, leaving, spot_of, to_place
from mov_ai.worlds.stage.meanings import stage_meanings
from mov_ai.worlds.stage.mover import Leg, Mover, Spot, Unstageable
from mov_ai.worlds.stage.passages import Target, by_thing, standing
from mov_ai.worlds.stage.prospect import WAYS
from mov_ai.worlds.stage.screenplay import AMONG, HANDLED, LED_BY_PATIENT, STILL, Bond, Deed


class Choreography(Bearings):
    """The ways of one draw."""

    def mover(self, key: str, ease: int = 0) -> Mover:
        """Whoever goes, with its room; see `way`. Raises Unstageable if it has none."""
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
        if band[1] < band[0] and ease:
            band = (0.0, 1.0) if flies else (self.view.ground(0.5), 0.985)
        elif band[1] < band[0]:
            raise Unstageable("nowhere to stand")
        swims = self.play.performers[key].thing.found == "water"
        pads = self.plan.pads[key] if not ease else (0.0, 0.0)
        return Mover(body, flies, swims, self.plan.facing[key], (pads[0], pads[1]), band, self.view, self.rng)

    def way(self, key: str, ease: int = 0) -> np.ndarray:
        """(n, 3, F). Raises Unstageable if this draw does not fit.

        Args:
            ease: what is given up, for nothing else fits: 1 how it stands to others, 2 where it goes as well, 3 all.
        """
        mover = self.mover(key, ease)
        deeds = [deed for deed in self.plan.deeds(key) if self._acts(key, deed)] if ease < 3 else []
        path: np.ndarray | None = self._given_start(key, mover, deeds) if ease == 0 else None
        for number, deed in enumerate(deeds):
            try:
                path = self._further(key, mover, deed, path, self._alike(deeds[number:]), ease)
            except Unstageable:
                if ease < 2:
                    raise
        if path is None:
            b, q = mover.level()
            path = self._spread(mover, np.array([mover.draw(mover.across(q)), b, q]))
        return path

    def _further(
        self, key: str, mover: Mover, deed: Deed, path: np.ndarray | None, remaining: int, ease: int
    ) -> np.ndarray:
        """The way through one more event."""
        if deed.action in AMONG:
            return self._among(key, mover, deed, path)
        anchored = self._anchored(key, deed, path) if ease < 2 else None
        if anchored is not None:
            return anchored
        leg = self._leg(key, mover, deed if ease < 2 else replace(deed, ways=(), patients=()), path, remaining)
        start = self._spread(mover, np.array(leg.begin)) if path is None else path
        return self._moved(mover, start, leg, deed.interval)

    def _among(self, key: str, mover: Mover, deed: Deed, path: np.ndarray | None) -> np.ndarray:
        """Its part of what several do among themselves."""
        frame = min(int(np.searchsorted(self.time, deed.interval[0])), self.frames - 1)
        is_group = len(deed.agents) == 1
        here = None if path is None else path[:, 0, frame]
        if deed.id not in self.formations or key == deed.agents[0]:
            members = [(a, self.play.performers[a].count, self.bodies[a].w, self.bodies[a].h) for a in deed.agents]
            around = [self._target(t, deed.interval) for _, t in deed.ways if t in self.paths]
            self.formations[deed.id] = form_up(mover, members, next(iter(around), None), here if is_group else None)
        formation = self.formations[deed.id]
        places = formation.places(key, self.play.performers[key].count, here)
        return among(mover, deed, formation, places, path, self.time)

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

    def _moved(self, mover: Mover, path: np.ndarray, leg: Leg, interval: Interval) -> np.ndarray:
        u = progress(interval, self.time)
        moved = (1 - u) * path + u * self._spread(mover, leg.end)
        return moved if leg.bend is None else moved + leg.bend[None]

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
        between = self._ends([target for relation, target in ways if relation == "between"], deed.interval)
        if between is not None:
            return self._between(mover, between, here)
        if ways:
            relation, other = ways[0]
            side = self.plan.side(key, other, relation)
            return by_thing(mover, deed, relation, self._target(other, deed.interval), here, side, self.time)
        if deed.place:
            return to_place(mover, deed, here)
        across = any(relation == "across" for relation, target in deed.ways if target in self.play.regions)
        leg = in_direction(mover, deed, here, self.time, remaining, across)
        return self._aside(key, mover, leg) if deed.direction == "away" and here is not None else leg

    def _aside(self, key: str, mover: Mover, leg: Leg) -> Leg:
        """Who goes away from where others stay leaves them at a side, too."""
        beside = [bond.target for bond in self.play.bonds if bond.source == key]
        beside += [bond.source for bond in self.play.bonds if bond.target == key]
        others = [self.paths[other][:, 0, 0].mean() for other in beside if other in self.paths]
        if not others:
            return leg
        low, high = mover.across(float(leg.end[2]))
        sign = 1.0 if leg.begin[0] > np.mean(others) else -1.0
        x = min(max(leg.begin[0] + sign * mover.draw((0.12, 0.25)), low), high)
        return Leg(leg.begin, np.array([x, *leg.end[1:]]), leg.bend)

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

    def _between(self, mover: Mover, ends: tuple[Target, Target], here: Spot | None) -> Leg:
        first, second = ends
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
        between = self._ends([bond.target for bond in bonds if bond.relation == "between"], FULL)
        if between is not None:
            return self._spread(mover, self._between(mover, between, None).end)
        if bonds and not (deeds and deeds[0].action in HANDLED and key in deeds[0].patients):
            return self._bonded(key, mover, bonds)
        return None

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
        anchor = self._spread(self.mover(key), anchor[0])
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
        receivers = [self._host(receiver, deed) for receiver in deed.receivers if receiver in self.paths]
        beds = [(relation, self._host(target)) for relation, target in deed.ways if target in self.paths]
        hands = Hands(deed, host, body, receivers, beds, self.view, self.rng)
        if deed.action in ("hold", "carry"):
            taken = hands.at_feet() if path is None and deed.interval[0] > 0 else path
            return self._joined(taken, hands.hand, deed.interval, keeps=True)
        return hands.moved(hands.begin() if path is None else path, self.time)
