"""Convolutions that codec, denoiser and refiner are built from: of frames, and of neighbouring frames."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional


class MatrixConv2d(nn.Conv2d):
    """A convolution whose kernel is kept as a matrix (channels out, channels in x height x width), as Muon takes it."""

    def __init__(self, channels: int, out: int, side: int, stride: int = 1, padding: int = 0) -> None:
        super().__init__(channels, out, side, stride, padding)
        self._kernel = self.weight.shape
        self.weight = nn.Parameter(self.weight.detach().flatten(1))

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight.view(self._kernel), self.bias)


class ConvResidual(nn.Module):
    """Two 3x3 convolutions beside the identity, frame by frame.

    No normalisation: statistics of a crop are not those of a frame.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        for parameter in self.second.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:  # (n, width, h, w)
        return x + self.second(functional.silu(self.first(functional.silu(x))))


class TemporalResidual(nn.Module):
    """Each place sees itself one frame before and one after; the first and last frame see themselves twice."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3 * width, width, 1)
        self.out = nn.Conv2d(width, width, 1)
        for parameter in self.out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, frames: int) -> Tensor:  # (batch * frames, width, h, w)
        # Channels last, as they lie in memory: as a convolution over joined channels it took two to five times as long.
        video = rearrange(functional.silu(x), "(b f) c h w -> b f h w c", f=frames)
        before = torch.cat([video[:, :1], video[:, :-1]], 1)
        after = torch.cat([video[:, 1:], video[:, -1:]], 1)
        mixed = functional.linear(torch.cat([before, video, after], -1), self.mix.weight.flatten(1), self.mix.bias)
        return x + self.out(functional.silu(rearrange(mixed, "b f h w c -> (b f) c h w")))
