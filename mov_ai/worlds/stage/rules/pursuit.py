"""How things go with each other: chasing, following, pushing, pulling, riding, meeting."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mov_ai.graph import Interval
from mov_ai.worlds.stage.meanings import stage_meanings
from mov_ai.worlds.stage.rules import passages, standing, ways
from mov_ai.worlds.stage.rules.boxes import Boxes, Shot, gap
from mov_ai.worlds.stage.rules.fact import Fact, Rule
from mov_ai.worlds.stage.rules.reading import Reading
from mov_ai.worlds.stage.screenplay import Deed

#: Greatest gap to what is followed, and to what is pushed or pulled.
_FOLLOWING, _TOUCHING = 0.45, 0.06
#: How much of the other's way one who goes along with it goes.
_SHARE = 0.4
#: How far off the mean way of a group one of it may go, as a part of it.
_ALIKE = 0.35


def ahead(leader: Boxes, other: Boxes, shot: Shot, when: Interval) -> np.ndarray:
    """(n, k) how far ahead of who follows the leader is on its way, in half sums of sizes; the way is sideways, upright
    or in depth, whichever is the longest."""
    frames = shot.at(when)
    x, y, near, _ = (float(value.mean()) for value in ways.travelled(leader, shot, when))
    if abs(near) / ways.NEARED > max(abs(x), abs(y)) / ways.MOVED:
        apart = np.sign(near) * (leader.near.mean(0) - other.near)[:, frames]
        return np.asarray(apart / 0.08)
    if abs(x) >= abs(y):
        half = (leader.hull.w + other.w)[:, frames] / 2
        return np.asarray(np.sign(x) * (leader.x.mean(0) - other.x)[:, frames] / half)
    half = (leader.hull.h + other.h)[:, frames] / 2
    return np.asarray(np.sign(y) * (leader.y.mean(0) - other.y)[:, frames] / half)


def along_with(leader: Boxes, other: Boxes, shot: Shot, when: Interval) -> float:
    """Both go, and the other goes as far as the leader does, in the same direction, or nearly."""
    first, last, _ = shot.ends(when)
    ways_gone = []
    for boxes in (leader, other):
        x, y = ((v[:, last] - v[:, first]).mean() for v in (boxes.x, boxes.y))
        near = (boxes.near[:, last] - boxes.near[:, first]).mean() * 0.4
        ways_gone.append(np.array([x, y, near]))
    own, far = float(ways_gone[0] @ ways_gone[1]), float(ways_gone[0] @ ways_gone[0])
    if far < (0.5 * ways.MOVED) ** 2:
        # Around, or to and fro: its two ends say nothing.
        return float(min(ways.moved(leader, shot, when).min(), ways.moved(other, shot, when).min()))
    return float(min(ways.moved(leader, shot, when).min(), own / far / _SHARE - 1))


def follows(leader: str, other: str, when: Interval, touching: bool, sign: float) -> Rule:
    """Behind (1) or ahead (-1) of a leader on its way, and not far from it."""

    def rule(shot: Shot) -> float | None:
        if shot.frames < 2:
            return None
        a, b = shot.steady[leader], shot.steady[other]
        # Of several that pull a thing each is before it, of several that push it each behind.
        leaders = [a.one(i) for i in range(len(a.x))] if touching else [a]
        place = min(standing.mostly(sign * ahead(one, b, shot, when) / 0.3 - 1) for one in leaders)
        room = gap(b, a.hull, shot.at(when))
        close = standing.mostly(1 - room / (_TOUCHING if touching else _FOLLOWING))
        return min(place, close, along_with(a, b, shot, when))

    return rule


def _rides(rider: str, mount: str, when: Interval) -> Rule:
    def rule(shot: Shot) -> float | None:
        a, b, frames = shot.boxes[rider], shot.boxes[mount], shot.at(when)
        own, other = (slice(None), None, frames), (None, slice(None), frames)
        off = np.abs(a.x[own] - b.x[other]) / (0.5 * b.w[other] + 0.01)
        # Its foot is between the mount's top and its own height below: legs hang down at the sides.
        level = (a.bottom[own] - b.top[other]) / b.h[other]
        seated = np.minimum(level + 0.15, 1.1 - level) / 0.15 - 1
        higher = (b.y[other] - a.y[own]) / 0.02 + 1
        margins = np.minimum(np.minimum(1 - off, seated), higher).max(1)
        return min(standing.mostly(margins), along_with(shot.steady[mount], shot.steady[rider], shot, when))

    return rule


def _met(a: Boxes, b: Boxes, shot: Shot, when: Interval) -> float:
    """Close at last: come closer, or close from the beginning."""
    room = gap(a, b, shot.at(when))[:, 0]
    if shot.frames < 2 or bool((room[:, 0] < passages.CLOSE).all()):
        return float((1 - room[:, -1] / passages.CLOSE).min())
    return passages.nearing(a, b, shot, when)


def met(first: str, last: str, when: Interval) -> Rule:
    """The first instance of one and the last of another, which may be the same entity, have met."""

    def rule(shot: Shot) -> float | None:
        return None if shot.frames < 2 else _met(shot.boxes[first].one(0), shot.boxes[last].one(-1), shot, when)

    return rule


def _meets(first: str, second: str, when: Interval) -> Rule:
    return lambda shot: _met(shot.boxes[first], shot.boxes[second].hull, shot, when)


def facts(reading: Reading, deed: Deed) -> list[Fact]:
    """One for each pair that goes together."""
    found: list[Fact] = []

    def add(agent: str, patient: str, rule: Rule, hopeful: bool) -> None:
        text = f"{reading.doing(deed, agent)}, {reading.names[patient]}"
        found.append(Fact("events", deed.id, agent, text, deed.action, rule, hopeful))

    for agent in deed.agents:
        for patient in deed.patients:
            if agent == patient or not (reading.shown(agent) and reading.shown(patient)):
                continue
            when = reading.part(agent, reading.part(patient, deed.interval))
            hopeful = reading.lost_in_motion(when)
            if deed.action in ("chase", "follow"):
                add(agent, patient, follows(patient, agent, when, False, 1.0), hopeful)
            elif deed.action in ("push", "pull"):
                sign = -1.0 if deed.action == "push" else 1.0
                add(agent, patient, follows(agent, patient, when, True, sign), hopeful)
            elif deed.action == "ride":
                add(agent, patient, _rides(agent, patient, when), hopeful)
            elif deed.action == "meet":
                add(agent, patient, _meets(agent, patient, when), False)
    alone = not reading.graph.edges_from(deed.id, "patient") and not deed.ways
    if deed.action in ("meet", "pass") and not deed.patients and alone:
        found += _each_other(reading, deed)
    elif deed.action not in ("meet", "chase", "follow", "ride") and not deed.place:
        found += [*_together(reading, deed), *_as_one(reading, deed)]
    return found


def _each_other(reading: Reading, deed: Deed) -> list[Fact]:
    """Two that meet or pass each other, or the first and the last of several that are one entity."""
    agents = [agent for agent in deed.agents if reading.shown(agent)]
    pair = (agents[0], agents[-1]) if agents else ("", "")
    if len(agents) < 2 and (not agents or reading.drawn[agents[0]] < 2):
        return []
    when = reading.part(pair[0], reading.part(pair[1], deed.interval))

    def passed(shot: Shot) -> float | None:
        if shot.frames < 2:
            return None
        return passages.passing(shot.boxes[pair[0]].one(0), shot.boxes[pair[1]].one(-1), shot, when)

    rule = passed if deed.action == "pass" else met(*pair, when)
    return [Fact("events", deed.id, pair[0], f"{reading.doing(deed, pair[0])}, each other", deed.action, rule)]


def _together(reading: Reading, deed: Deed) -> list[Fact]:
    """Those who go together go alike."""
    found: list[Fact] = []
    agents = [agent for agent in deed.agents if reading.shown(agent)]
    if deed.action not in ways.GOING or deed.ways or deed.direction in ("toward", "away", "around"):
        return found
    for first, second in pairwise(agents):
        when = reading.part(first, reading.part(second, deed.interval))

        def rule(shot: Shot, first: str = first, second: str = second, when: Interval = when) -> float | None:
            if shot.frames < 2:
                return None
            return along_with(shot.steady[first], shot.steady[second], shot, when)

        text = f"{reading.doing(deed, second)}, together with {reading.names[first]}"
        hopeful = reading.lost_in_motion(when)
        found.append(Fact("events", deed.id, second, text, "together", rule, hopeful))
    return found


def _as_one(reading: Reading, deed: Deed) -> list[Fact]:
    """Ten ants that march together go as far as each other, and the same way."""
    node = reading.nodes.get(deed.id)
    manner = stage_meanings().directions.get((node.manner if node else None) or "")
    if deed.action not in ways.GOING or manner != "together":
        return []
    found = []
    for agent in deed.agents:
        if reading.shown(agent) and reading.drawn[agent] > 1:
            when = reading.part(agent, deed.interval)
            hopeful = reading.lost_in_motion(when)
            text = f"{reading.doing(deed, agent)}, all alike"
            found.append(Fact("events", deed.id, agent, text, "together", _alike(agent, when), hopeful))
    return found


def _alike(agent: str, when: Interval) -> Rule:
    def rule(shot: Shot) -> float | None:
        if shot.frames < 2:
            return None
        x, y, near, _ = ways.travelled(shot.steady[agent], shot, when)
        gone = np.stack([x, y, near * ways.MOVED / ways.NEARED])
        mean = gone.mean(1, keepdims=True)
        off = np.linalg.norm(gone - mean, axis=0).max()
        return float(1 - off / max(ways.MOVED, _ALIKE * float(np.linalg.norm(mean))))

    return rule
