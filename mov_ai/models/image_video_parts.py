"""What is trained around a frozen image model: parts that follow its layers as hooks, and add nothing at first.

What looks over time is FusionFrames' (arXiv 2311.13073): "layers" between the image model's own, or "blocks" beside its
whole ones. Only last projections are 0 at first, for an attention that is all 0 gets no gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.models.attention import CrossAttention, SelfAttention, rotary
from mov_ai.models.convolution import start_at_zero
from mov_ai.models.image_model import Place
from mov_ai.models.layout_painter import LayoutPainter

TEMPORAL = ("blocks", "layers")
#: Frames a second in which positions count: at 8 frames a second they are 0, 3, 6, ...
POSITION_RATE = 24.0
#: Base of the rotary positions and of the positions' sines: the slowest ones tell minutes apart.
_BASE = 10_000.0
#: Sines and cosines of a frame's position.
_POSITION_FEATURES = 32
#: Temporal kernels of a residual block.
_KERNELS = (1, 3, 3, 1)


@dataclass
class Call:
    """What all the parts of one call share.

    Attributes:
        positions: (batch, frames) of the frames, see `POSITION_RATE`.
        cells: height and width of the grid that tokens lie on; None where a model sees images.
        time: (batch, width) of the noise level; None where nothing reads it.
        context: (batch, m, dim) null token and graph nodes. bias: (batch, frames, m). None without a graph.
        painting: of a grid's height and width: (batch, frames, h w, channels). None without a layout.
    """

    positions: Tensor
    cells: tuple[int, int] | None
    time: Tensor | None
    context: Tensor | None
    bias: Tensor | None
    painting: Callable[[int, int], Tensor] | None


class Part(nn.Module):
    """A part that follows a layer of the image model, or comes before it."""

    def __init__(self) -> None:
        super().__init__()
        #: Set for the time of a call.
        self.call: Call | None = None

    def join(self, place: Place) -> None:
        """Take one's place, for good."""
        if place.before:
            place.module.register_forward_pre_hook(self._before)
        else:
            place.module.register_forward_hook(self._after)

    def _before(self, module: nn.Module, inputs: tuple[Any, ...]) -> Any:
        return (self._changed(inputs[0]), *inputs[1:])

    def _after(self, module: nn.Module, inputs: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (self._changed(output[0]), *output[1:])
        return self._changed(output)

    def _changed(self, x: Tensor) -> Tensor:
        """An image (b f, c, h, w) or tokens (b f, n, c)."""
        call = self.call
        assert call is not None
        frames = call.positions.shape[1]
        if x.ndim == 3:
            changed = self(rearrange(x, "(b f) n c -> b f n c", f=frames), call, call.cells)
            return rearrange(changed, "b f n c -> (b f) n c").to(x.dtype)
        height, width = x.shape[-2:]
        changed = self(rearrange(x, "(b f) c h w -> b f (h w) c", f=frames), call, (height, width))
        return rearrange(changed, "b f (h w) c -> (b f) c h w", h=height).to(x.dtype)

    def forward(self, x: Tensor, call: Call, cells: tuple[int, int] | None) -> Tensor:
        """x: (batch, frames, n, channels), on a grid of `cells` where there is one; returns its shape."""
        raise NotImplementedError


class TemporalLayer(Part):
    """Of "layers": x + T(x), T a 3x1x1 convolution that is 0 at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.out = nn.Conv1d(channels, channels, 3, padding=1)
        start_at_zero(self.out)

    def forward(self, x: Tensor, call: Call, cells: tuple[int, int] | None) -> Tensor:
        return x + _along_time(self.out, x)


class TemporalResidualBlock(Part):
    """Of "blocks": four times a conditional group norm, SiLU and a convolution over 1, 3, 3, 1 frames.

    What is between the first and the last is half as wide.
    The norms' scale and shift follow the noise level, as those of the image model's own residual blocks do.
    """

    def __init__(self, channels: int, time_width: int) -> None:
        super().__init__()
        inner = max(channels // 2, 1)
        widths = (channels, inner, inner, inner, channels)
        self.norms = nn.ModuleList(nn.GroupNorm(math.gcd(32, width), width, affine=False) for width in widths[:-1])
        self.modulations = nn.ModuleList(nn.Linear(time_width, 2 * width) for width in widths[:-1])
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, kernel, padding=kernel // 2)
            for before, after, kernel in zip(widths[:-1], widths[1:], _KERNELS, strict=True)
        )
        start_at_zero(self.convolutions[-1])

    def forward(self, x: Tensor, call: Call, cells: tuple[int, int] | None) -> Tensor:
        assert call.time is not None
        hidden = x
        for norm, modulation, convolution in zip(self.norms, self.modulations, self.convolutions, strict=True):
            normal = rearrange(norm(rearrange(hidden, "b f n c -> b c f n")), "b c f n -> b f n c")
            scale, shift = modulation(call.time)[:, None, None].chunk(2, -1)
            hidden = _along_time(convolution, functional.silu(normal * (1 + scale) + shift))
        return x + hidden


class TemporalAttention(Part):
    """Each place attends to itself in all frames, then a feed-forward; positions are scaled by the frame rate.

    The positions' embedding scales and shifts what attention reads, and nothing else in the network.
    """

    def __init__(self, channels: int, head_width: int, backend: str) -> None:
        super().__init__()
        if channels % head_width or head_width % 2:
            raise ValueError(
                f"image_video: head_width: expected an even divisor of the image model's {channels} channels, got "
                f"{head_width}"
            )
        self.width = head_width
        self.norms = nn.ModuleList(nn.LayerNorm(channels, eps=1e-6) for _ in range(2))
        self.position = nn.Linear(_POSITION_FEATURES, 2 * channels)
        self.attention = SelfAttention(channels, channels // head_width, backend)
        self.feed_forward = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.GELU(approximate="tanh"), nn.Linear(4 * channels, channels)
        )
        start_at_zero(self.attention.out)
        start_at_zero(self.feed_forward[2])

    def forward(self, x: Tensor, call: Call, cells: tuple[int, int] | None) -> Tensor:
        batch, _, places, _ = x.shape
        scale, shift = self.position(position_features(call.positions))[:, :, None].chunk(2, -1)
        lines = rearrange(self.norms[0](x) * (1 + scale) + shift, "b f n c -> (b n) f c")
        angles = rotary(call.positions.reshape(-1, 1), self.width, _BASE)
        # Of each video its own, for all its places and heads.
        angles = rearrange(angles, "two (b f) p -> two b 1 f p", b=batch).repeat_interleave(places, 1)
        x = x + rearrange(self.attention(lines, angles), "(b n) f c -> b f n c", n=places)
        return x + self.feed_forward(self.norms[1](x))


class GraphAndLayout(Part):
    """The painted layout, then attention to the graph."""

    def __init__(self, channels: int, head_width: int, backend: str, layout: bool, graph_width: int | None) -> None:
        super().__init__()
        self.paint = nn.Linear(LayoutPainter.channels(), channels, bias=False) if layout else None
        self.from_graph = self.cross = self.norm = None
        if graph_width is not None:
            self.from_graph, self.norm = nn.Linear(graph_width, channels), nn.LayerNorm(channels, eps=1e-6)
            self.cross = CrossAttention(channels, channels // head_width, backend)
        for last in (self.paint, None if self.cross is None else self.cross.out):
            if last is not None:
                start_at_zero(last)

    def forward(self, x: Tensor, call: Call, cells: tuple[int, int] | None) -> Tensor:
        if self.paint is not None and call.painting is not None:
            assert cells is not None
            x = x + self.paint(call.painting(*cells))
        if self.cross is not None and call.context is not None:
            assert call.bias is not None and self.from_graph is not None and self.norm is not None  # noqa: PT018
            x = x + self.cross(self.norm(x), self.from_graph(call.context), call.bias)
        return x


def part_over_time(place: Place, temporal: str, head_width: int, time_width: int, backend: str) -> Part:
    """What looks over time at a place, see `ImageModel.places_over_time`."""
    if place.kind == "attention":
        return TemporalAttention(place.channels, head_width, backend)
    return TemporalLayer(place.channels) if temporal == "layers" else TemporalResidualBlock(place.channels, time_width)


def position_features(positions: Tensor) -> Tensor:
    """Sines and cosines of positions: (..., features)."""
    half = _POSITION_FEATURES // 2
    frequency = _BASE ** (-torch.arange(half, device=positions.device) / half)
    angle = positions[..., None] * frequency
    return torch.cat([angle.sin(), angle.cos()], -1)


def _along_time(convolution: nn.Module, x: Tensor) -> Tensor:
    """A convolution of (batch, frames, n, channels) over frames, place by place."""
    lines: Tensor = convolution(rearrange(x, "b f n c -> (b n) c f"))
    return rearrange(lines, "(b n) c f -> b f n c", b=len(x))
