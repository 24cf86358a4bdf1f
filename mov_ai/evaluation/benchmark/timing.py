"""When a track does something, wherever in the video that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mov_ai.evaluation.checker_motion import Measurement, measure, shows
from mov_ai.evaluation.checker_tracks import Track
from mov_ai.graph import Interval
from mov_ai.graph.time import frame_times

#: Ends of a motion: where it has covered these shares of its way.
_BEGUN, _DONE = 0.2, 0.8
#: A window counts if it holds this share of the best window's motion: then it overlaps the motion by half.
_HALF = 0.5
#: Share of the frames on either side of a sudden change that must be right.
_RIGHT_FRAMES = 0.8
#: Height of a jump, as a share of the frame, and where it is high: less below its top than this share of its height.
_LEAP, _HIGH = 0.035, 0.7
#: Below this change from frame to frame a cube counts as still; four times its angle, in radians.
_STILL = 0.35


@dataclass(frozen=True)
class Doing:
    """When a track does something: from where it has begun to where it is almost done, in [0, 1]."""

    start: float
    end: float

    @property
    def middle(self) -> float:
        """Between the two."""
        return (self.start + self.end) / 2


def happens(motion: str, track: Track, interval: Interval) -> Doing | None:
    """When a track shows a motion of `lexicon.MOTIONS`, but for "turn"; None if it nowhere does.

    Of the interval only the length counts: the motion is looked for in windows of that length. Both ends of "vanish"
    and "appear" are the moment of the change.
    """
    times = frame_times(len(track.cells))
    if motion in ("vanish", "appear"):
        return switched(track, off=motion == "vanish")
    if track.seen.sum() < 2:
        return None
    if motion in ("jump", "spin"):
        span = _leap(track, times, interval) if motion == "jump" else _spin(track, times)
        return span if span is not None and _around(motion, track, span, interval) else None
    return _best_window(motion, track, interval)


def switched(track: Track, off: bool) -> Doing | None:
    """When a track goes out for good (`off`), or comes in to stay; None if it does not."""
    is_on, times = (track.seen if off else track.seen[::-1]), frame_times(len(track.cells))
    least = min(2, max(1, len(is_on) // 8))
    right = [int(is_on[:split].sum() + (~is_on[split:]).sum()) for split in range(1, len(is_on))]
    split = 1 + int(np.argmax(right))
    if (
        is_on[:split].mean() < _RIGHT_FRAMES
        or (~is_on[split:]).mean() < _RIGHT_FRAMES
        or min(split, len(is_on) - split) < least
    ):
        return None
    time = float(times[split - 1] + times[split]) / 2
    return Doing(time, time) if off else Doing(1 - time, 1 - time)


def _best_window(motion: str, track: Track, interval: Interval) -> Doing | None:
    """Where most of the motion is done, among all windows that show it."""
    frames = len(track.cells)
    length = interval[1] - interval[0]
    # Windows may overhang the video's ends by half, so that they lie evenly around a motion at the edge too.
    starts = np.arange(-int(length / 2 * frames), int((1 - length / 2) * frames) + 1) / frames
    anywhere = np.ones(frames, dtype=bool)
    scored_starts = []
    for start in (*starts, interval[0]):
        measured = measure(track, (float(start), float(start) + length), anywhere)
        if shows(motion, measured):
            scored_starts.append((_done(motion, measured), float(start)))
    if not scored_starts:
        return None
    best = max(done for done, _ in scored_starts)
    good = [start for done, start in scored_starts if done >= _HALF * best]
    begin, end = min(good) + length / 2, max(good) + length / 2
    if end - begin < length:
        # Fewer good windows than a motion of this length has: its neighbours in time hid some, so widen the range.
        begin, end = (begin + end - length) / 2, (begin + end + length) / 2
    return Doing(begin + _BEGUN * (end - begin), begin + _DONE * (end - begin))


def _done(motion: str, measured: Measurement) -> float:
    """How much of a motion a measurement shows."""
    if motion in ("left", "right"):
        return abs(measured.sideways)
    if motion in ("toward", "away"):
        return abs(measured.inward)
    if motion in ("rise", "fall"):
        return abs(measured.upward)
    return abs(measured.growth) if motion in ("grow", "shrink") else 1.0


def _around(motion: str, track: Track, span: Doing, interval: Interval) -> bool:
    """Whether the time around a span shows a motion, or the time when it should happen."""
    half = (interval[1] - interval[0]) / 2 + 0.5 / len(track.cells)
    window = (max(0.0, span.middle - half), min(1.0, span.middle + half))
    anywhere = np.ones(len(track.cells), dtype=bool)
    return any(bool(shows(motion, measure(track, part, anywhere))) for part in (interval, window))


def _leap(track: Track, times: np.ndarray, interval: Interval) -> Doing | None:
    """Up and down again, within about the time that the event takes."""
    y, at = track.boxes[track.seen, 1], times[track.seen]
    reach = (interval[1] - interval[0]) / 2 + 1.5 / len(y)
    best, top = 0.0, 0
    for k in range(len(y)):
        before = y[(at <= at[k]) & (at >= at[k] - reach)].max() - y[k]
        after = y[(at >= at[k]) & (at <= at[k] + reach)].max() - y[k]
        if min(before, after) > best:
            best, top = float(min(before, after)), k
    if best < _LEAP:
        return None
    high = np.flatnonzero((y < y[top] + _HIGH * best) & (np.abs(at - at[top]) <= reach))
    return Doing(float(at[high[0]]), float(at[high[-1]]))


def _spin(track: Track, times: np.ndarray) -> Doing | None:
    """Where a cube's angle goes on changing."""
    angles = track.turn[track.seen, 0] + 1j * track.turn[track.seen, 1]
    steps = np.abs(np.angle(angles[1:] * np.conj(angles[:-1])))
    turned = np.concatenate([[0.0], np.cumsum(np.where(steps > _STILL, steps, 0.0))])
    if turned[-1] == 0:
        return None
    start, end = (float(np.interp(share * turned[-1], turned, times[track.seen])) for share in (_BEGUN, _DONE))
    return Doing(start, end)
