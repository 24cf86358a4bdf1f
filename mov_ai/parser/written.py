"""What is written on things, between quotation marks or without them: `a sign that says "red ball"`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mov_ai.parser.network import ROLES
from mov_ai.parser.scores import Scores
from mov_ai.parser.token_graph import TokenGraph

#: Quotation marks, as tokens.
QUOTES = ('"', "''", "``", "“", "”", "‘", "’", "'", "«", "»")
_TEXT = "attribute:text"


def quoted(tokens: TokenGraph, last: int) -> range | None:
    """The tokens between the quotation marks that close right behind a token; None if none do."""
    words = tokens.words
    if last + 1 >= len(tokens) or words[last + 1] not in QUOTES:
        return None
    start = next((t for t in range(last, -1, -1) if words[t] in QUOTES), None)
    return None if start is None else range(start + 1, last + 1)


def without_written(tokens: TokenGraph, scores: Scores) -> Scores:
    """The scores in which words of a written text are nothing by themselves: no ball is there that a sign speaks of."""
    texts = [(t, quoted(tokens, t)) for t, role in enumerate(scores.roles) if role == _TEXT]
    inside = [token for last, span in texts if span is not None for token in span if token != last]
    if not inside:
        return scores
    role, attribute, predicate = scores.role.copy(), scores.attribute.copy(), scores.predicate.copy()
    role[inside] = 0
    role[inside, ROLES.index("none")] = 1
    attribute[:, inside] = 0
    unrelated = np.isin(scores.pairs, inside).any(1)
    predicate[unrelated] = 0
    predicate[unrelated, 0] = 1
    return replace(scores, role=role, attribute=attribute, predicate=predicate)
