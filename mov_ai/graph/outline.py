"""The outline of a thing within its box: closed lines, which a layout may carry beside the boxes."""

from __future__ import annotations

from typing import Any

import numpy as np

from mov_ai.errors import UsageError, shown

#: Closed lines of points (x, y) within a box, 0 to 1 from its left and its top; what an even number of lines goes
#: around is outside, as the hole of a ring is.
Outline = tuple[tuple[tuple[float, float], ...], ...]
#: Lines of one outline, and points of all of them.
MAX_LINES, MAX_POINTS = 16, 512
#: Samples along each side of a cell, when an outline is filled.
_SAMPLES = 4


def outline_from_list(raw: Any, path: str) -> Outline:
    """An outline as JSON has it. Raises UsageError `path: expected; found`."""
    if not isinstance(raw, list) or not 1 <= len(raw) <= MAX_LINES:
        raise UsageError(f"{path}: expected a list of 1 to {MAX_LINES} closed lines; found {shown(raw)}")
    lines = []
    for number, line in enumerate(raw):
        if not isinstance(line, list) or len(line) < 3:
            raise UsageError(f"{path}[{number}]: expected a list of at least 3 points [x, y]; found {shown(line)}")
        lines.append(tuple(_point(point, f"{path}[{number}][{i}]") for i, point in enumerate(line)))
    if sum(map(len, lines)) > MAX_POINTS:
        raise UsageError(f"{path}: expected at most {MAX_POINTS} points; found {sum(map(len, lines))}")
    outline = tuple(lines)
    if not filled(outline, 32).any():
        raise UsageError(f"{path}: expected lines that go around something; give points that are not all on one line")
    return outline


def _point(raw: Any, path: str) -> tuple[float, float]:
    good = isinstance(raw, list) and len(raw) == 2
    # NaN fails the comparison, and so do numbers of any size.
    if not good or any(not isinstance(v, (int, float)) or isinstance(v, bool) or not 0 <= v <= 1 for v in raw):
        raise UsageError(f"{path}: expected [x, y], both from 0 to 1; found {shown(raw)}")
    return float(raw[0]), float(raw[1])


def outline_to_list(outline: Outline) -> list[list[list[float]]]:
    """An outline for JSON."""
    return [[[round(x, 4), round(y, 4)] for x, y in line] for line in outline]


def filled(outline: Outline, height: int, width: int | None = None) -> np.ndarray:
    """What lies inside an outline: float32 (height, width), shares of the cells of a grid over the box.

    Args:
        height, width: cells of the grid; as many across as down if no width is given.
    """
    width = height if width is None else width
    across, down = ((np.arange(n * _SAMPLES) + 0.5) / (n * _SAMPLES) for n in (width, height))
    inside = np.zeros((height * _SAMPLES, width * _SAMPLES), bool)
    for line in outline:
        for (x, y), (to_x, to_y) in zip(line, (*line[1:], line[0]), strict=True):
            rows = np.flatnonzero((down >= min(y, to_y)) & (down < max(y, to_y)))
            # A sample is inside if an odd number of edges lies to its right.
            crossing = x + (down[rows] - y) / (to_y - y) * (to_x - x) if len(rows) else down[rows]
            inside[rows] ^= across < crossing[:, None]
    return inside.reshape(height, _SAMPLES, width, _SAMPLES).mean((1, 3)).astype(np.float32)
