"""Motion between two latent frames by matching cells, without weights: what moves far is brought together first."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

#: Cells that motion goes to at most in each direction, side of the squares that are compared, and what each cell of
#: motion costs, in units of how much the frames differ thereabouts: what could be still is taken to be still.
REACH, SIDE, PER_CELL = 6, 7, 0.5
#: Motion below so many cells is left alone: bilinear shares of a cell are worse than blending.
LEAST = 1.5


@torch.no_grad()
def match_cells(left: Tensor, right: Tensor, scale: Tensor) -> Tensor:
    """Motion in whole cells from left to right of what is half-way between them: 0 where it is below `LEAST`.

    Each motion is tried symmetrically about the place (bilateral motion estimation: Choi et al., "Motion-compensated
    frame interpolation using bilateral motion estimation", IEEE TCE 2007), half of it in each frame.

    Args:
        left, right: (n, channels, h, w).
        scale: (n, 1, h, w) squared differences are divided by it.

    Returns:
        (n, 2, h, w) rows and columns.
    """
    height, width = left.shape[-2:]
    pad = REACH // 2 + 1
    left_padded, right_padded = (functional.pad(frame.float(), [pad] * 4, "replicate") for frame in (left, right))
    best = left.new_full((len(left), 1, height, width), torch.inf, dtype=torch.float32)
    motion = left.new_zeros((len(left), 2, height, width), dtype=torch.float32)
    for down in range(-REACH, REACH + 1):
        for across in range(-REACH, REACH + 1):
            top, side = pad - down // 2, pad - across // 2
            before = left_padded[..., top : top + height, side : side + width]
            after = right_padded[..., top + down : top + down + height, side + across : side + across + width]
            unlike = (before - after).square().mean(1, keepdim=True)
            unlike = functional.avg_pool2d(unlike, SIDE, 1, SIDE // 2, count_include_pad=False) / scale
            unlike = unlike + PER_CELL * (down**2 + across**2) ** 0.5
            better = unlike < best
            best = torch.where(better, unlike, best)
            motion = torch.where(better, motion.new_tensor([down, across]).view(1, 2, 1, 1), motion)
    return motion * (motion.norm(dim=1, keepdim=True) >= LEAST)


def moved(frame: Tensor, motion: Tensor) -> Tensor:
    """(n, channels, h, w) at p + motion(p), bilinearly; beyond the border, the border. Motion (n, 2, h, w) in cells."""
    height, width = frame.shape[-2:]
    y, x = (torch.arange(side, device=frame.device, dtype=torch.float32) for side in (height, width))
    places = [(motion[:, 1] + x) / max(width - 1, 1), (motion[:, 0] + y[:, None]) / max(height - 1, 1)]
    grid = torch.stack(places, -1) * 2 - 1
    return functional.grid_sample(frame.float(), grid, padding_mode="border", align_corners=True)
