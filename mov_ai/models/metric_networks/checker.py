"""The checker's network: what stands in every cell of a frame, and the box of the object it belongs to."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.checked_config import Channels

#: Height and width of the frames that the network sees, and of the cells it labels.
SIZE, STRIDE = 128, 2
#: Units of the box head: the way to the centre in 16 pixels, log of width and height over 24 pixels.
REACH, TYPICAL = 16 / SIZE, 24 / SIZE


@dataclass(frozen=True)
class CheckerConfig:
    """Sizes of the network.

    Attributes:
        widths: channels at 1/2, 1/4, 1/8 and 1/16 of the frame.
        shapes, colors: how many are told apart; which they are is the world's to say.
    """

    widths: tuple[Channels, Channels, Channels, Channels] = (24, 40, 64, 64)
    shapes: Channels = 4
    colors: Channels = 8


class _Residual(nn.Module):
    """Two 3x3 convolutions beside the identity, normalised in groups: whole frames are always seen."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(8, width) for _ in range(2))
        self.convolutions = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:  # (n, width, h, w)
        y = x
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            y = convolution(functional.silu(norm(y)))
        return x + y


class CheckerNetwork(nn.Module):
    """A small U-Net from frames to cells of two pixels. It is convolutional throughout and sees one frame at a time."""

    def __init__(self, config: CheckerConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        # Shape with the background, colour, box, turn.
        self._heads = [1 + config.shapes, config.colors, 4, 2]
        self.stem = nn.Sequential(nn.PixelUnshuffle(STRIDE), nn.Conv2d(3 * STRIDE**2, widths[0], 3, padding=1))
        self.encoder = nn.ModuleList(_Residual(width) for width in widths)
        self.down = nn.ModuleList(
            nn.Conv2d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in itertools.pairwise(widths)
        )
        # A second block at the coarsest size: only there does a cell see the whole of a large object.
        self.middle = _Residual(widths[-1])
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in itertools.pairwise(widths))
        self.decoder = nn.ModuleList(_Residual(width) for width in widths[:-1])
        self.head = nn.Sequential(
            nn.GroupNorm(8, widths[0]),
            nn.SiLU(),
            nn.Conv2d(widths[0], sum(self._heads), 3, padding=1),
        )

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Label frames (n, 3, 128, 128) in [-1, 1].

        Returns:
            shape: (n, 1 + shapes, 64, 64) logits, the background first.
            color: (n, colors, 64, 64) logits; they mean something where there is an object.
            box: (n, 4, 64, 64) way to the centre of the object's whole box (x, y; units of `REACH`) and log of its
                width and height (over `TYPICAL`), parts hidden behind other objects included.
            turn: (n, 2, 64, 64) cosine and sine of four times a cube's angle to the line of sight: a quarter turn
                looks like none. Short where the network is in doubt; meaningless for other shapes.
        """
        x = self.stem(frames)
        skipped = []
        for level, block in enumerate(self.encoder):
            x = block(x)
            if level < len(self.down):
                skipped.append(x)
                x = self.down[level](x)
        x = self.middle(x)
        for level in reversed(range(len(self.up))):
            x = functional.interpolate(self.up[level](x), scale_factor=2.0, mode="nearest") + skipped[level]
            x = self.decoder[level](x)
        shape, color, box, turn = self.head(x).split(self._heads, 1)
        return shape, color, box, turn


def cell_centres(device: torch.device | str = "cpu") -> Tensor:
    """Where the middle of each cell is, in [0, 1]; (2, 64, 64), x then y."""
    line = (torch.arange(SIZE // STRIDE, device=device) + 0.5) / (SIZE // STRIDE)
    return torch.stack([line[None, :].expand(len(line), -1), line[:, None].expand(-1, len(line))])


def targets_to_boxes(targets: Tensor) -> Tensor:
    """What the box head says, (n, 4, 64, 64), as boxes: centre x, y, width, height in [0, 1], (n, 4, 64, 64)."""
    centre = targets[:, :2] * REACH + cell_centres(targets.device)
    return torch.cat([centre, targets[:, 2:].clamp(-4, 4).exp() * TYPICAL], 1)
