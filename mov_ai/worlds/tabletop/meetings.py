"""Two things that meet: one pushes, pulls or carries the other, passes it, falls onto it or jumps over it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mov_ai.graph.time import FULL, Interval
from mov_ai.worlds.tabletop.lexicon import COLORS, HELD_OUT_PAIRS, MATERIALS, SHAPES
from mov_ai.worlds.tabletop.moving_view import in_frame
from mov_ai.worlds.tabletop.scene import (
    EXTENT,
    LATERAL,
    RADIUS,
    Action,
    Instance,
    Scene,
    States,
    Thing,
    boxes,
    sample_view,
    simulate,
)
from mov_ai.worlds.tabletop.variation import Meeting, VariedScene, varied

#: Kind of meeting -> how often it is drawn.
KINDS = {"push": 5.0, "pull": 1.0, "carry": 4.0, "pass": 6.0, "fall onto": 3.0, "jump over": 3.0}
#: Shapes that something can lie on.
FLAT = ("cube", "cylinder")
#: Between things in touch, world units; what is beside the meeting keeps clear of it by this share of the radii.
GAP, _CLEAR = 0.02, 1.12
#: Sizes (agent, patient) that a kind may have, each as likely.
_SIZES: dict[str, tuple[tuple[str, str], ...]] = {
    "push": (("small", "small"), ("large", "small"), ("small", "large"), ("large", "large")),
    "pull": (("small", "small"), ("large", "small")),
    "carry": (("large", "small"), ("large", "small"), ("small", "small")),
    "behind": (("small", "large"),),
    "in front of": (("large", "small"),),
    "fall onto": (("small", "large"), ("small", "large"), ("small", "small")),
    "jump over": (("small", "small"),),
}
#: Share of the clip at most that goes by before a pusher touches what it pushes.
_APPROACH = 0.3
_PLACEMENTS = 60
_HEIGHTS = np.linspace(0, 1, 33)


def sample_meeting(rng: np.random.Generator, split: str) -> VariedScene:
    """Draw a scene with a meeting by rejection: all in the frame, and nothing in anything else.

    Held-out pairs as in `scene.sample_scene`.
    """
    kinds = list(KINDS)
    weights = np.array(list(KINDS.values()))
    kind = kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
    while True:
        side = ("behind", "in front of")[int(rng.integers(2))] if kind == "pass" else None
        things = _things(rng, split, kind, side)
        for _ in range(_PLACEMENTS):
            scene = _place(rng, things, kind, side, split)
            if acceptable(scene):
                return scene


def _things(rng: np.random.Generator, split: str, kind: str, side: str | None) -> tuple[Thing, ...]:
    """The agent, the patient, and at times a third thing that has no part in it."""
    number = 3 if rng.random() < 0.3 else 2
    sizes = _SIZES[side or kind]
    pair = sizes[int(rng.integers(len(sizes)))]
    below = {"carry": 0, "fall onto": 1}.get(kind)
    pairs = [(s, c) for s in SHAPES for c in COLORS if split == "test" or (s, c) not in HELD_OUT_PAIRS]
    while True:
        chosen = [pairs[i] for i in rng.permutation(len(pairs))[:number]]
        if len({color for _, color in chosen}) < number or (below is not None and chosen[below][0] not in FLAT):
            continue
        if split == "test" and not any(pair in HELD_OUT_PAIRS for pair in chosen):
            continue
        break
    materials = list(MATERIALS)
    return tuple(
        Thing(shape, color, pair[i] if i < 2 else "small", materials[int(rng.random() < 0.35)])
        for i, (shape, color) in enumerate(chosen)
    )


def _place(rng: np.random.Generator, things: tuple[Thing, ...], kind: str, side: str | None, split: str) -> VariedScene:
    """A meeting somewhere, with what may happen before or after it; not yet checked."""
    when: Interval = FULL
    if rng.random() < 0.35:
        when = ((0.0, 0.5), (0.5, 1.0))[int(rng.integers(2))]
    way = ("left", "right")[int(rng.integers(2))]
    sign = -1.0 if way == "left" else 1.0
    x, z = float(rng.uniform(-1.4, 1.4)), float(rng.uniform(-1.6, 1.5))
    turns = [_yaw(rng, thing, kind) for thing in things]
    agent, patient = things[:2]
    touch = contact_distance(agent, turns[0], patient, turns[1]) + GAP
    contact = when[0]
    a, p = [x, 0.0, z], [x, 0.0, z]
    match kind:
        case "push" | "pull":
            amount = float(rng.uniform(*LATERAL))
            if kind == "push" and rng.random() < 0.6:
                contact = round(when[0] + (when[1] - when[0]) * float(rng.uniform(0.08, _APPROACH)), 4)
            share = (when[1] - contact) / (when[1] - when[0])
            # Both go at one pace, so that they stay in touch from the first contact on.
            behind = touch + amount * (1 - share)
            a[0] = x - sign * behind if kind == "push" else x + sign * touch
            actions = [Action(0, way, when, amount=amount), Action(1, way, (contact, when[1]), amount=amount * share)]
        case "carry":
            amount = float(rng.uniform(*LATERAL))
            p[1] = top(agent)
            actions = [Action(i, way, when, amount=amount) for i in (0, 1)]
        case "pass":
            amount = float(rng.uniform(2.7, 3.4))
            apart = float(rng.uniform(1.3, 1.7))
            a[0], p[0] = -sign * amount / 2, float(rng.uniform(-0.2, 0.2))
            p[2] = z - apart if side == "behind" else z + apart
            actions = [Action(0, way, when, amount=amount)]
        case "fall onto":
            height = float(rng.uniform(0.5, 0.9))
            a[1] = top(patient) + height
            contact = round(when[0] + (when[1] - when[0]) * float(rng.uniform(0.6, 0.95)), 4)
            actions = [Action(0, "fall", (when[0], contact), amount=height)]
        case _:
            amount = float(rng.uniform(2.3, 3.0))
            p[0] = float(rng.uniform(-0.2, 0.2))
            a[0] = p[0] - sign * amount / 2
            actions = [
                Action(0, way, when, amount=amount),
                Action(0, "jump", when, amount=top(patient) + float(rng.uniform(0.5, 0.8))),
            ]
    meeting = Meeting(kind, 0, 1, when, contact, len(actions), None if kind == "fall onto" else way, side)
    places = [Instance(i, at[0], at[2], at[1], turns[i]) for i, at in enumerate((a, p))]
    if len(things) > 2:
        places.append(Instance(2, float(rng.uniform(-1.8, 1.8)), float(rng.uniform(-1.9, 1.9)), 0.0, turns[2]))
    if when != FULL:
        other: Interval = (0.5, 1.0) if when[0] == 0 else (0.0, 0.5)
        actions.append(_aside(rng, things, other, split))
    setting, light, camera, jitter = sample_view(rng)
    scene = Scene(things, tuple(places), tuple(actions), (), setting, light, camera, jitter)
    return replace(varied(scene), meeting=meeting)


def _yaw(rng: np.random.Generator, thing: Thing, kind: str) -> float:
    if kind in ("push", "pull") and thing.shape == "cube":
        # Faces meet, not edges.
        return float(rng.uniform(-0.06, 0.06))
    return float(rng.uniform(-0.6, 0.6)) + np.pi / 5


def _aside(rng: np.random.Generator, things: tuple[Thing, ...], interval: Interval, split: str) -> Action:
    """What else happens in the other half of the clip: nothing that would change the meeting."""
    index = int(rng.integers(len(things)))
    thing = things[index]
    options = ["turn", "turn", *(["spin"] if thing.shape == "cube" else []), *(["jump"] if index == 2 else [])]
    motion = options[int(rng.integers(len(options)))]
    if motion == "spin":
        # By whole quarters, so that faces that touch still do.
        return Action(index, motion, interval, amount=np.pi)
    if motion == "jump":
        return Action(index, motion, interval, amount=float(rng.uniform(0.8, 1.1)))
    taken = {other.color for other in things}
    colors = [c for c in COLORS if c not in taken and (split == "test" or (thing.shape, c) not in HELD_OUT_PAIRS)]
    return Action(index, "turn", interval, colors[int(rng.integers(len(colors)))])


# -- bodies ------------------------------------------------------------------------------------------------------------


def top(thing: Thing) -> float:
    """How high its upper side is, world units."""
    return EXTENT[thing.shape][1] * RADIUS[thing.size]


def half_widths(thing: Thing, yaw: float, heights: np.ndarray) -> np.ndarray:
    """How far it reaches to the side at heights (H,) above its base, world units; (H,), below 0 where it does not."""
    radius = RADIUS[thing.size]
    half, tall = EXTENT[thing.shape]
    y = heights / radius
    match thing.shape:
        case "sphere":
            width = np.sqrt(np.clip(1 - (y - 1) ** 2, 0, None))
        case "cone":
            width = half * (1 - y / tall)
        case "cube":
            width = np.full_like(y, half * (abs(np.cos(yaw)) + abs(np.sin(yaw))))
        case _:
            width = np.full_like(y, half)
    return np.where((y >= 0) & (y <= tall), width * radius, -np.inf)


def contact_distance(first: Thing, first_yaw: float, second: Thing, second_yaw: float, lift: float = 0.0) -> float:
    """How far apart sideways two things at one depth stand when they touch; `lift`: of the first one's base.

    -inf if one is above the other.
    """
    heights = np.union1d(_HEIGHTS * top(second), lift + _HEIGHTS * top(first))
    return float((half_widths(first, first_yaw, heights - lift) + half_widths(second, second_yaw, heights)).max())


# -- what can be shown -------------------------------------------------------------------------------------------------


def acceptable(scene: VariedScene) -> bool:
    """Whether the meeting is as it should be, and the rest in the frame, apart from it and from one another."""
    states = simulate(scene)
    if not in_frame(scene, states):
        return False
    meeting = scene.meeting
    assert meeting is not None
    hidden = hidden_shares(scene, states)
    for i in range(2, len(scene.instances)):
        for j in range(i):
            gap = np.linalg.norm(states.position[:, i] - states.position[:, j], axis=-1)
            if (gap < _CLEAR * (states.radius[:, i] + states.radius[:, j])).any():
                return False
            if np.maximum(hidden[i, j], hidden[j, i]).max() > 0.3:
                return False
    far, near = (0, 1) if meeting.side == "behind" else (1, 0)
    cover = hidden[far, near]
    if meeting.kind == "pass":
        apart = np.abs(states.position[:, 0, 2] - states.position[:, 1, 2]).min()
        inside = cover[[0, 1, -2, -1]].max() < 0.1 if meeting.interval == FULL else min(cover[0], cover[-1]) < 0.1
        return bool(cover.max() > 0.6 and inside and apart > 1.02 * states.radius[0, :2].sum())
    if meeting.kind == "jump over":
        return cover[0] < 0.35 and cover[-1] < 0.35 and not _collides(scene)
    return True


def _collides(scene: VariedScene) -> bool:
    """Whether agent and patient, at one depth, are ever in each other."""
    states = simulate(scene, 64)
    agent, patient = (scene.things[i] for i in (0, 1))
    offset = states.position[:, 0] - states.position[:, 1]
    return any(
        abs(x) < contact_distance(agent, scene.instances[0].yaw, patient, scene.instances[1].yaw, float(y))
        for x, y, _ in offset
    )


def hidden_shares(scene: Scene, states: States) -> np.ndarray:
    """Share of box i that box j, if it is nearer, covers, in each frame; (K, K, F)."""
    box = boxes(scene, states)
    first, second = box[:, None], box[None]
    low = np.maximum(first[..., :2] - first[..., 2:4] / 2, second[..., :2] - second[..., 2:4] / 2)
    high = np.minimum(first[..., :2] + first[..., 2:4] / 2, second[..., :2] + second[..., 2:4] / 2)
    both = (states.visible.T[:, None] & states.visible.T[None]) & (first[..., 4] > second[..., 4])
    return np.clip(high - low, 0, None).prod(-1) * both / first[..., 2:4].prod(-1)
