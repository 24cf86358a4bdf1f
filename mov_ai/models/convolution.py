"""Convolutions that codec, denoiser and refiner are built from: of frames, and of neighbouring frames."""

from __future__ import annotations

from collections.abc import Callable

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


def start_at_zero(layer: nn.Module) -> None:
    """Weights and biases 0: what the layer is added to stays as it is until it is trained."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


class ConvResidual(nn.Module):
    """Two 3x3 convolutions beside the identity, frame by frame.

    No normalisation: statistics of a crop are not those of a frame.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        start_at_zero(self.second)

    def forward(self, x: Tensor) -> Tensor:  # (n, width, h, w)
        return x + self.second(functional.silu(self.first(functional.silu(x))))


class TemporalResidual(nn.Module):
    """Each place sees itself one frame before and one after; the first and last frame see themselves twice."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3 * width, width, 1)
        self.out = nn.Conv2d(width, width, 1)
        start_at_zero(self.out)

    def forward(self, x: Tensor, frames: int) -> Tensor:  # (batch * frames, width, h, w)
        # Channels last, as they lie in memory: as a convolution over joined channels it took two to five times as long.
        video = rearrange(functional.silu(x), "(b f) c h w -> b f h w c", f=frames)
        before = torch.cat([video[:, :1], video[:, :-1]], 1)
        after = torch.cat([video[:, 1:], video[:, -1:]], 1)
        mixed = functional.linear(torch.cat([before, video, after], -1), self.mix.weight.flatten(1), self.mix.bias)
        return x + self.out(functional.silu(rearrange(mixed, "b f h w c -> (b f) c h w")))


#: Pixels of a video that pass through a codec at a time on a CPU: what is made of them stays near the processor, and
#: memory is used again instead of being asked for anew, which takes longer than to compute what is put there.
_PIXELS = 2**19


def in_pieces(
    part: Callable[[Tensor], Tensor], x: Tensor, frames: int, pixels: int, time: TemporalResidual | None = None
) -> Tensor:
    """`part(time(x))`, a few frames at a time on a CPU that computes no gradients: the same numbers, sooner.

    Args:
        part: works frame by frame.
        x: (batch * frames, channels, h, w).
        pixels: of a frame of the video.
        time: what mixes neighbouring frames first, if anything does.
    """
    count = max(1, _PIXELS // pixels)
    if x.device.type != "cpu" or torch.is_grad_enabled() or count >= frames:
        return part(x if time is None else time(x, frames))
    result: Tensor | None = None
    for video in range(0, len(x), frames):
        for first in range(0, frames, count):
            last = min(first + count, frames)
            if time is None:
                piece = part(x[video + first : video + last])
            else:
                # With the frames beside them, which are seen; what is made of those is not right, and not used.
                before, after = max(first - 1, 0), min(last + 1, frames)
                mixed = time(x[video + before : video + after], after - before)
                piece = part(mixed[first - before : last - before])
            if result is None:
                result = piece.new_empty((len(x), *piece.shape[1:])).contiguous(memory_format=torch.channels_last)
            result[video + first : video + last] = piece
    assert result is not None
    return result


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
