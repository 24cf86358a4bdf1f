"""Cameras that pan, zoom or orbit, and lights that move or change their strength, drawn for a scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mov_ai.graph.time import FULL, Interval
from mov_ai.worlds.tabletop.scene import Camera, Scene, States, simulate
from mov_ai.worlds.tabletop.variation import CameraPath, VariedScene, seen_boxes

CAMERA_MOVES = ("pan left", "pan right", "zoom in", "zoom out", "orbit left", "orbit right")
#: How much wider the view is than usual, so that nothing leaves it; how far the camera turns to each side in a pan (x
#: of its target, world units) and goes round in an orbit (radians); share of the field of view that a zoom leaves.
_WIDER, _PAN, _ORBIT, _ZOOM = 1.22, (0.3, 0.55), (0.3, 0.6), (0.7, 0.8)
#: When a move takes place.
_INTERVALS: tuple[Interval, ...] = (FULL, FULL, (0.0, 0.5), (0.5, 1.0))
#: Boxes keep this distance from the frame's edge.
_EDGE = 0.012
#: Moves tried before the camera is left where it is.
_TRIES = 12


def with_camera_move(scene: VariedScene, rng: np.random.Generator) -> VariedScene:
    """The scene under a camera that moves; under a still one if no move keeps everything in the frame."""
    states = simulate(scene)
    for _ in range(_TRIES):
        label = CAMERA_MOVES[int(rng.integers(len(CAMERA_MOVES)))]
        interval = _INTERVALS[int(rng.integers(len(_INTERVALS)))]
        start, end = _ends(scene.camera, label, rng)
        moved = replace(scene, camera=start, path=CameraPath(label, interval, end))
        if in_frame(moved, states):
            return moved
    return scene


def _ends(camera: Camera, label: str, rng: np.random.Generator) -> tuple[Camera, Camera]:
    """The view before and after a move."""
    kind, way = label.split(" ")
    sign = 1.0 if way == "right" else -1.0
    wide = replace(camera, tangent=camera.tangent * _WIDER)
    x, y, z = wide.target
    if kind == "pan":
        aside = sign * float(rng.uniform(*_PAN))
        return replace(wide, target=(x - aside, y, z)), replace(wide, target=(x + aside, y, z))
    if kind == "zoom":
        near = replace(wide, tangent=wide.tangent * float(rng.uniform(*_ZOOM)))
        return (wide, near) if way == "in" else (near, wide)
    angle = sign * float(rng.uniform(*_ORBIT))
    return _turned(wide, -angle / 2), _turned(wide, angle / 2)


def _turned(camera: Camera, angle: float) -> Camera:
    """The camera gone round its target, to the right for a positive angle in radians."""
    (x, y, z), (a, _, c) = camera.position, camera.target
    cos, sin = np.cos(angle), np.sin(angle)
    return replace(camera, position=(a + cos * (x - a) - sin * (z - c), y, c + sin * (x - a) + cos * (z - c)))


def with_light_change(scene: VariedScene, rng: np.random.Generator) -> VariedScene:
    """The scene under a light that changes over the clip."""
    options = ["dims", "brightens"] if scene.setting != "dark" else []
    # A light that moves starts on one side; only there is its way to be seen.
    options += {"left": ["moves right"], "right": ["moves left"]}.get(scene.light, [])
    return replace(scene, light_change=options[int(rng.integers(len(options)))]) if options else scene


def in_frame(scene: Scene, states: States) -> bool:
    """Whether all that is visible keeps clear of the frame's edge in every frame."""
    box = seen_boxes(scene, states)
    low, high = box[..., :2] - box[..., 2:4] / 2, box[..., :2] + box[..., 2:4] / 2
    edges = np.concatenate([low, 1 - high], -1)[states.visible.T]
    return bool((edges >= _EDGE).all())
