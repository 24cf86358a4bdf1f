"""Layouts drawn by hand for tests: tracks from a few points in time."""

from __future__ import annotations

import numpy as np

from mov_ai.graph import Layout, Track
from mov_ai.graph.time import frame_times
from studies.layout.cast import Cast

FRAMES = 16


def way(*points: tuple[float, float, float], size: float = 0.15, depth: float = 5.0, **fields: float) -> np.ndarray:
    """Boxes (FRAMES, 6) through points (time, x, y), linear between them; `w` and `h` default to `size`."""
    times = frame_times(FRAMES)
    moments, xs, ys = np.array(points, dtype=float).T
    boxes = np.empty((FRAMES, 6), dtype=np.float32)
    boxes[:, 0], boxes[:, 1] = np.interp(times, moments, xs), np.interp(times, moments, ys)
    boxes[:, 2:] = (fields.get("w", size), fields.get("h", size), depth, 1)
    return boxes


def at(x: float, y: float, size: float = 0.15, depth: float = 5.0, **fields: float) -> np.ndarray:
    """A box that stays, (FRAMES, 6)."""
    return way((0, x, y), size=size, depth=depth, **fields)


def scaled(boxes: np.ndarray, *sizes: float) -> np.ndarray:
    """Boxes whose size is multiplied by factors at equal distances in time, and the depth divided by them."""
    factor = np.interp(np.linspace(0, 1, FRAMES), np.linspace(0, 1, len(sizes)), sizes)[:, None]
    boxes = boxes.copy()
    boxes[:, 2:4] *= factor
    boxes[:, 4:5] /= factor
    return boxes


def seen(boxes: np.ndarray, start: float, end: float) -> np.ndarray:
    """Boxes that are visible only in a part of the video."""
    times = frame_times(FRAMES)
    boxes = boxes.copy()
    boxes[:, 5] = (times >= start) & (times <= end)
    return boxes


def drawn(**tracks: np.ndarray | list[np.ndarray]) -> tuple[Layout, Cast]:
    """A layout with a track for each name, or several, and a cast in which everybody plays herself."""
    made, actors = [], {}
    for name, boxes in tracks.items():
        instances = boxes if isinstance(boxes, list) else [boxes]
        made += [Track(name, one, i, name) for i, one in enumerate(instances)]
        actors[name] = tuple((name, i) for i in range(len(instances)))
    return Layout(FRAMES, made), Cast(actors, dict(actors))
