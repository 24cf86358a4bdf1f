"""What xformers' attention refuses, and what it computes, without xformers and without a GPU.

The rules are those of `fmha.Inputs.validate_inputs` and of the cutlass operators' `not_supported_reasons` in xformers
0.0.35, for a GPU of compute capability 8.0 or more; each is stated here in words of our own.
"""

from __future__ import annotations

import sys
import types
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor


@dataclass
class StandIn:
    """Takes `memory_efficient_attention`'s place and keeps what it was handed.

    Attributes:
        calls: of each call the type, the heads' width, and the bias's strides or None.
    """

    calls: list[tuple[torch.dtype, int, tuple[int, ...] | None]] = field(default_factory=list)

    def memory_efficient_attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_bias: Tensor | None = None,
        p: float = 0.0,
        scale: float | None = None,
    ) -> Tensor:
        """softmax(q k^T scale + bias) v of (batch, tokens, heads, width); ValueError for what xformers refuses."""
        check(query, key, value, attn_bias)
        assert p == 0
        self.calls.append((query.dtype, query.shape[-1], None if attn_bias is None else attn_bias.stride()))
        wide = [tensor.transpose(1, 2).double() for tensor in (query, key, value)]
        # Else autocast would compute in its own type.
        with torch.autocast(query.device.type, enabled=False):
            logits = wide[0] @ wide[1].transpose(-1, -2) * (query.shape[-1] ** -0.5 if scale is None else scale)
            logits = logits if attn_bias is None else logits + attn_bias.double()
            return (logits.softmax(-1) @ wide[2]).transpose(1, 2).to(query.dtype)


def check(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> None:
    """Raises ValueError for what xformers refuses."""
    named = {"query": query, "key": key, "value": value}
    kinds = {name: (tensor.dtype, tensor.device) for name, tensor in named.items()}
    if len(set(kinds.values())) > 1 or query.dtype not in (torch.float32, torch.float16, torch.bfloat16):
        raise ValueError(f"one type and device expected: {kinds}")
    batch, queries, heads, width = query.shape
    if key.shape != value.shape or key.shape != (batch, key.shape[1], heads, width):
        raise ValueError(f"shapes: {[tuple(tensor.shape) for tensor in named.values()]}")
    # Sixteen bytes are read at once.
    together = 16 // query.element_size()
    for name, tensor in named.items():
        if tensor.shape[-1] % together or tensor.stride(-2) % together or tensor.stride(-1) > 1:
            raise ValueError(f"{name}: {tuple(tensor.shape)}, {tensor.stride()}: multiples of {together} expected")
    if bias is None:
        return
    if bias.shape != (batch, heads, queries, key.shape[1]):
        raise ValueError(f"bias: {tuple(bias.shape)}: expected {(batch, heads, queries, key.shape[1])}")
    if bias.dtype != query.dtype or bias.device != query.device or bias.requires_grad:
        raise ValueError(f"bias: {bias.dtype} on {bias.device}, gradient {bias.requires_grad}")
    if any(step % together for step in bias.stride()[:-1]) or bias.stride(-1) > 1:
        raise ValueError(f"bias: strides {bias.stride()}: multiples of {together} expected")
    # Rows begin where a whole row of a larger tensor does.
    if bias.storage_offset() % together:
        raise ValueError(f"bias: begins at {bias.storage_offset()}")


def install(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Make `import xformers.ops` find a stand-in, and `auto` take it on CUDA."""
    stand_in = StandIn()
    package, ops = types.ModuleType("xformers"), types.ModuleType("xformers.ops")
    parts: dict[str, Any] = {"memory_efficient_attention": stand_in.memory_efficient_attention}
    vars(ops).update(parts)
    vars(package)["ops"] = ops
    monkeypatch.setitem(sys.modules, "xformers", package)
    monkeypatch.setitem(sys.modules, "xformers.ops", ops)
    monkeypatch.setattr("mov_ai.models.attention._xformers_installed", lambda: True)
    return stand_in
