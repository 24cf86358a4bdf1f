"""What of a graph is drawn: each instance of each entity, up to a limit."""

from __future__ import annotations

from mov_ai.graph.schema import SceneGraph

#: Instances of one entity, and of all entities together, that a video shows.
MAX_COUNT, MAX_INSTANCES = 10, 24


def drawn_entities(graph: SceneGraph) -> list[tuple[str, int]]:
    """(entity id, instance from 0) of everything that is to be seen, in graph order, at most `MAX_INSTANCES`."""
    drawn = []
    for node in graph.of_type("entity"):
        if not node.negated:
            drawn += [(node.id, i) for i in range(min(node.count, MAX_COUNT))]
    return drawn[:MAX_INSTANCES]
