"""What looks over time inside a network of images: convolutions, residual blocks, attention; all add nothing at first.

Activations are (batch * frames, channels, h, w), as the network of images has them. Each part regroups them for itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers.models.attention_processor import Attention, SpatialNorm
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.models.convolution import over_time, start_at_zero

#: Groups of a group norm, as diffusers' spatial norm has them.
GROUPS = 32
#: Frames, height and width that a kernel sees.
Kernel = tuple[int, int, int]


@dataclass
class DecodedVideo:
    """What all the parts of a call share.

    Attributes:
        frames: of each video.
        latents: (batch * frames, latent channels, h, w), which spatial norms read; None for group norms.
    """

    frames: int = 1
    latents: Tensor | None = None


def normalisation(channels: int, latent_channels: int | None) -> nn.Module:
    """Diffusers' spatial norm, which reads the latents (arXiv 2209.09002), or a group norm where those are None."""
    if latent_channels is None:
        return nn.GroupNorm(GROUPS, channels, eps=1e-6)
    return SpatialNorm(channels, latent_channels)


def normalised(norm: nn.Module, x: Tensor, video: DecodedVideo) -> Tensor:
    """Whichever of the two a norm is."""
    return norm(x) if video.latents is None else norm(x, video.latents)


class TemporalConvolution(nn.Module):
    """x + T(x), T a convolution over time that is 0 at first."""

    def __init__(self, channels: int, kernel: Kernel) -> None:
        super().__init__()
        self.out = _convolution(channels, kernel)
        start_at_zero(self.out)

    def forward(self, x: Tensor, video: DecodedVideo) -> Tensor:
        return x + over_time(x, self.out, video.frames)


class TemporalResidualBlock(nn.Module):
    """A ResNet block of two convolutions over time beside the identity; the last one is 0 at first."""

    def __init__(self, channels: int, kernel: Kernel, latent_channels: int | None) -> None:
        super().__init__()
        self.norm1, self.norm2 = (normalisation(channels, latent_channels) for _ in range(2))
        self.first, self.out = (_convolution(channels, kernel) for _ in range(2))
        start_at_zero(self.out)

    def forward(self, x: Tensor, video: DecodedVideo) -> Tensor:
        hidden = over_time(functional.silu(normalised(self.norm1, x, video)), self.first, video.frames)
        return x + over_time(functional.silu(normalised(self.norm2, hidden, video)), self.out, video.frames)


class TemporalAttention(nn.Module):
    """Each place attends to itself in all frames, with one head, as the decoder's attention over space has.

    Only the last projection is 0 at first: an attention that is all 0 gets no gradient.
    """

    def __init__(self, channels: int, latent_channels: int | None) -> None:
        super().__init__()
        self.norm = normalisation(channels, latent_channels)
        self.attention = Attention(channels, heads=1, dim_head=channels, bias=True)
        start_at_zero(self.attention.to_out[0])

    def forward(self, x: Tensor, video: DecodedVideo) -> Tensor:
        height = x.shape[-2]
        lines = rearrange(normalised(self.norm, x, video), "(b f) c h w -> (b h w) f c", f=video.frames)
        seen = self.attention(lines)
        return x + rearrange(seen, "(b h w) f c -> (b f) c h w", h=height, w=x.shape[-1])


class InflatedConvolution(nn.Conv3d):
    """A 2-D convolution that became a 3-D one: its weights in the middle frame, 0 in the others.

    Args:
        image: what it was.
        video: of the call, shared with the whole network.
    """

    def __init__(self, image: nn.Conv2d, video: DecodedVideo) -> None:
        side = image.kernel_size[0]
        super().__init__(image.in_channels, image.out_channels, (3, side, side), padding=(1, side // 2, side // 2))
        self.video = video
        with torch.no_grad():
            self.weight.copy_(inflated(image.weight))
            if self.bias is not None and image.bias is not None:
                self.bias.copy_(image.bias)

    def forward(self, input: Tensor) -> Tensor:
        # On a GPU `over_time` asks for the 3-D convolution itself.
        return super().forward(input) if input.ndim == 5 else over_time(input, self, self.video.frames)


def inflated(weight: Tensor) -> Tensor:
    """A kernel (out, in, h, w) as one over three frames, (out, in, 3, h, w), that sees the middle one only."""
    return functional.pad(weight[:, :, None], (0, 0, 0, 0, 1, 1))


def _convolution(channels: int, kernel: Kernel) -> nn.Conv3d:
    return nn.Conv3d(channels, channels, kernel, padding=(kernel[0] // 2, kernel[1] // 2, kernel[2] // 2))
