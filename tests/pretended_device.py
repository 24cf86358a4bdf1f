"""A second device that is not there: its tensors compute on the CPU, and refuse to meet tensors of the CPU.

What a GPU refuses, this refuses: numbers of two devices in one operation, NumPy's view of the device's memory, and a
generator of the CPU for numbers on the device. So code that would fail on a GPU fails in a test without one.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME = "pretended"
#: Copies go from one device to the other.
_CROSSING = {torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default}
#: Rows may be chosen by numbers on the CPU.
_CHOOSING = {
    torch.ops.aten.index.Tensor,
    torch.ops.aten.index_put.default,
    torch.ops.aten.index_put_.default,
    torch.ops.aten._index_put_impl_.default,
}
#: What is registered lasts as long as these do.
_KEPT: list[torch.library.Library] = []


class _Module(_DummyBackendModule):
    """What torch asks of the module of a device.

    Attributes:
        is_there: as long as the device is in use; for what else runs in the process there is none.
    """

    is_there = False

    def is_available(self) -> bool:
        return self.is_there

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]

    def get_rng_state(self, device: object = None) -> Tensor:
        return torch.zeros(0, dtype=torch.uint8)

    def set_rng_state(self, state: Tensor, device: object = None) -> None: ...


_MODULE = _Module()


class PretendedTensor(Tensor):
    """A tensor of the pretended device; `held` has its numbers, on the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> PretendedTensor:
        made: PretendedTensor = Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(NAME, 0),
        )
        made.held = held
        return made

    def tolist(self) -> Any:
        return self.held.tolist()

    def __repr__(self, *, tensor_contents: object = None) -> str:
        return f"pretended {self.held!r}"

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Mode(TorchDispatchMode):
    """Makes tensors of the device where it is named, as for `torch.zeros(3, device=...)`."""

    def __enter__(self) -> _Mode:
        # `torch.tensor(..., device=...)` then makes a tensor of the CPU, and copies it where this mode sees it.
        self._lifts = torch._C._only_lift_cpu_tensors()
        torch._C._set_only_lift_cpu_tensors(True)
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        torch._C._set_only_lift_cpu_tensors(self._lifts)
        super().__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    flat = pytree.tree_leaves((args, kwargs))
    there = any(isinstance(leaf, PretendedTensor) for leaf in flat)
    device = kwargs.get("device")
    stays = there if device is None else device.type == NAME
    if there:
        _refuse_meeting(func, args, flat)
    if stays and isinstance(kwargs.get("generator"), torch.Generator):
        raise RuntimeError(f"{func}: expected a generator of the {NAME} device, found one of the CPU")
    out = func(*pytree.tree_map(_held, args), **pytree.tree_map(_held, kwargs))
    if not stays or func is torch.ops.aten._local_scalar_dense.default:
        return out
    if func._schema.is_mutable and args and isinstance(args[0], PretendedTensor):
        return args[0]
    return pytree.tree_map(lambda leaf: PretendedTensor(leaf) if isinstance(leaf, Tensor) else leaf, out)


def _held(leaf: Any) -> Any:
    if isinstance(leaf, PretendedTensor):
        return leaf.held
    return torch.device("cpu") if isinstance(leaf, torch.device) and leaf.type == NAME else leaf


def _refuse_meeting(func: Any, args: Any, flat: list[Any]) -> None:
    if func in _CROSSING or (func in _CHOOSING and isinstance(args[0], PretendedTensor)):
        return
    strangers = [leaf for leaf in flat if isinstance(leaf, Tensor) and not isinstance(leaf, PretendedTensor)]
    # A single number of the CPU is passed on as one.
    if torch.Tag.pointwise in func.tags:
        strangers = [leaf for leaf in strangers if leaf.ndim]
    if strangers:
        shapes = [tuple(leaf.shape) for leaf in strangers]
        raise RuntimeError(f"{func}: tensors of the CPU {shapes} meet tensors of the {NAME} device")


@functools.cache
def _registered() -> None:
    _setup_privateuseone_for_python_backend(NAME, backend_module=_MODULE)
    # Autocast changes no type there.
    _KEPT.append(torch.library.Library("_", "IMPL", "AutocastPrivateUse1"))
    _KEPT[0].fallback(torch.library.fallthrough_kernel)


@contextlib.contextmanager
def pretended_device() -> Iterator[torch.device]:
    """The device, for as long as the context lasts."""
    _registered()
    _MODULE.is_there = True
    try:
        with _Mode():
            yield torch.device(NAME, 0)
    finally:
        _MODULE.is_there = False
