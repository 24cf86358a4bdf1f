"""Words of a caption that no mention points at: numbers, and the words of spatial relations."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mov_ai.captions.lexicon import OtherWords, RelationWords, load
from mov_ai.captions.text import Span

_NUMBERS = {"two": 2, "2": 2, "pair": 2, "three": 3, "3": 3, **load("other_words", OtherWords).numbers}
_RELATIONS = load("relations", RelationWords)


def number_before(text: str, start: int, count: int) -> Span | None:
    """Where the word for `count` stands that is nearest before a noun starting at `start`; None if there is none."""
    first = max(0, start - 60)
    words = [m for m in re.finditer(r"[A-Za-z0-9]+", text[first:start]) if _NUMBERS.get(m[0].lower()) == count]
    return (first + words[-1].start(), first + words[-1].end()) if words else None


def spatial_words(
    text: str, sources: Sequence[Span], targets: Sequence[Span], label: str
) -> tuple[Span, Span, Span] | None:
    """The mentions that a relation's words stand between: (source, target, words), or None."""
    wordings = {*_RELATIONS.common.get(label, ()), *_RELATIONS.more.get(label, ())}
    options = sorted((t[0] - s[1], s, t) for s in sources for t in targets if t[0] > s[1])
    for _, source, target in options:
        for wording in sorted(wordings, key=len, reverse=True):
            match = re.search(rf"\b{wording}\b", text[source[1] : target[0]], re.IGNORECASE)
            if match:
                return source, target, (source[1] + match.start(), source[1] + match.end())
    return None
