"""What of a graph is drawn: each instance of each entity, up to a limit; what they are called, and what is left out."""

from __future__ import annotations

from mov_ai.graph.inflection import pluralize
from mov_ai.graph.schema import SceneGraph

#: Instances of one entity, and of all entities together, that a layout has boxes for.
MAX_COUNT, MAX_INSTANCES = 10, 24
#: Kinds of things that a message lists, and characters of a name in it.
_LISTED, _NAME = 8, 40


def drawn_entities(graph: SceneGraph) -> list[tuple[str, int]]:
    """(entity id, instance from 0) of everything that is to be seen, in graph order, at most `MAX_INSTANCES`.

    Where there is no room for all, each entity has one instance before any has two, and so on.
    """
    asked = {node.id: min(node.count, MAX_COUNT) for node in graph.of_type("entity") if not node.negated}
    drawn = dict.fromkeys(asked, 0)
    room = MAX_INSTANCES
    for number in range(MAX_COUNT):
        for entity, count in asked.items():
            if number < count and room:
                drawn[entity] += 1
                room -= 1
    return [(entity, i) for entity, count in drawn.items() for i in range(count)]


def left_out(graph: SceneGraph) -> str:
    """What a graph asks for beyond the limits, in words: "30 of 40 balls, 2 dogs"; "" if everything is drawn."""
    drawn = [entity for entity, _ in drawn_entities(graph)]
    asked: dict[str, int] = {}
    lacking: dict[str, int] = {}
    for node in graph.of_type("entity"):
        if not node.negated:
            asked[node.label] = asked.get(node.label, 0) + node.count
            lacking[node.label] = lacking.get(node.label, 0) + node.count - drawn.count(node.id)
    absent = {label: count for label, count in lacking.items() if count}
    parts = []
    for label, count in list(absent.items())[:_LISTED]:
        word = " ".join(label.split())[:_NAME]
        name = word if asked[label] == 1 else pluralize(word)
        parts.append(f"{count} {name}" if count == asked[label] else f"{count} of {asked[label]} {name}")
    rest = sum(list(absent.values())[_LISTED:])
    return ", ".join([*parts, *([f"and {rest} more"] if rest else [])])


def entity_phrase(graph: SceneGraph, entity: str) -> str:
    """An entity with the attributes that it has throughout: "red ball"; "" if the graph has no such node."""
    if all(node.id != entity for node in graph.nodes):
        return ""
    held = [node.label for node, edge in graph.attributes(entity) if edge.interval == (0.0, 1.0) and not node.negated]
    return " ".join([*held, graph.node(entity).label])
