"""How large things are beside each other, and how they grow and shrink."""

from __future__ import annotations

import numpy as np

from mov_ai.graph import Interval
from mov_ai.worlds.stage.meanings import Comparison
from mov_ai.worlds.stage.rules.boxes import Shot
from mov_ai.worlds.stage.rules.fact import Fact, Rule
from mov_ai.worlds.stage.rules.reading import Reading

#: Least growth in log size of what grows, whatever comes nearer or goes away meanwhile.
_GROWN = np.log(1.18)
#: How far off a given ratio may be, in log size: that of "twice as big", that of "as big".
_ABOUT, _EQUAL = np.log(1.35), np.log(1.18)
#: How much larger the larger of two is at least, in log size: as told, and in life.
_TOLD, _IN_LIFE = np.log(1.15), np.log(1.08)
#: Things whose sizes differ so many times in life, at least, differ in the same direction in the frame.
_UNLIKE = 2.0
#: How many times as large the one may be in life that is told to be the smaller.
_PLAUSIBLE = 4.0


def facts(reading: Reading) -> list[Fact]:
    """Changes of size, comparisons, and which of two that belong together is the larger, as told or in life."""
    found = [*_changes(reading), *_comparisons(reading)]
    # What is said of a pair counts before what is usual.
    for further in (_told(reading), _in_life(reading)):
        compared = {frozenset((fact.source, fact.target)) for fact in found}
        found += [fact for fact in further if frozenset((fact.source, fact.target)) not in compared]
    return found


def _changes(reading: Reading) -> list[Fact]:
    found = []
    for key, performer in reading.play.performers.items():
        for interval, grows in dict.fromkeys(performer.changes) if reading.shown(key) else ():
            when = reading.part(key, interval)
            kind = "grow" if grows else "shrink"
            text = f"{reading.names[key]} becomes {'larger' if grows else 'smaller'} in [{when[0]:.3g}, {when[1]:.3g}]"
            found.append(Fact("sizes", key, key, text, kind, _change(key, when, 1.0 if grows else -1.0)))
    return found


def _change(key: str, when: Interval, sign: float) -> Rule:
    def rule(shot: Shot) -> float | None:
        if shot.frames < 2:
            return None
        boxes = shot.steady[key]
        first, last, times = shot.ends(when)
        size = boxes.size - boxes.near
        return float((sign * (size[:, last] - size[:, first]) * times / _GROWN - 1).min())

    return rule


def _log_ratio(shot: Shot, first: str, second: str, of_height: bool) -> float:
    a, b = shot.boxes[first], shot.boxes[second]
    both = np.flatnonzero((a.seen.mean(0) > 0.5) & (b.seen.mean(0) > 0.5))
    frame = int(both[0]) if len(both) else 0
    if of_height:
        return float(np.log(a.h[:, frame].mean() / b.h[:, frame].mean()))
    return float(a.size[:, frame].mean() - b.size[:, frame].mean())


def _comparisons(reading: Reading) -> list[Fact]:
    found = []
    for source, comparison, target in reading.play.larger:
        if reading.shown(source) and reading.shown(target):
            label = next(
                e.label
                for e in reading.graph.edges
                if (e.source, e.target) == (source, target) and e.type in ("spatial", "relation")
            )
            text = f"{reading.names[source]} {label} {reading.names[target]}"
            found.append(Fact("sizes", source, target, text, str(label), _compared(source, target, comparison)))
    return found


def _compared(source: str, target: str, comparison: Comparison) -> Rule:
    low, high = (np.log(times) for times in comparison.times)
    middle, sign = (low + high) / 2, 1.0 if low > 0 else -1.0

    def rule(shot: Shot) -> float:
        ratio = _log_ratio(shot, source, target, comparison.of_height)
        if high - low < 0.2:
            about = _EQUAL if abs(middle) < 0.1 else _ABOUT
            return float(1 - abs(ratio - middle) / about)
        least = 0.5 * min(abs(low), abs(high))
        return float(sign * ratio / least - 1)

    return rule


def _told(reading: Reading) -> list[Fact]:
    """A giant robot and a small tree: whoever says so means the robot to be the larger, whichever is in life.

    Not of what is much smaller all the same: a large hedgehog beside a small church.
    """
    found = []
    for pair in _together(reading):
        first, second = sorted(pair, key=lambda key: reading.play.performers[key].scale, reverse=True)
        is_told = reading.play.performers[first].scale > 1 > reading.play.performers[second].scale
        if is_told and _metres(reading, first) * _PLAUSIBLE > _metres(reading, second):
            text = f"{reading.names[first]} larger than {reading.names[second]}, as told"
            found.append(
                Fact("sizes", first, second, text, "larger as told", _larger(first, second, _TOLD, as_seen=True))
            )
    return found


def _in_life(reading: Reading) -> list[Fact]:
    found = []
    for pair in _together(reading):
        first, second = sorted(pair, key=lambda key: _metres(reading, key), reverse=True)
        own, other = reading.play.performers[first], reading.play.performers[second]
        times = _metres(reading, first) / _metres(reading, second)
        # A huge mouse and a tiny elephant are as large as they look; what lies in a thing fits into it.
        doubtful = own.scale < other.scale or reading.borne.get(first) == second
        if not doubtful and (times > _UNLIKE or (own.thing.noun == other.thing.noun and times > 1.2)):
            text = f"{reading.names[first]} larger than {reading.names[second]}"
            found.append(Fact("sizes", first, second, text, "larger in life", _larger(first, second, _IN_LIFE)))
    return found


def _together(reading: Reading) -> list[tuple[str, ...]]:
    """Pairs of performers that an event or a relation brings together; all pairs of two if there are but two."""
    keys = [key for key in reading.play.performers if reading.shown(key) and not reading.play.performers[key].changes]
    pairs = [frozenset((s.source, s.target)) for s in reading.stated]
    for deed in reading.play.deeds:
        pairs += [frozenset((a, b)) for a in deed.agents for b in (*deed.patients, *(t for _, t in deed.ways))]
    if len(keys) == 2:
        pairs.append(frozenset(keys))
    return [tuple(pair) for pair in dict.fromkeys(pairs) if len(pair) == 2 and pair <= set(keys)]


def _metres(reading: Reading, key: str) -> float:
    performer = reading.play.performers[key]
    (low, high), (narrow, wide) = performer.thing.height, performer.thing.width
    across, up = performer.posture[1], performer.posture[0]
    return float(performer.scale * ((low + high) / 2 * up * (narrow + wide) / 2 * across) ** 0.5)


def _larger(first: str, second: str, least: float, as_seen: bool = False) -> Rule:
    """At the same distance, by `least` in log size; `as_seen`: as it is in the frame too."""

    def rule(shot: Shot) -> float:
        a, b = shot.boxes[first], shot.boxes[second]
        ratio = (a.size - a.near).mean() - (b.size - b.near).mean()
        if as_seen:
            ratio = min(ratio, a.size.mean() - b.size.mean())
        return float(ratio / least - 1)

    return rule
