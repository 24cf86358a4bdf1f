"""The video network that both metric networks have, each with weights of its own: frames first, then time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.checked_config import Channels, Heads, Layers
from mov_ai.models.convolution import ConvResidual
from mov_ai.models.metric_networks.pixels import check_video, to_network

#: Height and width of the frames that the network sees, and the cells along a side that it thinks in.
SIZE, CELLS = 64, 8
#: It looks at so many frames, evenly spaced over the video: as many as there are between these two.
LEAST_FRAMES, MOST_FRAMES = 8, 16
_WAVES, _THIRDS = 4, 3


@dataclass(frozen=True)
class VideoNetworkConfig:
    """Sizes of the network.

    Attributes:
        widths: channels at 1/2, 1/4 and 1/8 of the frame, and of the tokens at 1/16.
        dilations: of the temporal convolutions at 1/8, in frames.
        layers, heads: of the attention among all tokens of a video.
        queries: learned tokens that sum a video up.
        found: what is looked for in every cell, and kept where it is seen most clearly in each third of the video.
        frame_features, features: numbers that describe a frame, and a video.
    """

    widths: tuple[Channels, Channels, Channels, Channels] = (24, 48, 128, 160)
    dilations: tuple[Layers, ...] = (1, 2, 4)
    layers: Layers = 2
    heads: Heads = 5
    queries: Channels = 2
    found: Channels = 192
    frame_features: Channels = 128
    features: Channels = 256

    def __post_init__(self) -> None:
        # Configuration files and JSON have lists only.
        for name in ("widths", "dilations"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.widths[-1] % self.heads:
            raise ValueError(f"video network: expected a width that {self.heads} heads divide, got {self.widths[-1]}")


@dataclass
class VideoFeatures:
    """What the network makes of videos; B videos of F frames.

    Attributes:
        video: (B, features).
        frames: (B, F, frame_features), each from its frame alone.
        cells: (B, F, 64, C), rows of 8x8 cells, each from its frame alone.
        moving: (B, F, 64, C), the same with a look at the frames around.
    """

    video: Tensor
    frames: Tensor
    cells: Tensor
    moving: Tensor


class FrameNetwork(nn.Module):
    """Convolutions on single frames of any size: features at 1/2, 1/4 and 1/8."""

    def __init__(self, config: VideoNetworkConfig) -> None:
        super().__init__()
        fine, middle, deep, _ = config.widths
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, fine, 3, padding=1))
        self.middle = nn.Sequential(nn.Conv2d(fine, middle, 3, stride=2, padding=1), ConvResidual(middle))
        self.deep = nn.Sequential(nn.Conv2d(middle, deep, 3, stride=2, padding=1), ConvResidual(deep))

    def forward(self, frames: Tensor) -> list[Tensor]:
        """Features of frames (n, 3, h, w) in [-1, 1]; a side that is odd is made even by repeating its last pixels.

        Returns:
            (n, C, h/2, w/2), (n, C', h/4, w/4), (n, C'', h/8, w/8), sides rounded up.
        """
        height, width = frames.shape[-2:]
        frames = functional.pad(frames, (0, width % 2, 0, height % 2), mode="replicate")
        fine = functional.silu(self.stem(frames.contiguous(memory_format=torch.channels_last)))
        middle = functional.silu(self.middle(fine))
        return [fine, middle, functional.silu(self.deep(middle))]


class _TemporalConvolution(nn.Module):
    """Each cell sees itself some frames before and after, beside the identity; ends of the video are repeated."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Linear(3 * width, width)

    def forward(self, x: Tensor) -> Tensor:  # (b, f, cells, width)
        y, step = self.norm(x), min(self.dilation, x.shape[1])
        before = torch.cat([y[:, :1].expand(-1, step, -1, -1), y[:, :-step]], 1)
        after = torch.cat([y[:, step:], y[:, -1:].expand(-1, step, -1, -1)], 1)
        return x + functional.silu(self.mix(torch.cat([before, y, after], -1)))


class Attention(nn.Module):
    """A transformer block: attention, then an MLP, each normalised before and beside the identity."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries, self.pairs, self.out = (nn.Linear(width, n * width) for n in (1, 2, 1))
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, among: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Let tokens look at tokens.

        Args:
            x: (b, n, width).
            among: what is looked at, (b, m, width), besides x itself; x alone if None.
            mask: (b, m + n) or (b, n), true where there is a token; all if None.
        """
        y = self.norm(x)
        attended_tokens = y if among is None else torch.cat([self.norm(among), y], 1)
        query = rearrange(self.queries(y), "b n (h d) -> b h n d", h=self.heads)
        key, value = rearrange(self.pairs(attended_tokens), "b n (two h d) -> two b h n d", two=2, h=self.heads)
        mask = None if mask is None else mask[:, None, None, :]
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        x = x + self.out(rearrange(attended, "b h n d -> b n (h d)"))
        return x + self.mlp(self.norm_mlp(x))


class VideoNetwork(nn.Module):
    """Frames through `FrameNetwork`, temporal convolutions on cells; maxima over cells and attention sum up."""

    def __init__(self, config: VideoNetworkConfig) -> None:
        super().__init__()
        self.config = config
        deep, width = config.widths[-2:]
        self.frame = FrameNetwork(config)
        self.to_frame_features = nn.Linear(2 * deep, config.frame_features)
        self.temporal = nn.ModuleList(_TemporalConvolution(deep, dilation) for dilation in config.dilations)
        self.to_tokens = nn.Conv2d(deep, width, 3, stride=2, padding=1)
        self.places = nn.Parameter(0.02 * torch.randn((CELLS // 2) ** 2, width))
        self.times = nn.Linear(2 * _WAVES, width)
        self.blocks = nn.ModuleList(Attention(width, config.heads) for _ in range(config.layers))
        self.queries = nn.Parameter(0.02 * torch.randn(config.queries, width))
        self.sum_up = Attention(width, config.heads)
        self.find = nn.Sequential(nn.LayerNorm(deep), nn.Linear(deep, config.found), nn.SiLU())
        total = config.queries * width + _THIRDS * config.found + config.frame_features
        self.norm = nn.LayerNorm(total)
        self.to_features = nn.Linear(total, config.features)

    def forward(self, video: Tensor) -> VideoFeatures:
        """Look at videos (b, f, 3, 64, 64) in [-1, 1]; trained with 8 to 16 frames that span a whole clip."""
        batch, frames = video.shape[:2]
        maps = self.frame(video.flatten(0, 1))[-1]
        cells = rearrange(maps, "(b f) c h w -> b f (h w) c", b=batch)
        moving = cells
        for convolution in self.temporal:
            moving = convolution(moving)
        grid = rearrange(moving, "b f (h w) c -> (b f) c h w", h=CELLS)
        tokens = rearrange(self.to_tokens(grid), "(b f) c h w -> b f (h w) c", b=batch)
        tokens = (tokens + self.places + self.times(_waves(frames, tokens.device))[:, None]).flatten(1, 2)
        for block in self.blocks:
            tokens = block(tokens)
        summary = self.sum_up(self.queries.expand(batch, -1, -1), tokens)
        frame_features = self.to_frame_features(torch.cat([cells.mean(2), cells.amax(2)], -1))
        # Beside the attention, which learns slowly from few clips: what can be seen in single cells.
        cell_features = self.find(moving).amax(2).float().transpose(1, 2)
        thirds = functional.adaptive_max_pool1d(cell_features, _THIRDS).flatten(1)
        everything = torch.cat([summary.flatten(1), thirds, frame_features.mean(1)], -1)
        return VideoFeatures(self.to_features(self.norm(everything)), frame_features, cells, moving)

    @torch.no_grad()
    def frame_features(self, frames: np.ndarray) -> np.ndarray:
        """Features (T, frame_features) float32 of each frame of a video uint8 (T, H, W, 3) by itself."""
        check_video(frames)
        place = next(self.parameters()).device
        features = []
        # A few at a time: memory does not grow with the length.
        for start in range(0, len(frames), MOST_FRAMES):
            maps = self.frame(_resized(frames[start : start + MOST_FRAMES]).to(place))[-1].flatten(2)
            features.append(self.to_frame_features(torch.cat([maps.mean(-1), maps.amax(-1)], -1)).cpu())
        return torch.cat(features).float().numpy()


def network_input(frames: np.ndarray) -> Tensor:
    """What the network takes of a video uint8 (T, H, W, 3), T at least 2: (1, F, 3, 64, 64) in [-1, 1], F from 8 to 16.

    F is the number of frames T, or the nearest of 8 and 16; where it is not T, frames are picked (or repeated) at the
    middles of F equal parts of the video. Frames are stretched to 64x64: averaged over areas, or enlarged bilinearly.
    Raises UsageError as `check_video`.
    """
    check_video(frames, 2)
    count = min(max(len(frames), LEAST_FRAMES), MOST_FRAMES)
    picked = ((np.arange(count) + 0.5) * len(frames) / count).astype(int)
    return _resized(frames[picked])[None]


def _resized(frames: np.ndarray) -> Tensor:
    """(T, H, W, 3) uint8 -> (T, 3, 64, 64) in [-1, 1]."""
    small = []
    # Frame by frame: a whole video of 512 pixels in floating point would take 50 MB at once.
    for frame in frames:
        planes = to_network(frame[None])
        if min(frame.shape[:2]) >= SIZE:
            small.append(functional.interpolate(planes, (SIZE, SIZE), mode="area"))
        else:
            small.append(functional.interpolate(planes, (SIZE, SIZE), mode="bilinear", antialias=True))
    return torch.cat(small)


def _waves(frames: int, device: torch.device) -> Tensor:
    """Where each frame is in the video, as sines and cosines of its time in [0, 1]: (frames, 2 * waves)."""
    time = (torch.arange(frames, device=device) + 0.5) / frames
    angle = time[:, None] * torch.pi * 2.0 ** torch.arange(_WAVES, device=device)
    return torch.cat([angle.sin(), angle.cos()], -1)
