"""The caption's tokens as a denoiser reads them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mov_ai.models.attention import SelfAttention, rotary
from mov_ai.models.conditioning import MAX_WORDS

#: Added to the attention logit of an absent token.
ABSENT = -1e4


class TextProjection(nn.Module):
    """From text features to text tokens: a projection and positions, then layers of attention if there are any.

    The features are the words' label vectors or those of a pretrained encoder (`mov_ai.labels.pretrained`).
    """

    def __init__(self, width: int, dim: int, layers: int = 0, heads: int = 1) -> None:
        super().__init__()
        self.width = dim // heads
        self.normalise = nn.LayerNorm(width)
        self.project = nn.Linear(width, dim)
        self.position = nn.Embedding(MAX_WORDS, dim)
        self.norm = nn.ModuleList(nn.LayerNorm(dim) for _ in range(layers))
        self.attention = nn.ModuleList(SelfAttention(dim, heads) for _ in range(layers))
        self.mlp = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
            for _ in range(layers)
        )

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, T, dim), and where there is none, (B, T) bool, of features (B, T, width) or zeros."""
        missing = (features == 0).all(-1)
        place = torch.arange(features.shape[1], device=features.device)
        x = self.project(self.normalise(features)) + self.position(place)
        hidden = (missing.float() * ABSENT)[:, None, None, :]
        for norm, attention, mlp in zip(self.norm, self.attention, self.mlp, strict=True):
            x = x + attention(norm(x), rotary(place[:, None], self.width), hidden)
            x = x + mlp(x)
        return x, missing
