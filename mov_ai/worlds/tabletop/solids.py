"""Which scenes this world's own rules judge."""

from __future__ import annotations

from mov_ai.graph import SceneGraph
from mov_ai.graph.instances import drawn_entities
from mov_ai.worlds.tabletop import lexicon


def is_of_solids(graph: SceneGraph) -> bool:
    """Whether all that a graph draws are solids of this world, on their table; true if it draws nothing."""
    drawn = {entity for entity, _ in drawn_entities(graph)}
    return all(lexicon.concept("shape", node.label) is not None for node in graph.nodes if node.id in drawn)
