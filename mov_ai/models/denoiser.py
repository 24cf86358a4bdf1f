"""TSAM: the temporal-spatial attention denoiser."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

import torch
from einops import rearrange
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.checked_config import (
    Channels,
    ChannelsOrNone,
    Frames,
    Heads,
    Layers,
    LayersOrNone,
    Name,
    Positive,
    Side,
)
from mov_ai.diffusion.process import PREDICTIONS, input_scale, noise_features, to_clean
from mov_ai.labels.encoder import LabelEncoderConfig
from mov_ai.models.attention import (
    BACKENDS,
    CrossAttention,
    SelfAttention,
    rotary,
    window_merge,
    window_partition,
    window_sides,
)
from mov_ai.models.conditioning import Conditioning
from mov_ai.models.convolution import ConvResidual, TemporalResidual
from mov_ai.models.graph_encoder import GraphEncoder, GraphEncoderConfig, node_bias
from mov_ai.models.layout_painter import LayoutPainter
from mov_ai.models.text_encoder import ABSENT, TextProjection

#: Longer sides of the cascade's stages in pixels, where a config says nothing else.
STAGES = (128, 256, 512)
#: Attentions of a block, by the names of their modules, in the order in which they work.
ATTENTIONS = ("spatial", "temporal", "cross")
#: Periods in a clip of the waves that tell a frame's time.
_TIME_FREQUENCIES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


class AnyConfig(Protocol):
    """What every denoiser's config holds, a dataclass; both sides of its latents are multiples of `side_multiple`."""

    @property
    def latent_channels(self) -> int: ...
    @property
    def labels(self) -> LabelEncoderConfig: ...
    @property
    def side_multiple(self) -> int: ...


class AnyDenoiser(nn.Module):
    """A denoiser of any design; `mov_ai.models.registry` knows which there are.

    Attributes:
        refines: False if it goes from noise to clean latents and is called as `TSAMDenoiser`; True if it goes from the
            earlier stage's video in one step and is called as `mov_ai.models.refiner.VideoRefiner`.
    """

    config: AnyConfig
    refines: bool = False


@dataclass(frozen=True)
class DenoiserConfig:
    """Sizes and switches of TSAM.

    Attributes:
        latent_channels: channels of the codec's latents.
        dim, heads, depth, mlp_ratio: of the transformer.
        patch: latent cells along each side of a token.
        stem, stem_blocks: channels of the convolutions before and after the transformer, and residual blocks on each
            side.
        window: spatial attention looks at windows of this many tokens a side; at the first stage that is the whole
            frame.
        attentions: which of "spatial", "temporal" and "cross" a block has.
        combine: "sequence" (spatial, temporal, cross one after another) or "parallel" (side by side with learned
            gates).
        interval_gating: bias cross-attention by the nodes' intervals; False is plain cross-attention.
        softness: softness of the intervals' edges, as a share of the clip.
        prediction: see `mov_ai.diffusion.process.to_clean`.
        backend: see `mov_ai.models.attention.choose_backend`.
        looks: "painting" (boxes are painted with what the graph says of their entity) or "attention" (boxes are
            numbered, and cross-attention has to find what is in them).
        text, graph, layout: False leaves a source of conditioning, and what would read it, out of the network.
        graph_encoder: sizes of the graph encoder.
        labels: the label encoder that the network was trained with.
        text_encoder: a folder or a name on the hub for `PretrainedText`, whose features the caller puts into
            `Conditioning.text_features`; None for the label vectors of the caption's words.
        text_width: channels of that encoder's features.
        text_layers: layers of attention among the text's tokens; 0 for none.
        stages: longer sides in pixels of the videos that the network was trained to make, ascending.
        frames: frames of the videos that it was trained on.
    """

    latent_channels: Channels = 8
    dim: Channels = 192
    heads: Heads = 16
    depth: Layers = 3
    mlp_ratio: Positive = 3.0
    patch: Annotated[int, Field(ge=1, le=64)] = 2
    stem: Channels = 128
    stem_blocks: LayersOrNone = 3
    window: Annotated[int, Field(ge=1, le=1024)] = 8
    attentions: tuple[str, ...] = ATTENTIONS
    combine: str = "sequence"
    interval_gating: bool = True
    softness: Positive = 0.03
    prediction: str = "preconditioned"
    backend: str = "auto"
    looks: str = "painting"
    text: bool = True
    graph: bool = True
    layout: bool = True
    graph_encoder: GraphEncoderConfig = field(default_factory=GraphEncoderConfig)
    labels: LabelEncoderConfig = field(default_factory=LabelEncoderConfig)
    text_encoder: Name | None = None
    text_width: ChannelsOrNone = 0
    text_layers: LayersOrNone = 0
    stages: tuple[Side, ...] = STAGES
    frames: Frames = 16

    def __post_init__(self) -> None:
        if self.dim % self.heads or (self.dim // self.heads) % 4:
            raise ValueError(
                f"denoiser: dim / heads must be a multiple of 4 for rotary positions, got {self.dim} / {self.heads}"
            )
        # Configuration files and JSON have lists only.
        object.__setattr__(self, "attentions", tuple(self.attentions))
        if not set(self.attentions) <= set(ATTENTIONS):
            raise ValueError(f"denoiser: attentions: expected some of {', '.join(ATTENTIONS)}, got {self.attentions}")
        if self.combine not in ("sequence", "parallel"):
            raise ValueError(f"denoiser: combine: expected 'sequence' or 'parallel', got {self.combine!r}")
        if self.backend not in BACKENDS:
            raise ValueError(f"denoiser: backend: expected one of {', '.join(BACKENDS)}, got {self.backend!r}")
        if self.looks not in ("painting", "attention"):
            raise ValueError(f"denoiser: looks: expected 'painting' or 'attention', got {self.looks!r}")
        if self.prediction not in PREDICTIONS:
            raise ValueError(f"denoiser: prediction: expected one of {', '.join(PREDICTIONS)}, got {self.prediction!r}")
        if self.text_encoder is not None and self.text_width < 1:
            raise ValueError(
                f"denoiser: text_width: expected the width of {self.text_encoder}'s features, got {self.text_width}"
            )
        object.__setattr__(self, "stages", tuple(self.stages))
        if not self.stages or list(self.stages) != sorted(set(self.stages)):
            raise ValueError(f"denoiser: stages: expected ascending sizes, got {self.stages}")

    @property
    def side_multiple(self) -> int:
        """Both sides of the latents must be multiples of this."""
        return self.patch

    @property
    def text_channels(self) -> int:
        """Channels of the text features that the network reads."""
        return self.labels.width if self.text_encoder is None else self.text_width


class TSAMBlock(nn.Module):
    """Spatial attention, temporal attention, cross-modal attention and an MLP, normalised adaptively.

    The modulation is one shared projection plus a learned table for each block (PixArt-alpha, arXiv 2310.00426).
    """

    MODULATIONS = 9

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        dim, heads, backend = config.dim, config.heads, config.backend
        has = config.attentions.__contains__
        self.spatial = SelfAttention(dim, heads, backend) if has("spatial") else None
        self.temporal = SelfAttention(dim, heads, backend) if has("temporal") else None
        self.cross = CrossAttention(dim, heads, backend) if has("cross") else None
        hidden = int(dim * config.mlp_ratio)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(approximate="tanh"), nn.Linear(hidden, dim))
        self.norms = nn.ModuleList(nn.LayerNorm(dim, eps=1e-6, elementwise_affine=False) for _ in range(4))
        self.table = nn.Parameter(torch.zeros(self.MODULATIONS, dim))
        # Only "parallel" needs gates between the three attentions; they start equal.
        self.mix = nn.Parameter(torch.zeros(3)) if config.combine == "parallel" else None

    def forward(self, x: Tensor, vector: Tensor, context: Tensor, bias: Tensor, shifted: bool) -> Tensor:
        """One block.

        Args:
            x: (batch, frames, height, width, dim).
            vector: (batch, 9, dim), the shared modulation.
            context: (batch, m, dim), text tokens and graph nodes. bias: (batch, frames, m), see `interval_bias`.
            shifted: whether the spatial windows are shifted by half.
        """
        shift_s, scale_s, gate_s, shift_t, scale_t, gate_t, shift_m, scale_m, gate_m = (vector + self.table).unbind(1)

        def spatial(x: Tensor, attention: SelfAttention) -> Tensor:
            shaped = _modulate(self.norms[0](x), shift_s, scale_s)
            return gate_s[:, None, None, None] * self._spatial(shaped, shifted, attention)

        def temporal(x: Tensor, attention: SelfAttention) -> Tensor:
            shaped = _modulate(self.norms[1](x), shift_t, scale_t)
            return gate_t[:, None, None, None] * self._temporal(shaped, attention)

        def cross(x: Tensor, attention: CrossAttention) -> Tensor:
            return self._cross(self.norms[2](x), context, bias, attention)

        ways: list[tuple[Any, nn.Module | None]] = [
            (spatial, self.spatial), (temporal, self.temporal), (cross, self.cross)
        ]  # fmt: skip
        before, weights = x, None if self.mix is None else 3 * self.mix.softmax(0)
        for number, (way, attention) in enumerate(ways):
            if attention is not None:
                x = x + way(x, attention) if weights is None else x + weights[number] * way(before, attention)
        return x + gate_m[:, None, None, None] * self.mlp(_modulate(self.norms[3](x), shift_m, scale_m))

    def _spatial(self, x: Tensor, shifted: bool, attention: SelfAttention) -> Tensor:
        batch, frames, height, width, _ = x.shape
        window = window_sides(height, width, self.config.window)
        windows, bias = window_partition(rearrange(x, "b f h w d -> (b f) h w d"), window, shifted)
        places = torch.cartesian_prod(*[torch.arange(side, device=x.device) for side in window]).view(-1, 2)
        angles = rotary(places, self.config.dim // self.config.heads)
        if bias is not None:
            bias = bias.repeat(batch * frames, 1, 1)[:, None]
        merged = window_merge(attention(windows, angles, bias), window, shifted, height, width)
        return rearrange(merged, "(b f) h w d -> b f h w d", b=batch)

    def _temporal(self, x: Tensor, attention: SelfAttention) -> Tensor:
        batch, frames, height, width, _ = x.shape
        places = torch.arange(frames, device=x.device)[:, None]
        angles = rotary(places, self.config.dim // self.config.heads)
        lines = rearrange(x, "b f h w d -> (b h w) f d")
        return rearrange(attention(lines, angles), "(b h w) f d -> b f h w d", b=batch, h=height, w=width)

    def _cross(self, x: Tensor, context: Tensor, bias: Tensor, attention: CrossAttention) -> Tensor:
        height = x.shape[2]
        mixed = attention(rearrange(x, "b f h w d -> b f (h w) d"), context, bias)
        return rearrange(mixed, "b f (h w) d -> b f h w d", h=height)


def _modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return x * (1 + scale[:, None, None, None]) + shift[:, None, None, None]


def start_near_identity(modulation: nn.Sequential, blocks: Iterable[Any], final: nn.Linear) -> None:
    """Fresh weights with which adaptively normalised blocks change little: their gates start small.

    Args:
        modulation: a nonlinearity and the projection that all blocks share.
        blocks: each with a `table` of shift, scale, gate, shift, scale, gate, ..., and cross-attention `cross` or None.
    """
    last = modulation[1]
    assert isinstance(last, nn.Linear)
    nn.init.normal_(last.weight, std=0.02)
    nn.init.zeros_(last.bias)
    for block in blocks:
        with torch.no_grad():
            block.table[2::3] = 0.2
        if block.cross is not None:
            nn.init.normal_(block.cross.out.weight, std=0.01)
    nn.init.zeros_(final.weight)
    nn.init.zeros_(final.bias)


class TSAMDenoiser(AnyDenoiser):
    """Noisy latents, graph, layout and text in; clean latents out.

    Convolutions see the latents, the painted layout and, from the second stage on, the earlier stage's video; the
    transformer works on patches of them; convolutions put the patches together again. What boxes cannot say, such as
    the setting and the light, comes by cross-attention only.
    """

    #: 2: labels are vectors; in 1 they were numbers of one world's words. 3: frames have an absolute time, the graph
    #: encoder's vectors are painted, and the scene's words are attended to.
    SCHEMA = 3

    config: DenoiserConfig

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        dim, stem, width = config.dim, config.stem, config.labels.width
        nodes = config.graph_encoder.dim if config.graph else None
        in_boxes = config.looks == "painting"
        self.painter = LayoutPainter(width, nodes, in_boxes) if config.layout else None
        painted = LayoutPainter.channels(config.graph, in_boxes) if config.layout else 0
        # Noisy latents, the earlier stage's latents, the painting, and where the cell lies in the frame.
        self.into = nn.Conv2d(2 * config.latent_channels + painted + 2, stem, 3, padding=1)
        self.before = nn.Sequential(*(ConvResidual(stem) for _ in range(config.stem_blocks)))
        self.embed = nn.Linear(stem * config.patch**2, dim)
        self.frame_time = nn.Linear(len(_TIME_FREQUENCIES) * 2, dim)
        self.blocks = nn.ModuleList(TSAMBlock(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6, elementwise_affine=False)
        self.final = nn.Linear(dim, 2 * dim)
        self.unembed = nn.Linear(dim, stem * config.patch**2)
        self.after_time = TemporalResidual(stem)
        self.after = nn.Sequential(*(ConvResidual(stem) for _ in range(config.stem_blocks)), nn.SiLU())
        self.out = nn.Conv2d(stem, config.latent_channels, 3, padding=1)
        self.text = TextProjection(config.text_channels, dim, config.text_layers, config.heads) if config.text else None
        self.graph = GraphEncoder(config.graph_encoder, width) if config.graph else None
        self.from_graph = nn.Linear(config.graph_encoder.dim, dim) if config.graph else None
        # The number of a box, for its entity's token, where looks must be found by attention.
        self.slot = nn.Linear(LayoutPainter.SLOT, dim) if config.graph and config.layout and not in_boxes else None
        self.null = nn.Parameter(torch.randn(1, 1, dim) * 0.02)
        self.noise = nn.Sequential(nn.Linear(128, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.stage = nn.Embedding(len(config.stages), dim)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(dim, TSAMBlock.MODULATIONS * dim))
        self._initialise()

    def _initialise(self) -> None:
        start_near_identity(self.modulation, self.blocks, self.final)
        nn.init.normal_(self.out.weight, std=0.01)
        assert self.out.bias is not None
        nn.init.zeros_(self.out.bias)
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.3 if module.embedding_dim <= 16 else 0.02)

    def forward(
        self,
        noisy: Tensor,
        sigma: Tensor,
        stage: Tensor,
        low: Tensor,
        window: Tensor,
        condition: Conditioning,
    ) -> Tensor:
        """Clean latents, as noisy.

        Args:
            noisy: (batch, frames, channels, h, w) latents at noise level sigma; ValueError if the patch divides no
                side.
            sigma: (batch,) in (0, 1].
            stage: (batch,) index into `DenoiserConfig.stages`.
            low: as noisy: the earlier stage's video, enlarged and encoded; zeros at the first stage.
            window: (batch, 4) left, top, width, height of the part of the frame that is worked on, in [0, 1].
        """
        batch, frames, _, height, width = noisy.shape
        patch = self.config.patch
        if height % patch or width % patch:
            raise ValueError(f"denoiser: expected latents whose sides are multiples of {patch}, got {height} x {width}")
        nodes = None if self.graph is None else self.graph(condition)
        local = self._stem(noisy * input_scale(sigma).view(-1, 1, 1, 1, 1), low, window, condition, nodes)
        x = rearrange(local, "(b f) c (h p) (w q) -> b f h w (c p q)", b=batch, p=patch, q=patch)
        x = self.embed(x) + self.frame_time(time_features(frames, x.device).expand(batch, -1, -1))[:, :, None, None]
        vector = self.noise(noise_features(sigma)) + self.stage(stage)
        modulation = self.modulation(vector).view(batch, TSAMBlock.MODULATIONS, -1)
        context, bias = self._context(condition, frames, nodes)
        wide = max(x.shape[2], x.shape[3]) > self.config.window
        for i, block in enumerate(self.blocks):
            x = block(x, modulation, context, bias, wide and i % 2 == 1)
        shift, scale = self.final(functional.silu(vector)).chunk(2, -1)
        x = self.unembed(_modulate(self.norm(x), shift, scale))
        x = rearrange(x, "b f h w (c p q) -> (b f) c (h p) (w q)", p=patch, q=patch)
        x = self.after_time((local + x).contiguous(memory_format=torch.channels_last), frames)
        output = rearrange(self.out(self.after(x)), "(b f) c h w -> b f c h w", b=batch)
        return to_clean(output, noisy, sigma, self.config.prediction)

    def _stem(
        self, noisy: Tensor, low: Tensor, window: Tensor, condition: Conditioning, nodes: Tensor | None
    ) -> Tensor:
        height, width = noisy.shape[-2:]
        painting = [] if self.painter is None else [self.painter(condition, height, width, window, nodes)]
        joined = torch.cat([noisy, low, *painting, places(noisy, window)], 2)
        flat = rearrange(joined, "b f c h w -> (b f) c h w")
        return self.before(self.into(flat.contiguous(memory_format=torch.channels_last)))

    def _context(self, c: Conditioning, frames: int, nodes: Tensor | None) -> tuple[Tensor, Tensor]:
        """Null token, text tokens and graph nodes, (batch, m, dim), and their bias, (batch, frames, m)."""
        batch = len(c)
        context = [self.null.expand(batch, -1, -1)]
        bias = [torch.zeros(batch, frames, 1, device=self.null.device)]
        if self.text is not None:
            tokens, padding = self.text(self._fitting(c.text_features))
            words = (padding | ~c.keep_text[:, None]).float() * ABSENT
            context.append(tokens)
            bias.append(words[:, None].expand(-1, frames, -1))
        if nodes is not None and self.from_graph is not None:
            tokens = self.from_graph(nodes)
            context.append(tokens if self.slot is None else self._numbered(tokens, c, self.slot))
            bias.append(node_bias(c, frames, self.config.softness if self.config.interval_gating else None))
        return torch.cat(context, 1), torch.cat(bias, -1)

    def _numbered(self, tokens: Tensor, c: Conditioning, slot: nn.Linear) -> Tensor:
        """Nodes' tokens, (batch, N, dim), each with the numbers of its boxes, of all instances, added to it."""
        assert self.painter is not None
        seen = (c.boxes[..., 5] > 0).any(-1) & c.keep_layout[:, None]  # (batch, K)
        numbers = slot(self.painter.numbers(c)) * seen[..., None]
        added = torch.zeros_like(tokens).scatter_add(1, c.entity_node[..., None].expand_as(numbers), numbers)
        return tokens + added

    def _fitting(self, features: Tensor) -> Tensor:
        channels = self.config.text_channels
        if features.shape[-1] != channels:
            raise ValueError(
                f"denoiser: expected text_features (batch, tokens, {channels}) from "
                f"{self.config.text_encoder or 'the label encoder'}, got {tuple(features.shape)}"
            )
        return features


def time_features(frames: int, device: torch.device) -> Tensor:
    """Sines and cosines of each frame's time in the clip, whatever its length: (frames, 14)."""
    time = (torch.arange(frames, device=device) + 0.5) / frames
    angle = 2 * math.pi * time[:, None] * torch.tensor(_TIME_FREQUENCIES, device=device)
    return torch.cat([angle.sin(), angle.cos()], -1)


def places(like: Tensor, window: Tensor) -> Tensor:
    """Where each cell lies in the whole frame, -1 to 1: (batch, frames, 2, h, w), x and y, for latents `like`.

    Args:
        like: (batch, frames, channels, h, w). window: (batch, 4), as `TSAMDenoiser.forward`.
    """
    frames, height, width = like.shape[1], *like.shape[-2:]
    left, top, wide, tall = window.unbind(-1)
    x = left[:, None] + wide[:, None] * (torch.arange(width, device=like.device) + 0.5) / width
    y = top[:, None] + tall[:, None] * (torch.arange(height, device=like.device) + 0.5) / height
    place = torch.stack([x[:, None, :].expand(-1, height, -1), y[:, :, None].expand(-1, -1, width)], 1) * 2 - 1
    return place[:, None].expand(-1, frames, -1, -1, -1)
