"""A scene graph in the making: what was decided so far, for the decisions that follow."""

from __future__ import annotations

from dataclasses import dataclass, field

from mov_ai.graph import Interval
from mov_ai.graph.time import FULL
from mov_ai.parser.reading import Fact, Reading, words_before
from mov_ai.parser.scores import Scores
from mov_ai.parser.token_graph import TokenGraph
from mov_ai.parser.vocabulary import Vocabulary

#: Part of the video -> while when that is, where no event says it more exactly.
PART_INTERVALS: dict[str, Interval] = {
    "whole": FULL, "first": (0.0, 0.5), "middle": (0.3333, 0.6667), "last": (0.5, 1.0),
}  # fmt: skip
#: Without one of these nothing is negated.
_NEGATIONS = {
    *("not", "n't", "n’t", "no", "never", "without", "none", "nobody", "nothing", "neither", "nor", "cannot"),
    *("nowhere", "hardly", "lack", "lacks", "lacking", "zero", "free", "devoid", "missing", "anything"),
    *("instead", "rather", "unable", "fail", "fails"),
}


@dataclass(eq=False)
class Entity:
    """All mentions of one thing.

    Attributes:
        mentions: token numbers, in the order of the text.
        nouns: the lemmas used for it.
        adjectives: (role, word) of what is told of it.
        group: the entity that it is told apart from, as one of several.
        id: of its node, once it has one.
    """

    mentions: list[int] = field(default_factory=list)
    nouns: set[str] = field(default_factory=set)
    adjectives: set[tuple[str, str]] = field(default_factory=set)
    group: Entity | None = None
    id: str = ""


@dataclass(eq=False)
class Argument:
    """Who or what takes part in an event; `label` is the preposition, `word` the token that it was read from."""

    entity: Entity
    role: str
    probability: float
    label: str | None = None
    word: int | None = None


@dataclass(eq=False)
class Event:
    """Something that happens.

    Attributes:
        token: its verb.
        place: the tokens of the place on the screen that it happens at or leads to; a verb that leads to several such
            places stands for as many events.
        rank: its step in the order of events.
    """

    token: int
    place: range | None = None
    id: str = ""
    rank: int = 0
    interval: Interval = (0.0, 1.0)
    arguments: list[Argument] = field(default_factory=list)

    def of_role(self, *roles: str) -> list[Argument]:
        """Its arguments of these roles."""
        return [argument for argument in self.arguments if argument.role in roles]

    def has(self, entity: Entity) -> bool:
        """Whether an entity takes part, in any role."""
        return any(argument.entity is entity for argument in self.arguments)


@dataclass(eq=False)
class Attribute:
    """What an entity is like.

    Attributes:
        token: its last word; `left` is how many words before it belong to it.
        label, kind: of its node.
        owners: the entities that have it, with how likely they do.
        cause: the event that brings it about, if one does.
    """

    token: int
    left: int
    label: str
    kind: str
    owners: list[tuple[Entity, float]]
    cause: Event | None
    id: str = ""


@dataclass
class Draft:
    """A text, the network's scores for it, and the decisions so far; token numbers everywhere."""

    text: str
    tokens: TokenGraph
    scores: Scores
    vocabulary: Vocabulary
    reading: Reading
    entities: list[Entity] = field(default_factory=list)
    #: Token of a mention -> whose it is.
    owner: dict[int, Entity] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    attributes: list[Attribute] = field(default_factory=list)
    #: Tokens of a place on the screen -> the mention or verb whose place it is.
    places: dict[range, int] = field(default_factory=dict)
    #: Tokens of a place -> while when, of places that things leave by what happens.
    at_first: dict[range, Interval] = field(default_factory=dict)

    def span(self, token: int, left: int = 0) -> tuple[int, int]:
        """Character range of a token and the `left` tokens before it."""
        spans = self.tokens.spans
        return int(spans[max(token - left, 0), 0]), int(spans[token, 1])

    def name_length(self, head: int) -> int:
        """How many words before its head belong to an entity's name."""
        return words_before(self.tokens, self.scores, head, 0)

    def negated(self, token: int) -> bool:
        """Whether the text negates it."""
        return bool(self.scores.negated[token] > 0.5) and not _NEGATIONS.isdisjoint(self.tokens.words)

    def is_event(self, fact: Fact) -> bool:
        """Whether a fact's predicate has a verb, which is an event then."""
        return fact.verb is not None and fact.verb not in self.reading.entities
