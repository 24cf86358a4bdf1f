"""Presets: their names, as in `conf/model`, and how many parameters networks have."""

from __future__ import annotations

from torch import nn

from mov_ai.shipped_files import shipped


def preset_names() -> list[str]:
    """Names of the presets: those of the files in `conf/model`."""
    return sorted(path.stem for path in shipped("conf/model").glob("*.yaml"))


def parameters(module: nn.Module) -> int:
    """Number of parameters of a module, on any device."""
    return sum(p.numel() for p in module.parameters())
