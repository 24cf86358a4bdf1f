"""Saving and loading one network: a folder with config.json and model.safetensors."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import read_json, write_bytes, write_json

#: Version of the files; a network whose weights changed their meaning has its own, later `SCHEMA`.
SCHEMA = 1
CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
_PICKLES = (".bin", ".ckpt", ".pkl", ".pt", ".pth")
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
        if path.suffix in _PICKLES:
            raise UsageError(f"{path}: a pickle, and pickles are never loaded; convert it to {WEIGHTS_FILE}")
    if not (directory / CONFIG_FILE).exists():
        raise UsageError(
            f"{directory}: expected a folder with {CONFIG_FILE} and {WEIGHTS_FILE} of a {network.__name__}"
        )
    header = read_json(directory / CONFIG_FILE)
    # First of all which network it is: each has a schema of its own.
    if isinstance(header, dict) and header.get("network") != network.__name__:
        raise UsageError(
            f"{directory / CONFIG_FILE}: network: expected {network.__name__}, found {header.get('network')!r}"
        )
    schema = header.get("schema") if isinstance(header, dict) else None
    if not isinstance(header, dict) or schema != schema_of(network) or isinstance(schema, bool):
        # An earlier schema is of the first version of mov_ai, whose numbers meant other things.
        raise UsageError(
            f"{directory / CONFIG_FILE}: schema: expected {schema_of(network)}, found {schema!r}; train it anew"
        )
    config = config_from_dict(config_type, header.get("config"), str(directory / CONFIG_FILE))
    try:
        with torch.device("meta"):
            module = network(config)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{directory / CONFIG_FILE}: config: no {network.__name__} can be built ({reason})") from None
    tensors = {**load_weights(directory / WEIGHTS_FILE), **apart}
    fit_weights(module, tensors, str(directory / WEIGHTS_FILE))
    # Buffers that are not stored were made on the meta device and hold nothing yet. A network without them, which the
    # largest one is, is not built a second time.
    empty = {name for name, buffer in module.named_buffers() if buffer.is_meta}
    if empty:
        with torch.random.fork_rng(devices=[]):
            buffers = dict(network(config).named_buffers())
        for name in empty:
            owner, _, leaf = name.rpartition(".")
            setattr(module.get_submodule(owner), leaf, buffers[name])
    return module.eval()


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file. Raises UsageError if it is not there or a pickle, MovAIError if it is damaged."""
    try:
        with path.open("rb") as file:
            head = file.read(2)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give a checkpoint that exists") from None
    if head in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        raise UsageError(f"{path}: a pickle in disguise, and pickles are never loaded; convert it to safetensors")
    try:
        return load_file(path)
    except (SafetensorError, ValueError, json.JSONDecodeError) as error:
        raise MovAIError(f"{path}: not a whole safetensors file ({error}); fetch or train it again") from None


def fit_weights(module: nn.Module, tensors: dict[str, torch.Tensor], source: str) -> None:
    """Put tensors into a module, as float32 where floating point.

    Raises MovAIError, naming the first tensor that is missing, left over or of another shape.
    """
    expected = module.state_dict()
    for name in expected:
        if name not in tensors:
            raise MovAIError(f"{source}: the tensor {name!r} is missing; the file is of another network or size")
        if tensors[name].shape != expected[name].shape:
            shapes = f"expected {tuple(expected[name].shape)}, found {tuple(tensors[name].shape)}"
            raise MovAIError(f"{source}: {name}: {shapes}; the file is of another size")
    for name in tensors:
        if name not in expected:
            raise MovAIError(
                f"{source}: the tensor {name!r} is not part of the network; the file is of another network"
            )
    floats = {n: t.float() if t.is_floating_point() else t for n, t in tensors.items()}
    module.load_state_dict(floats, assign=True)
    for parameter in module.parameters():
        parameter.requires_grad_(True)


def config_from_dict(config_type: type, value: Any, source: str) -> Any:
    """A config dataclass (nested ones too) from parsed JSON. Raises UsageError, naming an unknown or a missing key."""
    if not isinstance(value, dict):
        raise UsageError(f"{source}: config: expected an object, found {value!r}")
    fields_by_name = {f.name: f for f in dataclasses.fields(config_type)}
    hints = get_type_hints(config_type)
    for key in value:
        if key not in fields_by_name:
            raise UsageError(f"{source}: config: {key!r} is not a setting of {config_type.__name__}")
    values: dict[str, Any] = {}
    for key, entry in value.items():
        hint = hints[key]
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            values[key] = config_from_dict(hint, entry, source)
        elif get_origin(hint) is tuple or tuple in [get_origin(a) for a in get_args(hint)]:
            values[key] = tuple(entry) if isinstance(entry, list) else entry
        else:
            values[key] = entry
    try:
        return config_type(**values)
    except (TypeError, ValueError, UsageError) as error:
        raise UsageError(f"{source}: config: {error}") from None
