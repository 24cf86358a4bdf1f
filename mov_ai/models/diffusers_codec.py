"""Any autoencoder of diffusers as a codec: factors, channels, scale and shift as its own config has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from safetensors import SafetensorError
from torch import Tensor, nn

from mov_ai.errors import MovAIError, UsageError
from mov_ai.models.codec import AnyCodec, require_multiple
from mov_ai.models.component import CONFIG_FILE
from mov_ai.models.diffusers_files import first_line, load_diffusers_model


@dataclass(frozen=True)
class _Kind:
    """What a class's config does not say.

    Attributes:
        video: whether it takes (b, c, f, h, w) instead of (b, c, h, w).
        counts_frames: whether its decoder must be told how many frames belong together.
    """

    video: bool = False
    counts_frames: bool = False


_IMAGE, _VIDEO = _Kind(), _Kind(video=True)
#: The classes that are loaded, and no other: a checkpoint does not choose what runs.
KINDS = {
    "AutoencoderKL": _IMAGE,
    "AsymmetricAutoencoderKL": _IMAGE,
    "AutoencoderDC": _IMAGE,
    "AutoencoderKLFlux2": _IMAGE,
    "AutoencoderTiny": _IMAGE,
    "AutoencoderKLTemporalDecoder": _Kind(counts_frames=True),
    "AutoencoderKLCogVideoX": _VIDEO,
    "AutoencoderKLCosmos": _VIDEO,
    "AutoencoderKLHunyuanVideo": _VIDEO,
    "AutoencoderKLHunyuanVideo15": _VIDEO,
    "AutoencoderKLLTXVideo": _VIDEO,
    "AutoencoderKLLTX2Video": _VIDEO,
    "AutoencoderKLMagvit": _VIDEO,
    "AutoencoderKLMochi": _VIDEO,
    "AutoencoderKLQwenImage": _VIDEO,
    "AutoencoderKLWan": _VIDEO,
}


@dataclass(frozen=True)
class DiffusersCodecConfig:
    """What an autoencoder's config says.

    Attributes:
        class_name: of diffusers.
        latent_channels: channels of a latent.
        factor, frame_factor: see `AnyCodec`.
        mean, std: latents are standardised with them; one number each, or one a channel.
    """

    class_name: str
    latent_channels: int
    factor: int
    frame_factor: int = 1
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)


def read_config(model: Any) -> DiffusersCodecConfig:
    """From a model of diffusers and its config.

    Standardised latents are (z - shift_factor - latents_mean) * scaling_factor / latents_std, as the pipelines of
    diffusers have them, where what the config leaves out changes nothing.
    """
    config: Mapping[str, Any] = model.config
    channels = int(config.get("latent_channels") or config["z_dim"])
    mean, std = torch.zeros(1), torch.ones(1)
    buffers = dict(model.named_buffers())
    if "bn.running_mean" in buffers:
        # FLUX.2: statistics of squares of 2x2 cells, whose channels stand together.
        mean = buffers["bn.running_mean"].view(channels, -1).mean(1)
        std = (buffers["bn.running_var"].view(channels, -1).mean(1) + config["batch_norm_eps"]).sqrt()
    elif "latents_std" in buffers:
        mean, std = buffers["latents_mean"], buffers["latents_std"]
    elif config.get("latents_std"):
        # One a channel; Cosmos has them for each latent frame too.
        mean, std = (torch.tensor(config[name]).view(channels, -1).mean(1) for name in ("latents_mean", "latents_std"))
    shift, scale = config.get("shift_factor") or 0.0, config.get("scaling_factor") or 1.0
    return DiffusersCodecConfig(
        class_name=type(model).__name__,
        latent_channels=channels,
        factor=_factor(model),
        frame_factor=_frame_factor(model) if KINDS[type(model).__name__].video else 1,
        mean=tuple((shift + mean).tolist()),
        std=tuple((std / scale).tolist()),
    )


def _compression(model: Any, scale: str, ratio: str) -> int | None:
    """What a model says of its compression, under one of two names; None if it says nothing."""
    config: Mapping[str, Any] = model.config
    # What a config leaves to the class is an attribute of the model; its `__getattr__` is the config again.
    value = config.get(scale) or config.get(ratio) or vars(model).get(ratio)
    return int(value) if value else None


def _factor(model: Any) -> int:
    factor = _compression(model, "scale_factor_spatial", "spatial_compression_ratio")
    if factor is not None:
        return factor
    config: Mapping[str, Any] = model.config
    for name in ("block_out_channels", "down_block_out_channels", "encoder_block_out_channels"):
        if name in config:
            return 2 ** (len(config[name]) - 1)
    raise UsageError(f"codec: {type(model).__name__}: its config does not say how many pixels a latent's cell has")


def _frame_factor(model: Any) -> int:
    factor = _compression(model, "scale_factor_temporal", "temporal_compression_ratio")
    # Spelled so in diffusers.
    return int(2 ** sum(model.config.get("temperal_downsample", ()))) if factor is None else factor


class DiffusersCodec(AnyCodec):
    """An autoencoder of diffusers; latents are the means of its distributions, so that encoding has no chance in it.

    A video whose length does not fit a temporal codec is continued with its last frame for as long as needed, and what
    is decoded beyond its length is cut off.

    Args:
        model: of one of the classes in `KINDS`.
    """

    config: DiffusersCodecConfig

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model, self.config = model, read_config(model)
        self.kind = KINDS[self.config.class_name]
        self.factor, self.frame_factor = self.config.factor, self.config.frame_factor
        if "use_slicing" in vars(model):
            # Frame by frame, or video by video: memory does not grow with their number.
            model.enable_slicing()  # type: ignore[operator]

    def encode(self, video: Tensor) -> Tensor:
        require_multiple(video, self.factor)
        frames = video.shape[1]
        latent_frames = self.latent_frames(frames)
        if self.kind.video:
            video = torch.cat(
                [video, video[:, -1:].expand(-1, self.whole_frames(latent_frames) - frames, -1, -1, -1)], 1
            )
        output = self.model.encode(self._to_model(video))  # type: ignore[operator]
        distribution = getattr(output, "latent_dist", None)
        latents = distribution.mode() if distribution is not None else output[0]
        latents = self._from_model(latents, len(video))
        cells = (video.shape[-2] // self.factor, video.shape[-1] // self.factor)
        expected = (len(video), latent_frames, self.config.latent_channels, *cells)
        if latents.shape != expected:
            raise MovAIError(
                f"codec: {self.config.class_name}: its config promises latents of {expected}, found "
                f"{tuple(latents.shape)}: check what {CONFIG_FILE} says of its compression"
            )
        mean, std = self._statistics(latents)
        return ((latents - mean) / std).contiguous()

    def decode(self, latents: Tensor, frames: int | None = None) -> Tensor:
        mean, std = self._statistics(latents)
        raw = self._to_model(latents * std + mean)
        more = {"num_frames": latents.shape[1]} if self.kind.counts_frames else {}
        video = self._from_model(self.model.decode(raw, **more).sample, len(latents))  # type: ignore[operator]
        return video[:, :frames].contiguous()

    def _statistics(self, latents: Tensor) -> list[Tensor]:
        """Mean and deviation in full precision, whatever the weights have: (channels or 1, 1, 1) each."""
        return [torch.tensor(v, device=latents.device).view(-1, 1, 1) for v in (self.config.mean, self.config.std)]

    def _to_model(self, video: Tensor) -> Tensor:
        order = "b f c h w -> b c f h w" if self.kind.video else "b f c h w -> (b f) c h w"
        return rearrange(video, order).to(next(self.model.parameters()).dtype)

    def _from_model(self, video: Tensor, batch: int) -> Tensor:
        order = "b c f h w -> b f c h w" if self.kind.video else "(b f) c h w -> b f c h w"
        return rearrange(video, order, b=batch).float()


def load_diffusers_codec(folder: Path) -> DiffusersCodec:
    """The autoencoder of a folder that `save_pretrained` of diffusers wrote, as float32; nothing is fetched.

    Raises:
        UsageError: if its class is none of `KINDS`, its weights are pickles only, or its config builds no network.
        MovAIError: if its weights are damaged or incomplete.
    """
    return DiffusersCodec(load_diffusers_model(folder, KINDS))


def save_diffusers_codec(codec: DiffusersCodec, folder: Path) -> None:
    """Write what `load_diffusers_codec` reads. Raises MovAIError if it cannot be written."""
    try:
        codec.model.save_pretrained(folder, safe_serialization=True)  # type: ignore[operator]
    except (OSError, SafetensorError) as error:
        raise MovAIError(f"{folder}: cannot be written ({first_line(error)}); choose another place") from None
