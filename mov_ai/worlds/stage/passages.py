"""Legs of ways that lead by another thing: past it, behind it, into it, over it, around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mov_ai.worlds.stage.camera import progress
from mov_ai.worlds.stage.mover import Leg, Mover, Spot, Unstageable
from mov_ai.worlds.stage.screenplay import Deed

#: Room between things that stand beside each other.
_GAP = (0.015, 0.05)
#: How near what is under a thing is, beside the thing.
_OPEN = 1.01


@dataclass(frozen=True)
class Target:
    """What a way leads by: its path (3, F), its size in the middle of the stage, and its top or seat as a part of its
    height; `first`, `last`: frames of the way's beginning and end.
    """

    path: np.ndarray
    w: float
    h: float
    seat: float
    first: int
    last: int

    def at(self, frame: int) -> Spot:
        """Where it is in a frame."""
        x, b, q = self.path[:, frame]
        return float(x), float(b), float(q)


def by_thing(
    mover: Mover, deed: Deed, relation: str, target: Target, here: Spot | None, side: float, time: np.ndarray
) -> Leg:
    """Past another thing, behind it, into it, ...

    Args:
        side: 1 for one that comes from the left of the target, -1 from its right, if `here` does not say it.
    """
    x0, b0, q0 = target.at(target.first)
    x1, b1, q1 = target.at(target.last)
    if here is not None:
        side = 1.0 if here[0] < x0 else -1.0
    body = mover.body
    gap, further = mover.draw(_GAP), mover.draw((0.02, 0.12))

    def beside(q: float, s: float, more: float) -> tuple[float, float]:
        """How far from the target's middle one stands beside it, at the beginning and at the end."""
        half = (target.w * q0 + body.width * q) / 2 + gap + more
        return x0 - s * half, (target.w * q1 + body.width * q) / 2 + gap

    def spot(x: float, q: float, b: float | None = None) -> Spot:
        half = body.width * q / 2
        if not half <= x <= 1 - half:
            raise Unstageable("no room beside it")
        if b is None:
            b = mover.view.ground(q) if not mover.is_aloft else b0 - 0.4 * max(0.0, target.h * q0 - body.height * q)
        return x, b, q

    def path(offset: float, q: float, b: float | None = None) -> np.ndarray:
        """Beside the target, wherever it goes."""
        end = spot(x1 + offset, q, b)
        moved = np.array([target.path[0] + offset, np.full(len(time), end[1]), np.full(len(time), end[2])])
        return moved

    near, far = mover.draw((1.1, 1.25)), mover.draw((0.74, 0.86))
    if relation in ("past", "across", "from_left", "from_right", "to_left", "to_right"):
        q = q0 * (near if mover.view.ground(q0 * near) < 0.985 and mover.rng.random() < 0.75 else far)
        begin, half = beside(q, side, further)
        return Leg(here or spot(begin, q), path(side * (half + further), q))
    if relation == "behind" or relation == "front":
        q = q0 * (far if relation == "behind" else near)
        begin, half = beside(q, side, further + 0.1)
        if mover.rng.random() < 0.5:
            # Past it, to where it is all seen again.
            return Leg(here or spot(begin, q), path(side * (half + further), q))
        # Just past its middle.
        return Leg(here or spot(begin, q), path(side * max(0.045, mover.draw((0.1, 0.7)) * half), q))
    if relation in ("to", "beside", "against"):
        q = q0 * mover.draw((0.97, 1.06))
        begin, half = beside(q, side, mover.draw((0.2, 0.35)))
        start = here
        if start is None:
            low, high = mover.across(q) if mover.pads == (0.0, 0.0) else (body.width * q / 2, 1 - body.width * q / 2)
            start = spot(min(max(begin, low), high), q)
            if abs(start[0] - (x0 - side * half)) < 0.1:
                raise Unstageable("no room to come from")
        return Leg(start, path(-side * half, q))
    if relation == "from":
        q = q0 * mover.draw((0.97, 1.06))
        begin, half = beside(q, side, 0.0)
        low, high = mover.across(q) if mover.pads == (0.0, 0.0) else (body.width * q / 2, 1 - body.width * q / 2)
        goal = min(max(x1 - side * (half + mover.draw((0.22, 0.45))), low), high)
        if abs(goal - begin) < 0.14:
            raise Unstageable("no room to go to")
        start = here or spot(begin, q)
        return Leg(start, np.array([goal, start[1] if mover.is_aloft else mover.view.ground(q), q]))
    if relation in ("in", "out"):
        if body.w > 0.95 * target.w or body.h > 1.6 * target.h:
            raise Unstageable("too large to be in it")
        q = q0 * 1.03
        inner = mover.draw((-0.25, 0.25)) * max(0.0, target.w * q0 - body.width * q)
        floor = 0.1 * min(target.h * q1, 2 * body.height * q1)
        begin, half = beside(q, side, further + 0.08)
        if relation == "in":
            return Leg(here or spot(begin, q), path(inner, q, b1 - floor))
        start = here or spot(x0 + inner, q, b0 - floor)
        begin, half = beside(q, side, further + 0.05)
        end = spot(begin, q)
        return Leg(start, np.array(end))
    if relation in ("on", "off"):
        q, top = q0 * 1.02, target.seat * target.h
        inner = mover.draw((-0.3, 0.3)) * max(0.0, target.w * q0 - body.width * q)
        if b0 - top * q0 - body.height * q < 0:
            raise Unstageable("no room on it")
        begin, half = beside(q, side, further)
        bend = np.zeros((3, len(time)))
        u = progress(deed.interval, time)
        if relation == "on":
            bend[1] = -_arc(deed, u, 0.6 * top * q0)
            return Leg(here or spot(begin, q), path(inner, q, b1 - top * q1), bend)
        start = here or spot(x0 + inner, q, b0 - top * q0)
        end = spot(x0 - side * half, q)
        # First over the edge, then down.
        drop = end[1] - start[1]
        bend[1] = drop * (np.clip((u - 0.25) / 0.75, 0, 1) ** 2 - u) - _arc(deed, u, 0.15 * top * q0)
        return Leg(start, np.array(end), bend)
    if relation in ("over", "above"):
        q = q0 * mover.draw((0.96, 1.04))
        begin, half = beside(q, side, further)
        clearance = mover.draw((0.02, 0.06))
        top = b0 - target.h * q0 - clearance
        if top - body.height * q < 0.005:
            raise Unstageable("no room above it")
        if mover.is_aloft:
            return Leg(here or spot(begin, q, top), path(side * (half + further), q, top))
        start = here or spot(begin, q)
        bend = np.zeros((3, len(time)))
        u = progress(deed.interval, time)
        bend[1] = -4 * u * (1 - u) * (start[1] - top) * 1.08
        return Leg(start, path(side * (half + further), q), bend)
    if relation in ("under", "below"):
        q = q0 * _OPEN
        begin, half = beside(q, side, further)
        if body.height * q > 0.92 * target.h * q0:
            raise Unstageable("too high to go under it")
        return Leg(here or spot(begin, q), path(mover.draw((-0.25, 0.25)) * max(0.0, target.w - body.width) * q1, q))
    if relation == "along":
        q = q0 * 1.08
        half = 0.5 * target.w * q0 - 0.4 * body.width * q
        if half < 0.1:
            raise Unstageable("too short to go along it")
        return Leg(here or spot(x0 - side * half, q), path(side * half, q))
    if relation == "around":
        return _round_thing(mover, deed, target, here, side, gap, time)
    # Left, right and whatever else: to that side.
    s = {"left": 1.0, "right": -1.0}.get(relation, side)
    q = q0 * mover.draw((0.97, 1.06))
    begin, half = beside(q, s, 0.2)
    return Leg(here or spot(begin, q), path(-s * half, q))


def _arc(deed: Deed, u: np.ndarray, high: float) -> np.ndarray:
    """How much higher one is who jumps."""
    return (4 * u * (1 - u) * max(0.02, 0.5 * high)) if deed.action == "jump" else 0 * u


def _round_thing(
    mover: Mover, deed: Deed, target: Target, here: Spot | None, side: float, gap: float, time: np.ndarray
) -> Leg:
    """Once around another thing, from its side: before it, to its other side, behind it and back."""
    x0, b0, q0 = target.at(target.first)
    wide = (target.w + mover.body.width) * q0 / 2 + gap
    deep = min(0.28, (0.985 - b0) / max(0.05, mover.view.slope * q0))
    if deep < 0.1 or x0 - wide < mover.body.width * q0 / 2 or x0 + wide > 1 - mover.body.width * q0 / 2:
        raise Unstageable("no room around it")
    u = progress(deed.interval, time)
    angle = 2 * np.pi * u
    x, q = -side * wide * np.cos(angle), deep * q0 * np.sin(angle)
    b = mover.view.slope * q
    level = mover.view.ground(q0) if not mover.is_aloft else b0 - 0.5 * target.h * q0 + mover.body.height * q0 / 2
    begin = (x0 - side * wide, level, q0)
    start = here or begin
    if here is not None and abs(here[0] - begin[0]) > 0.08:
        raise Unstageable("not beside it")
    path = np.array([target.path[0] - side * wide, np.full(len(time), level), np.full(len(time), q0)])
    bend = np.stack([x + side * wide, b, q])
    return Leg(start, path, bend)


def standing(
    mover: Mover, relation: str, target: Target, side: float, apart: float | None, is_under_flyer: bool
) -> Spot:
    """Where one stands beside another thing, behind it, above it, ...

    Args:
        side: 1 for its left, where the relation does not say it.
        apart: room to leave between the two for another; None for none.
        is_under_flyer: whether the target is in the air.
    """
    x, b, q = target.at(target.first)
    body, own = mover.body, q
    if relation in ("left", "right", "beside", "against", "to", "opposite"):
        own = q * (mover.draw((0.95, 1.06)) if relation != "against" else 1.02)
        side = {"left": 1.0, "right": -1.0}.get(relation, side)
        gap = mover.draw((0.015, 0.06)) if apart is None else apart + mover.draw((0.03, 0.07))
        if relation in ("left", "right"):
            gap += mover.draw((0.0, 0.12))
        gap = mover.draw((0.16, 0.34)) if relation == "opposite" else gap
        gap = -0.08 * body.width if relation == "against" else gap
        x -= side * ((target.w * q + body.width * own) / 2 + gap)
    elif relation in ("behind", "front"):
        own = q * (mover.draw((0.66, 0.82)) if relation == "behind" else mover.draw((1.14, 1.3)))
        back, front = (body.width * own, target.w * q) if relation == "behind" else (target.w * q, body.width * own)
        # What is behind looks out at a side, or wherever it is wider than what is in front of it.
        aside = front / 2 + mover.draw((-0.1, 0.2)) * back if back < front else mover.draw((0.0, 0.5)) * front
        x += aside if mover.rng.random() < 0.5 else -aside
    elif relation in ("above", "over"):
        x += mover.draw((-0.3, 0.3)) * target.w * q
        return x, b - target.h * q - mover.draw((0.02, 0.1)), q
    elif relation in ("below", "under"):
        x += mover.draw((-0.25, 0.25)) * max(0.0, target.w - body.width) * q
        if is_under_flyer:
            level, own = mover.level()
            half = body.width * own / 2 + 0.012
            if level - body.height * own < b + 0.01:
                raise Unstageable("no room below it")
            return min(max(x, half), 1 - half), level, own
        if body.height > 0.92 * target.h:
            raise Unstageable("too high to be under it")
        # One sees it there: what it is under is open below.
        return x, b, q * _OPEN
    if mover.is_aloft:
        return x, b - mover.draw((0, 0.5)) * max(0.0, target.h - body.height) * q, own
    return x, mover.view.ground(own), own
