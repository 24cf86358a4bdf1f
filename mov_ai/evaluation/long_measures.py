"""Long videos measured: what is right in each part, what drifts, what a border between windows shows, what comes again.

All take uint8 videos (T, H, W, 3), sRGB.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mov_ai.evaluation.benchmark.benchmark import squared
from mov_ai.evaluation.checker import Checker
from mov_ai.evaluation.expectations import Expectation, expectations, match
from mov_ai.graph import Interval, SceneGraph
from mov_ai.graph.slices import within
from mov_ai.worlds.tabletop.metric_labels import SHAPE_NAMES

#: Frames that the checker looks at: of a segment, or of a whole video, evenly spaced.
SEEN = 16
#: Share of the frames of a segment in which a colour must be right.
_MOST = 0.8


@dataclass(frozen=True)
class Segment:
    """What one part of a video shows of what a graph says of its things.

    Attributes:
        first: number of its first frame.
        things: how many there should be to be seen.
        right: share of them that have their shape and their colour of that time; NaN of none.
        color, shape: mean probability that the checker gives to the colour and the shape said; NaN of none.
    """

    first: int
    things: int
    right: float
    color: float
    shape: float


def evenly(video: np.ndarray, count: int = SEEN) -> np.ndarray:
    """So many frames, from the middles of equal parts; all of them where there are fewer."""
    if len(video) <= count:
        return video
    return video[((np.arange(count) + 0.5) * len(video) / count).astype(int)]


def segment_starts(frames: int, segments: int, length: int = SEEN) -> list[int]:
    """First frames of evenly spaced segments, from the video's first frame to its last; one where only one fits."""
    if frames < 2 * length:
        return [0]
    starts = np.linspace(0, frames - length, min(segments, frames // length))
    return [int(start) for start in starts.round()]


def measure_segment(checker: Checker, graph: SceneGraph, video: np.ndarray, first: int, frames: int) -> Segment:
    """Look at `SEEN` frames of a long video from number `first` on.

    Args:
        graph: of the whole video.
        video: these frames only.
        frames: of the whole video.
    """
    part = (first / frames, min(1.0, (first + len(video)) / frames))
    expected = {
        entity: _in_part(expectation, part, first, len(video))
        for entity, expectation in expectations(graph, frames).items()
    }
    # What should be there for less than half of the time comes or goes, and is no matter of looks.
    there = {entity: e for entity, e in expected.items() if e.visible.mean() >= 0.5 and e.checkable}
    tracks, _ = match(there, checker.follow(squared(video)), len(video))
    rights, colors, shapes = [], [], []
    for entity, listed in tracks.items():
        expectation = there[entity]
        if expectation.node.negated:
            continue
        for track in listed:
            seen = track.seen & expectation.visible
            good = bool(seen.any()) and expectation.right_shape(track)
            rights.append(good and all(share >= _MOST for share in expectation.right_colors(track)))
            colored = seen & (expectation.color >= 0)
            if (expectation.color >= 0).any():
                values = track.color[colored, expectation.color[colored]]
                colors.append(float(values.mean()) if len(values) else 0.0)
            if expectation.shape is not None:
                values = track.shape[seen, SHAPE_NAMES.index(expectation.shape)]
                shapes.append(float(values.mean()) if len(values) else 0.0)
    return Segment(first, len(rights), *(float(np.mean(v)) if v else float("nan") for v in (rights, colors, shapes)))


def _in_part(expectation: Expectation, part: Interval, first: int, frames: int) -> Expectation:
    # A colour that is there for a moment only is a change, and no matter of looks either.
    moment = 3 / frames
    held = [(color, within(interval, part)) for color, interval in expectation.colors]
    colors = [(color, interval) for color, interval in held if interval and interval[1] - interval[0] >= moment]
    chosen = slice(first, first + frames)
    return replace(expectation, colors=colors, visible=expectation.visible[chosen], color=expectation.color[chosen])


# -- borders and repetition --------------------------------------------------------------------------------------------


def frame_changes(video: np.ndarray) -> np.ndarray:
    """(T - 1,): mean absolute difference of each frame to the next over pixels and channels, of 255."""
    changes = [np.abs(after.astype(np.int16) - before).mean() for before, after in itertools.pairwise(video)]
    return np.array(changes)


def seam_error(video: np.ndarray, borders: Sequence[int]) -> float:
    """How much more changes from one window to the next than inside of windows; 1 is no more. NaN without a border.

    The mean change into a window's first frame over the mean of all other changes.

    Args:
        borders: numbers of the first frames of all windows but the first.
    """
    changes = frame_changes(video)
    across = np.zeros(len(changes), dtype=bool)
    across[[border - 1 for border in borders]] = True
    if not across.any() or across.all():
        return float("nan")
    return float(changes[across].mean() / max(changes[~across].mean(), 1e-9))


def repetition(video: np.ndarray, lag: int) -> float:
    """Whether what happens comes again after so many frames: correlation of frame changes, from -1 to 1.

    0 is nothing in common, 1 the same change again. Windows that are made of the same noise repeat its texture one
    window later. Averaged over pixels and colours of areas of 4 by 4, and over all frames; NaN where T <= lag + 1.
    """
    if len(video) <= lag + 1:
        return float("nan")
    height, width = (side - side % 4 for side in video.shape[1:3])
    small = video[:, :height, :width].reshape(len(video), height // 4, 4, width // 4, 4, 3).mean((2, 4))
    changes = np.diff(small.reshape(len(small), -1), axis=0)
    changes -= changes.mean(1, keepdims=True)
    lengths = np.linalg.norm(changes, axis=1)
    products = (changes[lag:] * changes[:-lag]).sum(1) / np.maximum(lengths[lag:] * lengths[:-lag], 1e-9)
    return float(products.mean())
