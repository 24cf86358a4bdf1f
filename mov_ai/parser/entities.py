"""Which mentions are one entity, what it is called, and how many there are of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mov_ai.graph import Node
from mov_ai.graph.convert import NUMBER_WORDS
from mov_ai.parser.draft import Draft, Entity
from mov_ai.parser.lemmas import WORDS, noun_lemma
from mov_ai.parser.vocabulary import span_words

#: Words that say how many. Vague ones get the smallest number that they may mean.
_COUNTS = NUMBER_WORDS | {
    "a": 1, "an": 1, "single": 1, "pair": 2, "couple": 2, "both": 2, "duo": 2, "trio": 3, "quartet": 4, "some": 3,
    "several": 3, "few": 3, "many": 5, "dozen": 12, "hundred": 100, "thousand": 1000,
}  # fmt: skip
_MAX_COUNT = 1000
_PRONOUNS = frozenset(
    ("it", "they", "them", "he", "she", "him", "her", "one", "ones", "this", "that", "these", "those", "itself")
)
#: Pronoun -> what its entity is called where no noun names it.
_PERSONS = {pronoun: noun for noun in ("man", "woman") for pronoun in WORDS[noun]}
_INDEFINITE = ("a", "an", "another")
#: A mention is one of a group that was spoken of before if the network says so more surely than this.
_MEMBER = 0.5
#: Two mentions are one entity if the network says so at least this surely; a pronoun always stands for something.
_SAME, _SAME_PRONOUN = 0.5, 0.25


def find_entities(draft: Draft) -> list[Entity]:
    """Gather mentions into entities: the network's links, corrected where the words contradict or confirm one."""
    entities: list[Entity] = []
    mentions = [int(token) for token in draft.scores.chosen if token in draft.reading.entities]
    for token in mentions:
        noun, adjectives, determiner = _noun_phrase(draft, token)
        group = _group(draft, token, entities)
        entity = None if group is not None else _referent(draft, token, entities, noun, adjectives, determiner)
        if entity is None:
            entity = Entity(group=group)
            entities.append(entity)
        entity.mentions.append(token)
        entity.nouns.add(noun)
        entity.adjectives.update([*adjectives, *_linked_attributes(draft, token, mentions)])
    return entities


def _group(draft: Draft, token: int, entities: list[Entity]) -> Entity | None:
    """The group that a mention tells one or some apart from ("Two women. One ..."); None if it does not."""
    chances = [max(draft.scores.link_chance(token, m, "member") for m in entity.mentions) for entity in entities]
    best = int(np.argmax(chances)) if chances else -1
    return entities[best] if chances and chances[best] > _MEMBER else None


def _referent(
    draft: Draft, token: int, entities: list[Entity], noun: str, adjectives: list[tuple[str, str]], determiner: str
) -> Entity | None:
    """The earlier entity that a mention refers to; None if it is a new one."""
    agreement = [_agrees(entity, noun, adjectives) for entity in entities]
    links = [max(draft.scores.link_chance(token, m, "coref") for m in entity.mentions) for entity in entities]
    # "Before she jumps, a woman waves": an entity mentioned only by pronouns may still get its noun with "a".
    only_pronouns = [entity.nouns <= _PRONOUNS for entity in entities]
    named = [determiner not in _INDEFINITE or pronouns for pronouns in only_pronouns]
    if not any(named):
        return None
    possible = [i for i, agrees in enumerate(agreement) if agrees is not False and named[i]]
    best = max(possible, key=lambda i: links[i], default=None)
    if best is None:
        return None
    least = _SAME_PRONOUN if noun in _PRONOUNS or only_pronouns[best] else _SAME
    return entities[best] if links[best] > least else None


def _agrees(entity: Entity, noun: str, adjectives: list[tuple[str, str]]) -> bool | None:
    """Whether a later noun phrase names this entity (True), cannot (False), or may (None)."""
    if noun in _PRONOUNS and not (adjectives and noun in ("one", "ones")):
        return None
    if noun not in _PRONOUNS and noun not in entity.nouns:
        return None
    new = set(adjectives) - entity.adjectives
    if not new:
        return True
    kinds = {kind for kind, _ in entity.adjectives}
    return False if any(kind in kinds and kind != "attribute:other" for kind, _ in new) else None


def _noun_phrase(draft: Draft, token: int) -> tuple[str, list[tuple[str, str]], str]:
    """A mention's noun, its adjectives before it as (role, word), and the word before them all."""
    tokens, roles = draft.tokens, draft.scores.roles
    adjectives: list[tuple[str, str]] = []
    before = token - 1
    while before >= 0 and (roles[before].startswith("attribute") or tokens.words[before] == ","):
        if tokens.words[before] != ",":
            adjectives.append((roles[before], tokens.words[before]))
        before -= 1
    return _noun(draft, token), adjectives, tokens.words[before] if before >= 0 else ""


def _noun(draft: Draft, token: int) -> str:
    tokens = draft.tokens
    return noun_lemma(tokens.words[token], tokens.lemmas[token], tokens.tags[token])


def _linked_attributes(draft: Draft, token: int, mentions: list[int]) -> list[tuple[str, str]]:
    """Attributes anywhere in the text that the network links to this mention, such as a colour turned to."""
    scores = draft.scores
    return [
        (scores.roles[attribute], draft.tokens.words[attribute])
        for attribute in scores.row
        if scores.roles[attribute].startswith("attribute")
        and max(mentions, key=lambda m: scores.link_chance(m, attribute, "has_attribute")) == token
        and scores.likeliest_link(token, attribute) == "has_attribute"
    ]


# -- the node ----------------------------------------------------------------------------------------------------------


def entity_node(draft: Draft, entity: Entity) -> Node:
    """An entity's node, named by its first mention that is no pronoun."""
    tokens = draft.tokens
    head = next((m for m in entity.mentions if tokens.words[m] not in _PRONOUNS), entity.mentions[0])
    left = draft.name_length(head)
    label = _PERSONS.get(tokens.words[head]) or draft.reading.entities[head]
    if label == span_words(draft.text, tokens, head, left):
        # The head in the singular; FACTUAL's own wording is found again by the span.
        label = label.removesuffix(tokens.words[head]) + _noun(draft, head)
    span, confidence = draft.span(head, left), draft.scores.confidence(head)
    count = _count(draft, entity, head, label)
    return Node(entity.id, "entity", label, span, confidence, negated=draft.negated(head), count=count)


def _count(draft: Draft, entity: Entity, head: int, label: str) -> int:
    """What a number word says; if none does, one, or two for a plural."""
    for mention, token in draft.reading.attributes:
        # "1999" on a shirt counts no shirts.
        is_said = mention in entity.mentions and draft.scores.roles[token] != "attribute:text"
        number = number_of(draft.tokens.words[token]) if is_said else None
        if number is not None:
            return _multiplied(draft.tokens.words, token, number)
    singular = _noun(draft, head)
    return 2 if singular != draft.tokens.words[head] and label.endswith(singular) else 1


def _multiplied(words: Sequence[str], token: int, number: int) -> int:
    """A number with what stands before it: "half a dozen", "two hundred"."""
    if tuple(words[max(token - 2, 0) : token]) == ("half", "a"):
        return number // 2
    before = number_of(words[token - 1]) if token and number >= 12 else None
    return number if before is None or before >= number else min(before * number, _MAX_COUNT)


def number_of(word: str) -> int | None:
    """How many a number word or digits say; None for other words."""
    if word.isdecimal() and len(word) < 5:
        return min(max(int(word), 1), _MAX_COUNT)
    return _COUNTS.get(word)
