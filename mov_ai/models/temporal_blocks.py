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


def over_time(x: Tensor, convolution: nn.Conv3d, frames: int) -> Tensor:
    """A 3-D convolution of (batch * frames, channels, h, w), with zeros before the first and after the last frame.

    On a CPU a kernel that is wide in space is one 2-D convolution to the channels of every tap in time, whose results
    are then moved by a frame and summed: the same numbers within rounding in a fraction of the time.
    """
    kernel = convolution.kernel_size
    if x.device.type != "cpu" or kernel[1] == 1:
        return rearrange(convolution(rearrange(x, "(b f) c h w -> b c f h w", f=frames)), "b c f h w -> (b f) c h w")
    taps = rearrange(convolution.weight, "o i t h w -> (t o) i h w").contiguous(memory_format=torch.channels_last)
    every = functional.conv2d(x, taps, padding=(kernel[1] // 2, kernel[2] // 2))
    every = rearrange(every, "(b f) (t o) h w -> t b f o h w", f=frames, t=kernel[0])
    middle = kernel[0] // 2
    total = every[middle]
    for tap in range(kernel[0]):
        if shift := tap - middle:
            # The frame that this tap sees lies `shift` later.
            before, after = max(-shift, 0), max(shift, 0)
            moved = every[tap][:, after : frames - before]
            total = total + functional.pad(moved, (0, 0, 0, 0, 0, 0, min(before, frames), min(after, frames)))
    if convolution.bias is not None:
        total = total + convolution.bias.view(-1, 1, 1)
    return total.flatten(0, 1)


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
        _zero(self.out)

    def forward(self, x: Tensor, video: DecodedVideo) -> Tensor:
        return x + over_time(x, self.out, video.frames)


class TemporalResidualBlock(nn.Module):
    """A ResNet block of two convolutions over time beside the identity; the last one is 0 at first."""

    def __init__(self, channels: int, kernel: Kernel, latent_channels: int | None) -> None:
        super().__init__()
        self.norm1, self.norm2 = (normalisation(channels, latent_channels) for _ in range(2))
        self.first, self.out = (_convolution(channels, kernel) for _ in range(2))
        _zero(self.out)

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
        _zero(self.attention.to_out[0])

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
    return nn.Conv3d(channels, channels, kernel, padding=[side // 2 for side in kernel])


def _zero(layer: nn.Module) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
