"""From boxes in the image back to the table: where things stand, how large they are, what lies on what."""

from __future__ import annotations

from functools import cache

import numpy as np

from mov_ai.worlds.tabletop.scene import EXTENT, Action, Instance, Scene, Thing, boxes, camera_axes, project, simulate
from mov_ai.worlds.tabletop.world_boxes import NOMINAL_CAMERA


@cache
def proportions(shape: str) -> tuple[float, float, float]:
    """What a shape's box shows of it, in the middle of the table, for the world's usual camera and turn.

    Returns:
        base: from the box's centre down to the middle of the base, as a share of the box's height.
        top: from the box's centre up to the middle of the top, likewise.
        size: square root of width times height of the box times the distance, for radius 1.
    """
    thing, at = Thing(shape, "red", "small", "matte"), Instance(0, 0.0, 0.0, 0.0, np.pi / 5)
    scene = Scene((thing,), (at,), (Action(0, "stay", (0.0, 1.0)),), (), "floor", "left", NOMINAL_CAMERA, (0.0, 0.0))
    states = simulate(scene, 1)
    _, y, width, height, distance, _ = (float(v) for v in boxes(scene, states)[0, 0])
    radius = float(states.radius[0, 0])
    ends, _ = project(np.array([[0.0, 0.0, 0.0], [0.0, EXTENT[shape][1] * radius, 0.0]]), NOMINAL_CAMERA)
    return (
        (float(ends[0, 1]) - y) / height,
        (y - float(ends[1, 1])) / height,
        (width * height) ** 0.5 * distance / radius,
    )


def base_points(boxes_seen: np.ndarray, shape: str) -> np.ndarray:
    """The middle of the base in the image, (..., 2), of boxes (..., 4): centre x, y, width, height in [0, 1]."""
    return np.stack([boxes_seen[..., 0], boxes_seen[..., 1] + proportions(shape)[0] * boxes_seen[..., 3]], -1)


def top_points(boxes_seen: np.ndarray, shape: str) -> np.ndarray:
    """The middle of the top in the image, (..., 2), of boxes (..., 4)."""
    return np.stack([boxes_seen[..., 0], boxes_seen[..., 1] - proportions(shape)[1] * boxes_seen[..., 3]], -1)


def floor_places(boxes_seen: np.ndarray, shape: str) -> np.ndarray:
    """Where things that stand on the floor stand: x to the right and z away from the camera in world units, (..., 2).

    What hangs in the air seems farther away than it is.
    """
    eye, right, up, forward = camera_axes(NOMINAL_CAMERA)
    points = base_points(boxes_seen, shape)
    sideways = (2 * points[..., :1] - 1) * NOMINAL_CAMERA.tangent
    upwards = (1 - 2 * points[..., 1:]) * NOMINAL_CAMERA.tangent
    rays = forward + sideways * right + upwards * up
    # Above the horizon there is no floor; a point just below it is as far as anything gets.
    reach = eye[1] / np.maximum(-rays[..., 1], 0.05)
    return (eye + reach[..., None] * rays)[..., [0, 2]]


def radii(boxes_seen: np.ndarray, shape: str, places: np.ndarray | None = None) -> np.ndarray:
    """Radius in world units, (...), at places (..., 2) of `floor_places`; where they seem to stand if None."""
    place = floor_places(boxes_seen, shape) if places is None else places
    eye, _, _, forward = camera_axes(NOMINAL_CAMERA)
    distance = (place[..., 0] - eye[0]) * forward[0] + (place[..., 1] - eye[2]) * forward[2] - eye[1] * forward[1]
    return np.sqrt(boxes_seen[..., 2] * boxes_seen[..., 3]) * distance / proportions(shape)[2]
