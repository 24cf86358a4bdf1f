"""Misspelt words: what was meant, and where it stands in the text as it was written."""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from mov_ai.labels.word_forms import stems
from mov_ai.parser.lexicon import load_lexicon

#: Words that no hyphen, apostrophe or digit touches; names begin with a capital and are left alone.
_WORD = re.compile(r"(?<![\w'’.@/-])[A-Za-z]?[a-z]{3,}(?![\w'’@/-])")
#: Words shorter than this keep their first letter, for too much is near them.
_SHORT = 5
#: Rows of the keyboard, each half a key to the right of the one above, and letters that are written for one another by
#: their sound.
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_ALIKE = ("aeiouy", "csz", "ckq", "gj", "fv", "dt", "bp", "mn")


@dataclass(frozen=True)
class Corrected:
    """A text with its misspelt words replaced.

    Attributes:
        text: as it was meant.
        replaced: (start, end) in the original and the length of the new word, ascending.
    """

    text: str
    replaced: tuple[tuple[int, int, int], ...] = ()

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The character range of the original that a range of `text` stands for."""
        return self._place(start, False), self._place(end, True)

    @cached_property
    def _starts(self) -> list[int]:
        """Where the replaced words begin in `text`."""
        starts, shift = [], 0
        for start, end, length in self.replaced:
            starts.append(start + shift)
            shift += length - (end - start)
        return starts

    def _place(self, position: int, is_end: bool) -> int:
        index = bisect.bisect_left(self._starts, position) - 1 if is_end else bisect.bisect(self._starts, position) - 1
        if index < 0:
            return position
        (start, end, length), begin = self.replaced[index], self._starts[index]
        if position < begin + length or (is_end and position == begin + length):
            return end if is_end else start
        return end + position - begin - length


class Spelling:
    """Corrects unknown words that are one mistyped key away from a known one.

    A slip is a letter too many, too few, two exchanged (Damerau 1964), or a key beside the right one or a letter that
    sounds like it: "ramen" is no raven. An apostrophe may be missing ("isnt"). A word is known if the parser's captions
    or the lexicon have it. Of several words that are one slip away the commonest is taken.

    Args:
        words: those of the parser's captions, in lower case, commonest first.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = [word for word in words if len(word) > 2]
        self._known = frozenset(words)
        self._corrections: dict[str, str] = {}

    def __call__(self, text: str) -> Corrected:
        """Correct a text."""
        parts: list[str] = []
        replaced: list[tuple[int, int, int]] = []
        done = 0
        for match in _WORD.finditer(text):
            meant = self._meant(match.group(), is_first=not text[: match.start()].strip())
            if meant != match.group():
                parts += [text[done : match.start()], meant]
                replaced.append((*match.span(), len(meant)))
                done = match.end()
        return Corrected("".join([*parts, text[done:]]), tuple(replaced)) if replaced else Corrected(text)

    def _meant(self, word: str, is_first: bool) -> str:
        """What a word of a text was meant to be, with its capital; `is_first`: it begins the text."""
        contraction = _contraction(word)
        if contraction is not None:
            return contraction
        # A capital within the text is a name's.
        if word.lower() in self._known or (word[0].isupper() and not is_first):
            return word
        correction = self.correction(word.lower())
        return correction.capitalize() if word[0].isupper() else correction

    def correction(self, word: str) -> str:
        """What a word in lower case was meant to be; itself if it is known or nothing is near."""
        if word not in self._corrections:
            self._corrections[word] = self._nearest(word)
        return self._corrections[word]

    def _nearest(self, word: str) -> str:
        from rapidfuzz import process
        from rapidfuzz.distance import OSA
        from spacy.lang.en.stop_words import STOP_WORDS

        is_known = word in self._known or word in STOP_WORDS or load_lexicon().knows(word)
        if is_known or any(stem in self._known for stem in stems(word)):
            return word
        near = process.extract(word, self._words, scorer=OSA.distance, score_cutoff=1, limit=None)
        fitting = [
            place
            for candidate, _, place in near
            if (len(word) >= _SHORT or candidate[0] == word[0]) and _is_slip(word, candidate)
        ]
        return self._words[min(fitting)] if fitting else word


@cache
def _contraction(word: str) -> str | None:
    """ "isn't" for "isnt"; None for all else."""
    from spacy.lang.en.tokenizer_exceptions import TOKENIZER_EXCEPTIONS

    meant = f"{word[:-1]}'t"
    return meant if word.endswith("nt") and word in TOKENIZER_EXCEPTIONS and meant in TOKENIZER_EXCEPTIONS else None


def _is_slip(written: str, meant: str) -> bool:
    """Whether a word that is one letter away can be what was meant: where one stands for another, they are near."""
    if len(written) != len(meant):
        return True
    differing = [pair for pair in zip(written, meant, strict=True) if pair[0] != pair[1]]
    return len(differing) != 1 or differing[0] in _near_letters()


@cache
def _near_letters() -> frozenset[tuple[str, str]]:
    """Pairs of letters whose keys are neighbours, or that sound alike."""
    keys = {letter: (x + y / 2, y) for y, row in enumerate(_ROWS) for x, letter in enumerate(row)}
    near = {(a, b) for a, (x, y) in keys.items() for b, (u, v) in keys.items() if abs(x - u) <= 1 and abs(y - v) <= 1}
    return frozenset(near | {(a, b) for letters in _ALIKE for a in letters for b in letters})
