"""Where an event goes: somewhere in the picture, or to another thing."""

from __future__ import annotations

from mov_ai.graph.schema import Edge, Node, SceneGraph

#: Direction -> the side of another thing from which it leads away.
_LEADS_FROM = {"right": "left of", "left": "right of"}


def direction_in_picture(graph: SceneGraph, event: Node) -> str | None:
    """An event's direction; None if it is "toward", and a place of the event says toward whom.

    By itself it is toward the camera; "a dog runs toward a man" has nothing to do with the camera.
    """
    if event.direction == "toward":
        for edge in graph.edges_from(event.id, "location"):
            if (edge.label or "").lower() in ("toward", "towards") and graph.node(edge.target).type == "entity":
                return None
    return event.direction


def place_of_way(event: Node, edge: Edge) -> str | None:
    """The label of an event's place; that of where it comes from if its direction leads away from there.

    Who is "left of a cat" and moves to the right comes "from left of" it, as in "moves from the left of a cat to its
    right".
    """
    if edge.label is not None and edge.label == _LEADS_FROM.get(event.direction or ""):
        return f"from {edge.label}"
    return edge.label
