"""Scenes arranged for a question: everything in the frame, apart, and to be seen."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np

from mov_ai.models.metric_networks.checker import SIZE, STRIDE
from mov_ai.worlds.tabletop.scene import Action, Camera, Instance, Scene, States, Thing, boxes, simulate

#: Positions tried for one choice of things and actions before another choice is drawn.
_PLACEMENTS = 300
#: Boxes keep this distance from the frame's edge.
_EDGE = 0.012
#: Share of a box that a nearer one may hide, at worst and on average, where hiding is not the question.
_HIDDEN_WORST, _HIDDEN_MEAN = 0.35, 0.12

#: Least size of a box in cells of the checker's network (2x2 pixels of 128x128): small cubes look like cylinders.
_CELLS = {"sphere": 75, "cone": 75, "cube": 150, "cylinder": 118}

#: Two instances, the smaller number first.
Pair = tuple[int, int]


def scene_of(things: Collection[Thing], actions: Collection[Action], places: Collection[Instance]) -> Scene:
    """A scene on the plain floor with the usual light; the camera is set by `arranged`."""
    camera = Camera((0.0, 3.3, -6.2), (0.0, 0.62, 0.0), 0.37)
    return Scene(tuple(things), tuple(places), tuple(actions), (), "floor", "left", camera, (0.0, 0.0))


def arranged(
    rng: np.random.Generator,
    propose: Callable[[np.random.Generator], Scene | None],
    meeting: Collection[Pair] = (),
) -> Scene | None:
    """Draw scenes until one can be shown: all in the frame, nothing in anything else, nothing hidden for long.

    Args:
        rng: the source of all choices.
        propose: draws a scene, or None if that draw came to nothing.
        meeting: pairs of instances that may touch and hide one another, for that is the question.

    Returns:
        A scene whose numbers are rounded to three decimals, or None if none was found.
    """
    for _ in range(_PLACEMENTS):
        scene = propose(rng)
        if scene is None:
            continue
        eye = (float(rng.uniform(-0.2, 0.2)), 3.3 + float(rng.uniform(-0.1, 0.1)), -6.2)
        jitter = (float(rng.uniform(-0.1, 0.1)), float(rng.uniform(-0.06, 0.06)))
        scene = _rounded(replace(scene, camera=replace(scene.camera, position=eye), light_jitter=jitter))
        if showable(scene, meeting):
            return scene
    return None


def showable(scene: Scene, meeting: Collection[Pair] = ()) -> bool:
    """Whether everything is in the frame, apart, and to be seen; see `arranged`."""
    states = simulate(scene)
    pairs = [(i, j) for j in range(len(scene.instances)) for i in range(j) if (i, j) not in meeting]
    # The cheapest test first: most arrangements fail it.
    if not all(_apart(states, i, j) for i, j in pairs):
        return False
    box = boxes(scene, states)
    is_visible = states.visible.T  # (K, F)
    cells = box[..., 2:4].prod(-1).mean(1) * (SIZE // STRIDE) ** 2
    if any(c < _CELLS[scene.things[i.thing].shape] for c, i in zip(cells, scene.instances, strict=True)):
        return False
    low, high = box[..., :2] - box[..., 2:4] / 2, box[..., :2] + box[..., 2:4] / 2
    if (np.concatenate([low, 1 - high], -1)[is_visible] < _EDGE).any():
        return False
    return all(_in_view(box, is_visible, i, j) for i, j in pairs)


def _apart(states: States, i: int, j: int) -> bool:
    gap = np.linalg.norm(states.position[:, i] - states.position[:, j], axis=-1)
    return bool((gap > 1.12 * (states.radius[:, i] + states.radius[:, j])).all())


def _in_view(box: np.ndarray, seen: np.ndarray, i: int, j: int) -> bool:
    low = np.maximum(box[i, :, :2] - box[i, :, 2:4] / 2, box[j, :, :2] - box[j, :, 2:4] / 2)
    high = np.minimum(box[i, :, :2] + box[i, :, 2:4] / 2, box[j, :, :2] + box[j, :, 2:4] / 2)
    overlap = np.clip(high - low, 0, None).prod(-1) * seen[i] * seen[j]
    far = np.where(box[i, :, 4] > box[j, :, 4], i, j)
    hidden = overlap / box[far, np.arange(len(far)), 2:4].prod(-1)
    return bool(hidden.max() <= _HIDDEN_WORST and hidden.mean() <= _HIDDEN_MEAN)


def _rounded(scene: Scene) -> Scene:
    """Three decimals are a millimetre of a table two metres wide, and short in a file."""

    def short(value: float) -> float:
        return round(value, 3)

    return replace(
        scene,
        instances=tuple(
            replace(i, x=short(i.x), z=short(i.z), y=short(i.y), yaw=short(i.yaw)) for i in scene.instances
        ),
        actions=tuple(
            replace(a, amount=short(a.amount), interval=(round(a.interval[0], 4), round(a.interval[1], 4)))
            for a in scene.actions
        ),
        camera=Camera(
            (short(scene.camera.position[0]), short(scene.camera.position[1]), short(scene.camera.position[2])),
            scene.camera.target,
            scene.camera.tangent,
        ),
        light_jitter=(short(scene.light_jitter[0]), short(scene.light_jitter[1])),
    )
