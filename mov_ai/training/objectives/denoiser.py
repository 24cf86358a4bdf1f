"""Training TSAM, all stages of the cascade with one network, on cached latents."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from einops import rearrange
from torch import Tensor

from mov_ai.diffusion.process import add_noise, mixed_noise, output_scale
from mov_ai.diffusion.sampling import sample
from mov_ai.errors import UsageError
from mov_ai.graph import Layout, SceneGraph
from mov_ai.graph.files import write_bytes, write_json
from mov_ai.labels.coverage import LabelCoverage
from mov_ai.labels.encoder import load_label_encoder
from mov_ai.labels.pretrained import PretrainedText
from mov_ai.models.cascade import CASCADE_FILE, CascadeConfig
from mov_ai.models.codec import CodecConfig, VideoCodec, to_bytes
from mov_ai.models.component import WEIGHTS_FILE, load_component, save_component
from mov_ai.models.conditioning import Conditioning, collate, condition
from mov_ai.models.denoiser import STAGES, DenoiserConfig, TSAMDenoiser
from mov_ai.models.registry import (
    AnyConfig,
    AnyDenoiser,
    build_denoiser,
    channels_last,
    sources,
    text_encoder_of,
)
from mov_ai.training.card import model_card
from mov_ai.training.label_noise import blur_labels
from mov_ai.training.latents import LatentCache, LatentSample
from mov_ai.training.losses import (
    LossWeights,
    denoise_loss,
    object_weight,
    perceptual_loss,
    semantic_loss,
    temporal_loss,
)
from mov_ai.training.objective import Objective, Progress
from mov_ai.worlds.tabletop.completion import without_assumed
from mov_ai.worlds.tabletop.held_out import with_seen_words
from mov_ai.worlds.tabletop.scene import FRAMES

#: Below this share of noise the error is no longer scaled up: it would be mostly rounding.
_SCALE_FLOOR = 0.15
_ABOUT = """
Makes latents of the stages {stages} from {sources}. Trained on clips of the embedded world's training split, which this
repository renders and describes itself; no other data. It never saw the shape and colour pairs of
`mov_ai.worlds.tabletop.lexicon.HELD_OUT_PAIRS`. It knows no natural video. Figures below end in the stage, 0 to 2.
"""


class DenoiserObjective(Objective):
    """The composite loss on noisy latents of random clips, stages and noise levels.

    Args:
        codec: folder of the trained codec.
        cache: folder for encoded clips.
        clips, late: see `LatentCache`.
        stage_shares: how often each stage is drawn; a stage of share 0 is not validated either.
        late_start: highest noise level of the later stages, which start from the earlier stage's video.
        low_noise: largest deviation of the noise on the earlier stage's latents; it makes up for the faults of
            generated ones.
        shared_noise: see `mov_ai.diffusion.process.mixed_noise`.
        drop_text, drop_graph, drop_layout: how often each is left out, independently.
        drop_assumed: how often a graph is left as it was said, without what the world completes.
        blur: how often a label's vector is blurred, see `mov_ai.training.label_noise`.
        workers: processes that encode clips.
        model: of the denoiser, of whatever design.
        cascade: how the network is to be sampled. Its first stage is trained to begin with noise and sees no earlier
            video; `shared_noise` is the cascade's if that is given. It is exported beside the network.
        experiment: what the card says that the run was.
    """

    def __init__(
        self,
        seed: int = 0,
        batch_size: int = 8,
        codec: str = "mov_ai/assets/tiny/codec",
        cache: str = "cache/latents",
        clips: int = 3000,
        late: float = 0.35,
        validation_clips: int = 50,
        stage_shares: tuple[float, ...] = (0.6, 0.2, 0.2),
        late_start: float = 0.7,
        low_noise: float = 0.3,
        shared_noise: float = 0.5,
        drop_text: float = 0.3,
        drop_graph: float = 0.08,
        drop_layout: float = 0.05,
        drop_assumed: float = 0.1,
        blur: float = 0.5,
        workers: int = 2,
        loss: LossWeights | None = None,
        model: AnyConfig | None = None,
        cascade: CascadeConfig | None = None,
        experiment: str = "tiny/denoiser",
    ) -> None:
        self.seed, self.batch_size = seed, batch_size
        self.stage_shares, self.late_start, self.low_noise = tuple(stage_shares), late_start, low_noise
        self.cascade, self.experiment, self.workers = cascade, experiment, workers
        self.shared_noise = shared_noise if cascade is None else cascade.shared_noise
        self._first = 0 if cascade is None else cascade.first_stage
        model = model or DenoiserConfig()
        self._stages: tuple[int, ...] = getattr(model, "stages", STAGES)
        frames = int(getattr(model, "frames", FRAMES))
        if len(self.stage_shares) != len(self._stages):
            raise UsageError(
                f"denoiser: stage_shares: expected one for each of {self._stages}, got {self.stage_shares}"
            )
        if cascade is not None and cascade.stages != self._stages:
            raise UsageError(
                f"denoiser: stages: the cascade has {cascade.stages}, the network {self._stages}; make them equal"
            )
        if any(self.stage_shares[: self._first]):
            raise UsageError(
                f"denoiser: stage_shares: expected 0 before the cascade's first stage {self._stages[self._first]}, "
                f"got {self.stage_shares}"
            )
        self.drop_text, self.drop_graph, self.drop_layout = drop_text, drop_graph, drop_layout
        self.drop_assumed, self.blur = drop_assumed, blur
        self.weights = loss or LossWeights()
        self.codec_directory = Path(codec)
        weights = self.codec_directory / WEIGHTS_FILE
        if not weights.exists():
            raise UsageError(
                f"{weights}: no trained codec there; run experiment=tiny/codec first or set objective.codec"
            )
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:12]
        name = "-".join([f"{digest}_{late:g}", *(str(n) for n in (*self._stages, frames))])

        def clip_cache(split: str, number: int) -> LatentCache:
            return LatentCache(Path(cache) / name, self.codec_directory, split, number, late, self._stages, frames)

        self._train, self._validation = clip_cache("train", clips), clip_cache("validation", validation_clips)
        self._labels = load_label_encoder(model.labels)
        # Read when it is first needed: a test of configurations has no encoder's files.
        self._text_name = text_encoder_of(model)
        self._text: PretrainedText | None = None
        self._text_features: dict[str, Tensor] = {}
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self._module = channels_last(build_denoiser(model))
        self._codec = load_component(VideoCodec, CodecConfig, self.codec_directory).requires_grad_(False)
        self._codec = self._codec.to(memory_format=torch.channels_last)
        own_channels, codec_channels = self._module.config.latent_channels, self._codec.config.latent_channels
        if own_channels != codec_channels:
            raise UsageError(
                f"denoiser: latent_channels: expected the codec's {codec_channels} ({codec}), got {own_channels}; "
                "give a codec of this size as objective.codec"
            )

    def prepare(self, device: torch.device, progress: Progress) -> None:
        self._train.prepare(progress, self.workers)
        self._validation.prepare(progress, self.workers)
        self._codec.to(device)

    def module(self) -> AnyDenoiser:
        return self._module

    def batch(self, step: int) -> dict[str, Any]:
        rng = np.random.default_rng([self.seed, step])
        # One stage a batch: their noise ranges differ.
        stage = int(rng.choice(len(self._stages), p=self.stage_shares))
        places = self._train.index[stage]
        drawn = self._train.get([places[int(i)] for i in rng.integers(len(places), size=self.batch_size)])
        drops = torch.from_numpy(
            rng.random((3, self.batch_size)) < [[self.drop_text], [self.drop_graph], [self.drop_layout]]
        )
        without_assumptions = rng.random(self.batch_size) < self.drop_assumed
        graphs = [
            with_seen_words(without_assumed(graph) if bare else graph)
            for graph, bare in zip(drawn.graphs, without_assumptions, strict=True)
        ]
        conditioning = blurred(self._condition(graphs, drawn.layouts), self.blur, int(rng.integers(1 << 62)))
        return self._pack(drawn, conditioning.drop(*drops))

    def _condition(self, graphs: list[SceneGraph], layouts: list[Layout]) -> Conditioning:
        return collate(
            [
                condition(graph, layout, self._labels, layout.frames, self._features(graph.caption))
                for graph, layout in zip(graphs, layouts, strict=True)
            ]
        )

    def _features(self, caption: str) -> Tensor | None:
        """The pretrained encoder's features of a caption, each encoded once; None if the network uses none."""
        if self._text_name is None:
            return None
        if self._text is None:
            self._text = PretrainedText(self._text_name)
        if caption not in self._text_features:
            self._text_features[caption] = self._text([caption]).half()
        return self._text_features[caption].float()

    def _pack(self, drawn: LatentSample, conditioning: Conditioning) -> dict[str, Any]:
        later = (drawn.stage > self._first).view(-1, 1, 1, 1, 1)
        return {
            "latents": drawn.latents,
            "low": drawn.low * later,
            "window": drawn.window,
            "stage": drawn.stage,
            "condition": conditioning.tensors(),
        }

    def _whole(self, places: list[tuple[int, int]]) -> dict[str, Any]:
        """Validation samples with all that they are conditioned on."""
        drawn = self._validation.get(places)
        return self._pack(drawn, self._condition(drawn.graphs, drawn.layouts))

    def loss(
        self, module: torch.nn.Module, batch: dict[str, Any], generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        clean, low, window, stage = (batch[name] for name in ("latents", "low", "window", "stage"))
        condition = Conditioning(**batch["condition"])
        noise = mixed_noise(tuple(clean.shape), self.shared_noise, generator).to(clean)
        # Logit-normal noise levels (Stable Diffusion 3, arXiv 2403.03206), a little towards high noise.
        sigma = torch.sigmoid(torch.randn(len(clean), generator=generator) * 1.2 + 0.4).to(clean)
        late = (stage > self._first).to(clean)
        sigma = (sigma * (1 - late * (1 - self.late_start))).clamp(min=0.02)
        blur = torch.rand(len(clean), generator=generator).to(clean) * self.low_noise * late
        low = low + blur.view(-1, 1, 1, 1, 1) * torch.randn(tuple(low.shape), generator=generator).to(low)
        predicted = module(add_noise(clean, noise, sigma), sigma, stage, low, window, condition).float()
        height, width = clean.shape[-2:]
        weight = object_weight(condition, height, width, window, self.weights.objects)
        terms: dict[str, Tensor] = {
            "denoise": denoise_loss(predicted, clean, output_scale(sigma).clamp(min=_SCALE_FLOOR), weight)
        }
        total = terms["denoise"]
        if self.weights.temporal:
            terms["temporal"] = temporal_loss(predicted, clean, weight)
            total = total + self.weights.temporal * terms["temporal"]
        if self.weights.semantic:
            terms["semantic"] = semantic_loss(predicted, clean, condition, window)
            total = total + self.weights.semantic * terms["semantic"]
        if self.weights.perceptual:
            frames = torch.randperm(clean.shape[1], generator=generator)[:2]
            terms["perceptual"] = perceptual_loss(predicted, clean, self._codec, frames)
            total = total + self.weights.perceptual * terms["perceptual"]
        return total, {name: term.detach() for name, term in terms.items()}

    def validate(self, module: torch.nn.Module) -> dict[str, float]:
        figures: dict[str, float] = {}
        device = next(module.parameters()).device
        for stage in range(len(self._stages)):
            places = self._validation.index[stage][:12] if self.stage_shares[stage] else []
            if not places:
                continue
            batch = _moved(self._whole(places), device)
            generator = torch.Generator().manual_seed(1)
            _, terms = self.loss(module, batch, generator)
            figures |= {f"{name}_{stage}": float(value) for name, value in terms.items()}
        return figures

    def sample_sheet(self, module: torch.nn.Module) -> PIL.Image.Image:
        """Validation clips from noise at the first stage; each is shown above what it should be."""
        device = next(module.parameters()).device
        places = self._validation.index[self._first][:6]
        batch = _moved(self._whole(places), device)
        clean = batch["latents"]
        noise = mixed_noise(tuple(clean.shape), self.shared_noise, torch.Generator().manual_seed(0)).to(device)
        condition = Conditioning(**batch["condition"])

        def denoise(noisy: Tensor, sigma: Tensor) -> Tensor:
            return module(noisy, sigma, batch["stage"], batch["low"], batch["window"], condition)

        sampled = sample(denoise, noise, 8)
        rows = []
        for video in (sampled, clean):
            pixels = to_bytes(self._codec.decode(video)[:, ::3])
            rows.append(rearrange(pixels, "b f h w c -> b h (f w) c"))
        return PIL.Image.fromarray(rearrange(torch.stack(rows, 1), "b two h w c -> (b two h) w c").cpu().numpy())

    def _coverage(self) -> LabelCoverage:
        """The labels of the clips that are trained on."""
        coverage = LabelCoverage()
        places = self._train.index[self._first]
        for first in range(0, len(places), 200):
            coverage.add(with_seen_words(graph) for graph in self._train.get(places[first : first + 200]).graphs)
        return coverage

    def export(self, module: torch.nn.Module, directory: Path, card: dict[str, Any]) -> None:
        save_component(module, directory)
        self._coverage().save(directory)
        if self.cascade is not None:
            write_json(directory / CASCADE_FILE, asdict(self.cascade))
        config: Any = module.config
        title = "TSAM denoiser" if isinstance(module, TSAMDenoiser) else type(module).__name__
        stages = ", ".join(str(size) for size, share in zip(self._stages, self.stage_shares, strict=True) if share)
        *others, final = sources(config)
        about = _ABOUT.format(stages=stages, sources=f"{', '.join(others)} and {final}" if others else final)
        text = model_card(title, about, f"python -m mov_ai.train experiment={self.experiment}", module, card)
        write_bytes(directory / "README.md", text.encode("utf-8"))


def blurred(conditioning: Conditioning, share: float, seed: int) -> Conditioning:
    """A copy whose label vectors are blurred, see `mov_ai.training.label_noise`.

    Text features are blurred too if they are label vectors, as they are where their width is the labels'.
    """
    generator = torch.Generator().manual_seed(seed)
    names = ["node_label", "node_direction", "link_label", "scene", "entity", "attribute"]
    if conditioning.text_features.shape[-1] == conditioning.node_label.shape[-1]:
        names.append("text_features")
    return replace(conditioning, **{name: blur_labels(getattr(conditioning, name), share, generator) for name in names})


def _moved(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    moved = {name: value.to(device) for name, value in batch.items() if isinstance(value, Tensor)}
    return {**moved, "condition": {name: t.to(device) for name, t in batch["condition"].items()}}
