"""Saving and loading one network: a folder with config.json and model.safetensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import torch
from safetensors.torch import save
from torch import nn

from mov_ai.checked_config import config_from_dict
from mov_ai.errors import UsageError, shown
from mov_ai.graph.files import read_json, write_bytes, write_json
from mov_ai.weight_files import PICKLES, fit_weights, load_weights, unfilled

#: Version of the files; a network whose weights changed their meaning has its own, later `SCHEMA`.
SCHEMA = 1
CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
Module = TypeVar("Module", bound=nn.Module)


def save_component(
    module: nn.Module, directory: str | Path, dtype: torch.dtype = torch.float16, apart: Collection[str] = ()
) -> None:
    """Write a network that has a dataclass `config`, its weights in `dtype`, less those named `apart`."""
    directory = Path(directory)
    config: Any = module.config
    tensors = {
        name: (tensor.to(dtype) if tensor.is_floating_point() else tensor).detach().cpu().contiguous()
        for name, tensor in module.state_dict().items()
        if name not in apart
    }
    header = {"schema": schema_of(type(module)), "network": type(module).__name__, "config": dataclasses.asdict(config)}
    write_bytes(directory / WEIGHTS_FILE, save(tensors))
    write_json(directory / CONFIG_FILE, header)


def schema_of(network: type) -> int:
    """The schema of a network's files."""
    return int(getattr(network, "SCHEMA", SCHEMA))


def load_component(
    network: type[Module],
    config_type: type,
    directory: str | Path,
    apart: Mapping[str, torch.Tensor] = MappingProxyType({}),
) -> Module:
    """Read a network written by `save_component`, in float32 and evaluation mode; weights left `apart` are given.

    Raises UsageError if the folder holds no such network, a pickle, another network or another schema; MovAIError if
    the weights are truncated or of another size.
    """
    directory = Path(directory)
    inside = directory.iterdir() if directory.is_dir() and not (directory / WEIGHTS_FILE).exists() else ()
    for path in (directory, *inside):
        if path.suffix in PICKLES:
            raise UsageError(f"{path}: a pickle, and pickles are never loaded; convert it to {WEIGHTS_FILE}")
    if not (directory / CONFIG_FILE).exists():
        raise UsageError(
            f"{directory}: expected a folder with {CONFIG_FILE} and {WEIGHTS_FILE} of a {network.__name__}"
        )
    header = read_json(directory / CONFIG_FILE)
    # First of all which network it is: each has a schema of its own.
    if isinstance(header, dict) and header.get("network") != network.__name__:
        raise UsageError(
            f"{directory / CONFIG_FILE}: network: expected {network.__name__}, found {shown(header.get('network'))}"
        )
    schema = header.get("schema") if isinstance(header, dict) else None
    if not isinstance(header, dict) or type(schema) is not int or schema != schema_of(network):
        # An earlier schema is of the first version of mov_ai, whose numbers meant other things.
        raise UsageError(
            f"{directory / CONFIG_FILE}: schema: expected {schema_of(network)}, found {shown(schema)}; train it anew"
        )
    config = config_from_dict(config_type, header.get("config"), str(directory / CONFIG_FILE))
    try:
        with unfilled():
            module = network(config)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{directory / CONFIG_FILE}: config: no {network.__name__} can be built ({reason})") from None
    tensors = {**load_weights(directory / WEIGHTS_FILE), **apart}
    fit_weights(module, tensors, str(directory / WEIGHTS_FILE))
    return module.eval()
