"""What the video's tokens look at: the weights of cross-attention, read from outside while a denoiser works."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from mov_ai.models.attention import CrossAttention, attend
from mov_ai.models.conditioning import Conditioning


@dataclass
class AttentionRecord:
    """Weights of one video, added up over the chosen passes and blocks.

    Attributes:
        blocks, steps: those that were chosen, from 1; empty for all.
        sums: block -> (frames, places, context) sum over its passes, on the CPU; places are a block's tokens of a
            frame, row by row.
        passes: how many passes with the whole condition were seen, chosen or not.
    """

    blocks: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()
    sums: dict[int, Tensor] = field(default_factory=dict)
    passes: int = 0

    def maps(self) -> dict[int, Tensor]:
        """Block -> (frames, places, context), means over the chosen passes; over the context they sum to 1."""
        taken = sum(1 for step in range(1, self.passes + 1) if not self.steps or step in self.steps)
        return {block: total / taken for block, total in self.sums.items()}


def cross_attentions(denoiser: nn.Module) -> dict[int, CrossAttention]:
    """A denoiser's cross-attention to its context, by the number of the block, from 1; {} for one that has none."""
    blocks = getattr(denoiser, "blocks", None)
    numbered = enumerate(blocks if isinstance(blocks, Sequence | nn.ModuleList) else (), 1)
    found = {number: getattr(block, "cross", None) for number, block in numbered}
    return {number: cross for number, cross in found.items() if isinstance(cross, CrossAttention)}


@torch.no_grad()
def attention_weights(cross: CrossAttention, x: Tensor, context: Tensor, bias: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(d) + bias), the mean over heads: (batch, frames, n, m), float32.

    Args:
        cross: whose weights. x, context, bias: as for its `forward`.
    """
    frames, heads = x.shape[1], cross.heads
    # In float32 whatever the run computes in: shares of a whole are compared.
    with torch.autocast(x.device.type, enabled=False):
        query = rearrange(cross.query(x.float()), "b f n (h d) -> b h (f n) d", h=heads)
        key = rearrange(cross.key_value(context.float()), "b m (two h d) -> two b h m d", two=2, h=heads)[0]
        query, key = cross.norm_query(query), cross.norm_key(key)
        spread = bias.float().repeat_interleave(x.shape[2], 1)[:, None]
        # Values that are one for one token of the context and zero for the others give its weight. A head at a time,
        # for the weights of a large video are many.
        one_hot = torch.eye(key.shape[2], device=x.device).expand(key.shape[0], 1, -1, -1)
        total = sum(attend(query[:, h : h + 1], key[:, h : h + 1], one_hot, spread, "math")[:, 0] for h in range(heads))
    return rearrange(torch.as_tensor(total) / heads, "b (f n) m -> b f n m", f=frames)


@contextlib.contextmanager
def recorded_attention(
    denoiser: nn.Module, blocks: tuple[int, ...] = (), steps: tuple[int, ...] = ()
) -> Iterator[AttentionRecord]:
    """Record while the denoiser makes one video; what guidance adds, without text or graph, is not looked at.

    Args:
        denoiser: called once a step with the whole condition.
        blocks, steps: which, from 1; none for all.

    Raises:
        ValueError: in a pass with more than one video.
    """
    record = AttentionRecord(blocks, steps)
    is_looking = False

    def begin(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        nonlocal is_looking
        condition = next(value for value in (*args, *kwargs.values()) if isinstance(value, Conditioning))
        wholes = condition.keep_text & condition.keep_graph
        if wholes.sum() > 1:
            raise ValueError(f"recorded_attention: expected one video at a time, got {int(wholes.sum())}")
        # Guidance adds the same video without text or graph to the batch, after it.
        whole = bool(wholes[0])
        record.passes += whole
        is_looking = whole and (not steps or record.passes in steps)

    def look(number: int, cross: CrossAttention, args: tuple[Any, ...]) -> None:
        if is_looking:
            weights = attention_weights(cross, *args)[0].cpu()
            record.sums[number] = record.sums[number] + weights if number in record.sums else weights

    def look_as(number: int) -> Any:
        return lambda module, args: look(number, module, args)

    chosen = {number: cross for number, cross in cross_attentions(denoiser).items() if not blocks or number in blocks}
    handles = [denoiser.register_forward_pre_hook(begin, with_kwargs=True)]
    handles += [cross.register_forward_pre_hook(look_as(number)) for number, cross in chosen.items()]
    try:
        yield record
    finally:
        for handle in handles:
            handle.remove()
