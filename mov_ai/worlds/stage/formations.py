"""Ways of several that act among themselves: apart, together, past each other, round each other.

Spots are (x, b, q), see `view`; n instances, F frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mov_ai.worlds.stage.camera import progress
from mov_ai.worlds.stage.mover import Mover, Unstageable
from mov_ai.worlds.stage.passages import Target
from mov_ai.worlds.stage.screenplay import Deed

#: Room between those that are close together; how near and far, and how high and low, those go that scatter.
_GAP, _DEEP, _LIFT = (0.015, 0.04), (0.74, 1.3), (0.08, 0.2)
#: How much of the room between home and the edge they take; how much farther from their middle they are in the end.
_SHARE, _LEAST = (0.75, 1.0), 0.065
#: Of those that pass each other, how near the second is; of those that chase each other, how large their ring is.
_BESIDE, _RADIUS, _DEPTH = (1.16, 1.3), (0.17, 0.27), (0.16, 0.26)
_EDGE = 0.02


@dataclass
class Formation:
    """Where several are, close together and far apart: (m, 3) each of x, of how high they fly in parts of the frame
    beside the others, and of nearness; from left to right.

    Attributes:
        level: (b, q) of the middle.
        luck: (4,) numbers between 0 and 1, the same for all of them.
        taken: who has which place, by key.
    """

    home: np.ndarray
    far: np.ndarray
    level: tuple[float, float]
    luck: np.ndarray
    taken: dict[str, np.ndarray] = field(default_factory=dict)

    def places(self, key: str, count: int, x: np.ndarray | None) -> np.ndarray:
        """Indices (count,) of the places of one key: those nearest to where it is, or the next ones."""
        if key not in self.taken:
            used = {int(i) for places in self.taken.values() for i in places}
            free = [i for i in range(len(self.home)) if i not in used]
            if x is not None and count == 1:
                free.sort(key=lambda i: abs(float(self.home[i, 0] - x[0])))
            chosen = np.array(free[:count])
            if x is not None and count > 1:
                # Whoever is farther to the left stays so.
                chosen = chosen[np.argsort(np.argsort(x))]
            self.taken[key] = chosen
        return self.taken[key]


def form_up(
    mover: Mover, members: Sequence[tuple[str, int, float, float]], target: Target | None, starts: np.ndarray | None
) -> Formation:
    """A formation of members. Raises Unstageable if there is no room for it.

    Args:
        mover: the first of them.
        members: (key, count, width, height of one instance in the middle of the stage).
        target: what they are around; None for nothing.
        starts: x of all of them, if they are there already.
    """
    widths = np.array([width for _, count, width, _ in members for _ in range(count)])
    m = len(widths)
    if m < 2:
        raise Unstageable("nobody to act with")
    b, q = mover.level()
    if target is not None and not mover.is_aloft:
        _, b, q = target.at(target.last)
    widths = widths * q
    gap = mover.draw(_GAP)
    if starts is not None and len(starts) == m:
        order = np.argsort(starts)
        x = starts[order]
        widths = widths[order]
    else:
        x = _row(mover, widths, gap, q, target)
    low, high = _EDGE + widths[0] / 2, 1 - _EDGE - widths[-1] / 2
    if high - low < 0.3:
        raise Unstageable("too wide to scatter")
    lifts, deep = np.zeros(m), np.ones(m)
    # By turns toward us and away, or up and down; those at the ends of the row go aside.
    for place in range(m) if m > 2 else ():
        is_inner = 0 < place < m - 1
        sign = 1.0 if (place % 2 == 0) == (mover.rng.random() < 0.8) else -1.0
        lifts[place] = sign * mover.draw(_LIFT) * (1.0 if is_inner else 0.5)
        deep[place] = (_DEEP[1] if sign > 0 else _DEEP[0]) if is_inner else 1.0
    if not mover.is_aloft:
        deep = np.minimum(deep, max(1.0, 0.98 * mover.view.nearness(min(0.98, mover.band[1])) / q))
        deep = np.maximum(deep, min(1.0, 1.02 * mover.view.nearness(mover.band[0]) / q))
    else:
        deep = 1 + 0.4 * (deep - 1)
    aim = np.linspace(low, high, m)
    far = x + mover.draw(_SHARE) * (aim - x)
    home = np.stack([x, np.zeros(m), np.full(m, q)], 1)
    if starts is None and _is_high(mover, m, target):
        home[1::2, 1] = -1.15 * max(height for _, _, _, height in members) * q
    formation = Formation(home, np.stack([far, lifts, q * deep], 1), (b, q), mover.rng.random(4))
    spread = []
    for at in (home, formation.far):
        spots = _spots(mover, formation, at)
        middles = np.stack([spots[:, 0], spots[:, 1] - mover.body.h * spots[:, 2] / 2], 1)
        spread.append(float(np.linalg.norm(middles - middles.mean(0), axis=1).mean()))
    if spread[1] - spread[0] < _LEAST:
        raise Unstageable("no room to scatter")
    return formation


def _is_high(mover: Mover, number: int, target: Target | None) -> bool:
    """Whether so many are in the air that they are in two rows."""
    return mover.is_aloft and number > 4 and target is None


def _row(mover: Mover, widths: np.ndarray, gap: float, q: float, target: Target | None) -> np.ndarray:
    """The middles of a row, on both sides of the target if there is one."""
    m = len(widths)
    if target is None:
        if _is_high(mover, m, target):
            # In two rows, one above the other.
            widths = np.full(m, 0.55 * widths.max())
        total = float(widths.sum()) + gap * (m - 1)
        if total > 0.8:
            raise Unstageable("too many for a row")
        slack = min(0.12, 0.5 - total / 2 - _EDGE)
        left = 0.5 + mover.draw((-slack, slack)) - total / 2
        edges = left + np.concatenate([[0.0], np.cumsum(widths + gap)[:-1]])
        return np.asarray(edges + widths / 2)
    x0, _, q0 = target.at(target.last)
    split = m // 2 + (m % 2) * int(mover.rng.random() < 0.5)
    half = target.w * q0 / 2 + gap
    x = np.zeros(m)
    edge = x0 - half
    for place in range(split - 1, -1, -1):
        x[place] = edge - widths[place] / 2
        edge -= widths[place] + gap
    edge = x0 + half
    for place in range(split, m):
        x[place] = edge + widths[place] / 2
        edge += widths[place] + gap
    if x[0] - widths[0] / 2 < 0 or x[-1] + widths[-1] / 2 > 1:
        raise Unstageable("no room around it")
    return x


def among(
    mover: Mover,
    deed: Deed,
    formation: Formation,
    places: np.ndarray,
    path: np.ndarray | None,
    time: np.ndarray,
) -> np.ndarray:
    """(n, 3, F) ways of those at some places of a formation.

    Args:
        path: theirs so far, (n, 3, F); None if it begins here.
    """
    u = progress(deed.interval, time)
    if deed.action == "ring":
        return _ring(mover, formation, places, path, u)
    if deed.action == "swap":
        begin, end = _passing(formation)
        begin, end = _spots(mover, formation, begin[places]), _spots(mover, formation, end[places])
    else:
        home, far = (_spots(mover, formation, at[places]) for at in (formation.home, formation.far))
        begin, end = (home, far) if deed.action == "scatter" else (far, home)
    start = np.repeat(begin[:, :, None], len(time), 2) if path is None else path
    return np.asarray((1 - u) * start + u * end[:, :, None])


def _spots(mover: Mover, formation: Formation, at: np.ndarray) -> np.ndarray:
    """(n, 3) of x, b, q on the ground or in the air."""
    b, _ = formation.level
    if not mover.is_aloft:
        return np.stack([at[:, 0], mover.view.ground(1.0) + mover.view.slope * (at[:, 2] - 1), at[:, 2]], 1)
    middle = b - mover.body.h * formation.level[1] / 2
    half = mover.body.h * at[:, 2] / 2
    y = np.clip(middle + at[:, 1], half + _EDGE, 1 - _EDGE - half)
    return np.stack([at[:, 0], y + half, at[:, 2]], 1)


def _passing(formation: Formation) -> tuple[np.ndarray, np.ndarray]:
    """From where to where those go that pass each other: from the far places to the opposite ones, side by side."""
    begin, end = formation.far.copy(), formation.far[::-1].copy()
    q, first = formation.level[1], (np.arange(len(begin)) % 2 == 0) == (formation.luck[0] < 0.5)
    for spots in (begin, end):
        spots[:, 1] = np.where(first, -0.04, 0.06)
        spots[:, 2] = q * np.where(first, 0.92, 0.92 * _between(_BESIDE, formation.luck[1]))
    return begin, end


def _between(limits: tuple[float, float], u: float) -> float:
    return limits[0] + (limits[1] - limits[0]) * float(u)


def _ring(mover: Mover, formation: Formation, places: np.ndarray, path: np.ndarray | None, u: np.ndarray) -> np.ndarray:
    """Round their middle, each behind the next; drawn once for all of them."""
    b, q = formation.level
    luck = formation.luck
    widest = mover.body.w * q / 2 + _EDGE
    radius = min(_between(_RADIUS, luck[0]), 0.5 - widest)
    middle = float(np.clip(formation.home[:, 0].mean(), radius + widest, 1 - radius - widest))
    deep, turns = _between(_DEPTH, luck[1]), (1.0 if luck[2] < 0.5 else -1.0)
    phase = 2 * np.pi * (luck[3] + places[:, None] / len(formation.home))
    angle = phase + 2 * np.pi * turns * u
    x, sin = middle + radius * np.cos(angle), np.sin(angle)
    if mover.is_aloft:
        high = 0.13
        level = min(max(b, mover.body.h * q + high + _EDGE), 1 - high - _EDGE)
        ring = np.stack([x, level + high * sin, np.full_like(x, q)], 1)
    else:
        nearest = min(q, 0.97 * mover.view.nearness(0.98) / (1 + deep))
        near = nearest * (1 + deep * sin)
        ring = np.stack([x, mover.view.horizon + mover.view.slope * near, near], 1)
    if path is None:
        return ring
    blend = np.clip(u / 0.4, 0, 1)
    return np.asarray((1 - blend) * path + blend * ring)
