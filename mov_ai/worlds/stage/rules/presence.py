"""What is there, how many, and when: present, appearing, vanishing, entering, leaving."""

from __future__ import annotations

import numpy as np

from mov_ai.graph import Interval
from mov_ai.graph.time import FULL, change_time
from mov_ai.worlds.stage.rules.boxes import SEEN, Shot, shared
from mov_ai.worlds.stage.rules.fact import Fact, Rule
from mov_ai.worlds.stage.rules.reading import Reading
from mov_ai.worlds.stage.screenplay import Deed

#: Share of a box in the frame at which it counts as in it, or out of it, when it enters or leaves.
_IN = 0.75
#: Share of a box in the frame at which it has to be seen, and of the moments of which that is asked.
_WHOLE, _SEEN_IN = 0.9, 0.7
#: How far it comes on its way in or out, parts of the frame.
_CROSSED = 0.08
#: Share of the smaller box that two of a group may have in common, on average over the clip.
_CROWDED = 0.1
#: Least width and height of a box that is seen.
_THIN = 0.008
#: Actions after which, or before which, something is not there.
_COMES_OR_GOES = ("enter", "leave", "appear", "vanish")


def facts(reading: Reading) -> list[Fact]:
    """One for each performer: how many, in its time and with room for all."""
    found = []
    for key, count in reading.counts.items():
        if reading.is_region(key):
            continue
        text = f"{count} of {reading.names[key]} there" if count > 1 else f"{reading.names[key]} there"
        if reading.drawn.get(key, 0) < count:
            text += f": only {reading.drawn.get(key, 0)} have boxes"
            found.append(Fact("presence", key, key, text, "number", lambda shot: -1.0))
            continue
        crosses = any(key in d.agents and d.action in _COMES_OR_GOES for d in reading.play.deeds)
        crosses |= any(reading.root(key) in d.agents and d.action in ("enter", "leave") for d in reading.play.deeds)
        present = reading.play.performers[key].present
        if present != FULL:
            text += f" in [{present[0]:.3g}, {present[1]:.3g}] only"
        if not crosses or present != FULL:
            found.append(Fact("presence", key, key, text, "there", _there(key, present, crosses)))
        if count > 1:
            found.append(Fact("presence", key, key, f"room for {count} of {reading.names[key]}", "number", _room(key)))
    return found


def _there(key: str, present: Interval, crosses: bool) -> Rule:
    """In its interval, if it does not come or go by itself, and at no other time; half a frame more or less."""

    def rule(shot: Shot) -> float:
        boxes, slack = shot.boxes[key], 0.6 / shot.frames
        within = (shot.time >= present[0] + slack) & (shot.time <= present[1] - slack)
        if present == FULL:
            within[:] = True
        without = (shot.time < present[0] - slack) | (shot.time > present[1] + slack)
        margins = [1.0]
        there = boxes.seen > SEEN
        if there.any():
            margins.append(float(np.minimum(boxes.w, boxes.h)[there].min()) / _THIN - 1)
        if within.any() and not crosses:
            margins.append(float(boxes.seen[:, within].min()) / SEEN - 1)
        if without.any():
            margins.append(1 - float(boxes.seen[:, without].max()) / SEEN)
        return min(margins)

    return rule


def _room(key: str) -> Rule:
    def rule(shot: Shot) -> float:
        boxes = shot.boxes[key]
        first, second = np.triu_indices(len(boxes.x), 1)
        wide, high = shared(boxes, boxes, np.arange(shot.frames))
        area = boxes.w * boxes.h
        smaller = np.minimum(area[:, None], area[None])
        both = (boxes.seen > SEEN)[:, None] & (boxes.seen > SEEN)[None]
        share = ((wide * high) / smaller * both)[first, second]
        return float(1 - share.mean(-1).max() / _CROWDED)

    return rule


# -- events ------------------------------------------------------------------------------------------------------------


def event_facts(reading: Reading, deed: Deed) -> list[Fact]:
    """Appearing, vanishing, entering, leaving: one for each that does."""
    found: list[Fact] = []
    for key in deed.agents:
        # Who comes to a place on the screen need not come into the frame.
        if not reading.shown(key) or deed.action not in _COMES_OR_GOES or deed.place:
            continue
        if deed.action in ("appear", "vanish"):
            rule = _sudden(key, deed.interval, deed.action == "appear")
        else:
            rule = _crossing(key, deed.interval, deed.direction, deed.action == "enter")
        found.append(Fact("events", deed.id, key, reading.doing(deed, key), deed.action, rule))
    return found


def _sudden(key: str, interval: Interval, appears: bool) -> Rule:
    """Unseen until then and seen from then on within the event, or the other way round."""

    def rule(shot: Shot) -> float | None:
        change, slack = change_time(interval), 0.6 / shot.frames
        before = shot.time < change - slack
        after = (shot.time > change + slack) & (shot.time <= max(interval[1], change + 2.5 / shot.frames))
        if not before.any() or not after.any():
            return None
        seen = shot.boxes[key].seen
        without, within = (before, after) if appears else (after, before)
        if not appears:
            # Seen just before is enough: it may have come in its time.
            within = before & (shot.time > change - slack - 1.5 / shot.frames)
        return min(1 - float(seen[:, without].max()) / SEEN, float(seen[:, within].min()) / SEEN - 1)

    return rule


def _crossing(key: str, interval: Interval, direction: str | None, enters: bool) -> Rule:
    """From outside the frame into it, or out of it, by the side that the direction says."""

    def rule(shot: Shot) -> float | None:
        if shot.frames < 2:
            return None
        boxes, frames = shot.boxes[key], shot.at(interval)
        first, last = int(frames[0]), int(frames[-1])
        # The frame beside the event shows the end that falls between frames.
        outer = max(first - 1, 0) if enters else min(last + 1, shot.frames - 1)
        outside = min(float(boxes.inside[:, edge].mean()) for edge in (outer, first if enters else last))
        margin = min(1 - outside / _IN, float(boxes.inside[:, last if enters else first].min()) / _IN - 1)
        margin = min(3 * margin, 1 - outside / _IN)
        # What has come into the frame is to be seen there.
        within = boxes.framed[:, frames] > _WHOLE
        if within.any():
            margin = min(margin, float((boxes.seen[:, frames] > SEEN)[within].mean()) / _SEEN_IN - 1)
        x, y = (float((v[:, last] - v[:, first]).mean()) for v in (boxes.x, boxes.y))
        far = {"left": -x, "right": x, "up": -y, "down": y}.get(str(direction), max(abs(x), abs(y)))
        return min(margin, far / _CROSSED - 1)

    return rule
