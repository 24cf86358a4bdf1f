"""Scenes of the embedded world: sampled objects and events, their state in every frame, and their gold layout."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from mov_ai.captions.caption import SPLITS
from mov_ai.graph import Interval
from mov_ai.graph.time import change_time, frame_times
from mov_ai.worlds.tabletop.lexicon import (
    COLORS,
    HELD_OUT_PAIRS,
    LIGHTS,
    MATERIALS,
    MOTION_WEIGHTS,
    RGB,
    SETTINGS,
    SHAPES,
    SIZES,
)

FRAMES = 16
RADIUS = {"small": 0.46, "large": 0.72}
GROW, SHRINK = 1.6, 0.58
#: Visible distance in world units that the lateral and the depth motions cover.
LATERAL, DEPTHWISE, JUMP_HEIGHT, AIR_HEIGHT = (1.2, 2.0), (1.1, 1.9), (0.8, 1.1), (1.1, 1.5)
MAX_INSTANCES = 4
#: Motion at an even pace -> axis (x right, y up, z away) and sign.
_TRAVEL = {"left": (0, -1), "right": (0, 1), "rise": (1, 1), "toward": (2, -1), "away": (2, 1)}
#: Placements tried for one choice of things and actions before another choice is drawn.
_PLACEMENTS = 60


@dataclass(frozen=True)
class Thing:
    """One entity: `count` equal objects that act together."""

    shape: str
    color: str
    size: str
    material: str
    count: int = 1


@dataclass(frozen=True)
class Instance:
    """One object on the table: its entity, floor position (x right, z away), height of its base, yaw in radians."""

    thing: int
    x: float
    z: float
    y: float
    yaw: float


@dataclass(frozen=True)
class Action:
    """One event: what a thing does when.

    `value` is the new colour of a "turn"; `amount` the distance in world units (or radians, for "spin").
    """

    thing: int
    motion: str
    interval: Interval
    value: str | None = None
    amount: float = 0.0


@dataclass(frozen=True)
class Camera:
    """A pinhole camera: position, the point it looks at, tangent of half its field of view."""

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    tangent: float


@dataclass(frozen=True)
class Scene:
    """Everything that determines a clip, except the words for it.

    `relations` are (thing, label, thing) with labels of `lexicon.SPATIAL`, true in the first frame.
    """

    things: tuple[Thing, ...]
    instances: tuple[Instance, ...]
    actions: tuple[Action, ...]
    relations: tuple[tuple[int, str, int], ...]
    setting: str
    light: str
    camera: Camera
    light_jitter: tuple[float, float]


@dataclass(frozen=True)
class States:
    """The scene in every frame; F frames, K instances.

    Attributes:
        position: (F, K, 3) centre of the base: x right, y up, z away from the camera; world units.
        radius: (F, K) world units.
        yaw: (F, K) radians.
        color: (F, K, 3) linear RGB albedo in [0, 1].
        visible: (F, K) bool.
    """

    position: np.ndarray
    radius: np.ndarray
    yaw: np.ndarray
    color: np.ndarray
    visible: np.ndarray


def split_seed(split: str, seed: int) -> np.random.Generator:
    """The random generator of clip `seed` of a split; the same on every machine (PCG64)."""
    return np.random.Generator(np.random.PCG64([SPLITS.index(split), seed]))


# -- state over time ---------------------------------------------------------------------------------------------------


def simulate(scene: Scene, frames: int = FRAMES) -> States:
    """Work out where everything is, and what it looks like, in every frame."""
    time = frame_times(frames)
    count = len(scene.instances)
    position = np.zeros((frames, count, 3))
    radius = np.zeros((frames, count))
    yaw = np.zeros((frames, count))
    color = np.zeros((frames, count, 3))
    visible = np.ones((frames, count), dtype=bool)
    for k, instance in enumerate(scene.instances):
        thing = scene.things[instance.thing]
        position[:, k] = (instance.x, instance.y, instance.z)
        radius[:, k] = RADIUS[thing.size]
        yaw[:, k] = instance.yaw
        color[:, k] = RGB[thing.color]
        for action in scene.actions:
            if action.thing == instance.thing:
                _apply(action, time, position[:, k], radius[:, k], yaw[:, k], color[:, k], visible[:, k])
    return States(position, radius, yaw, color, visible)


def _apply(
    action: Action,
    time: np.ndarray,
    position: np.ndarray,
    radius: np.ndarray,
    yaw: np.ndarray,
    color: np.ndarray,
    visible: np.ndarray,
) -> None:
    """Change one instance's state arrays in place from the action's start on."""
    start, end = action.interval
    u = np.clip((time - start) / (end - start), 0.0, 1.0)
    if action.motion in _TRAVEL:
        axis, sign = _TRAVEL[action.motion]
        position[:, axis] += sign * action.amount * u
        return
    match action.motion:
        case "jump":
            position[:, 1] += action.amount * 4 * u * (1 - u)
        case "fall":
            position[:, 1] -= action.amount * u**2
        case "spin":
            yaw += action.amount * u
        case "grow":
            radius *= 1 + (GROW - 1) * u
        case "shrink":
            radius *= 1 + (SHRINK - 1) * u
        case "turn":
            assert action.value is not None
            color[time >= change_time(action.interval)] = RGB[action.value]
        case "vanish":
            visible[time >= change_time(action.interval)] = False
        case "appear":
            visible[time < change_time(action.interval)] = False
        case "stay":
            pass
        case _:
            raise ValueError(f"action.motion: {action.motion!r} is not a motion of the world")


# -- projection --------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def camera_axes(camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Position and the right, up and forward unit vectors of a camera, each (3,); kept, and not to be written to."""
    position = np.array(camera.position)
    forward = np.asarray(camera.target) - position
    forward = forward / np.linalg.norm(forward)
    right = _cross(np.array([0.0, 1.0, 0.0]), forward)
    right = right / np.linalg.norm(right)
    axes = (position, right, _cross(forward, right), forward)
    for axis in axes:
        axis.flags.writeable = False
    return axes


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The cross product of two vectors (3,): `np.cross` gives the same, and takes a multiple of the time."""
    return np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def project(points: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Project world points (..., 3) to the frame: (..., 2) with x right and y down in [0, 1], and depth (...)."""
    position, right, up, forward = camera_axes(camera)
    relative = points - position
    depth = np.maximum(relative @ forward, 1e-3)
    x = 0.5 + (relative @ right) / (2 * camera.tangent * depth)
    y = 0.5 - (relative @ up) / (2 * camera.tangent * depth)
    return np.stack([x, y], -1), depth


def _unit_points(shape: str) -> np.ndarray:
    """Points whose projections span the shape's outline, for radius 1 and the base's centre at the origin; (P, 3)."""
    angle = np.arange(24) * (2 * np.pi / 24)
    ring = np.stack([np.cos(angle), np.zeros(24), np.sin(angle)], -1)
    half, tall = EXTENT[shape]
    if shape == "sphere":
        heights = np.cos(np.arange(1, 12) * np.pi / 12)
        rings = [ring * np.sqrt(1 - h * h) + [0, 1 + h, 0] for h in heights]
        return np.concatenate([*rings, [[0, 0, 0], [0, 2, 0]]])
    if shape == "cube":
        corners = [[x, y, z] for x in (-half, half) for y in (0, tall) for z in (-half, half)]
        return np.asarray(corners, dtype=float)
    if shape == "cylinder":
        return np.concatenate([ring * half, ring * half + [0, tall, 0]])
    return np.concatenate([ring * half, [[0, tall, 0]]])


#: Shape -> (half width, height), in radii.
EXTENT: dict[str, tuple[float, float]] = {
    "sphere": (1.0, 2.0),
    "cube": (0.82, 1.64),
    "cylinder": (0.8, 1.8),
    "cone": (1.0, 2.0),
}
_POINTS = {shape: _unit_points(shape) for shape in SHAPES}


def outline_points(scene: Scene, states: States, k: int) -> np.ndarray:
    """Points in the world whose projections span instance k's outline in every frame; (F, P, 3)."""
    unit = _POINTS[scene.things[scene.instances[k].thing].shape]
    frames = len(states.radius)
    cos, sin = np.cos(states.yaw[:, k, None]), np.sin(states.yaw[:, k, None])
    turned = np.stack(
        [
            cos * unit[:, 0] + sin * unit[:, 2],
            np.broadcast_to(unit[:, 1], (frames, len(unit))),
            -sin * unit[:, 0] + cos * unit[:, 2],
        ],
        -1,
    )
    return turned * states.radius[:, k, None, None] + states.position[:, k, None]


def boxes(scene: Scene, states: States) -> np.ndarray:
    """The gold layout: (K, F, 6), columns as `mov_ai.graph.BOX_FIELDS`; visibility is 0 where the object is absent."""
    return np.stack([_box(scene, states, k) for k in range(states.radius.shape[1])])


def _box(scene: Scene, states: States, k: int) -> np.ndarray:
    """The boxes of one instance, (F, 6)."""
    flat, depth = project(outline_points(scene, states, k), scene.camera)
    low, high = flat.min(1), flat.max(1)
    inside = np.clip(high, 0, 1) - np.clip(low, 0, 1)
    size = high - low
    visibility = inside.prod(-1) / np.maximum(size.prod(-1), 1e-9) * states.visible[:, k]
    return np.column_stack([(low + high) / 2, size, depth.mean(1), visibility]).astype(np.float32)


# -- sampling ----------------------------------------------------------------------------------------------------------


def sample_scene(rng: np.random.Generator, split: str = "train") -> Scene:
    """Draw a scene by rejection: nothing collides, leaves the frame, or hides another for long.

    Training and validation scenes never show a pair of `HELD_OUT_PAIRS`; every test scene shows at least one.
    """
    # The number of things is drawn once: drawn anew after each rejection, crowded scenes would hardly ever occur.
    number = int(rng.choice([1, 2, 3, 4], p=[0.28, 0.40, 0.22, 0.10]))
    while True:
        things = _propose_things(rng, split, number)
        actions = _propose_actions(rng, things, split)
        if actions is None:
            continue
        for _ in range(_PLACEMENTS):
            scene = _place(rng, things, actions)
            if _acceptable(scene):
                return replace(scene, relations=_propose_relations(rng, scene))


def _allowed(shape: str, color: str, split: str) -> bool:
    return split == "test" or (shape, color) not in HELD_OUT_PAIRS


def _place(rng: np.random.Generator, things: tuple[Thing, ...], actions: tuple[Action, ...]) -> Scene:
    """Put the things somewhere, with a camera, a setting and a light; not yet checked."""
    camera, setting, light = _sample_camera(rng), *_sample_surroundings(rng)
    instances = []
    for index, thing in enumerate(things):
        vertical = next((a for a in actions if a.thing == index and a.motion in ("fall", "rise", "jump")), None)
        height = vertical.amount if vertical is not None and vertical.motion == "fall" else 0.0
        yaw = float(rng.uniform(-0.6, 0.6)) + np.pi / 5
        for _ in range(thing.count):
            instances.append(Instance(index, float(rng.uniform(-1.8, 1.8)), float(rng.uniform(-1.9, 1.9)), height, yaw))
    jitter = _sample_jitter(rng)
    return Scene(things, tuple(instances), actions, (), setting, light, camera, jitter)


def sample_view(rng: np.random.Generator) -> tuple[str, str, Camera, tuple[float, float]]:
    """A setting, a light, a camera, and how far the light is off its usual place."""
    camera, surroundings = _sample_camera(rng), _sample_surroundings(rng)
    return (*surroundings, camera, _sample_jitter(rng))


def _sample_camera(rng: np.random.Generator) -> Camera:
    eye = (float(rng.uniform(-0.25, 0.25)), 3.3 + float(rng.uniform(-0.12, 0.12)), -6.2)
    return Camera(eye, (0.0, 0.62, 0.0), 0.37)


def _sample_surroundings(rng: np.random.Generator) -> tuple[str, str]:
    """Setting and light."""
    setting = str(rng.choice(list(SETTINGS), p=[0.7, 0.18, 0.12]))
    return setting, str(rng.choice(list(LIGHTS), p=[0.76, 0.14, 0.10]))


def _sample_jitter(rng: np.random.Generator) -> tuple[float, float]:
    return float(rng.uniform(-0.12, 0.12)), float(rng.uniform(-0.08, 0.08))


def _propose_things(rng: np.random.Generator, split: str, number: int) -> tuple[Thing, ...]:
    pairs = [(s, c) for s in SHAPES for c in COLORS if _allowed(s, c, split)]
    chosen = [pairs[i] for i in rng.permutation(len(pairs))[:number]]
    if split == "test" and not any(pair in HELD_OUT_PAIRS for pair in chosen):
        held_out_pairs = sorted(HELD_OUT_PAIRS)
        chosen[int(rng.integers(number))] = held_out_pairs[int(rng.integers(len(held_out_pairs)))]
    things = []
    for i, (shape, color) in enumerate(chosen):
        room = MAX_INSTANCES - number
        count = int(rng.integers(2, min(3, room + 1) + 1)) if i == 0 and room > 0 and rng.random() < 0.14 else 1
        size = str(rng.choice(list(SIZES), p=[0.45, 0.55] if count == 1 else [0.8, 0.2]))
        material = str(rng.choice(list(MATERIALS), p=[0.65, 0.35]))
        things.append(Thing(shape, color, size, material, count))
    return tuple(things)


def _propose_actions(rng: np.random.Generator, things: tuple[Thing, ...], split: str) -> tuple[Action, ...] | None:
    steps = int(rng.choice([1, 2, 3], p=[0.38, 0.42, 0.20]))
    state = [{"air": False, "gone": False, "seen": False, "color": t.color, "sized": False} for t in things]
    actions: list[Action] = []
    previous = -1
    for step in range(steps):
        interval = (round(step / steps, 4), round((step + 1) / steps, 4))
        actors = 2 if len(things) > 1 and rng.random() < 0.18 else 1
        order = [int(i) for i in rng.permutation(len(things))]
        if previous >= 0 and rng.random() < 0.45:
            # The same thing goes on acting, as in "rolls left, then turns blue".
            order.remove(previous)
            order.insert(0, previous)
        for index in order[:actors]:
            action = _propose_action(rng, things[index], index, interval, state[index], split)
            if action is None:
                return None
            actions.append(action)
            previous = index
    return tuple(actions)


def _propose_action(
    rng: np.random.Generator, thing: Thing, index: int, interval: Interval, state: dict, split: str
) -> Action | None:
    if state["gone"]:
        return None
    options = dict(MOTION_WEIGHTS)
    if thing.shape != "cube":
        del options["spin"]
    if state["air"]:
        for name in ("rise", "jump", "stay", "toward", "away"):
            options.pop(name, None)
    elif state["seen"]:
        # A first event may find the thing hanging in the air; later on only a thing that rose can fall.
        options.pop("fall")
    if state["seen"]:
        options.pop("appear")
    if state["sized"]:
        options.pop("grow"), options.pop("shrink")
    names = list(options)
    weights = np.array([options[name] for name in names], dtype=float)
    motion = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    amount, value = 0.0, None
    if motion in ("left", "right"):
        amount = float(rng.uniform(*LATERAL))
    elif motion in ("toward", "away"):
        amount = float(rng.uniform(*DEPTHWISE))
    elif motion == "jump":
        amount = float(rng.uniform(*JUMP_HEIGHT))
    elif motion == "rise" or (motion == "fall" and not state["air"]):
        amount = float(rng.uniform(*AIR_HEIGHT))
    elif motion == "fall":
        amount = state["air"]
    elif motion == "spin":
        amount = float(rng.uniform(np.pi, 1.5 * np.pi))
    elif motion == "turn":
        colors = [c for c in COLORS if c != state["color"] and _allowed(thing.shape, c, split)]
        value = colors[int(rng.integers(len(colors)))]
        state["color"] = value
    if motion == "rise":
        state["air"] = amount
    elif motion == "fall":
        state["air"] = False
    state["gone"] = motion == "vanish"
    state["seen"] = True
    state["sized"] = state["sized"] or motion in ("grow", "shrink")
    return Action(index, motion, interval, value, amount)


def _propose_relations(rng: np.random.Generator, scene: Scene) -> tuple[tuple[int, str, int], ...]:
    single = {i: next(o for o in scene.instances if o.thing == i) for i, t in enumerate(scene.things) if t.count == 1}
    candidates = []
    for i, a in single.items():
        for j, b in single.items():
            if i == j or "appear" in [m.motion for m in scene.actions if m.thing in (i, j)]:
                continue
            dx, dz = b.x - a.x, b.z - a.z
            if abs(dx) > 0.9 and abs(dx) > abs(dz):
                candidates.append((i, "left of" if dx > 0 else "right of", j))
            elif abs(dz) > 0.9 and abs(dz) > abs(dx):
                candidates.append((i, "in front of" if dz > 0 else "behind", j))
            if dx * dx + dz * dz < 2.4:
                candidates.append((i, "next to", j))
    if not candidates or rng.random() < 0.55:
        return ()
    return (candidates[int(rng.integers(len(candidates)))],)


def _acceptable(scene: Scene) -> bool:
    states = simulate(scene)
    count = len(scene.instances)
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    # What needs no boxes comes first, and boxes one by one: of a hundred placements, one or two are accepted.
    for i, j in pairs:
        gap = np.linalg.norm(states.position[:, i] - states.position[:, j], axis=-1)
        if (gap < 1.12 * (states.radius[:, i] + states.radius[:, j])).any():
            return False
    is_visible = states.visible.T  # (K, F)
    box = np.zeros((*is_visible.shape, 6), dtype=np.float32)
    for k in range(count):
        box[k] = _box(scene, states, k)
        edges = np.concatenate([box[k, :, :2] - box[k, :, 2:4] / 2, 1 - box[k, :, :2] - box[k, :, 2:4] / 2], -1)
        if (edges[is_visible[k]] < 0.015).any():
            return False
    for i, j in pairs:
        both = is_visible[i] & is_visible[j]
        low = np.maximum(box[i, :, :2] - box[i, :, 2:4] / 2, box[j, :, :2] - box[j, :, 2:4] / 2)
        high = np.minimum(box[i, :, :2] + box[i, :, 2:4] / 2, box[j, :, :2] + box[j, :, 2:4] / 2)
        overlap = np.clip(high - low, 0, None).prod(-1) * both
        far = np.where(box[i, :, 4] > box[j, :, 4], i, j)
        hidden = overlap / box[far, np.arange(len(far)), 2:4].prod(-1)
        if hidden.max() > 0.6 or hidden.mean() > 0.2:
            return False
    return True
