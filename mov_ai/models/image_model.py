"""A text-to-image model of diffusers, frozen: its network, its places for more layers, its schedule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mov_ai.errors import UsageError
from mov_ai.graph.files import read_json, sha256_of
from mov_ai.models.component import CONFIG_FILE
from mov_ai.models.diffusers_files import WEIGHTS_FILE, load_diffusers_model
from mov_ai.models.image_schedule import SCHEDULER_FILE, ImageSchedule, load_schedule

_UNET, _PIXART = "UNet2DConditionModel", "PixArtTransformer2DModel"
#: Class -> where a pipeline has it; PixArt's older files call it a Transformer2DModel.
CLASSES = {
    _UNET: "unet",
    _PIXART: "transformer",
    "Transformer2DModel": "transformer",
}
#: Parts of a U-Net whose layers are known.
_BLOCKS = ("CrossAttnDownBlock2D", "DownBlock2D", "CrossAttnUpBlock2D", "UpBlock2D", "UNetMidBlock2DCrossAttn")
#: What else a U-Net may ask for, which a caption does not say.
_MORE_INPUTS = ("addition_embed_type", "class_embed_type", "num_class_embeds", "encoder_hid_dim_type")
#: Pixels a cell of the autoencoders that PixArt was trained with.
_PIXELS = 8


@dataclass(frozen=True)
class Place:
    """Where layers can follow: after `module`, whose output has so many channels; or before it, of its input.

    Attributes:
        kind: what the module is: a 3x3 "convolution", a "residual" block, an "attention" over space.
    """

    module: nn.Module
    channels: int
    kind: str = "attention"
    before: bool = False


class ImageModel:
    """A network of diffusers with what its config says; no `nn.Module`, so that it is nobody's weights.

    Args:
        network: of one of `CLASSES`, on the device it is loaded to.
        schedule: that it was trained with.
        digest: of its files.

    Attributes:
        latent_channels: of its latents.
        text_width: channels of the text features that it reads.
        side_multiple: both sides of its latents are multiples of this.
        patch: latent cells along each side of a token; None where layers see cells.
        places: where layers over time can follow, in the order in which the network runs.

    Raises:
        UsageError: if it asks for more than a caption.
    """

    def __init__(self, network: Any, schedule: ImageSchedule, digest: str, name: str) -> None:
        self.network, self.schedule, self.digest = network.requires_grad_(False), schedule, digest
        config = network.config
        self.latent_channels = int(config.in_channels)
        out_channels = int(config.out_channels or config.in_channels)
        pixart = type(network).__name__ == _PIXART
        if out_channels not in (self.latent_channels, 2 * self.latent_channels if pixart else self.latent_channels):
            raise UsageError(
                f"{name}: expected a model from noise and a text; found one of {self.latent_channels} channels in and "
                f"{out_channels} out, which is shown more (as for inpainting)"
            )
        self.patch: int | None = None
        if pixart:
            self.patch = self.side_multiple = int(config.patch_size)
            width = config.caption_channels or config.cross_attention_dim
            channels = config.num_attention_heads * config.attention_head_dim
            self.places = [Place(block, channels) for block in network.transformer_blocks]
        else:
            asked = [entry for entry in _MORE_INPUTS if config.get(entry) not in (None, "text_proj")]
            if asked:
                raise UsageError(
                    f"{name}: {asked[0]}: {config[asked[0]]!r}: expected a model conditioned on one text encoder's "
                    "features, and nothing else (Stable Diffusion 1 and 2, PixArt)"
                )
            width = config.encoder_hid_dim or config.cross_attention_dim
            width = width if isinstance(width, int) else width[0]
            self.side_multiple = 2**network.num_upsamplers
            self.places = list(_unet_places([*network.down_blocks, network.mid_block, *network.up_blocks], name))
        self.text_width = int(width)

    def places_over_time(self, temporal: str) -> list[Place]:
        """Where FusionFrames (arXiv 2311.13073) has what looks over time, in the order in which the network runs.

        Args:
            temporal: "layers": after each 3x3 convolution of a residual block, and inside each attention over space,
                after each of its transformer's blocks; or "blocks": after each residual block and each attention on the
                way down and in the middle, before it on the way up. A transformer is one way down, without 3x3s.
        """
        network = self.network
        if self.patch is not None:
            kinds = ("attention",) if temporal == "layers" else ("residual", "attention")
            return [Place(place.module, place.channels, kind) for place in self.places for kind in kinds]
        ways = ((network.down_blocks, False), ([network.mid_block], False), (network.up_blocks, True))
        found = _layers_over_time if temporal == "layers" else _blocks_over_time
        return [
            place for blocks, up in ways for block in blocks for part in _in_order(block) for place in found(part, up)
        ]

    def __call__(self, latents: Tensor, timestep: Tensor, text: Tensor, seen: Tensor) -> Tensor:
        """What the network predicts of single frames, (n, latent_channels, h, w), in float32.

        Args:
            latents: (n, latent_channels, h, w). timestep: (n,).
            text: (n, tokens, text_width). seen: (n, tokens) bool, False where there is no token.
        """
        more = {}
        if self.patch is not None:
            height, width = (_PIXELS * side for side in latents.shape[-2:])
            size = torch.tensor([[height, width]], device=latents.device, dtype=latents.dtype)
            # Read by the models of 1024 pixels only.
            more["added_cond_kwargs"] = {
                "resolution": size.repeat(len(latents), 1),
                "aspect_ratio": (size[:, :1] / size[:, 1:]).repeat(len(latents), 1),
            }
        output = self.network(
            latents,
            timestep=timestep,
            encoder_hidden_states=text,
            encoder_attention_mask=seen.to(latents.dtype),
            return_dict=False,
            **more,
        )[0]
        # PixArt predicts a variance too.
        return output[:, : self.latent_channels].float()


def _unet_places(blocks: Iterable[Any], name: str) -> Iterable[Place]:
    """After each attention, or each residual block where there is no attention."""
    for block in blocks:
        kind = type(block).__name__
        if kind not in _BLOCKS:
            raise UsageError(f"{name}: expected blocks of the kinds {', '.join(_BLOCKS)}; found {kind}")
        if attentions := getattr(block, "attentions", None):
            yield from (Place(attention, attention.in_channels) for attention in attentions)
        else:
            yield from (Place(resnet, resnet.out_channels) for resnet in block.resnets)


def _in_order(block: Any) -> list[Any]:
    """Residual blocks and attentions of a part of a U-Net, as it runs them."""
    residuals, attentions = list(block.resnets), list(getattr(block, "attentions", None) or [])
    # In the middle the first residual block has no attention before it.
    first = residuals[: len(residuals) - len(attentions)] if len(residuals) > len(attentions) and attentions else []
    rest = residuals[len(first) :]
    if not attentions:
        return rest
    pairs = zip(attentions, rest, strict=True) if first else zip(rest, attentions, strict=True)
    return [*first, *(part for pair in pairs for part in pair)]


def _layers_over_time(part: Any, up: bool) -> list[Place]:
    if hasattr(part, "transformer_blocks"):
        return [Place(block, part.inner_dim) for block in part.transformer_blocks]
    return [Place(convolution, part.out_channels, "convolution") for convolution in (part.conv1, part.conv2)]


def _blocks_over_time(part: Any, up: bool) -> list[Place]:
    if hasattr(part, "transformer_blocks"):
        return [Place(part, part.in_channels, "attention", up)]
    return [Place(part, part.in_channels if up else part.out_channels, "residual", up)]


def load_image_model(folder: str | Path) -> ImageModel:
    """The image model of a pipeline's folder of diffusers; nothing is fetched.

    Raises:
        UsageError: if there is no such folder or no such model in it, or it asks for more than a caption.
        MovAIError: if its weights are damaged.
    """
    root = Path(folder)
    if not str(folder) or not root.is_dir():
        raise UsageError(
            f"image_model: {str(folder)!r}: no such folder; expected a text-to-image pipeline of diffusers, with its "
            "unet or transformer, scheduler, text_encoder, tokenizer and vae"
        )
    inside = [root / name for name in dict.fromkeys(CLASSES.values()) if (root / name / CONFIG_FILE).is_file()]
    if not inside:
        raise UsageError(f"image_model: {root}: expected a folder unet or transformer in it, with its {CONFIG_FILE}")
    part = inside[0]
    schedule = load_schedule(root / "scheduler")
    network = load_diffusers_model(part, CLASSES)
    if type(network).__name__ not in (_UNET, _PIXART):
        norm = read_json(part / CONFIG_FILE).get("norm_type")
        raise UsageError(
            f"{part / CONFIG_FILE}: norm_type: expected 'ada_norm_single', as PixArt has it; found {norm!r}"
        )
    weights = [part / WEIGHTS_FILE] if (part / WEIGHTS_FILE).is_file() else sorted(part.glob("*.safetensors"))
    digest = sha256_of([part / CONFIG_FILE, root / "scheduler" / SCHEDULER_FILE, *weights])
    return ImageModel(network, schedule, digest, str(part))
