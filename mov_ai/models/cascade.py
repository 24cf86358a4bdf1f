"""PVR, the progressive video refinement: 128 -> 256 -> 512, each stage from the one before."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.checked_config import Frames, Positive, Share, Side
from mov_ai.diffusion.known import KnownFrames
from mov_ai.diffusion.process import add_noise, noise_from_frame
from mov_ai.diffusion.sampling import Guidance, guided, sample
from mov_ai.errors import UsageError
from mov_ai.models.codec import AnyCodec, nearest_sides
from mov_ai.models.conditioning import Conditioning, collate
from mov_ai.models.denoiser import STAGES
from mov_ai.models.registry import AnyDenoiser

#: The config beside an exported denoiser that says how it is to be sampled.
CASCADE_FILE = "cascade.json"
NETWORKS = ("shared", "refined", "separate")
#: Called as `callback(size, step, steps)` after each step of the stage that makes videos of that size.
StageCallback = Callable[[int, int, int], None]


@dataclass(frozen=True)
class CascadeConfig:
    """How the stages are sampled; one entry a stage, first to last.

    Attributes:
        steps: network evaluations (times the passes that guidance needs); a refiner always makes one.
        starts: noise level a stage begins at: 1 for the first, which begins with nothing; lower levels of later stages
            keep more of the earlier stage's video. A refiner begins with that video, and its entry says nothing.
        shift: timestep shift, see `mov_ai.diffusion.sampling.sample`.
        shared_noise: as in training, see `mov_ai.diffusion.process.mixed_noise`.
        networks: "shared" (one network for all stages), "refined" (one for the first and a refiner for the others) or
            "separate" (one a stage).
        low_noise: deviation of the noise on the latents that a refiner begins with.
        guidance: largest strength of guidance that the networks were trained for; 1 if nothing was ever left out.
        default_guidance: strengths of the guidances by text and by graph where none are asked for, as far as `guidance`
            allows them.
        stages: longer sides of the stages' videos in pixels, ascending: what the entries above are about.
        first, last: sizes of the first and the last stage that the networks were trained for. The first begins with
            noise, whatever its size; those before it and after the last are not run.
    """

    steps: tuple[Frames, ...] = (8, 4, 2)
    starts: tuple[Share, ...] = (1.0, 0.6, 0.5)
    shift: Positive = 1.0
    shared_noise: Share = 0.5
    networks: str = "shared"
    low_noise: Share = 0.1
    guidance: float = 10.0
    default_guidance: tuple[float, ...] = (1.0, 1.0)
    stages: tuple[Side, ...] = STAGES
    first: Side = STAGES[0]
    last: Side = STAGES[-1]

    def __post_init__(self) -> None:
        # Configuration files and JSON have lists only.
        for name in ("steps", "starts", "stages", "default_guidance"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        stages = self.stages
        if not stages or any(size < 1 for size in stages) or list(stages) != sorted(set(stages)):
            raise ValueError(f"cascade: stages: expected ascending sizes, got {stages}")
        if len(self.steps) != len(stages) or len(self.starts) != len(stages):
            raise ValueError(f"cascade: expected {len(stages)} steps and starts, got {self.steps} and {self.starts}")
        if any(step < 1 for step in self.steps) or any(not 0 < start <= 1 for start in self.starts):
            raise ValueError(f"cascade: expected steps >= 1 and 0 < starts <= 1, got {self.steps} and {self.starts}")
        if self.networks not in NETWORKS:
            raise ValueError(f"cascade: networks: expected one of {', '.join(NETWORKS)}, got {self.networks!r}")
        for name in ("low_noise", "shared_noise"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"cascade: {name}: expected a number from 0 to 1, got {getattr(self, name)}")
        if not 0 < self.shift <= 100:
            raise ValueError(f"cascade: shift: expected a number above 0, up to 100, got {self.shift}")
        if not 1 <= self.guidance <= 100:
            raise ValueError(f"cascade: guidance: expected a number from 1 to 100, got {self.guidance}")
        if len(self.default_guidance) != 2 or any(not 0 <= strength <= 100 for strength in self.default_guidance):
            raise ValueError(
                f"cascade: default_guidance: expected two strengths from 0 to 100, got {self.default_guidance}"
            )
        if self.first not in stages or self.last not in stages or self.first > self.last:
            raise ValueError(f"cascade: expected first <= last, both of {stages}, got {self.first} and {self.last}")

    @property
    def first_stage(self) -> int:
        """Index into `stages` of the stage that begins with noise."""
        return self.stages.index(self.first)

    @property
    def own_guidance(self) -> Guidance:
        """The guidances where none are asked for."""
        text, graph = (1.0 if self.guidance == 1 else min(value, self.guidance) for value in self.default_guidance)
        return Guidance(text, graph)

    @property
    def names(self) -> list[str]:
        """Names of the networks, first to last: of their folders in a pipeline's."""
        if self.networks == "separate":
            return [f"denoiser_{size}" for size in self.stages]
        return ["denoiser", "refiner"] if self.networks == "refined" else ["denoiser"]

    def network_of(self, stage: int) -> int:
        """Index into `names` of the network that makes a stage."""
        if self.networks == "separate":
            return stage
        return int(self.networks == "refined" and stage > self.first_stage)

    @property
    def trained(self) -> tuple[int, ...]:
        """Sizes of the stages that the networks were trained for."""
        return self.stages[self.first_stage : self.stages.index(self.last) + 1]


def check_as_trained(
    trained: CascadeConfig, found: CascadeConfig, names: Sequence[str], source: str, network: str
) -> None:
    """Raises UsageError, which begins with `source`, if a named setting is not that of a network's training."""
    for name in names:
        expected, value = getattr(trained, name), getattr(found, name)
        if value != expected:
            raise UsageError(f"{source}: {name}: expected {expected}, as the {network} was trained with; found {value}")


@dataclass(frozen=True)
class Stage:
    """One stage of a run: which trained stage makes it, and the size of its video.

    Attributes:
        index: into `CascadeConfig.stages`.
        height, width: in pixels.
    """

    index: int
    height: int
    width: int

    @property
    def size(self) -> int:
        """The longer side, which is what a stage is called."""
        return max(self.height, self.width)


def plan_stages(
    config: CascadeConfig,
    height: int,
    width: int,
    sizes: Sequence[int] | None,
    multiple: int,
    factor: int | None = None,
) -> list[Stage]:
    """The stages of a run.

    Args:
        config: the cascade.
        height, width: of the video that is wanted; with `sizes` given, only its aspect counts.
        sizes: longer sides of all stages, ascending; None for the trained ones below the video's own, then that.
        multiple: both sides of every stage are multiples of it, as codec and denoiser need.
        factor: the codec's part in it, for the message; None if that is not known.

    Returns:
        Stages from small to large. Each is made by the trained stage that is nearest in size, the first always by the
        cascade's first. Sides of stages before the last are rounded to the multiple.

    Raises:
        UsageError: if sizes are not ascending, or the video's sides are not multiples.
    """
    longest = max(height, width)
    if sizes is None:
        sizes = [*(size for size in config.trained if size < longest), longest]
    sizes = list(sizes)
    if not sizes or any(isinstance(size, bool) or not isinstance(size, int) for size in sizes):
        raise UsageError(f"stages: expected whole numbers, as 128,256,512; found {sizes!r}")
    if sizes != sorted(set(sizes)) or sizes[0] < multiple:
        raise UsageError(f"stages: expected sizes from {multiple} up, each larger than the one before; found {sizes}")
    final = [side * sizes[-1] / longest for side in (height, width)]
    if any(side % multiple for side in final):
        shown = "x".join(f"{side:g}" for side in final)
        near = "x".join(str(side) for side in nearest_sides(final[0], final[1], multiple))
        needs = "needs" if factor == multiple else "and the denoiser need"
        if factor not in (None, multiple):
            needs = f"({factor} pixels a cell) {needs}"
        raise UsageError(f"size: the codec {needs} sides that are multiples of {multiple}; found {shown}: try {near}")
    stages: list[Stage] = []
    for number, size in enumerate(sizes):
        sides = [max(multiple, round(side * size / sizes[-1] / multiple) * multiple) for side in final]
        nearest = min(config.trained, key=lambda known: abs(math.log(size / known)))
        index = config.first_stage if number == 0 else config.stages.index(nearest)
        stages.append(Stage(max([index, *(stage.index for stage in stages)]), *sides))
    return stages


def resize(video: Tensor, height: int, width: int) -> Tensor:
    """Bilinear resizing of (batch, frames, 3, h, w) to (batch, frames, 3, height, width)."""
    if video.shape[-2:] == (height, width):
        return video
    flat = rearrange(video, "b f c h w -> (b f) c h w")
    large = functional.interpolate(flat, size=(height, width), mode="bilinear", align_corners=False)
    return rearrange(large, "(b f) c h w -> b f c h w", b=video.shape[0])


def shrink(video: Tensor, height: int, width: int) -> Tensor:
    """Means over areas, for a smaller copy: (batch, frames, 3, h, w) to (batch, frames, 3, height, width)."""
    small = functional.adaptive_avg_pool2d(video.flatten(0, 1), (height, width))
    return rearrange(small, "(b f) c h w -> b f c h w", f=video.shape[1])


class Cascade(nn.Module):
    """The denoiser or denoisers of the stages, and the codec between them.

    Args:
        config: how to sample.
        codec: frames to latents and back.
        denoisers: the networks that `config.names` lists.

    Raises:
        ValueError: if there are more or fewer, or the first stage's goes from an earlier stage's video.
    """

    def __init__(self, config: CascadeConfig, codec: AnyCodec, denoisers: Sequence[AnyDenoiser]) -> None:
        super().__init__()
        if len(denoisers) != len(config.names):
            raise ValueError(f"cascade: expected {len(config.names)} denoiser(s), got {len(denoisers)}")
        if denoisers[config.network_of(config.first_stage)].refines:
            raise ValueError("cascade: a refiner cannot make the first stage: there is no earlier one")
        self.config, self.codec = config, codec
        self.denoisers = nn.ModuleList(denoisers)

    def denoiser(self, stage: int) -> AnyDenoiser:
        """The network of a stage (0, 1, 2)."""
        return self.denoisers[self.config.network_of(stage)]  # type: ignore[return-value]

    @property
    def side_multiple(self) -> int:
        """Both sides of a video that is sampled are multiples of this, in pixels."""
        multiples = [self.denoiser(stage).config.side_multiple for stage in range(len(self.config.stages))]
        return self.codec.factor * math.lcm(*multiples)

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
        sides: tuple[int, int] | None = None,
        known: KnownFrames | None = None,
        first: int = 0,
    ) -> Tensor:
        """Sample one stage.

        Args:
            stage: index into `CascadeConfig.stages`.
            condition: of B videos.
            seeds: B seeds; each video has its own noise, whatever else is in the batch.
            guidance: strengths of the two guidances. Those of a refiner are 1: what it begins with has been guided.
            previous: (B, frames, 3, h, w) in [-1, 1], a video to start from, of any size; needed after the first
                stage.
            callback: see `StageCallback`.
            frames: frames of the video.
            sides: height and width of the video in pixels; None for a square of the stage's own size.
            known: latent frames that are given, as they are at this stage. A refiner sees these frames of the earlier
                video like any others: beside them, it makes what it made of their neighbours in the window before.
            first: number of the first latent frame in a longer video, which decides the noise.

        Returns:
            Latents (B, latent frames, channels, cells down, cells across).

        Raises:
            ValueError: if a later stage is not given a video.
        """
        if stage > self.config.first_stage and previous is None:
            raise ValueError(
                f"cascade: stage {self.config.stages[stage]} starts from an earlier stage's video, and none was given"
            )
        size, network = self.config.stages[stage], self.denoiser(stage)
        height, width = sides or (size, size)
        device = next(network.parameters()).device
        cells = (height // self.codec.factor, width // self.codec.factor)
        shape = (1, self.codec.latent_frames(frames), network.config.latent_channels, *cells)
        noise = torch.cat(
            [noise_from_frame(shape, self.config.shared_noise, seed * 8 + stage, first) for seed in seeds]
        ).to(device)
        steps, start = self.config.steps[stage], self.config.starts[stage]
        noisy, low = noise, torch.zeros_like(noise)
        if previous is not None:
            low = self.codec.encode(resize(previous.to(device), height, width)).float()
            if network.refines:
                # It makes the whole way at once, whatever number of steps the others are asked for.
                steps, start = 1, 1.0
                guidance = Guidance()
                noisy = low + self.config.low_noise * noise
            else:
                noisy = add_noise(low, noise, torch.full((len(seeds),), start, device=device))
        conditions = [condition, condition.without(text=True), condition.without(text=True, graph=True)]
        joined: dict[tuple[int, ...], Conditioning] = {(0,): condition}

        def denoise_each(x: Tensor, sigma: Tensor, asked: tuple[int, ...]) -> Sequence[Tensor]:
            # All in one batch: several small ones cost more.
            if asked not in joined:
                joined[asked] = collate([conditions[which] for which in asked])
            count = len(asked)
            x, many = x.repeat(count, 1, 1, 1, 1), x.shape[0] * count
            index = torch.full((many,), stage, device=device)
            window = torch.tensor([[0.0, 0.0, 1.0, 1.0]], device=device).expand(many, 4)
            if network.refines:
                level = torch.full((many,), self.config.low_noise, device=device)
                clean = network(x, level, index, window, joined[asked])
            else:
                clean = network(x, sigma.repeat(count), index, low.repeat(count, 1, 1, 1, 1), window, joined[asked])
            return clean.float().chunk(count)

        def report(step: int, total: int) -> None:
            if callback is not None:
                callback(max(height, width), step, total)

        # What a refiner begins with is a video, and at no level of noise.
        hold = None if known is None or network.refines else known.at(noise)
        latents = sample(guided(denoise_each, guidance), noisy, steps, start, self.config.shift, report, hold)
        return latents if known is None else known.put(latents)

    @torch.no_grad()
    def decode(self, latents: Tensor, frames: int | None = None) -> Tensor:
        """Frames of a stage's latents, see `AnyCodec.decode`: (B, frames, 3, height, width), clamped to [-1, 1]."""
        return self.codec.decode(latents, frames).float().clamp(-1, 1)
