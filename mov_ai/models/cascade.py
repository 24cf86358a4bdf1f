"""PVR, the progressive video refinement: 128 -> 256 -> 512, each stage from the one before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.diffusion.process import add_noise, mixed_noise
from mov_ai.diffusion.sampling import Guidance, guided, sample
from mov_ai.models.codec import FACTOR, VideoCodec
from mov_ai.models.conditioning import Conditioning
from mov_ai.models.denoiser import STAGES
from mov_ai.models.registry import AnyDenoiser

#: The config beside an exported denoiser that says how it is to be sampled.
CASCADE_FILE = "cascade.json"
#: Called as `callback(size, step, steps)` after each step of the stage that makes videos of that size.
StageCallback = Callable[[int, int, int], None]


@dataclass(frozen=True)
class CascadeConfig:
    """How the stages are sampled; one entry a stage, first to last.

    Attributes:
        steps: network evaluations (times the passes that guidance needs).
        starts: noise level a stage begins at: 1 for the first, which begins with nothing; lower levels of later stages
            keep more of the earlier stage's video.
        shift: timestep shift, see `mov_ai.diffusion.sampling.sample`.
        shared_noise: as in training, see `mov_ai.diffusion.process.mixed_noise`.
        shared_network: one network for all stages, or one a stage.
        first, last: sizes of the first and the last stage that the networks were trained for. The first begins with
            noise, whatever its size; those before it and after the last are not run.
    """

    steps: tuple[int, ...] = (8, 4, 2)
    starts: tuple[float, ...] = (1.0, 0.6, 0.5)
    shift: float = 1.0
    shared_noise: float = 0.5
    shared_network: bool = True
    first: int = STAGES[0]
    last: int = STAGES[-1]

    def __post_init__(self) -> None:
        # Configuration files and JSON have lists only.
        for name in ("steps", "starts"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if len(self.steps) != len(STAGES) or len(self.starts) != len(STAGES):
            raise ValueError(f"cascade: expected {len(STAGES)} steps and starts, got {self.steps} and {self.starts}")
        if any(step < 1 for step in self.steps) or any(not 0 < start <= 1 for start in self.starts):
            raise ValueError(f"cascade: expected steps >= 1 and 0 < starts <= 1, got {self.steps} and {self.starts}")
        if self.first not in STAGES or self.last not in STAGES or self.first > self.last:
            raise ValueError(f"cascade: expected first <= last, both of {STAGES}, got {self.first} and {self.last}")

    @property
    def first_stage(self) -> int:
        """Index into `STAGES` of the stage that begins with noise."""
        return STAGES.index(self.first)


def resize(video: Tensor, height: int, width: int) -> Tensor:
    """Bilinear resizing of (batch, frames, 3, h, w) to (batch, frames, 3, height, width)."""
    if video.shape[-2:] == (height, width):
        return video
    flat = rearrange(video, "b f c h w -> (b f) c h w")
    large = functional.interpolate(flat, size=(height, width), mode="bilinear", align_corners=False)
    return rearrange(large, "(b f) c h w -> b f c h w", b=video.shape[0])


def shrink(video: Tensor, size: int) -> Tensor:
    """Means over areas, for a smaller copy: (batch, frames, 3, h, w) to (batch, frames, 3, size, size)."""
    small = functional.adaptive_avg_pool2d(video.flatten(0, 1), size)
    return rearrange(small, "(b f) c h w -> b f c h w", f=video.shape[1])


class Cascade(nn.Module):
    """The denoiser or denoisers of the stages, and the codec between them.

    Args:
        config: how to sample.
        codec: frames to latents and back.
        denoisers: one that serves all stages, or one for each.

    Raises:
        ValueError: if the number of denoisers does not fit `config.shared_network`.
    """

    def __init__(self, config: CascadeConfig, codec: VideoCodec, denoisers: Sequence[AnyDenoiser]) -> None:
        super().__init__()
        wanted = 1 if config.shared_network else len(STAGES)
        if len(denoisers) != wanted:
            raise ValueError(f"cascade: expected {wanted} denoiser(s), got {len(denoisers)}")
        self.config, self.codec = config, codec
        self.denoisers = nn.ModuleList(denoisers)

    def denoiser(self, stage: int) -> AnyDenoiser:
        """The network of a stage (0, 1, 2)."""
        return self.denoisers[0 if self.config.shared_network else stage]  # type: ignore[return-value]

    @torch.no_grad()
    def run_stage(
        self,
        stage: int,
        condition: Conditioning,
        seeds: list[int],
        guidance: Guidance,
        previous: Tensor | None = None,
        callback: StageCallback | None = None,
        frames: int = 16,
    ) -> Tensor:
        """Sample one stage.

        Args:
            stage: index into `STAGES`.
            condition: of B videos.
            seeds: B seeds; each video has its own noise, whatever else is in the batch.
            guidance: strengths of the two guidances.
            previous: (B, frames, 3, h, w) in [-1, 1], a video to start from, of any size; needed after the first
                stage.
            callback: see `StageCallback`.
            frames: frames of the video.

        Returns:
            Latents (B, frames, channels, size / 8, size / 8).

        Raises:
            ValueError: if a later stage is not given a video.
        """
        if stage > self.config.first_stage and previous is None:
            raise ValueError(f"cascade: stage {STAGES[stage]} starts from an earlier stage's video, and none was given")
        size, network = STAGES[stage], self.denoiser(stage)
        device = next(network.parameters()).device
        shape = (1, frames, network.config.latent_channels, size // FACTOR, size // FACTOR)
        noise = torch.cat(
            [
                mixed_noise(shape, self.config.shared_noise, torch.Generator().manual_seed(seed * 8 + stage))
                for seed in seeds
            ]
        ).to(device)
        start = self.config.starts[stage]
        if previous is None:
            low, noisy = torch.zeros_like(noise), noise
        else:
            low = self.codec.encode(resize(previous.to(device), size, size)).float()
            noisy = add_noise(low, noise, torch.full((len(seeds),), start, device=device))
        stages = torch.full((len(seeds),), stage, device=device)
        window = torch.tensor([[0.0, 0.0, 1.0, 1.0]], device=device).expand(len(seeds), 4)

        def denoise_with(given: Conditioning) -> Callable[[Tensor, Tensor], Tensor]:
            return lambda x, sigma: network(x, sigma, stages, low, window, given).float()

        denoise = guided(
            denoise_with(condition),
            denoise_with(condition.without(text=True)),
            denoise_with(condition.without(text=True, graph=True)),
            guidance,
        )
        steps = self.config.steps[stage]

        def report(step: int, total: int) -> None:
            if callback is not None:
                callback(size, step, total)

        return sample(denoise, noisy, steps, start, self.config.shift, report)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Frames of a stage's latents: (B, frames, 3, size, size), clamped to [-1, 1]."""
        return self.codec.decode(latents).float().clamp(-1, 1)
