"""Videos as networks that judge them take them: uint8 and nothing else, no guessing of ranges."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mov_ai.errors import UsageError


def check_video(video: Any, min_frames: int = 1, name: str = "video") -> np.ndarray:
    """The video, if it is uint8 (T, H, W, 3), RGB, 0 to 255, with at least `min_frames` frames; else UsageError.

    Nothing is converted: whether a float video is in [0, 1], [-1, 1] or [0, 255] cannot be told.
    """
    shape, dtype = getattr(video, "shape", None), getattr(video, "dtype", type(video).__name__)
    expected = f"{name}: expected a numpy array uint8 (frames, height, width, 3), RGB from 0 to 255"
    if not isinstance(video, np.ndarray) or video.dtype != np.uint8:
        raise UsageError(
            f"{expected}; got {dtype} {'' if shape is None else tuple(shape)}: bring it to 0..255 and round it "
            "yourself, as its range cannot be told from its values"
        )
    if video.ndim != 4 or video.shape[-1] != 3 or 0 in video.shape[1:3]:
        raise UsageError(f"{expected}; got {video.shape}")
    if len(video) < min_frames:
        raise UsageError(f"{name}: expected at least {min_frames} frames, got {len(video)}; give a longer video")
    return video


def to_network(frames: np.ndarray) -> Tensor:
    """Frames uint8 (B, H, W, 3) as (B, 3, H, W) float32, 0..255 -> [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() * (2 / 255) - 1
