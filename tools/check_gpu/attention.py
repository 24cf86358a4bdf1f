"""Attention of every backend against float64, on the shapes that TSAM has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mov_ai.errors import UsageError
from mov_ai.models.attention import BACKENDS, attend, choose_backend, for_xformers, interval_bias, window_partition
from mov_ai.models.denoiser import DenoiserConfig
from tools.check_gpu.device import TYPES, seconds

#: Largest difference from float64 that is allowed of a result, and of gradients as a share of the largest one: three
#: times what the CPU's backends have on these shapes in bf16. A missing bias makes a difference of 1.
ALLOWED = {"fp32": (1e-3, 2e-3), "fp16": (1e-2, 1e-2), "bf16": (5e-2, 5e-2)}
#: Tokens of text and graph beside the null token: no multiple of 8.
_CONTEXT = 36


@dataclass(frozen=True)
class Shape:
    """One attention of TSAM.

    Attributes:
        name: which.
        query, key: (batch, heads, tokens, channels).
        bias: (batch, 1, queries, keys), or None.
    """

    name: str
    query: tuple[int, int, int, int]
    key: tuple[int, int, int, int]
    bias: Tensor | None


def shapes(config: DenoiserConfig, videos: int, tokens: int, frames: int) -> list[Shape]:
    """The attentions of a block at a stage, for so many videos whose frames have `tokens` tokens a side."""
    heads, width = config.heads, config.dim // config.heads
    window = min(config.window, tokens)
    grid = torch.zeros(1, tokens, tokens, 1)
    _, shifted = window_partition(grid, (window, window), True)
    assert shifted is not None
    pieces = videos * frames * len(shifted)
    inside = (pieces, heads, window**2, width)
    # Half of the nodes hold for a part of the clip only.
    interval = torch.tensor([[0.0, 1.0], [0.25, 0.5]]).repeat(_CONTEXT // 2, 1)
    gates = interval_bias(torch.cat([torch.tensor([[0.0, 1.0]]), interval])[None], frames, config.softness)
    gates = gates.repeat_interleave(tokens**2, 1)[:, None].repeat(videos, 1, 1, 1)
    return [
        Shape("spatial", inside, inside, None),
        Shape("spatial, shifted", inside, inside, shifted.repeat(videos * frames, 1, 1)[:, None]),
        Shape("temporal", *((videos * tokens**2, heads, frames, width),) * 2, None),
        Shape("cross", (videos, heads, frames * tokens**2, width), (videos, heads, 1 + _CONTEXT, width), gates),
    ]


def check(shape: Shape, backend: str, name: str, device: torch.device, times: int) -> dict[str, Any]:
    """A backend's result and gradients for a shape in a type: differences from float64, and milliseconds.

    Returns:
        "ok", "error", "gradient_error" (a share of the largest gradient), "milliseconds" forwards and backwards, and
        what xformers is handed.
    """
    generator = torch.Generator().manual_seed(0)

    def random(size: tuple[int, ...]) -> Tensor:
        return torch.randn(size, generator=generator).to(device, TYPES[name])

    inputs = [random(shape.query), random(shape.key), random(shape.key)]
    weight = random(shape.query)
    bias = None if shape.bias is None else shape.bias.to(device, TYPES[name])
    found = _gradients(inputs, bias, weight, backend)
    exact = _gradients([t.double() for t in inputs], None if bias is None else bias.double(), weight.double(), "math")
    error = (found[0].double() - exact[0]).abs().max().item()
    gradient_error = max(
        ((mine.double() - right).abs().max() / right.abs().max()).item()
        for mine, right in zip(found[1:], exact[1:], strict=True)
    )
    most, most_of_gradients = ALLOWED[name]
    return {
        "shape": shape.name,
        "query": list(shape.query),
        "keys": shape.key[2],
        "backend": backend,
        "dtype": name,
        "error": error,
        "gradient_error": gradient_error,
        "milliseconds": 1000 * seconds(lambda: _gradients(inputs, bias, weight, backend), device, times),
        "handed_to_xformers": _handed(inputs, bias),
        "ok": error <= most and gradient_error <= most_of_gradients,
    }


def usable(device: torch.device) -> list[str]:
    """The backends that are there, besides `auto`, which is one of them."""
    found = []
    for backend in BACKENDS:
        try:
            choose_backend(backend, device)
        except UsageError:
            continue
        found.append(backend)
    return [backend for backend in found if backend != "auto"]


def checks(
    config: DenoiserConfig, device: torch.device, videos: int, tokens: int, frames: int, times: int
) -> Iterator[dict[str, Any]]:
    """Every shape, backend and type that the device has."""
    names = [name for name in TYPES if name != "fp16" or device.type == "cuda"]
    for shape in shapes(config, videos, tokens, frames):
        for backend in usable(device):
            for name in names:
                yield check(shape, backend, name, device, times)


def _gradients(inputs: list[Tensor], bias: Tensor | None, weight: Tensor, backend: str) -> list[Tensor]:
    """The result, and the gradients of its weighted sum."""
    leaves = [tensor.detach().requires_grad_() for tensor in inputs]
    query, key, value = leaves
    out = attend(query, key, value, bias, backend)
    return [out.detach(), *torch.autograd.grad(out, leaves, weight)]


def _handed(inputs: list[Tensor], bias: Tensor | None) -> dict[str, Any]:
    """Types and strides of what xformers gets, whether or not it is there."""
    query, key, value = inputs
    tensors, full, _ = for_xformers(query, key, value, bias)
    together = 16 // query.element_size()
    given = [*tensors, *([] if full is None else [full])]
    return {
        "dtypes": sorted({str(tensor.dtype).removeprefix("torch.") for tensor in given}),
        "channels": tensors[0].shape[-1],
        "bias_strides": None if full is None else list(full.stride()),
        "aligned": all(tensor.stride(i) % together == 0 for tensor in given for i in range(tensor.ndim - 1)),
    }
