"""Tensors in safetensors files: whole, finite, of the network that reads them, never a pickle; packed for shipping."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mov_ai.errors import MovAIError, UsageError

PICKLES = (".bin", ".ckpt", ".pkl", ".pt", ".pth")
#: Of the name of a tensor that holds the scales of another one's rows.
SCALE = ".scale"
#: Rows shorter than this, and tensors of fewer rows, are kept in half precision: there is nothing to save.
_LEAST = 9
#: What fills fresh weights: methods of tensors, and functions of `nn.init` of the same names.
_FILLING = ("normal_", "uniform_", "zeros_", "ones_", "zero_", "fill_", "constant_", "kaiming_uniform_")


@contextlib.contextmanager
def unfilled() -> Iterator[None]:
    """Inside it a network is built whose weights have sizes but no memory: `fit_weights` gives them theirs.

    PyTorch's meta device alone would also take what is computed in a constructor, such as positions, and would import
    PyTorch's compiler, two seconds, to do the arithmetic and to fill weights with random numbers.
    """
    with torch.random.fork_rng(devices=[]), _Unfilled():
        yield


class _Unfilled(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.empty and kwargs.get("device") is None:
            return func(*args, **{**kwargs, "device": "meta"})
        tensor = args[0] if args else kwargs.get("tensor")
        if getattr(func, "__name__", "") in _FILLING and isinstance(tensor, torch.Tensor) and tensor.is_meta:
            return tensor
        return func(*args, **kwargs)


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file, packed or not.

    Raises UsageError if it is not there, no regular file or a pickle, MovAIError if it is damaged or not finite.
    """
    if path.exists() and not path.is_file():
        raise UsageError(f"{path}: expected a file, found a folder, a device or a pipe; give a checkpoint's own file")
    try:
        with path.open("rb") as file:
            head = file.read(2)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give a checkpoint that exists") from None
    if head in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        raise UsageError(f"{path}: a pickle in disguise, and pickles are never loaded; convert it to safetensors")
    try:
        tensors = unpack(load_file(path))
    except (SafetensorError, ValueError, RuntimeError, json.JSONDecodeError) as error:
        raise MovAIError(f"{path}: not a whole safetensors file ({error}); fetch or train it again") from None
    require_finite(tensors, str(path))
    return tensors


def fit_weights(module: nn.Module, tensors: dict[str, torch.Tensor], source: str) -> None:
    """Put tensors into a module, as float32 where floating point.

    Raises MovAIError, naming the first tensor that is missing, left over, of another shape or another kind of number.
    """
    expected = module.state_dict()
    for name in expected:
        require_shape(tensors, name, tuple(expected[name].shape), source)
        if tensors[name].is_floating_point() != expected[name].is_floating_point():
            # Weights in 8 bits whose scales are not there, for one.
            kinds = f"expected {expected[name].dtype}, found {tensors[name].dtype}"
            raise MovAIError(f"{source}: {name}: {kinds}; the file is damaged, or of another network")
    for name in tensors:
        if name not in expected:
            raise MovAIError(
                f"{source}: the tensor {name!r} is not part of the network; the file is of another network"
            )
    floats = {n: t.float() if t.is_floating_point() else t for n, t in tensors.items()}
    module.load_state_dict(floats, assign=True)
    for parameter in module.parameters():
        parameter.requires_grad_(True)


def require_shape(tensors: Mapping[str, Tensor], name: str, shape: tuple[int, ...], source: str) -> None:
    """Raises MovAIError, naming the file, where a tensor is missing or has another shape."""
    if name not in tensors:
        raise MovAIError(f"{source}: the tensor {name!r} is missing; the file is of another network or size")
    if tuple(tensors[name].shape) != shape:
        found = tuple(tensors[name].shape)
        raise MovAIError(f"{source}: {name}: expected {shape}, found {found}; the file is of another size")


def require_finite(tensors: Mapping[str, torch.Tensor], source: str) -> None:
    """Raises MovAIError, naming the first tensor with a NaN or an infinity in it: no video could be made with it."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.numel():
            # In one pass, without a second tensor: a NaN is both, an infinity one of them.
            least, most = (tensor if tensor.itemsize > 1 else tensor.float()).aminmax()
            if not (least.isfinite() and most.isfinite()):
                raise MovAIError(
                    f"{source}: {name}: expected finite numbers, found NaN or infinity; train or fetch it again"
                )


def tensor_bytes(tensors: dict[str, torch.Tensor], about: dict[str, str]) -> bytes:
    """A safetensors file with notes about its tensors: equal bytes for equal content.

    The library writes the notes in an order that chance decides; here they are in that of their names.
    """
    content = save(tensors, about)
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    ordered = {"__metadata__": dict(sorted(about.items())), **{n: e for n, e in header.items() if n != "__metadata__"}}
    text = json.dumps(ordered, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    # Tensors begin at a multiple of eight bytes.
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def pack(tensors: Mapping[str, Tensor], most_axes: int = 4) -> dict[str, Tensor]:
    """Tensors as they are stored: `name` in half precision, or `name` in 8 bits and `name.scale`, (rows,).

    Args:
        tensors: of a network; integers stay as they are.
        most_axes: 2 for matrices only, 4 for convolutions too, whose rows are their output channels.
    """
    packed = {}
    for name, given in tensors.items():
        tensor = given.detach().cpu()
        if not tensor.is_floating_point():
            packed[name] = tensor.contiguous()
            continue
        rows = tensor.float().flatten(1) if 2 <= tensor.dim() <= most_axes else None
        if rows is not None and min(rows.shape) >= _LEAST:
            scale = (rows.abs().amax(1) / 127).clamp(min=1e-8)
            packed[name] = (rows / scale[:, None]).round().to(torch.int8).view(tensor.shape)
            packed[f"{name}{SCALE}"] = scale
        else:
            packed[name] = tensor.half().contiguous()
    return packed


def unpack(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `pack` packed, in single precision where it was; tensors without a scale come back as they are."""
    scales = {name: stored[name] for name in stored if name.endswith(SCALE) and name.removesuffix(SCALE) in stored}
    tensors = {}
    for name, tensor in stored.items():
        if name in scales:
            continue
        scale = scales.get(f"{name}{SCALE}")
        tensors[name] = tensor if scale is None else tensor.float() * scale.view(-1, *[1] * (tensor.dim() - 1))
    return tensors
