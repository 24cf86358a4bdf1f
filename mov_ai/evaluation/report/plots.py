"""Where the parts of a plot stand; `plots.html` draws them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def bias_places(
    curve: Sequence[tuple[int, float]], limit: float | None, limit_interval: Sequence[float] | None
) -> dict[str, Any]:
    """Pixels of a distance against 1 / n, on which its bias is a line.

    Args:
        curve: (n, distance), at least two, n growing.
        limit: the distance extrapolated to infinitely many videos, if it is known, with its interval.
    """
    left, right, top, floor = 70, 570, 16, 230
    values = [value for _, value in curve] + ([limit] if limit is not None else []) + list(limit_interval or ())
    low, high = min(0.0, *values), max(values)
    high = high if high > low else low + 1

    def x(n: int) -> float:
        return left + (right - left) * curve[0][0] / n

    def y(value: float) -> float:
        return floor - (floor - top) * (value - low) / (high - low)

    step = _round_step((high - low) / 4)
    grid = [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
    ticks: list[tuple[float, int]] = []
    for n, _ in reversed(curve):
        if not ticks or abs(x(n) - ticks[-1][0]) > 34:
            ticks.append((x(n), n))
    return {
        "left": left,
        "right": right,
        "floor": floor,
        "grid": [(y(value), value) for value in grid],
        "ticks": ticks,
        "points": [(x(n), y(value), n, value) for n, value in curve],
        "limit": None if limit is None else (y(limit), limit, [y(value) for value in limit_interval or ()]),
    }


def _round_step(rough: float) -> float:
    """The nearest of 1, 2, 5 times a power of ten that is not smaller."""
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.999)
