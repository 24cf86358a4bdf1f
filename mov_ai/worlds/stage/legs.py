"""Legs of ways over the stage: to a place on the screen, in a direction, into the frame and out of it.

Spots are (x, b, q), see `view`; F frames.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mov_ai.worlds.stage.bends import bobbing, circling, hopping, swerving, zigzag
from mov_ai.worlds.stage.camera import progress
from mov_ai.worlds.stage.meanings import Place, stage_meanings
from mov_ai.worlds.stage.mover import EDGE, Leg, Mover, Spot, Unstageable
from mov_ai.worlds.stage.screenplay import Deed

#: How far things go sideways, up or down if nothing says it, in parts of the frame; the least that is seen.
_FAR, _HIGH, _LEAST = (0.3, 0.6), (0.24, 0.42), 0.15
#: How near things are that come from afar, and how many times nearer they come.
_AFAR, _NEARING = (0.36, 0.5), (1.9, 2.9)


# -- toward a place on the screen --------------------------------------------------------------------------------------


def spot_of(mover: Mover, place: Place, other_x: float | None = None) -> Spot:
    """A spot whose box has its middle there. Raises Unstageable if it cannot be."""
    means = mover.body
    if place.near is not None:
        b, q = mover.level(place.near)
        return mover.draw(mover.across(q)) if place.x is None else mover.draw(place.x), b, q
    b, q = mover.level() if place.y is None else _spot_upright(mover, place.y)
    low, high = mover.across(q)
    if place.x is None:
        return mover.draw((low, high)) if other_x is None else min(max(other_x, low), high), b, q
    low, high = max(low, place.x[0]), min(high, place.x[1])
    if len(means.slots) > 1 and abs(sum(place.x) - 1) > 0.2:
        # All of a group are on that side.
        half = means.width * q / 2 + 0.02
        low, high = (max(low, 0.5 + half), max(high, 1 - half)) if sum(place.x) > 1 else (low, min(high, 0.5 - half))
        if low > high:
            raise Unstageable("too many for the place")
    if low > high:
        # Wider than the place: as near to it as the frame lets it be.
        edges = mover.across(q)
        x = edges[0] if place.x[1] < edges[0] else edges[1]
        if abs(x - sum(place.x) / 2) > 0.16:
            raise Unstageable("too wide for the place")
        return x, b, q
    return mover.draw((low, high)), b, q


def _spot_upright(mover: Mover, y: tuple[float, float]) -> tuple[float, float]:
    """(b, q) of a box whose middle is that far from the top. Raises Unstageable if none can be."""
    height, view, middle = mover.body.height, mover.view, mover.draw(y)
    if mover.is_aloft:
        _, q = mover.level()
        b = middle + height * q / 2
    else:
        # On the ground, b - height * q(b) / 2 = middle.
        share = height / view.slope / 2
        b = (middle - share * view.horizon) / (1 - share)
        q = view.nearness(b)
        if share > 0.9 or not 0.3 < q < 2.2:
            raise Unstageable("place is not on the ground")
    b = max(min(b, 1 - EDGE / 2), height * q + EDGE / 2)
    q = q if mover.is_aloft else view.nearness(b)
    if not y[0] - 0.08 <= b - height * q / 2 <= y[1] + 0.08:
        raise Unstageable("too large for the place")
    return b, q


def to_place(mover: Mover, deed: Deed, here: Spot | None) -> Leg:
    """To a place on the screen; from far away from it if nothing says from where."""
    place = stage_meanings().places[str(deed.place)]
    if here is None:
        end = spot_of(mover, place)
        low, high = mover.across(end[2])
        x = mover.draw((low, low + 0.25 * (high - low)) if end[0] > 0.5 else (high - 0.25 * (high - low), high))
        b, q = end[1:]
        if place.x is None and place.y is not None:
            x = end[0]
            if mover.is_aloft:
                b = mover.aloft(mover.draw((0.65, 0.85) if sum(place.y) < 1 else (0.15, 0.35)), q)
            else:
                b, q = mover.level((0.95, 1.2) if sum(place.y) < 1 else (0.4, 0.6))
        here = (x, b, q)
    else:
        end = spot_of(mover, place, here[0] if place.x is None else None)
        if place.y is None:
            end = (end[0], here[1], here[2])
    if abs(end[0] - here[0]) + abs(end[1] - here[1]) < _LEAST:
        raise Unstageable("already there")
    return Leg(here, np.array(end))


# -- in a direction ----------------------------------------------------------------------------------------------------


def in_direction(mover: Mover, deed: Deed, here: Spot | None, time: np.ndarray, remaining: int, whole: bool) -> Leg:
    """As the event's direction says.

    Args:
        remaining: legs that go this way still, this one among them.
        whole: whether it goes all across.
    """
    deed = replace(deed, zigzags=True) if deed.action == "zigzag" else deed
    direction = deed.direction
    direction = {"rise": "up", "fall": "down"}.get(deed.action, direction)
    if direction == "up and down" or (deed.action == "jump" and direction in (None, "up")):
        if mover.is_aloft:
            return bobbing(mover, deed, here, time)
        return hopping(mover, deed, here, time, 2.0 if direction == "up and down" else 1.0)
    if deed.zigzags and direction in ("up", "down", "toward", "away"):
        is_deep = direction in ("toward", "away")
        straight = _deep(mover, deed, here, direction == "toward") if is_deep else None
        straight = straight or _upright(mover, deed, here, -1.0 if direction == "up" else 1.0)
        return Leg(straight.begin, straight.end, swerving(mover, straight, deed, time))
    if direction in ("up", "down"):
        return _upright(mover, deed, here, -1.0 if direction == "up" else 1.0)
    if direction in ("toward", "away"):
        return _deep(mover, deed, here, direction == "toward")
    if direction == "around":
        return circling(mover, deed, here, time)
    if direction == "back and forth":
        return _swinging(mover, deed, here, time)
    sign = {"left": -1.0, "right": 1.0}.get(str(direction), 0.0)
    leg = _sideways(mover, deed, here, sign, remaining, is_whole=whole or direction == "across")
    if direction == "zigzag" or deed.zigzags:
        leg = Leg(leg.begin, leg.end, zigzag(mover, leg, deed, time))
    return leg


def _distance(mover: Mover, deed: Deed, room: float, remaining: int) -> float:
    far = stage_meanings().manners[deed.manner].far if deed.manner else _FAR
    distance = min(mover.draw(far), 0.98 * room / remaining)
    if deed.manner == "slow":
        distance = min(distance, max(0.13, distance * 1.4 * (deed.interval[1] - deed.interval[0])))
    least = far[0] * 0.8 if deed.manner == "quick" else 0.12 if deed.manner else _LEAST
    if distance < least:
        raise Unstageable("no room to go")
    return distance


def _sideways(mover: Mover, deed: Deed, here: Spot | None, sign: float, remaining: int, is_whole: bool) -> Leg:
    if here is None:
        b, q = mover.level()
        low, high = mover.across(q)
        sign = sign or mover.facing
        # "To the right" may also be said of what goes from the left to the right: it does both.
        share = mover.draw((0.0, 0.3))
        x = low + share * (high - low) if sign > 0 else high - share * (high - low)
        here = (x, b, q)
    low, high = mover.across(here[2])
    if sign == 0:
        sign = 1.0 if here[0] < 0.5 else -1.0
    room = high - here[0] if sign > 0 else here[0] - low
    distance = _distance(mover, deed, room, remaining)
    if is_whole:
        distance = max(distance, 0.85 * room) if not deed.manner else distance
    return Leg(here, np.array([here[0] + sign * distance, here[1], here[2]]))


def _upright(mover: Mover, deed: Deed, here: Spot | None, sign: float) -> Leg:
    if here is None:
        b, q = mover.level()
        x = mover.draw(mover.across(q))
        h = mover.body.height * q
        if mover.is_aloft:
            b = mover.aloft(mover.draw((0.62, 0.85) if sign < 0 else (0.12, 0.32)), q)
        elif sign > 0:
            b = max(h + EDGE, b - mover.draw((0.3, 0.5)))
        here = (x, b, q)
    x, b, q = here
    room = b - mover.body.height * q - EDGE if sign < 0 else 1 - EDGE - b
    if not mover.is_aloft and sign > 0:
        room = min(room, mover.view.ground(q) - b)
    distance = min(mover.draw(_HIGH), room)
    if distance < _LEAST:
        raise Unstageable("no room up or down")
    if not mover.is_aloft and sign > 0:
        distance = room
    return Leg(here, np.array([x, b + sign * distance, q]))


def _deep(mover: Mover, deed: Deed, here: Spot | None, is_nearer: bool) -> Leg:
    times = mover.draw(_NEARING)
    if here is None:
        b, q = mover.level(_AFAR if is_nearer else (0.95, 1.2))
        near = q * times if is_nearer else q
        here = (mover.draw(mover.across(min(near, 1.4))), b, q)
    x, b, q = here
    times = times if is_nearer else 1 / times
    if is_nearer:
        largest = 0.92 / max(mover.body.height, mover.body.width) / q
        lowest = (0.995 - mover.view.horizon) / max(0.05, b - mover.view.horizon)
        times = min(times, largest, lowest if b > mover.view.horizon else 9.0)
        if times < 1.3:
            raise Unstageable("too near")
    elif q * times * max(mover.body.height, mover.body.width) < 0.018:
        raise Unstageable("too far")
    _, b, q = mover.deeper(b, q, times)
    low, high = mover.across(q)
    if b - mover.body.height * q < 0:
        raise Unstageable("too high")
    return Leg(here, np.array([min(max(x + mover.draw((-0.06, 0.06)), low), high), b, q]))


def _swinging(mover: Mover, deed: Deed, here: Spot | None, time: np.ndarray) -> Leg:
    leg = _sideways(mover, deed, here, 0.0, 1, is_whole=False)
    cycles = 1.0 if mover.rng.random() < 0.5 else 2.0
    u = progress(deed.interval, time) * cycles
    there = 1 - np.abs(2 * (u - np.floor(u)) - 1)
    there[u >= cycles] = 0.0
    bend = np.zeros((3, len(time)))
    bend[0] = (leg.end[0] - leg.begin[0]) * there
    return Leg(leg.begin, np.array(leg.begin), bend)


# -- into the frame and out of it --------------------------------------------------------------------------------------


def entering(mover: Mover, deed: Deed, time: np.ndarray) -> Leg:
    """From outside the frame to a spot within it."""
    b, q = mover.level()
    low, high = mover.across(q)
    if deed.direction in ("up", "down"):
        h = mover.body.height * q
        begin = -0.05 if deed.direction == "down" else 1.05 + h
        x = mover.draw((low, high))
        return Leg((x, begin, q), np.array([x, b, q]))
    sign = -1.0 if deed.direction == "left" else 1.0 if deed.direction == "right" else mover.facing
    outside = -mover.body.width * q / 2 - 0.04
    corner = stage_meanings().places.get(str(deed.place))
    if corner is not None and corner.y is not None:
        # "From the upper left corner": from outside, at that height.
        sign = sign if corner.x is None else 1.0 if sum(corner.x) < 1 else -1.0
        b, q = _spot_upright(mover, corner.y)
    elif corner is not None and corner.x is not None and abs(sum(corner.x) - 1) > 0.1:
        sign = 1.0 if sum(corner.x) < 1 else -1.0
    x = low + mover.draw((0.05, 0.6)) * (high - low) if sign > 0 else high - mover.draw((0.05, 0.6)) * (high - low)
    return Leg((outside if sign > 0 else 1 - outside, b, q), np.array([x, b, q]))


def leaving(mover: Mover, deed: Deed, here: Spot | None) -> Leg:
    """From a spot within the frame to outside."""
    if here is None:
        b, q = mover.level()
        low, high = mover.across(q)
        share = mover.draw((0.2, 0.7))
        here = (low + share * (high - low), b, q)
    x, b, q = here
    h = mover.body.height * q
    if deed.direction in ("up", "down"):
        return Leg(here, np.array([x, -0.04 if deed.direction == "up" else 1.04 + h, q]))
    sign = -1.0 if deed.direction == "left" else 1.0 if deed.direction == "right" else mover.facing
    outside = mover.body.width * q / 2 + 0.04
    goal = 1 + outside if sign > 0 else -outside
    # In the last frame, a little before the end, it is out.
    goal += (goal - x) * min(0.15, 0.035 / (deed.interval[1] - deed.interval[0]))
    return Leg(here, np.array([goal, b, q]))
