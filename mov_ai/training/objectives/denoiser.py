"""Training TSAM, all stages of the cascade with one network, on cached latents."""

from __future__ import annotations

import logging
from collections.abc import Sequence
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
from mov_ai.graph.files import write_bytes, write_json
from mov_ai.graph.video_shape import VideoShape
from mov_ai.labels.coverage import LabelCoverage
from mov_ai.labels.encoder import load_label_encoder
from mov_ai.labels.pretrained import PretrainedText
from mov_ai.models.cascade import CASCADE_FILE, CascadeConfig
from mov_ai.models.codec import VideoCodec, to_bytes
from mov_ai.models.codec_registry import load_codec
from mov_ai.models.conditioning import Conditioning, collate, condition
from mov_ai.models.denoiser import STAGES, DenoiserConfig, TSAMDenoiser
from mov_ai.models.registry import (
    AnyConfig,
    AnyDenoiser,
    build_denoiser,
    channels_last,
    load_denoiser,
    save_denoiser,
    sources,
    text_encoder_of,
)
from mov_ai.training.card import model_card
from mov_ai.training.clip_source import ClipSource, LatentSample
from mov_ai.training.label_noise import blur_labels
from mov_ai.training.label_recognition import (
    LabelRecognizer,
    label_error,
    recognised,
    shown_and_asked,
    taught_recognizer,
)
from mov_ai.training.latents import TabletopClips
from mov_ai.training.losses import (
    LossWeights,
    box_loss,
    denoise_loss,
    object_weight,
    perceptual_loss,
    temporal_loss,
)
from mov_ai.training.objective import Objective, Progress, check_start

log = logging.getLogger(__name__)

#: Below this share of noise the error is no longer scaled up: it would be mostly rounding.
_SCALE_FLOOR = 0.15
#: Share of the samples without any condition from which on guidance can be relied on.
_LEAST_UNCONDITIONAL = 0.1
#: Of the size that a refiner's errors have, so that the loss's other terms weigh as they do in a denoiser's.
_REFINER_SCALE = 0.5
#: Clips that a stage is validated by.
_VALIDATED = 12
#: Number of the first step whose batch a recognizer of labels is taught with: past all that are trained.
_RECOGNIZER_STEPS = 1 << 40
_ABOUT = """
Makes latents of the stages {stages} from {sources}. {data} Figures below end in the stage, from 0.
"""


class DenoiserObjective(Objective):
    """The composite loss on noisy latents of random clips, stages and noise levels.

    Args:
        codec: a codec by folder or name, see `mov_ai.models.codec_registry.load_codec`.
        data: the clips.
        stage_shares: how often each stage is drawn; a stage of share 0 is not validated either.
        late_start: highest noise level of the later stages, which start from the earlier stage's video.
        low_noise: largest deviation of the noise on the earlier stage's latents; it makes up for the faults of
            generated ones. A refiner is told how much there is.
        chunk: consecutive frames of each clip that a refiner is shown; None for all.
        cells: side of the windows, in latent cells, that it is shown of what the data give; None for all of it.
        noise_mean, noise_deviation: of the logit of the noise level (Stable Diffusion 3, arXiv 2403.03206).
        shared_noise: see `mov_ai.diffusion.process.mixed_noise`.
        drop_text, drop_graph, drop_layout: how often each is left out, independently.
        drop_all: how often everything is left out together, which guidance needs.
        blur: how often a label's vector is blurred, see `mov_ai.training.label_noise`.
        recognizer_clips: that a recognizer of labels is taught with at the start, see
            `mov_ai.training.label_recognition`; none is where the loss's semantic term is off.
        model: of the denoiser, of whatever design.
        cascade: how the network is to be sampled. Its first stage is trained to begin with noise and sees no earlier
            video; `shared_noise` is the cascade's if that is given. It is exported beside the network.
        start: folder of an exported network of the same config, whose weights training begins with; None for none.
        prompts: sentences that are shown as videos while the network trains, at each sheet.
        experiment: what the card says that the run was.

    Raises:
        UsageError: if a share or a level of noise is none, the stages are not the cascade's, or the codec is missing or
            of another size.
    """

    def __init__(
        self,
        seed: int = 0,
        batch_size: int = 8,
        codec: str = "mov_ai/assets/tiny/codec",
        data: ClipSource | None = None,
        stage_shares: tuple[float, ...] = (0.6, 0.2, 0.2),
        late_start: float = 0.7,
        low_noise: float = 0.3,
        noise_mean: float = 0.4,
        noise_deviation: float = 1.2,
        shared_noise: float = 0.5,
        drop_text: float = 0.3,
        drop_graph: float = 0.05,
        drop_layout: float = 0.05,
        drop_all: float = 0.1,
        chunk: int | None = None,
        cells: int | None = None,
        blur: float = 0.5,
        recognizer_clips: int = 384,
        loss: LossWeights | None = None,
        model: AnyConfig | None = None,
        cascade: CascadeConfig | None = None,
        start: str | None = None,
        prompts: Sequence[str] = (),
        experiment: str = "tiny/denoiser",
    ) -> None:
        shares = {
            **{"drop_text": drop_text, "drop_graph": drop_graph, "drop_layout": drop_layout, "drop_all": drop_all},
            **{"blur": blur, "late_start": late_start, "low_noise": low_noise, "shared_noise": shared_noise},
        }
        for name, value in shares.items():
            if not 0 <= value <= 1:
                raise UsageError(f"objective.{name}: expected a number from 0 to 1; found {value}")
        if recognizer_clips < 1:
            raise UsageError(
                f"objective.recognizer_clips: expected 1 or more; found {recognizer_clips}; loss.semantic=0 needs none"
            )
        self.seed, self.batch_size = seed, batch_size
        self.stage_shares, self.late_start, self.low_noise = tuple(stage_shares), late_start, low_noise
        self.cascade, self.experiment, self.prompts = cascade, experiment, list(prompts)
        self._prompt_conditions: list[Conditioning] | None = None
        self.data = data or TabletopClips()
        self.shared_noise = shared_noise if cascade is None else cascade.shared_noise
        self._first = 0 if cascade is None else cascade.first_stage
        model = model or DenoiserConfig()
        self._stages: tuple[int, ...] = getattr(model, "stages", STAGES)
        frames = int(getattr(model, "frames", VideoShape().frames))
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
        self.drop_all, self.chunk, self.cells = drop_all, chunk, cells
        self.blur, self.noise_mean, self.noise_deviation = blur, noise_mean, noise_deviation
        self.weights, self.recognizer_clips = loss or LossWeights(), recognizer_clips
        self._recognizer: LabelRecognizer | None = None
        self._labels = load_label_encoder(model.labels)
        # Read when it is first needed: a test of configurations has no encoder's files.
        self._text_name = text_encoder_of(model)
        self._text: PretrainedText | None = None
        self._text_features: dict[str, Tensor] = {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._module = channels_last(build_denoiser(model) if start is None else _started(start, model))
        try:
            self._codec = load_codec(codec).requires_grad_(False)
        except UsageError as error:
            raise UsageError(
                f"objective.codec: no trained codec there; run experiment=tiny/codec first or name another ({error})"
            ) from None
        own_channels, codec_channels = self._module.config.latent_channels, self._codec.config.latent_channels
        if own_channels != codec_channels:
            raise UsageError(
                f"denoiser: latent_channels: expected the codec's {codec_channels} ({codec}), got {own_channels}; "
                "give a codec of this size as objective.codec"
            )
        self._perceptual = self.weights.perceptual > 0 and isinstance(self._codec, VideoCodec)
        if self.weights.perceptual and not self._perceptual:
            log.warning("%s has no features for it: the loss's perceptual term is off", type(self._codec).__name__)
        self.data.bind(codec, self._codec, self._stages, frames, seed)

    def prepare_share(self, device: torch.device, progress: Progress, process: int, processes: int) -> None:
        self._read_text_encoder()
        self.data.prepare_share(progress, process, processes)

    def prepare(self, device: torch.device, progress: Progress) -> None:
        # Before hours of encoding clips: it may not be on this machine.
        self._read_text_encoder()
        self.data.prepare(progress)
        if not self.data.has_boxes and (self.weights.semantic or self.weights.objects):
            log.warning("the clips have no boxes: the loss's semantic term and its weight of objects are off")
        elif self.weights.semantic:
            self._recognizer = self._teach_recognizer().to(device)
        self._codec.to(device)

    def _teach_recognizer(self) -> LabelRecognizer:
        """What the semantic term asks; the same at every start."""
        samples = []
        for number in range(-(-self.recognizer_clips // self.batch_size)):
            drawn, _, rng = self._drawn(_RECOGNIZER_STEPS + number)
            conditioning = self._condition(drawn, text=False)
            if self._module.refines:
                drawn, conditioning = self._cut(drawn, conditioning, rng)
            samples.append(shown_and_asked(drawn.latents, conditioning, drawn.window))
        recognizer = taught_recognizer(samples, self.seed)
        for stage, share in enumerate(self.stage_shares):
            held_out = self.data.validation(stage, _VALIDATED) if share else None
            if held_out is not None:
                conditioning = self._condition(held_out, text=False)
                shown, asked = shown_and_asked(held_out.latents, conditioning, held_out.window)
                holding, others = recognised(recognizer(shown, asked.label), asked)
                message = "stage %d: of labels in true boxes %.1f %% are recognised, of others %.1f %% denied"
                log.info(message, self._stages[stage], 100 * holding, 100 * others)
        return recognizer

    def module(self) -> AnyDenoiser:
        return self._module

    def batch(self, step: int) -> dict[str, Any]:
        drawn, drops, rng = self._drawn(step)
        # The last batch of an epoch may be smaller.
        named = self._condition(drawn).drop(*drops[:, : len(drawn.latents)])
        conditioning = blurred(named, self.blur, int(rng.integers(1 << 62)))
        if self._module.refines:
            drawn, conditioning = self._cut(drawn, conditioning, rng)
        return self._pack(drawn, conditioning, named)

    def _drawn(self, step: int) -> tuple[LatentSample, Tensor, np.random.Generator]:
        """The samples of a step; whether text, graph and layout of each are left out; what draws all the rest."""
        rng = np.random.default_rng([self.seed, step])
        # One stage a batch: their noise ranges differ.
        stage = int(rng.choice(len(self._stages), p=self.stage_shares))
        drawn = self.data.draw(stage, self.batch_size, step, rng)
        chances = [[self.drop_text], [self.drop_graph], [self.drop_layout]]
        drops = torch.from_numpy(
            (rng.random((3, self.batch_size)) < chances) | (rng.random(self.batch_size) < self.drop_all)
        )
        drawn.graphs = self.data.varied(drawn.graphs, rng)
        return drawn, drops, rng

    def _cut(
        self, drawn: LatentSample, conditioning: Conditioning, rng: np.random.Generator
    ) -> tuple[LatentSample, Conditioning]:
        """So many consecutive frames of the clips, and a window of so many cells of each."""
        frames, height, width = (drawn.latents.shape[axis] for axis in (1, 3, 4))
        count = min(self.chunk or frames, frames)
        high, wide = (min(self.cells or side, side) for side in (height, width))
        first = int(rng.integers(frames - count + 1))
        corners = rng.integers((height - high + 1, width - wide + 1), size=(len(drawn.latents), 2))

        def cut(video: Tensor) -> Tensor:
            parts = [
                one[first : first + count, :, top : top + high, left : left + wide]
                for one, (top, left) in zip(video, corners.tolist(), strict=True)
            ]
            return torch.stack(parts)

        place = torch.from_numpy(corners).flip(1).to(drawn.window) / torch.tensor([width, height])
        share = torch.tensor([wide / width, high / height])
        corner, size = drawn.window.split(2, -1)
        window = torch.cat([corner + place * size, size * share], -1)
        cut_out = replace(drawn, latents=cut(drawn.latents), low=cut(drawn.low), window=window)
        return cut_out, conditioning.cut(first, count)

    def _condition(self, drawn: LatentSample, text: bool = True) -> Conditioning:
        """What samples are conditioned on; without `text` the captions are not read."""
        unread = torch.zeros(1, 1, self._labels.width)
        # A codec may join several frames in a latent frame.
        frames = self._codec.whole_frames(drawn.latents.shape[1])
        items = []
        for graph, layout, features in zip(drawn.graphs, drawn.layouts, drawn.text, strict=True):
            if not text:
                features = unread
            elif features is None or self._text_name is None:
                features = self._features(graph.caption)
            shown = frames if layout is None else layout.frames
            items.append(condition(graph, layout, self._labels, shown, features, self._codec.latent_times(shown)))
        return collate(items)

    def _features(self, caption: str) -> Tensor | None:
        """The pretrained encoder's features of a caption, each encoded once; None if the network uses none."""
        text = self._read_text_encoder()
        if text is None:
            return None
        if caption not in self._text_features:
            self._text_features[caption] = text([caption]).half()
        return self._text_features[caption].float()

    def _read_text_encoder(self) -> PretrainedText | None:
        """The pretrained encoder, read once. Raises UsageError if it cannot be; None if the network uses none."""
        if self._text is None and self._text_name is not None:
            self._text = PretrainedText(self._text_name)
        return self._text

    def _pack(self, drawn: LatentSample, conditioning: Conditioning, named: Conditioning) -> dict[str, Any]:
        """A batch; `named` has the label vectors as they are, `conditioning` perhaps blurred ones."""
        later = (drawn.stage > self._first).view(-1, 1, 1, 1, 1)
        return {
            "latents": drawn.latents,
            "low": drawn.low * later,
            "window": drawn.window,
            "stage": drawn.stage,
            "condition": conditioning.tensors(),
            "named_entity": named.entity,
            "named_attribute": named.attribute,
        }

    def _held_out(self, stage: int, most: int, device: torch.device) -> dict[str, Any] | None:
        """Validation samples with all that they are conditioned on."""
        drawn = self.data.validation(stage, most)
        if drawn is None:
            return None
        conditioning = self._condition(drawn)
        return _moved(self._pack(drawn, conditioning, conditioning), device)

    def loss(
        self, module: torch.nn.Module, batch: dict[str, Any], generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        clean, low, window, stage = (batch[name] for name in ("latents", "low", "window", "stage"))
        condition = Conditioning(**batch["condition"])
        if self._module.refines:
            low, level = self._noised(low, generator)
            scale = torch.full_like(level, _REFINER_SCALE)
            predicted = module(low, level, stage, window, condition).float()
        else:
            noisy, sigma, low = self._on_the_way(clean, low, stage, generator)
            scale = output_scale(sigma).clamp(min=_SCALE_FLOOR)
            predicted = module(noisy, sigma, stage, low, window, condition).float()
        height, width = clean.shape[-2:]
        weight = object_weight(condition.boxes, height, width, window, self.weights.objects)
        terms: dict[str, Tensor] = {"denoise": denoise_loss(predicted, clean, scale, weight)}
        total = terms["denoise"]
        if self.weights.temporal:
            terms["temporal"] = temporal_loss(predicted, clean, weight)
            total = total + self.weights.temporal * terms["temporal"]
        if self.weights.semantic:
            terms["semantic"] = box_loss(predicted, clean, condition, window)
            if self._recognizer is not None:
                # By the labels as they are: those that the network sees may be blurred.
                named = replace(condition, entity=batch["named_entity"], attribute=batch["named_attribute"])
                shown, asked = shown_and_asked(predicted, named, window)
                terms["semantic"] = terms["semantic"] + label_error(self._recognizer(shown, asked.label), asked)
            total = total + self.weights.semantic * terms["semantic"]
        if self._perceptual:
            frames = torch.randperm(clean.shape[1], generator=generator)[:2]
            assert isinstance(self._codec, VideoCodec)
            terms["perceptual"] = perceptual_loss(predicted, clean, self._codec, frames)
            total = total + self.weights.perceptual * terms["perceptual"]
        return total, {name: term.detach() for name, term in terms.items()}

    def _noised(self, low: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A refiner's inputs as sampling has them: the earlier stage's latents with noise, and how much (batch,)."""
        level = torch.rand(len(low), generator=generator).to(low) * self.low_noise
        noise = mixed_noise(tuple(low.shape), self.shared_noise, generator).to(low)
        return low + level.view(-1, 1, 1, 1, 1) * noise, level

    def _on_the_way(
        self, clean: Tensor, low: Tensor, stage: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """A denoiser's inputs: noisy latents, their noise levels (batch,), and the earlier stage's latents.

        Args:
            clean, low: (batch, frames, channels, h, w). stage: (batch,).
        """
        noise = mixed_noise(tuple(clean.shape), self.shared_noise, generator).to(clean)
        logit = torch.randn(len(clean), generator=generator) * self.noise_deviation + self.noise_mean
        sigma = torch.sigmoid(logit).to(clean)
        late = (stage > self._first).to(clean)
        sigma = (sigma * (1 - late * (1 - self.late_start))).clamp(min=0.02)
        blur = torch.rand(len(clean), generator=generator).to(clean) * self.low_noise * late
        low = low + blur.view(-1, 1, 1, 1, 1) * torch.randn(tuple(low.shape), generator=generator).to(low)
        return add_noise(clean, noise, sigma), sigma, low

    def validate(self, module: torch.nn.Module) -> dict[str, float]:
        figures: dict[str, float] = {}
        device = next(module.parameters()).device
        for stage in range(len(self._stages)):
            batch = self._held_out(stage, _VALIDATED, device) if self.stage_shares[stage] else None
            if batch is None:
                continue
            generator = torch.Generator().manual_seed(1)
            _, terms = self.loss(module, batch, generator)
            figures |= {f"{name}_{stage}": float(value) for name, value in terms.items()}
        return figures

    def sample_sheet(self, module: torch.nn.Module) -> PIL.Image.Image | None:
        """Validation clips from noise at the first stage, each above what it should be; None of a refiner."""
        batch = self._held_out(self._first, 6, next(module.parameters()).device)
        # A refiner begins with no noise.
        if batch is None or self._module.refines:
            return None
        clean = batch["latents"]
        sampled = self._sampled(module, Conditioning(**batch["condition"]), clean)
        rows = []
        for video in (sampled, clean):
            pixels = to_bytes(self._codec.decode(video)[:, ::3])
            rows.append(rearrange(pixels, "b f h w c -> b h (f w) c"))
        return PIL.Image.fromarray(rearrange(torch.stack(rows, 1), "b two h w c -> (b two h) w c").cpu().numpy())

    def sample_videos(self, module: torch.nn.Module) -> dict[str, tuple[np.ndarray, float]]:
        """The fixed prompts at the first stage, by number; none of a refiner."""
        shows = self.prompts and not self._module.refines
        batch = self._held_out(self._first, 1, next(module.parameters()).device) if shows else None
        if batch is None:
            return {}
        if self._prompt_conditions is None:
            from mov_ai.parser.parser import SceneGraphParser

            graphs = SceneGraphParser.from_pretrained().parse_batch(self.prompts)
            frames = batch["latents"].shape[1]
            self._prompt_conditions = [
                condition(graph, None, self._labels, frames, self._features(graph.caption)) for graph in graphs
            ]
        videos = {}
        for number, asked in enumerate(self._prompt_conditions):
            latents = self._sampled(module, asked.to(batch["latents"].device), batch["latents"])
            pixels = to_bytes(self._codec.decode(latents))[0]
            videos[f"prompt_{number}"] = (pixels.cpu().numpy(), self.data.trained_on.shape.fps)
        return videos

    def _sampled(self, module: torch.nn.Module, asked: Conditioning, like: Tensor) -> Tensor:
        """Latents of the first stage, of the size of `like`, from noise that is always the same."""
        shape = (len(asked), *like.shape[1:])
        noise = mixed_noise(shape, self.shared_noise, torch.Generator().manual_seed(0)).to(like)
        stage = torch.full((len(asked),), self._first, device=like.device)
        window = torch.tensor([[0.0, 0.0, 1.0, 1.0]], device=like.device).expand(len(asked), -1)
        low = torch.zeros_like(noise)
        return sample(lambda noisy, sigma: module(noisy, sigma, stage, low, window, asked), noise, 8)

    def _coverage(self) -> LabelCoverage:
        """The labels of the clips that are trained on."""
        coverage = LabelCoverage()
        coverage.add(self.data.training_graphs(self._first))
        return coverage

    def export(self, module: torch.nn.Module, directory: Path, card: dict[str, Any]) -> None:
        save_denoiser(module, directory)
        self._coverage().save(directory)
        self.data.trained_on.save(directory)
        if self.cascade is not None:
            # Guidance compares with a network that is told nothing, which has to be one that was trained.
            most = self.cascade.guidance if self.drop_all >= _LEAST_UNCONDITIONAL else 1.0
            write_json(directory / CASCADE_FILE, asdict(replace(self.cascade, guidance=most)))
        config: Any = module.config
        title = "TSAM denoiser" if isinstance(module, TSAMDenoiser) else type(module).__name__
        stages = ", ".join(str(size) for size, share in zip(self._stages, self.stage_shares, strict=True) if share)
        *others, final = sources(config)
        named = f"{', '.join(others)} and {final}" if others else final
        about = _ABOUT.format(stages=stages, sources=named, data=self.data.about)
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


def _started(folder: str, model: AnyConfig) -> AnyDenoiser:
    """An exported network to go on with. Raises UsageError if it is of another config."""
    network = load_denoiser(folder).train()
    check_start(folder, network.config, model)
    return network


def _moved(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    moved = {name: value.to(device) for name, value in batch.items() if isinstance(value, Tensor)}
    return {**moved, "condition": {name: t.to(device) for name, t in batch["condition"].items()}}
