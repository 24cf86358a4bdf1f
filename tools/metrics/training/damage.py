"""Damage to clips, of known strength: what generators, codecs and players do to videos."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms.v2 import functional as images

from mov_ai.models.metric_networks.recognition import DAMAGES

#: Chances: of a clip to be damaged at all, and then to suffer one, two or three kinds.
DAMAGED, _KINDS = 0.55, (0.5, 0.35, 0.15)
_IN_TIME = ("freeze", "shuffle")


def draw_damage(rng: np.random.Generator, share: float = DAMAGED) -> np.ndarray:
    """Strengths in [0, 1] of `DAMAGES`, (9,) float32: 0 is none."""
    strengths = np.zeros(len(DAMAGES), np.float32)
    if rng.random() < share:
        kinds = rng.permutation(len(DAMAGES))[: int(rng.choice(3, p=_KINDS)) + 1]
        strengths[kinds] = rng.uniform(0.1, 1, len(kinds))
    return strengths


def damaged_order(strengths: np.ndarray, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Which frame is shown at each time, (frames,): some repeat the one before, or frames change places."""
    freeze, shuffle = (strengths[DAMAGES.index(name)] for name in _IN_TIME)
    order = np.arange(frames)
    if shuffle > 0:
        # From neighbours that change places up to any order.
        order = np.argsort(order + rng.normal(0, 0.6 + frames * float(shuffle) ** 2, frames))
    if freeze > 0:
        is_repeated = rng.random(frames) < 0.75 * freeze
        is_repeated[0] = False
        order = order[np.maximum.accumulate(np.where(is_repeated, 0, np.arange(frames)))]
    return order


def damage_frames(video: Tensor, ghost: Tensor, strengths: np.ndarray, rng: np.random.Generator) -> Tensor:
    """Damage that each frame suffers by itself, equally strong in all of them.

    Args:
        video: (F, 3, h, w) in [0, 1].
        ghost: another clip of the same shape, which shines through.
        strengths: as `draw_damage`; those of time are `damaged_order`'s.

    Returns:
        (F, 3, h, w) in [0, 1].
    """
    of = dict(zip(DAMAGES, (float(s) for s in strengths), strict=True))
    size = video.shape[-1]
    if of["ghost"]:
        video = torch.lerp(video, ghost, 0.3 * of["ghost"])
    if of["resampling"]:
        small = round(size * (0.8 - 0.5 * of["resampling"]))
        mode = str(rng.choice(["bilinear", "bicubic"]))
        shrunk = functional.interpolate(video, (small, small), mode="area")
        video = functional.interpolate(shrunk, (size, size), mode=mode, align_corners=False)
    if of["blur"]:
        sigma = 0.3 + 1.7 * of["blur"]
        video = images.gaussian_blur(video, [2 * round(2.5 * sigma) + 1] * 2, [sigma] * 2)
    if of["colors"]:
        # Small shifts only: an orange must not become a red.
        video = _shifted(video, of["colors"], rng)
    if of["flicker"]:
        gains = rng.normal(1, 0.12 * of["flicker"], (len(video), 1, 1, 1))
        video = video * torch.from_numpy(gains.astype(np.float32))
    if of["noise"]:
        noise = rng.standard_normal(video.shape, np.float32)
        video = video + 0.12 * of["noise"] * torch.from_numpy(noise)
    video = video.clamp(0, 1)
    if of["jpeg"]:
        pixels = (255 * video).round().to(torch.uint8).contiguous()
        video = images.jpeg(pixels, round(70 - 60 * of["jpeg"])).float() / 255
    return video


def _shifted(video: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    gain, offset = (
        torch.from_numpy((strength * rng.uniform(-reach, reach, (1, 3, 1, 1))).astype(np.float32))
        for reach in (0.12, 0.06)
    )
    video = video ** (1 + strength * float(rng.uniform(-0.2, 0.25))) * (1 + gain) + offset
    grey = video.mean(1, keepdim=True)
    return (grey + (video - grey) * (1 + strength * float(rng.uniform(-0.35, 0.3)))).clamp(0, 1)
