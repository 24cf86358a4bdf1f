"""What the network says of one text, as probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scores:
    """The network's probabilities for one text; N tokens, M chosen ones, P pairs of entities.

    Attributes:
        role: (N, roles).
        direction: (N, directions).
        left: (N, 2, MAX_LEFT + 1), of entities and of attributes.
        form: (N, 2, forms), of entities and of attributes.
        negated: (N,).
        attribute: (N, N), that the row's entity has the column's attribute.
        chosen: (M,), ascending token numbers; entities, events, attributes, numbers and manners.
        link: (M, M, links), source first.
        order: (M, M, orders).
        pairs: (P, 2), head and tail tokens; all ordered pairs of entities, an entity with itself included.
        predicate: (P, choices of the vocabulary).
        said: (P, N), which token tells of the predicate.
        label_verb: (labels,), the token of each label's verb, or -1.
        verbs: (T,), the tokens that predicates can be made up of.
        log_duration: (S,), how long each sentence lasts, up to a constant.
    """

    role: np.ndarray
    direction: np.ndarray
    left: np.ndarray
    form: np.ndarray
    negated: np.ndarray
    attribute: np.ndarray
    chosen: np.ndarray
    link: np.ndarray
    order: np.ndarray
    pairs: np.ndarray
    predicate: np.ndarray
    said: np.ndarray
    label_verb: np.ndarray
    verbs: np.ndarray
    log_duration: np.ndarray
