"""The machine: in words, for cards, tables and reports; the device that is asked for; memory kept and given back."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mov_ai.errors import UsageError

if TYPE_CHECKING:
    import torch


def processor() -> str:
    """The processor's name; where the system does not tell it, the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def has_bfloat16_matrices() -> bool:
    """Whether the processor multiplies matrices of bfloat16 (Intel's AMX), which is then four times as fast."""
    return "amx_bf16" in _features()


def multiplies_bfloat16() -> bool:
    """Whether the processor has instructions for products of bfloat16; without, they take a hundred times as long as
    those of float32.
    """
    return bool({"amx_bf16", "avx512_bf16", "bf16"} & _features())


def has_avx512() -> bool:
    """Whether the processor has AVX-512, and so AVX2 as well; False where the system does not say."""
    return "avx512f" in _features()


@functools.cache
def _features() -> frozenset[str]:
    """What Linux says of the processor: its flags, among other words; nothing elsewhere."""
    try:
        return frozenset(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return frozenset()


def machine() -> str:
    """Processor, cores, torch's threads, and the GPU if there is one."""
    import torch

    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads{gpu}"


def choose_device(name: str) -> torch.device:
    """auto, cpu, cuda or cuda:N. Raises UsageError if the device is unknown or not there."""
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"device: expected auto, cpu, cuda or cuda:N; found {name!r}") from None
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"device: expected auto, cpu, cuda or cuda:N; found {name!r}")
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise UsageError(f"device: {name!r} was asked for, but PyTorch sees no such GPU here; use --device cpu or auto")
    return device


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Libraries and networks are loaded without looking for garbage: what they make stays, and a tenth of the time to
    import them would be spent looking at it.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def give_back_memory() -> None:
    """Give what is no longer used back to the system, where the C library would keep it (glibc; nothing elsewhere).

    It keeps pieces between those in use, a few more with each video, so that a process that makes many would grow.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@functools.cache
def _trim() -> Callable[[int], int] | None:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, TypeError, AttributeError):
        return None
    return trim
