"""Shadows with soft edges in closed form: how much of the lamp and of the sky one thing leaves to a point."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mov_ai.worlds.tabletop.scene import EXTENT, Scene, States, outline_points

#: Width of a shadow's edge where a thing touches the ground, and how much it grows with the way of the light from the
#: thing to the ground: the lamp's width as seen from there.
_SHARP, _LAMP = 0.035, 0.22
#: Share of the sky's light that a touching thing takes away at most, and the least that is still seen.
_CONTACT, _LEAST = 0.75, 0.05
_DIRECTIONS = 20


def soft_light(
    point: Tensor, normal: Tensor, masks: Tensor, scene: Scene, states: States, k: int, light: np.ndarray
) -> tuple[Tensor, Tensor]:
    """Shares of the lamp and of the sky, in [0, 1], that instance k leaves to points; each (F, rows, columns).

    The body casts a convex shadow along the light. A point is carried along the light to the floor; its distance from
    the shadow's edge there, over the edge's width, says how much of the lamp it sees.

    Args:
        point, normal: (F, rows, columns, 3) in the world.
        masks: (F, rows, columns), k + 1 on the instance itself, which casts no shadow on itself: its far side is dark
            as it faces away.
        light: (3,) unit vector towards the lamp.
    """
    device = point.device

    def each(values: np.ndarray) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=device).view(-1, 1, 1)

    x, y, z = point.unbind(-1)
    slant = light[[0, 2]] / light[1]
    floor_x, floor_z = x - float(slant[0]) * y, z - float(slant[1]) * y
    outline = outline_points(scene, states, k)
    cast = outline[..., [0, 2]] - slant * outline[..., 1:2]  # (F, P, 2)
    distance: Tensor | None = None
    for direction in _edge_normals(scene, states, k, slant):  # (F, 2)
        reach = (cast @ direction[:, :, None])[..., 0].max(1)
        side = floor_x * each(direction[:, 0]) + floor_z * each(direction[:, 1]) - each(reach)
        distance = side if distance is None else torch.maximum(distance, side)
    assert distance is not None
    base, radius = states.position[:, k], states.radius[:, k]
    tall = EXTENT[scene.things[scene.instances[k].thing].shape][1] * radius
    # How high above the base that part is which throws its shadow here: the farther along the shadow, the higher.
    length = float(np.linalg.norm(slant))
    foot = base[:, [0, 2]] - slant * base[:, 1:2]
    along = (each(foot[:, 0]) - floor_x) * float(slant[0]) + (each(foot[:, 1]) - floor_z) * float(slant[1])
    height = torch.minimum((along / max(length * length, 1e-6)).clamp(min=0), each(tall))
    height = (height + each(base[:, 1]) - y).clamp(min=0)
    share = (distance / (_SHARP + _LAMP * height) + 0.5).clamp(0, 1)
    share = share * share * (3 - 2 * share)
    centre = base + np.stack([np.zeros_like(tall), tall / 2, np.zeros_like(tall)], -1)
    to_x, to_y, to_z = each(centre[:, 0]) - x, each(centre[:, 1]) - y, each(centre[:, 2]) - z
    itself = masks == k + 1
    present = each(states.visible[:, k].astype(np.float32)) > 0
    beyond = to_x * float(light[0]) + to_y * float(light[1]) + to_z * float(light[2]) <= 0
    share = torch.where(itself | beyond | ~present, torch.ones_like(share), share)
    # As a ball seen from the point: the share of the sky over it that the ball covers.
    squared = to_x * to_x + to_y * to_y + to_z * to_z
    away = squared.clamp(min=1e-6).sqrt()
    facing = ((to_x * normal[..., 0] + to_y * normal[..., 1] + to_z * normal[..., 2]) / away).clamp(min=0)
    cover = (facing * (each(tall / 2) ** 2 / squared.clamp(min=1e-6))).clamp(max=1)
    cover = ((cover - _LEAST) / (1 - _LEAST)).clamp(min=0)
    sky = torch.where(itself | ~present, torch.ones_like(cover), 1 - _CONTACT * cover)
    return share, sky


def _edge_normals(scene: Scene, states: States, k: int, slant: np.ndarray) -> list[np.ndarray]:
    """Unit vectors (F, 2) on the floor that are normal to the edges of an instance's shadow."""
    frames = len(states.radius)
    shape = scene.things[scene.instances[k].thing].shape
    beside = np.array([-slant[1], slant[0]]) / np.linalg.norm(slant)
    straight = [np.broadcast_to(sign * beside, (frames, 2)) for sign in (1, -1)]
    if shape == "cube":
        cos, sin = np.cos(states.yaw[:, k]), np.sin(states.yaw[:, k])
        sides = [np.stack([cos, -sin], -1), np.stack([sin, cos], -1)]
        return [*straight, *(sign * side for side in sides for sign in (1, -1))]
    angles = np.arange(_DIRECTIONS) * (2 * np.pi / _DIRECTIONS)
    around = [np.broadcast_to([np.cos(a), np.sin(a)], (frames, 2)) for a in angles]
    if shape == "cylinder":
        return [*straight, *around]
    if shape == "cone":
        half, tall = EXTENT[shape]
        tip = -slant * tall
        far = float(np.linalg.norm(tip))
        if far > half:
            # The two lines from the tip that touch the base.
            towards, lean = np.arctan2(tip[1], tip[0]), np.arccos(half / far)
            around += [
                np.broadcast_to([np.cos(towards + s * lean), np.sin(towards + s * lean)], (frames, 2)) for s in (1, -1)
            ]
    return around
