"""What several do among themselves: scatter, gather, pass each other."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from mov_ai.graph import Interval
from mov_ai.worlds.stage.meanings import stage_meanings
from mov_ai.worlds.stage.rules import pursuit
from mov_ai.worlds.stage.rules.boxes import Shot
from mov_ai.worlds.stage.rules.fact import Fact, Rule
from mov_ai.worlds.stage.rules.reading import Reading
from mov_ai.worlds.stage.screenplay import Deed

#: In parts of the frame: by how much the mean distance from their middle changes at least, how far apart those are at
#: both ends that pass each other, and how far each of two goes that come together.
_SPREAD, _PASSED, _TOWARD = 0.035, 0.05, 0.02


def facts(reading: Reading, deed: Deed) -> list[Fact]:
    """The one fact of an event whose action is a name of `screenplay.AMONG`."""
    members = [key for key in dict.fromkeys((*deed.agents, *deed.patients)) if reading.shown(key)]
    if not members:
        return []
    rules = {"scatter": _spread(members, deed.interval, 1.0), "gather": _spread(members, deed.interval, -1.0)}
    # Those who chase or circle each other may do so in a ring or one behind the other.
    rule = rules.get(deed.action, _swap(members, deed.interval) if deed.action == "swap" else None)
    kind = "pass" if deed.action == "swap" else deed.action
    if stage_meanings().verbs.get(deed.verb) == "meet" and sum(reading.drawn[key] for key in members) == 2:
        rule, kind = pursuit.met(members[0], members[-1], deed.interval), "meet"
    return [Fact("events", deed.id, members[0], reading.doing(deed, members[0]), kind, rule)]


def _places(shot: Shot, members: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Middles (n, F) of all instances."""
    boxes = [shot.steady[key] for key in members]
    return np.concatenate([b.x for b in boxes]), np.concatenate([b.y for b in boxes])


def _spread(members: list[str], when: Interval, sign: float) -> Rule:
    def rule(shot: Shot) -> float | None:
        x, y = _places(shot, members)
        if len(x) < 2 or shot.frames < 2:
            return None
        first, last, times = shot.ends(when)
        spread = np.hypot(x - x.mean(0), y - y.mean(0)).mean(0)
        margin = sign * (spread[last] - spread[first]) * times / _SPREAD - 1
        if sign < 0 and len(x) == 2:
            # One that runs away from the other, which comes after it, does not come toward it.
            margin = min(margin, *(_nearer(x, y, one, first, last) * times / _TOWARD - 1 for one in range(2)))
        return float(margin)

    return rule


def _nearer(x: np.ndarray, y: np.ndarray, one: int, first: int, last: int) -> float:
    """How much nearer one of two comes to where the other was at first."""
    other = 1 - one
    before, after = (
        float(np.hypot(x[one, frame] - x[other, first], y[one, frame] - y[other, first])) for frame in (first, last)
    )
    return before - after


def _swap(members: list[str], when: Interval) -> Rule:
    def rule(shot: Shot) -> float | None:
        x, _ = _places(shot, members)
        if len(x) < 2 or shot.frames < 2:
            return None
        first, last, _ = shot.ends(when)
        margins = []
        for a, b in combinations(range(len(x)), 2):
            before, after = x[a, first] - x[b, first], x[a, last] - x[b, last]
            apart = min(abs(before), abs(after)) / _PASSED
            margins.append(apart - 1 if before * after < 0 else -1 - apart)
        return float(min(margins)) if len(x) == 2 else float(max(margins))

    return rule
