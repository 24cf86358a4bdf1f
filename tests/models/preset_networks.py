"""The networks of the presets in `conf/model`, to count and compare."""

from __future__ import annotations

from dataclasses import dataclass

import hydra.utils
import torch
from omegaconf import OmegaConf
from torch import nn

from mov_ai.errors import UsageError
from mov_ai.models.cascade import Cascade, CascadeConfig
from mov_ai.models.codec import CodecConfig, VideoCodec
from mov_ai.models.denoiser import AnyDenoiser, DenoiserConfig, TSAMDenoiser
from mov_ai.models.planner import LayoutPlanner, PlannerConfig
from mov_ai.models.presets import preset_names
from mov_ai.models.refiner import RefinerConfig, VideoRefiner
from mov_ai.shipped_files import shipped


@dataclass(frozen=True)
class Preset:
    """The configs of the vision networks; the parser is the same in all presets.

    The larger presets read captions with a frozen text encoder (`denoiser.text_encoder`), which is not counted: only
    its projection is the denoiser's own.
    """

    name: str
    codec: CodecConfig
    planner: PlannerConfig
    denoiser: DenoiserConfig
    cascade: CascadeConfig
    refiner: RefinerConfig | None = None

    def build(self, device: str | torch.device = "cpu") -> nn.ModuleDict:
        """Fresh networks, `cascade` (denoiser and codec) and `planner`; on the meta device nothing is allocated."""
        with torch.device(device):
            denoisers: list[AnyDenoiser] = [TSAMDenoiser(self.denoiser)]
            if self.refiner is not None:
                denoisers.append(VideoRefiner(self.refiner))
            cascade = Cascade(self.cascade, VideoCodec(self.codec), denoisers)
            return nn.ModuleDict({"cascade": cascade, "planner": LayoutPlanner(self.planner)})


def load_preset(name: str) -> Preset:
    """The preset that `conf/model/NAME.yaml` describes. Raises UsageError if there is no such file."""
    if name not in preset_names():
        raise UsageError(f"preset: expected one of {', '.join(preset_names())}; found {name!r}")
    parts = OmegaConf.load(shipped(f"conf/model/{name}.yaml"))
    return Preset(name, **hydra.utils.instantiate(parts, _convert_="all"))
