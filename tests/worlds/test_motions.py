"""Whom an event moves."""

from __future__ import annotations

import pytest

from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.worlds.tabletop.motions import movers


def _graph(label: str, agents: tuple[str, ...], patients: tuple[str, ...]) -> SceneGraph:
    things = [Node(name, "entity", name) for name in dict.fromkeys((*agents, *patients))]
    nodes = [Node("s", "scene", "scene"), Node("e", "event", label), *things]
    edges = [Edge("s", node.id, "contains") for node in nodes[1:]]
    edges += [Edge("e", name, "agent") for name in agents] + [Edge("e", name, "patient") for name in patients]
    return SceneGraph("a caption", nodes, edges)


@pytest.mark.parametrize(
    ("label", "agents", "patients", "moved"),
    [
        ("roll", ("ball", "cube"), (), ["ball", "cube"]),
        ("push", (), ("cube",), ["cube"]),
        ("push", ("ball",), ("cube",), ["cube"]),
        ("Jump ", ("ball",), ("cube",), ["ball"]),
        ("roll", (), (), []),
    ],
)
def test_the_agent_moves_unless_something_is_moved(
    label: str, agents: tuple[str, ...], patients: tuple[str, ...], moved: list[str]
) -> None:
    graph = _graph(label, agents, patients)
    assert movers(graph, graph.node("e")) == moved
