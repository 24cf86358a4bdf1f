"""FACTUAL's triples laid over the tokens of their captions, and the words that the parser chooses among."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from mov_ai.captions.lexicon import AttributeWords, OtherWords, load
from mov_ai.data.factual import FactualCaption, read_factual
from mov_ai.graph.convert import Triple
from mov_ai.parser.lemmas import verb_lemma
from mov_ai.parser.lexicon import load_lexicon
from mov_ai.parser.network import LINKS, MAX_LEFT, ROLES
from mov_ai.parser.spacy_pipeline import load_spacy
from mov_ai.parser.token_graph import TokenGraph, token_graphs
from mov_ai.parser.vocabulary import COPY, JOINED, SINGULAR, Vocabulary, node_words, span_words, word_set
from mov_ai.training.parser_samples import IGNORED, Sample, Targets
from mov_ai.worlds.tabletop.lexicon import COLORS, MATERIALS, SIZES

if TYPE_CHECKING:
    from spacy.language import Language

#: Tokens that no name goes back to unless it is made of them.
_FUNCTION_WORDS = frozenset((
    "a", "an", "the", "of", ".", ",", "'", "'s", "s", "is", "are", "and", "to", "be", "that", "which", "with", "in",
    "on",
))  # fmt: skip
#: Least count in training of a form (a word that the caption lacks), and of a predicate that becomes a label.
_MIN_COUNT = 3
_FREE_COUNT = 2
#: Least count of a word that gets an embedding, and the count from which it is taken for a word, not a misspelling.
_LEAST_COUNT, _FREQUENT = 2, 12
_PREPOSITIONS = ("ADP", "ADV", "SCONJ", "PART")


@dataclass(frozen=True)
class Captioned:
    """A caption as the aligner reads it."""

    text: str
    tokens: TokenGraph
    triples: tuple[Triple, ...]


@dataclass
class Aligned:
    """Where the parts of a graph stand in its caption.

    Attributes:
        entities: head token -> (words before it, form).
        attributes: (entity's token, attribute's token) -> (words before it, form).
        predicates: (head's token, tail's token) -> predicate.
    """

    entities: dict[int, tuple[int, str]] = field(default_factory=dict)
    attributes: dict[tuple[int, int], tuple[int, str]] = field(default_factory=dict)
    predicates: dict[tuple[int, int], str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Place:
    head: int
    left: int
    form: str


class Aligner:
    """Finds the tokens that the names in a graph come from.

    Most names stand in the caption, as they are, in another number, or written apart. Of the others ("person" for
    "someone"), those seen often enough in training are tied to the word that they go with most.
    """

    def __init__(self, captions: Sequence[Captioned]) -> None:
        together: dict[str, Counter[str]] = defaultdict(Counter)
        words: Counter[str] = Counter()
        missing: Counter[str] = Counter()
        for caption in captions:
            words.update(set(caption.tokens.words))
            places = {name: _places(caption, name) for name in _names(caption.triples)}
            used = {
                t
                for places_of_name in places.values()
                for p in places_of_name
                for t in range(p.head - p.left, p.head + 1)
            }
            free = [w for t, w in enumerate(caption.tokens.words) if t not in used and w not in _FUNCTION_WORDS]
            for name in (name for name, places_of_name in places.items() if not places_of_name):
                missing[name] += 1
                together[name].update(free)
        #: Name -> word -> how strongly they go together.
        self._ties = {
            name: {word: n / math.sqrt(words[word]) for word, n in together[name].items() if n > 1}
            for name, count in missing.items()
            if count >= _MIN_COUNT
        }

    def align(self, caption: Captioned) -> Aligned:
        """Lay a graph over its caption. Of two tokens with one name, the one nearer to the triple's other part."""
        result = Aligned()
        places = {name: self._find(caption, name) for name in _names(caption.triples)}
        for triple in caption.triples:
            head, predicate, tail = triple
            if not predicate:
                result.entities.update({p.head: (p.left, p.form) for p in places[head][:1]})
                continue
            attribute = predicate == "is"
            options = [(self._cost(result, a, b, attribute), a, b) for a in places[head] for b in places[tail]]
            options = [option for option in options if not (attribute and option[1].head == option[2].head)]
            if not options:
                # No token gives one of its parts.
                continue
            _, a, b = min(options, key=lambda option: (option[0], option[1].head, option[2].head))
            result.entities[a.head] = (a.left, a.form)
            if attribute:
                result.attributes[a.head, b.head] = (b.left, b.form)
            else:
                result.entities[b.head] = (b.left, b.form)
                result.predicates[a.head, b.head] = predicate
        return result

    def _find(self, caption: Captioned, name: str) -> list[_Place]:
        places = _places(caption, name)
        if places or name not in self._ties:
            return places
        ties = [self._ties[name].get(word, 0.0) for word in caption.tokens.words]
        best = int(np.argmax(ties)) if ties else 0
        return [_Place(best, 0, f"={name}")] if ties and ties[best] > 0 else []

    @staticmethod
    def _cost(result: Aligned, a: _Place, b: _Place, attribute: bool) -> float:
        distance = abs(a.head - b.head)
        if attribute:
            # Most attributes stand before their noun; nouns that relations use are preferred.
            already_linked = (a.head, b.head) in result.attributes
            return distance + 3 * (b.head > a.head) + 0.5 * (a.head not in result.entities) + 20 * already_linked
        # Prefers two things of one name to a relation of a thing with itself.
        return (50 if distance == 0 else distance) + 100 * ((a.head, b.head) in result.predicates)


def _names(triples: Sequence[Triple]) -> list[str]:
    return list(dict.fromkeys(name for head, _, tail in triples for name in (head, tail) if name))


def _places(caption: Captioned, name: str) -> list[_Place]:
    """All places where a name stands in a caption, in the form that is nearest to it."""
    tokens = caption.tokens
    by_form: dict[str, list[_Place]] = {COPY: [], SINGULAR: [], JOINED: []}
    joined_name = name.replace(" ", "").replace("-", "")
    for head in range(len(tokens)):
        for left in range(min(head, MAX_LEFT) + 1):
            words = span_words(caption.text, tokens, head, left)
            if words == name or " ".join(tokens.words[head - left : head + 1]) == name:
                by_form[COPY].append(_Place(head, left, COPY))
            elif node_words(caption.text, tokens, head, left, SINGULAR) == name:
                by_form[SINGULAR].append(_Place(head, left, SINGULAR))
            elif left and " " not in name and words.replace(" ", "").replace("-", "") == joined_name:
                by_form[JOINED].append(_Place(head, left, JOINED))
    return next((places for places in by_form.values() if places), [])


# -- vocabulary --------------------------------------------------------------------------------------------------------


def build_vocabulary(
    captions: Sequence[Captioned], aligned: Sequence[Aligned], words: tuple[str, ...] = ()
) -> Vocabulary:
    """The forms, labels and endings that occur `_MIN_COUNT` times or more, most frequent first; and known words."""
    forms, labels, endings, free, free_endings = (Counter[str]() for _ in range(5))
    votes: dict[str, Counter[bool]] = defaultdict(Counter)
    for caption, places in zip(captions, aligned, strict=True):
        forms.update(form for _, form in (*places.entities.values(), *places.attributes.values()) if form[0] == "=")
        labels.update(places.predicates.values())
        for predicate in places.predicates.values():
            first = predicate.split()[0]
            for lemma, pos in zip(caption.tokens.lemmas, caption.tokens.pos, strict=True):
                if lemma == first:
                    votes[first][pos in _PREPOSITIONS] += 1
    kept_labels = [label for label, count in labels.most_common() if count >= _MIN_COUNT]

    def verb(label: str) -> str:
        first = label.split()[0] if label else ""
        return "" if votes[first][True] > votes[first][False] else first

    def ending(label: str) -> str:
        return label[len(verb(label)) :].strip()

    for label in kept_labels:
        endings[ending(label)] += labels[label]
    listed = ["", *(e for e, _ in endings.most_common() if e)]
    # Predicates and endings that annotators wrote though the caption has no such words.
    for caption, places in zip(captions, aligned, strict=True):
        caption_words = word_set(caption.tokens)
        for predicate in places.predicates.values():
            free[predicate] += not set(predicate.split()) <= caption_words
            free_endings[ending(predicate)] += not set(ending(predicate).split()) <= caption_words
    return Vocabulary(
        (COPY, SINGULAR, JOINED, *(form for form, count in forms.most_common() if count >= _MIN_COUNT)),
        ("", *kept_labels),
        ("", *(verb(label) for label in kept_labels)),
        tuple(listed),
        (0, *(i for i, label in enumerate(kept_labels, start=1) if free[label] >= _FREE_COUNT)),
        (0, *(i for i, e in enumerate(listed) if i and free_endings[e] >= _FREE_COUNT)),
        words,
    )


def read_captions(nlp: Language, split: str, part: str, words: Vocabulary) -> list[Captioned]:
    """A part of FACTUAL as the parser reads it; of the vocabulary only the words are needed."""
    captions = read_factual(split, part)
    graphs = token_graphs([words.spelling(caption.caption) for caption in captions], nlp, words.known)
    return [
        Captioned(caption.caption, tokens, caption.triples) for caption, tokens in zip(captions, graphs, strict=True)
    ]


def known_words(captions: Sequence[FactualCaption], others: Iterable[str]) -> tuple[str, ...]:
    """Words that get an embedding of their own: seen twice or more, and no slips of the annotators' keys.

    Args:
        captions: FACTUAL's training captions; a word is no slip if a graph or WordNet has it, or if it is frequent.
        others: texts of the other sources.

    Returns:
        Lower case; those of FACTUAL's captions first, commonest first.
    """
    lexicon = load_lexicon()
    caption_counts = Counter(word for caption in captions for word in _text_words(caption.caption))
    named = Counter(
        word for caption in captions for triple in caption.triples for word in _text_words(" ".join(triple))
    )
    other_counts = Counter(word for text in others for word in _text_words(text))
    small = load_spacy().Defaults.stop_words

    def sound(word: str, count: int) -> bool:
        return count >= _LEAST_COUNT and (count >= _FREQUENT or word in named or word in small or lexicon.knows(word))

    factual_words = [word for word, count in caption_counts.most_common() if sound(word, count + other_counts[word])]
    return tuple(
        dict.fromkeys((*factual_words, *(word for word, count in other_counts.most_common() if sound(word, count))))
    )


def _text_words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


# -- samples -----------------------------------------------------------------------------------------------------------


def factual_sample(caption: Captioned, aligned: Aligned, vocabulary: Vocabulary) -> Sample:
    """The network's targets for a caption of FACTUAL's.

    Roles and links follow from the triples: the verb of a predicate is an event, whose agent is the head, and the tail
    its patient, or, after a preposition, its location; an attribute that is a verb form behind its noun is an event
    too. The order of events, directions and the scene are not annotated and left open.
    """
    tokens = caption.tokens
    targets = Targets(tokens)
    forms = {form: i for i, form in enumerate(vocabulary.forms)}
    for head, (left, form) in aligned.entities.items():
        targets.role[head] = ROLES.index("entity")
        targets.set_left(head, 0, left)
        targets.form[head, 0] = forms.get(form, IGNORED)
        targets.attribute[head] = 0
    for (entity, token), (left, form) in aligned.attributes.items():
        targets.attribute[entity, token] = 1
        targets.set_left(token, 1, left)
        targets.form[token, 1] = forms.get(form, IGNORED)
        name = _attribute_role(tokens, entity, token, form)
        if targets.role[token] == 0:
            targets.role[token] = ROLES.index(name)
        if targets.role[token] == ROLES.index("event"):
            passive = tokens.tags[token] == "VBN"
            targets.links[token, entity] = LINKS.index("patient" if passive else "agent")
        elif targets.role[token] != ROLES.index("entity"):
            targets.links[entity, token] = LINKS.index("number" if name == "number" else "has_attribute")
    wording = vocabulary.wording(tokens)
    for (head, tail), predicate in aligned.predicates.items():
        _event(targets, head, tail, predicate)
        choice = vocabulary.choice(tokens, wording, predicate)
        targets.predicates[head, tail] = IGNORED if choice is None else choice
    nouns = {i for i, pos in enumerate(tokens.pos) if pos in ("NOUN", "PROPN", "PRON")} | set(aligned.entities)
    for head in nouns:
        for tail in nouns:
            # Pairs of one token are scored only where the token is an entity: "two men facing each other".
            if head != tail or head in aligned.entities:
                targets.predicates.setdefault((head, tail), 0)
    # Annotators leave out what the caption denies.
    targets.negated[targets.role != 0] = 0
    chosen = np.flatnonzero(targets.role != 0)
    return targets.sample(chosen, None, vocabulary)


@cache
def _attribute_kinds() -> dict[str, str]:
    """Word -> the kind of attribute that it names, which FACTUAL does not annotate."""
    lexicons = [load("other_words", OtherWords).adjectives, load("attributes", AttributeWords).adjectives]
    kinds = {word: kind for kind in lexicons[1] for lexicon in lexicons for word in lexicon[kind]}
    for kind, words_by_concept in (("color", COLORS), ("size", SIZES), ("material", MATERIALS)):
        kinds |= {word: kind for words in words_by_concept.values() for word in words}
    return kinds


def _attribute_role(tokens: TokenGraph, entity: int, token: int, form: str) -> str:
    word = tokens.words[token]
    if form[1:].isdecimal() or word.isdecimal():
        return "number"
    if token > entity and tokens.tags[token] in ("VBG", "VBN", "VBD") and tokens.pos[token] == "VERB":
        return "event"
    return f"attribute:{_attribute_kinds().get(word, 'other')}"


def _event(targets: Targets, head: int, tail: int, predicate: str) -> None:
    """Mark the verb of a predicate and who takes part."""
    tokens = targets.tokens
    verb, _, rest = predicate.partition(" ")
    places = [
        i
        for i, (word, lemma, tag) in enumerate(zip(tokens.words, tokens.lemmas, tokens.tags, strict=True))
        if targets.role[i] in (0, ROLES.index("event"))
        and tokens.pos[i] not in (*_PREPOSITIONS, "AUX")
        and verb in (lemma, verb_lemma(word, lemma, tag) if word.isalpha() else word)
    ]
    if not places:
        return
    token = min(places, key=lambda i: abs(i - head) + abs(i - tail))
    targets.role[token] = ROLES.index("event")
    passive = tokens.tags[token] == "VBN" and bool(rest)
    targets.links[token, head] = LINKS.index("patient" if passive else "agent")
    if tail != head:
        targets.links[token, tail] = LINKS.index("location" if rest else "patient")
