"""What the network says of a text in FACTUAL's terms: entities, and facts about one or two of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mov_ai.parser.network import LINKS, ROLES
from mov_ai.parser.scores import Scores
from mov_ai.parser.token_graph import TokenGraph
from mov_ai.parser.vocabulary import Vocabulary, base_verb, node_words

#: An attribute is read if it is at least this likely.
_LEAST_PROBABILITY = 0.5
#: Most digits of a count: longer numbers are years.
_MAX_DIGITS = 3
_ARTICLES = ("a", "an", "the")
#: Where an entity stands alone, least log odds of a change: a fact that is added, or the entity dropped.
_LEAST_LOG_ODDS = -2.0


@dataclass(frozen=True)
class Fact:
    """One triple, with the tokens that it stands on.

    Attributes:
        head, tail: tokens of two entities, or of an entity and its attribute.
        predicate: as FACTUAL words it; "is" for an attribute.
        probability: in [0, 1].
        verb: the token of the predicate's verb, if it has one in the text.
        word: the token that tells of the predicate.
    """

    head: int
    tail: int
    predicate: str
    probability: float
    verb: int | None = None
    word: int | None = None

    @property
    def ends(self) -> tuple[int, int]:
        """Head and tail."""
        return self.head, self.tail


@dataclass(frozen=True)
class Reading:
    """The facts of a text.

    Attributes:
        entities: head token -> words as FACTUAL puts them.
        attributes: (entity's token, attribute's token) -> words.
        facts: attributes first, then relations, each in the order of the text.
    """

    entities: dict[int, str]
    attributes: dict[tuple[int, int], str]
    facts: tuple[Fact, ...]


def words_before(tokens: TokenGraph, scores: Scores, token: int, kind: int) -> int:
    """How many words before its last one belong to a node; kind 0 for entities, 1 for attributes."""
    left = min(int(scores.left[token, kind].argmax()), token)
    # No name begins with an article.
    while left and tokens.words[token - left] in _ARTICLES:
        left -= 1
    # Nor does it begin inside a word: "-link" of "chain-link".
    while left < token and _within_a_word(tokens, token - left):
        left += 1
    return left


def _within_a_word(tokens: TokenGraph, token: int) -> bool:
    touches = tokens.spans[token - 1, 1] == tokens.spans[token, 0]
    return bool(touches) and "-" in (tokens.words[token - 1], tokens.words[token])


def read(text: str, tokens: TokenGraph, scores: Scores, vocabulary: Vocabulary) -> Reading:
    """The likeliest entities, attributes and predicates.

    Each is decided by itself, but for entities that nothing is said of, while something is said of others: annotators
    do not draw such. Either their likeliest relation is drawn too, or they are left out.
    """
    entities = [int(token) for token in scores.chosen if scores.roles[token] == "entity"]

    def words(token: int, kind: int) -> str:
        left = words_before(tokens, scores, token, kind)
        form = vocabulary.forms[int(scores.form[token, kind].argmax())]
        return node_words(text, tokens, token, left, form)

    attributes: dict[tuple[int, int], str] = {}
    facts: list[Fact] = []
    for entity in entities:
        numbers = 0
        for token in np.flatnonzero(scores.attribute[entity] > _LEAST_PROBABILITY):
            if token != entity:
                attributes[entity, int(token)] = label = words(int(token), 1)
                numbers += label.isdecimal() and scores.roles[token] != "attribute:text"
                facts.append(Fact(entity, int(token), "is", float(scores.attribute[entity, token])))
        number = _digits_before(tokens, entity, words_before(tokens, scores, entity, 0))
        if number is not None and not numbers:
            attributes[entity, number] = tokens.words[number]
            facts.append(Fact(entity, number, "is", max(float(scores.attribute[entity, number]), _LEAST_PROBABILITY)))
    for row, chances in enumerate(scores.predicate):
        if chances.argmax():
            facts.append(_relation(tokens, scores, vocabulary, row, int(chances.argmax())))
    in_events = _participants(scores)
    heads, tails = scores.pairs.T
    for entity in list(entities):
        in_facts = {token for fact in facts for token in ((fact.head,) if fact.predicate == "is" else fact.ends)}
        if entity in in_facts or entity in in_events or len(entities) == 1:
            continue
        is_own = ((heads == entity) | (tails == entity)) & (heads != tails)
        rows = np.flatnonzero(is_own & np.isin(heads, entities) & np.isin(tails, entities))
        chances = scores.predicate[rows].clip(min=1e-9)
        gains = np.log(chances[:, 1:].max(axis=1, initial=1e-9) / chances[:, 0])
        likely = float(scores.role[entity, ROLES.index("entity")])
        drop = np.log(max(1 - likely, 1e-9) / likely)
        best = int(np.argmax(gains)) if len(rows) else -1
        if len(rows) and gains[best] >= max(drop, _LEAST_LOG_ODDS):
            row = int(rows[best])
            choice = 1 + int(scores.predicate[row, 1:].argmax())
            facts.append(_relation(tokens, scores, vocabulary, row, choice))
        elif drop > _LEAST_LOG_ODDS:
            entities.remove(entity)
    return Reading({token: words(token, 0) for token in entities}, attributes, tuple(facts))


def _participants(scores: Scores) -> set[int]:
    """Tokens of entities that some event is about."""
    roles = [LINKS.index(name) for name in ("agent", "patient", "instrument", "location")]
    return {int(scores.chosen[target]) for _, target in np.argwhere(np.isin(scores.link.argmax(-1), roles))}


def _relation(tokens: TokenGraph, scores: Scores, vocabulary: Vocabulary, row: int, choice: int) -> Fact:
    """The fact that one of the vocabulary's choices makes of a pair of entities."""
    predicate, verb = vocabulary.predicate(tokens, scores.verbs.tolist(), choice)
    if verb is None and scores.label_verb[choice] >= 0:
        verb = _verb(int(scores.label_verb[choice]), tokens, scores.teller[row])
        if not (tokens.tags[verb].startswith("V") or scores.roles[verb] == "event"):
            verb = None  # "side by side with"
    head, tail = (int(token) for token in scores.pairs[row])
    return Fact(head, tail, predicate, float(scores.predicate[row, choice]), verb, int(scores.teller[row].argmax()))


def _verb(first: int, tokens: TokenGraph, teller: np.ndarray) -> int:
    """Of the tokens that are the same verb as the first one, the one that the predicate points at most."""
    base = base_verb(tokens, first)
    return max((i for i in range(first, len(tokens)) if base_verb(tokens, i) == base), key=lambda i: teller[i])


def _digits_before(tokens: TokenGraph, head: int, left: int) -> int | None:
    """The token of digits that count a plural noun; captions seldom count so, and "12" is no word the network knows."""
    number = head - left - 1
    while number > 0 and tokens.tags[number].startswith("JJ"):
        number -= 1
    if number < 0 or tokens.tags[head] not in ("NNS", "NNPS") or not tokens.words[number].isdecimal():
        return None
    # "size 12 shoes", "1950 cars"
    named = number > 0 and tokens.tags[number - 1].startswith("NN")
    return None if named or len(tokens.words[number]) > _MAX_DIGITS else number
