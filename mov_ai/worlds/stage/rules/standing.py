"""How one thing stands to another: left of it, behind it, on it, in it, between two.

Each measure takes the boxes of two things and the frames in which it must hold, and gives margins (n, m, k).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mov_ai.worlds.stage.meanings import stage_meanings
from mov_ai.worlds.stage.rules.boxes import Boxes, Shot, across, gap, mostly, shared
from mov_ai.worlds.stage.rules.fact import Fact, Rule
from mov_ai.worlds.stage.rules.reading import Reading, Stated
from mov_ai.worlds.stage.things import Thing

#: Distance of two middles for "left of", in half sums of widths; the greatest gap of "beside" and of what touches.
_APART, BESIDE, TOUCHING = 0.6, 0.12, 0.03
#: Least ratio of nearness for "behind", the greatest for "beside", and of what is on or in another.
_DEEPER, _LEVEL, _MET = np.log(1.08), np.log(1.6), np.log(1.25)
#: How much higher the middle of what is above is, in half sums of heights.
_HIGHER = 0.7
#: Share of a thing's width, and of the lesser height, that is in what it is in.
_WITHIN, _SUNK = 0.7, 0.4
Measure = Callable[[Boxes, Boxes, np.ndarray], np.ndarray]


def left(a: Boxes, b: Boxes, frames: np.ndarray) -> np.ndarray:
    x, half = across(a, b, frames)
    return np.asarray(-x / half / _APART - 1)


def right(a: Boxes, b: Boxes, frames: np.ndarray) -> np.ndarray:
    x, half = across(a, b, frames)
    return np.asarray(x / half / _APART - 1)


def _deeper(a: Boxes, b: Boxes, frames: np.ndarray, sign: float) -> np.ndarray:
    x, half = across(a, b, frames)
    deep = sign * (b.near[None, :, frames] - a.near[:, None, frames]) / _DEEPER - 1
    return np.minimum(deep, 1 - np.maximum(np.abs(x) - half, 0) / 0.15)


def behind(a: Boxes, b: Boxes, frames: np.ndarray) -> np.ndarray:
    return _deeper(a, b, frames, 1.0)


def front(a: Boxes, b: Boxes, frames: np.ndarray) -> np.ndarray:
    return _deeper(a, b, frames, -1.0)


def beside(a: Boxes, b: Boxes, frames: np.ndarray) -> np.ndarray:
    deep = np.abs(a.near[:, None, frames] - b.near[None, :, frames])
    return np.minimum(1 - gap(a, b, frames) / BESIDE, 1 - deep / _LEVEL)


def against(a: Boxes, b: Boxes, frames: np.ndarray) -> np.ndarray:
    return 1 - gap(a, b, frames) / TOUCHING


def above(a: Boxes, b: Boxes, frames: np.ndarray) -> np.ndarray:
    x, half = across(a, b, frames)
    y, high = b.y[None, :, frames] - a.y[:, None, frames], (a.h[:, None, frames] + b.h[None, :, frames]) / 2
    return np.minimum(y / high / _HIGHER - 1, 1.2 - np.abs(x) / half)


def below(a: Boxes, b: Boxes, frames: np.ndarray) -> np.ndarray:
    return np.swapaxes(above(b, a, frames), 0, 1)


def under(a: Boxes, b: Boxes, frames: np.ndarray) -> np.ndarray:
    """Below it, or within what is open below: at its foot, and no higher than it."""
    wide, _ = shared(a, b, frames)
    own, other = (slice(None), None, frames), (None, slice(None), frames)
    foot = (a.bottom[own] - b.y[other]) / (0.25 * b.h[other]) - 1
    top = (a.top[own] - b.top[other]) / 0.03
    covered = wide / np.minimum(a.w[own], b.w[other]) / 0.5 - 1
    return np.maximum(np.minimum(np.minimum(foot, top), covered), below(a, b, frames))


def inside(a: Boxes, b: Boxes, frames: np.ndarray) -> np.ndarray:
    """Within its width, and mostly or as far as there is room within its height; and narrower, so that no two things
    are in each other."""
    own, other = (slice(None), None, frames), (None, slice(None), frames)
    wide, high = shared(a, b, frames)
    lesser = np.minimum(a.h[own], b.h[other])
    within = np.minimum(wide / a.w[own] / _WITHIN - 1, high / lesser / _SUNK - 1)
    narrower = (b.w[other] / a.w[own] - 1) / 0.02 - 1
    return np.minimum(np.minimum(within, narrower), _at_one_distance(a, b, frames))


def _at_one_distance(a: Boxes, b: Boxes, frames: np.ndarray) -> np.ndarray:
    return np.asarray(1 - np.abs(a.near[:, None, frames] - b.near[None, :, frames]) / _MET)


def on_top(thing: Thing) -> Measure:
    """On a thing: its foot at the top or on the seat."""
    seat = 0.95 if thing.gait == "walk" else stage_meanings().seats.get(thing.noun, 1.0)

    def measure(a: Boxes, b: Boxes, frames: np.ndarray) -> np.ndarray:
        own, other = (slice(None), None, frames), (None, slice(None), frames)
        wide, _ = shared(a, b, frames)
        level = b.bottom[other] - seat * b.h[other]
        off = np.abs(a.bottom[own] - level) / (0.02 + 0.15 * b.h[other] + 0.1 * a.h[own])
        covered = wide / np.minimum(a.w[own], b.w[other]) / 0.4 - 1
        return np.minimum(np.minimum(1 - off, covered), _at_one_distance(a, b, frames))

    return measure


def worn(noun: str) -> Measure:
    """Clothes (a) on who wears them (b)."""
    middle = stage_meanings().worn.get(noun, 0.55)

    def measure(a: Boxes, b: Boxes, frames: np.ndarray) -> np.ndarray:
        own, other = (slice(None), None, frames), (None, slice(None), frames)
        x, _ = across(a, b, frames)
        level = np.minimum(b.bottom[other] - middle * b.h[other], b.bottom[other] - a.h[own] / 2)
        off = np.abs(a.y[own] - level) / (0.015 + 0.15 * b.h[other])
        return np.minimum(1 - off, 1 - np.abs(x) / (0.02 + 0.4 * b.w[other]))

    return measure


_MEASURES: dict[str, Measure] = {
    "left": left,
    "right": right,
    "from_left": left,
    "from_right": right,
    "to_left": left,
    "to_right": right,
    "behind": behind,
    "front": front,
    "beside": beside,
    "along": beside,
    "past": beside,
    "to": beside,
    "against": against,
    "above": above,
    "over": above,
    "below": below,
    "under": under,
    "in": inside,
}
#: Relations in which each of several finds one of the others, and may leave the rest.
_ANY = ("in", "on", "wear", "beside", "against", "to", "along", "past", "under")


def measure_of(reading: Reading, relation: str, target: str) -> Measure | None:
    """How a relation to a performer is measured; None for what boxes do not show."""
    if relation == "on":
        return on_top(reading.play.performers[target].thing)
    return _MEASURES.get(relation)


def holds(measure: Measure, relation: str, a: Boxes, b: Boxes, frames: np.ndarray) -> float:
    """The margin of a relation between two things, or groups, over frames."""
    margins = measure(a, b, frames)
    if relation in _ANY and margins.shape[1] > 1:
        margins = margins.max(1, keepdims=True)
    if relation == "beside" and len(margins) > 1:
        # A group is by a thing if one of it is.
        margins = margins.max(0, keepdims=True)
    return mostly(margins)


def stands(reading: Reading, stated: Stated, when: tuple[float, float]) -> Rule | None:
    """The rule of a relation that must hold in an interval; None if boxes do not show it."""
    if reading.is_region(stated.target):
        return in_region(reading, stated, when)
    source, target, relation = stated.source, stated.target, stated.relation
    if relation == "wear":
        source, target = target, source
        measure: Measure | None = worn(reading.play.performers[source].thing.noun)
    else:
        measure = measure_of(reading, relation, target)
    if measure is None:
        return None
    known: Measure = measure

    def rule(shot: Shot) -> float:
        return holds(known, relation, shot.boxes[source], shot.boxes[target], shot.at(when))

    return rule


def in_region(reading: Reading, stated: Stated, when: tuple[float, float]) -> Rule | None:
    """Where a thing is with a large place behind it: on it, in it, above it."""
    kind, relation = reading.play.regions[stated.target].region, stated.relation

    thing = reading.play.performers[stated.source].thing
    stands_on = kind in ("land", "strip", "water") and thing.found != "air"

    def within(shot: Shot) -> float:
        a, b, frames = shot.boxes[stated.source], shot.boxes[stated.target].hull, shot.at(when)
        y = a.bottom if stands_on else a.y
        room = np.minimum(np.minimum(y - b.top, b.bottom - y), np.minimum(a.x - b.left, b.right - a.x))
        return mostly(room[:, frames] / 0.04 + 1)

    def higher(shot: Shot) -> float:
        a, b, frames = shot.boxes[stated.source], shot.boxes[stated.target].hull, shot.at(when)
        return mostly((b.top + 0.35 * b.h - a.y)[:, frames] / 0.1)

    if relation in ("on", "in", "across", "along"):
        return within
    return higher if relation in ("above", "over") and kind != "sky" else None


# -- facts -------------------------------------------------------------------------------------------------------------


def facts(reading: Reading) -> list[Fact]:
    """One for each spatial edge, relation or place beside a thing that boxes can show, and "between" once for two."""
    found: list[Fact] = []
    between: dict[str, list[Stated]] = {}
    for stated in reading.stated:
        if not (reading.shown(stated.source) and reading.shown(stated.target)):
            continue
        if stated.relation == "between":
            between.setdefault(stated.source, []).append(stated)
            continue
        found.append(_fact(reading, stated))
    for source, pair in between.items():
        found += _between(reading, source, [stated.target for stated in pair], pair[0])
    return found


def _while(reading: Reading, stated: Stated) -> tuple[float, float]:
    """While when a relation must hold: until one of the two goes, unless it takes the other along."""
    when = reading.part(stated.source, reading.part(stated.target, stated.interval))
    together = reading.root(stated.source) == reading.root(stated.target)
    if stated.relation in ("in", "on", "wear") and together:
        return when
    goings = [going for key in (stated.source, stated.target) for going in reading.going.get(key, ())]
    begins = [start for start, end in goings if start < when[1] - 1e-3 and end > when[0] + 1e-3]
    if not begins:
        return when
    # When it starts at once, at least the first moment must show it.
    return (when[0], max(min(begins), when[0] + 0.05))


def _fact(reading: Reading, stated: Stated) -> Fact:
    when = _while(reading, stated)
    text = f"{reading.names[stated.source]} {stated.label} {reading.names[stated.target]}"
    if when != (0.0, 1.0):
        text += f" in [{when[0]:.3g}, {when[1]:.3g}]"
    return Fact("relations", stated.source, stated.target, text, stated.relation, stands(reading, stated, when))


def between_margin(a: Boxes, first: Boxes, second: Boxes, frame: int) -> float:
    """How far within the room between two others the middle of each is; 0 at a tenth of the way from one."""
    low, high = first.hull.x[0, frame], second.hull.x[0, frame]
    share = (a.x[:, frame] - low) / (high - low if abs(high - low) > 1e-3 else 1e-3)
    return float((np.minimum(share, 1 - share) / 0.12 - 1).min())


def _between(reading: Reading, source: str, targets: list[str], stated: Stated) -> list[Fact]:
    when = _while(reading, stated)
    names = " and ".join(reading.names[target] for target in targets)
    text = f"{reading.names[source]} between {names}"

    def rule(shot: Shot) -> float | None:
        a, frame = shot.boxes[source], int(shot.at(when)[0])
        if len(targets) > 1:
            return between_margin(a, shot.boxes[targets[0]], shot.boxes[targets[1]], frame)
        row = shot.boxes[targets[0]]
        if len(row.x) < 2:
            return None
        inner = np.minimum(a.x[:, frame] - row.x[:, frame].min(), row.x[:, frame].max() - a.x[:, frame])
        return float((inner / max(0.12 * np.ptp(row.x[:, frame]), 1e-3) - 1).min())

    return [Fact("relations", source, targets[0], text, "between", rule)]
