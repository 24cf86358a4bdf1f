"""What stays where it is: who is said to, and what nothing is said of."""

from __future__ import annotations

import numpy as np

from mov_ai.graph import Interval
from mov_ai.worlds.stage.rules.boxes import Boxes, Shot
from mov_ai.worlds.stage.rules.fact import Fact, Rule
from mov_ai.worlds.stage.rules.reading import Reading

#: How far a thing that stays may stray from its middle spot, in parts of the frame, and how much its size may change.
_STRAY, _RESIZED = 0.025, np.log(1.25)
#: The shortest rest that is looked at, as a part of the video.
_LONG = 0.2


def still(boxes: Boxes, frames: np.ndarray, resized: bool) -> float:
    """The margin of staying; `resized`: whether it grows or shrinks where it is."""
    x = np.ptp(boxes.x[:, frames], axis=1)
    y = np.minimum(np.ptp(boxes.y[:, frames], axis=1), np.ptp(boxes.bottom[:, frames], axis=1))
    margin = 1 - np.hypot(x, y) / (2 * _STRAY)
    if not resized:
        margin = np.minimum(margin, 1 - np.ptp(boxes.size[:, frames], axis=1) / _RESIZED)
    return float(margin.min())


def facts(reading: Reading) -> list[Fact]:
    """One for each event of staying, and one for each performer without any event that takes it anywhere."""
    found = []
    for deed in reading.play.deeds:
        if deed.action != "stay" or deed.id in reading.strange or deed.direction:
            continue
        for key in deed.agents:
            when = reading.part(key, deed.interval)
            if reading.shown(key):
                rule = None if reading.filmed_moving(when) or reading.goes_in(key, when) else _still(reading, key, when)
                found.append(Fact("events", deed.id, key, reading.doing(deed, key), "stay", rule))
    found += _rests(reading)
    busy = {key for deed in reading.play.deeds for key in (*deed.agents, *deed.patients, *deed.receivers)}
    for key in reading.play.performers:
        free = key not in busy and not reading.going[key] and not reading.play.camera
        if free and reading.shown(key):
            rule = _still(reading, key, reading.play.performers[key].present)
            found.append(Fact("presence", key, key, f"{reading.names[key]} stays where it is", "still", rule))
    return found


def _rests(reading: Reading) -> list[Fact]:
    """Who goes in a part of the time only stays where it is in the rest of it."""
    found = []
    for key, going in reading.going.items():
        comes = any(key in d.agents and d.action in ("enter", "leave") for d in reading.play.deeds)
        if not going or not reading.shown(key) or comes or reading.play.camera:
            continue
        low, high = reading.play.performers[key].present
        until = low
        for start, end in [*sorted(going), (high, high)]:
            if start - until > _LONG:
                text = f"{reading.names[key]} stays where it is in [{until:.3g}, {start:.3g}]"
                found.append(Fact("presence", key, key, text, "rest", _still(reading, key, (until, start))))
            until = max(until, end)
    return found


def _still(reading: Reading, key: str, when: Interval) -> Rule:
    resized = bool(reading.play.performers[key].changes)

    def rule(shot: Shot) -> float:
        return still(shot.boxes[key], shot.at(when), resized)

    return rule
