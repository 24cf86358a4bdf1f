"""From the network's probabilities to a scene graph that is valid whatever the text."""

from __future__ import annotations

from dataclasses import dataclass

from mov_ai.errors import UsageError
from mov_ai.graph import MAX_NODES, Edge, Interval, Node, SceneGraph
from mov_ai.graph.time import FULL
from mov_ai.parser.arguments import find_arguments
from mov_ai.parser.attributes import attribute_edges, attribute_node, find_attributes
from mov_ai.parser.draft import PART_INTERVALS, Attribute, Draft, Entity, Event
from mov_ai.parser.entities import entity_node, find_entities
from mov_ai.parser.event_times import order_events, temporal_edges
from mov_ai.parser.groups import split_groups
from mov_ai.parser.lemmas import travels, verb_lemma
from mov_ai.parser.network import DIRECTIONS
from mov_ai.parser.reading import read, words_before
from mov_ai.parser.relations import relation_edges, remaining_facts
from mov_ai.parser.scene import find_places, scene_node, screen_places
from mov_ai.parser.scores import Scores
from mov_ai.parser.token_graph import TokenGraph
from mov_ai.parser.unread import Unread
from mov_ai.parser.vocabulary import Vocabulary
from mov_ai.parser.written import without_written


@dataclass(frozen=True)
class Parse:
    """A scene graph and the words that each edge was read from.

    Attributes:
        graph: the graph.
        edge_words: number of an edge in `graph.edges` -> character range of the word that tells of it; edges that no
            single word tells of ("contains") are left out. The words of a node are its span.
        mentions: id of an entity -> character ranges of the words that it is mentioned by.
        unread: what of the text the graph does not hold.
        foreign: whether the text does not look English.
    """

    graph: SceneGraph
    edge_words: dict[int, tuple[int, int]]
    mentions: dict[str, list[tuple[int, int]]]
    unread: tuple[Unread, ...] = ()
    foreign: bool = False


def decode(text: str, tokens: TokenGraph, scores: Scores, vocabulary: Vocabulary) -> Parse:
    """Build the graph from the network's probabilities.

    Raises UsageError if it would have more than `MAX_NODES` nodes.
    """
    scores = without_written(tokens, scores)
    draft = Draft(text, tokens, scores, vocabulary, read(text, tokens, scores, vocabulary))
    draft.entities = find_entities(draft)
    draft.owner = {mention: entity for entity in draft.entities for mention in entity.mentions}
    # A fact between two mentions of one entity is dropped as a mistake; within one mention it means "each other".
    draft.facts = [
        fact
        for fact in draft.reading.facts
        if (fact.head, fact.tail) not in draft.reading.attributes
        and (fact.head == fact.tail or draft.owner[fact.head] is not draft.owner[fact.tail])
    ]
    draft.events = _events(draft)
    find_places(draft)
    find_arguments(draft)
    order_events(draft)
    draft.attributes = find_attributes(draft)
    return _parse(draft)


def _events(draft: Draft) -> list[Event]:
    """Tokens whose role is an event's, less those worded otherwise as an attribute; and the verbs of facts."""
    reworded = {token for (_, token), words in draft.reading.attributes.items() if words != draft.tokens.words[token]}
    verbs = {fact.verb for fact in draft.facts if fact.verb is not None} - set(draft.reading.entities)
    roles = {token for token in draft.scores.row if draft.scores.roles[token] == "event"}
    return [Event(token) for token in sorted(roles - reworded | verbs)]


def _parse(draft: Draft) -> Parse:
    """The whole graph, validated, and the words that its edges were read from."""
    parts: list[tuple[int, Entity | Event | Attribute]] = [
        *((entity.mentions[0], entity) for entity in draft.entities),
        *((event.token, event) for event in draft.events),
        *((attribute.token, attribute) for attribute in draft.attributes),
    ]
    check_size(1 + len(parts))
    nodes = [scene_node(draft)]
    edges: list[tuple[Edge, int | None]] = []
    travelling: set[str] = set()
    for number, (_, part) in enumerate(sorted(parts, key=lambda pair: pair[0]), start=1):
        part.id = f"n{number}"
        if isinstance(part, Attribute):
            nodes.append(attribute_node(draft, part))
            continue
        node = entity_node(draft, part) if isinstance(part, Entity) else _event_node(draft, part)
        nodes.append(node)
        interval = _presence(draft, part) if isinstance(part, Entity) else FULL
        edges.append((Edge("n0", part.id, "contains", interval=interval), None))
        if node.type == "event" and travels(node.label, node.direction):
            travelling.add(part.id)
    for event in draft.events:
        for a in event.arguments:
            edge = Edge(event.id, a.entity.id, a.role, a.label, confidence=round(min(a.probability, 1.0), 4))
            edges.append((edge, event.token if a.word is None else a.word))
    edges += attribute_edges(draft)
    edges += relation_edges(draft, travelling)
    edges += [(edge, None) for edge in temporal_edges(draft)]
    edges += remaining_facts(draft, nodes, [edge for edge, _ in edges])
    edges += screen_places(draft)
    nodes, edges = split_groups(draft.entities, nodes, edges)
    graph = SceneGraph(draft.text, nodes, [edge for edge, _ in edges])
    graph.validate()
    edge_words = {i: draft.span(word) for i, (_, word) in enumerate(edges) if word is not None}
    mentions = {e.id: [draft.span(m, draft.name_length(m)) for m in e.mentions] for e in draft.entities}
    return Parse(graph, edge_words, mentions)


def _presence(draft: Draft, entity: Entity) -> Interval:
    """While when an entity is there; what is there in the end only comes with the first thing that it does."""
    part = draft.scores.part_of(entity.mentions[0])
    begins = [event.interval[0] for event in draft.events if event.has(entity)]
    return (min(begins), 1.0) if part == "last" and begins and min(begins) > 0 else PART_INTERVALS[part]


def check_size(count: int) -> None:
    """Raises UsageError for a graph that is larger than the schema allows, naming the limit."""
    if count > MAX_NODES:
        raise UsageError(
            f"the text describes {count} things, events and attributes; a scene graph holds at most {MAX_NODES} nodes: "
            "shorten the text or split it into several prompts"
        )


def _event_node(draft: Draft, event: Event) -> Node:
    tokens, scores, token = draft.tokens, draft.scores, event.token
    return Node(
        event.id,
        "event",
        verb_lemma(tokens.words[token], tokens.lemmas[token], tokens.tags[token]),
        draft.span(token),
        scores.confidence(token),
        negated=draft.negated(token),
        direction=DIRECTIONS[int(scores.direction[token].argmax())],
        manner=_manner(draft, event),
        interval=event.interval,
    )


def _manner(draft: Draft, event: Event) -> str | None:
    """The words that say how an event happens; a manner belongs to one event only."""
    scores = draft.scores
    manners = [
        (scores.link_chance(event.token, token, "manner"), token)
        for token in scores.row
        if scores.roles[token] == "manner"
        and max(draft.events, key=lambda other: scores.link_chance(other.token, token, "manner")) is event
    ]
    probability, token = max(manners, default=(0.0, -1))
    if probability <= 0.5:
        return None
    left = words_before(draft.tokens, scores, token, 1)
    return " ".join(draft.tokens.words[token - left : token + 1])
