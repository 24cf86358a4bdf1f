"""Scores as a network would give that is sure of everything."""

from __future__ import annotations

import numpy as np

from mov_ai.parser.network import DIRECTIONS, LINKS, MAX_LEFT, ORDERS, PARTS, ROLES
from mov_ai.parser.scores import Scores
from mov_ai.parser.token_graph import TokenGraph
from mov_ai.parser.vocabulary import Vocabulary
from mov_ai.training.parser_samples import Sample


def certain(index: np.ndarray, size: int) -> np.ndarray:
    """Probabilities that are sure of an index."""
    return np.eye(size)[np.maximum(index, 0)]


def certain_scores(sample: Sample, tokens: TokenGraph, vocabulary: Vocabulary) -> Scores:
    """What a sample's targets say, with certainty; what they leave open counts as nothing."""
    wording = vocabulary.wording(tokens)
    entities = np.flatnonzero(sample.role == ROLES.index("entity"))
    pairs = np.array([(a, b) for a in entities for b in entities], dtype=np.int64).reshape(-1, 2)
    told = {tuple(pair): choice for pair, choice in zip(sample.pairs.tolist(), sample.predicate.tolist(), strict=True)}
    choices = np.array([max(told.get((int(a), int(b)), 0), 0) for a, b in pairs], dtype=np.int64)
    size = len(vocabulary.labels) + len(wording.verbs) * len(vocabulary.endings)
    return Scores(
        certain(sample.role, len(ROLES)),
        certain(sample.direction, len(DIRECTIONS)),
        certain(sample.left, MAX_LEFT + 1),
        certain(sample.form, len(vocabulary.forms)),
        (sample.negated == 1).astype(float),
        certain(sample.part, len(PARTS)),
        (sample.attribute == 1).astype(float),
        sample.chosen,
        certain(sample.link, len(LINKS)),
        certain(sample.order, len(ORDERS)),
        pairs,
        certain(choices, size),
        np.ones((len(pairs), len(tokens))) / max(len(tokens), 1),
        wording.label_verb,
        wording.verbs,
        np.log(np.maximum(sample.shares, 1)) if len(sample.shares) else np.zeros(len(tokens.sentences)),
    )
