"""Words as numbers, and what a word may be a regular form of."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

#: Endings of regular forms, and what takes their place; None: the consonant before it once instead of twice.
_ENDINGS: tuple[tuple[str, str | None], ...] = (
    *(("ies", "y"), ("s", ""), ("es", "")),
    *(("ied", "y"), ("ed", "e"), ("ed", ""), ("ed", None)),
    *(("ing", "e"), ("ing", ""), ("ing", None)),
    *(("ier", "y"), ("er", "e"), ("er", ""), ("er", None)),
    *(("iest", "y"), ("est", "e"), ("est", ""), ("est", None)),
)
#: Endings that make one word of another, and leave most of what it means.
_DERIVING = ("wards", "ward", "like", "ness", "ally", "ly", "ish", "ful", "y")


def word_key(word: str) -> int:
    """A number below 2^31 for a word, the same on every machine."""
    return zlib.crc32(word.encode("utf-8", "replace")) & 0x7FFFFFFF


def stems(word: str) -> Iterator[str]:
    """What a word in lower case may be a regular form of, likeliest first; some are no words."""
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) > len(ending) + 1:
            stem = word[: -len(ending)]
            if instead is not None:
                stem += instead
            elif stem[-1:] == stem[-2:-1]:
                stem = stem[:-1]
            else:
                continue
            # "ths" is no plural of thorium's symbol.
            if len(stem) > 2:
                yield stem


def base_words(word: str) -> Iterator[str]:
    """What a word in lower case may be a form of, or may be made from ("leftward": "left"), likeliest first."""
    yield from stems(word)
    for ending in _DERIVING:
        if word.endswith(ending) and len(word) > len(ending) + 2:
            stem = word[: -len(ending)]
            yield stem
            # "greenish": "green"; "whitish": "white"; "reddish": "red".
            yield stem + "e"
            if stem[-1] == stem[-2]:
                yield stem[:-1]
