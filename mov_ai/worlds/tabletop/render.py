"""Ray casting of tabletop scenes in closed form, in torch: batched over frames, on CPU or GPU, at any resolution."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mov_ai.graph.time import frame_times
from mov_ai.worlds.tabletop.scene import EXTENT, Scene, States, camera_axes, project, simulate
from mov_ai.worlds.tabletop.soft_shadows import soft_light
from mov_ai.worlds.tabletop.variation import VariedScene, frame_states, snapshot

#: Direction towards the light (x right, y up, z away), by name.
_LIGHT = {"left": (-0.55, 0.85, -0.50), "right": (0.55, 0.85, -0.50), "above": (0.05, 1.0, -0.12)}
#: Setting -> (floor albedo, background colour, ambient light, sun strength).
_SETTING = {
    "floor": ((0.56, 0.56, 0.58), (0.78, 0.82, 0.88), 0.42, 0.75),
    "table": ((0.52, 0.36, 0.22), (0.80, 0.76, 0.70), 0.42, 0.75),
    "dark": ((0.16, 0.17, 0.22), (0.03, 0.03, 0.06), 0.24, 0.80),
}
_FAR = 1e9


def render(
    scene: Scene,
    height: int,
    width: int,
    crop: tuple[int, int, int, int] | None = None,
    frames: np.ndarray | None = None,
    device: torch.device | str = "cpu",
    states: States | None = None,
) -> tuple[Tensor, Tensor]:
    """Ray-cast a scene: video uint8 (F, H, W, 3), sRGB; masks uint8 (F, H, W), 0 background, k+1 instance k.

    Args:
        height, width: size of the whole frame in pixels.
        crop: (top, left, height, width) in pixels: only this window is computed.
        frames: indices of the frames wanted; all 16 if None.
        states: `simulate(scene)`, if at hand.
    """
    states = simulate(scene) if states is None else states
    picked = np.arange(states.radius.shape[0]) if frames is None else np.asarray(frames)
    top, left, rows, columns = crop or (0, 0, height, width)
    if isinstance(scene, VariedScene) and not scene.still:
        # A still scene of each frame: camera and light differ, and with them all that is worked out once for a clip.
        times = frame_times(states.radius.shape[0])
        stills = [
            render(snapshot(scene, float(times[f])), height, width, crop, np.array([f]), device, states) for f in picked
        ]
        return torch.cat([video for video, _ in stills]), torch.cat([masks for _, masks in stills])
    caster = _Caster(scene, states, picked, (height, width), (top, left, rows, columns), torch.device(device))
    return caster.run()


class _Caster:
    """One clip's worth of rays. Every tensor below is (F, rows, columns[, 3])."""

    def __init__(
        self,
        scene: Scene,
        states: States,
        picked: np.ndarray,
        size: tuple[int, int],
        window: tuple[int, int, int, int],
        device: torch.device,
    ) -> None:
        self.scene, self.size, self.window, self.device = scene, size, window, device
        self.states = frame_states(states, picked)
        self.frames = len(picked)
        origin, right, up, forward = camera_axes(scene.camera)
        self.origin = origin
        top, left, rows, columns = window
        tangent = scene.camera.tangent
        x = ((torch.arange(columns, device=device) + left + 0.5) / size[1] * 2 - 1) * tangent
        y = (1 - (torch.arange(rows, device=device) + top + 0.5) / size[0] * 2) * tangent
        tensors = [torch.tensor(v, dtype=torch.float32, device=device) for v in (right, up, forward)]
        ray = tensors[2] + x[None, :, None] * tensors[0] + y[:, None, None] * tensors[1]
        self.ray = ray / ray.norm(dim=-1, keepdim=True)  # (rows, columns, 3)
        azimuth, lift = scene.light_jitter
        light = np.asarray(_LIGHT[scene.light]) + np.array([azimuth, lift, 0.0])
        self.light = light / np.linalg.norm(light)

    def run(self) -> tuple[Tensor, Tensor]:
        rows, columns = self.window[2:]
        floor_albedo, sky, ambient, sun = _SETTING[self.scene.setting]
        shape = (self.frames, rows, columns)
        down = self.ray[..., 1].clamp(max=-1e-4)
        floor = torch.where(self.ray[..., 1] < -1e-4, float(self.origin[1]) / -down, torch.full_like(down, _FAR))
        nearest = floor.expand(shape).clone()
        normal = torch.zeros(*shape, 3, device=self.device)
        normal[..., 1] = 1
        albedo = torch.tensor(floor_albedo, device=self.device).expand(*shape, 3).clone()
        masks = torch.zeros(shape, dtype=torch.uint8, device=self.device)
        gloss = torch.zeros(shape, device=self.device)
        for k, instance in enumerate(self.scene.instances):
            self._draw(k, instance.thing, nearest, normal, albedo, masks, gloss)
        # Soft floor: far rays fade into the background, which also hides the horizon.
        distance = nearest.clamp(max=40.0)
        point = torch.tensor(self.origin, dtype=torch.float32, device=self.device) + self.ray * distance[..., None]
        soft = isinstance(self.scene, VariedScene) and self.scene.soft_shadows
        lit, unblocked = self._soft_light(point, normal, masks) if soft else (self._shadow(point, normal), None)
        light = torch.tensor(self.light, dtype=torch.float32, device=self.device)
        diffuse = (normal * light).sum(-1).clamp(min=0) * lit
        sky_share = 0.75 + 0.25 * normal[..., 1]
        if unblocked is not None:
            sky_share = sky_share * unblocked
        color = albedo * (ambient * sky_share + sun * diffuse)[..., None]
        half = light - self.ray
        half = half / half.norm(dim=-1, keepdim=True)
        shine = (normal * half).sum(-1).clamp(min=0)
        is_object = masks > 0
        highlight = torch.where(gloss > 0, 0.75 * shine**60, 0.10 * shine**12) * is_object * (0.15 + 0.85 * lit)
        rim = torch.where(gloss > 0, 0.22 * (1 + (normal * self.ray).sum(-1)).clamp(0, 1) ** 3, torch.zeros_like(gloss))
        color = color + (highlight + rim * is_object)[..., None]
        fade = ((distance - 7.5) / 7.0).clamp(0, 1)
        fade = (fade * fade * (3 - 2 * fade) * ~is_object)[..., None]
        color = color * (1 - fade) + torch.tensor(sky, device=self.device) * fade
        if isinstance(self.scene, VariedScene) and self.scene.brightness != 1:
            color = color * self.scene.brightness
        encoded = color.clamp(0, 1) ** (1 / 2.2)
        return (encoded * 255).round().to(torch.uint8), masks

    # -- one object ------------------------------------------------------------------------------------------------

    def _draw(
        self, k: int, thing: int, nearest: Tensor, normal: Tensor, albedo: Tensor, masks: Tensor, gloss: Tensor
    ) -> None:
        area = self._area(self._corners(k))
        if area is None:
            return
        rows, columns = area
        origin = torch.tensor(self.origin, dtype=torch.float32, device=self.device)
        distance, facing = self._intersect(k, origin.view(1, 1, 1, 3), self.ray[rows, columns][None], True)
        assert facing is not None
        closer = distance < nearest[:, rows, columns]
        nearest[:, rows, columns] = torch.where(closer, distance, nearest[:, rows, columns])
        normal[:, rows, columns] = torch.where(closer[..., None], facing, normal[:, rows, columns])
        tint = self._per_frame(self.states.color[:, k])
        albedo[:, rows, columns] = torch.where(closer[..., None], tint, albedo[:, rows, columns])
        masks[:, rows, columns] = torch.where(
            closer, torch.full_like(masks[:, rows, columns], k + 1), masks[:, rows, columns]
        )
        shiny = float(self.scene.things[thing].material == "shiny")
        gloss[:, rows, columns] = torch.where(closer, torch.full_like(distance, shiny), gloss[:, rows, columns])

    def _shadow(self, point: Tensor, normal: Tensor) -> Tensor:
        """1 where the light reaches, 0 in shadow; (F, rows, columns)."""
        lit = torch.ones(point.shape[:-1], device=self.device)
        start = point + normal * 2e-3
        toward = torch.tensor(self.light, dtype=torch.float32, device=self.device).view(1, 1, 1, 3)
        for k in range(len(self.scene.instances)):
            corners = self._corners(k)
            dropped = corners - self.light * (corners[..., 1:2] / self.light[1])
            area = self._area(np.concatenate([corners, dropped], 1))
            if area is None:
                continue
            rows, columns = area
            distance, _ = self._intersect(k, start[:, rows, columns], toward, False)
            lit[:, rows, columns] *= (distance >= _FAR).float()
        return lit

    def _soft_light(self, point: Tensor, normal: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Shares of the lamp and of the sky that reach each point, 0 to 1; each (F, rows, columns)."""
        lit, unblocked = (torch.ones(point.shape[:-1], device=self.device) for _ in range(2))
        for k in range(len(self.scene.instances)):
            corners = self._corners(k)
            if not corners.size:
                continue
            middle = corners.mean(1, keepdims=True)
            # Wider than the body: soft edges, and the floor around it that it keeps the sky from.
            around = middle + (corners - middle) * [2.4, 1.0, 2.4]
            around[..., 1] = np.maximum(around[..., 1], 0)
            dropped = middle + (corners - middle) * 1.5
            dropped = dropped - self.light * (dropped[..., 1:2] / self.light[1])
            area = self._area(np.concatenate([around, around * [1, 0, 1], dropped], 1))
            if area is None:
                continue
            rows, columns = area
            near = [values[:, rows, columns] for values in (point, normal, masks)]
            shade = soft_light(near[0], near[1], near[2], self.scene, self.states, k, self.light)
            lit[:, rows, columns] *= shade[0]
            unblocked[:, rows, columns] *= shade[1]
        return lit, unblocked

    def _corners(self, k: int) -> np.ndarray:
        """Corners of the object's bounding box in every frame where it is visible; (F', 8, 3)."""
        half, tall = EXTENT[self.scene.things[self.scene.instances[k].thing].shape]
        wide = half * (1.4143 if half < 1 else 1.0)
        unit = np.array([[x, y, z] for x in (-wide, wide) for y in (0, tall) for z in (-wide, wide)])
        is_visible = self.states.visible[:, k]
        return unit * self.states.radius[is_visible, k, None, None] + self.states.position[is_visible, k, None]

    def _area(self, points: np.ndarray) -> tuple[slice, slice] | None:
        """The rectangle of the window that can hold these points, over all frames; None if it is empty."""
        if points.size == 0:
            return None
        flat, _ = project(points.reshape(-1, 3), self.scene.camera)
        low, high = flat.min(0), flat.max(0)
        top, left, rows, columns = self.window
        x0 = max(0, int(np.floor(low[0] * self.size[1])) - left - 1)
        x1 = min(columns, int(np.ceil(high[0] * self.size[1])) - left + 1)
        y0 = max(0, int(np.floor(low[1] * self.size[0])) - top - 1)
        y1 = min(rows, int(np.ceil(high[1] * self.size[0])) - top + 1)
        return (slice(y0, y1), slice(x0, x1)) if x1 > x0 and y1 > y0 else None

    def _per_frame(self, values: np.ndarray) -> Tensor:
        tensor = torch.tensor(values, dtype=torch.float32, device=self.device)
        return tensor.view(self.frames, 1, 1, *values.shape[1:])

    def _intersect(self, k: int, start: Tensor, ray: Tensor, want_normal: bool) -> tuple[Tensor, Tensor | None]:
        """Distance along each ray to instance k (`_FAR` where it misses or is absent), and the normal there.

        Rays are moved into the object's own frame: base at the origin, radius 1, yaw 0.
        """
        shape = self.scene.things[self.scene.instances[k].thing].shape
        radius = self._per_frame(self.states.radius[:, k])
        base = self._per_frame(self.states.position[:, k])
        moved = (start - base) / radius[..., None]
        if shape == "cube":
            cos, sin = self._per_frame(np.cos(self.states.yaw[:, k])), self._per_frame(np.sin(self.states.yaw[:, k]))
            moved, ray = _turn(moved, cos, -sin), _turn(ray, cos, -sin)
        distance, normal = _SHAPES[shape](moved, ray, want_normal)
        present = self._per_frame(self.states.visible[:, k].astype(np.float32)) > 0
        distance = torch.where(
            present & (distance > 0) & (distance < _FAR / 10), distance * radius, torch.full_like(distance, _FAR)
        )
        if normal is not None and shape == "cube":
            normal = _turn(normal, cos, sin)
        return distance, normal


def _turn(v: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate vectors about the vertical axis; the angle's sign as in `scene.boxes`."""
    x, y, z = v.unbind(-1)
    x, y, z = torch.broadcast_tensors(cos * x + sin * z, y, -sin * x + cos * z)
    return torch.stack([x, y, z], -1)


def _miss_where(bad: Tensor, distance: Tensor) -> Tensor:
    return torch.where(bad, torch.full_like(distance, _FAR), distance)


def _sphere(start: Tensor, ray: Tensor, want_normal: bool) -> tuple[Tensor, Tensor | None]:
    x, y, z = start.unbind(-1)
    dx, dy, dz = ray.unbind(-1)
    y = y - 1
    b = x * dx + y * dy + z * dz
    root = b * b - (x * x + y * y + z * z - 1)
    distance = _miss_where(root < 0, -b - root.clamp(min=0).sqrt())
    if not want_normal:
        return distance, None
    return distance, torch.stack([x + distance * dx, y + distance * dy, z + distance * dz], -1)


def _cube(start: Tensor, ray: Tensor, want_normal: bool) -> tuple[Tensor, Tensor | None]:
    half, tall = EXTENT["cube"]
    centre = torch.tensor([0, tall / 2, 0], device=start.device)
    safe = torch.where(ray.abs() < 1e-6, torch.full_like(ray, 1e-6), ray)
    middle = (centre - start) / safe
    span = half / safe.abs()
    near = middle - span
    distance, axis = near.max(-1)
    distance = _miss_where(distance > (middle + span).amin(-1), distance)
    if not want_normal:
        return distance, None
    normal = torch.nn.functional.one_hot(axis, 3).to(ray.dtype) * -safe.sign()
    return distance, normal


def _cylinder(start: Tensor, ray: Tensor, want_normal: bool) -> tuple[Tensor, Tensor | None]:
    half, tall = EXTENT["cylinder"]
    x, y, z = start.unbind(-1)
    dx, dy, dz = ray.unbind(-1)
    dy = torch.where(dy.abs() < 1e-6, torch.full_like(dy, 1e-6), dy)
    a = (dx * dx + dz * dz).clamp(min=1e-9)
    b = x * dx + z * dz
    root = b * b - a * (x * x + z * z - half * half)
    wide = root.clamp(min=0).sqrt()
    side_in, side_out = (-b - wide) / a, (-b + wide) / a
    middle, span = (tall / 2 - y) / dy, (tall / 2) / dy.abs()
    cap_in, cap_out = middle - span, middle + span
    distance = torch.maximum(side_in, cap_in)
    bad = (root < 0) | (distance > torch.minimum(side_out, cap_out))
    distance = _miss_where(bad, distance)
    if not want_normal:
        return distance, None
    on_cap = cap_in > side_in
    zero = torch.zeros_like(distance)
    nx = torch.where(on_cap, zero, (x + distance * dx) / half)
    nz = torch.where(on_cap, zero, (z + distance * dz) / half)
    ny = torch.where(on_cap, -dy.sign() + zero, zero)
    return distance, torch.stack([nx, ny, nz], -1)


def _cone(start: Tensor, ray: Tensor, want_normal: bool) -> tuple[Tensor, Tensor | None]:
    half, tall = EXTENT["cone"]
    slope = (half / tall) ** 2
    x, y, z = start.unbind(-1)
    dx, dy, dz = ray.unbind(-1)
    dy = torch.where(dy.abs() < 1e-6, torch.full_like(dy, 1e-6), dy)
    h = tall - y  # distance below the apex
    a = dx * dx + dz * dz - slope * dy * dy
    a = torch.where(a.abs() < 1e-6, torch.full_like(a, 1e-6), a)
    b = x * dx + z * dz + slope * h * dy
    c = x * x + z * z - slope * h * h
    root = b * b - a * c
    wide = root.clamp(min=0).sqrt()
    best = torch.full_like(root, _FAR)
    for sign in (-1.0, 1.0):
        t = (-b + sign * wide) / a
        at = y + t * dy
        good = (root >= 0) & (at >= 0) & (at <= tall) & (t > 0)
        best = torch.where(good & (t < best), t, best)
    base = -y / dy
    on_base = ((x + base * dx) ** 2 + (z + base * dz) ** 2 <= half * half) & (base > 0) & (base < best)
    distance = torch.where(on_base, base, best)
    if not want_normal:
        return distance, None
    px, pz = x + distance * dx, z + distance * dz
    ring = (px * px + pz * pz).sqrt().clamp(min=1e-6)
    lean = (half / tall) / (1 + slope) ** 0.5
    flat = 1 / (1 + slope) ** 0.5
    zero = torch.zeros_like(distance)
    nx = torch.where(on_base, zero, px / ring * flat)
    nz = torch.where(on_base, zero, pz / ring * flat)
    ny = torch.where(on_base, zero - 1, zero + lean)
    return distance, torch.stack([nx, ny, nz], -1)


_SHAPES = {"sphere": _sphere, "cube": _cube, "cylinder": _cylinder, "cone": _cone}
