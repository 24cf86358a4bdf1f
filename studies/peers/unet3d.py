"""diffusers' 3D U-Net as a denoiser of our latents: the classic text-to-video design, conditioned on text alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.diffusion.process import PREDICTIONS, input_scale, to_clean
from mov_ai.labels.encoder import LabelEncoderConfig
from mov_ai.models.conditioning import MAX_WORDS, Conditioning
from mov_ai.models.denoiser import AnyDenoiser
from mov_ai.models.text_encoder import TextProjection

#: diffusers' time embedding is made for steps 0 ... 999.
_TIMESTEPS = 1000


@dataclass(frozen=True)
class UNet3DConfig:
    """Sizes of the U-Net, in diffusers' words, and of the text encoder.

    Attributes:
        latent_channels: channels of the codec's latents.
        channels: of each level, finest first; each level but the last halves height and width.
        layers: residual blocks a level.
        head_dim: diffusers' `attention_head_dim`, by which it means the number of heads.
        groups: of the group normalisations; must divide all channels.
        text_dim, text_layers, text_heads: of the attention among words. labels: what gives words their vectors.
        prediction: see `mov_ai.diffusion.process.to_clean`.
    """

    latent_channels: int = 8
    channels: tuple[int, ...] = (32, 64, 96)
    layers: int = 1
    head_dim: int = 4
    groups: int = 8
    text_dim: int = 128
    text_layers: int = 2
    text_heads: int = 8
    labels: LabelEncoderConfig = field(default_factory=LabelEncoderConfig)
    prediction: str = "preconditioned"

    @property
    def side_multiple(self) -> int:
        """Both sides of the latents must be multiples of this."""
        return 2 ** (len(self.channels) - 1)

    def __post_init__(self) -> None:
        # Configuration files and JSON have lists only.
        object.__setattr__(self, "channels", tuple(self.channels))
        if any(width % self.groups or width % self.head_dim for width in self.channels):
            raise ValueError(
                f"unet3d: channels must be multiples of groups {self.groups} and heads {self.head_dim}, "
                f"got {self.channels}"
            )
        if self.prediction not in PREDICTIONS:
            raise ValueError(f"unet3d: prediction: expected one of {', '.join(PREDICTIONS)}, got {self.prediction!r}")


class UNet3DDenoiser(AnyDenoiser):
    """Noisy latents and text in; clean latents out.

    The network is diffusers' `UNet3DConditionModel` (ModelScope's text-to-video, arXiv 2308.06571): residual blocks,
    convolutions over time, attention over space with cross-attention to the text, attention over time. Attention at all
    levels but the deepest of the way down and up, which has convolutions only, as there. Graph, layout, the earlier
    stage's video, stage and window are not looked at: it works at one size.
    """

    config: UNet3DConfig

    def __init__(self, config: UNet3DConfig) -> None:
        super().__init__()
        # Only studies need it, and it takes a second to import.
        from diffusers import UNet3DConditionModel
        from diffusers.models.attention_processor import AttnProcessor

        self.config = config
        deeper = len(config.channels) - 1
        unet: Any = UNet3DConditionModel(
            in_channels=config.latent_channels,
            out_channels=config.latent_channels,
            down_block_types=("CrossAttnDownBlock3D",) * deeper + ("DownBlock3D",),
            up_block_types=("UpBlock3D",) + ("CrossAttnUpBlock3D",) * deeper,
            block_out_channels=config.channels,
            layers_per_block=config.layers,
            norm_num_groups=config.groups,
            cross_attention_dim=config.text_dim,
            attention_head_dim=config.head_dim,
        )
        # Plain matrix products: the CPU's fused attention, diffusers' default, makes a training step twice as long.
        unet.set_attn_processor(AttnProcessor())
        self.unet: nn.Module = unet
        self.text = TextProjection(config.labels.width, config.text_dim, config.text_layers, config.text_heads)
        self.null = nn.Parameter(torch.randn(config.text_dim) * 0.02)
        for module in self.text.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)

    def forward(
        self,
        noisy: Tensor,
        sigma: Tensor,
        stage: Tensor,
        low: Tensor,
        window: Tensor,
        condition: Conditioning,
    ) -> Tensor:
        """Clean latents.

        Args:
            noisy: (batch, frames, channels, h, w) latents at noise level sigma.
            sigma: (batch,) in (0, 1].
            stage, low, window: not looked at.
            condition: of which the words are read, unless `keep_text` says otherwise.

        Returns:
            (batch, frames, channels, h, w).
        """
        scaled = (noisy * input_scale(sigma).view(-1, 1, 1, 1, 1)).transpose(1, 2)
        output = self.unet(scaled, sigma * _TIMESTEPS, self._context(condition)).sample.transpose(1, 2)
        return to_clean(output, noisy, sigma, self.config.prediction)

    def _context(self, c: Conditioning) -> Tensor:
        """Text tokens, (batch, MAX_WORDS, text_dim).

        diffusers' blocks take no mask, so what is absent is a learned token, as CLIP's padding is in such models; and
        the length is always the same, so that a video does not depend on what else is in its batch.
        """
        tokens, missing = self.text(functional.pad(c.text_features, (0, 0, 0, MAX_WORDS - c.text_features.shape[1])))
        has_token = ~missing & c.keep_text[:, None]
        return torch.where(has_token[..., None], tokens, self.null.to(self.null.dtype))
