"""Relations between entities that are no event, and how long they hold."""

from __future__ import annotations

import itertools

import numpy as np

from mov_ai.graph import Edge, Interval, Node, SceneGraph
from mov_ai.graph.convert import name_in_caption, relation_label, to_triples
from mov_ai.graph.time import relation_end
from mov_ai.parser.draft import Draft, Entity
from mov_ai.parser.network import LINKS, SPATIAL_LABELS
from mov_ai.parser.reading import Fact

#: Words that say where something is, besides `SPATIAL_LABELS`.
_PLACES = {
    *("over", "at", "inside", "beneath", "below", "around", "against", "between", "across", "along", "outside", "atop"),
    *("before", "beside", "near", "by", "close to", "in back of", "on top of", "on side of", "on back of"),
    *("on edge of", "on bottom of", "on middle of"),
    *("in the middle of", "among", "near to", "nearby", "underneath"),
}


def relation_edges(draft: Draft, travelling: set[str]) -> list[tuple[Edge, int | None]]:
    """Relations that are no event, each with the token that it was read from.

    `travelling`: ids of the events that take whoever does them elsewhere on the ground.
    """
    edges: list[tuple[Edge, int | None]] = []
    related: set[tuple[str, str]] = set()
    for fact in draft.facts:
        if draft.is_event(fact):
            continue
        a, b = draft.owner[fact.head], draft.owner[fact.tail]
        label = relation_label(fact.predicate)
        if _is_told_otherwise(draft, fact, a, b):
            continue
        spatial = label in SPATIAL_LABELS or label in _PLACES
        interval = _until_moved(draft, a, b, travelling) if spatial else (0.0, 1.0)
        # Said again of other mentions, it is the same relation.
        if all((e.source, e.target, e.label) != (a.id, b.id, label) for e, _ in edges):
            kind = "spatial" if spatial else "relation"
            edges.append((Edge(a.id, b.id, kind, label, interval, round(fact.probability, 4)), fact.word))
        related |= {(a.id, b.id), (b.id, a.id)}
    scores = draft.scores
    for a, b in itertools.permutations(draft.entities, 2):
        if (a.id, b.id) in related:
            continue
        chances = np.stack([scores.link[scores.row[m], scores.row[n]] for m in a.mentions for n in b.mentions])
        spatial_rows = [LINKS[int(row.argmax())].startswith("spatial:") for row in chances]
        if any(spatial_rows):
            best = max(chances[spatial_rows], key=lambda row: row.max())
            label = LINKS[int(best.argmax())].split(":")[1]
            interval = _until_moved(draft, a, b, travelling)
            edges.append((Edge(a.id, b.id, "spatial", label, interval, round(float(best.max()), 4)), None))
    return edges


def _is_told_otherwise(draft: Draft, fact: Fact, a: Entity, b: Entity) -> bool:
    """Whether a fact's verb is no word of the text, and an event tells of the same two in the text's own words.

    Annotators word some verbs their own way; who "hammers a sword" does not throw it besides.
    """
    words = draft.vocabulary
    if (
        fact.verb is not None
        or fact.predicate not in words.labels
        or not words.verbs[words.labels.index(fact.predicate)]
    ):
        return False
    return any(
        any(x.entity is a for x in event.of_role("agent")) and any(x.entity is b for x in event.of_role("patient"))
        for event in draft.events
    )


def _until_moved(draft: Draft, a: Entity, b: Entity, travelling: set[str]) -> Interval:
    """How long a relation holds: until one of the two moves."""
    moves = [
        event.interval
        for event in draft.events
        if event.id in travelling
        and any(x.entity is a or x.entity is b for x in event.arguments if x.role != "location")
    ]
    return 0.0, relation_end(moves)


def remaining_facts(draft: Draft, nodes: list[Node], edges: list[Edge]) -> list[tuple[Edge, int | None]]:
    """Facts that the events do not hold, as relations: "rides a wave on a board" has two objects of one verb."""
    facts = [fact for fact in draft.facts if draft.is_event(fact)]
    if not facts:
        return []
    stated = set(to_triples(SceneGraph(draft.text, nodes, edges)))
    by_id = {node.id: node for node in nodes}
    # "Throws a ball to a dog": to whom is told, though not in the words of the fact.
    given = {(e.token, a.entity.id) for e in draft.events for a in e.of_role("receiver", "location")}
    # What does not happen is no relation either.
    denied = {event.token for event in draft.events if draft.negated(event.token)}
    relations: list[tuple[Edge, int | None]] = []
    for fact in facts:
        if fact.verb in denied:
            continue
        ends = [by_id[draft.owner[token].id] for token in (fact.head, fact.tail)]
        if (fact.verb, ends[1].id) in given:
            continue
        # As `to_triples` words a relation, which it leaves out where an end is negated.
        head, tail = (node.label if ends[0] is ends[1] else name_in_caption(draft.text, node) for node in ends)
        if not any(node.negated for node in ends) and (head, fact.predicate, tail) not in stated:
            edge = Edge(ends[0].id, ends[1].id, "relation", fact.predicate, confidence=round(fact.probability, 4))
            relations.append((edge, fact.word))
            stated.add((head, fact.predicate, tail))
    return relations
