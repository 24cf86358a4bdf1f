"""The caption alone, read as a whole: what a denoiser without a graph is conditioned on."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mov_ai.models.attention import SelfAttention, rotary
from mov_ai.models.conditioning import TextEmbedding

#: Added to the logit of what is not there.
ABSENT = -1e4


class TextEncoder(nn.Module):
    """Hashed words that look at one another: `TextEmbedding`, then attention and MLP, pre-normalised.

    A layer has as many weights as one of the `GraphEncoder` of the same width, so that a network which reads the
    caption is given as much to read it with as one that reads the graph.

    Args:
        dim: width of words and of the result.
        layers: layers of attention; at least 1.
        heads: of each layer.

    Raises:
        ValueError: if there is no layer.
    """

    def __init__(self, dim: int, layers: int, heads: int) -> None:
        super().__init__()
        if layers < 1:
            raise ValueError(f"text encoder: expected at least 1 layer, got {layers}; without layers use TextEmbedding")
        self.width = dim // heads
        self.embed = TextEmbedding(dim)
        self.norm = nn.ModuleList(nn.LayerNorm(dim) for _ in range(layers))
        self.attention = nn.ModuleList(SelfAttention(dim, heads) for _ in range(layers))
        self.mlp = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
            for _ in range(layers)
        )

    def forward(self, words: Tensor) -> Tensor:
        """words: (B, L) buckets, 0 where there is none. Returns (B, L, dim)."""
        x = self.embed(words)
        hidden = ((words == 0).float() * ABSENT)[:, None, None, :]
        angles = rotary(torch.arange(words.shape[1], device=words.device)[:, None], self.width)
        for norm, attention, mlp in zip(self.norm, self.attention, self.mlp, strict=True):
            x = x + attention(norm(x), angles, hidden)
            x = x + mlp(x)
        return x
