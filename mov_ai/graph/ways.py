"""Where an event goes: somewhere in the picture, or to another thing."""

from __future__ import annotations

from mov_ai.graph.schema import Node, SceneGraph


def direction_in_picture(graph: SceneGraph, event: Node) -> str | None:
    """An event's direction; None if it is "toward", and a place of the event says toward whom.

    By itself it is toward the camera; "a dog runs toward a man" has nothing to do with the camera.
    """
    if event.direction == "toward":
        for edge in graph.edges_from(event.id, "location"):
            if (edge.label or "").lower() in ("toward", "towards") and graph.node(edge.target).type == "entity":
                return None
    return event.direction
