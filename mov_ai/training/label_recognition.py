"""What latents show inside boxes, as labels: what the loss's semantic term asks.

A small network is taught on true latents which labels the thing in a box has, frame by frame, and then stays as it is.
What a denoiser makes is held against it: would one read off it what the graph says? It knows no word either; a label is
its vector, so that any vocabulary and any codec will do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.models.conditioning import Conditioning

#: Samples along each side of a box, which is shown with this much around it.
_GRID, _MARGIN = 6, 1.2
#: A box is looked into where at least so much of it is to be seen, and lies in view.
_LEAST_SEEN = 0.5
#: Labels that are this near to one that holds may hold as well: they are not asked for.
_KIN = 0.6
#: How it is taught: rate, decay of weights, and the most noise on latents, whose own deviation is about 1.
_RATE, _DECAY, _NOISE = 2e-3, 0.5, 1.0
#: Steps that it is taught for, a batch each, and the most passes over the batches.
_STEPS, _PASSES = 1000, 25


@dataclass(frozen=True)
class AskedLabels:
    """The L different labels of a batch of B graphs with K instances in F frames, and where they hold.

    Attributes:
        label: (L, 1 + W) float, each label's vector behind 1 for an attribute's and 0 for an entity's own.
        holds: (B, K, F, L) float, 1 where an instance has the label.
        counts: (B, K, F, L) bool, what is asked: all labels of boxes that are seen, but those near to one that holds.
    """

    label: Tensor
    holds: Tensor
    counts: Tensor


def asked_labels(condition: Conditioning, window: Tensor) -> AskedLabels:
    """The labels of a batch's instances, whose vectors must not be blurred.

    Args:
        window: (B, 4) left, top, width, height of the part of the frame in view.
    """
    attributes = torch.cat([torch.ones_like(condition.attribute[..., :1]), condition.attribute], -1)
    own = torch.cat([torch.zeros_like(condition.entity[..., :1]), condition.entity], -1)[:, :, None]
    every = torch.cat([own, attributes], 2)  # (B, K, 1 + A, 1 + W)
    always = torch.ones_like(condition.attribute_holds[:, :, :1])
    when = torch.cat([always, condition.attribute_holds], 2)  # (B, K, 1 + A, F)
    given = (every[..., 1:] != 0).any(-1)
    label, index = torch.unique(every[given], dim=0, return_inverse=True)
    which = when.new_zeros(*given.shape, len(label))
    which[given] = torch.eye(len(label)).to(which)[index]
    holds = torch.einsum("bkaf,bkal->bkfl", when, which).clamp(max=1)
    of_one_role = label[:, :1] == label[None, :, 0]
    kin = ((label[:, 1:] @ label[:, 1:].T > _KIN) & of_one_role).to(holds)
    near = torch.einsum("bkfl,lm->bkfm", holds, kin) > 0
    seen = (condition.boxes[..., 5] > _LEAST_SEEN) & (share_in_view(condition.boxes, window) > _LEAST_SEEN)
    return AskedLabels(label, holds, seen[..., None] & ((holds > 0) | ~near))


def share_in_view(boxes: Tensor, window: Tensor) -> Tensor:
    """How much of each box lies in the part of the frame in view, (B, K, F) in [0, 1].

    Args:
        boxes: (B, K, F, 6). window: (B, 4).
    """
    low, size = window[:, None, None, :2], window[:, None, None, 2:]
    centre, sides = boxes[..., :2], boxes[..., 2:4].clamp(min=1e-3)
    first, last = torch.maximum(centre - sides / 2, low), torch.minimum(centre + sides / 2, low + size)
    return ((last - first).clamp(min=0) / sides).prod(-1)


def in_boxes(latents: Tensor, boxes: Tensor, window: Tensor) -> Tensor:
    """What a grid over each box samples, (B, K, F, channels x grid x grid); zeros out of view.

    Args:
        latents: (B, F, channels, h, w). boxes: (B, K, F, 6). window: (B, 4), the part of the frame in view.
    """
    batch, instances, frames = boxes.shape[:3]
    steps = (torch.arange(_GRID, device=boxes.device) + 0.5) / _GRID * 2 - 1
    corner, size = window[:, None, None, :2], window[:, None, None, 2:]
    middle = (boxes[..., :2] - corner) / size * 2 - 1
    half = boxes[..., 2:4] / size * _MARGIN
    x, y = (middle[..., None] + half[..., None] * steps).unbind(3)  # (B, K, F, grid)
    across, down = x[..., None, :].expand(*x.shape, _GRID), y[..., None].expand(*y.shape, _GRID)
    places = torch.stack([across, down], -1).transpose(1, 2).flatten(0, 1).flatten(1, 2)  # (B F, K grid, grid, 2)
    found = functional.grid_sample(latents.flatten(0, 1), places.to(latents), align_corners=False)
    found = found.view(batch, frames, -1, instances, _GRID**2)
    return found.permute(0, 3, 1, 2, 4).flatten(3)


def shown_and_asked(latents: Tensor, condition: Conditioning, window: Tensor) -> tuple[Tensor, AskedLabels]:
    """What latents show in a batch's boxes, and its labels. Args: as of `in_boxes` and `asked_labels`."""
    return in_boxes(latents, condition.boxes, window), asked_labels(condition, window)


class LabelRecognizer(nn.Module):
    """Which labels things have, from what their boxes show.

    Args:
        channels: of the latents. width: W of the label vectors.
        hidden, shared: widths of its layers, and of the space in which what is shown and labels meet.
    """

    def __init__(self, channels: int, width: int, hidden: int = 192, shared: int = 64) -> None:
        super().__init__()
        self.shown = nn.Sequential(
            nn.Linear(channels * _GRID**2, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, shared),
        )
        self.label, self.bias = nn.Linear(1 + width, shared), nn.Linear(1 + width, 1)

    def forward(self, shown: Tensor, label: Tensor) -> Tensor:
        """Logits (..., L) of labels holding.

        Args:
            shown: (..., channels x grid x grid) from `in_boxes`. label: (L, 1 + W), as `AskedLabels.label`.
        """
        features = self.shown(shown)
        likeness = features @ self.label(label).T / features.shape[-1] ** 0.5
        return likeness + self.bias(label)[:, 0]


def label_error(logits: Tensor, asked: AskedLabels) -> Tensor:
    """Mean (p - holds)^2 over all that is asked, Brier's score: in [0, 1], 0 where nothing is asked.

    Bounded, so that a video in which hardly anything is to be seen yet is not all that a denoiser learns from.

    Args:
        logits: (B, K, F, L).
    """
    error = (logits.sigmoid() - asked.holds).square() * asked.counts
    return error.sum() / asked.counts.sum().clamp(min=1)


def recognised(logits: Tensor, asked: AskedLabels) -> tuple[float, float]:
    """Shares of the labels that hold, and of those that do not, that are answered right; 0 of none."""
    yes, holds = logits > 0, asked.holds > 0
    sides = (((yes & holds), holds), ((~yes & ~holds), ~holds))
    right, wrong = (float((hit & asked.counts).sum() / (side & asked.counts).sum().clamp(min=1)) for hit, side in sides)
    return right, wrong


def taught_recognizer(samples: Sequence[tuple[Tensor, AskedLabels]], seed: int) -> LabelRecognizer:
    """A recognizer that has learnt from true latents, frozen; the same for the same samples and seed.

    Args:
        samples: of each batch `shown_and_asked`.
        seed: of weights and noise.
    """
    shown, asked = samples[0]
    steps = min(_STEPS, _PASSES * len(samples))
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        network = LabelRecognizer(shown.shape[-1] // _GRID**2, asked.label.shape[-1] - 1)
        optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
        for step in range(steps):
            shown, asked = samples[step % len(samples)]
            # What a denoiser makes is not quite like anything true.
            noise = _NOISE * torch.rand(len(shown), 1, 1, 1) * torch.randn(shown.shape)
            optimizer.zero_grad()
            _teaching_loss(network(shown + noise, asked.label), asked).backward()
            optimizer.step()
            schedule.step()
    return network.requires_grad_(False).eval()


def _teaching_loss(logits: Tensor, asked: AskedLabels) -> Tensor:
    """Cross-entropy over all that is asked. What a graph does not say may hold as well, so that it learns how likely a
    label is to be said of what is shown; labels that hold must not weigh more, or it would be wrong of true latents."""
    error = functional.binary_cross_entropy_with_logits(logits, asked.holds, reduction="none")
    return (error * asked.counts).sum() / asked.counts.sum().clamp(min=1)
