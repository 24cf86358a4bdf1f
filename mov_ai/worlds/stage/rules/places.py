"""Where on the screen things are, and where they go to: left, lower right, centre, background, one after another."""

from __future__ import annotations

import numpy as np

from mov_ai.graph import Interval
from mov_ai.worlds.stage.meanings import Place, stage_meanings
from mov_ai.worlds.stage.rules import standing, ways
from mov_ai.worlds.stage.rules.boxes import Boxes, Shot
from mov_ai.worlds.stage.rules.fact import Fact, Rule
from mov_ai.worlds.stage.rules.reading import Reading
from mov_ai.worlds.stage.screenplay import STILL

#: Least distance from the middle of the frame to count as on a side, and greatest to count as in the middle.
_ASIDE, _MIDDLE = 0.1, 0.15
#: How far the middle of a place may be from the frame's to be one in the middle.
_CENTRAL = 0.1


def place_margins(boxes: Boxes, place: Place, frames: np.ndarray) -> np.ndarray:
    """(n, k): by how much each box is at a place."""
    margins = np.full((len(boxes.x), len(frames)), 2.0)
    for limits, values in ((place.x, boxes.x), (place.y, boxes.y)):
        if limits is None:
            continue
        off, middle = values[:, frames] - 0.5, sum(limits) / 2 - 0.5
        is_central = abs(middle) < _CENTRAL
        margin = 1 - np.abs(off) / _MIDDLE if is_central else np.sign(middle) * off / _ASIDE - 1
        margins = np.minimum(margins, margin)
    return margins


def _at(key: str, place: Place, when: Interval, in_passing: int = 0) -> Rule:
    """All the while; or in the first (1) or last (-1) moment of an interval only."""

    def rule(shot: Shot) -> float:
        frames = shot.at(when)
        if in_passing:
            frames = frames[:1] if in_passing > 0 else frames[-1:]
        boxes = shot.boxes[key]
        # Of several, the middle of all is there, and each at least nearly.
        margins = place_margins(boxes, place, frames)
        whole = place_margins(boxes.hull, place, frames)
        return standing.mostly(np.minimum(whole, margins.min(0, keepdims=True) + 0.8))

    return rule


def _in_depth(key: str, is_near: bool, others: list[str], when: Interval) -> Rule:
    """Before or behind all others, or if it is alone by its nearness."""

    def rule(shot: Shot) -> float:
        frames, boxes = shot.at(when), shot.boxes[key]
        sign = 1.0 if is_near else -1.0
        own = boxes.near[:, frames]
        # The middle of the stage has a depth of 6.7.
        levels = [np.full(own.shape, -np.log(6.7 / (0.9 if is_near else 0.7)))]
        if others:
            levels = [shot.boxes[other].near.mean(0)[None, frames] for other in others]
        return standing.mostly(np.minimum.reduce([sign * (own - level) / np.log(1.1) - 1 for level in levels]))

    return rule


def facts(reading: Reading) -> list[Fact]:
    """One for each place that an edge gives."""
    found, means = [], stage_meanings()
    play = reading.play
    for key, name, interval in play.places:
        if not reading.shown(key):
            continue
        place, when = means.places[name], reading.part(key, interval)
        text = f"{reading.names[key]} at {name} in [{when[0]:.3g}, {when[1]:.3g}]"
        others = _apart_from(reading, key, when)
        if place.near is not None:
            rule = _in_depth(key, place.near[0] > 1, others, when)
        elif reading.goes_in(key, when):
            rule = _at(key, place, when, in_passing=1)
        else:
            rule = _at(key, place, when)
        found.append(Fact("places", key, key, text, name, rule))
    for deed in play.deeds:
        if deed.place is None or deed.action in STILL:
            continue
        place = means.places[deed.place]
        for key in deed.agents:
            if not reading.shown(key):
                continue
            when = reading.part(key, deed.interval)
            text = f"{reading.doing(deed, key)}, to {deed.place}"
            if place.near is not None:
                sign = "toward" if place.near[0] > 1 else "away"
                rule = ways.way_rule(sign, key, when)
            else:
                rule = _comes_to(key, place, when)
            found.append(Fact("places", deed.id, key, text, deed.place, rule))
    return found


def _apart_from(reading: Reading, key: str, when: Interval) -> list[str]:
    """All performers that stand, and that nothing puts beside this one."""
    near = {s.target for s in reading.stated if s.source == key} | {s.source for s in reading.stated if s.target == key}
    shown = [other for other in reading.play.performers if other != key and reading.shown(other)]
    return [
        other
        for other in shown
        if other not in near and not reading.goes_in(other, when) and reading.root(other) != reading.root(key)
    ]


def _comes_to(key: str, place: Place, when: Interval) -> Rule:
    """There in the end, and not from the beginning."""
    there = _at(key, place, when, in_passing=-1)

    def rule(shot: Shot) -> float | None:
        margin = there(shot)
        if margin is None or shot.frames < 2:
            return margin
        return min(margin, float(ways.moved(shot.boxes[key], shot, when).min()))

    return rule
