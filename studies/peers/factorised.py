"""A plain factorised video transformer: blocks over space and blocks over time in turn, conditioned on text alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.diffusion.process import PREDICTIONS, input_scale, noise_features, to_clean
from mov_ai.labels.encoder import LabelEncoderConfig
from mov_ai.models.attention import CrossAttention, SelfAttention, rotary
from mov_ai.models.conditioning import Conditioning
from mov_ai.models.denoiser import AnyDenoiser, start_near_identity
from mov_ai.models.text_encoder import ABSENT, TextProjection


@dataclass(frozen=True)
class FactorisedConfig:
    """Sizes of the factorised transformer.

    Attributes:
        latent_channels: channels of the codec's latents.
        dim, heads, mlp_ratio: of the transformer.
        depth: pairs of one block over space and one over time.
        patch: latent cells along each side of a token.
        text_layers: layers of attention among the words. labels: what gives words their vectors.
        prediction: see `mov_ai.diffusion.process.to_clean`.
        backend: see `mov_ai.models.attention.choose_backend`.
    """

    latent_channels: int = 8
    dim: int = 128
    heads: int = 8
    depth: int = 4
    mlp_ratio: float = 4.0
    patch: int = 2
    text_layers: int = 2
    labels: LabelEncoderConfig = field(default_factory=LabelEncoderConfig)
    prediction: str = "preconditioned"
    backend: str = "auto"

    @property
    def side_multiple(self) -> int:
        """Both sides of the latents must be multiples of this."""
        return self.patch

    def __post_init__(self) -> None:
        if self.dim % self.heads or (self.dim // self.heads) % 4:
            raise ValueError(
                f"factorised: dim / heads must be a multiple of 4 for rotary positions, got {self.dim} / {self.heads}"
            )
        if self.prediction not in PREDICTIONS:
            raise ValueError(
                f"factorised: prediction: expected one of {', '.join(PREDICTIONS)}, got {self.prediction!r}"
            )


class _Block(nn.Module):
    """Self-attention along one axis, cross-attention to the text where asked for, and an MLP; adaptive normalisation.

    The modulation is one shared projection plus a learned table for each block (PixArt-alpha, arXiv 2310.00426).
    """

    MODULATIONS = 6

    def __init__(self, config: FactorisedConfig, over_space: bool) -> None:
        super().__init__()
        dim, hidden = config.dim, int(config.dim * config.mlp_ratio)
        self.width, self.over_space = dim // config.heads, over_space
        self.attention = SelfAttention(dim, config.heads, config.backend)
        # As in Latte, the blocks over space read the text; those over time carry on what they made of it.
        self.cross = CrossAttention(dim, config.heads, config.backend) if over_space else None
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(approximate="tanh"), nn.Linear(hidden, dim))
        self.norms = nn.ModuleList(nn.LayerNorm(dim, eps=1e-6, elementwise_affine=False) for _ in range(3))
        self.table = nn.Parameter(torch.zeros(self.MODULATIONS, dim))

    def forward(self, x: Tensor, vector: Tensor, context: Tensor, bias: Tensor) -> Tensor:
        """One block.

        Args:
            x: (batch, frames, height, width, dim).
            vector: (batch, 6, dim), the shared modulation.
            context: (batch, m, dim), text tokens.
            bias: (batch, frames, m).
        """
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = (vector + self.table)[:, :, None, None, None].unbind(1)
        x = x + gate_a * self._mix(self.norms[0](x) * (1 + scale_a) + shift_a)
        if self.cross is not None:
            mixed = self.cross(rearrange(self.norms[1](x), "b f h w d -> b f (h w) d"), context, bias)
            x = x + rearrange(mixed, "b f (h w) d -> b f h w d", h=x.shape[2])
        return x + gate_m * self.mlp(self.norms[2](x) * (1 + scale_m) + shift_m)

    def _mix(self, x: Tensor) -> Tensor:
        batch, frames, height, width, _ = x.shape
        if self.over_space:
            rows, columns = (torch.arange(n, device=x.device) for n in (height, width))
            places = torch.cartesian_prod(rows, columns).view(-1, 2)
            lines = self.attention(rearrange(x, "b f h w d -> (b f) (h w) d"), rotary(places, self.width))
            return rearrange(lines, "(b f) (h w) d -> b f h w d", b=batch, h=height)
        places = torch.arange(frames, device=x.device)[:, None]
        lines = self.attention(rearrange(x, "b f h w d -> (b h w) f d"), rotary(places, self.width))
        return rearrange(lines, "(b h w) f d -> b f h w d", b=batch, h=height)


class FactorisedDenoiser(AnyDenoiser):
    """Noisy latents and text in; clean latents out.

    The design of Latte (arXiv 2401.03048, variant 1): patches of single frames with sine and cosine positions, blocks
    over space and over time in turn, text by cross-attention. Graph, layout, the earlier stage's video, stage and
    window are not looked at: it works at one size.
    """

    config: FactorisedConfig

    def __init__(self, config: FactorisedConfig) -> None:
        super().__init__()
        self.config = config
        dim, cells = config.dim, config.latent_channels * config.patch**2
        self.embed = nn.Linear(cells, dim)
        self.blocks = nn.ModuleList(_Block(config, over_space=i % 2 == 0) for i in range(2 * config.depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6, elementwise_affine=False)
        self.final = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, cells)
        self.text = TextProjection(config.labels.width, dim, config.text_layers, config.heads)
        self.null = nn.Parameter(torch.randn(1, 1, dim) * 0.02)
        self.noise = nn.Sequential(nn.Linear(128, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(dim, _Block.MODULATIONS * dim))
        self._initialise()

    def _initialise(self) -> None:
        start_near_identity(self.modulation, self.blocks, self.final)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)
        for module in self.modules():
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

        Raises:
            ValueError: if h or w is not a multiple of the patch.
        """
        batch, frames, _, height, width = noisy.shape
        patch = self.config.patch
        if height % patch or width % patch:
            raise ValueError(
                f"factorised: expected latents whose sides are multiples of {patch}, got {height} x {width}"
            )
        x = noisy * input_scale(sigma).view(-1, 1, 1, 1, 1)
        x = self.embed(rearrange(x, "b f c (h p) (w q) -> b f h w (c p q)", p=patch, q=patch))
        x = x + _places(frames, height // patch, width // patch, self.config.dim, x.device)
        vector = self.noise(noise_features(sigma))
        modulation = self.modulation(vector).view(batch, _Block.MODULATIONS, -1)
        tokens, missing = self.text(condition.text_features)
        context = torch.cat([self.null.expand(batch, -1, -1), tokens], 1)
        absent = (missing | ~condition.keep_text[:, None]).float() * ABSENT
        bias = functional.pad(absent, (1, 0))[:, None].expand(-1, frames, -1)
        for block in self.blocks:
            x = block(x, modulation, context, bias)
        shift, scale = self.final(functional.silu(vector))[:, None, None, None].chunk(2, -1)
        x = self.out(self.norm(x) * (1 + scale) + shift)
        output = rearrange(x, "b f h w (c p q) -> b f c (h p) (w q)", p=patch, q=patch)
        return to_clean(output, noisy, sigma, self.config.prediction)


def _places(frames: int, height: int, width: int, dim: int, device: torch.device) -> Tensor:
    """Sine and cosine of frame, row and column, (frames, height, width, dim), as ViT's and Latte's fixed positions."""
    pairs = dim // 6
    frequency = torch.exp(-torch.arange(pairs, device=device) / pairs * math.log(1000.0))
    parts = []
    for axis, length in enumerate((frames, height, width)):
        angle = torch.arange(length, device=device)[:, None] * frequency
        shape = [length if i == axis else 1 for i in range(3)]
        wave = torch.cat([angle.sin(), angle.cos()], -1).view(*shape, 2 * pairs)
        parts.append(wave.expand(frames, height, width, -1))
    return functional.pad(torch.cat(parts, -1), (0, dim - 6 * pairs))
