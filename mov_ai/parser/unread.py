"""What of a text its graph does not hold: words that reached no node, no edge and no field."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mov_ai.graph import SceneGraph
from mov_ai.graph.files import read_json
from mov_ai.graph.inflection import irregular_lemmas
from mov_ai.graph.time import FULL
from mov_ai.labels.coverage import SCENE_FIELDS
from mov_ai.parser.entities import number_of
from mov_ai.parser.lemmas import noun_lemma, verb_lemma
from mov_ai.parser.token_graph import TokenGraph

if TYPE_CHECKING:
    from mov_ai.parser.assembly import Parse

Kind = Literal["noun", "verb", "number", "denial", "other"]
#: Kinds that a command warns of: without them the video is of something else.
WARNED: tuple[Kind, ...] = ("noun", "verb", "number", "denial")
#: A message names so many words at most.
_MOST_SHOWN = 8
_LISTS: dict[str, list[str]] = read_json(Path(__file__).with_name("data") / "unread.json")
_DENIALS, _HEDGES = frozenset(_LISTS["denials"]), frozenset(_LISTS["hedges"])
_VERBS = frozenset(_LISTS["light_verbs"] + _LISTS["aspect_verbs"])
_NOUNS = frozenset(_LISTS["frame_nouns"] + _LISTS["part_nouns"])
_KINDS: dict[str, Kind] = {
    "NOUN": "noun", "PROPN": "noun", "VERB": "verb", "NUM": "number", "ADJ": "other", "ADV": "other", "X": "other",
}  # fmt: skip


@dataclass(frozen=True)
class Unread:
    """A word that was not understood: its character range in the text, and what it is."""

    word: str
    span: tuple[int, int]
    kind: Kind


def unread_words(text: str, tokens: TokenGraph, parse: Parse) -> tuple[Unread, ...]:
    """The words of a text that reached nothing in its graph, in order.

    Left out are small words (articles, prepositions, conjunctions, pronouns, auxiliaries) and those that a graph need
    not hold ("video", "begin", "group"): lists in `data/unread.json`. A denial is read if something in its sentence is
    negated, or ends; a number if something is so many.
    """
    words = _Words(text, tokens, parse)
    return tuple(
        Unread(text[slice(*words.span(token))], words.span(token), kind)
        for token in range(len(tokens))
        if (kind := words.unread_kind(token)) is not None
    )


def is_empty(graph: SceneGraph) -> bool:
    """Whether a graph says nothing: no node but the scene, and nothing of that."""
    return all(n.type == "scene" and not any(n.words(name) for name in SCENE_FIELDS) for n in graph.nodes)


def unread_warning(graph: SceneGraph, unread: Sequence[Unread]) -> str | None:
    """One line for whoever makes a video of the graph; None if nothing that matters was left out."""
    if is_empty(graph):
        return empty_warning(graph, unread)
    words = [one.word for one in unread if one.kind in WARNED]
    return f"not understood, and so not in the graph: {_listed(words)}" if words else None


def empty_warning(graph: SceneGraph, unread: Sequence[Unread]) -> str | None:
    """One line if a graph is empty although its text has words with a meaning; None otherwise."""
    if not is_empty(graph) or not unread:
        return None
    words = _listed([one.word for one in unread])
    return f"nothing of the text was understood ({words}); say who or what is seen, as 'a red ball rolls left'"


def _listed(words: Sequence[str]) -> str:
    shown = ", ".join(word if len(word) < 40 else f"{word[:37]}..." for word in dict.fromkeys(words[:_MOST_SHOWN]))
    return shown if len(words) <= _MOST_SHOWN else f"{shown} and {len(words) - _MOST_SHOWN} more"


class _Words:
    """A text's tokens, and which of them its graph holds."""

    def __init__(self, text: str, tokens: TokenGraph, parse: Parse) -> None:
        self._text, self._tokens, self._graph = text, tokens, parse.graph
        self._denied = {tokens.sentence_of(t) for t in self._touched(_denied_spans(parse.graph))}
        spans = [n.span for n in parse.graph.nodes if n.span is not None and n.type != "scene"]
        spans += parse.edge_words.values()
        self._held = self._touched([*spans, *itertools.chain.from_iterable(parse.mentions.values())])
        self._said = {word for label in _labels(parse.graph) for word in re.findall(r"[^\W_]+", label.lower())}
        of_forms = irregular_lemmas()
        self._said |= {of_forms[word] for word in self._said & of_forms.keys()}  # FACTUAL keeps the past of some
        self._counts = {n.count for n in parse.graph.nodes}

    def span(self, token: int) -> tuple[int, int]:
        return int(self._tokens.spans[token, 0]), int(self._tokens.spans[token, 1])

    def unread_kind(self, token: int) -> Kind | None:
        """What a token is, if it was not understood; None if it was, or need not be."""
        tokens = self._tokens
        word, lemma, tag, pos = tokens.words[token], tokens.lemmas[token], tokens.tags[token], tokens.pos[token]
        if not any(character.isalnum() for character in word) or token in self._held:
            return None
        if word in _DENIALS:
            return None if tokens.sentence_of(token) in self._denied else "denial"
        kind = _KINDS.get(pos)
        if kind is None or word in _HEDGES:
            return None
        noun, verb = noun_lemma(word, lemma, tag), verb_lemma(word, lemma, tag)
        if not self._said.isdisjoint((word, lemma, noun, verb)):
            return None
        # Taggers take a number that begins a text for a noun.
        if number_of(word) in self._counts:
            return None
        if kind == "verb" or (kind == "noun" and word != verb):  # "shows" is often taken for a noun
            kind = kind if _VERBS.isdisjoint((verb, lemma)) else None
        return kind if kind != "noun" or _NOUNS.isdisjoint((word, noun)) else None

    def _touched(self, spans: Sequence[tuple[int, int]]) -> set[int]:
        """The tokens that character ranges touch."""
        starts, ends = self._tokens.spans[:, 0], self._tokens.spans[:, 1]
        return {int(t) for start, end in spans for t in ((starts < end) & (ends > start)).nonzero()[0]}


def _denied_spans(graph: SceneGraph) -> list[tuple[int, int]]:
    """Where what is negated stands in the text, and what no longer holds at the end."""
    ended = {edge.target for edge in graph.edges if edge.type == "has_attribute" and edge.interval[1] < FULL[1]}
    return [n.span for n in graph.nodes if n.span is not None and (n.negated or n.id in ended)]


def _labels(graph: SceneGraph) -> Iterator[str]:
    """All words of a graph."""
    for node in graph.nodes:
        if node.type != "scene":
            yield node.label
        yield from (text for text in (node.direction, node.manner) if text is not None)
        yield from (text for name in SCENE_FIELDS for text in node.words(name))
    yield from (edge.label for edge in graph.edges if edge.label is not None and edge.type != "temporal")
