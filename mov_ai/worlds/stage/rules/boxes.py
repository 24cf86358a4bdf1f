"""The boxes of a layout as rules read them: edges, nearness, and what a moving camera adds taken out again.

Arrays are (n, F): n instances of one entity in F frames; lengths are parts of the square frame, y grows downwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from mov_ai.graph import Interval
from mov_ai.graph.time import frame_times

#: A box counts as seen from this visibility on.
SEEN = 0.5


class Boxes:
    """The boxes of one entity.

    Attributes:
        x, y: of the middle. w, h: width and height. q: nearness, 1 over depth. seen: visibility. All (n, F).
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, w: np.ndarray, h: np.ndarray, q: np.ndarray, seen: np.ndarray):
        self.x, self.y, self.w, self.h, self.q, self.seen = x, y, w, h, q, seen

    @cached_property
    def left(self) -> np.ndarray:
        return self.x - self.w / 2

    @cached_property
    def right(self) -> np.ndarray:
        return self.x + self.w / 2

    @cached_property
    def top(self) -> np.ndarray:
        return self.y - self.h / 2

    @cached_property
    def bottom(self) -> np.ndarray:
        return self.y + self.h / 2

    @cached_property
    def near(self) -> np.ndarray:
        """log of nearness."""
        return np.log(self.q)

    @cached_property
    def size(self) -> np.ndarray:
        """log of the root of the area."""
        return np.log(self.w * self.h) / 2

    @cached_property
    def framed(self) -> np.ndarray:
        """Share within the frame, whether it is there or not."""
        across = np.minimum(self.right, 1) - np.maximum(self.left, 0)
        up = np.minimum(self.bottom, 1) - np.maximum(self.top, 0)
        return np.asarray(np.clip(across, 0, None) * np.clip(up, 0, None) / (self.w * self.h))

    @cached_property
    def inside(self) -> np.ndarray:
        """Share that is there and within the frame."""
        return np.asarray(self.framed * (self.seen > SEEN / 2))

    def one(self, instance: int) -> Boxes:
        """One instance of several; (1, F)."""
        part = [values[instance][None] for values in (self.x, self.y, self.w, self.h, self.q, self.seen)]
        return Boxes(*part)

    @cached_property
    def hull(self) -> Boxes:
        """One box around all instances, as near as their mean; (1, F)."""
        if len(self.x) == 1:
            return self
        left, right = self.left.min(0, keepdims=True), self.right.max(0, keepdims=True)
        top, bottom = self.top.min(0, keepdims=True), self.bottom.max(0, keepdims=True)
        q, seen = self.q.mean(0, keepdims=True), self.seen.min(0, keepdims=True)
        return Boxes((left + right) / 2, (top + bottom) / 2, right - left, bottom - top, q, seen)


def boxes_of(array: np.ndarray) -> Boxes:
    """From (n, F, 6), columns as `mov_ai.graph.BOX_FIELDS`."""
    x, y, w, h, depth, seen = np.moveaxis(array.astype(np.float64), -1, 0)
    return Boxes(x, y, np.maximum(w, 1e-4), np.maximum(h, 1e-4), 1 / np.maximum(depth, 1e-3), seen)


class Shot:
    """All boxes of one layout.

    Attributes:
        boxes: entity -> its boxes, as they are in the frame.
        steady: the same as a camera that does not move would see them: so that what stands still stands still. Where
            nothing stands still beside a moving camera, they are as they are.
    """

    def __init__(self, boxes: Mapping[str, Boxes], frames: int, anchors: Sequence[str] | None = None) -> None:
        """`anchors`: what stands still, if the camera moves; None if it does not."""
        self.boxes, self.frames, self.time = boxes, frames, frame_times(frames)
        self.steady: Mapping[str, Boxes] = boxes
        if anchors:
            self.steady = {key: _beside(own, boxes[anchors[0]]) for key, own in boxes.items()}
        self._spans: dict[Interval, np.ndarray] = {}

    def at(self, interval: Interval) -> np.ndarray:
        """Indices of the frames in an interval, in order; at least two, if the video has as many."""
        frames = self._spans.get(interval)
        if frames is None:
            frames = np.flatnonzero((self.time >= interval[0]) & (self.time <= interval[1]))
            if len(frames) < 2:
                middle = int(min(max((interval[0] + interval[1]) / 2 * self.frames - 0.5, 0), self.frames - 1))
                frames = np.arange(max(0, middle - 1), min(self.frames, middle + 2))
            self._spans[interval] = frames
        return frames

    def ends(self, interval: Interval) -> tuple[int, int, float]:
        """First and last frame of an interval, and by what to multiply the way between them: a motion begins before
        the middle of its first frame and ends after that of its last."""
        frames = self.at(interval)
        return int(frames[0]), int(frames[-1]), len(frames) / max(1, len(frames) - 1)


def _beside(own: Boxes, anchor: Boxes) -> Boxes:
    """Boxes moved and scaled so that the first instance of another stays as it is in the first frame."""
    x, y, w, q = anchor.x[:1], anchor.y[:1], anchor.w[:1], anchor.q[:1]
    scale, nearer = w / w[:, :1], q / q[:, :1]
    return Boxes(
        (own.x - x) / scale + x[:, :1],
        (own.y - y) / scale + y[:, :1],
        own.w / scale,
        own.h / scale,
        own.q / nearer,
        own.seen,
    )


# -- how two things lie to each other, (n, m, k) in k frames -----------------------------------------------------------


def across(a: Boxes, b: Boxes, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far the middle of a is to the right of that of b, and half the sum of their widths."""
    return a.x[:, None, frames] - b.x[None, :, frames], (a.w[:, None, frames] + b.w[None, :, frames]) / 2


def gap(a: Boxes, b: Boxes, frames: np.ndarray) -> np.ndarray:
    """The room between two boxes; 0 if they touch."""
    x, half = across(a, b, frames)
    y, high = a.y[:, None, frames] - b.y[None, :, frames], (a.h[:, None, frames] + b.h[None, :, frames]) / 2
    return np.hypot(np.maximum(np.abs(x) - half, 0), np.maximum(np.abs(y) - high, 0))


def shared(a: Boxes, b: Boxes, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Width and height of what two boxes have in common."""
    low = np.maximum(a.left[:, None, frames], b.left[None, :, frames])
    high = np.minimum(a.right[:, None, frames], b.right[None, :, frames])
    top = np.maximum(a.top[:, None, frames], b.top[None, :, frames])
    bottom = np.minimum(a.bottom[:, None, frames], b.bottom[None, :, frames])
    return np.maximum(high - low, 0), np.maximum(bottom - top, 0)


def mostly(margins: np.ndarray) -> float:
    """The least of some margins over frames, the last axis, but for the worst eighth of them; then over the others."""
    count = margins.shape[-1]
    if count >= 8:
        margins = np.sort(margins, axis=-1)[..., count // 8]
    return float(margins.min())
