"""Things in hands and on bodies: held, carried, worn, taken up, put down, thrown, caught, given."""

from __future__ import annotations

import numpy as np

from mov_ai.graph import Interval
from mov_ai.worlds.stage.rules import standing, ways
from mov_ai.worlds.stage.rules.boxes import Boxes, Shot, gap
from mov_ai.worlds.stage.rules.fact import Fact, Rule
from mov_ai.worlds.stage.rules.reading import Reading, Stated
from mov_ai.worlds.stage.screenplay import HANDLED, Deed

#: Room between a hand's owner and what is thrown, kicked or not yet caught; how far things are lifted and let down.
_AWAY, _LIFTED = 0.06, 0.025


def _room(a: Boxes, b: Boxes, frames: np.ndarray) -> np.ndarray:
    """(n, k) from each of a to the nearest of b."""
    return np.asarray(gap(a, b, frames).min(1))


def _at(a: Boxes, b: Boxes, frames: np.ndarray) -> float:
    return standing.mostly(1 - _room(a, b, frames) / standing.TOUCHING)


def _within_reach(a: Boxes, b: Boxes, frames: np.ndarray) -> float:
    """The middle of what is held is between its owner's head and feet, or it hangs below one that flies."""
    own, other = (slice(None), None, frames), (None, slice(None), frames)
    room = np.minimum(a.bottom[own] - b.top[other], b.bottom[other] - a.top[own]) / np.minimum(a.h[own], b.h[other])
    return standing.mostly(room.max(1) / 0.25 - 1)


def _off(a: Boxes, b: Boxes, frames: np.ndarray) -> float:
    return float((_room(a, b, frames) / _AWAY - 1).min())


def _handed(a: Boxes, receiver: Boxes, first: np.ndarray, last: np.ndarray) -> float:
    """In another's hand at last, and nearer to its middle than at first."""
    nearer = np.abs(a.x[:, first] - receiver.x[:1, first]) - np.abs(a.x[:, last] - receiver.x[:1, last])
    return min(_at(a, receiver, last), float((nearer / 0.04 - 1).min()))


def _handling(
    action: str, thing: str, owner: str, receiver: str | None, direction: str | None, when: Interval, is_taken: bool
) -> Rule:
    """The rule of an action on one thing; `is_taken`: whether something else is done with it in hand before."""

    def rule(shot: Shot) -> float | None:
        a, b, frames = shot.boxes[thing], shot.boxes[owner], shot.at(when)
        first, last = frames[:1], frames[-1:]
        if action in ("hold", "carry"):
            late = frames if is_taken else frames[len(frames) // 2 :]
            held = min(_at(a, b, late), _within_reach(a, b, late))
            return held if action == "hold" else min(held, float(ways.moved(shot.steady[owner], shot, when).min()))
        if shot.frames < 2:
            return None
        rise = float(-(a.bottom[:, last] - a.bottom[:, first]).max()) / _LIFTED
        drop = float((a.bottom[:, last] - a.bottom[:, first]).min()) / _LIFTED
        if action in ("throw", "give", "kick"):
            # Who reaches far, or what is long, may still touch when it has been given.
            end = _off(a, b, last) if receiver is None else _handed(a, shot.boxes[receiver], first, last)
            margin = min(_at(a, b, first), end)
            if direction in ("left", "right"):
                sign = 1.0 if direction == "right" else -1.0
                margin = min(margin, float((sign * (a.x[:, last] - a.x[:, first]) / ways.MOVED - 1).min()))
            return margin
        if action == "catch":
            return min(_off(a, b, first), _at(a, b, last))
        if action == "lift":
            return min(rise - 1, _at(a, b, last))
        if action == "release":
            return min(rise - 1, _at(a, b, first), _off(a, b, last))
        if action in ("lower", "drop", "put"):
            return min(drop - 1, _at(a, b, first))
        return None

    return rule


def facts(reading: Reading, deed: Deed) -> list[Fact]:
    """One for each thing that someone has in hand or wears."""
    if deed.action == "wear":
        return [
            _worn(reading, deed, agent, patient)
            for agent in deed.agents
            for patient in deed.patients
            if reading.shown(agent) and reading.shown(patient)
        ]
    if deed.action not in HANDLED:
        return []
    found = []
    owners = [agent for agent in deed.agents if reading.shown(agent)]
    receivers = [receiver for receiver in deed.receivers if reading.shown(receiver)]
    for thing in deed.patients:
        if not reading.shown(thing) or not owners or thing in owners:
            continue
        owner = owners[0]
        when = reading.part(owner, reading.part(thing, deed.interval))
        receiver = receivers[0] if receivers else None
        before = any(
            thing in other.patients and other.interval[1] <= deed.interval[0] + 1e-3 for other in reading.play.deeds
        )
        is_taken = deed.interval[0] <= 1e-3 and not before
        rule = _handling(deed.action, thing, owner, receiver, deed.direction, when, is_taken)
        if deed.action == "catch" and _thrown_before(reading, deed, thing):
            rule = _caught(thing, owner, when)
        if deed.action in ("put", "lower", "drop") and deed.ways:
            rule = _put(reading, deed, thing, owner, when)
        text = f"{reading.doing(deed, owner)}, {reading.names[thing]}"
        found.append(Fact("events", deed.id, owner, text, deed.action, rule))
    return found


def _thrown_before(reading: Reading, deed: Deed, thing: str) -> bool:
    return any(
        other.action in ("throw", "give", "kick") and thing in other.patients and other.interval[0] < deed.interval[0]
        for other in reading.play.deeds
    )


def _caught(thing: str, owner: str, when: Interval) -> Rule:
    """What was thrown before is there in the end."""

    def rule(shot: Shot) -> float:
        return _at(shot.boxes[thing], shot.boxes[owner], shot.at(when)[-1:])

    return rule


def _put(reading: Reading, deed: Deed, thing: str, owner: str, when: Interval) -> Rule:
    """From hand to where it is put."""
    relation, bed = deed.ways[0]
    there = None
    if reading.shown(bed):
        # By the end of the event, and it stays there.
        there = standing.stands(
            reading, Stated(thing, relation, bed, relation, when), (max(0.0, when[1] - 1e-3), when[1])
        )

    def rule(shot: Shot) -> float | None:
        first = shot.at(when)[:1]
        margin = _at(shot.boxes[thing], shot.boxes[owner], first)
        end = None if there is None else there(shot)
        return margin if end is None else min(margin, end)

    return rule


def _worn(reading: Reading, deed: Deed, agent: str, patient: str) -> Fact:
    when = reading.part(agent, reading.part(patient, deed.interval))
    rule = standing.stands(reading, Stated(agent, "wear", patient, "wear", when), when)
    text = f"{reading.doing(deed, agent)}, {reading.names[patient]}"
    return Fact("events", deed.id, agent, text, "wear", rule)
