"""Training the interpolation network on clips whose frames between keyframes are known."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mov_ai.diffusion.cosine import levels, perturb, velocity
from mov_ai.errors import UsageError
from mov_ai.graph.files import write_bytes
from mov_ai.models.codec_registry import load_codec
from mov_ai.models.component import load_component, save_component
from mov_ai.models.in_between import blend, interpolate, require_one_latent_a_frame, split
from mov_ai.models.interpolation import (
    BETWEEN,
    MAX_PERTURBATION,
    PERTURBATION_STEPS,
    RATE,
    InterpolationConfig,
    InterpolationNetwork,
)
from mov_ai.models.registry import channels_last
from mov_ai.training.card import model_card
from mov_ai.training.clip_encoder import codec_identity
from mov_ai.training.objective import Objective, Progress, check_start
from mov_ai.training.stretches import Stretches, StretchSource

#: Errors of blending below which pairs count less: nothing moves, and what differs is the codec's. Of latents, and of
#: pixels from -1 to 1.
_LEAST, _LEAST_PIXELS = 3e-3, 1e-4
#: Samples of a batch that are decoded at most, one pair of keyframes of each.
_DECODED = 4
_ABOUT = """
Latent frames in, three more between each two out; after FusionFrames (arXiv 2311.13073). {about}

Made for the latents of the codec {codec}; with those of another one it makes no sense. Figures: how
much smaller its errors are than those of linear blending, in dB, in one step and in four, by cells of a side.
"""


class InterpolationObjective(Objective):
    """L = mean(w / b (v - v')^2), v = alpha noise - sigma x_0 of the three frames between each two keyframes.

    w is `InterpolationNetwork.weight`, and b the mean squared error of linear blending between those two keyframes as
    they are seen (at least `_LEAST`; 1 for samples without them): what is slow counts as much as what is fast. Times
    are drawn as sqrt(U(0, 1)), or are 1. With `pixels`, what is predicted at time 1 is decoded and compared with the
    decoded true frames as well, in the same way: what is seen is pixels, and cells do not all count alike there.

    Args:
        codec: folder or name of the codec.
        data: where the stretches come from.
        model: sizes of the network.
        keyframes: of a sample; a shorter stretch than the source's begins anywhere in it.
        clean: share of the samples whose keyframes are as they are. The others' are perturbed by 1 to 250 of 1000 steps
            of the schedule, as the network is told.
        augment: of those others, share of keyframes that are the mean of themselves and a neighbouring frame; as large
            a share is blurred.
        drop: share of the samples without keyframes.
        noise_only: share of the samples at time 1, where sampling begins: all that is known there are the keyframes.
        pixels: weight of the errors of decoded frames; 0 for none, which is faster.
        start: folder of an exported network to begin with; None for fresh weights.
    """

    def __init__(
        self,
        codec: str,
        data: StretchSource,
        seed: int = 0,
        batch_size: int = 8,
        model: InterpolationConfig | None = None,
        keyframes: int = 5,
        clean: float = 0.8,
        augment: float = 0.05,
        drop: float = 0.1,
        noise_only: float = 0.5,
        pixels: float = 0.0,
        start: str | None = None,
    ) -> None:
        for name, share in (
            ("clean", clean),
            ("augment", augment),
            ("drop", drop),
            ("noise_only", noise_only),
        ):
            if not 0 <= share <= (0.5 if name == "augment" else 1):
                raise UsageError(
                    f"objective.{name}: expected a share, 0 to {0.5 if name == 'augment' else 1}; found {share}"
                )
        if not 0 <= pixels < float("inf"):
            raise UsageError(f"objective.pixels: expected a weight, 0 or more; found {pixels}")
        if keyframes < 2:
            raise UsageError(f"objective.keyframes: expected 2 or more; found {keyframes}")
        self.seed, self.batch_size, self.keyframes = seed, batch_size, keyframes
        self.clean, self.augment, self.drop, self.noise_only = clean, augment, drop, noise_only
        self.pixels = pixels
        self.codec, self.data = codec, data
        config = model or InterpolationConfig()
        network = load_codec(codec)
        require_one_latent_a_frame(network)
        if network.config.latent_channels != config.latent_channels:
            raise UsageError(
                f"objective.codec: {codec}: expected latents of {config.latent_channels} channels, as the model has; "
                f"found {network.config.latent_channels}"
            )
        self._codec = network.eval().requires_grad_(False)
        data.bind(codec, network)
        if start is None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self._module = InterpolationNetwork(config)
        else:
            self._module = load_component(InterpolationNetwork, InterpolationConfig, start).train()
            check_start(start, self._module.config, config)
        channels_last(self._module)

    def config(self) -> dict[str, Any]:
        shares = {name: getattr(self, name) for name in ("clean", "augment", "drop", "noise_only", "pixels")}
        model = asdict(self._module.config)
        return {**super().config(), "keyframes": self.keyframes, **shares, "codec": self.codec, "model": model}

    def prepare(self, device: torch.device, progress: Progress) -> None:
        self.data.prepare(progress)
        self._codec.to(device)

    def module(self) -> InterpolationNetwork:
        return self._module

    def batch(self, step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, step])
        stretches = self.data.draw(self.batch_size, rng)
        length = (self.keyframes - 1) * (BETWEEN + 1) + 1
        spare = stretches.latents.shape[1] - length
        if spare < 0:
            raise UsageError(
                f"objective.keyframes: {self.keyframes} need stretches of {length} frames; data.frames gives "
                f"{stretches.latents.shape[1]}"
            )
        first = int(rng.integers(spare + 1))
        return {"frames": stretches.latents[:, first : first + length], "skip": stretches.skip}

    def loss(
        self, module: torch.nn.Module, batch: dict[str, Tensor], generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        frames, skip = batch["frames"], batch["skip"]
        keyframes, clean = split(frames)
        count, device = len(frames), frames.device
        draws = torch.rand(5, count, generator=generator).to(device)
        time = torch.where(draws[4] < self.noise_only, torch.ones_like(draws[0]), draws[0].sqrt())
        told = (draws[1] >= self.clean) * (1 + (draws[2] * MAX_PERTURBATION).floor())
        mask = (draws[3] >= self.drop).float()
        seen = self._degraded(frames, keyframes, told, generator)
        noise = torch.randn(clean.shape, generator=generator).to(clean)
        noisy = perturb(clean, noise, time)
        said = module(noisy, time, seen, skip, told, mask)
        blended = (clean - blend(seen)).square().mean((2, 3, 4, 5), keepdim=True).clamp(min=_LEAST)
        weight = self._module.weight(time, seen, mask) / torch.where(mask.view_as(blended[:, :1]) > 0, blended, 1.0)
        error = (said - velocity(clean, noise, time)) ** 2 * weight
        by_sample = error.mean((1, 2, 3, 4, 5))
        trusted = (told == 0) & (mask > 0)
        parts = {
            "clean": by_sample[trusted],
            "perturbed": by_sample[(told > 0) & (mask > 0)],
            "alone": by_sample[mask == 0],
        }
        total = by_sample.mean()
        if self.pixels:
            alpha, sigma = levels(time, noisy)
            pair = int(torch.randint(clean.shape[1], (), generator=generator))
            rows = torch.nonzero(trusted & (time == 1))[:_DECODED, 0]
            if len(rows):
                found = (alpha * noisy - sigma * said)[rows, pair].float()
                parts["pixels"] = self._pixel_errors(keyframes[rows, pair : pair + 2], clean[rows, pair], found)
                total = total + self.pixels * parts["pixels"].mean()
        return total, {name: part.mean().detach() for name, part in parts.items() if len(part)}

    def _pixel_errors(self, keyframes: Tensor, clean: Tensor, found: Tensor) -> Tensor:
        """(n,) errors of decoded frames (n, 3, channels, h, w) between keyframes (n, 2, ...), as shares of blends'."""

        def decoded(between: Tensor) -> Tensor:
            return self._codec.decode(torch.cat([keyframes[:, :1], between, keyframes[:, 1:]], 1))[:, 1:-1].float()

        with torch.no_grad():
            true = decoded(clean)
            blended = (decoded(blend(keyframes)[:, 0]) - true).square().mean((1, 2, 3, 4))
        return (decoded(found) - true).square().mean((1, 2, 3, 4)) / blended.clamp(min=_LEAST_PIXELS)

    def _degraded(self, frames: Tensor, keyframes: Tensor, told: Tensor, generator: torch.Generator) -> Tensor:
        """Keyframes as the network sees them: perturbed, and where they are, sometimes mixed or blurred before that."""
        choice = torch.rand(keyframes.shape[:2], generator=generator).to(frames)
        noise = torch.randn(keyframes.shape, generator=generator).to(frames)
        # Each with the frame after it, the last with the one before it.
        neighbours = torch.cat([frames[:, 1 :: BETWEEN + 1], frames[:, -2:-1]], 1)
        faulty = (told > 0).view(-1, 1, 1, 1, 1)
        choice = choice[..., None, None, None]
        mixed = torch.where(choice < self.augment, (keyframes + neighbours) / 2, keyframes)
        mixed = torch.where(choice > 1 - self.augment, blurred(keyframes), mixed)
        return torch.where(faulty, perturb(mixed, noise, told / PERTURBATION_STEPS), keyframes)

    def validate(self, module: torch.nn.Module) -> dict[str, float]:
        assert isinstance(module, InterpolationNetwork)
        figures: dict[str, float] = {}
        for stretches in self.data.validation():
            figures |= _gains(module, stretches)
        return figures

    def export(self, module: torch.nn.Module, directory: Path, card: dict[str, Any]) -> None:
        assert isinstance(module, InterpolationNetwork)
        save_component(module, directory)
        codec = codec_identity(self.codec)
        name = f"`{codec['name']}` (sha256 of its files {codec['sha256'][:16]})"
        about = _ABOUT.format(about=" ".join(self.data.about.split()), codec=name)
        command = "python -m mov_ai.train experiment=tiny/interpolation"
        text = model_card("Interpolation network", about, command, module, card)
        write_bytes(directory / "README.md", text.encode("utf-8"))


def blurred(latents: Tensor) -> Tensor:
    """A third of the way to means over 3 x 3 cells, borders repeated; (B, F, channels, h, w)."""
    flat = functional.pad(latents.flatten(0, 1), (1, 1, 1, 1), "replicate")
    return torch.lerp(latents, functional.avg_pool2d(flat, 3, stride=1).view_as(latents), 1 / 3)


def _gains(module: InterpolationNetwork, stretches: Stretches) -> dict[str, float]:
    """How much smaller, in dB, errors of latents are than those of linear blending: in one step, and in four."""
    device = next(module.parameters()).device
    errors: dict[str, float] = {}
    size = stretches.latents.shape[-1]
    for latents, skip in zip(stretches.latents, stretches.skip, strict=True):
        # As many frames as there are whole pairs.
        frames = latents[None, : (len(latents) - 1) // (BETWEEN + 1) * (BETWEEN + 1) + 1].to(device)
        keyframes, clean = split(frames)
        guesses = {"blend": blend(keyframes)}
        for name, steps in (("one", 1), ("four", 4)):
            found = interpolate(keyframes, module, RATE / float(skip), 0, steps, guidance=0)
            guesses[name] = split(found)[1]
        for name, guess in guesses.items():
            errors[name] = errors.get(name, 0.0) + (guess - clean).square().mean().item()
    base = errors.pop("blend")
    prefix = f"{stretches.source}_" if stretches.source else ""
    return {f"{prefix}{name}_{size}": float(10 * np.log10(base / max(error, 1e-12))) for name, error in errors.items()}
