"""What every codec is, and ours: frames to latents one by one, and back with a look at the neighbouring frames."""

from __future__ import annotations

import abc
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from mov_ai.checked_config import Channels, Finite, LayersOrNone, Positive
from mov_ai.models.convolution import ConvResidual, TemporalResidual, in_pieces

#: Pixels along each side of a cell of our codec's latents.
FACTOR = 8


class AnyCodecConfig(Protocol):
    """What every codec's config holds; the rest is the design's own. It is a dataclass."""

    @property
    def latent_channels(self) -> int: ...


class AnyCodec(nn.Module, abc.ABC):
    """A codec of any design; `mov_ai.models.codec_registry` knows which there are.

    Attributes:
        factor: pixels along each side of a latent's cell.
        frame_factor: frames that share a latent frame; 1 where each has its own. The first always has one for itself.
        name: by which `load_codec` finds it again without a folder; None if a folder must hold it.
    """

    config: AnyCodecConfig
    factor: int = FACTOR
    frame_factor: int = 1
    name: str | None = None

    def latent_frames(self, frames: int) -> int:
        """Latent frames of a video of so many frames; the last one may stand for fewer frames than the others."""
        return -(-(frames - 1) // self.frame_factor) + 1

    def whole_frames(self, latent_frames: int) -> int:
        """The longest video that has so many latent frames."""
        return (latent_frames - 1) * self.frame_factor + 1

    def latent_times(self, frames: int) -> np.ndarray:
        """The middle, on [0, 1], of the frames that each latent frame stands for; (latent frames,)."""
        last = [self.whole_frames(i + 1) for i in range(self.latent_frames(frames))]
        edges = np.minimum([0, *last], frames)
        return (edges[:-1] + edges[1:]) / 2 / frames

    @abc.abstractmethod
    def encode(self, video: Tensor) -> Tensor:
        """Frames to latents.

        Args:
            video: (batch, frames, 3, height, width) in [-1, 1]; height and width multiples of `factor`.

        Returns:
            (batch, latent frames, channels, height / factor, width / factor), standardised: about zero mean and unit
            variance per channel.

        Raises:
            ValueError: if a size is not a multiple of `factor`.
        """

    @abc.abstractmethod
    def decode(self, latents: Tensor, frames: int | None = None) -> Tensor:
        """Latents to frames.

        Args:
            latents: as `encode` returns them.
            frames: of the video, where the last latent frame stands for fewer than it could; None for all.

        Returns:
            (batch, frames, 3, height, width), about [-1, 1], not clamped.
        """


def nearest_sides(height: float, width: float, multiple: int) -> tuple[int, int]:
    """The multiples that are nearest to the sides, each at least one."""
    near_height, near_width = (max(multiple, round(side / multiple) * multiple) for side in (height, width))
    return near_height, near_width


def require_multiple(video: Tensor, factor: int) -> None:
    """Raises ValueError if a side of (..., height, width) is no multiple of the factor."""
    if video.shape[-1] % factor or video.shape[-2] % factor:
        raise ValueError(f"codec: expected height and width that are multiples of {factor}, got {tuple(video.shape)}")


@dataclass(frozen=True)
class CodecConfig:
    """Sizes of the codec.

    Attributes:
        latent_channels: channels of a latent.
        widths: channels at 1/8, 1/4 and 1/2 of the frame's size.
        blocks: residual blocks at 1/8, 1/4 and 1/2 in the decoder; the encoder has those of 1/8 and 1/4.
        mean, std: per latent channel, measured on training clips; latents are standardised with them.
    """

    latent_channels: Channels = 8
    widths: tuple[Channels, Channels, Channels] = (128, 64, 32)
    blocks: tuple[LayersOrNone, LayersOrNone, LayersOrNone] = (2, 2, 1)
    mean: tuple[Finite, ...] = (0.0,) * 8
    std: tuple[Positive, ...] = (1.0,) * 8

    def __post_init__(self) -> None:
        # Configuration files and JSON have lists only.
        for name in ("widths", "blocks", "mean", "std"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not len(self.mean) == len(self.std) == self.latent_channels:
            raise ValueError(
                f"codec: expected {self.latent_channels} means and deviations, got {len(self.mean)} and {len(self.std)}"
            )


class VideoCodec(AnyCodec):
    """A convolutional autoencoder, 8 times down in height and width; latents are standardised on the world's clips."""

    config: CodecConfig
    mean: Tensor
    std: Tensor

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        deep, middle, shallow = config.widths
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(48, middle, 3, padding=1),
            *(ConvResidual(middle) for _ in range(config.blocks[1])),
            nn.Conv2d(middle, deep, 3, stride=2, padding=1),
            *(ConvResidual(deep) for _ in range(config.blocks[0])),
            nn.SiLU(),
            nn.Conv2d(deep, config.latent_channels, 3, padding=1),
        )
        self.stem = nn.Conv2d(config.latent_channels, deep, 3, padding=1)
        self.deep = nn.ModuleList(ConvResidual(deep) for _ in range(config.blocks[0]))
        self.deep_time = TemporalResidual(deep)
        self.to_middle = nn.Sequential(nn.Conv2d(deep, 4 * middle, 3, padding=1), nn.PixelShuffle(2))
        self.middle = nn.ModuleList(ConvResidual(middle) for _ in range(config.blocks[1]))
        self.middle_time = TemporalResidual(middle)
        self.to_shallow = nn.Sequential(nn.Conv2d(middle, 4 * shallow, 3, padding=1), nn.PixelShuffle(2))
        self.shallow = nn.Sequential(*(ConvResidual(shallow) for _ in range(config.blocks[2])), nn.SiLU())
        self.to_frames = nn.Sequential(nn.Conv2d(shallow, 12, 3, padding=1), nn.PixelShuffle(2))
        self.register_buffer("mean", torch.tensor(config.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(1, -1, 1, 1), persistent=False)

    def forward(self, video: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Reconstruct a video, as training does.

        Args:
            video: as `encode`.
            noise: added to the standardised latents, of their shape; it makes the decoder forgive small errors.

        Returns:
            The reconstruction, (batch, frames, 3, height, width), and the latents before the noise.
        """
        latents = self.encode(video)
        return self.decode(latents if noise is None else latents + noise), latents

    def standardise(self, mean: Tensor, std: Tensor) -> None:
        """Measure once: fold the statistics of the present latents, (channels,) each, into `config`."""
        new_mean = self.mean.flatten() + mean.to(self.mean) * self.std.flatten()
        new_std = std.to(self.std) * self.std.flatten()
        self.config = replace(self.config, mean=tuple(new_mean.tolist()), std=tuple(new_std.tolist()))
        self.mean.copy_(new_mean.view_as(self.mean))
        self.std.copy_(new_std.view_as(self.std))

    def encode(self, video: Tensor) -> Tensor:
        require_multiple(video, FACTOR)
        frames = video.shape[1]
        flat = rearrange(video, "b f c h w -> (b f) c h w").contiguous(memory_format=torch.channels_last)
        latents = (in_pieces(self.encoder, flat, frames, flat[0, 0].numel()).float() - self.mean) / self.std
        return rearrange(latents, "(b f) c h w -> b f c h w", f=frames).contiguous()

    def features(self, latents: Tensor) -> Tensor:
        """The decoder's activations at 1/8 of the size; latents: (n, channels, h, w). Returns (n, width, h, w)."""
        x = self.stem(latents.contiguous(memory_format=torch.channels_last) * self.std + self.mean)
        for block in self.deep:
            x = block(x)
        return x

    def decode(self, latents: Tensor, frames: int | None = None) -> Tensor:
        # Every latent frame is a frame of its own, so there is none to leave out.
        frames = latents.shape[1]
        flat = rearrange(latents, "b f c h w -> (b f) c h w")
        pixels = flat[0, 0].numel() * FACTOR**2
        x = in_pieces(self.features, flat, frames, pixels)
        x = in_pieces(self._to_middle, x, frames, pixels, self.deep_time)
        video = in_pieces(self._to_frames, x, frames, pixels, self.middle_time)
        return rearrange(video, "(b f) c h w -> b f c h w", f=frames)

    def _to_middle(self, x: Tensor) -> Tensor:
        """From 1/8 of the size to 1/4."""
        x = self.to_middle(x)
        for block in self.middle:
            x = block(x)
        return x

    def _to_frames(self, x: Tensor) -> Tensor:
        """From 1/4 of the size to frames."""
        return self.to_frames(self.shallow(self.to_shallow(x)))


def to_unit(frames: Tensor) -> Tensor:
    """uint8 (..., h, w, 3) in [0, 255] to float (..., 3, h, w) in [-1, 1]."""
    return rearrange(frames, "... h w c -> ... c h w").float() / 127.5 - 1


def to_bytes(video: Tensor) -> Tensor:
    """Float (..., 3, h, w) in [-1, 1] to uint8 (..., h, w, 3), clamped and rounded."""
    return rearrange(((video + 1) * 127.5).round().clamp(0, 255).to(torch.uint8), "... c h w -> ... h w c")
