"""Training the codec on windows of the world's clips, at every scale of the cascade."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from einops import rearrange
from torch import Tensor

from mov_ai.graph.files import write_bytes
from mov_ai.models.codec import CodecConfig, VideoCodec, to_bytes, to_unit
from mov_ai.models.component import save_component
from mov_ai.training.card import model_card
from mov_ai.training.losses import reconstruction_errors
from mov_ai.training.objective import Objective, Progress
from mov_ai.worlds.tabletop.render import render
from mov_ai.worlds.tabletop.scene import FRAMES, Scene, boxes, sample_scene, simulate, split_seed

#: Frame sizes that windows are cut from, and how often.
SCALES, SHARES = (128, 256, 512), (0.5, 0.25, 0.25)
_ABOUT = """
Frames to latents (8 times down, 8 channels), latents to frames with a look at the neighbouring frames. Trained on
windows of clips of the embedded world, which this repository renders itself; no other data. It knows no natural images.
"""


class CodecObjective(Objective):
    """L = |x - y| + half_weight |half(x) - half(y)| + edge_weight |grad x - grad y| + latent_weight mean(z^2).

    x is the video, y its reconstruction from latents with noise, half() averages 2x2 pixels, z are the latents.

    Args:
        scenes: how many training scenes to draw windows from.
        window: height and width of a window in pixels, a multiple of 8.
        frames: consecutive frames in a window.
        noise: standard deviation of the noise on the latents, relative to their own.
        validation_clips: at 128 pixels that are measured; a quarter as many at 256.
        spread_clips: of the training, that the latents' mean and deviation are taken from at the end.
    """

    def __init__(
        self,
        seed: int = 0,
        batch_size: int = 16,
        scenes: int = 1500,
        window: int = 64,
        frames: int = 4,
        noise: float = 0.1,
        half_weight: float = 0.5,
        edge_weight: float = 0.5,
        latent_weight: float = 1e-3,
        model: CodecConfig | None = None,
        validation_clips: int = 16,
        spread_clips: int = 64,
    ) -> None:
        self.seed, self.batch_size = seed, batch_size
        self.scenes, self.window, self.frames, self.noise = scenes, window, frames, noise
        self.half_weight, self.edge_weight, self.latent_weight = half_weight, edge_weight, latent_weight
        self.validation_clips, self.spread_clips = validation_clips, spread_clips
        self._pool: list[Scene] = []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._module = VideoCodec(model or CodecConfig()).to(memory_format=torch.channels_last)

    def prepare(self, device: torch.device, progress: Progress) -> None:
        for i in range(self.scenes):
            if i % 50 == 0:
                progress(i, self.scenes, "drawing scenes")
            self._pool.append(sample_scene(split_seed("train", i)))

    def module(self) -> VideoCodec:
        return self._module

    def batch(self, step: int) -> Tensor:
        rng = np.random.default_rng([self.seed, step])
        return torch.stack([self._window(rng) for _ in range(self.batch_size)])

    def _window(self, rng: np.random.Generator) -> Tensor:
        """One window, usually around an object: the floor alone teaches little; (frames, 3, window, window)."""
        scene = self._pool[int(rng.integers(len(self._pool)))]
        states = simulate(scene)
        scale = int(rng.choice(SCALES, p=SHARES))
        start = int(rng.integers(FRAMES - self.frames + 1))
        centre = rng.uniform(0, 1, 2)
        if rng.random() < 0.85:
            track = boxes(scene, states)[int(rng.integers(len(scene.instances)))]
            centre = track[start, :2] + track[start, 2:4] * rng.uniform(-0.6, 0.6, 2)
        corner = np.clip((centre * scale - self.window / 2).astype(int), 0, scale - self.window)
        crop = (int(corner[1]), int(corner[0]), self.window, self.window)
        video, _ = render(scene, scale, scale, crop, np.arange(start, start + self.frames), states=states)
        return to_unit(video)

    def loss(
        self, module: torch.nn.Module, batch: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        codec = self._module
        shape = (*batch.shape[:2], codec.config.latent_channels, self.window // 8, self.window // 8)
        noise = torch.randn(shape, generator=generator).to(batch.device)
        # The scale of the latents is free during training, so the noise follows it.
        with torch.no_grad():
            spread = codec.encode(batch[:2]).std()
        video, latents = module(batch, noise * self.noise * spread)
        pixels, half, edges = reconstruction_errors(video, batch)
        size = latents.square().mean()
        total = pixels + self.half_weight * half + self.edge_weight * edges + self.latent_weight * size
        return total, {"pixels": pixels.detach(), "edges": edges.detach(), "latent_square": size.detach()}

    def validate(self, module: torch.nn.Module) -> dict[str, float]:
        figures, device = {}, next(module.parameters()).device
        for scale, count in ((128, self.validation_clips), (256, -(-self.validation_clips // 4))):
            error = [
                (module(video)[0].clamp(-1, 1) - video).square().mean().item() / 4
                for video in self._clips("validation", scale, count, device)
            ]
            figures[f"psnr_{scale}"] = float(np.mean(-10 * np.log10(error)))
        return figures

    def _clips(self, split: str, scale: int, count: int, device: torch.device) -> Iterator[Tensor]:
        """Whole clips, (1, frames, 3, scale, scale), on the device; rendered on the CPU, so that they are the same."""
        for seed in range(count):
            video, _ = render(sample_scene(split_seed(split, seed)), scale, scale)
            yield to_unit(video)[None].to(device)

    def sample_sheet(self, module: torch.nn.Module) -> PIL.Image.Image:
        rows, device = [], next(module.parameters()).device
        for video in self._clips("validation", 128, 4, device):
            both = torch.cat([video[0, ::4], module(video)[0][0, ::4]], 0)
            rows.append(rearrange(to_bytes(both), "f h w c -> h (f w) c"))
        return PIL.Image.fromarray(torch.cat(rows, 0).cpu().numpy())

    def export(self, module: torch.nn.Module, directory: Path, card: dict[str, Any]) -> None:
        assert isinstance(module, VideoCodec)
        device = next(module.parameters()).device
        with torch.no_grad():
            latents = torch.cat([module.encode(v) for v in self._clips("train", 128, self.spread_clips, device)])
        # Mean and deviation per channel over training clips: the denoiser works on standardised latents.
        module.standardise(latents.mean((0, 1, 3, 4)), latents.std((0, 1, 3, 4)))
        save_component(module, directory)
        text = model_card("Video codec", _ABOUT, "python -m mov_ai.train experiment=tiny/codec", module, card)
        write_bytes(directory / "README.md", text.encode("utf-8"))
