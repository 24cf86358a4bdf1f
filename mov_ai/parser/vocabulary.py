"""How nodes and predicates are worded: what the network chooses among, and the words that a choice stands for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from mov_ai.checked_config import ChannelsOrNone
from mov_ai.errors import UsageError
from mov_ai.parser.lemmas import noun_lemma, verb_lemma
from mov_ai.parser.spelling import Spelling
from mov_ai.parser.token_graph import TokenGraph

#: Ways to word a node by the words of its span: as they stand, with the last one in the singular, without blanks.
#: Every other form is "=" and the words themselves ("=person" for "someone").
COPY, SINGULAR, JOINED = "copy", "singular", "joined"
#: Verbs that hold no content of their own: they are no predicate's verb unless a label says so.
_EMPTY_VERBS = ("be", "is", "'s", "have", "do", "get")
#: Words without blanks -> how FACTUAL writes them, whether the caption has a blank there or nothing.
_HYPHENATED = {
    "tshirt": "t-shirt",
    "tshirts": "t-shirts",
    "multicolored": "multi-colored",
    "multicoloured": "multi-colored",
    "middleaged": "middle-aged",
}
_LISTS = ("forms", "labels", "verbs", "endings", "free_labels", "free_endings", "words")


#: Words that a preposition of several words has before its last one, at most: "at the edge of".
_LONGEST = 3
_Index = dict[str, list[tuple[int, frozenset[str]]]]


class TextWording(NamedTuple):
    """What a text's words allow its predicates to be."""

    label_verb: np.ndarray  # int64 (labels,): the first token that is a form of the label's verb, or -1
    verbs: np.ndarray  # int64 (T,): the tokens that predicates can be made up of
    labels: np.ndarray  # int64: numbers of the labels that the text can have, ascending
    endings: np.ndarray  # int64: numbers of the endings, ascending


@dataclass(frozen=True)
class Vocabulary:
    """The network's choices of words.

    Attributes:
        forms: ways to word a node; the first three are `COPY`, `SINGULAR` and `JOINED`.
        labels: predicates as FACTUAL words them ("sit on", "on top of"); the first is "", no predicate.
        verbs: the verb that each label begins with, in the order of `labels`; "" where it has none.
        endings: what follows a verb; the first is "".
        free_labels, free_endings: numbers of those that may be used though some of their words are not in the text
            ("wear" for "in"); all others are copied.
        words: those of the captions that have an embedding of their own, in lower case, commonest first; all words
            have one if there are none here.
    """

    forms: tuple[str, ...] = (COPY, SINGULAR, JOINED)
    labels: tuple[str, ...] = ("",)
    verbs: tuple[str, ...] = ("",)
    endings: tuple[str, ...] = ("",)
    free_labels: tuple[ChannelsOrNone, ...] = (0,)
    free_endings: tuple[ChannelsOrNone, ...] = (0,)
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.verbs) != len(self.labels):
            raise UsageError(
                f"vocabulary: {len(self.labels)} labels, but {len(self.verbs)} verbs; train the parser again"
            )
        for name, numbers, words in (
            ("free_labels", self.free_labels, self.labels),
            ("free_endings", self.free_endings, self.endings),
        ):
            if any(number >= len(words) for number in numbers):
                raise UsageError(f"vocabulary: {name}: expected numbers below {len(words)}; found {max(numbers)}")

    @cached_property
    def known(self) -> frozenset[str] | None:
        """The words that have an embedding of their own; None if all have."""
        return frozenset(self.words) or None

    @cached_property
    def spelling(self) -> Spelling:
        """Corrects what is nearly one of the words; nothing if there are none."""
        return Spelling((*self.words, *_HYPHENATED) if self.words else ())

    @cached_property
    def _by_verb(self) -> dict[str, list[int]]:
        """Verb -> the labels that begin with it."""
        labels_of_verb: dict[str, list[int]] = {}
        for i, verb in enumerate(self.verbs):
            if verb:
                labels_of_verb.setdefault(verb, []).append(i)
        return labels_of_verb

    @cached_property
    def _label_words(self) -> _Index:
        return _by_first_word(self.labels)

    @cached_property
    def _ending_words(self) -> _Index:
        return _by_first_word(self.endings)

    def extended(self, phrases: Sequence[str], words: Sequence[str]) -> Vocabulary:
        """The same with more words, and with phrases that relate two things ("bigger than"), as labels and endings.

        They stand behind its own, and are said only where the text has all their words.
        """
        labels = [phrase for phrase in phrases if phrase not in self.labels]
        endings = [phrase for phrase in phrases if phrase not in self.endings]
        return replace(
            self,
            labels=(*self.labels, *labels),
            verbs=(*self.verbs, *([""] * len(labels))),
            endings=(*self.endings, *endings),
            words=tuple(dict.fromkeys((*self.words, *words))),
        )

    def to_dict(self) -> dict[str, list[str] | list[int]]:
        """As lists of strings and numbers, for JSON."""
        return {name: list(getattr(self, name)) for name in _LISTS}

    def ending(self, label: int) -> str:
        """What follows the verb in a label; the whole label where it has no verb."""
        return self.labels[label][len(self.verbs[label]) :].strip()

    @cached_property
    def label_endings(self) -> np.ndarray:
        """int64 (labels,): the number of each label's ending; 0 where it is not among the endings."""
        index = {ending: i for i, ending in enumerate(self.endings)}
        return np.array([index.get(self.ending(i), 0) for i in range(len(self.labels))], dtype=np.int64)

    def wording(self, tokens: TokenGraph) -> TextWording:
        """Which predicates a text can have, and which of its tokens can be their verbs."""
        bases = _base_verbs(tokens)
        available_words = {*tokens.words, *tokens.lemmas, *bases}
        label_verb = np.full(len(self.labels), -1, dtype=np.int64)
        verbs = []
        for i, (word, lemma, tag, pos, base) in enumerate(
            zip(tokens.words, tokens.lemmas, tokens.tags, tokens.pos, bases, strict=True)
        ):
            for known in {lemma, base}:
                for label in self._by_verb.get(known, ()):
                    if label_verb[label] < 0:
                        label_verb[label] = i
            if (pos == "VERB" or tag.startswith("VB")) and base not in _EMPTY_VERBS and word.isalpha():
                verbs.append(i)
        labels = {*self.free_labels, *_made_of(self._label_words, available_words)}
        endings = {*self.free_endings, *_made_of(self._ending_words, available_words)}
        return TextWording(
            label_verb,
            np.array(verbs, dtype=np.int64),
            np.array(sorted(labels), dtype=np.int64),
            np.array(sorted(endings), dtype=np.int64),
        )

    def preposition(self, tokens: TokenGraph, verb: int, noun: int) -> str | None:
        """What leads from a verb to a noun, all of it ("out of", "in front of"); None if nothing does.

        Before the noun where that stands first ("in a park, a dog runs").
        """
        start = verb + 1 if noun > verb else max(0, noun - _LONGEST)
        before = [i for i in range(start, noun) if tokens.pos[i] in ("ADP", "SCONJ")]
        if not before:
            return None
        last = before[-1]
        phrases = (" ".join(tokens.words[first : last + 1]) for first in range(max(start, last - _LONGEST), last))
        return next((phrase for phrase in phrases if phrase in self.endings), tokens.words[last])

    def predicate(self, tokens: TokenGraph, verbs: Sequence[int], choice: int) -> tuple[str, int | None]:
        """The words of one of the network's choices, and the token of its verb if it was made up or is in the text."""
        if choice < len(self.labels):
            return self.labels[choice], None
        verb, ending = divmod(choice - len(self.labels), len(self.endings))
        token = int(verbs[verb])
        base = base_verb(tokens, token)
        return f"{base} {self.endings[ending]}".strip(), token

    def choice(self, tokens: TokenGraph, wording: TextWording, predicate: str) -> int | None:
        """The number of the choice that words a predicate so; None if the text does not allow one."""
        if predicate in self.labels:
            label = self.labels.index(predicate)
            if label in wording.labels:
                return label
        for i, token in enumerate(wording.verbs):
            base = base_verb(tokens, int(token))
            ending = predicate[len(base) :]
            if predicate.startswith(base) and ending[:1] in ("", " ") and ending.strip() in self.endings:
                number = self.endings.index(ending.strip())
                return len(self.labels) + i * len(self.endings) + number if number in wording.endings else None
        return None


def word_set(tokens: TokenGraph) -> set[str]:
    """All words of a text and their lemmas."""
    return {*tokens.words, *tokens.lemmas, *_base_verbs(tokens)}


def _base_verbs(tokens: TokenGraph) -> list[str]:
    return [base_verb(tokens, i) for i in range(len(tokens))]


def base_verb(tokens: TokenGraph, token: int) -> str:
    """The lemma of a token as a verb; what is no word stays as it is."""
    word = tokens.words[token]
    return verb_lemma(word, tokens.lemmas[token], tokens.tags[token]) if word.isalpha() else word


def _by_first_word(phrases: Sequence[str]) -> _Index:
    index: _Index = {}
    for i, phrase in enumerate(phrases):
        words = phrase.split()
        if words:
            index.setdefault(words[0], []).append((i, frozenset(words)))
    return index


def _made_of(index: _Index, available: set[str]) -> list[int]:
    return [i for word in available for i, words in index.get(word, ()) if words <= available]


def span_words(text: str, tokens: TokenGraph, head: int, left: int) -> str:
    """The words of a node as they stand in the text, in lower case with single blanks, but spelt right."""
    first = max(head - left, 0)
    parts = [tokens.words[first]]
    for i in range(first + 1, head + 1):
        parts += [text[tokens.spans[i - 1, 1] : tokens.spans[i, 0]], tokens.words[i]]
    return " ".join("".join(parts).split())


def node_words(text: str, tokens: TokenGraph, head: int, left: int, form: str) -> str:
    """How FACTUAL words the node whose last word is token `head`, with `left` words before it."""
    if form.startswith("="):
        return form[1:]
    words = span_words(text, tokens, head, left)
    joined = re.sub(r"[\s-]+", "", words)
    if joined in _HYPHENATED:
        return _HYPHENATED[joined]
    if form == JOINED:
        return joined
    if form == SINGULAR:
        before = words[: len(words) - len(tokens.words[head])]
        tag = tokens.tags[head] if tokens.tags[head] in ("NNS", "NNPS") else "NNS"
        return " ".join((before + noun_lemma(tokens.words[head], tokens.lemmas[head], tag)).split())
    return words
