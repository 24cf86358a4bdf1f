"""Where things are that touch others: in hands, on heads, on tables, in boxes, before who pushes, behind who leads.

Everything here is (n, 3, F): x, b and q (see `view`) of n instances in F frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mov_ai.worlds.stage.company import Body
from mov_ai.worlds.stage.meanings import stage_meanings
from mov_ai.worlds.stage.screenplay import Performer
from mov_ai.worlds.stage.view import View

#: Height of hands, of a rider's seat on an animal and of a saddle, as parts of whoever has them.
_HAND, _BACK, _SADDLE, _MOUTH = (0.42, 0.56), 0.55, 0.28, 0.6
#: How far in front of or behind what they touch things are, as parts of their nearness.
_NEARER = 1.02
#: Room that who follows leaves, and who chases.
FOLLOWING, CHASING = (0.06, 0.16), (0.04, 0.12)


@dataclass(frozen=True)
class Host:
    """Whoever bears or leads another; `facing`: 1 to the right, -1 to the left."""

    performer: Performer
    body: Body
    path: np.ndarray
    facing: float


def _borne(host: Host, child: Body) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The host of each of the child's instances, (n, 3, F), and which of how many it is there, (n, 1) each."""
    n, hosts = len(child.slots), len(host.path)
    index = np.arange(n)
    per_host = -(-n // hosts)
    return host.path[index % hosts], (index // hosts)[:, None], np.full((n, 1), per_host)


def on_top(host: Host, child: Body, sink: float, aside: float) -> np.ndarray:
    """Things on another: side by side on its top or seat. `sink`: part of the child's height that it sinks in."""
    at, which, of = _borne(host, child)
    ratio = stage_meanings().seats.get(host.performer.thing.noun, 1.0)
    if host.performer.thing.gait == "walk":
        ratio = 0.95
    w, h = host.body.w * at[:, 2], host.body.h * at[:, 2]
    room = np.maximum(w - child.w * at[:, 2] * of, 0.0) / w
    x = at[:, 0] + w * ((which + 0.5) / of - 0.5) * (1 - room * (of == 1)) + aside * 0.45 * room * w * (of == 1)
    return np.stack([x, at[:, 1] - ratio * h + sink * child.h * at[:, 2], at[:, 2] * _NEARER], 1)


def inside(host: Host, child: Body, aside: float) -> np.ndarray:
    """Things in another; what is too tall looks out of it at the top."""
    at, which, of = _borne(host, child)
    w, h = host.body.w * at[:, 2], host.body.h * at[:, 2]
    room = np.maximum(w - child.w * at[:, 2] * of, 0.0) / w
    x = at[:, 0] + w * ((which + 0.5) / of - 0.5) * (1 - room * (of == 1)) + aside * 0.4 * room * w * (of == 1)
    return np.stack([x, at[:, 1] - 0.12 * np.minimum(h, 4 * child.h * at[:, 2]), at[:, 2] * _NEARER], 1)


def in_hand(host: Host, child: Body, level: float) -> np.ndarray:
    """Things that are held: before the body, or in the mouth, or below one that flies. `level`: 0 to 1, how high."""
    at, _, _ = _borne(host, child)
    w, h = host.body.w * at[:, 2], host.body.h * at[:, 2]
    if host.performer.thing.found == "air":
        return np.stack([at[:, 0], at[:, 1] + 0.6 * child.h * at[:, 2], at[:, 2] * _NEARER], 1)
    is_person = host.performer.thing.group == "person"
    height = _HAND[0] + level * (_HAND[1] - _HAND[0]) if is_person else _MOUTH
    x = at[:, 0] + host.facing * (0.42 if is_person else 0.48) * w
    return np.stack([x, at[:, 1] - height * h + 0.5 * child.h * at[:, 2], at[:, 2] * _NEARER], 1)


def worn(host: Host, child: Body, noun: str) -> np.ndarray:
    """Clothes, where they are worn."""
    at, _, _ = _borne(host, child)
    middle = stage_meanings().worn.get(noun, 0.55)
    h = host.body.h * at[:, 2]
    b = np.minimum(at[:, 1] - middle * h + 0.5 * child.h * at[:, 2], at[:, 1])
    return np.stack([at[:, 0], b, at[:, 2] * _NEARER], 1)


def riding(host: Host, child: Body) -> np.ndarray:
    """Riders: on an animal's back, in a saddle, or standing on what is low."""
    at, which, of = _borne(host, child)
    h = host.body.h * at[:, 2]
    if host.performer.thing.gait == "walk":
        b = at[:, 1] - _BACK * h
    elif host.body.h < 0.4 * child.h:
        b = at[:, 1] - 0.85 * h
    else:
        b = at[:, 1] - _SADDLE * h
    x = at[:, 0] + ((which + 0.5) / of - 0.5) * host.body.w * at[:, 2] * 0.6
    return np.stack([x, b, at[:, 2] * _NEARER], 1)


def led(host: Host, child: Body, view: View, ahead: float, gap: np.ndarray, is_aloft: bool) -> np.ndarray:
    """One that goes along with another, (1, 3, F): in front of it (`ahead` 1) or behind it (-1) on its way.

    Args:
        gap: (F,) between the two, in the frame.
        is_aloft: whether it flies; otherwise it keeps to the ground.
    """
    x, b, q = host.path[:, 0].mean(0), host.path[:, 1].max(0), host.path[:, 2].max(0)
    sideways, deep = float(np.ptp(x)), float(np.ptp(q))
    if deep > 0.3 and sideways < 0.12:
        # One behind the other on a way toward the camera or away from it.
        nearer = (1.0 if q[-1] > q[0] else -1.0) * ahead > 0
        own = q * (1.3 if nearer else 0.74)
        x = x + 0.12 * host.facing * host.body.width * q
    else:
        own = q * (1.0 if ahead == 0 else 1.01)
        x = x + host.facing * ahead * ((host.body.width + child.width) * q / 2 + gap)
    if is_aloft:
        return np.stack([x, b - 0.3 * (host.body.h - child.h) * own, own])[None]
    return np.stack([x, view.horizon + view.slope * own, own])[None]
