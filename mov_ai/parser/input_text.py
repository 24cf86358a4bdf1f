"""What the parser takes: texts that it can read, and phrases that are given as their entities."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mov_ai.errors import UsageError
from mov_ai.parser.lemmas import WORDS
from mov_ai.parser.token_graph import TokenGraph

if TYPE_CHECKING:
    from spacy.language import Language

MAX_TOKENS = 400
#: Characters that are looked at before any work: no text of `MAX_TOKENS` words comes near.
_MAX_CHARACTERS = 20_000
#: spaCy's tokenizer takes minutes for thousands of symbols in a row.
_MAX_WORD = 1000


def check_text(text: str) -> None:
    """Refuse what no parser could read, before any work. Raises UsageError."""
    if not isinstance(text, str):
        raise UsageError(f"expected a text; found {type(text).__name__}")
    if not text.strip():
        raise UsageError("empty prompt: say what the video should show, such as 'a red ball rolls left'")
    if len(text) > _MAX_CHARACTERS:
        raise UsageError(
            f"the prompt has {len(text)} characters; the parser reads at most {MAX_TOKENS} words: shorten it"
        )
    if (count := len(text.split())) > MAX_TOKENS:
        # A lower bound on the tokens, and quick: spaCy would take seconds to say the same.
        raise UsageError(
            f"the prompt has {count} words; the parser reads at most {MAX_TOKENS} words and punctuation marks: "
            "shorten it or split it into several prompts"
        )
    longest = max(len(piece) for piece in text.split())
    if longest > _MAX_WORD:
        raise UsageError(
            f"the prompt has {longest} characters without a blank; the parser reads words of at most {_MAX_WORD}: "
            "shorten it"
        )
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise UsageError("the prompt holds half of a surrogate pair, which is not a character: remove it")


def check_length(text: str, spacy: Language) -> None:
    """Raises UsageError for a text of more than `MAX_TOKENS` words and punctuation marks, before any is tagged."""
    if len(text) <= MAX_TOKENS:
        # Each has a character at least; the tokenizer need not run twice.
        return
    count = sum(not token.is_space for token in spacy.make_doc(text))
    if count > MAX_TOKENS:
        raise UsageError(
            f"the prompt has {count} words and punctuation marks; the parser reads at most {MAX_TOKENS}: "
            "shorten it or split it into several prompts"
        )


def looks_foreign(text: str) -> bool:
    """Whether a text is likely not English: other letters, or the small words of other languages."""
    letters = [c for c in text if c.isalpha()]
    other = sum(not c.isascii() for c in letters)
    if len(letters) >= 4 and other > 0.3 * len(letters):
        return True
    # But for the first, a capital is a name's: "Van Gogh", "the El Greco painting".
    words = re.findall(r"\w+", text.lower() if text.isupper() else text[:1].lower() + text[1:])
    foreign = sum(word in WORDS["foreign"] for word in words)
    english = sum(word.lower() in WORDS["english"] for word in words)
    return foreign >= 2 and foreign > english


def given_heads(text: str, tokens: TokenGraph, entities: Sequence[str | tuple[int, int]]) -> list[tuple[int, int]]:
    """Where entities that are known beforehand stand: for each the last token and the number of tokens before it.

    Args:
        entities: phrases or character ranges; the same phrase again is its next occurrence. UsageError for one that is
            not in the text.
    """
    if isinstance(entities, str):
        raise UsageError(f"entities: expected a list of phrases; found the text {entities!r}")
    heads: list[tuple[int, int]] = []
    for entity in entities:
        if isinstance(entity, str):
            pattern = r"(?<!\w)" + r"\s+".join(re.escape(word) for word in entity.split()) + r"(?!\w)"
            ranges = [match.span() for match in re.finditer(pattern, text, re.IGNORECASE)] if entity.strip() else []
        else:
            ranges = [entity] if 0 <= entity[0] < entity[1] <= len(text) else []
        places = [np.flatnonzero((tokens.spans[:, 0] < end) & (tokens.spans[:, 1] > start)) for start, end in ranges]
        free = [place for place in places if len(place) and all(head != place[-1] for head, _ in heads)]
        if not free:
            # Written out, a character may take ten.
            raise UsageError(
                f"entity {repr(entity)[:80]} is not in the text {repr(text)[:80]}; give phrases as they stand "
                "there, or character ranges"
            )
        # The name starts after its article: "the dog" is named "dog".
        words = [int(token) for token in free[0]]
        while len(words) > 1 and tokens.tags[words[0]] in ("DT", "PDT", "PRP$"):
            del words[0]
        heads.append((words[-1], len(words) - 1))
    return heads
