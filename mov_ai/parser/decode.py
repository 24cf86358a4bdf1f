"""From the network's probabilities to a scene graph that is valid whatever the text."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np

from mov_ai.data.tabletop.grammar import relation_end
from mov_ai.data.tabletop.lexicon import concept, motion_of
from mov_ai.data.tabletop.scene import change_time
from mov_ai.errors import UsageError
from mov_ai.graph import MAX_NODES, Edge, Interval, Node, SceneGraph
from mov_ai.parser.lemmas import noun_lemma, verb_lemma
from mov_ai.parser.network import DIRECTIONS, LINKS, ORDERS, ROLES
from mov_ai.parser.token_graph import TokenGraph


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_NUMBERS = _words(
    """
    one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
    nineteen twenty
    """
)
#: Words that say how many. Vague ones get the smallest number that they may mean.
NUMBER_WORDS = {word: i + 1 for i, word in enumerate(_NUMBERS)} | {
    "a": 1, "an": 1, "pair": 2, "couple": 2, "both": 2, "some": 3, "several": 3, "few": 3, "many": 5, "dozen": 12,
}  # fmt: skip
_PRONOUNS = ("it", "they", "them", "he", "she", "him", "her", "one", "ones", "this", "that", "these", "those", "itself")
_DEFINITE = ("the", "this", "that", "these", "those")
_INDEFINITE = ("a", "an", "another")
#: A link that no argument takes for itself is still used if it is at least this likely.
_WEAK = 0.15
_MAX_COUNT = 1000


@dataclass(frozen=True)
class Scores:
    """The network's probabilities for one text; N tokens, M chosen ones.

    Attributes:
        role: (N, roles).
        direction: (N, directions).
        left: (N, MAX_LEFT + 1).
        negated: (N,).
        chosen: (M,), ascending token numbers; entities, events, attributes, numbers and manners.
        link: (M, M, links), source first.
        order: (M, M, orders).
    """

    role: np.ndarray
    direction: np.ndarray
    left: np.ndarray
    negated: np.ndarray
    chosen: np.ndarray
    link: np.ndarray
    order: np.ndarray


def choose(role: np.ndarray) -> np.ndarray:
    """The tokens whose pairs matter: ascending numbers; role is (N, roles)."""
    kinds = role.argmax(-1)
    unpaired = [ROLES.index(name) for name in ("none", "setting", "light")]
    return np.flatnonzero(~np.isin(kinds, unpaired))


def check_size(count: int) -> None:
    """Refuse a graph that is larger than the schema allows.

    Raises:
        UsageError: it names the limit.
    """
    if count > MAX_NODES:
        raise UsageError(
            f"the text describes {count} things, events and attributes; a scene graph holds at most {MAX_NODES} nodes: "
            "shorten the text or split it into several prompts"
        )


def decode(text: str, tokens: TokenGraph, scores: Scores) -> SceneGraph:
    """Build the graph that the probabilities speak for.

    Raises:
        UsageError: if it would have more than `MAX_NODES` nodes.
    """
    return _Decoder(text, tokens, scores).graph()


# -- decoding ----------------------------------------------------------------------------------------------------------


@dataclass
class _Entity:
    """All mentions of one thing: token numbers, in the order of the text; and the words used for it."""

    mentions: list[int]
    nouns: set[str] = field(default_factory=set)
    adjectives: set[tuple[str, str]] = field(default_factory=set)
    id: str = ""

    def add(self, token: int, noun: str, adjectives: list[tuple[str, str]]) -> None:
        """Take in a mention."""
        self.mentions.append(token)
        self.nouns.add(noun)
        self.adjectives.update(adjectives)

    def agrees(self, noun: str, adjectives: list[tuple[str, str]]) -> bool | None:
        """Whether a later noun phrase names this entity (True), cannot (False), or may (None)."""
        if noun in _PRONOUNS and not (adjectives and noun in ("one", "ones")):
            return None
        if noun not in _PRONOUNS and noun not in self.nouns:
            shapes = {concept("shape", noun), *(concept("shape", known) for known in self.nouns)} - {None}
            known = self.nouns - set(_PRONOUNS)
            return False if len(shapes) > 1 and all(concept("shape", n) for n in (noun, *known)) else None
        if set(adjectives) <= self.adjectives:
            return True
        kinds = {kind for kind, _ in self.adjectives}
        new = set(adjectives) - self.adjectives
        return False if any(kind in kinds and kind != "attribute:other" for kind, _ in new) else None


@dataclass
class _Event:
    token: int
    id: str = ""
    rank: int = 0
    interval: Interval = (0.0, 1.0)
    arguments: list[tuple[_Entity, str, float]] = field(default_factory=list)


@dataclass
class _Attribute:
    token: int
    label: str
    kind: str
    owners: list[tuple[_Entity, float]]
    event: _Event | None
    id: str = ""


class _Decoder:
    """Reads one text's scores; token numbers everywhere, `place` maps them to rows of the pair scores."""

    def __init__(self, text: str, tokens: TokenGraph, scores: Scores) -> None:
        self.text, self.tokens, self.scores = text, tokens, scores
        self.kinds = [ROLES[k] for k in scores.role.argmax(-1)]
        self.place = {int(token): row for row, token in enumerate(scores.chosen)}
        chosen = [int(token) for token in scores.chosen]
        self.entities = self._entities([t for t in chosen if self.kinds[t] == "entity"])
        self.events = [_Event(t) for t in chosen if self.kinds[t] == "event"]
        self._order_events()
        for event in self.events:
            event.arguments = self._arguments(event)
        self._share_subjects()
        self.attributes = self._attributes([t for t in chosen if self.kinds[t].startswith("attribute")])

    def _link(self, source: int, target: int, name: str) -> float:
        return float(self.scores.link[self.place[source], self.place[target], LINKS.index(name)])

    def _best_link(self, source: int, target: int) -> str:
        return LINKS[int(self.scores.link[self.place[source], self.place[target]].argmax())]

    def _entities(self, found: list[int]) -> list[_Entity]:
        """Gather mentions into entities: the network's links, corrected where the words speak against or for one."""
        entities: list[_Entity] = []
        for token in found:
            noun, adjectives, determiner = self._noun_phrase(token)
            agreement = [entity.agrees(noun, adjectives) for entity in entities]
            links = [max(self._link(token, m, "coref") for m in entity.mentions) for entity in entities]
            chosen = None
            if determiner not in _INDEFINITE:
                possible = [i for i, agrees in enumerate(agreement) if agrees is not False]
                best = max(possible, key=lambda i: links[i], default=None)
                if determiner in _DEFINITE and agreement.count(True) == 1:
                    chosen = agreement.index(True)
                elif best is not None and links[best] > 0.5:
                    chosen = best
            if chosen is None:
                entities.append(_Entity([]))
                chosen = -1
            entities[chosen].add(token, noun, [*adjectives, *self._said_of(token, found)])
        return entities

    def _noun_phrase(self, token: int) -> tuple[str, list[tuple[str, str]], str]:
        """A mention's noun, its adjectives before it as (kind, word), and the word before them all."""
        tokens = self.tokens
        noun = noun_lemma(tokens.words[token], tokens.lemmas[token], tokens.tags[token])
        adjectives: list[tuple[str, str]] = []
        before = token - 1
        while before >= 0 and (self.kinds[before].startswith("attribute") or tokens.words[before] == ","):
            if tokens.words[before] != ",":
                adjectives.append((self.kinds[before], tokens.words[before]))
            before -= 1
        return noun, adjectives, tokens.words[before] if before >= 0 else ""

    def _said_of(self, token: int, mentions: list[int]) -> list[tuple[str, str]]:
        """Attributes elsewhere in the text that the network links to this mention, such as a colour turned to."""
        attributes = [a for a in self.place if self.kinds[a].startswith("attribute")]
        return [
            (self.kinds[a], self.tokens.words[a])
            for a in attributes
            if max(mentions, key=lambda m: self._link(m, a, "has_attribute")) == token
            and self._best_link(token, a) == "has_attribute"
        ]

    def _order_events(self) -> None:
        """Give each event its step: events at the same time share one; steps are equal parts of the clip."""
        count = len(self.events)
        if count == 0:
            return
        rows = [self.place[event.token] for event in self.events]
        order = self.scores.order[np.ix_(rows, rows)]  # (events, events, orders)
        index = {name: ORDERS.index(name) for name in ORDERS}
        earlier = order[..., index["before"]] + order[..., index["meets"]]
        earlier = (earlier + (order[..., index["after"]] + order[..., index["met by"]]).T) / 2
        same = (order[..., index["equal"]] + order[..., index["equal"]].T) / 2
        group = list(range(count))
        for i, j in itertools.combinations(range(count), 2):
            if same[i, j] > max(earlier[i, j], earlier[j, i]):
                group = [group[i] if g == group[j] else g for g in group]
        # Steps in the order of who comes before most others; the text's own order breaks ties.
        wins = {
            g: sum(np.sign(earlier[i, j] - earlier[j, i]) for i in range(count) if group[i] == g for j in range(count))
            / group.count(g)
            for g in set(group)
        }
        ranked = sorted(wins, key=lambda g: (-wins[g], g))
        for event, g in zip(self.events, group, strict=True):
            event.rank = ranked.index(g)
            event.interval = (round(event.rank / len(ranked), 4), round((event.rank + 1) / len(ranked), 4))

    def _arguments(self, event: _Event) -> list[tuple[_Entity, str, float]]:
        """Who takes part in an event: (entity, edge type, probability)."""
        names = ("agent", "patient", "instrument", "location")
        found = []
        for entity in self.entities:
            best = max((self._link(event.token, m, name), name) for m in entity.mentions for name in names)
            if any(self._best_link(event.token, m) in names for m in entity.mentions):
                found.append((entity, best[1], best[0]))
        if not any(name in ("agent", "patient") for _, name, _ in found) and self.entities:
            options = [
                (self._link(event.token, mention, name), i, name)
                for i, entity in enumerate(self.entities)
                for mention in entity.mentions
                for name in ("agent", "patient")
            ]
            probability, i, name = max(options)
            if probability > _WEAK and all(entity is not self.entities[i] for entity, _, _ in found):
                found.append((self.entities[i], name, probability))
        return found

    def _share_subjects(self) -> None:
        """Let an event without anyone who does it take the subject of the event nearest in the text."""
        told = [event for event in self.events if any(name in ("agent", "patient") for _, name, _ in event.arguments)]
        for event in self.events:
            if told and event not in told:
                nearest = min(told, key=lambda other: abs(other.token - event.token))
                before = self.tokens.words[max(event.token - 2, 0) : event.token]
                passive = self.tokens.tags[event.token] == "VBN" and {"be", "being", "been", "is", "are"} & set(before)
                name = "patient" if passive else "agent"
                shared = [(entity, p) for entity, role, p in nearest.arguments if role in ("agent", "patient")]
                taken = [entity for entity, _, _ in event.arguments]
                event.arguments += [(e, name, p) for e, p in shared if all(e is not other for other in taken)]

    def _attributes(self, found: list[int]) -> list[_Attribute]:
        result: list[_Attribute] = []
        for token in found:
            event = self._cause(token)
            owners = self._owners(token, event)
            if not owners:
                continue
            attribute = _Attribute(token, self.tokens.words[token], self.kinds[token].split(":")[1], owners, event)
            if event is None and any(self._same(attribute, other) for other in result):
                continue
            result.append(attribute)
        return result

    def _cause(self, token: int) -> _Event | None:
        """The event that brings an attribute about, if one does."""
        options = [(self._link(event.token, token, "result"), i) for i, event in enumerate(self.events)]
        best, i = max(options, default=(0.0, -1))
        return self.events[i] if best > 0.5 else None

    def _owners(self, token: int, event: _Event | None) -> list[tuple[_Entity, float]]:
        if event is not None:
            # What an event brings about belongs to who takes part in it.
            owners = [(entity, p) for entity, name, p in event.arguments if name in ("agent", "patient")]
            if owners:
                return owners
        options = [
            (max(self._link(mention, token, "has_attribute") for mention in entity.mentions), i)
            for i, entity in enumerate(self.entities)
        ]
        if not options:
            return []
        best, i = max(options)
        return [(self.entities[i], best)] if best > _WEAK else []

    def _same(self, attribute: _Attribute, other: _Attribute) -> bool:
        """Whether an attribute only says again what another said of the same entity."""
        shared = any(a is b for a, _ in attribute.owners for b, _ in other.owners)
        return shared and attribute.label == other.label and attribute.kind == other.kind

    # -- nodes ---------------------------------------------------------------------------------------------------------

    def _span(self, token: int, left: int = 0) -> tuple[int, int]:
        spans = self.tokens.spans
        return int(spans[max(token - left, 0), 0]), int(spans[token, 1])

    def _confidence(self, token: int) -> float:
        return round(float(self.scores.role[token].max()), 4)

    def _entity_node(self, entity: _Entity) -> Node:
        tokens = self.tokens
        head = next((m for m in entity.mentions if tokens.words[m] not in _PRONOUNS), entity.mentions[0])
        left = int(self.scores.left[head].argmax())
        while left and self.kinds[head - left] != "none":
            left -= 1
        label = noun_lemma(tokens.words[head], tokens.lemmas[head], tokens.tags[head])
        if left:
            label = " ".join([*tokens.words[max(head - left, 0) : head], label])
        return Node(
            entity.id,
            "entity",
            label,
            self._span(head, left),
            self._confidence(head),
            negated=bool(self.scores.negated[head] > 0.5),
            count=self._count(entity, head, label),
        )

    def _count(self, entity: _Entity, head: int, label: str) -> int:
        numbers = [t for t in self.place if self.kinds[t] == "number"]
        options = [(self._link(mention, t, "number"), t) for mention in entity.mentions for t in numbers]
        best, token = max(options, default=(0.0, -1))
        if best > 0.5:
            word = self.tokens.words[token]
            if word.isdecimal() and len(word) < 5:
                return min(max(int(word), 1), _MAX_COUNT)
            if word in NUMBER_WORDS:
                return NUMBER_WORDS[word]
        word = self.tokens.words[head]
        return 2 if self.tokens.tags[head] in ("NNS", "NNPS") and not label.endswith(word) else 1

    def _event_node(self, event: _Event) -> Node:
        tokens, token = self.tokens, event.token
        # A manner belongs to one event only.
        manners = [
            t
            for t in self.place
            if self.kinds[t] == "manner"
            and max(self.events, key=lambda other: self._link(other.token, t, "manner")) is event
        ]
        best, manner = max(((self._link(token, t, "manner"), t) for t in manners), default=(0.0, -1))
        return Node(
            event.id,
            "event",
            verb_lemma(tokens.words[token], tokens.lemmas[token], tokens.tags[token]),
            self._span(token),
            self._confidence(token),
            negated=bool(self.scores.negated[token] > 0.5),
            direction=DIRECTIONS[int(self.scores.direction[token].argmax())],
            manner=tokens.words[manner] if best > 0.5 else None,
            interval=event.interval,
        )

    def _scene_node(self) -> Node:
        fields: dict[str, str | None] = {}
        for name in ("setting", "light"):
            tokens = [t for t, kind in enumerate(self.kinds) if kind == name]
            best = max(tokens, key=lambda t: float(self.scores.role[t].max()), default=None)
            fields[name] = None if best is None else self.tokens.words[best]
        return Node("n0", "scene", "scene", setting=fields["setting"], light=fields["light"])

    # -- edges ---------------------------------------------------------------------------------------------------------

    def _attribute_edges(self) -> list[Edge]:
        edges = []
        for attribute in self.attributes:
            for owner, probability in attribute.owners:
                interval = self._holds(attribute, owner)
                edges.append(
                    Edge(owner.id, attribute.id, "has_attribute", None, interval, round(min(probability, 1.0), 4))
                )
        return edges

    def _holds(self, attribute: _Attribute, owner: _Entity) -> Interval:
        """When an entity has an attribute: an event that brings another of its kind about ends it."""
        start = change_time(attribute.event.interval) if attribute.event else 0.0
        ends = [
            change_time(other.event.interval)
            for other in self.attributes
            if other.event is not None
            and other.kind == attribute.kind
            and any(entity is owner for entity, _ in other.owners)
        ]
        return start, min((end for end in ends if end > start), default=1.0)

    def _relations(self) -> list[Edge]:
        edges = []
        for a, b in itertools.permutations(self.entities, 2):
            options = [(m, n) for m in a.mentions for n in b.mentions]
            pairs = np.stack([self.scores.link[self.place[m], self.place[n]] for m, n in options])
            rows = [LINKS[int(pair.argmax())].startswith("spatial:") for pair in pairs]
            if not any(rows):
                continue
            best = int(pairs[rows].max(-1).argmax())
            kind = int(pairs[rows][best].argmax())
            done = [
                (self._motion(event), event.interval)
                for event in self.events
                if any(entity is a or entity is b for entity, name, _ in event.arguments if name != "location")
            ]
            interval = (0.0, relation_end(done))
            probability = round(float(pairs[rows][best, kind]), 4)
            edges.append(Edge(a.id, b.id, "spatial", LINKS[kind].split(":")[1], interval, probability))
        return edges

    def _motion(self, event: _Event) -> str:
        node = self._event_node(event)
        return motion_of(node.label, node.direction) or ""

    def _temporal(self) -> list[Edge]:
        edges = []
        for first, second in itertools.pairwise(sorted(self.events, key=lambda e: (e.rank, e.token))):
            pair = self.scores.order[self.place[first.token], self.place[second.token]]
            label = "equal" if first.rank == second.rank else "before"
            if label == "before" and pair[ORDERS.index("meets")] > pair[ORDERS.index("before")]:
                label = "meets"
            probability = round(float(pair[ORDERS.index(label)]), 4)
            edges.append(Edge(first.id, second.id, "temporal", label, confidence=probability))
        return edges

    def graph(self) -> SceneGraph:
        """The whole graph, validated."""
        parts: list[tuple[int, _Entity | _Event | _Attribute]] = [
            *((entity.mentions[0], entity) for entity in self.entities),
            *((event.token, event) for event in self.events),
            *((attribute.token, attribute) for attribute in self.attributes),
        ]
        check_size(1 + len(parts))
        nodes = [self._scene_node()]
        edges: list[Edge] = []
        for number, (_, part) in enumerate(sorted(parts, key=lambda pair: pair[0]), start=1):
            part.id = f"n{number}"
            if isinstance(part, _Attribute):
                span = self._span(part.token)
                negated = bool(self.scores.negated[part.token] > 0.5)
                confidence = self._confidence(part.token)
                nodes.append(Node(part.id, "attribute", part.label, span, confidence, negated, kind=part.kind))
                continue
            nodes.append(self._entity_node(part) if isinstance(part, _Entity) else self._event_node(part))
            edges.append(Edge("n0", part.id, "contains"))
        for event in self.events:
            for entity, name, probability in event.arguments:
                edges.append(Edge(event.id, entity.id, name, confidence=round(min(probability, 1.0), 4)))
        edges += [*self._attribute_edges(), *self._relations(), *self._temporal()]
        graph = SceneGraph(self.text, nodes, edges)
        graph.validate()
        return graph
