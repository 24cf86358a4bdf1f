"""Which network belongs to which config, so that a denoiser of any design is built and loaded the same way."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from mov_ai.graph.files import read_json
from mov_ai.models.component import CONFIG_FILE, load_component, save_component
from mov_ai.models.denoiser import AnyConfig, AnyDenoiser, DenoiserConfig, TSAMDenoiser
from mov_ai.models.image_video import ImageVideoConfig, ImageVideoDenoiser, load_image_video
from mov_ai.models.refiner import RefinerConfig, VideoRefiner

_Module = TypeVar("_Module", bound=nn.Module)

_NETWORKS: dict[type, type[AnyDenoiser]] = {
    DenoiserConfig: TSAMDenoiser,
    ImageVideoConfig: ImageVideoDenoiser,
    RefinerConfig: VideoRefiner,
}
#: Designs whose config says which sources of conditioning they read.
_SWITCHED = (DenoiserConfig, ImageVideoConfig)


def register(config: type, network: type[AnyDenoiser]) -> None:
    """Make another design known to `build_denoiser` and, by its class's name, to `load_denoiser`."""
    _NETWORKS[config] = network


def build_denoiser(config: AnyConfig) -> AnyDenoiser:
    """The network of a config, with fresh weights."""
    return _NETWORKS[type(config)](config)


def load_denoiser(directory: str | Path) -> AnyDenoiser:
    """Read a denoiser of any registered design, as `load_component`, whose errors it raises."""
    path = Path(directory) / CONFIG_FILE
    header = read_json(path) if path.is_file() else None
    name = header.get("network") if isinstance(header, dict) else None
    if name == ImageVideoDenoiser.__name__:
        return load_image_video(directory)
    for config, network in _NETWORKS.items():
        if network.__name__ == name:
            return load_component(network, config, directory)
    # `load_component` says what was expected instead of what is there.
    return load_component(TSAMDenoiser, DenoiserConfig, directory)


def save_denoiser(denoiser: nn.Module, directory: str | Path) -> None:
    """Write what `load_denoiser` reads."""
    if isinstance(denoiser, ImageVideoDenoiser):
        denoiser.save(directory)
    else:
        save_component(denoiser, directory)


def reads_graph(config: AnyConfig) -> bool:
    """Whether a denoiser reads the scene graph or the layout; if not, it reads the caption only."""
    if isinstance(config, RefinerConfig):
        return True
    return isinstance(config, _SWITCHED) and (config.graph or config.layout)


def sources(config: AnyConfig) -> list[str]:
    """What a denoiser is conditioned on, in words."""
    if isinstance(config, RefinerConfig):
        return ["an earlier stage's video", "a scene graph", "a layout"]
    if not isinstance(config, _SWITCHED):
        return ["a text"]
    switches = {"a scene graph": config.graph, "a layout": config.layout, "a text": config.text}
    return [name for name, used in switches.items() if used]


def text_encoder_of(config: AnyConfig) -> str | None:
    """The pretrained text encoder that a denoiser asks for, see `DenoiserConfig.text_encoder`; None if none."""
    if isinstance(config, ImageVideoConfig):
        return config.text_source
    return config.text_encoder if isinstance(config, DenoiserConfig) else None


def channels_last(module: _Module) -> _Module:
    """The weights of 2-D convolutions in the format that they are fastest in; 3-D ones have none such."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            part.to(memory_format=torch.channels_last)
    return module
