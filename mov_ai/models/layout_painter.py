"""The painting: the scene graph drawn into its boxes, frame by frame, on the latent grid."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mov_ai.models.conditioning import Conditioning
from mov_ai.models.label_projection import LabelProjection

#: A box counts as seen from this share of visibility on.
_LEAST_VISIBILITY = 0.02


class LayoutPainter(nn.Module):
    """Paints entities into their boxes; `width` of the label vectors.

    Two layers deep: the nearest box over each cell and the one behind it, so that what shows beside a round object in
    front is known. Each carries the entity's own vector and, in channels of their own, the sum of those of the
    attributes that hold in that frame (so that a pair never seen together is still two things that were seen), its
    place within the box, its size and its depth.
    """

    ENTITY, ATTRIBUTES, GEOMETRY = 12, 16, 6

    def __init__(self, width: int) -> None:
        super().__init__()
        self.entity = LabelProjection(width, self.ENTITY)
        self.attribute = LabelProjection(width, self.ATTRIBUTES)

    @classmethod
    def channels(cls) -> int:
        """Channels of the painting."""
        return 2 * (cls.ENTITY + cls.ATTRIBUTES + cls.GEOMETRY)

    def forward(self, c: Conditioning, height: int, width: int, window: Tensor) -> Tensor:
        """Paint (B, F, channels, height, width) cells.

        Args:
            window: (B, 4) left, top, width, height of the part of the frame that the grid covers, in [0, 1].
        """
        u, v, cover = box_coordinates(c.boxes, height, width, window)  # (B, K, F, height, width)
        cover = (
            cover * (c.boxes[..., 5] > _LEAST_VISIBILITY)[..., None, None] * c.keep_layout[:, None, None, None, None]
        )
        frames = c.boxes.shape[2]
        entity = self.entity(c.entity)[:, :, None].expand(-1, -1, frames, -1)
        attributes = torch.einsum("bkaf,bkac->bkfc", c.attribute_holds, self.attribute(c.attribute))
        depth = c.boxes[..., 4]
        size = torch.stack([c.boxes[..., 2], c.boxes[..., 3], depth / 8], -1)
        flat = torch.cat([entity, attributes, size], -1)  # (B, K, F, ENTITY + ATTRIBUTES + 3)
        layers = []
        for weight in layer_weights(cover, depth):
            spread = torch.einsum("bkfhw,bkfc->bfchw", weight, flat)
            place = torch.stack([(weight * u).sum(1), (weight * v).sum(1), weight.sum(1)], 2)
            layers += [spread, place]
        return torch.cat(layers, 2)


def box_coordinates(boxes: Tensor, height: int, width: int, window: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where each cell of a grid lies within each box.

    Args:
        boxes: (B, K, F, 6). window: (B, 4) left, top, width, height of the grid in the frame.

    Returns:
        u, v: (B, K, F, height, width), -1 and 1 at the box's edges, clamped to [-1.5, 1.5]; share of the cell covered.
    """
    left, top, wide, tall = window.unbind(-1)
    x = left[:, None] + wide[:, None] * (torch.arange(width, device=boxes.device) + 0.5) / width  # (B, width)
    y = top[:, None] + tall[:, None] * (torch.arange(height, device=boxes.device) + 0.5) / height
    half_w = boxes[..., 2].clamp(min=1e-3)[..., None] / 2
    half_h = boxes[..., 3].clamp(min=1e-3)[..., None] / 2
    dx = x[:, None, None, :] - boxes[..., 0:1]  # (B, K, F, width)
    dy = y[:, None, None, :] - boxes[..., 1:2]
    cell_w, cell_h = (wide / width)[:, None, None, None], (tall / height)[:, None, None, None]
    cover_x = ((half_w - dx.abs()) / cell_w + 0.5).clamp(0, 1)
    cover_y = ((half_h - dy.abs()) / cell_h + 0.5).clamp(0, 1)
    cover = cover_y[..., :, None] * cover_x[..., None, :]
    u = (dx / half_w).clamp(-1.5, 1.5)[..., None, :].expand_as(cover)
    v = (dy / half_h).clamp(-1.5, 1.5)[..., :, None].expand_as(cover)
    return u, v, cover


def layer_weights(cover: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
    """How much of each cell shows each instance as the nearest box, and as the one behind: two of cover's shape.

    Args:
        cover: (B, K, F, h, w) in [0, 1]. depth: (B, K, F), smaller is nearer.
    """
    order = depth.argsort(1)
    back = order.argsort(1)
    sorted_cover = torch.gather(cover, 1, order[..., None, None].expand_as(cover))
    none = torch.ones_like(cover[:, 0])
    one = torch.zeros_like(none)
    front, behind = [], []
    for alpha in sorted_cover.unbind(1):
        front.append(alpha * none)
        behind.append(alpha * one)
        one = one * (1 - alpha) + none * alpha
        none = none * (1 - alpha)
    index = back[..., None, None].expand_as(cover)
    return torch.gather(torch.stack(front, 1), 1, index), torch.gather(torch.stack(behind, 1), 1, index)
