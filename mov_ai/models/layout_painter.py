"""The painting: the scene graph drawn into its boxes, frame by frame, on the latent grid."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.models.conditioning import EVENT_ROLES, Conditioning
from mov_ai.models.label_projection import LabelProjection

#: A box counts as seen from this share of visibility on.
_LEAST_VISIBILITY = 0.02
#: Samples along each side of a cell, when an outline is painted.
_SAMPLES = 4
#: A cell at an outline counts as so many times what is covered of it. Networks that have seen whole boxes only draw a
#: thing smaller than its outline otherwise (`studies.sketch`).
OUTLINE_GAIN = 1.5


class LayoutPainter(nn.Module):
    """Paints entities into their boxes.

    Two layers deep: the nearest box over each cell and the one behind it, so that what shows beside a round object in
    front is known. Each carries the looks of its entity, its place within the box, its size and its depth.

    Args:
        width: of the label vectors.
        nodes: channels of the graph encoder's vectors, which are painted too; None if there are none.
        looks: True for the entity's own label and, in channels of their own, the sum of those of the attributes that
            hold in that frame (so that a pair never seen together is still two things that were seen); with `nodes`
            also what the graph encoder knows of the entity, and the events that it takes part in, with how far they
            have come. False for nothing but the number of the box, so that looks must come another way.
    """

    ENTITY, ATTRIBUTES, GEOMETRY, NODE, EVENTS, SLOT = 12, 16, 6, 16, 16, 16
    #: Boxes that have a number of their own where looks are left out.
    SLOTS = 16

    def __init__(self, width: int, nodes: int | None = None, looks: bool = True) -> None:
        super().__init__()
        self.slot = None if looks else nn.Embedding(self.SLOTS, self.SLOT)
        self.entity = LabelProjection(width, self.ENTITY) if looks else None
        self.attribute = LabelProjection(width, self.ATTRIBUTES) if looks else None
        self.node = nn.Linear(nodes, self.NODE) if looks and nodes is not None else None
        self.event = nn.Linear(nodes, self.EVENTS) if looks and nodes is not None else None
        self.role = nn.Embedding(len(EVENT_ROLES), self.EVENTS) if self.event is not None else None

    @classmethod
    def channels(cls, nodes: bool = False, looks: bool = True) -> int:
        """Channels of the painting, with vectors of a graph encoder or without."""
        if not looks:
            return 2 * (cls.SLOT + cls.GEOMETRY)
        # An event has two channels more: how far it has come and how far it has to go.
        return 2 * (cls.ENTITY + cls.ATTRIBUTES + cls.GEOMETRY + (cls.NODE + cls.EVENTS + 2 if nodes else 0))

    def forward(self, c: Conditioning, height: int, width: int, window: Tensor, nodes: Tensor | None = None) -> Tensor:
        """Paint (B, F, channels, height, width) cells.

        Args:
            window: (B, 4) left, top, width, height of the part of the frame that the grid covers, in [0, 1].
            nodes: (B, N, channels) from the graph encoder, if there is one.
        """
        u, v, cover = box_coordinates(c.boxes, height, width, window)  # (B, K, F, height, width)
        if c.outside.shape[-1]:
            cover = outlined(cover, c, window)
        cover = (
            cover * (c.boxes[..., 5] > _LEAST_VISIBILITY)[..., None, None] * c.keep_layout[:, None, None, None, None]
        )
        depth = c.boxes[..., 4]
        size = torch.stack([c.boxes[..., 2], c.boxes[..., 3], depth / 8], -1)
        flat = torch.cat([*self._looks(c, nodes), size], -1)  # (B, K, F, channels / 2 - 3)
        layers = []
        for weight in layer_weights(cover, depth):
            spread = torch.einsum("bkfhw,bkfc->bfchw", weight, flat)
            place = torch.stack([(weight * u).sum(1), (weight * v).sum(1), weight.sum(1)], 2)
            layers += [spread, place]
        return torch.cat(layers, 2)

    def numbers(self, c: Conditioning) -> Tensor:
        """(B, K, SLOT): the vector of each box's number, where looks are left out."""
        assert self.slot is not None
        number = torch.arange(c.boxes.shape[1], device=c.boxes.device) % self.SLOTS
        return self.slot(number).expand(len(c), -1, -1)

    def _looks(self, c: Conditioning, nodes: Tensor | None) -> list[Tensor]:
        """What each instance shows in each frame, parts of (B, K, F, channels)."""
        frames = c.boxes.shape[2]

        def always(x: Tensor) -> Tensor:  # (B, K, channels)
            return x[:, :, None].expand(-1, -1, frames, -1)

        if self.slot is not None:
            return [always(self.numbers(c))]
        assert self.entity is not None
        assert self.attribute is not None
        attributes = torch.einsum("bkaf,bkac->bkfc", c.attribute_holds, self.attribute(c.attribute))
        looks = [always(self.entity(c.entity)), attributes]
        if self.node is None or self.event is None or self.role is None or nodes is None:
            return looks
        batch = torch.arange(len(c), device=nodes.device)
        looks.append(always(self.node(nodes[batch[:, None], c.entity_node])))
        events = self.event(nodes[batch[:, None, None], c.event_node]) + self.role(c.event_role)
        holds = (c.event_progress > 0).to(events)
        share = c.event_progress
        looks.append(torch.einsum("bkvf,bkvc->bkfc", holds, events))
        looks.append(torch.stack([share.sum(2), (holds - share).sum(2)], -1))
        return looks


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


def outlined(cover: Tensor, c: Conditioning, window: Tensor) -> Tensor:
    """A copy of what boxes cover of each cell, (B, K, F, height, width), where outlines take the place of the boxes."""
    height, width = cover.shape[-2:]
    cover = cover.clone()
    for sample, k in c.outside.flatten(2).any(-1).nonzero().tolist():
        boxes, part = c.boxes[sample : sample + 1, k : k + 1], window[sample : sample + 1]
        u, v, _ = box_coordinates(boxes, height * _SAMPLES, width * _SAMPLES, part)
        inside = (1 - c.outside[sample, k]).expand(u.shape[2], 1, -1, -1)
        places = torch.stack([u, v], -1)[0, 0].to(inside)
        shares = functional.grid_sample(inside, places, align_corners=False)
        cover[sample, k] = (OUTLINE_GAIN * functional.avg_pool2d(shares, _SAMPLES)[:, 0]).clamp(max=1)
    return cover


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
