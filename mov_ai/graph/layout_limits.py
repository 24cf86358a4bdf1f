"""What stands against a layout before any verifier looks at it: limits, a graph without things, given boxes outside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mov_ai.graph.instances import MAX_COUNT, MAX_INSTANCES, drawn_entities, left_out
from mov_ai.graph.layout import Layout
from mov_ai.graph.schema import SceneGraph

#: A box may reach over the frame's edge by so much more than its visibility says, in parts of its area.
_OVER = 0.05


def limit_faults(graph: SceneGraph, given: Layout | None = None) -> list[str]:
    """What of a graph has no boxes, and which given boxes cannot be seen as they stand, one line each.

    Args:
        graph: as it was asked for.
        given: boxes that were given, rows of NaN where not.
    """
    faults = []
    if lacking := left_out(graph):
        faults.append(f"room for all: at most {MAX_COUNT} of one entity and {MAX_INSTANCES} in all; no box: {lacking}")
    if not drawn_entities(graph):
        faults.append("something to draw: the graph names nothing that can be shown, so the layout has no boxes")
    for track in given.tracks if given is not None else ():
        name = f"{track.label or track.entity}{f' #{track.instance + 1}' if track.instance else ''}"
        inside = share_inside(track.boxes)
        seen = np.isfinite(inside) & (track.boxes[:, 5] > 0)
        outside = np.flatnonzero(seen & (inside <= 0))
        partly = np.flatnonzero(seen & (inside > 0) & (inside < track.boxes[:, 5] - _OVER))
        if len(outside):
            faults.append(f"given boxes of {name} in the frame: outside in {frame_list(outside)}; kept as given")
        if len(partly):
            faults.append(f"given boxes of {name} in the frame: they reach out in {frame_list(partly)}; kept as given")
    return faults


def share_inside(boxes: np.ndarray) -> np.ndarray:
    """Share of each box (..., 6) that lies within the frame, (...); NaN where none is given."""
    low, high = boxes[..., :2] - boxes[..., 2:4] / 2, boxes[..., :2] + boxes[..., 2:4] / 2
    inside = np.clip(np.clip(high, 0, 1) - np.clip(low, 0, 1), 0, None).prod(axis=-1)
    return np.asarray(inside / np.maximum(boxes[..., 2:4].prod(axis=-1), 1e-9))


def frame_list(frames: Sequence[int] | np.ndarray) -> str:
    """Ascending numbers from 0 as frames from 1, runs joined: "frame 3", "frames 1-4, 9"."""
    runs: list[list[int]] = []
    for frame in map(int, frames):
        if runs and frame == runs[-1][1] + 1:
            runs[-1][1] = frame
        else:
            runs.append([frame, frame])
    parts = [f"{a + 1}" if a == b else f"{a + 1}-{b + 1}" for a, b in runs]
    return f"frame{'' if parts and len(frames) == 1 else 's'} {', '.join(parts)}"
