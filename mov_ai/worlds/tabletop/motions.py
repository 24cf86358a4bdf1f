"""What an event of a scene graph means in this world: which motion it is, and whom it moves."""

from __future__ import annotations

from mov_ai.graph import Node, SceneGraph
from mov_ai.worlds.tabletop.lexicon import DIRECTION_MOTIONS, MOTION_VERBS

#: Verbs that mean a motion by themselves, such as "jump": they move their agent. Verbs such as "push" move their
#: patient, if they have one.
_INTRANSITIVE = frozenset(verb for verbs in MOTION_VERBS.values() for verb in verbs)


def motion_of(label: str, direction: str | None) -> str | None:
    """The motion that an event node means, or None if the world does not know it.

    A direction wins over a verb that says nothing by itself ("roll", unknown verbs); a verb such as "jump" keeps its
    meaning whatever direction comes with it, except the vertical "turn around".
    """
    verb = label.lower().strip()
    for motion, verbs in MOTION_VERBS.items():
        if verb in verbs:
            if motion == "turn" and direction == "around":
                return "spin"
            return motion
    return DIRECTION_MOTIONS.get(direction) if direction is not None else None


def movers(graph: SceneGraph, event: Node) -> list[str]:
    """Ids of the entities that an event moves, each once: its agents, or the patients of a verb such as "push"."""
    agents, patients = (
        list(dict.fromkeys(edge.target for edge in graph.edges_from(event.id, role))) for role in ("agent", "patient")
    )
    if agents and patients:
        return agents if event.label.lower().strip() in _INTRANSITIVE else patients
    return agents or patients
