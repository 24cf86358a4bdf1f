"""Time in graphs: intervals on [0, 1], how they lie to each other, and the frames of a video."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

ALLEN_RELATIONS = ("before", "after", "meets", "during", "overlaps", "starts", "finishes", "equal")

#: How long an event lasts in life, shortest first.
DURATIONS = (
    "instant", "seconds", "minutes", "hours", "days", "weeks", "months", "years", "decades", "centuries", "forever",
)  # fmt: skip
#: How long the first of two events lasts beside the second.
LENGTH_RELATIONS = ("shorter", "same", "longer")

Interval = tuple[float, float]
FULL: Interval = (0.0, 1.0)


def allen(a: Interval, b: Interval, meets: bool = False) -> tuple[bool, str]:
    """How two intervals lie in time (Allen 1983): (swapped, label of `ALLEN_RELATIONS`); swapped: from b to a.

    Args:
        meets: whether one that is over when the other begins is said to bring it about.
    """
    if a[1] <= b[0]:
        return False, "meets" if meets else "before"
    if b[1] <= a[0]:
        return True, "meets" if meets else "before"
    if a == b:
        return False, "equal"
    if a[0] == b[0]:
        return a[1] > b[1], "starts"
    if a[1] == b[1]:
        return a[0] < b[0], "finishes"
    if (a[0] < b[0]) == (a[1] > b[1]):
        return a[0] < b[0], "during"
    return a[0] > b[0], "overlaps"


def frame_times(frames: int) -> np.ndarray:
    """The middle of each frame on [0, 1]; (frames,)."""
    return (np.arange(frames) + 0.5) / frames


def change_time(interval: Interval) -> float:
    """When a sudden change (turn, vanish, appear) of that interval happens.

    At its start; or in its middle if it starts with the clip, for the state before must be seen too.
    """
    return interval[0] if interval[0] > 0 else interval[1] / 2


def part_of_video(interval: Interval) -> str:
    """Of which part of a video something holds: "whole", "first", "last", or "middle" for neither end."""
    starts, ends = interval[0] <= 1e-3, interval[1] >= 1 - 1e-3
    return "whole" if starts and ends else "first" if starts else "last" if ends else "middle"


def relation_end(moves: Sequence[Interval]) -> float:
    """Until when a spatial relation that is true at first can be relied on: when the first of `moves` starts.

    These are the intervals of the events that take either thing elsewhere on the ground; its end if it starts at 0.
    """
    if not moves:
        return 1.0
    start, end = min(moves)
    return start if start > 0 else end
