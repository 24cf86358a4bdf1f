"""Every network that can be a pipeline's denoiser, built from its config or read from its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias, TypeVar

import torch
from torch import nn

from mov_ai.graph.files import read_json
from mov_ai.models.component import CONFIG_FILE, load_component
from mov_ai.models.denoiser import DenoiserConfig, TSAMDenoiser
from mov_ai.models.peers.factorised import FactorisedConfig, FactorisedDenoiser
from mov_ai.models.peers.unet3d import UNet3DConfig, UNet3DDenoiser

AnyDenoiser: TypeAlias = TSAMDenoiser | FactorisedDenoiser | UNet3DDenoiser
AnyConfig: TypeAlias = DenoiserConfig | FactorisedConfig | UNet3DConfig
_Module = TypeVar("_Module", bound=nn.Module)

_NETWORKS: dict[type, type] = {
    DenoiserConfig: TSAMDenoiser,
    FactorisedConfig: FactorisedDenoiser,
    UNet3DConfig: UNet3DDenoiser,
}


def build_denoiser(config: AnyConfig) -> AnyDenoiser:
    """The network of a config, with fresh weights."""
    return _NETWORKS[type(config)](config)


def load_denoiser(directory: str | Path) -> AnyDenoiser:
    """Read a denoiser of whatever design, as `load_component`, whose errors it raises."""
    path = Path(directory) / CONFIG_FILE
    header = read_json(path) if path.is_file() else None
    name = header.get("network") if isinstance(header, dict) else None
    # Anything unknown is left to `load_component`, which says what was expected.
    kinds = {network.__name__: (network, config) for config, network in _NETWORKS.items()}
    network, config = kinds.get(str(name), (TSAMDenoiser, DenoiserConfig))
    return load_component(network, config, directory)


def reads_graph(config: AnyConfig) -> bool:
    """Whether a denoiser looks at the scene graph or the layout; if not, the caption is all that it is told."""
    return isinstance(config, DenoiserConfig) and (config.graph or config.layout)


def sources(config: AnyConfig) -> list[str]:
    """What a denoiser is conditioned on, in words."""
    if not isinstance(config, DenoiserConfig):
        return ["a text"]
    said = {"a scene graph": config.graph, "a layout": config.layout, "a text": config.text}
    return [name for name, used in said.items() if used]


def text_encoder_of(config: AnyConfig) -> str | None:
    """The pretrained text encoder that a denoiser asks for, see `DenoiserConfig.text_encoder`; None if none."""
    return config.text_encoder if isinstance(config, DenoiserConfig) else None


def channels_last(module: _Module) -> _Module:
    """The weights of 2-D convolutions in the memory format that they are fastest in; returns the module.

    Convolutions over time have five axes, for which there is no such format.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            part.to(memory_format=torch.channels_last)
    return module
