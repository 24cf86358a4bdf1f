"""How much a parser loses on words that its training captions hold seldom or never."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

#: Least number of training captions that hold the rarest word of a caption -> what the group is called.
GROUPS = {0: "never", 1: "1 or 2", 3: "3 to 9", 10: "10 to 29", 30: "30 or more"}


class RarityRow(NamedTuple):
    """Captions whose rarest word was seen so often in training; `right` is a share of the n captions."""

    seen: str
    n: int
    right: float


def by_rarest_word(training: Iterable[str], captions: Sequence[str], right: Sequence[bool]) -> list[RarityRow]:
    """The share of captions that are right, by the number of training captions that hold the rarest of their words.

    Args:
        training: the captions of the training split.
        captions: those measured; words are runs of letters, in lower case.
        right: for each, whether its triples are those of the gold graph.

    Returns:
        Rows in the order of `GROUPS`, those without captions left out.
    """
    word_counts = Counter(word for text in training for word in set(_words(text)))
    total: Counter[int] = Counter()
    good: Counter[int] = Counter()
    for text, fine in zip(captions, right, strict=True):
        rarest = min((word_counts[word] for word in _words(text)), default=max(GROUPS))
        group = max(least for least in GROUPS if least <= rarest)
        total[group] += 1
        good[group] += fine
    return [RarityRow(GROUPS[group], total[group], good[group] / total[group]) for group in GROUPS if total[group]]


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.lower())
