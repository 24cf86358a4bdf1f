"""WordNet from flat text: which words may mean the same, and which words a form may come from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import islice
from pathlib import Path

from mov_ai.data.downloads import data_file
from mov_ai.errors import UsageError

#: Ending -> what takes its place: nouns, verbs, adjectives. These are the rules of WordNet's "morphy"; the order
#: decides which base form is taken, and is that of FACTUAL's evaluator.
_ENDINGS = (
    *(("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh")),
    *(("men", "man"), ("ies", "y")),
    *(("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
    *(("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
)
_PLURALS = (*_ENDINGS[:8], ("ves", "f"))
_NONE: frozenset[str] = frozenset()


class WordNet:
    """Words, the sets of synonyms that each belongs to, and irregular forms.

    Args:
        synsets: word in lower case, several words joined by "_" -> identifiers of its sets, separated by spaces.
        bases: irregular form -> the words that it may be a form of.
    """

    def __init__(self, synsets: Mapping[str, str], bases: Mapping[str, tuple[str, ...]]) -> None:
        self._synsets = synsets
        self._bases = bases
        self._looked_up: dict[str, frozenset[str]] = {}

    @classmethod
    def read(cls, synsets: Path, exceptions: Path) -> WordNet:
        """Read two files of lines in pairs: a word and its sets; a word and its irregular forms. Raises UsageError."""
        bases: dict[str, list[str]] = {}
        for base, forms in _pairs(exceptions):
            for form in forms.split():
                bases.setdefault(form, []).append(base)
        return cls(dict(_pairs(synsets)), {form: tuple(words) for form, words in bases.items()})

    def __contains__(self, word: str) -> bool:
        return word in self._synsets

    def single_words(self) -> dict[str, frozenset[str]]:
        """Words of ASCII letters only, irregular forms among them, with the sets that each belongs to."""
        words = {word: self._own(word) for word in self._synsets if word.isascii() and word.isalpha()}
        for form, bases in self._bases.items():
            if form not in words and form.isascii() and form.isalpha():
                words[form] = frozenset().union(*(self._own(base) for base in bases))
        return {word: sets for word, sets in words.items() if sets}

    def synsets(self, text: str) -> frozenset[str]:
        """Identifiers of the sets that a word or phrase belongs to, by itself or by its base form; may be empty.

        Irregular forms go by the list and by nothing else; other words lose the first ending that leaves a known word.
        """
        if text not in self._looked_up:
            word = "_".join(text.lower().split())
            stems = self._bases.get(word) or (self._stem(word),)
            self._looked_up[text] = frozenset().union(*(self._own(form) for form in (word, *stems)))
        return self._looked_up[text]

    def base_forms(self, word: str) -> set[str]:
        """Every known word that `word` (lower case) may be a form of, by the list or by any of the endings."""
        regular = {word.removesuffix(ending) + instead for ending, instead in _ENDINGS if word.endswith(ending)}
        return {*self._bases.get(word, ()), *(base for base in regular if base in self)}

    def noun_lemma(self, word: str) -> str:
        """The shortest known word that `word` (lower case) may be a plural of, itself if there is none.

        After NLTK's `WordNetLemmatizer`, as far as these files allow: they do not say which words are nouns, so a word
        whose plural ending leaves only a verb is cut too, and irregular forms are used only where the form is no word.
        """
        forms = [word, *(() if word in self else self._bases.get(word, ()))]
        forms += [word.removesuffix(ending) + instead for ending, instead in _PLURALS if word.endswith(ending)]
        return min((form for form in forms if form in self), key=len, default=word)

    def _own(self, word: str) -> frozenset[str]:
        return frozenset(self._synsets[word].split()) if word in self._synsets else _NONE

    def _stem(self, word: str) -> str:
        if word.endswith("ful"):
            # "spoonful" means what "spoon" means; no other ending is tried.
            return word.removesuffix("ful") if word.removesuffix("ful") in self else word
        if word.endswith("ss") or len(word) <= 2:
            return word
        for ending, instead in _ENDINGS:
            base = word.removesuffix(ending) + instead
            if word.endswith(ending) and base in self:
                return base
        return word


@cache
def load_wordnet() -> WordNet:
    """WordNet from the dataset files, read once (0.2 s). Raises MovAIError if they cannot be fetched."""
    return WordNet.read(data_file("wordnet/english.synsets"), data_file("wordnet/english.exceptions"))


def _pairs(path: Path) -> list[tuple[str, str]]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").removesuffix("\n").split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as UTF-8 text ({error}); fetch it again") from None
    if len(lines) % 2:
        raise UsageError(f"{path}: expected lines in pairs; found {len(lines)} lines: fetch it again")
    return list(zip(islice(lines, 0, None, 2), islice(lines, 1, None, 2), strict=True))
