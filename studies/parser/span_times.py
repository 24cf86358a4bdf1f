"""Times of given pieces of texts, straight from the parser's heads."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mov_ai.errors import UsageError
from mov_ai.parser.network import TokenBatch
from mov_ai.parser.parser import SceneGraphParser
from mov_ai.parser.timeline import TimelineLogits, tokens_of
from mov_ai.parser.token_graph import TokenGraph, pad


@dataclass(frozen=True)
class SpanTimes:
    """Times of S pieces of one text.

    Attributes:
        log_duration: (S,) logarithm of each piece's length, up to a constant that all pieces of the text share: the
            softmax over pieces that follow each other gives their shares of the clip.
        duration: (S, 11) probabilities of `DURATIONS`, how long such an event lasts in life.
        relation: (S, S, 3) probabilities of `LENGTH_RELATIONS` for each ordered pair, row beside column.
    """

    log_duration: np.ndarray
    duration: np.ndarray
    relation: np.ndarray


class TimingParser(SceneGraphParser):
    """A parser that also says how long pieces of texts last."""

    def timeline(self, texts: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]]) -> list[SpanTimes]:
        """Times of given pieces of texts, straight from the network's heads.

        Args:
            texts: any that the parser reads; they need no graph of at most 64 nodes.
            spans: per text, S character ranges: words (an event's verb), clauses or sentences. A range that touches no
                token takes the nearest one.

        Raises UsageError for the first text at fault.
        """
        times = []
        for graph, ranges in zip(self.token_graphs(texts), spans, strict=True):
            if isinstance(graph, UsageError):
                raise graph
            times.append(self._span_times(graph, ranges))
        return times

    def _span_times(self, graph: TokenGraph, ranges: Sequence[tuple[int, int]]) -> SpanTimes:
        tokens = [tokens_of(graph.spans, start, end) for start, end in ranges]
        count = len(tokens)
        piece = np.repeat(np.arange(count), [len(part) for part in tokens])
        pairs = np.array(list(itertools.product(range(count), repeat=2)), dtype=np.int64).reshape(-1, 2).T
        token = np.concatenate([np.zeros(0, dtype=np.int64), *tokens])
        places = [torch.from_numpy(array.copy()) for array in (token, piece)]
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            batch = TokenBatch(*map(torch.from_numpy, pad([graph])))
            logits = [
                network.timeline(network.encode(batch)[0], *places, count, torch.from_numpy(pairs.copy()))
                for network in self.networks
            ]

        def mean(of: Callable[[TimelineLogits], Tensor]) -> Tensor:
            return torch.stack([of(one) for one in logits]).mean(0)

        return SpanTimes(
            mean(lambda one: one.log_duration).numpy(),
            mean(lambda one: one.duration).softmax(-1).numpy(),
            mean(lambda one: one.relation).softmax(-1).numpy().reshape(count, count, -1),
        )
