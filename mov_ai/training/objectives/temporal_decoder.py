"""Training a video decoder on a frozen codec's latents: an image decoder first, then what looks over time in it."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from einops import rearrange
from torch import Tensor

from mov_ai.errors import UsageError
from mov_ai.graph.files import write_bytes
from mov_ai.models.codec import to_bytes, to_unit
from mov_ai.models.codec_registry import load_codec, save_codec
from mov_ai.models.temporal_codec import TemporalCodec, check_fit
from mov_ai.models.temporal_decoder import TemporalDecoder, TemporalDecoderConfig, decoder_of
from mov_ai.training.card import model_card
from mov_ai.training.decoder_clips import DecoderClips, EncodedClip
from mov_ai.training.losses import reconstruction_errors
from mov_ai.training.objective import Objective, Progress

TUNED = ("decoder", "temporal")
#: Begins with the codec's own decoder.
OWN = "own"


class TemporalDecoderObjective(Objective):
    """L = |x - y| + half_weight |half(x) - half(y)| + edge_weight |grad x - grad y|; the encoder is frozen.

    x is the video, y what is decoded from its latents, half() averages 2x2 pixels.

    Args:
        codec: folder or name of the codec whose latents are decoded.
        clips: to train and to be judged on.
        model: sizes; `latent_channels` is the codec's own.
        tuned: "decoder" trains everything, "temporal" only what was added to the image decoder.
        start: folder of an exported image decoder (parts.kind none) of the same sizes, whose weights training begins
            with; "own" for the codec's own decoder, where it is an AutoencoderKL of diffusers, whose sizes then count
            instead of the model's; None for none.
        window: height and width in pixels of what is cut from a clip, a multiple of the codec's cell; None for whole
            frames. Norms see statistics of what is decoded at once, so whole frames are better where they fit.
        frames: consecutive frames in a sample.
        validation_clips: held-out ones that are measured while training.
    """

    def __init__(
        self,
        clips: DecoderClips,
        codec: str = "taef2",
        seed: int = 0,
        batch_size: int = 1,
        model: TemporalDecoderConfig | None = None,
        tuned: str = "decoder",
        start: str | None = None,
        window: int | None = None,
        frames: int = 8,
        half_weight: float = 0.5,
        edge_weight: float = 0.5,
        validation_clips: int = 4,
    ) -> None:
        if tuned not in TUNED:
            raise UsageError(f"objective.tuned: expected one of {', '.join(TUNED)}; found {tuned!r}")
        self._codec = load_codec(codec).requires_grad_(False)
        cell = self._codec.factor
        if window is not None and (window % cell or not cell <= window <= clips.size):
            raise UsageError(
                f"objective.window: expected a multiple of {cell}, the codec's cell, up to the clips' {clips.size} "
                f"pixels; found {window}"
            )
        if not 1 <= frames <= clips.frames:
            raise UsageError(f"objective.frames: expected 1 to {clips.frames}, the clips' own; found {frames}")
        self.seed, self.batch_size, self.codec, self.clips = seed, batch_size, codec, clips
        self.tuned, self.start, self.window, self.frames = tuned, start, window or clips.size, frames
        self.half_weight, self.edge_weight, self.validation_clips = half_weight, edge_weight, validation_clips
        self.model = replace(model or TemporalDecoderConfig(), latent_channels=self._codec.config.latent_channels)
        image = None if start is None else self._image_decoder(start)
        if image is not None and start == OWN:
            self.model = replace(image.config, parts=self.model.parts)
        check_fit(self.model.latent_channels, self.model.factor, self._codec)
        self._train: list[EncodedClip] = []
        self._held_out: list[EncodedClip] = []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._module = TemporalDecoder(self.model)
        if image is not None:
            self._module.start_from(image)
        if tuned == "temporal":
            self._module.freeze_image()

    def _image_decoder(self, start: str) -> TemporalDecoder:
        """What training begins with. Raises UsageError if it is no image decoder."""
        if start == OWN:
            return decoder_of(self._codec)
        codec = load_codec(start)
        if not isinstance(codec, TemporalCodec):
            raise UsageError(f"objective.start: {start}: expected an exported decoder of experiment=temporal_decoder")
        return codec.decoder

    def config(self) -> dict[str, Any]:
        about = {"model": asdict(self.model), "tuned": self.tuned, "window": self.window, "frames": self.frames}
        return {**super().config(), **about, "codec": self.codec, "size": self.clips.size, "start": self.start}

    def prepare(self, device: torch.device, progress: Progress) -> None:
        self._train = self.clips.load(self.codec, self._codec, False, progress)
        self._held_out = self.clips.load(self.codec, self._codec, True, progress)[: self.validation_clips]

    def module(self) -> TemporalDecoder:
        return self._module

    def batch(self, step: int) -> dict[str, Tensor]:
        """`latents` (batch, frames, channels, h, w) and `video` (batch, frames, 3, window, window) in [-1, 1]."""
        rng = np.random.default_rng([self.seed, step])
        samples = [self._sample(rng) for _ in range(self.batch_size)]
        latents, videos = zip(*samples, strict=True)
        return {"latents": torch.stack(latents), "video": torch.stack(videos)}

    def _sample(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        clip = self._train[int(rng.integers(len(self._train)))]
        cell, first = self._codec.factor, int(rng.integers(len(clip.frames) - self.frames + 1))
        side = self.window // cell
        top, left = (int(rng.integers(self.clips.size // cell - side + 1)) for _ in range(2))
        shown = slice(first, first + self.frames)
        latents = clip.latents[shown, :, top : top + side, left : left + side]
        rows, columns = (slice(cell * start, cell * (start + side)) for start in (top, left))
        return torch.from_numpy(latents).float(), to_unit(torch.from_numpy(clip.frames[shown, rows, columns]))

    def loss(
        self, module: torch.nn.Module, batch: dict[str, Tensor], generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        pixels, half, edges = reconstruction_errors(module(batch["latents"]).float(), batch["video"])
        total = pixels + self.half_weight * half + self.edge_weight * edges
        return total, {"pixels": pixels.detach(), "edges": edges.detach()}

    def validate(self, module: torch.nn.Module) -> dict[str, float]:
        errors = []
        for clip in self._held_out:
            video = to_unit(torch.from_numpy(clip.frames))
            errors.append((self._decoded(module, clip).clamp(-1, 1) - video).square().mean().item() / 4)
        return {"psnr": float(np.mean(-10 * np.log10(errors)))} if errors else {}

    def _decoded(self, module: torch.nn.Module, clip: EncodedClip) -> Tensor:
        """(frames, 3, height, width) on the CPU."""
        device = next(module.parameters()).device
        video: Tensor = module(torch.from_numpy(clip.latents).float()[None].to(device))[0]
        return video.float().cpu()

    def sample_sheet(self, module: torch.nn.Module) -> PIL.Image.Image | None:
        rows = []
        for clip in self._held_out:
            both = torch.cat([to_unit(torch.from_numpy(clip.frames[::4])), self._decoded(module, clip)[::4]])
            rows.append(rearrange(to_bytes(both), "f h w c -> h (f w) c"))
        return PIL.Image.fromarray(torch.cat(rows).numpy()) if rows else None

    def export(self, module: torch.nn.Module, directory: Path, card: dict[str, Any]) -> None:
        assert isinstance(module, TemporalDecoder)
        save_codec(TemporalCodec(module, self._codec), directory)
        about = (
            f"Decodes latents of the codec {Path(self.codec).name}, which lies in `encoder/` as it was; "
            f"{'what looks over time was trained' if self.tuned == 'temporal' else 'all of it was trained'}.\n"
            + self.clips.about
        )
        text = model_card("Temporal decoder", about, "python -m mov_ai.train experiment=temporal_decoder", module, card)
        write_bytes(directory / "README.md", text.encode("utf-8"))
