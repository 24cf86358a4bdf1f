"""Video decoders made of an image decoder: the options of FusionFrames' Table 3 (arXiv 2311.13073) as one network.

The image decoder is diffusers' own, with MoVQ's spatial norms or with group norms. `TemporalParts` says what looks over
time in it and where; everything that is added changes nothing at first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from diffusers.models.autoencoders.vae import Decoder
from diffusers.models.resnet import ResnetBlock2D, ResnetBlockCondNorm2D
from einops import rearrange
from torch import Tensor, nn

from mov_ai.checked_config import Channels, Layers, Side
from mov_ai.errors import UsageError
from mov_ai.models.codec import AnyCodec
from mov_ai.models.diffusers_codec import DiffusersCodec
from mov_ai.models.temporal_blocks import (
    GROUPS,
    DecodedVideo,
    InflatedConvolution,
    Kernel,
    TemporalAttention,
    TemporalConvolution,
    TemporalResidualBlock,
    inflated,
)

KINDS = ("none", "convolution", "resnet", "inflated")
NORMS = ("spatial", "group")


@dataclass(frozen=True)
class TemporalParts:
    """What looks over time.

    Attributes:
        kind: "none"; "convolution", one after each of the two of a ResNet block; "resnet", a temporal ResNet block
            after each ResNet block; "inflated", the ResNet blocks' own 3x3 convolutions become 3x3x3 ones.
        kernel: frames, height and width of the convolutions that are added, odd numbers; "inflated" has no choice.
        attention: over time, after every attention over space.
    """

    kind: str = "none"
    kernel: tuple[Side, Side, Side] = (3, 1, 1)
    attention: bool = False

    def __post_init__(self) -> None:
        # Configuration files and JSON have lists only.
        object.__setattr__(self, "kernel", tuple(self.kernel))
        if self.kind not in KINDS:
            raise ValueError(f"temporal decoder: kind: expected one of {', '.join(KINDS)}, got {self.kind!r}")
        if len(self.kernel) != 3 or any(side % 2 == 0 for side in self.kernel):
            raise ValueError(f"temporal decoder: kernel: expected three odd numbers, got {self.kernel}")

    @property
    def any(self) -> bool:
        """Whether anything looks over time."""
        return self.kind != "none" or self.attention


@dataclass(frozen=True)
class TemporalDecoderConfig:
    """Sizes of the decoder; as they stand here, those of FusionFrames' Table 3.

    Attributes:
        latent_channels: channels of a latent.
        widths: channels at each level, the finest first; each level but the first is half as large as the one before.
            Multiples of 32, the groups of a norm.
        layers: ResNet blocks at each level.
        norm: "spatial" as MoVQ's decoder, whose norms read the latents, or "group" as Stable Diffusion's.
        lowest_attention: attention over space at the lowest level too, and not in the middle only; MoVQ's has it.
        parts: what looks over time.
    """

    latent_channels: Channels = 4
    widths: tuple[Channels, ...] = (256, 512, 512, 1024)
    layers: Layers = 3
    norm: str = "spatial"
    lowest_attention: bool = True
    parts: TemporalParts = field(default_factory=TemporalParts)

    def __post_init__(self) -> None:
        # Configuration files and JSON have lists only.
        object.__setattr__(self, "widths", tuple(self.widths))
        if not self.widths or any(width % GROUPS for width in self.widths):
            raise ValueError(f"temporal decoder: widths: expected multiples of {GROUPS}, got {self.widths}")
        if self.norm not in NORMS:
            raise ValueError(f"temporal decoder: norm: expected one of {', '.join(NORMS)}, got {self.norm!r}")

    @property
    def factor(self) -> int:
        """Pixels along each side of a latent's cell."""
        return int(2 ** (len(self.widths) - 1))


class TemporalDecoder(nn.Module):
    """Latents to frames.

    Attributes:
        image: the image decoder, whose weights have the names that diffusers gives them.
        temporal: what was added to it; empty for "none" and for "inflated" without attention.
    """

    config: TemporalDecoderConfig

    def __init__(self, config: TemporalDecoderConfig) -> None:
        super().__init__()
        self.config, parts = config, config.parts
        spatial = config.norm == "spatial"
        #: A convolution of single cells before the decoder, as autoencoders of diffusers have it.
        self.enter = nn.Conv2d(config.latent_channels, config.latent_channels, 1)
        self.image = Decoder(
            in_channels=config.latent_channels,
            out_channels=3,
            up_block_types=(
                "AttnUpDecoderBlock2D" if config.lowest_attention else "UpDecoderBlock2D",
                *["UpDecoderBlock2D"] * (len(config.widths) - 1),
            ),
            block_out_channels=config.widths,
            layers_per_block=config.layers - 1,
            norm_num_groups=GROUPS,
            norm_type=config.norm,
        )
        self.temporal = nn.ModuleList()
        self._video = DecodedVideo()
        latents = config.latent_channels if spatial else None
        for block in _resnets(self.image):
            self._add_to_resnet(block, parts.kind, parts.kernel, latents)
        if parts.attention:
            for attention in _attentions(self.image):
                self._follow(attention, TemporalAttention(attention.query_dim, latents))

    def _add_to_resnet(self, block: Any, kind: str, kernel: Kernel, latents: int | None) -> None:
        channels = block.conv2.out_channels
        if kind == "convolution":
            for convolution in (block.conv1, block.conv2):
                self._follow(convolution, TemporalConvolution(channels, kernel))
        elif kind == "resnet":
            self._follow(block, TemporalResidualBlock(channels, kernel, latents))
        elif kind == "inflated":
            block.conv1, block.conv2 = (InflatedConvolution(c, self._video) for c in (block.conv1, block.conv2))

    def _follow(self, module: nn.Module, part: nn.Module) -> None:
        """Have what a module gives go through a part."""
        self.temporal.append(part)
        module.register_forward_hook(_Following(part, self._video))

    def forward(self, latents: Tensor) -> Tensor:
        """Decode.

        Args:
            latents: (batch, frames, channels, h, w).

        Returns:
            (batch, frames, 3, height, width), about [-1, 1], not clamped.
        """
        frames = latents.shape[1]
        flat = rearrange(latents, "b f c h w -> (b f) c h w").to(self.enter.weight.dtype)
        flat = flat.contiguous(memory_format=torch.channels_last)
        read = flat if self.config.norm == "spatial" else None
        self._video.frames, self._video.latents = frames, read
        try:
            video = self.image(self.enter(flat), read)
        finally:
            self._video.latents = None
        return rearrange(video, "(b f) c h w -> b f c h w", f=frames)

    def freeze_image(self) -> None:
        """Train only what was added ("temporal tuned").

        Raises:
            UsageError: if nothing was.
        """
        if not len(self.temporal):
            raise UsageError(
                f"temporal decoder: {self.config.parts.kind}: adds nothing beside the image decoder that could be "
                "trained by itself; train the whole decoder (tuned: decoder)"
            )
        for part in (self.enter, self.image):
            part.requires_grad_(False)

    def start_from(self, other: TemporalDecoder) -> None:
        """Take the weights of a decoder that looks at single frames; what is added stays as it is.

        Raises:
            UsageError: if it is none, or has other sizes.
        """
        wanted = replace(self.config, parts=TemporalParts())
        if other.config != wanted:
            raise UsageError(f"start: expected an image decoder of {wanted}; found {other.config}")
        own, given = self.state_dict(), other.state_dict()
        with torch.no_grad():
            for name, tensor in given.items():
                own[name].copy_(tensor if own[name].ndim == tensor.ndim else inflated(tensor))


def decoder_of(codec: AnyCodec) -> TemporalDecoder:
    """The decoder of an image autoencoder of diffusers, as one that temporal parts can be added to.

    It decodes the codec's standardised latents: their mean and deviation are in its first convolution.

    Raises:
        UsageError: if the codec is no AutoencoderKL, or its decoder has another form than Stable Diffusion's.
    """
    model = codec.model if isinstance(codec, DiffusersCodec) else None
    if type(model).__name__ != "AutoencoderKL":
        kind = type(codec).__name__ if model is None else type(model).__name__
        raise UsageError(f"start: own: expected a codec that is an AutoencoderKL of diffusers; found {kind}")
    its: Any = model.config  # type: ignore[union-attr]
    plain = all(kind == "UpDecoderBlock2D" for kind in its.up_block_types)
    if not plain or not its.mid_block_add_attention or its.norm_num_groups != GROUPS:
        raise UsageError(
            f"start: own: expected a decoder as Stable Diffusion's, with attention in the middle and norms of {GROUPS} "
            f"groups; found {', '.join(its.up_block_types)}, norms of {its.norm_num_groups} groups"
        )
    sizes = (its.latent_channels, tuple(its.block_out_channels), its.layers_per_block + 1)
    decoder = TemporalDecoder(TemporalDecoderConfig(*sizes, norm="group", lowest_attention=False))
    decoder.image.load_state_dict(model.decoder.state_dict())  # type: ignore[union-attr]
    own: Any = model.post_quant_conv  # type: ignore[union-attr]
    if own is None:
        nn.init.dirac_(decoder.enter.weight)
        nn.init.zeros_(decoder.enter.bias)  # type: ignore[arg-type]
    else:
        decoder.enter.load_state_dict(own.state_dict())
    config: Any = codec.config
    mean, std = (torch.tensor(value).expand(its.latent_channels) for value in (config.mean, config.std))
    with torch.no_grad():
        decoder.enter.bias += decoder.enter.weight.flatten(1) @ mean  # type: ignore[operator]
        decoder.enter.weight *= std.view(1, -1, 1, 1)
    return decoder


class _Following:
    """A hook: what a module gives goes through a part."""

    def __init__(self, part: nn.Module, video: DecodedVideo) -> None:
        self.part, self.video = part, video

    def __call__(self, module: nn.Module, inputs: Any, output: Tensor) -> Any:
        return self.part(output, self.video)


def _resnets(image: Decoder) -> Iterator[Any]:
    """The ResNet blocks of an image decoder, as it runs them."""
    for block in (image.mid_block, *image.up_blocks):
        assert isinstance(block, nn.Module)
        yield from (part for part in block.modules() if isinstance(part, (ResnetBlock2D, ResnetBlockCondNorm2D)))


def _attentions(image: Decoder) -> Iterator[Any]:
    """Its attentions over space."""
    for block in (image.mid_block, *image.up_blocks):
        yield from getattr(block, "attentions", [])
