"""What the moves of a camera do to boxes: turns, zooms, rides and ways around the stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mov_ai.graph import Interval
from mov_ai.worlds.stage.view import View

#: How far a camera turns, in parts of the frame; goes, in parts of the distance to the middle of the stage; goes round
#: it, in radians; and how many times as near a zoom brings things.
_PAN, _TILT, _DOLLY, _TRUCK, _ORBIT, _ZOOM = (0.18, 0.4), (0.14, 0.3), (0.25, 0.4), (0.2, 0.4), (0.3, 0.6), (1.3, 1.8)
#: How far boxes keep from the frame's edge, and the share of them that stays in it on a ride.
_EDGE, _WITHIN = 0.015, 0.85


def progress(interval: Interval, time: np.ndarray) -> np.ndarray:
    """How far something of an interval has come at each time, 0 to 1."""
    return np.clip((time - interval[0]) / (interval[1] - interval[0]), 0.0, 1.0)


@dataclass
class Shown:
    """Boxes of one thing: (n, F) each of middle x, bottom b, nearness q, and of width and height in the frame."""

    x: np.ndarray
    b: np.ndarray
    q: np.ndarray
    w: np.ndarray
    h: np.ndarray


def film(
    things: Sequence[Shown],
    behind: Sequence[Shown],
    moves: Sequence[tuple[str, Interval]],
    view: View,
    time: np.ndarray,
    rng: np.random.Generator,
) -> bool:
    """Move the camera past all boxes, in place.

    Args:
        things: performers. behind: regions, which are so far away that only turns and zooms move them.
        moves: (name of `camera` in meanings.yaml, while when).

    Returns:
        whether all that was in the frame stays there.
    """
    if not moves or not things:
        return True
    for shown in behind:
        shown.w *= 1.5
    for name, interval in moves:
        kind, way = name.split()
        sign, u = (1.0 if way in ("left", "up", "in") else -1.0), progress(interval, time)
        if kind in ("pan", "tilt"):
            if not _turn(things, behind, kind, sign, u, rng):
                return False
        elif kind == "zoom":
            _zoom(things, behind, u if sign > 0 else 1 - u, rng)
        elif kind == "orbit":
            _orbit(things, sign * float(rng.uniform(*_ORBIT)) * (u - 0.5), view)
        else:
            far = _DOLLY if kind == "dolly" else _TRUCK
            _ride(things, kind, sign * float(rng.uniform(*far)) * (u - 0.5), view)
    return all(float(share_inside(shown).min()) > _WITHIN for shown in things)


def share_inside(shown: Shown) -> np.ndarray:
    """(n, F) share of each box that is in the frame."""
    across = np.minimum(shown.x + shown.w / 2, 1) - np.maximum(shown.x - shown.w / 2, 0)
    up = np.minimum(shown.b, 1) - np.maximum(shown.b - shown.h, 0)
    return np.asarray(np.clip(across, 0, None) * np.clip(up, 0, None) / (shown.w * shown.h))


def _extent(things: Sequence[Shown]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of all boxes over all frames."""
    return (
        min(float((s.x - s.w / 2).min()) for s in things),
        min(float((s.b - s.h).min()) for s in things),
        max(float((s.x + s.w / 2).max()) for s in things),
        max(float(s.b.max()) for s in things),
    )


def _turn(
    things: Sequence[Shown], behind: Sequence[Shown], kind: str, sign: float, u: np.ndarray, rng: np.random.Generator
) -> bool:
    """To the left or up for a positive sign; False if there is no room for it."""
    extent = _extent(things)
    low, high, far = (extent[0], extent[2], _PAN) if kind == "pan" else (extent[1], extent[3], _TILT)
    distance = min(float(rng.uniform(*far)), 1 - 2 * _EDGE - (high - low))
    if distance < 0.7 * far[0]:
        return False
    # All is in the frame all the while.
    start = (
        _EDGE - low + float(rng.random()) * (1 - 2 * _EDGE - (high - low) - distance) + (0.0 if sign > 0 else distance)
    )
    for shown in (*things, *behind):
        if kind == "pan":
            shown.x += start + sign * distance * u
        else:
            shown.b += start + sign * distance * u
    return True


def _zoom(things: Sequence[Shown], behind: Sequence[Shown], u: np.ndarray, rng: np.random.Generator) -> None:
    """From far to near with u; at its nearest everything is still in the frame."""
    left, top, right, bottom = _extent(things)
    largest = (0.5 - _EDGE) / max(0.5 - left, right - 0.5, 0.5 - top, bottom - 0.5, 0.05)
    times = min(float(rng.uniform(1.0, 1.6)), largest) / float(rng.uniform(*_ZOOM)) ** (1 - u)
    for shown in (*things, *behind):
        shown.x[:] = 0.5 + (shown.x - 0.5) * times
        shown.b[:] = 0.5 + (shown.b - 0.5) * times
        shown.w *= times
        shown.h *= times


def _orbit(things: Sequence[Shown], angle: np.ndarray, view: View) -> None:
    """Around the middle of the stage; where the angle grows the camera goes to the left."""
    cos, sin = np.cos(angle), np.sin(angle)
    for shown in things:
        aside, deep, down = (shown.x - 0.5) / shown.q, 1 / shown.q - 1, (shown.b - view.horizon) / shown.q
        q = 1 / np.maximum(0.2, 1 + cos * deep + sin * aside)
        shown.x[:] = 0.5 + (cos * aside - sin * deep) * q
        _at_nearness(shown, q, down, view)


def _ride(things: Sequence[Shown], kind: str, far: np.ndarray, view: View) -> None:
    """Forward (dolly), to the left (truck) or up (pedestal)."""
    for shown in things:
        aside, deep, down = (shown.x - 0.5) / shown.q, 1 / shown.q, (shown.b - view.horizon) / shown.q
        if kind == "dolly":
            deep = np.maximum(0.25, deep - far)
        elif kind == "truck":
            aside = aside + far
        else:
            down = down + far
        q = 1 / deep
        shown.x[:] = 0.5 + aside * q
        _at_nearness(shown, q, down, view)


def _at_nearness(shown: Shown, q: np.ndarray, down: np.ndarray, view: View) -> None:
    shown.b[:] = view.horizon + down * q
    shown.w *= q / shown.q
    shown.h *= q / shown.q
    shown.q[:] = q
