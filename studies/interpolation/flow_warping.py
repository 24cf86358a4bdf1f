"""The classical way to frames between two: optical flow both ways, carried to the time in between, and warping.

The algorithm of the Middlebury benchmark for interpolation (Baker et al., "A database and evaluation methodology for
optical flow", IJCV 2011, section 3.3.2), from both frames: flow vectors are carried along themselves to the time in
between; of several that meet there, the one whose two ends look most alike stays; holes are filled by the nearest
vector. Both frames are then taken from along it and mixed by their distance in time; where one of its ends is hidden in
the other frame, the frame that sees it counts alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from skimage.registration import optical_flow_ilk, optical_flow_tvl1
from torch import Tensor

from mov_ai.evaluation.metrics.optical_flow import LucasKanade, visible, warp

#: (3, h, w) in [0, 1], twice -> (2, h, w), x and y displacement in pixels from the first to the second.
Flow = Callable[[Tensor, Tensor], Tensor]
#: How much more the frame that alone sees a place counts.
_ONLY = 1e3
_GREY = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)


def tv_l1(first: Tensor, second: Tensor) -> Tensor:
    """skimage's TV-L1 (Zach et al. 2007), with its own settings."""
    return _by_skimage(optical_flow_tvl1, first, second)


def iterative_lucas_kanade(first: Tensor, second: Tensor) -> Tensor:
    """skimage's iterative Lucas-Kanade (Le Besnerais and Champagnat 2005), with its own settings."""
    return _by_skimage(optical_flow_ilk, first, second)


def lucas_kanade(first: Tensor, second: Tensor) -> Tensor:
    """The pyramid that `mov-ai eval` measures warping errors with."""
    return LucasKanade()(first[None], second[None])[0]


FLOWS: dict[str, Flow] = {
    "TV-L1 (skimage)": tv_l1,
    "iterative Lucas-Kanade (skimage)": iterative_lucas_kanade,
    "pyramidal Lucas-Kanade (mov_ai)": lucas_kanade,
}


def _by_skimage(method: Callable[..., np.ndarray], first: Tensor, second: Tensor) -> Tensor:
    # Its flow says where of the second argument the first's pixels are found, rows before columns.
    rows, columns = method(*((frame * _GREY).sum(0).double().numpy() for frame in (first, second)))
    return torch.from_numpy(np.stack([columns, rows])).float()


def frames_between(first: Tensor, second: Tensor, flow: Flow, count: int = 3) -> Tensor:
    """So many frames, evenly between two, (3, h, w) in [0, 1] each: (count, 3, h, w)."""
    if torch.equal(first, second):
        return first.expand(count, *first.shape)
    forward, backward = flow(first, second), flow(second, first)
    return torch.stack([_frame_at((i + 1) / (count + 1), first, second, forward, backward) for i in range(count)])


def _frame_at(time: float, first: Tensor, second: Tensor, forward: Tensor, backward: Tensor) -> Tensor:
    """The frame at a time between the two, 0 to 1."""
    motion = _motion_at(time, first, second, forward, backward)[None]
    # What has no partner in the other frame is seen by one of them only.
    alone = [1 - visible(a[None], b[None]).float() for a, b in ((forward, backward), (backward, forward))]
    ways = (-time * motion, (1 - time) * motion)
    ends = torch.cat([warp(frame[None], way) for frame, way in zip((first, second), ways, strict=True)])
    weights = torch.cat(
        [
            share * (1 + _ONLY * warp(lonely, way)[0])
            for share, lonely, way in zip((1 - time, time), alone, ways, strict=True)
        ]
    )
    return (ends * (weights / weights.sum(0))[:, None]).sum(0).clamp(0, 1)


def _motion_at(time: float, first: Tensor, second: Tensor, forward: Tensor, backward: Tensor) -> Tensor:
    """The motion from the first frame to the second of what is seen at a time between them: (2, h, w) in pixels."""
    height, width = first.shape[-2:]
    y, x = np.mgrid[:height, :width]
    best = np.full(height * width, np.inf)
    motion = np.zeros((2, height * width), dtype=np.float32)
    for own, other, flow, share, sign in (
        (first, second, forward, time, 1),
        (second, first, backward, 1 - time, -1),
    ):
        unlike = (own - warp(other[None], flow[None])[0]).abs().sum(0).flatten().numpy()
        vectors = flow.numpy()
        to_x = np.clip(np.rint(x + share * vectors[0]), 0, width - 1).astype(int)
        to_y = np.clip(np.rint(y + share * vectors[1]), 0, height - 1).astype(int)
        place = (to_y * width + to_x).ravel()
        # The least unlike of those that meet at a place: the first of its run, once sorted.
        order = np.lexsort((unlike, place))
        places, firsts = np.unique(place[order], return_index=True)
        chosen = order[firsts]
        is_better = unlike[chosen] < best[places]
        places, chosen = places[is_better], chosen[is_better]
        best[places] = unlike[chosen]
        motion[:, places] = sign * vectors.reshape(2, -1)[:, chosen]
    holes = np.isinf(best).reshape(height, width)
    field = motion.reshape(2, height, width)
    if holes.any():
        nearest = distance_transform_edt(holes, return_distances=False, return_indices=True)
        field = field[:, nearest[0], nearest[1]]
    return torch.from_numpy(field)
