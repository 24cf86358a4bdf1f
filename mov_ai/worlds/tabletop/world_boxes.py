"""Boxes carried back from the frame into the world of `tabletop`, by its nominal camera.

On the frame alone "comes closer", "falls" and "moves left" look much alike. Depth must therefore be a distance in world
units, as in gold and in planned layouts (6.7 at the middle of the floor).
"""

from __future__ import annotations

import numpy as np

from mov_ai.graph import Interval
from mov_ai.graph.time import frame_times
from mov_ai.worlds.tabletop.scene import Camera, camera_axes

#: The middle of the cameras that the world draws.
NOMINAL_CAMERA = Camera((0.0, 3.3, -6.2), (0.0, 0.62, 0.0), 0.37)
#: A box counts as seen from this visibility on.
SEEN = 0.5


def world_positions(boxes: np.ndarray, camera: Camera = NOMINAL_CAMERA) -> np.ndarray:
    """Centres of boxes in world units, (..., 3): x right, y up, z away; boxes: (..., 6)."""
    position, right, up, forward = camera_axes(camera)
    depth = boxes[..., 4:5]
    sideways = (boxes[..., 0:1] - 0.5) * 2 * camera.tangent * depth
    upwards = (0.5 - boxes[..., 1:2]) * 2 * camera.tangent * depth
    return position + depth * forward + sideways * right + upwards * up


def world_sizes(boxes: np.ndarray, camera: Camera = NOMINAL_CAMERA) -> np.ndarray:
    """Widths and heights of boxes in world units, (..., 2); boxes: (..., 6)."""
    return boxes[..., 2:4] * boxes[..., 4:5] * 2 * camera.tangent


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Areas that boxes have in common in the frame, (...); both: (..., 6)."""
    low = np.maximum(first[..., :2] - first[..., 2:4] / 2, second[..., :2] - second[..., 2:4] / 2)
    high = np.minimum(first[..., :2] + first[..., 2:4] / 2, second[..., :2] + second[..., 2:4] / 2)
    return np.asarray(np.clip(high - low, 0, None).prod(-1))


def frames_of(interval: Interval, frames: int) -> np.ndarray:
    """Indices of the frames in an interval, in order; widened by a frame on each side if there are fewer than three."""
    time = frame_times(frames)
    inside = np.flatnonzero((time >= interval[0]) & (time <= interval[1]))
    if len(inside) >= 3 or len(inside) == frames:
        return inside
    middle = int(np.clip(round((interval[0] + interval[1]) / 2 * frames - 0.5), 0, frames - 1))
    first, last = (inside[0], inside[-1]) if len(inside) else (middle, middle)
    return np.arange(max(0, first - 1), min(frames, last + 2))
