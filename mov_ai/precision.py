"""What each part of a pipeline computes in, and how much work a quality stands for."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mov_ai.errors import UsageError
from mov_ai.hardware import has_bfloat16_matrices
from mov_ai.models.cascade import Cascade, CascadeConfig
from mov_ai.models.codec import VideoCodec

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
#: By which a quality multiplies the first stage's steps.
QUALITIES = {"draft": 0.5, "default": 1.0, "best": 2.0}


@dataclass(frozen=True)
class Precision:
    """Names of types, keys of `DTYPES`.

    Attributes:
        denoise: of the stage that begins with noise, and of every stage that a denoiser makes.
        refine: of a refiner, and of encoding what it begins with.
        decode: of the codec on the way to frames.
    """

    denoise: str = "float32"
    refine: str = "float32"
    decode: str = "float32"


def choose_precision(dtype: str, device: torch.device, cascade: Cascade, quality: str = "default") -> Precision:
    """What the parts compute in.

    "auto" is float32, except on a processor that multiplies matrices of bfloat16 (AMX): there our refiner and our
    codec, which are convolutions, take a quarter of the time, and change no value of a frame by what an eye sees
    (experiments/speed). What decides what is shown stays in float32: its matrices are too small to gain. Other codecs
    have not been measured, and stay in float32.

    Args:
        dtype: "auto", or what all denoisers and refiners compute in. bfloat16 then holds for our codec, too.
        quality: "best" is float32 where nothing else is asked for.

    Raises:
        UsageError: for another type, and for float16 on a CPU, which computes in it hardly faster and with errors.
    """
    if dtype not in ("auto", *DTYPES):
        raise UsageError(f"dtype: expected one of auto, {', '.join(DTYPES)}; found {dtype!r}")
    if dtype == "float16" and device.type == "cpu":
        raise UsageError("dtype: float16 needs a GPU; use bfloat16, float32 or auto on a CPU")
    ours = isinstance(cascade.codec, VideoCodec)
    if dtype != "auto":
        return Precision(dtype, dtype, "bfloat16" if dtype == "bfloat16" and ours else "float32")
    if device.type != "cpu" or not ours or quality == "best" or not has_bfloat16_matrices():
        return Precision()
    return Precision("float32", "bfloat16", "bfloat16")


def computing_in(name: str, device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """A context in which networks compute in a type, a key of `DTYPES`."""
    return contextlib.nullcontext() if name == "float32" else torch.autocast(device.type, DTYPES[name])


def steps_of(config: CascadeConfig, quality: str, steps: int | Sequence[int] | None) -> int | Sequence[int] | None:
    """Steps of a run: those asked for, or as many as a quality stands for; None for the pipeline's own.

    Raises UsageError for a quality that is none of `QUALITIES`.
    """
    if quality not in QUALITIES:
        raise UsageError(f"quality: expected one of {', '.join(QUALITIES)}; found {quality!r}")
    if steps is not None or quality == "default":
        return steps
    return max(1, round(config.steps[config.first_stage] * QUALITIES[quality]))


def draft_stage(config: CascadeConfig, quality: str, longest: int) -> int | None:
    """The last stage of a draft, the one before its video's own, of this longer side; None for other qualities."""
    smaller = [size for size in config.trained if size < longest]
    return smaller[-1] if quality == "draft" and smaller else None
