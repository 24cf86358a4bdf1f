"""Pieces of a text that know what they speak of, and the text that they make."""

from __future__ import annotations

from collections.abc import Sequence

Span = tuple[int, int]
#: What a word speaks of: ("entity", actor), ("attribute", actor, kind, which of its values), ("event", number in the
#: order of the telling), ("setting",) or ("light",); ("mark", kind, *key) for words that name no node of their own.
Key = tuple[str | int, ...]
Piece = tuple[str, Key | None]


def say(*texts: str) -> list[Piece]:
    """Words that speak of no node; empty ones are left out."""
    return [(text, None) for text in texts if text]


def about(text: str, *key: str | int) -> list[Piece]:
    """Words that speak of a node."""
    return [(text, key)]


def joined(pieces: Sequence[Piece], lower: bool, full_stop: bool) -> tuple[str, list[tuple[Span, Key]]]:
    """The text of the pieces, and where it speaks of what.

    `lower`: sentences start with small letters. `full_stop`: the last has one; texts of several sentences always do.
    """
    text, spans = "", []
    start_of_sentence = True
    for words, key in pieces:
        if text and words[0] not in ",.;:" and words != "'s":
            text += " "
        start = len(text)
        text += words[0].upper() + words[1:] if start_of_sentence and not lower else words
        start_of_sentence = words == "."
        if key is not None:
            spans.append(((start, len(text)), key))
    return text + ("." if full_stop or ". " in text else ""), spans
