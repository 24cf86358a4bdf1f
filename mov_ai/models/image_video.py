"""A denoiser of videos from a frozen image model: only what follows time, graph and layout is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.checked_config import Channels, ChannelsOrNone, Frames, Name, NameOrNone, Positive, Share, Side
from mov_ai.diffusion.process import noise_features
from mov_ai.errors import UsageError
from mov_ai.graph.files import read_json
from mov_ai.labels.encoder import LabelEncoderConfig
from mov_ai.labels.pretrained import PretrainedText
from mov_ai.models.attention import BACKENDS
from mov_ai.models.component import CONFIG_FILE, load_component, save_component
from mov_ai.models.conditioning import Conditioning
from mov_ai.models.denoiser import AnyDenoiser
from mov_ai.models.graph_encoder import GraphEncoder, GraphEncoderConfig, node_bias
from mov_ai.models.image_model import Place, load_image_model
from mov_ai.models.image_video_parts import POSITION_RATE, TEMPORAL, Call, GraphAndLayout, Part, part_over_time
from mov_ai.models.layout_painter import LayoutPainter
from mov_ai.models.lora import FOLDER, LoraSettings, add_adapters, load_adapters, save_adapters


@dataclass(frozen=True)
class ImageVideoConfig:
    """The image model and what is trained around it.

    Attributes:
        image_model: folder of a text-to-image pipeline of diffusers, see `load_image_model`.
        text_encoder: see `DenoiserConfig.text_encoder`; None for the pipeline's own.
        graph, layout: False leaves a source of conditioning, and what would read it, out.
        temporal: what looks over time: "blocks" beside the image model's whole ones, or "layers" between its own, see
            `ImageModel.places_over_time`.
        time_width: channels in which "blocks" read the noise level.
        head_width: channels of a head of the attentions that are trained.
        interval_gating, softness, backend: see `DenoiserConfig`.
        graph_encoder: sizes of the graph encoder.
        labels: the label encoder.
        lora: adapters in the image model.
        stages: the longer side in pixels of the videos; one, for an image model sees no smaller video.
        frames: of the videos that it was trained on.
        fps: their frames a second, where a video's own are not known.
        digest, latent_channels, side_multiple, null_tokens: of the image model and of the empty caption's features;
            found out when the network is first built.
    """

    image_model: NameOrNone = ""
    text_encoder: Name | None = None
    graph: bool = True
    layout: bool = True
    temporal: str = "blocks"
    time_width: Channels = 256
    head_width: Channels = 64
    interval_gating: bool = True
    softness: Share = 0.03
    backend: str = "auto"
    graph_encoder: GraphEncoderConfig = field(default_factory=GraphEncoderConfig)
    labels: LabelEncoderConfig = field(default_factory=LabelEncoderConfig)
    lora: LoraSettings = field(default_factory=LoraSettings)
    stages: tuple[Side, ...] = (512,)
    frames: Frames = 16
    fps: Positive = 8.0
    digest: NameOrNone = ""
    latent_channels: ChannelsOrNone = 0
    side_multiple: Side = 1
    null_tokens: ChannelsOrNone = 0

    #: An image model always reads the caption.
    text = True

    def __post_init__(self) -> None:
        # Configuration files and JSON have lists only.
        object.__setattr__(self, "stages", tuple(self.stages))
        if len(self.stages) != 1:
            raise ValueError(f"image_video: stages: expected one size, got {self.stages}")
        if self.temporal not in TEMPORAL:
            raise ValueError(f"image_video: temporal: expected one of {', '.join(TEMPORAL)}, got {self.temporal!r}")
        if self.backend not in BACKENDS:
            raise ValueError(f"image_video: backend: expected one of {', '.join(BACKENDS)}, got {self.backend!r}")

    @property
    def text_source(self) -> str:
        """Where the text encoder is."""
        return self.text_encoder or self.image_model


class ImageVideoDenoiser(AnyDenoiser):
    """Noisy latents, graph, layout and text in; clean latents out.

    The image model works frame by frame, on its own noise levels and latents: the codec is its pipeline's own
    autoencoder, whose standardised latents are those that diffusers scales. Before training, the video is what the
    image model makes of each frame. Its weights are no part of this network's: they are not trained, not counted, and
    a checkpoint names them by folder and digest.

    Raises:
        UsageError: if the image model is not there, is another than at training, or reads other text features.
    """

    config: ImageVideoConfig
    #: Before 2 what looked over time was another.
    SCHEMA = 2

    def __init__(self, config: ImageVideoConfig) -> None:
        super().__init__()
        # Its weights are read whatever device this network is made on.
        with torch.device("cpu"):
            image = load_image_model(config.image_model)
        if config.digest not in ("", image.digest):
            raise UsageError(
                f"image_model: {config.image_model}: another image model than the network was trained around: expected "
                f"files of sha256 {config.digest[:16]}, found {image.digest[:16]}; put that one there"
            )
        null = None
        if not config.digest:
            null = PretrainedText(config.text_source)([""])
            if null.shape[-1] != image.text_width:
                raise UsageError(
                    f"text_encoder: {config.text_source}: expected features of {image.text_width} channels, as the "
                    f"image model reads; found {null.shape[-1]}"
                )
            config = replace(
                config,
                image_model=str(Path(config.image_model).resolve()),
                digest=image.digest,
                latent_channels=image.latent_channels,
                side_multiple=image.side_multiple,
                null_tokens=null.shape[1],
            )
        self.config = config
        self.painter = LayoutPainter(config.labels.width) if config.layout else None
        self.graph = GraphEncoder(config.graph_encoder, config.labels.width) if config.graph else None
        self.null = nn.Parameter(torch.randn(1, 1, config.graph_encoder.dim) * 0.02) if config.graph else None
        self.blocks = nn.ModuleList()
        for place in image.places_over_time(config.temporal):
            sizes = (config.temporal, config.head_width, config.time_width, config.backend)
            self._join(part_over_time(place, *sizes), place)
        if config.graph or config.layout:
            graph_width = config.graph_encoder.dim if config.graph else None
            for place in image.places:
                guided = GraphAndLayout(place.channels, config.head_width, config.backend, config.layout, graph_width)
                self._join(guided, place)
        #: From a noise level to what the blocks over time read; layers read none.
        self.time = _time_embedding(config.time_width) if config.temporal == "blocks" else None
        matrices = add_adapters(image.network, config.lora) if config.lora.rank else {}
        # Names of modules have no dots.
        self.adapters = nn.ModuleDict({name.replace(".", "/"): part for name, part in matrices.items()})
        #: What the image model reads where there is no caption.
        self.null_text: Tensor
        self.register_buffer("null_text", torch.zeros(1, config.null_tokens, image.text_width))
        if null is not None:
            self.null_text.copy_(null)
        self._image = image

    def _join(self, part: Part, place: Place) -> None:
        part.join(place)
        self.blocks.append(part)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Any:
        # The image model is no part of this module, but goes where it goes.
        self._image.network._apply(fn)
        return super()._apply(fn, recurse)

    def forward(
        self,
        noisy: Tensor,
        sigma: Tensor,
        stage: Tensor,
        low: Tensor,
        window: Tensor,
        condition: Conditioning,
    ) -> Tensor:
        """Clean latents, as noisy; see `TSAMDenoiser.forward`. `stage` and `low` are not looked at."""
        frames, patch = noisy.shape[1], self._image.patch
        text, seen = self._text(condition)
        context = bias = painting = None
        if self.graph is not None and self.null is not None:
            context = torch.cat([self.null.expand(len(noisy), -1, -1), self.graph(condition)], 1)
            gating = self.config.softness if self.config.interval_gating else None
            bias = functional.pad(node_bias(condition, frames, gating), (1, 0))
        if self.painter is not None:
            painting = _Painting(self.painter, condition, window)
        cells = None if patch is None else (noisy.shape[-2] // patch, noisy.shape[-1] // patch)
        scaled, timestep, signal = self._image.schedule.scaled(noisy, sigma)
        fps = torch.where(condition.fps > 0, condition.fps, self.config.fps)
        positions = torch.arange(frames, device=noisy.device) * (POSITION_RATE / fps[:, None])
        time = None if self.time is None else self.time(noise_features(sigma))
        call = Call(positions, cells, time, context, bias, painting)
        for block in self.blocks:
            block.call = call  # type: ignore[assignment]
        try:
            each = (tensor.repeat_interleave(frames, 0) for tensor in (timestep, text, seen))
            output = self._image(scaled.flatten(0, 1), *each)
        finally:
            for block in self.blocks:
                block.call = None  # type: ignore[assignment]
        return self._image.schedule.clean(output.unflatten(0, noisy.shape[:2]), scaled, signal)

    def _text(self, c: Conditioning) -> tuple[Tensor, Tensor]:
        """Features (batch, tokens, width), the empty caption's where the text was dropped, and where there is any."""
        features, null = c.text_features, self.null_text
        if features.shape[-1] != null.shape[-1]:
            raise ValueError(
                f"image_video: expected text_features (batch, tokens, {null.shape[-1]}) from "
                f"{self.config.text_source}, got {tuple(features.shape)}"
            )
        tokens = max(features.shape[1], null.shape[1])
        features, null = (functional.pad(x, (0, 0, 0, tokens - x.shape[1])) for x in (features.to(null), null))
        text = torch.where(c.keep_text[:, None, None], features, null)
        return text, (text != 0).any(-1)

    def save(self, directory: str | Path) -> None:
        """Write what was trained; adapters go into a folder of peft's."""
        apart = [name for name in self.state_dict() if name.startswith("adapters.")]
        save_component(self, directory, apart=apart)
        if apart:
            matrices = {name.replace("/", "."): part for name, part in self.adapters.items()}
            save_adapters(matrices, self.config.lora, self.config.image_model, Path(directory) / FOLDER)


def load_image_video(directory: str | Path) -> ImageVideoDenoiser:
    """Read what `ImageVideoDenoiser.save` wrote, with the image model that it names.

    Raises:
        UsageError: if that is not there or is another, and as `load_component`.
    """
    folder = Path(directory)
    apart = {}
    if (folder / FOLDER).is_dir():
        apart = {f"adapters.{name.replace('.', '/')}.weight": t for name, t in load_adapters(folder / FOLDER).items()}
    named = (read_json(folder / CONFIG_FILE).get("config") or {}).get("image_model")
    if not Path(str(named)).is_dir():
        raise UsageError(
            f"{folder / CONFIG_FILE}: image_model: {named}: no such folder; put the image model that the network was "
            "trained around there, or name its folder here"
        )
    return load_component(ImageVideoDenoiser, ImageVideoConfig, folder, apart)


def _time_embedding(width: int) -> nn.Module:
    features = noise_features(torch.ones(1)).shape[-1]
    return nn.Sequential(nn.Linear(features, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())


class _Painting:
    """The layout on grids of several sizes, each painted once."""

    def __init__(self, painter: LayoutPainter, condition: Conditioning, window: Tensor) -> None:
        self._painter, self._condition, self._window = painter, condition, window
        self._painted: dict[tuple[int, int], Tensor] = {}

    def __call__(self, height: int, width: int) -> Tensor:
        if (height, width) not in self._painted:
            painted = self._painter(self._condition, height, width, self._window)
            self._painted[height, width] = rearrange(painted, "b f c h w -> b f (h w) c")
        return self._painted[height, width]
