"""Over time: flicker, smoothness, warping error, subject consistency, dynamic degree; one figure for each video.

After VBench (Huang et al., "VBench: Comprehensive Benchmark Suite for Video Generative Models", CVPR 2024) where its
definition needs no download. Where another network stands in for VBench's, the result names it, and the figures do not
compare with VBench's. All take uint8 videos (T, H, W, 3), and raise UsageError for others: too short, or smaller than
16×16 for optical flow.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.optical_flow import OpticalFlow, visible, warp
from mov_ai.models.metric_networks.pixels import check_video

#: Flow is measured on so many pairs at a time, fewer if their frames hold more than so many pixels.
_PAIRS_AT_ONCE, _PIXELS_AT_ONCE = 8, 2**18
#: The smallest side that a flow can be measured on.
FLOW_MIN_SIDE = 16


def temporal_flickering(video: np.ndarray) -> float:
    """1 - mean |frame - next frame| / 255 over pixels, channels and pairs; [0, 1], higher is better. T ≥ 2.

    VBench's definition. VBench measures it on static scenes only: motion lowers it, and a frozen video has 1.
    """
    check_video(video, 2)
    differences = [np.abs(a.astype(np.int16) - b).mean() for a, b in pairwise(video)]
    return 1 - float(np.mean(differences)) / 255


def motion_smoothness(video: np.ndarray, flow: OpticalFlow) -> float:
    """1 - mean |frame - its interpolation from the neighbours| / 255 over odd frames; [0, 1], higher is better. T ≥ 3.

    VBench's definition, which drops the odd frames and interpolates them again, but by AMT. Here both neighbours are
    warped half the way along the flow between them and averaged. A frozen video has 1.
    """
    _check(video, 3)
    middles = np.arange(1, len(video) - 1, 2)
    total = 0.0
    many = _pairs_at_once(video)
    for start in range(0, len(middles), many):
        chosen = middles[start : start + many]
        before, middle, after = (_unit(video[chosen + offset]) for offset in (-1, 0, 1))
        guess = (warp(before, flow(after, before) / 2) + warp(after, flow(before, after) / 2)) / 2
        total += float((guess - middle).abs().mean((1, 2, 3)).sum())
    return 1 - total / len(middles)


def warping_error(video: np.ndarray, flow: OpticalFlow) -> float:
    """Mean squared difference of a frame and the next one warped back, where visible; [0, 1], lower is better. T ≥ 2.

    Lai et al., "Learning Blind Video Temporal Consistency" (ECCV 2018), E_warp, with colours in [0, 1] and the mean
    over channels: Σ M |V_t - V̂_{t+1}|² / Σ M for each pair, then the mean over pairs. M says which pixels are visible
    (`visible`); a pair that has less than 1 % of them is measured on all. A frozen video has 0.
    """
    _check(video, 2)
    errors = []
    for first, second in _pairs(video):
        forward, backward = flow(first, second), flow(second, first)
        mask = visible(forward, backward)
        enough = mask.mean((1, 2, 3), keepdim=True) >= 0.01
        mask = torch.where(enough, mask, torch.ones_like(mask))
        difference = (first - warp(second, forward)).pow(2).mean(1, keepdim=True)
        errors += ((difference * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3))).tolist()
    return float(np.mean(errors))


def subject_consistency(features: np.ndarray) -> float:
    """How much the frames look alike to a network; [0, 1], higher is better. T ≥ 2.

    VBench's definition, which takes DINO ViT-B/16: the mean over frames from the second on of
    (max(0, cos(f_t, f_{t-1})) + max(0, cos(f_t, f_1))) / 2. A frozen video has 1.

    Args:
        features: (T, D) of the frames, finite, from a network that reads one frame at a time.

    Raises:
        UsageError: for another shape, features that are not finite, or all 0 in a frame.
    """
    array = np.asarray(features, dtype=np.float64)
    if array.ndim != 2 or len(array) < 2:
        raise UsageError(f"subject consistency: expected features (2 or more frames, features), got {array.shape}")
    lengths = np.linalg.norm(array, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise UsageError("subject consistency: a frame's features are not finite or all 0; use another network")
    unit = array / lengths
    to_previous = np.clip((unit[1:] * unit[:-1]).sum(1), 0, 1)
    to_first = np.clip((unit[1:] * unit[:1]).sum(1), 0, 1)
    return float((to_previous + to_first).mean() / 2)


def dynamic_degree(video: np.ndarray, fps: float, flow: OpticalFlow) -> bool:
    """Whether the video moves; the mean over videos is the share that does. [0, 1], higher is more motion. T ≥ 2.

    VBench's definition, with its RAFT replaced by `flow`: of about 8 frames a second, a pair moves if the mean of the
    largest 5 % of the flow's lengths is above 6 px × side / 256 × max(1, 8 / fps), side the shorter one; the video
    moves if at least a quarter as many pairs as frames do (VBench rounds that to 0 for 2; here it is at least 1).
    """
    _check(video, 2)
    if not 0 < fps < float("inf"):
        raise UsageError(f"dynamic degree: expected frames per second above 0, got {fps}")
    sampled = video[:: max(1, round(fps / 8))]
    if len(sampled) < 2:
        raise UsageError(
            f"dynamic degree: {len(video)} frames at {fps:g} per second are too short; give a longer video"
        )
    threshold = 6 * min(video.shape[1:3]) / 256 * max(1.0, 8 / fps)
    moving = 0
    for first, second in _pairs(sampled):
        lengths = flow(first, second).pow(2).sum(1).sqrt().flatten(1)
        largest = lengths.topk(max(1, int(lengths.shape[1] * 0.05)), dim=1).values.mean(1)
        moving += int((largest > threshold).sum())
    return moving >= max(1, round(4 * len(sampled) / 16))


def _check(video: np.ndarray, frames: int) -> None:
    check_video(video, frames)
    if min(video.shape[1:3]) < FLOW_MIN_SIDE:
        raise UsageError(
            f"optical flow: expected frames of at least 16×16 pixels, got {video.shape[1]}×{video.shape[2]}"
        )


def _unit(frames: np.ndarray) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 255


def _pairs(video: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
    many = _pairs_at_once(video)
    for start in range(0, len(video) - 1, many):
        part = _unit(video[start : start + many + 1])
        yield part[:-1], part[1:]


def _pairs_at_once(video: np.ndarray) -> int:
    return min(_PAIRS_AT_ONCE, max(1, _PIXELS_AT_ONCE // (video.shape[1] * video.shape[2])))
