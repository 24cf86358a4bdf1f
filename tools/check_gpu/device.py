"""The device that is checked: waiting for it, its memory, its time, and the fastest matrix product that it does."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import numpy as np
import torch

TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def current(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """Makes it the GPU that is meant where none is numbered, as long as the context lasts; nothing for a CPU."""
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()


def finish(device: torch.device) -> None:
    """Wait until the device has done all that it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(work: Callable[[], object], device: torch.device, times: int, before: int = 1) -> float:
    """Median seconds of some work.

    Args:
        times: that are measured, after `before` that are not.
    """
    taken = []
    for number in range(before + times):
        finish(device)
        start = time.perf_counter()
        work()
        finish(device)
        if number >= before:
            taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def forget_memory(device: torch.device) -> None:
    """Begin to count memory anew."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def most_memory(device: torch.device) -> float | None:
    """GiB that tensors took at most since `forget_memory`; None where nothing counts them."""
    return torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None


def matrix_peak(device: torch.device, dtype: torch.dtype, side: int, times: int) -> float:
    """FLOP/s of the product of two square matrices."""
    one, other = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    return 2 * side**3 / seconds(lambda: one @ other, device, times, before=2)
