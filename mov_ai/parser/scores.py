"""What the network says of one text, as probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mov_ai.parser.network import LINKS, PARTS, ROLES


@dataclass(frozen=True)
class Scores:
    """The network's probabilities for one text; N tokens, M chosen ones, P pairs of entities.

    Attributes:
        role: (N, roles).
        direction: (N, directions).
        left: (N, 2, MAX_LEFT + 1), of entities and of attributes.
        form: (N, 2, forms), of entities and of attributes.
        negated: (N,).
        part: (N, parts).
        attribute: (N, N), that the row's entity has the column's attribute.
        chosen: (M,), ascending token numbers; entities, events, attributes, numbers and manners.
        link: (M, M, links), source first.
        order: (M, M, orders).
        pairs: (P, 2), head and tail tokens; all ordered pairs of entities, an entity with itself included.
        predicate: (P, choices of the vocabulary).
        teller: (P, N), which token tells of the predicate.
        label_verb: (labels,), the token of each label's verb, or -1.
        verbs: (T,), the tokens that predicates can be made up of.
        log_duration: (S,), how long each sentence lasts, up to a constant.
    """

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
    teller: np.ndarray
    label_verb: np.ndarray
    verbs: np.ndarray
    log_duration: np.ndarray

    @cached_property
    def roles(self) -> list[str]:
        """The likeliest role of each token."""
        return [ROLES[number] for number in self.role.argmax(-1)]

    @cached_property
    def row(self) -> dict[int, int]:
        """Chosen token -> its row in `link` and `order`, in the order of the text."""
        return {int(token): row for row, token in enumerate(self.chosen)}

    def confidence(self, token: int) -> float:
        """How likely a token's role is."""
        return round(float(self.role[token].max()), 4)

    def part_of(self, token: int) -> str:
        """For which part of the video what a token says most likely holds."""
        return PARTS[int(self.part[token].argmax())]

    def runs(self, role: str) -> list[range]:
        """The phrases of a role whose words all bear it: ranges of neighbouring tokens."""
        tokens = [token for token, name in enumerate(self.roles) if name == role]
        starts = [token for token in tokens if token - 1 not in tokens]
        ends = [token + 1 for token in tokens if token + 1 not in tokens]
        return [range(start, end) for start, end in zip(starts, ends, strict=True)]

    def link_chance(self, source: int, target: int, name: str) -> float:
        """How likely a link is; 0 where one of the tokens was not chosen."""
        if source not in self.row or target not in self.row:
            return 0.0
        return float(self.link[self.row[source], self.row[target], LINKS.index(name)])

    def likeliest_link(self, source: int, target: int) -> str:
        """What one token most likely is to another."""
        if source not in self.row or target not in self.row:
            return "none"
        return LINKS[int(self.link[self.row[source], self.row[target]].argmax())]
