"""How ways bend: round in a circle, to and fro, up and down on the spot."""

from __future__ import annotations

import numpy as np

from mov_ai.worlds.stage.camera import progress
from mov_ai.worlds.stage.mover import EDGE, Leg, Mover, Spot, Unstageable
from mov_ai.worlds.stage.screenplay import Deed


def circling(mover: Mover, deed: Deed, here: Spot | None, time: np.ndarray) -> Leg:
    wide = mover.draw((0.1, 0.17))
    if here is None:
        b, q = mover.level((0.8, 1.0))
        low, high = mover.across(q)
        side = 1.0 if mover.rng.random() < 0.5 else -1.0
        room = (low + 2 * wide, high) if side > 0 else (low, high - 2 * wide)
        if room[1] < room[0]:
            raise Unstageable("no room for a circle")
        here = (mover.draw(room), b, q)
    side = 1.0 if here[0] > 0.5 else -1.0
    turns = 1.0 if mover.rng.random() < 0.6 else 2.0
    u = progress(deed.interval, time)
    angle = 2 * np.pi * turns * u
    x = side * wide * (np.cos(angle) - 1)
    bend = np.stack([x, 0 * u, 0 * u])
    if mover.is_aloft:
        high = min(mover.draw((0.08, 0.14)), 0.9 * (here[1] - mover.body.height * here[2]), 0.95 - here[1] + 1e-3)
        if high < 0.04:
            raise Unstageable("no room for a circle")
        bend[1] = high * np.sin(angle)
    else:
        bend[2] = mover.draw((0.14, 0.22)) * here[2] * np.sin(angle)
        bend[1] = mover.view.slope * bend[2]
    return Leg(here, np.array(here), bend)


def _to_and_fro(deed: Deed, time: np.ndarray) -> np.ndarray:
    """(F,) -1 to 1, to and fro while an event lasts; at least three turns."""
    turns = 2.0 if deed.interval[1] - deed.interval[0] > 0.6 else 1.5
    u = progress(deed.interval, time)
    return np.asarray(np.sin(2 * np.pi * turns * u) * (u < 1))


def zigzag(mover: Mover, leg: Leg, deed: Deed, time: np.ndarray) -> np.ndarray:
    """Aside of the way, up and down the frame."""
    bend = np.zeros((3, len(time)))
    b, q = leg.begin[1:]
    room = min(0.97 - b, b - mover.body.height * q - 0.02) if mover.is_aloft else 0.97 - b
    wide = min(mover.draw((0.05, 0.09)), max(0.0, room))
    if wide < 0.035:
        raise Unstageable("no room to zigzag")
    bend[1] = wide * _to_and_fro(deed, time)
    if not mover.is_aloft:
        bend[2] = bend[1] / mover.view.slope
    return bend


def swerving(mover: Mover, leg: Leg, deed: Deed, time: np.ndarray) -> np.ndarray:
    """Aside of a way that goes up, down, toward or away."""
    bend = np.zeros((3, len(time)))
    half = mover.body.width * max(leg.begin[2], float(leg.end[2])) / 2 + EDGE
    room = min(min(x - half, 1 - half - x) for x in (leg.begin[0], float(leg.end[0])))
    wide = min(mover.draw((0.06, 0.13)), room)
    if wide < 0.04:
        raise Unstageable("no room to zigzag")
    bend[0] = wide * _to_and_fro(deed, time)
    return bend


def hopping(mover: Mover, deed: Deed, here: Spot | None, time: np.ndarray, least: float) -> Leg:
    """Up and down again on the spot, at least so many times."""
    if here is None:
        b, q = mover.level()
        here = (mover.draw(mover.across(q)), b, q)
    h = mover.body.height * here[2]
    room = here[1] - h - EDGE
    high = min(max(0.08, mover.draw((0.35, 0.9)) * h), room)
    if high < max(0.065, 0.24 * h):
        raise Unstageable("no room to jump")
    lasts = deed.interval[1] - deed.interval[0]
    hops = least + float(mover.rng.random() < 0.5 and lasts >= 0.6)
    bend = np.zeros((3, len(time)))
    bend[1] = -high * np.abs(np.sin(np.pi * hops * progress(deed.interval, time)))
    return Leg(here, np.array(here), bend)


def bobbing(mover: Mover, deed: Deed, here: Spot | None, time: np.ndarray) -> Leg:
    """Up and down in the air."""
    if here is None:
        b, q = mover.level()
        b = mover.aloft(mover.draw((0.35, 0.6)), q)
        here = (mover.draw(mover.across(q)), b, q)
    room = min(here[1] - mover.body.height * here[2] - EDGE, 1 - EDGE - here[1])
    high = min(mover.draw((0.08, 0.2)), room)
    if high < 0.06:
        raise Unstageable("no room up and down")
    turns = 2.0 if deed.interval[1] - deed.interval[0] > 0.6 and mover.rng.random() < 0.6 else 1.0
    u = progress(deed.interval, time)
    bend = np.zeros((3, len(time)))
    bend[1] = -high * np.sin(2 * np.pi * turns * u) * (u < 1)
    return Leg(here, np.array(here), bend)
