"""Presets: the sizes of every network of a pipeline, and how many parameters they have."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn

from mov_ai.errors import UsageError
from mov_ai.models.cascade import Cascade, CascadeConfig
from mov_ai.models.codec import CodecConfig, VideoCodec
from mov_ai.models.conditioning import GraphEncoderConfig
from mov_ai.models.denoiser import DenoiserConfig, TSAMDenoiser
from mov_ai.models.planner import LayoutPlanner, PlannerConfig


@dataclass(frozen=True)
class Preset:
    """The configs of the vision networks; the parser is the same in all presets.

    The larger presets read captions with a frozen text encoder (`denoiser.text_encoder`), which is not counted: only
    its projection is the denoiser's own.

    Attributes:
        name: as given to `MovAIPipeline.from_pretrained` and in `conf/model`.
        codec, planner, denoiser, cascade: see the networks.
    """

    name: str
    codec: CodecConfig = field(default_factory=CodecConfig)
    planner: PlannerConfig = field(default_factory=PlannerConfig)
    denoiser: DenoiserConfig = field(default_factory=DenoiserConfig)
    cascade: CascadeConfig = field(default_factory=CascadeConfig)

    def build(self, device: str | torch.device = "cpu") -> nn.ModuleDict:
        """The networks with fresh weights: `cascade` (denoiser and codec) and `planner`.

        On the meta device nothing is allocated, which is how the largest preset is counted.
        """
        with torch.device(device):
            count = 1 if self.cascade.shared_network else len(self.cascade.steps)
            denoisers = [TSAMDenoiser(self.denoiser) for _ in range(count)]
            cascade = Cascade(self.cascade, VideoCodec(self.codec), denoisers)
            return nn.ModuleDict({"cascade": cascade, "planner": LayoutPlanner(self.planner)})


def _preset(
    name: str,
    dim: int,
    depth: int,
    stem: int,
    widths: tuple[int, int, int],
    planner: PlannerConfig,
    text: tuple[str, int],
) -> Preset:
    """A larger preset: latents of 16 channels, a deeper codec and graph encoder, a pretrained text encoder."""
    latent = 16
    denoiser = DenoiserConfig(
        latent_channels=latent,
        dim=dim,
        heads=16,
        depth=depth,
        mlp_ratio=4.0,
        stem=stem,
        graph_encoder=GraphEncoderConfig(dim=1024, layers=4, heads=16),
        text_encoder=text[0],
        text_width=text[1],
    )
    return Preset(
        name,
        codec=CodecConfig(latent, widths, (3, 3, 2), (0.0,) * latent, (1.0,) * latent),
        planner=planner,
        denoiser=denoiser,
        cascade=CascadeConfig(steps=(40, 20, 10)),
    )


PRESETS: dict[str, Preset] = {
    "tiny": Preset("tiny"),
    "base": _preset("base", 1024, 12, 128, (256, 128, 64), PlannerConfig(256, 8, 8), ("google/flan-t5-base", 768)),
    "movai": _preset(
        "movai", 2560, 20, 320, (512, 256, 128), PlannerConfig(256, 8, 16), ("google/flan-t5-large", 1024)
    ),
}


def preset(name: str) -> Preset:
    """A preset by name. Raises UsageError for an unknown one."""
    if name not in PRESETS:
        raise UsageError(f"preset: expected one of {', '.join(PRESETS)}; found {name!r}")
    return PRESETS[name]


def parameters(module: nn.Module) -> int:
    """Number of parameters of a module, on any device."""
    return sum(p.numel() for p in module.parameters())
