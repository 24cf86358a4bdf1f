"""Scenes with four to six equal things that act together, each of which can be seen."""

from __future__ import annotations

import numpy as np

from mov_ai.graph.time import FULL, Interval
from mov_ai.worlds.tabletop.lexicon import COLORS, HELD_OUT_PAIRS, MATERIALS, SHAPES
from mov_ai.worlds.tabletop.meetings import hidden_shares
from mov_ai.worlds.tabletop.moving_view import in_frame
from mov_ai.worlds.tabletop.scene import RADIUS, Action, Instance, Scene, Thing, sample_view, simulate

COUNTS = (4, 5, 6)
#: Share of a box that a nearer thing may hide, and the least distance between things as a share of their radii.
_HIDDEN, _CLEAR = 0.1, 1.12
_PLACEMENTS = 60
#: What so many can do without leaving the frame or hiding one another.
_MOTIONS = ("left", "right", "jump", "turn", "shrink", "vanish", "appear", "rise", "stay")


def sample_crowd(rng: np.random.Generator, split: str) -> Scene:
    """Draw a scene in which one entity is four to six things; at times another thing is there. Held-out pairs as in
    `scene.sample_scene`."""
    count = int(rng.choice(COUNTS))
    number = 2 if rng.random() < 0.45 else 1
    while True:
        things = _things(rng, split, count, number)
        actions = _actions(rng, things, split)
        for _ in range(_PLACEMENTS):
            scene = _place(rng, things, actions)
            if scene is not None and _acceptable(scene):
                return scene


def _things(rng: np.random.Generator, split: str, count: int, number: int) -> tuple[Thing, ...]:
    pairs = [(s, c) for s in SHAPES for c in COLORS if split == "test" or (s, c) not in HELD_OUT_PAIRS]
    while True:
        chosen = [pairs[i] for i in rng.permutation(len(pairs))[:number]]
        if split != "test" or any(pair in HELD_OUT_PAIRS for pair in chosen):
            break
    materials = list(MATERIALS)
    return tuple(
        Thing(shape, color, "small", materials[int(rng.random() < 0.35)], count if i == 0 else 1)
        for i, (shape, color) in enumerate(chosen)
    )


def _actions(rng: np.random.Generator, things: tuple[Thing, ...], split: str) -> tuple[Action, ...]:
    steps = 1 + int(rng.random() < 0.4)
    actors = [int(i) for i in rng.permutation(len(things))]
    actions: list[Action] = []
    colors = [thing.color for thing in things]
    for step in range(steps):
        index = actors[step % len(actors)]
        interval: Interval = FULL if steps == 1 else (step / 2, (step + 1) / 2)
        earlier = {action.motion for action in actions if action.thing == index}
        options = [m for m in _MOTIONS if m not in earlier and not (earlier and m == "appear")]
        if earlier & {"vanish", "rise"}:
            # What is gone does nothing more, and what hangs in the air can still change its colour.
            options = [] if "vanish" in earlier else ["turn"]
        if things[index].shape == "cube":
            options.append("spin") if not earlier & {"vanish", "rise"} else None
        if not options:
            break
        motion, value, amount = options[int(rng.integers(len(options)))], None, 0.0
        if motion == "turn":
            free = [c for c in COLORS if c not in colors]
            free = [c for c in free if split == "test" or (things[index].shape, c) not in HELD_OUT_PAIRS]
            value = free[int(rng.integers(len(free)))]
        elif motion in ("left", "right"):
            amount = float(rng.uniform(0.7, 1.0))
        elif motion in ("jump", "rise"):
            amount = float(rng.uniform(0.7, 0.9))
        elif motion == "spin":
            amount = float(rng.uniform(np.pi, 1.5 * np.pi))
        actions.append(Action(index, motion, interval, value, amount))
    return tuple(actions)


def _place(rng: np.random.Generator, things: tuple[Thing, ...], actions: tuple[Action, ...]) -> Scene | None:
    """Put the things on the floor one after the other, clear of those that lie there; None if one finds no room."""
    setting, light, camera, jitter = sample_view(rng)
    instances: list[Instance] = []
    spots = iter(
        _rows(rng) if sum(thing.count for thing in things) > 4 else rng.uniform((-1.8, -1.9), (1.8, 1.9), (200, 2))
    )
    for index, thing in enumerate(things):
        yaw = float(rng.uniform(-0.6, 0.6)) + np.pi / 5
        for _ in range(thing.count):
            for x, z in spots:
                if any(np.hypot(x - o.x, z - o.z) < _CLEAR * 2 * RADIUS["small"] for o in instances):
                    continue
                one = Instance(index, float(x), float(z), 0.0, yaw)
                if _acceptable(Scene(things, (*instances, one), (), (), setting, light, camera, jitter), 1):
                    break
            else:
                return None
            instances.append(one)
    return Scene(things, tuple(instances), actions, (), setting, light, camera, jitter)


def _rows(rng: np.random.Generator) -> np.ndarray:
    """Places (x, z) in two loose rows in any order, (N, 2): thrown anywhere, more than four seldom find room."""
    front = float(rng.uniform(-1.7, -1.1))
    rows = []
    for number, z in ((3, front), (4, front + float(rng.uniform(2.5, 3.2)))):
        step = float(rng.uniform(1.1, 1.35))
        x = (np.arange(number) - (number - 1) / 2) * step + rng.uniform(-0.15, 0.15)
        rows.append(np.stack([x, np.full(number, z)], -1))
    places = np.concatenate(rows)
    return rng.permutation(places + rng.uniform((-0.12, -0.3), (0.12, 0.3), places.shape))


def _acceptable(scene: Scene, frames: int = 16) -> bool:
    """Whether all is in the frame, apart, and hardly hidden by anything."""
    states = simulate(scene, frames)
    number = len(scene.instances)
    for i in range(number):
        for j in range(i):
            gap = np.linalg.norm(states.position[:, i] - states.position[:, j], axis=-1)
            if (gap < _CLEAR * (states.radius[:, i] + states.radius[:, j])).any():
                return False
    return in_frame(scene, states) and bool(hidden_shares(scene, states).max() <= _HIDDEN)
