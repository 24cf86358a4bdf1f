"""Samples that train the parser: token graphs with what the network should say of them, packed and batched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mov_ai.parser.network import MAX_LEFT
from mov_ai.parser.token_graph import TokenGraph, pad
from mov_ai.parser.vocabulary import Vocabulary

IGNORED = -100


@dataclass(frozen=True)
class Sample:
    """A token graph and the network's targets for it; N tokens, M chosen ones, P pairs of entities.

    Whatever a source does not tell is ignored (-100).

    Attributes:
        features, edges, relation: the token graph's.
        role: (N,) index in ROLES.
        direction: (N,) index in DIRECTIONS for events.
        left: (N, 2) words before the head, of entities and of attributes.
        form: (N, 2) index in the vocabulary's forms, of entities and of attributes.
        negated: (N,) 0 or 1 for entities, attributes and events.
        part: (N,) index in PARTS for entities, attributes, camera moves and places on the screen.
        attribute: (N, N) 0 or 1, whether the row's entity has the column's attribute; -100 in other rows.
        chosen: (M,) tokens whose pairs are scored.
        link: (M, M) index in LINKS.
        order: (M, M) index in ORDERS for pairs of events.
        pairs: (P, 2) head and tail token.
        predicate: (P,) choice of the vocabulary; 0 for no predicate.
        label_verb: (K, 2) label and token of its verb, for the labels whose verb is in the text.
        verbs: (T,) tokens that predicates can be made up of.
        labels, endings: numbers of the labels and endings that the text's words allow.
        sentences: (S,) first token of each sentence.
        shares: (S,) thousandths of the clip that each sentence lasts, 0 if nothing happens in it; empty if that is
            not known.
    """

    features: np.ndarray
    edges: np.ndarray
    relation: np.ndarray
    role: np.ndarray
    direction: np.ndarray
    left: np.ndarray
    form: np.ndarray
    negated: np.ndarray
    part: np.ndarray
    attribute: np.ndarray
    chosen: np.ndarray
    link: np.ndarray
    order: np.ndarray
    pairs: np.ndarray
    predicate: np.ndarray
    label_verb: np.ndarray
    verbs: np.ndarray
    labels: np.ndarray
    endings: np.ndarray
    sentences: np.ndarray
    shares: np.ndarray

    def __len__(self) -> int:
        return len(self.role)

    def graph(self) -> TokenGraph:
        """The token graph, without its words: training does not read them."""
        spans = np.zeros((0, 2), dtype=np.int64)
        return TokenGraph(self.features, self.edges, self.relation, spans, (), (), (), (), ())


class Targets:
    """An empty sample to be filled in: nothing is known yet."""

    def __init__(self, tokens: TokenGraph) -> None:
        count = len(tokens)
        self.tokens = tokens
        self.role = np.zeros(count, dtype=np.int64)
        self.direction, self.negated, self.part = (np.full(count, IGNORED, dtype=np.int64) for _ in range(3))
        self.left, self.form = (np.full((count, 2), IGNORED, dtype=np.int64) for _ in range(2))
        self.attribute = np.full((count, count), IGNORED, dtype=np.int64)
        self.links: dict[tuple[int, int], int] = {}
        self.predicates: dict[tuple[int, int], int] = {}
        #: Thousandths of the clip that each sentence lasts.
        self.shares: list[int] = []

    def set_left(self, token: int, kind: int, words: int) -> None:
        """How many words stand before a head; kind 0 for an entity's, 1 for an attribute's."""
        self.left[token, kind] = min(words, MAX_LEFT)

    def sample(self, chosen: np.ndarray, order: np.ndarray | None, vocabulary: Vocabulary) -> Sample:
        """The finished sample; chosen (M,) ascending tokens, order (M, M) or None if nothing is known of it."""
        row = {int(token): i for i, token in enumerate(chosen)}
        link = np.zeros((len(chosen), len(chosen)), dtype=np.int64)
        for (source, target), name in self.links.items():
            link[row[source], row[target]] = name
        label_verb, verbs, labels, endings = vocabulary.wording(self.tokens)
        with_verb = np.flatnonzero(label_verb >= 0)
        return Sample(
            self.tokens.features,
            self.tokens.edges,
            self.tokens.relation,
            self.role,
            self.direction,
            self.left,
            self.form,
            self.negated,
            self.part,
            self.attribute,
            chosen,
            link,
            np.full_like(link, IGNORED) if order is None else order,
            np.array(list(self.predicates), dtype=np.int64).reshape(-1, 2),
            np.array(list(self.predicates.values()), dtype=np.int64),
            np.stack([with_verb, label_verb[with_verb]], axis=1),
            verbs,
            labels,
            endings,
            np.array(self.tokens.sentences, dtype=np.int64),
            np.array(self.shares, dtype=np.int64),
        )


def collate(samples: Sequence[Sample], vocabulary: Vocabulary) -> dict[str, Tensor]:
    """Samples as one batch.

    Returns:
        features (B, N, F), relation (B, N, N), mask (B, N); targets role, direction, negated, part (B, N), left and
        form (B, N, 2), attribute (B, N, N); chosen (B, M), link and order (B, M, M); pairs (P, 3) and predicate (P,);
        label_verb and labels (B, labels), verbs (B, T), endings (B, K), label_ending (labels,).
        told_token, told_piece (T,), told_text, told_shares (S,): the sentences whose shares are known, as
        `TimelineHead.forward` takes them, the text of each and its share. Filled up with 0, targets with -100.
    """
    features, relation, mask = pad([sample.graph() for sample in samples])
    arrays = {"features": features, "relation": relation, "mask": mask}
    most = mask.shape[1]
    for name in ("role", "direction", "negated", "part", "left", "form"):
        shape = (len(samples), most, *getattr(samples[0], name).shape[1:])
        arrays[name] = np.full(shape, IGNORED, dtype=np.int64)
        for i, sample in enumerate(samples):
            arrays[name][i, : len(sample)] = getattr(sample, name)
    arrays["attribute"] = np.full((len(samples), most, most), IGNORED, dtype=np.int64)
    width = max(1, *(len(sample.chosen) for sample in samples))
    arrays["chosen"] = np.zeros((len(samples), width), dtype=np.int64)
    for name in ("link", "order"):
        arrays[name] = np.full((len(samples), width, width), IGNORED, dtype=np.int64)
    arrays["label_verb"] = np.full((len(samples), len(vocabulary.labels)), -1, dtype=np.int64)
    arrays["verbs"] = np.full((len(samples), max(len(s.verbs) for s in samples)), -1, dtype=np.int64)
    arrays["label_ending"] = vocabulary.label_endings
    arrays["labels"] = np.zeros((len(samples), len(vocabulary.labels)), dtype=bool)
    arrays["endings"] = np.zeros((len(samples), len(vocabulary.endings)), dtype=bool)
    pairs = []
    for i, sample in enumerate(samples):
        n, m = len(sample), len(sample.chosen)
        arrays["attribute"][i, :n, :n] = sample.attribute
        arrays["chosen"][i, :m] = sample.chosen
        arrays["link"][i, :m, :m], arrays["order"][i, :m, :m] = sample.link, sample.order
        arrays["label_verb"][i, sample.label_verb[:, 0]] = sample.label_verb[:, 1]
        arrays["verbs"][i, : len(sample.verbs)] = sample.verbs
        arrays["labels"][i, sample.labels] = True
        arrays["endings"][i, sample.endings] = True
        pairs.append(np.insert(sample.pairs, 0, i, axis=1))
    arrays |= _sentence_shares(samples, most)
    arrays["pairs"] = np.concatenate(pairs)
    arrays["predicate"] = np.concatenate([sample.predicate for sample in samples])
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _sentence_shares(samples: Sequence[Sample], most: int) -> dict[str, np.ndarray]:
    token: list[np.ndarray] = []
    piece: list[np.ndarray] = []
    text: list[int] = []
    shares: list[float] = []
    for i, sample in enumerate(samples):
        if len(sample.shares) < 2:
            continue
        lasting = np.flatnonzero(sample.shares)
        number = np.searchsorted(sample.sentences, np.arange(len(sample)), side="right") - 1
        inside = np.flatnonzero(np.isin(number, lasting))
        token.append(inside + i * most)
        piece.append(np.searchsorted(lasting, number[inside]) + len(text))
        text += [i] * len(lasting)
        shares += (sample.shares[lasting] / sample.shares.sum()).tolist()
    empty = np.zeros(0, dtype=np.int64)
    return {
        "told_token": np.concatenate([empty, *token]),
        "told_piece": np.concatenate([empty, *piece]),
        "told_text": np.array(text, dtype=np.int64),
        "told_shares": np.array(shares, dtype=np.float32),
    }
