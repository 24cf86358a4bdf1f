"""The questions that checks ask of a video: from what was observed and what the check is about to yes or no."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mov_ai.errors import UsageError
from mov_ai.evaluation.benchmark.geometry import base_points, floor_places, radii, top_points
from mov_ai.evaluation.benchmark.observe import Observed, covered, filled, moves
from mov_ai.evaluation.benchmark.prompts import Check
from mov_ai.evaluation.checker_motion import measure
from mov_ai.evaluation.checker_tracks import Track
from mov_ai.graph.schema import FULL
from mov_ai.worlds.tabletop.scene import RADIUS

#: Share of the frames in which a relation must hold.
_MOST_FRAMES = 0.7
#: World units: things are 0.9 to 1.4 wide. Along its axis a relation asks for this distance, and that it is not much
#: smaller than the distance across. "next to" asks for a gap between the sides of at most `_GAP`.
_APART, _ACROSS, _GAP = 0.45, 0.7, 0.75
#: "on": how far the middle of the base may be from the middle of the top below, as shares of that thing's box.
#: A thing far behind may look as if it lay on top, but it is smaller than the last of these.
_ASIDE, _ABOVE, _BELOW, _SMALLEST = 0.33, 0.3, 0.32, 0.8 * RADIUS["small"]
#: Events in order lie this far apart; those at the same time, at most that far.
_LATER, _SAME = 0.05, 0.17
#: Visible share of a thing, relative to the open: at most the first when hidden, at least the second when not.
_HIDDEN, _OPEN = 0.6, 0.75
#: Most that a resting thing's base moves in the image, and most log of last over first size.
_FIXED, _SAME_SIZE = 0.065, 0.28
#: In touch: widest gap between boxes, as a share of the frame, and how far apart the bases may be in depth.
_TOUCH, _LEVEL = 0.045, 0.5

_Question = Callable[[Observed, dict[str, Any]], bool]


def answer(check: Check, observed: Observed) -> bool:
    """Whether a video shows what a check asks for.

    Raises:
        UsageError: if the check asks a question that there is none of.
    """
    if check.kind not in QUESTIONS:
        raise UsageError(f"check {check.name!r}: kind: expected one of {', '.join(QUESTIONS)}; found {check.kind!r}")
    return bool(QUESTIONS[check.kind](observed, check.about))


# -- one thing ---------------------------------------------------------------------------------------------------------


def _look(observed: Observed, about: dict[str, Any]) -> bool:
    return observed.looks(about["entity"])


def _count(observed: Observed, about: dict[str, Any]) -> bool:
    """As many as said in most frames, counted anew in each: equal things may take over one another's tracks."""
    entity = about["entity"]
    alike = [*(t for t in observed.tracks[entity] if observed.alike(entity, t)), *observed.lookalikes(entity)]
    if not alike:
        return False
    numbers = np.sum([track.seen for track in alike], axis=0)
    return float((numbers == observed.graph.node(entity).count).mean()) >= _MOST_FRAMES


def _steady(observed: Observed, about: dict[str, Any]) -> bool:
    """It looks as said throughout, and neither moves nor changes its size."""
    entity = about["entity"]
    if not observed.looks(entity):
        return False
    measured = [measure(track, FULL, observed.expected[entity].visible) for track in observed.tracks[entity]]
    return all(m.base < _FIXED and abs(m.growth) < _SAME_SIZE and not m.leapt and not m.spun for m in measured)


def _lively(observed: Observed, about: dict[str, Any]) -> bool:
    return any(moves(track, observed.frames) for entity in about["entities"] for track in observed.tracks[entity])


def _event(observed: Observed, about: dict[str, Any]) -> bool:
    return observed.doings(about["event"]) is not None


# -- two events --------------------------------------------------------------------------------------------------------


def _order(observed: Observed, about: dict[str, Any]) -> bool:
    first, second = observed.doings(about["event"]), observed.doings(about["other"])
    if not first or not second:
        return False
    if about["label"] == "equal":
        return all(abs(a.middle - b.middle) <= _SAME for a in first for b in second)
    # By their middles, and neither may reach far past the other's middle.
    return all(
        b.middle - a.middle >= _LATER and a.end <= b.middle + _LATER and b.start >= a.middle - _LATER
        for a in first
        for b in second
    )


# -- two things --------------------------------------------------------------------------------------------------------


def _pair(observed: Observed, about: dict[str, Any]) -> tuple[str, str] | None:
    """The two things, if both look as said."""
    first, second = about["entity"], about["other"]
    return (first, second) if observed.looks(first) and observed.looks(second) else None


def _larger(observed: Observed, about: dict[str, Any]) -> bool:
    pair = _pair(observed, about)
    if pair is None:
        return False
    large, small = (float(np.nanmedian(observed.radius(entity))) for entity in pair)
    return large > 1.2 * small


def _relation(observed: Observed, about: dict[str, Any]) -> bool:
    pair = _pair(observed, about)
    if pair is None:
        return False
    held_frames = holds(observed, *pair, about["label"])
    return len(held_frames) > 0 and float(held_frames.mean()) >= _MOST_FRAMES


def holds(observed: Observed, first: str, second: str, label: str) -> np.ndarray:
    """Whether a relation holds in each of the frames in which both things are seen; bool, as many as there are."""
    both = observed.one(first).seen & observed.one(second).seen
    if label == "on":
        return _rests(observed, first, second)[both]
    x, z = (observed.floor(second) - observed.floor(first))[both].T
    if label == "next to":
        gap = np.hypot(x, z) - (observed.radius(first) + observed.radius(second))[both]
        return gap <= _GAP
    along, across = {"left of": (x, z), "right of": (-x, z), "in front of": (z, x), "behind": (-z, x)}[label]
    return (along > _APART) & (along > _ACROSS * np.abs(across))


def _rests(observed: Observed, upper: str, lower: str) -> np.ndarray:
    """Whether the middle of one base is at the middle of the other's top, frame by frame; False where unseen."""
    boxes, below = observed.one(upper).boxes, observed.one(lower).boxes
    tops = top_points(below, observed.shape(lower))
    aside, down = np.nan_to_num((base_points(boxes, observed.shape(upper)) - tops) / below[:, 2:], nan=1.0).T
    sizes = radii(boxes, observed.shape(upper), floor_places(below, observed.shape(lower)))
    near = bool(np.nanpercentile(sizes, 90) >= _SMALLEST) if np.isfinite(sizes).any() else False
    return near & (np.abs(aside) < _ASIDE) & (down > -_ABOVE) & (down < _BELOW)


# -- meetings ----------------------------------------------------------------------------------------------------------


def _passes(observed: Observed, about: dict[str, Any]) -> bool:
    """It goes by the other thing from side to side, and the farther of the two is hidden where they cross."""
    pair = _pair(observed, about)
    if pair is None or not _crosses(observed, *pair, about["way"]):
        return False
    far, near = pair if about["label"] == "behind" else pair[::-1]
    cover = covered(filled(observed.one(far)), filled(observed.one(near)))
    crossing = cover > 0.5
    if not crossing.any():
        return False
    shown = {entity: _shown(observed.one(entity), cover < 0.05) for entity in pair}
    return bool(shown[far][crossing].mean() <= _HIDDEN and shown[near][crossing].mean() >= _OPEN)


def _crosses(observed: Observed, mover: str, other: str, way: str) -> bool:
    """From one side of the other thing at first to the other side at last."""
    x = filled(observed.one(mover))[:, 0] - filled(observed.one(other))[:, 0]
    sign = 1 if way == "right" else -1
    width = float(np.nanmedian(observed.one(other).boxes[:, 2]))
    return bool(sign * x[0] < -width / 4 and sign * x[-1] > width / 4)


def _shown(track: Track, free: np.ndarray) -> np.ndarray:
    """How much of a thing is seen in each frame, as a share of what is seen of it in the open; (F,)."""
    area = filled(track)[:, 2:].prod(-1)
    open_frames = free & track.seen
    usual = np.median((track.cells / area)[open_frames]) if open_frames.any() else np.nan
    return np.nan_to_num(track.cells / area / usual, nan=0.0)


def _carried(observed: Observed, about: dict[str, Any]) -> bool:
    """Both go the same way, and one rests on the other all the time."""
    pair = _pair(observed, about)
    if pair is None or not all(_goes(observed, entity, about["way"]) for entity in pair):
        return False
    both = observed.one(pair[0]).seen & observed.one(pair[1]).seen
    return bool(both.any() and _rests(observed, *pair)[both].mean() >= _MOST_FRAMES)


def _goes(observed: Observed, entity: str, way: str) -> bool:
    """From one side to the other by more than a third of its own width; what lies on things is not on the floor."""
    track = observed.one(entity)
    x = track.boxes[track.seen, 0]
    part = max(1, len(x) // 5)
    distance = float(np.median(x[-part:]) - np.median(x[:part])) * (1 if way == "right" else -1)
    return distance > max(0.05, float(np.median(track.boxes[track.seen, 2])) / 3)


def _lands(observed: Observed, about: dict[str, Any]) -> bool:
    """High above at first, on its way down all the time, and on the other thing at last."""
    pair = _pair(observed, about)
    if pair is None:
        return False
    upper, lower = pair
    y = observed.one(upper).boxes[observed.one(upper).seen, 1]
    part = max(1, len(y) // 8)
    fallen = float(np.median(y[-part:]) - np.median(y[:part]))
    rests = _rests(observed, upper, lower)
    both = np.flatnonzero(observed.one(upper).seen & observed.one(lower).seen)
    if not len(both):
        return False
    return bool(rests[both[-part:]].any() and not rests[both[:part]].any() and fallen > 0.07)


def _over(observed: Observed, about: dict[str, Any]) -> bool:
    """From side to side, and well above the other thing where they cross."""
    pair = _pair(observed, about)
    if pair is None or not _crosses(observed, *pair, about["way"]):
        return False
    mover, other = (filled(observed.one(entity)) for entity in pair)
    crossing = np.abs(mover[:, 0] - other[:, 0]) < other[:, 2] / 2
    if not crossing.any():
        crossing = np.arange(len(mover)) == np.abs(mover[:, 0] - other[:, 0]).argmin()
    foot = mover[:, 1] + mover[:, 3] / 2
    part = max(1, len(foot) // 8)
    ends = min(float(foot[:part].mean()), float(foot[-part:].mean()))
    above = bool((foot < other[:, 1] - other[:, 3] / 4)[crossing].all())
    return above and ends - float(foot[crossing].min()) > 0.08


def _pushes(observed: Observed, about: dict[str, Any]) -> bool:
    """Both go the same way, in touch, the pusher behind."""
    pair = _pair(observed, about)
    if pair is None or not all(_goes(observed, entity, about["way"]) for entity in pair):
        return False
    both = observed.one(pair[0]).seen & observed.one(pair[1]).seen
    back, front = (observed.one(entity).boxes[both] for entity in pair)
    sign = 1 if about["way"] == "right" else -1
    gap = sign * (front[:, 0] - back[:, 0]) - (front[:, 2] + back[:, 2]) / 2
    depth = np.abs(observed.floor(pair[0]) - observed.floor(pair[1]))[both, 1]
    touching = (gap < _TOUCH) & (gap > -min(front[:, 2].mean(), back[:, 2].mean()) / 2) & (depth < _LEVEL)
    return bool(touching.any() and touching.mean() >= _MOST_FRAMES)


QUESTIONS: dict[str, _Question] = {
    "look": _look,
    "count": _count,
    "steady": _steady,
    "lively": _lively,
    "event": _event,
    "order": _order,
    "larger": _larger,
    "relation": _relation,
    "passes": _passes,
    "carried": _carried,
    "lands": _lands,
    "over": _over,
    "pushes": _pushes,
}
