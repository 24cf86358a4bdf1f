"""What an event of a scene graph means in this world: which motion it is, and whom it moves."""

from __future__ import annotations

from mov_ai.graph import Node, SceneGraph
from mov_ai.worlds.tabletop.lexicon import MOTION_VERBS, motion_of

__all__ = ["motion_of", "movers"]

#: Verbs that mean a motion by themselves, such as "jump": they move their agent. Verbs such as "push" move their
#: patient, if they have one.
_INTRANSITIVE = frozenset(verb for verbs in MOTION_VERBS.values() for verb in verbs)


def movers(graph: SceneGraph, event: Node) -> list[str]:
    """Ids of the entities that an event moves, each once: its agents, or the patients of a verb such as "push"."""
    agents, patients = (
        list(dict.fromkeys(edge.target for edge in graph.edges_from(event.id, role))) for role in ("agent", "patient")
    )
    if agents and patients:
        return agents if event.label.lower().strip() in _INTRANSITIVE else patients
    return agents or patients
