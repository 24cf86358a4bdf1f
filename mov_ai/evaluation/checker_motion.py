"""What an object does in an interval, measured from its boxes, and which measurements make which motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mov_ai.evaluation.checker_tracks import Track
from mov_ai.graph import Interval
from mov_ai.graph.time import change_time, frame_times

#: The world's camera: tangent of half its field of view, sine and cosine of the angle by which it looks down.
_TANGENT, _SINE, _COSINE = 0.37, 0.397, 0.918
#: Axes of the world in the camera's coordinates: right, up, forward.
_AXES = {"sideways": (1.0, 0.0, 0.0), "inward": (0.0, _SINE, _COSINE), "upward": (0.0, _COSINE, -_SINE)}
#: Ways that are tried, and how far off the base (tangents) and the size (log) usually are.
_WAYS = np.linspace(-0.5, 0.5, 401)
_PLACE_ERROR, _SIZE_ERROR = 0.012, 0.1
#: From the box's centre down to the middle of the base, as a share of the box's height, by shape.
_BASE = {"sphere": 0.459, "cube": 0.33, "cylinder": 0.361, "cone": 0.322}

# Thresholds, set between what the world's clips show of a motion and what they show of all others.
# Ways are shares of the distance to the camera: the world's motions cover 0.1 to 0.35 of it, others up to 0.05.
_MOVED = 0.07
#: Log of last over first size: 0.35 or more for things that grow or shrink. Way of the base: 0.058 or more for moves.
_GREW, _FIXED_BASE, _SAME_SIZE = 0.22, 0.045, 0.17
#: Both rise and drop: 0.06 or more for jumps, and alike; what falls after it rose has a little of the rise.
_LEAPT, _ALIKE = 0.045, 0.25
#: 1 - resultant length of a cube's angles, and the certainty without which it means nothing.
_TURNED, _CERTAIN = 0.25, 0.2
#: Shares of frames in which something is there, or is not.
_MOSTLY_VISIBLE, _MOSTLY_HIDDEN = 0.6, 0.25


@dataclass(frozen=True)
class Measurement:
    """What a track does in an interval. Ways are in distances to the camera; nan where the track is not seen enough.

    Attributes:
        likeliest: which one of the four below explains best how the box changed, if only one of them happened.
        sideways, inward, upward: ways to the right, away from the camera and up, from the interval's first to its last
            frame.
        growth: log of last over first size.
        base: way of the base in the image, share of the frame.
        rise, drop: how far the highest place is above the start and above the end.
        turned: how much a cube's angle varies, from 0 (always the same) to 1 (all angles alike).
        certain: how sure the network is of the angle, about 0 to 1.
        before, after: share of the frames before and after the interval's sudden change in which it is seen, as far
            from the change as the graph lets the object be there, or not be there, without a break.
        seen: share of the interval's frames in which it is seen.
    """

    likeliest: str | None
    sideways: float
    inward: float
    upward: float
    growth: float
    base: float
    rise: float
    drop: float
    turned: float
    certain: float
    before: float
    after: float
    seen: float

    @property
    def grew(self) -> bool:
        """The size changed, and no way explains it."""
        return self.likeliest == "growth" and abs(self.growth) > _GREW

    @property
    def leapt(self) -> bool:
        """It went up and came down again."""
        return min(self.rise, self.drop) > max(_LEAPT, _ALIKE * max(self.rise, self.drop))

    @property
    def spun(self) -> bool:
        """It is a cube that turned about itself."""
        return self.turned > _TURNED and self.certain > _CERTAIN

    @property
    def stayed(self) -> bool:
        """Neither its place nor its height nor its size changed."""
        return self.base < _FIXED_BASE and not self.leapt and not self.grew

    def went(self, axis: str, way: float) -> bool:
        """Whether it went far enough along an axis, and that axis explains best what is seen."""
        return self.likeliest == axis and way > _MOVED and not self.leapt


def measure(track: Track, interval: Interval, expected: np.ndarray) -> Measurement:
    """Measure a track in an interval; `expected` (F,) bool says in which frames the graph lets the object be there."""
    times = frame_times(len(track.cells))
    inside = (times >= interval[0]) & (times < interval[1])
    before, after = _presence(track, times, interval, expected)
    seen = float(track.seen[inside].mean()) if inside.any() else 0.0
    picked = np.flatnonzero(inside & track.seen)
    if len(picked) < 2:
        nan = float("nan")
        return Measurement(None, nan, nan, nan, nan, nan, nan, nan, nan, nan, before, after, seen)
    boxes = track.boxes
    first, last = _ends(boxes[picked], times[picked])
    base_of = _BASE[track.shape_name()]
    growth = float(np.log(last[2:] / first[2:]).mean())
    start, end = (box[:2] + np.array([0, base_of * box[3]]) for box in (first, last))
    shift = float(np.linalg.norm(end - start))
    likeliest, ways = _explain(start, end, growth)
    turned, certain = _turned(track, picked)
    rise, drop = _leap(boxes, np.flatnonzero(track.seen), picked)
    return Measurement(
        likeliest=likeliest,
        sideways=ways["sideways"],
        inward=ways["inward"],
        upward=ways["upward"],
        growth=growth,
        base=shift,
        rise=rise,
        drop=drop,
        turned=turned,
        certain=certain,
        before=before,
        after=after,
        seen=seen,
    )


def shows(motion: str, m: Measurement) -> bool | None:
    """Whether the measurements show a motion of `lexicon.MOTIONS`; None for "turn", which is told by colours.

    Raises:
        ValueError: if it is not a motion of the world.
    """
    if motion == "turn":
        return None
    if motion in ("vanish", "appear"):
        early, late = (m.before, m.after) if motion == "vanish" else (m.after, m.before)
        return bool(early >= _MOSTLY_VISIBLE and late <= _MOSTLY_HIDDEN)
    if not np.isfinite(m.sideways) or m.seen < _MOSTLY_VISIBLE:
        return False
    match motion:
        case "left" | "right":
            return m.went("sideways", m.sideways if motion == "right" else -m.sideways)
        case "toward" | "away":
            return m.went("inward", m.inward if motion == "away" else -m.inward)
        case "rise" | "fall":
            return m.went("upward", m.upward if motion == "rise" else -m.upward)
        case "jump":
            return m.leapt and not m.grew
        case "grow" | "shrink":
            return m.grew and (m.growth > 0) == (motion == "grow")
        case "spin":
            # A turning cube's box breathes, so its size says nothing here.
            return m.spun and m.base < _FIXED_BASE and not m.leapt
        case "stay":
            return m.stayed and not m.spun and abs(m.growth) < _SAME_SIZE
    raise ValueError(f"motion: {motion!r} is not a motion of the world")


def _ends(boxes: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last box on the line that fits best, by medians: one bad frame does not change it (Theil and Sen)."""
    values = np.concatenate([boxes[:, :2], np.log(boxes[:, 2:])], 1)
    early, late = np.triu_indices(len(times), 1)
    slope = np.median((values[late] - values[early]) / (times[late] - times[early])[:, None], 0)
    start = np.median(values - slope * times[:, None], 0)
    ends = (start + slope * time for time in (times[0], times[-1]))
    first, last = (np.concatenate([end[:2], np.exp(end[2:])]) for end in ends)
    return first, last


def _explain(start: np.ndarray, end: np.ndarray, growth: float) -> tuple[str, dict[str, float]]:
    """Which single change explains best how the base moved in the image and how the size changed.

    A way along each axis of the world predicts both; growth predicts any size and a base that stays.

    Args:
        start, end: (2,) the base in the image, x right and y down in [0, 1].
        growth: log of last over first size.

    Returns:
        "sideways", "inward", "upward" or "growth"; and the best way along each axis, in distances to the camera.
    """
    before, after = (np.array([point[0] - 0.5, 0.5 - point[1]]) * 2 * _TANGENT for point in (start, end))
    misfit = {"growth": float((((after - before) / _PLACE_ERROR) ** 2).sum())}
    ways = {}
    for axis, direction in _AXES.items():
        # In camera coordinates (right, up, forward) the base is at (x, y, 1) at first.
        points = np.array([*before, 1.0]) + _WAYS[:, None] * np.array(direction)
        places = ((points[:, :2] / points[:, 2:] - after) / _PLACE_ERROR) ** 2
        misfits = places.sum(1) + ((-np.log(points[:, 2]) - growth) / _SIZE_ERROR) ** 2
        best = int(misfits.argmin())
        misfit[axis], ways[axis] = float(misfits[best]), float(_WAYS[best])
    return min(misfit, key=lambda name: misfit[name]), ways


def _presence(track: Track, times: np.ndarray, interval: Interval, expected: np.ndarray) -> tuple[float, float]:
    """Share of frames seen up to the sudden change and from it on; a frame of leeway on either side."""
    change, leeway = change_time(interval), 1.01 / len(times)
    shares = []
    for frames in (np.flatnonzero(times < change - leeway)[::-1], np.flatnonzero(times > change + leeway)):
        if len(frames):
            broken = np.flatnonzero(expected[frames] != expected[frames[0]])
            frames = frames[: broken[0]] if len(broken) else frames
        shares.append(float(track.seen[frames].mean()) if len(frames) else float("nan"))
    return shares[0], shares[1]


def _leap(boxes: np.ndarray, seen: np.ndarray, picked: np.ndarray) -> tuple[float, float]:
    """How far the highest place is above those before and after it, a frame on either side of the interval included."""
    wide = seen[(seen >= picked[0] - 1) & (seen <= picked[-1] + 1)]
    height = (0.5 - boxes[wide, 1]) * 2 * _TANGENT
    top = int(height.argmax())
    return float(height[top] - height[: top + 1].min()), float(height[top] - height[top:].min())


def _turned(track: Track, picked: np.ndarray) -> tuple[float, float]:
    """How much a cube's angle varies in the frames picked, and how sure that is; nan for other shapes."""
    if track.shape_name() != "cube":
        return float("nan"), float("nan")
    # From angles to the line of sight to angles in the world: a cube that only passes by does not turn.
    sight = np.arctan2((track.boxes[picked, 0] - 0.5) * 2 * _TANGENT, _COSINE)
    angles = (track.turn[picked, 0] + 1j * track.turn[picked, 1]) * np.exp(4j * sight)
    lengths = np.abs(angles)
    return float(1 - np.abs(angles.sum()) / max(float(lengths.sum()), 1e-6)), float(lengths.mean())
