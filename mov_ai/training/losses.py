"""The composite objective: L = L_denoise + l1 L_temporal + l2 L_semantic + l3 L_perceptual.

And the errors of decoded frames that decoders are trained by.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from mov_ai.errors import UsageError
from mov_ai.models.codec import VideoCodec
from mov_ai.models.conditioning import Conditioning
from mov_ai.models.layout_painter import box_coordinates


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms; 0 switches a term off.

    Attributes:
        temporal, semantic, perceptual: l1, l2, l3 of the paper, which starts them at 1.0, 0.5, 0.1.
        objects: how much more a cell inside a box counts than the floor, in every term over cells.
    """

    temporal: float = 1.0
    semantic: float = 0.5
    perceptual: float = 0.1
    objects: float = 4.0

    def __post_init__(self) -> None:
        """Check ranges. Raises UsageError: a term with a negative weight would be learnt to be as large as possible."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
                raise UsageError(f"loss.{field.name}: expected a weight from 0 up, 0 for off; found {value!r}")


def reconstruction_errors(video: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean absolute errors of pixels, of pixels averaged over 2x2, and of the differences of neighbouring pixels.

    Args:
        video, truth: (batch, frames, 3, height, width).
    """
    pixels = (video - truth).abs().mean()
    flat, target = video.flatten(0, 1), truth.flatten(0, 1)
    half = (functional.avg_pool2d(flat, 2) - functional.avg_pool2d(target, 2)).abs().mean()
    edges = (flat.diff(dim=-1) - target.diff(dim=-1)).abs().mean() + (
        flat.diff(dim=-2) - target.diff(dim=-2)
    ).abs().mean()
    return pixels, half, edges


def object_weight(boxes: Tensor, height: int, width: int, window: Tensor, extra: float) -> Tensor:
    """1 on the floor, 1 + extra inside the boxes (a little enlarged, for edges and shadows), of mean 1.

    Args:
        boxes: as `Conditioning.boxes`. window: (batch, 4), the part of the frame in view.

    Returns:
        (batch, frames, 1, height, width).
    """
    enlarged = boxes.clone()
    enlarged[..., 2:4] *= 1.3
    _, _, cover = box_coordinates(enlarged, height, width, window)
    inside = (cover * (boxes[..., 5] > 0.02)[..., None, None]).amax(1)
    weight = 1 + extra * inside
    return (weight / weight.mean((1, 2, 3), keepdim=True))[:, :, None]


def denoise_loss(predicted: Tensor, clean: Tensor, scale: Tensor, weight: Tensor) -> Tensor:
    """mean( w ((x - y) / c)^2 ): the error in units of the network's own output.

    Args:
        predicted, clean: (batch, frames, channels, h, w).
        scale: (batch,) `mov_ai.diffusion.process.output_scale`, floored by the caller.
        weight: (batch, frames, 1, h, w).
    """
    return (weight * ((predicted - clean) / scale.view(-1, 1, 1, 1, 1)).square()).mean()


def temporal_loss(predicted: Tensor, clean: Tensor, weight: Tensor) -> Tensor:
    """mean( w (d_t x - d_t y)^2 ), d_t the difference of neighbouring frames: motion right, and no flicker."""
    return (weight[:, 1:] * (predicted.diff(dim=1) - clean.diff(dim=1)).square()).mean()


def box_loss(predicted: Tensor, clean: Tensor, condition: Conditioning, window: Tensor) -> Tensor:
    """Mean over visible entities of |mean_box x - mean_box y|^2: what is in each entity's box, on the whole.

    Args:
        predicted, clean: (batch, frames, channels, h, w).
        condition: gives the boxes. window: (batch, 4), the part of the frame in view.
    """
    height, width = predicted.shape[-2:]
    _, _, cover = box_coordinates(condition.boxes, height, width, window)
    cover = cover * (condition.boxes[..., 5] > 0.02)[..., None, None]
    area = cover.sum((-1, -2))
    pooled = torch.einsum("bkfhw,bfchw->bkfc", cover, predicted - clean) / area.clamp(min=1)[..., None]
    is_large = (area > 1).float()
    return (pooled.square().mean(-1) * is_large).sum() / is_large.sum().clamp(min=1)


def perceptual_loss(predicted: Tensor, clean: Tensor, codec: VideoCodec, frames: Tensor) -> Tensor:
    """LPIPS's formula on the first features of the frozen codec's decoder: each cell's features scaled to length 1, and
    the squared distance between them, in [0, 4], averaged over the cells of a few frames.

    Zhang et al. 2018 (arXiv 1801.03924), equation 1 with one layer and weights of 1. It is not LPIPS, whose pretrained
    backbone cannot be embedded.

    Args:
        predicted, clean: (batch, frames, channels, h, w).
        codec: frozen.
        frames: indices of the frames compared.
    """
    shown, true = (
        functional.normalize(codec.features(rearrange(x[:, frames], "b f c h w -> (b f) c h w")), dim=1)
        for x in (predicted, clean)
    )
    return (shown - true.detach()).square().sum(1).mean()
