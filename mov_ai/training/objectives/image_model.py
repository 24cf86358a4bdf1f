"""Training a text-to-image model on single frames of clips, for `mov_ai.models.image_video` to be built on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from einops import rearrange
from torch import Tensor

from mov_ai.diffusion.process import add_noise, output_scale
from mov_ai.diffusion.sampling import sample
from mov_ai.errors import UsageError
from mov_ai.graph import Layout, SceneGraph
from mov_ai.graph.files import write_bytes
from mov_ai.models.codec import to_bytes
from mov_ai.models.codec_registry import load_codec
from mov_ai.models.conditioning import join_padded
from mov_ai.models.text_to_image import TextToImage, TextToImageConfig, word_tokenizer
from mov_ai.training.card import model_card
from mov_ai.training.clip_source import ClipSource, LatentSample
from mov_ai.training.latents import TabletopClips
from mov_ai.training.losses import denoise_loss, object_weight
from mov_ai.training.objective import Objective, Progress

#: Of the noise level, below which the error is not scaled up further, as `DenoiserObjective` has it.
_LEAST_SCALE, _LEAST_NOISE = 0.15, 0.02
_VALIDATED, _SHOWN, _SHEET_STEPS = 24, 6, 8
_ABOUT = """
A text-to-image model in the form of a pipeline of diffusers: U-Net, CLIP's text encoder trained with it, a tokenizer of
the captions' words, and the codec as it was. It makes single frames of {size} pixels from a caption, and does not know
when in the clip they are. {data}
"""


class ImageModelObjective(Objective):
    """The denoising term of `DenoiserObjective` on one random frame of each clip, under the clip's caption.

    The error of clean latents in units of a velocity's: with `prediction` "v_prediction" it is the usual loss.

    Args:
        data: the clips. size, frames: of them.
        codec: makes the latents, see `load_codec`; it goes into the exported folder.
        model: sizes.
        noise_mean, noise_deviation: of the logit of the noise level, as in `DenoiserObjective`.
        drop_text: how often the caption is the empty one, which guidance needs.
        objects: how much more a cell inside a box counts than the floor.
        experiment: what the card says that the run was.
    """

    def __init__(
        self,
        seed: int = 0,
        batch_size: int = 64,
        codec: str = "mov_ai/assets/tiny/codec",
        data: ClipSource | None = None,
        size: int = 128,
        frames: int = 16,
        model: TextToImageConfig | None = None,
        noise_mean: float = 0.4,
        noise_deviation: float = 1.2,
        drop_text: float = 0.1,
        objects: float = 4.0,
        experiment: str = "temporal_parts/image",
    ) -> None:
        if not 0 <= drop_text <= 1:
            raise UsageError(f"objective.drop_text: expected a share from 0 to 1; found {drop_text:g}")
        self.seed, self.batch_size, self.experiment = seed, batch_size, experiment
        self.data, self.size, self.model = data or TabletopClips(), size, model or TextToImageConfig()
        self.noise_mean, self.noise_deviation = noise_mean, noise_deviation
        self.drop_text, self.objects = drop_text, objects
        self._codec = load_codec(codec).requires_grad_(False)
        if self._codec.frame_factor != 1:
            raise UsageError(f"objective.codec: {codec}: expected one that encodes frame by frame, as images are made")
        self.data.bind(codec, self._codec, (size,), frames, seed)
        self._module: TextToImage | None = None

    def config(self) -> dict[str, Any]:
        return {**super().config(), "model": asdict(self.model), "size": self.size}

    def prepare_share(self, device: torch.device, progress: Progress, process: int, processes: int) -> None:
        self.data.prepare_share(progress, process, processes)

    def prepare(self, device: torch.device, progress: Progress) -> None:
        self.data.prepare(progress)
        self._codec.to(device)
        # The words are known once the clips are.
        tokenizer = word_tokenizer(graph.caption for graph in self.data.training_graphs(0))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            cells = self.size // self._codec.factor
            self._module = TextToImage(self.model, tokenizer, self._codec.config.latent_channels, cells)

    def module(self) -> TextToImage:
        assert self._module is not None, "prepare comes first"
        return self._module

    def batch(self, step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, step])
        drawn = self.data.draw(0, self.batch_size, step, rng)
        dropped = (rng.random(len(drawn.latents)) < self.drop_text).tolist()
        return self._pack(drawn, self.data.varied(drawn.graphs, rng), rng, dropped)

    def _pack(
        self, drawn: LatentSample, graphs: list[SceneGraph], rng: np.random.Generator, dropped: Sequence[bool]
    ) -> dict[str, Tensor]:
        """A frame of each clip: `latents` (batch, channels, h, w), `tokens`, `boxes` (batch, k, 1, 6), `window`."""
        chosen = rng.integers(drawn.latents.shape[1], size=len(drawn.latents))
        captions = ["" if no else graph.caption for no, graph in zip(dropped, graphs, strict=True)]
        shown = [{"boxes": _boxes(layout, int(frame))} for layout, frame in zip(drawn.layouts, chosen, strict=True)]
        return {
            "latents": drawn.latents[torch.arange(len(chosen)), torch.from_numpy(chosen)],
            "tokens": self.module().tokens(captions),
            "boxes": join_padded(shown)["boxes"],
            "window": drawn.window,
        }

    def loss(
        self, module: torch.nn.Module, batch: dict[str, Tensor], generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        clean = batch["latents"]
        noise = torch.randn(tuple(clean.shape), generator=generator).to(clean)
        logit = torch.randn(len(clean), generator=generator) * self.noise_deviation + self.noise_mean
        sigma = torch.sigmoid(logit).to(clean).clamp(min=_LEAST_NOISE)
        predicted = module(add_noise(clean, noise, sigma), sigma, batch["tokens"]).float()
        height, width = clean.shape[-2:]
        weight = object_weight(batch["boxes"], height, width, batch["window"], self.objects)
        scale = output_scale(sigma).clamp(min=_LEAST_SCALE)
        loss = denoise_loss(predicted[:, None], clean[:, None], scale, weight)
        return loss, {"denoise": loss.detach()}

    def _held_out(self, most: int, device: torch.device) -> dict[str, Tensor] | None:
        drawn = self.data.validation(0, most)
        if drawn is None:
            return None
        batch = self._pack(drawn, drawn.graphs, np.random.default_rng(1), [False] * len(drawn.graphs))
        return {name: value.to(device) for name, value in batch.items()}

    def validate(self, module: torch.nn.Module) -> dict[str, float]:
        batch = self._held_out(_VALIDATED, next(module.parameters()).device)
        if batch is None:
            return {}
        return {"denoise": float(self.loss(module, batch, torch.Generator().manual_seed(1))[0])}

    def sample_sheet(self, module: torch.nn.Module) -> PIL.Image.Image | None:
        """Frames from noise under captions of the validation clips, above frames of these."""
        batch = self._held_out(_SHOWN, next(module.parameters()).device)
        if batch is None:
            return None
        clean = batch["latents"]
        noise = torch.randn(tuple(clean.shape), generator=torch.Generator().manual_seed(0)).to(clean)
        made = sample(lambda noisy, sigma: module(noisy, sigma, batch["tokens"]), noise, _SHEET_STEPS)
        pixels = to_bytes(self._codec.decode(torch.cat([made, clean])[:, None])[:, 0])
        return PIL.Image.fromarray(rearrange(pixels, "(two b) h w c -> (two h) (b w) c", two=2).cpu().numpy())

    def export(self, module: torch.nn.Module, directory: Path, card: dict[str, Any]) -> None:
        self.save(module, directory)
        about = _ABOUT.format(size=self.size, data=self.data.about)
        command = f"python -m mov_ai.train experiment={self.experiment}"
        text = model_card("Text-to-image model", about, command, module, card)
        write_bytes(directory / "README.md", text.encode("utf-8"))

    def save(self, module: torch.nn.Module, directory: Path) -> None:
        """Write the pipeline's folder, without a card."""
        assert isinstance(module, TextToImage)
        module.save(directory, self._codec)


def _boxes(layout: Layout | None, frame: int) -> Tensor:
    """Boxes of a frame, (1, k, 1, 6); one that is not visible where none are known."""
    if layout is None or not layout.tracks:
        return torch.zeros(1, 1, 1, 6)
    return torch.from_numpy(np.stack([track.boxes[frame] for track in layout.tracks])).float()[None, :, None]
