"""Toward whom, or toward the camera."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.graph.ways import direction_in_picture
from mov_ai.models.planner_input import happenings
from mov_ai.worlds.stage.reading import read_screenplay


def running(direction: str | None, label: str | None) -> SceneGraph:
    """A dog that runs; `label`: of a place with a man."""
    nodes = [
        Node("s", "scene", "scene"),
        Node("d", "entity", "dog"),
        Node("m", "entity", "man"),
        Node("r", "event", "run", direction=direction),
    ]
    edges = [Edge("r", "d", "agent"), *([Edge("r", "m", "location", label)] if label else [])]
    graph = SceneGraph("", nodes, edges)
    graph.validate()
    return graph


@pytest.mark.parametrize(
    ("direction", "label", "expected"),
    [
        ("toward", None, "toward"),
        ("toward", "toward", None),
        ("toward", "towards", None),
        ("toward", "past", "toward"),
        ("left", "toward", "left"),
        (None, "toward", None),
    ],
)
def test_toward_somebody_is_not_toward_the_camera(
    direction: str | None, label: str | None, expected: str | None
) -> None:
    graph = running(direction, label)
    assert direction_in_picture(graph, graph.node("r")) == expected


def test_planner_and_rules_read_it_so() -> None:
    told, untold = running("toward", "toward"), running(None, "toward")
    assert happenings(told) == happenings(untold)
    assert read_screenplay(told).deeds == read_screenplay(untold).deeds
    to_camera = replace(told, edges=told.edges[:1])
    assert happenings(to_camera) != happenings(replace(untold, edges=untold.edges[:1]))
