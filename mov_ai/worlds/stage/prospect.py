"""What is known of a scene before anyone stands anywhere: who flies, who faces where, what room is kept for whom."""

from __future__ import annotations

import numpy as np

from mov_ai.graph import Interval
from mov_ai.graph.time import change_time
from mov_ai.worlds.stage.company import Body
from mov_ai.worlds.stage.meanings import stage_meanings
from mov_ai.worlds.stage.screenplay import AMONG, HANDLED, LED_BY_PATIENT, STILL, Deed, Screenplay

#: Actions that lead by their patient, as ways.
WAYS = {"pass": "past", "circle": "around", "approach": "to", "depart": "from", "flee": "from"}


class Prospect:
    """One draw of it.

    Attributes:
        facing: performer -> 1 if it goes or looks to the right, -1 to the left.
        sides: (performer, other) -> 1 if it comes from, or stands on, the other's left.
        pads: performer -> room to keep free on its left and its right, parts of the frame.
        linked: pairs whose boxes have a reason to overlap.
    """

    def __init__(self, play: Screenplay, borne: dict[str, str], time: np.ndarray, rng: np.random.Generator) -> None:
        self.play, self.borne, self.time, self.rng = play, borne, time, rng
        self.bodies: dict[str, Body] = {}
        self.sides: dict[tuple[str, str], float] = {}
        self.facing = {key: self._facing(key) for key in play.performers}
        self.pads = {key: [0.0, 0.0] for key in play.performers}
        self.linked = self._links()

    def keep_room(self, bodies: dict[str, Body]) -> None:
        """Find the pads, when it is known how large everyone is."""
        self.bodies = bodies
        self._keep_room()

    def sign(self) -> float:
        return 1.0 if self.rng.random() < 0.5 else -1.0

    def deeds(self, key: str) -> list[Deed]:
        return sorted(
            (deed for deed in self.play.deeds if key in deed.agents or key in deed.patients),
            key=lambda deed: deed.interval,
        )

    def flies(self, key: str) -> bool:
        """Whether it is in the air, or swims, when nothing bears it."""
        thing = self.play.performers[key].thing
        if thing.found == "water":
            return thing.gait == "swim"
        if thing.found != "air":
            flung = ("chase", "follow") if thing.gait == "drift" else ()
            return any(deed.action in flung and key in deed.patients for deed in self.play.deeds)
        deeds = self.deeds(key)
        if not deeds and self._is_beside_what_stands(key):
            return False
        if thing.gait != "fly":
            return True
        borne = [
            bond.target for bond in self.play.bonds if bond.source == key and bond.relation in ("on", "in", "under")
        ]
        sits = any(not self.is_sky(target) for target in borne)
        above_all = any(self.is_sky(target) for target in borne)
        rests = bool(deeds) and all(deed.action in STILL for deed in deeds)
        above = any(bond.source == key and bond.relation == "above" for bond in self.play.bonds)
        below = any(bond.target == key and bond.relation in ("below", "above") for bond in self.play.bonds)
        return above or above_all or not (sits or (rests and not below))

    def _is_beside_what_stands(self, key: str) -> bool:
        """What is next to something on the ground is there too."""
        near = [{bond.source, bond.target} for bond in self.play.bonds if bond.relation in ("beside", "against")]
        others = [self.play.performers.get(other) for pair in near if key in pair for other in pair - {key}]
        return any(other is not None and other.thing.found in ("ground", "held") for other in others)

    def is_sky(self, target: str) -> bool:
        return target in self.play.regions and self.play.regions[target].region == "sky"

    def _facing(self, key: str) -> float:
        for deed in self.deeds(key):
            sign = {"left": -1.0, "right": 1.0}.get(str(deed.direction), 0.0)
            place = stage_meanings().places.get(str(deed.place))
            if sign == 0 and place is not None and place.x is not None and abs(sum(place.x) - 1) > 0.1:
                sign = 1.0 if sum(place.x) > 1 else -1.0
            if sign == 0:
                relations = {relation for relation, _ in deed.ways}
                sign = 1.0 if "from_left" in relations else -1.0 if "from_right" in relations else 0.0
            if sign:
                return sign
        return self.sign()

    def _keep_room(self) -> None:
        """Room on both sides of each performer for those that stand, come or go beside it."""
        for bond in self.play.bonds:
            if bond.source in self.bodies and bond.target in self.bodies:
                extra = 0.06 + (self.bodies[bond.apart].width + 0.06 if bond.apart in self.bodies else 0.0)
                width = self.bodies[bond.source].width + extra
                if bond.relation in ("beside", "against", "opposite"):
                    side = self.sides.setdefault((bond.source, bond.target), self._free_side(bond.target))
                    more = 0.2 if bond.relation == "opposite" else 0.0
                    self.pads[bond.target][0 if side > 0 else 1] += width + more
                elif bond.relation in ("left", "right"):
                    self.pads[bond.target][0 if bond.relation == "left" else 1] += width
        for deed in self.play.deeds:
            if deed.action in AMONG:
                around = [target for _, target in deed.ways if target in self.pads]
                width = sum(self.bodies[agent].w * self.play.performers[agent].count for agent in deed.agents)
                for target in around:
                    self.pads[target] = [max(pad, 0.55 * width + 0.1) for pad in self.pads[target]]
                continue
            for agent in deed.agents:
                self._keep_room_for(deed, agent)
        for key, pads in self.pads.items():
            room = 0.93 - self.bodies[key].width
            if sum(pads) > room > 0:
                self.pads[key] = [pad * room / sum(pads) for pad in pads]

    def _keep_room_for(self, deed: Deed, agent: str) -> None:
        width = self.bodies[agent].width + 0.08
        by = {**WAYS, "meet": "to"}
        ways = list(deed.ways) + [(by[deed.action], patient) for patient in deed.patients if deed.action in by]
        for relation, target in ways if deed.action not in STILL else ():
            if target not in self.pads:
                continue
            pads = self.pads[target]
            if relation in ("past", "over", "around", "from_left", "from_right", "across"):
                pads[0], pads[1] = max(pads[0], width + 0.06), max(pads[1], width + 0.06)
            else:
                self.sides.setdefault((agent, target), self._free_side(target))
                more = 0.26 if relation in ("to", "from") else 0.1
                side = self.side(agent, target, relation)
                end = 0 if side > 0 else 1
                pads[end] = max(pads[end], width + more)
        leader = (deed.patients[0] if deed.action in LED_BY_PATIENT else agent) if deed.patients else agent
        if deed.action in ("chase", "follow", "push", "pull") and deed.patients:
            child = agent if leader != agent else deed.patients[0]
            ahead = 1.0 if deed.action == "push" else -1.0
            end = 0 if self.facing[leader] * ahead < 0 else 1
            self.pads[leader][end] += self.bodies[child].width + 0.09
        elif agent != deed.agents[0] and deed.action not in STILL:
            self.pads[deed.agents[0]][1] += self.bodies[agent].width + 0.05

    def _free_side(self, target: str) -> float:
        """The side of the target on which less room is kept: 1 is its left; either where there is no difference."""
        left, right = self.pads[target]
        return self.sign() if left == right else 1.0 if left < right else -1.0

    def side(self, agent: str, target: str, relation: str) -> float:
        """On which side of the target it stands, from which it comes, or to which it goes: 1 is its left."""
        if relation in ("from_left", "to_right"):
            return 1.0
        if relation in ("from_right", "to_left"):
            return -1.0
        directions = [d.direction for d in self.play.deeds if agent in d.agents and any(t == target for _, t in d.ways)]
        if directions and directions[0] in ("left", "right"):
            came = 1.0 if directions[0] == "right" else -1.0
            return -came if relation in ("from", "off", "out") else came
        return self.sides.setdefault((agent, target), self.sign())

    def presence(self, key: str) -> np.ndarray:
        """(n, F) whether each is there."""
        performer = self.play.performers[key]
        start, end = performer.present
        n = performer.count
        seen = np.repeat(((self.time >= start) & (self.time <= end))[None], n, 0)
        for deed in self.play.deeds:
            if key in deed.agents and deed.action in ("appear", "vanish"):
                if performer.one_by_one and n > 1:
                    seen &= self._turns(deed.interval, n) == (deed.action == "appear")
                else:
                    seen &= (self.time >= change_time(deed.interval)) == (deed.action == "appear")
        return np.asarray(seen)

    def _turns(self, interval: Interval, n: int) -> np.ndarray:
        """(n, F) whether the turn of each has come; from one end of the row to the other, or in any order."""
        start, end = interval
        first = 0.0 if start > 0 else 0.12 * (end - start)
        times = np.linspace(start + first, start + 0.85 * (end - start), n)
        order = self.rng.permutation(n) if self.rng.random() < 0.4 else np.arange(n)
        return np.asarray(self.time[None] >= times[order][:, None])

    def _links(self) -> set[frozenset[str]]:
        """Pairs whose boxes have a reason to overlap."""
        loose = ("left", "right", "beside", "above", "below", "between", "opposite")
        pairs = {frozenset((b.source, b.target)) for b in self.play.bonds if b.relation not in loose}
        pairs |= {frozenset(pair) for pair in self.borne.items()}
        for deed in self.play.deeds:
            parties = (*deed.agents, *deed.patients, *deed.receivers)
            if deed.action in HANDLED:
                pairs |= {frozenset((a, b)) for a in parties for b in parties if a != b}
            ends = [target for relation, target in deed.ways if relation not in ("to", "from", "between", "beside")]
            if deed.action in ("swap", "ring"):
                pairs |= {frozenset((a, b)) for a in parties for b in parties if a != b}
            passing = deed.patients if deed.action in ("pass", "circle", *LED_BY_PATIENT) else ()
            pairs |= {frozenset((party, end)) for party in parties for end in (*ends, *passing) if party != end}
        roots = {key: self.root(key) for key in self.play.performers}
        for pair in list(pairs):
            ends = [roots.get(key, key) for key in pair]
            family = [key for key, root in roots.items() if root in ends]
            pairs |= {frozenset((a, b)) for a in family for b in family if a != b}
        return pairs

    def root(self, key: str) -> str:
        for _ in range(4):
            if key not in self.borne:
                break
            key = self.borne[key]
        return key
