"""The parser's heads for time: how long pieces of a text last, and which of two lasts longer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mov_ai.graph.time import DURATIONS, LENGTH_RELATIONS


class TimelineLogits(NamedTuple):
    """What the head says of S pieces and P pairs of them."""

    log_duration: Tensor  # (S,)
    duration: Tensor  # (S, 11)
    relation: Tensor  # (P, 3)


class TimelineHead(nn.Module):
    """Token states -> times of pieces of text and of pairs of them.

    A piece's state is the mean of its tokens' states; its log duration has one more term for how many tokens there
    are, for long descriptions tell of long times. A pair's relation is the same whichever is named first: the logits of
    (b, a) are those of (a, b) with "shorter" and "longer" exchanged.
    """

    def __init__(self, dim: int, hidden: int = 64, dropout: float = 0.1) -> None:
        super().__init__()
        self.log_duration = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, 1))
        self.words = nn.Parameter(torch.zeros(()))
        self.duration = nn.Sequential(
            nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, len(DURATIONS))
        )
        self.relation = nn.Sequential(
            nn.Linear(2 * dim, 2 * hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * hidden, len(LENGTH_RELATIONS))
        )

    def forward(self, state: Tensor, token: Tensor, piece: Tensor, count: int, pairs: Tensor) -> TimelineLogits:
        """Logits of pieces and pairs.

        Args:
            state: (N, dim), what `CompositionalSceneParser.encode` gives.
            token, piece: int64 (T,) each: which tokens belong to which piece; every piece has one at least.
            count: S, the number of pieces.
            pairs: int64 (2, P), first and second piece of each pair; P may be 0.
        """
        sums = state.new_zeros(count, state.shape[1]).index_add(0, piece, state[token])
        size = state.new_zeros(count).index_add(0, piece, state.new_ones(len(token)))
        mean = sums / size[:, None]
        log_duration = self.log_duration(mean).squeeze(-1) + self.words * size.log()
        return TimelineLogits(log_duration, self.duration(mean), self._relation(mean, pairs))

    def _relation(self, mean: Tensor, pairs: Tensor) -> Tensor:
        first, second = mean[pairs[0]], mean[pairs[1]]
        there = self.relation(torch.cat([first, second], dim=-1))
        back = self.relation(torch.cat([second, first], dim=-1))
        return (there + back.flip(-1)) / 2


def tokens_of(spans: np.ndarray, start: int, end: int) -> np.ndarray:
    """Numbers of the tokens, of ranges int64 (N, 2), that a character range touches, or of the nearest one."""
    overlapping = np.flatnonzero((spans[:, 0] < end) & (spans[:, 1] > start))
    if len(overlapping):
        return overlapping
    return np.array([np.abs(spans.mean(1) - (start + end) / 2).argmin()])
