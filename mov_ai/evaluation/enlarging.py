"""A video at another size without any network: what a refining stage is compared with."""

from __future__ import annotations

import numpy as np
import torch

from mov_ai.models.cascade import resize
from mov_ai.models.codec import to_bytes, to_unit


@torch.no_grad()
def enlarged(video: np.ndarray, height: int, width: int) -> np.ndarray:
    """A video, uint8 (frames, h, w, 3), brought bilinearly to another size, as the cascade does between its stages."""
    result: np.ndarray = to_bytes(resize(to_unit(torch.from_numpy(video))[None], height, width))[0].numpy()
    return result
