"""Weights in 8 bits with a scale for each row: a quarter of single precision's size, for networks that are shipped."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

#: Of the name of a tensor that holds the scales of another one's rows.
SCALE = ".scale"
#: Rows shorter than this, and tensors of fewer rows, are kept in half precision: there is nothing to save.
_LEAST = 9


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
