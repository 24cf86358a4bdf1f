"""Latent frames that are given: sampling makes the others so that they go with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mov_ai.diffusion.process import add_noise


@dataclass(frozen=True)
class KnownFrames:
    """Latents that some frames of a video must have.

    While a sampler works, these frames have the given latents at the noise level that has been reached, with the run's
    own noise; at the end they have them exactly. It is the conditioning of RePaint (arXiv 2201.09865) without its jumps
    back, on the path of `mov_ai.diffusion.process.add_noise`.

    Attributes:
        places: numbers of the latent frames that are given, ascending, each once.
        latents: (batch, len(places), channels, h, w), clean.
    """

    places: tuple[int, ...]
    latents: Tensor

    def __post_init__(self) -> None:
        if self.latents.ndim != 5 or self.latents.shape[1] != len(self.places):
            raise ValueError(
                f"known frames: expected latents (batch, {len(self.places)}, channels, h, w), got "
                f"{tuple(self.latents.shape)}"
            )
        if list(self.places) != sorted({*self.places}) or min(self.places, default=0) < 0:
            raise ValueError(f"known frames: expected ascending numbers from 0, each once, got {self.places}")

    def put(self, latents: Tensor) -> Tensor:
        """A copy of (batch, frames, channels, h, w) with the given frames in their places; ValueError if none fit."""
        if max(self.places, default=0) >= latents.shape[1] or self.latents.shape[2:] != latents.shape[2:]:
            raise ValueError(
                f"known frames: {self.places} of {tuple(self.latents.shape[2:])} are not of latents "
                f"{tuple(latents.shape)}"
            )
        return latents.index_copy(
            1, self._index(latents), self.latents.to(latents).expand(len(latents), -1, -1, -1, -1)
        )

    def at(self, noise: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """What `sample` takes as `known`: puts the frames into latents at a noise level.

        Args:
            noise: (batch, frames, channels, h, w), of the run: what it began with.
        """

        def hold(latents: Tensor, level: Tensor) -> Tensor:
            own = noise.index_select(1, self._index(noise))
            noisy = add_noise(self.latents.to(noise), own, level.to(noise).expand(len(noise)))
            return KnownFrames(self.places, noisy if float(level) > 0 else self.latents).put(latents)

        return hold

    def _index(self, like: Tensor) -> Tensor:
        return torch.tensor(self.places, dtype=torch.long, device=like.device)
