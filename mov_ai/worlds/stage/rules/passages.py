"""How a thing goes by another: past it, behind it, into it, over it, around it, up to it."""

from __future__ import annotations

import numpy as np

from mov_ai.graph import Interval
from mov_ai.worlds.stage.prospect import WAYS
from mov_ai.worlds.stage.rules import standing, ways
from mov_ai.worlds.stage.rules.boxes import Boxes, Shot, across, gap, shared
from mov_ai.worlds.stage.rules.fact import Fact, Rule
from mov_ai.worlds.stage.rules.reading import Reading, Stated
from mov_ai.worlds.stage.screenplay import STILL, Deed

#: How far aside of another, in half sums of widths, one is before and after it passes.
_CLEAR = 0.5
#: How much wider or narrower a gap becomes by coming or fleeing; a gap to what one has come to.
_CLOSER, CLOSE = 0.05, 0.14
#: Share of a turn around another.
_TURN = 0.6


def _ends(a: Boxes, b: Boxes, shot: Shot, when: Interval) -> np.ndarray:
    """(n, 2): how far to the right of b the instances of a are at the beginning and the end, in half sums of widths."""
    frames = shot.at(when)[[0, -1]]
    x, half = across(a, b, frames)
    return np.asarray((x / half)[:, 0])


def passing(a: Boxes, b: Boxes, shot: Shot, when: Interval) -> float:
    """From one side of it to the other."""
    side = _ends(a, b, shot, when)
    crossed = np.where(side[:, 0] * side[:, 1] < 0, np.abs(side).min(1), -np.abs(side).min(1))
    return float((crossed / _CLEAR - 1).min())


def _on_side(a: Boxes, b: Boxes, shot: Shot, when: Interval, sign: float, at_end: bool) -> float:
    return float((sign * _ends(a, b, shot, when)[:, int(at_end)] / _CLEAR - 1).min())


def nearing(a: Boxes, b: Boxes, shot: Shot, when: Interval, close: float = CLOSE) -> float:
    """Closer to it than before, and close in the end."""
    room = gap(a, b, shot.at(when)[[0, -1]])[:, 0]
    return float(np.minimum((room[:, 0] - room[:, 1]) / _CLOSER - 1, 1 - room[:, 1] / close).min())


def parting(a: Boxes, b: Boxes, shot: Shot, when: Interval) -> float:
    """Farther from it than before."""
    room = gap(a, b, shot.at(when)[[0, -1]])[:, 0]
    return float(((room[:, 1] - room[:, 0]) / _CLOSER - 1).min())


def rounding(a: Boxes, b: Boxes, shot: Shot, when: Interval) -> float:
    """Around it, in the frame or on the ground."""
    frames = shot.at(when)
    x = (a.x - b.hull.x)[:, frames]
    deep = (a.near - b.hull.near)[:, frames] * 0.3
    turns = np.maximum(ways.turned(x, (a.y - b.hull.y)[:, frames]), ways.turned(x, deep))
    times = len(frames) / max(1, len(frames) - 1)
    return float((turns * times / _TURN - 1).min())


def _best_moment(measure: standing.Measure, a: Boxes, b: Boxes, shot: Shot, when: Interval) -> float:
    """The margin of a relation in the frame that shows it best: who runs past behind a tree is there for a moment."""
    return float(measure(a, b, shot.at(when)).max(2).max(1).min())


def _over(a: Boxes, b: Boxes, shot: Shot, when: Interval) -> float:
    """At some moment its foot is at or above the other's top, over it."""
    frames = shot.at(when)
    x, half = across(a, b, frames)
    clear = (b.y[None, :, frames] - a.bottom[:, None, frames]) / (0.4 * b.h[None, :, frames]) - 1
    return float(np.minimum(clear, 1.0 - np.abs(x) / half).max(2).max(1).min())


def _share_in(a: Boxes, b: Boxes, frames: np.ndarray) -> np.ndarray:
    wide, high = shared(a, b, frames)
    own = (slice(None), None, frames)
    return np.asarray((wide * high / (a.w[own] * a.h[own]))[:, 0])


def _along(a: Boxes, b: Boxes, shot: Shot, when: Interval) -> float:
    """Beside it and before or behind it all the while, from one part of its length to another."""
    frames = shot.at(when)
    x, half = across(a, b, frames)
    y = np.abs(a.y[:, None, frames] - b.y[None, :, frames])
    high = (a.h[:, None, frames] + b.h[None, :, frames]) / 2
    within = np.minimum(1.1 - np.abs(x) / half, 1.3 - y / high)
    return float(min(standing.mostly(within), (ways.moved(a, shot, when)).min()))


def passage(reading: Reading, relation: str, agent: str, other: str, when: Interval) -> Rule | None:
    """The rule of a way by another performer; None if boxes do not show it."""
    thing = reading.play.performers[other].thing
    on = standing.on_top(thing)

    def rule(shot: Shot) -> float | None:
        if shot.frames < 2:
            return None
        a, b = shot.boxes[agent], shot.boxes[other].hull
        frames = shot.at(when)
        first, last = frames[:1], frames[-1:]
        if relation in ("past", "across"):
            return passing(a, b, shot, when)
        if relation in ("from_left", "from_right"):
            return _on_side(a, b, shot, when, 1.0 if relation == "from_right" else -1.0, at_end=False)
        if relation in ("to_left", "to_right", "left", "right"):
            return _on_side(a, b, shot, when, 1.0 if relation.endswith("right") else -1.0, at_end=True)
        if relation in ("behind", "front"):
            return _best_moment(standing.behind if relation == "behind" else standing.front, a, b, shot, when)
        if relation in ("to", "against"):
            return nearing(a, b, shot, when)
        if relation == "beside":
            # With one that goes, or up to one that stands.
            if reading.goes_in(other, when):
                return standing.holds(standing.beside, "beside", a, b, frames)
            return nearing(a, b, shot, when)
        if relation == "from":
            return parting(a, b, shot, when)
        if relation == "in":
            grown = _share_in(a, b, last) - _share_in(a, b, first)
            return min(standing.holds(standing.inside, "in", a, b, last), float((grown / 0.2 - 1).min()))
        if relation == "out":
            grown = _share_in(a, b, first) - _share_in(a, b, last)
            return min(standing.holds(standing.inside, "in", a, b, first), float((grown / 0.2 - 1).min()))
        if relation == "on":
            there = standing.holds(on, "on", a, b, last)
            return min(there, float(ways.moved(a, shot, when).min()))
        if relation == "off":
            drop = (a.bottom[:, last] - a.bottom[:, first]).min() / 0.04 - 1
            return min(standing.holds(on, "on", a, b, first), float(drop))
        if relation in ("over", "above"):
            return min(_over(a, b, shot, when), float(ways.moved(a, shot, when).min()))
        if relation in ("under", "below"):
            # It may come out on the other side, but is there when half of its time is over, or later.
            return _best_moment(standing.under, a, b, shot, ((when[0] + when[1]) / 2, when[1]))
        if relation == "along":
            return _along(a, b, shot, when)
        if relation == "around":
            return rounding(a, b, shot, when)
        return None

    return rule


def facts(reading: Reading, deed: Deed) -> list[Fact]:
    """What an event says of its ways by others, and where they are that stay beside others."""
    found = []
    ways_of = [(relation, target) for relation, target in deed.ways if reading.shown(target)]
    if deed.action in WAYS:
        ways_of += [(WAYS[deed.action], patient) for patient in deed.patients if reading.shown(patient)]
    between = [target for relation, target in ways_of if relation == "between"]
    handles = deed.action in (
        "throw",
        "catch",
        "kick",
        "lift",
        "lower",
        "put",
        "give",
        "release",
        "drop",
        "hold",
        "wear",
    )
    for agent in () if handles else deed.agents:
        if not reading.shown(agent):
            continue
        when = reading.part(agent, deed.interval)
        if between and between[0] != agent:
            found.append(_between(reading, deed, agent, between, when))
        for relation, target in ways_of:
            if relation == "between" or target == agent:
                continue
            text = f"{reading.doing(deed, agent)}, {relation.replace('_', ' ')} {reading.names[target]}"
            kind = "within" if reading.is_region(target) and relation not in ("above", "over") else relation
            found.append(
                Fact("events", deed.id, agent, text, kind, _rule(reading, deed, agent, relation, target, when))
            )
    return found


def _rule(reading: Reading, deed: Deed, agent: str, relation: str, target: str, when: Interval) -> Rule | None:
    stated = Stated(agent, relation, target, relation, when)
    if deed.id in reading.strange or not reading.way_known(deed.id, target, relation):
        return None
    if reading.is_region(target):
        return standing.in_region(reading, stated, when)
    if deed.action in STILL:
        return standing.stands(reading, stated, when)
    if (relation == "in" and reading.root(agent) == reading.root(target)) or deed.action == "meet":
        return standing.stands(reading, stated, when)
    return passage(reading, relation, agent, target, when)


def _between(reading: Reading, deed: Deed, agent: str, targets: list[str], when: Interval) -> Fact:
    names = " and ".join(reading.names[target] for target in targets)
    text = f"{reading.doing(deed, agent)}, between {names}"

    def rule(shot: Shot) -> float | None:
        a, frames = shot.boxes[agent], shot.at(when)
        if len(targets) > 1:
            first, second = (shot.boxes[target] for target in targets[:2])
            return max(standing.between_margin(a, first, second, int(frame)) for frame in frames[-2:])
        row = shot.boxes[targets[0]]
        if len(row.x) < 2:
            return None
        inner = np.minimum(a.x - row.x.min(0), row.x.max(0) - a.x)[:, frames] / np.maximum(
            np.ptp(row.x, 0)[frames], 1e-3
        )
        return float((inner / 0.12 - 1).max(1).min())

    return Fact("events", deed.id, agent, text, "between", rule)
