"""Training samples and losses for the parser's heads for time: StoryBench's shares, UDS-Time's durations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mov_ai.data.storybench import Story
from mov_ai.data.uds_time import TimedSentence, length_pairs
from mov_ai.graph.time import DURATIONS, LENGTH_RELATIONS
from mov_ai.parser.spacy_pipeline import EMBEDDED_PIPELINE, load_spacy
from mov_ai.parser.timeline import TimelineLogits, tokens_of
from mov_ai.parser.token_graph import FEATURES, TokenGraph, pad, token_graph
from mov_ai.training.array_cache import cached_samples, fingerprint
from mov_ai.training.objective import Progress

#: Part of the cache's name: raise it when samples are built differently.
_CACHE_VERSION = 2


@dataclass(frozen=True)
class TimelineSample:
    """A text and what people say of the times of S pieces of it; T places of tokens in pieces, P pairs of pieces.

    A story's pieces are its sentences, and it has shares; a sentence's are its events, and it has durations and pairs.

    Attributes:
        tokens: the input. `timeline_samples` gives it without words.
        token, piece: int64 (T,) each: which tokens make up which piece.
        shares: float32 (S,) share of the clip, which sum to 1; 0 where nothing is said.
        duration: float32 (S, 11) shares of the answers over `DURATIONS`; 0 where nothing is said.
        confidence: float32 (S,) of the durations; 0 where nothing is said.
        pairs: int64 (2, P) pieces.
        relation: int64 (P,) index in `LENGTH_RELATIONS`.
    """

    tokens: TokenGraph
    token: np.ndarray
    piece: np.ndarray
    shares: np.ndarray
    duration: np.ndarray
    confidence: np.ndarray
    pairs: np.ndarray
    relation: np.ndarray

    def __len__(self) -> int:
        return len(self.tokens)


def story_sample(tokens: TokenGraph, story: Story) -> TimelineSample:
    """Lay a story's shares over the tokens of its text."""
    count = len(story.sentences)
    token, piece = _pieces(tokens, story.spans)
    return TimelineSample(
        tokens,
        token,
        piece,
        np.array(story.shares, dtype=np.float32),
        np.zeros((count, len(DURATIONS)), dtype=np.float32),
        np.zeros(count, dtype=np.float32),
        np.zeros((2, 0), dtype=np.int64),
        np.zeros(0, dtype=np.int64),
    )


def sentence_sample(tokens: TokenGraph, sentence: TimedSentence) -> TimelineSample:
    """Lay the events of a treebank sentence over spaCy's tokens, which need not be the treebank's words."""
    token, piece = _pieces(tokens, [event.span for event in sentence.events])
    pairs = list(length_pairs(sentence))
    return TimelineSample(
        tokens,
        token,
        piece,
        np.zeros(len(sentence.events), dtype=np.float32),
        np.array([event.durations for event in sentence.events], dtype=np.float32),
        np.array([event.confidence for event in sentence.events], dtype=np.float32),
        np.array([(i, j) for i, j, _ in pairs], dtype=np.int64).reshape(-1, 2).T,
        np.array([LENGTH_RELATIONS.index(relation) for _, _, relation in pairs], dtype=np.int64),
    )


def _pieces(tokens: TokenGraph, spans: Iterable[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    tokens_per_span = [tokens_of(tokens.spans, *span) for span in spans]
    return np.concatenate(tokens_per_span), np.repeat(
        np.arange(len(tokens_per_span)), [len(part) for part in tokens_per_span]
    )


# -- the cache ---------------------------------------------------------------------------------------------------------


def timeline_samples(
    stories: Sequence[Story],
    sentences: Sequence[TimedSentence],
    known: frozenset[str] | None,
    cache: str | Path,
    progress: Progress,
) -> list[TimelineSample]:
    """Samples of the training part of both data sets, read from the cache, or built with spaCy and kept there.

    Stories of one sentence are left out, for their share is 1.

    Args:
        stories, sentences: whole data sets; the held-out part is left out here.
        known: the words with an embedding of their own, see `token_graph`.
        cache: a folder, made if need be.
        progress: told while spaCy works, which takes minutes.
    """
    long_stories = [story for story in stories if story.split == "train" and len(story.sentences) > 1]
    timed = [sentence for sentence in sentences if sentence.split == "train" and sentence.events]
    items: list[Story | TimedSentence] = [*long_stories, *timed]
    answers = [x.frames if isinstance(x, Story) else [(e.span, e.durations) for e in x.events] for x in items]
    facts = [FEATURES, sorted(known or ()), [item.text for item in items], answers]
    path = Path(cache) / f"timelines-v{_CACHE_VERSION}-{fingerprint(EMBEDDED_PIPELINE, facts)}.npz"

    def build() -> Iterator[TimelineSample]:
        docs = load_spacy().pipe([item.text for item in items])
        for done, (item, doc) in enumerate(zip(items, docs, strict=True), start=1):
            tokens = token_graph(doc, known)
            yield story_sample(tokens, item) if isinstance(item, Story) else sentence_sample(tokens, item)
            if done % 256 == 0:
                progress(done, len(items), "timelines")

    return cached_samples(path, TimelineSample, build)


# -- the loss ----------------------------------------------------------------------------------------------------------


def collate_timelines(samples: Sequence[TimelineSample]) -> dict[str, Tensor]:
    """Samples as one batch of B texts, N tokens at most.

    Returns:
        features (B, N, F), relation (B, N, N), mask (B, N): as `pad` gives them, for `encode`.
        token, piece (T,): as `TimelineHead.forward` takes them beside the states flattened to (B * N, dim).
        pairs (2, P); text (S,), the sample of each piece; shares (S,); duration (S, 11); confidence (S,);
        pair_relation (P,), pair_confidence (P,).
    """
    features, relation, mask = pad([sample.tokens for sample in samples])
    first = np.cumsum([0, *(len(sample.shares) for sample in samples)])[:-1]
    arrays = {
        "features": features,
        "relation": relation,
        "mask": mask,
        "token": np.concatenate([sample.token + i * features.shape[1] for i, sample in enumerate(samples)]),
        "piece": np.concatenate([sample.piece + start for sample, start in zip(samples, first, strict=True)]),
        "pairs": np.concatenate([sample.pairs + start for sample, start in zip(samples, first, strict=True)], axis=1),
        "text": np.repeat(np.arange(len(samples)), [len(sample.shares) for sample in samples]),
        "pair_relation": np.concatenate([sample.relation for sample in samples]),
        "pair_confidence": np.concatenate([sample.confidence[sample.pairs].prod(0) for sample in samples]),
    }
    for name in ("shares", "duration", "confidence"):
        arrays[name] = np.concatenate([getattr(sample, name) for sample in samples])
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def timeline_loss(logits: TimelineLogits, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Losses of a batch, each 0 where the batch has no target for it.

    Args:
        logits: of the batch's pieces and pairs.
        batch: what `collate_timelines` returns.

    Returns:
        "shares": KL divergence from people's shares to the softmax of a story's log durations, mean over stories;
        "overlap": 1 less the overlap (IoU) of the intervals that both make, mean over sentences; "duration":
        cross-entropy with the shares of answers, "relation": cross-entropy, both means weighted by confidence (of
        pairs: the product).
    """
    has_share = batch["shares"] > 0
    text = batch["text"][has_share]
    texts = int(batch["mask"].shape[0])
    stories = max(len(torch.unique(text)), 1)
    scores, shares = logits.log_duration[has_share], batch["shares"][has_share]
    predicted = grouped_log_softmax(scores, text, texts).exp()
    duration = -(batch["duration"] * logits.duration.log_softmax(-1)).sum(-1)
    relation = functional.cross_entropy(logits.relation, batch["pair_relation"], reduction="none")
    return {
        "shares": share_loss(scores, shares, text, texts) / stories,
        "overlap": (1 - interval_overlap(predicted, shares, text)).sum() / max(len(shares), 1),
        "duration": (duration * batch["confidence"]).sum() / batch["confidence"].sum().clamp(min=1e-6),
        "relation": (relation * batch["pair_confidence"]).sum() / batch["pair_confidence"].sum().clamp(min=1e-6),
    }


def interval_overlap(predicted: Tensor, shares: Tensor, text: Tensor) -> Tensor:
    """IoU of the intervals that two sets of shares make when laid one after the other; (S,) each, in [0, 1].

    Args:
        said, shares: positive, sum to 1 within each text.
        text: int64, the text of each share; those of one text stand side by side.
    """

    def bounds(part: Tensor) -> tuple[Tensor, Tensor]:
        # Each earlier text adds exactly 1 to the running sum.
        _, place = torch.unique_consecutive(text, return_inverse=True)
        end = part.cumsum(0) - place
        return end - part, end

    (a, b), (c, d) = bounds(predicted), bounds(shares)
    shared = (torch.minimum(b, d) - torch.maximum(a, c)).clamp(min=0)
    return shared / (b - a + d - c - shared)


def share_loss(log_duration: Tensor, shares: Tensor, text: Tensor, texts: int) -> Tensor:
    """KL divergence from shares to the softmax of a text's log durations, summed over texts; 0 without pieces.

    Args:
        log_duration, shares: (S,), of all pieces of all texts; the shares of a text sum to 1.
        text: int64 (S,) below `texts`.
        texts: how many texts there are at most.
    """
    log_predicted = grouped_log_softmax(log_duration.float(), text, texts)
    return (shares * (shares.clamp(min=1e-6).log() - log_predicted)).sum()


def grouped_log_softmax(scores: Tensor, group: Tensor, groups: int) -> Tensor:
    """Log softmax within groups: scores (S,), int64 group (S,) below `groups` -> (S,)."""
    most = torch.full((groups,), -torch.inf, dtype=scores.dtype, device=scores.device)
    most = most.scatter_reduce(0, group, scores.detach(), "amax")
    shifted = scores - most[group]
    total = torch.zeros(groups, dtype=scores.dtype, device=scores.device).index_add(0, group, shifted.exp())
    return shifted - total.log()[group]
