"""Toward whom, or toward the camera."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.graph.ways import direction_in_picture, place_of_way
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


@pytest.mark.parametrize(
    ("direction", "label", "expected"),
    [
        ("right", "left of", "from left of"),
        ("left", "right of", "from right of"),
        ("left", "left of", "left of"),
        (None, "left of", "left of"),
        ("right", "behind", "behind"),
    ],
)
def test_whose_way_leads_away_from_a_side_comes_from_there(direction: str | None, label: str, expected: str) -> None:
    graph = running(direction, label)
    (edge,) = graph.edges_from("r", "location")
    assert place_of_way(graph.node("r"), edge) == expected
    assert expected in {one.place for one in happenings(graph)["m"]}


def test_from_one_side_it_goes_on_to_the_other() -> None:
    (deed,) = read_screenplay(running("right", "left of")).deeds
    assert deed.ways == (("from_left", "m"), ("to_right", "m"))
    (deed,) = read_screenplay(running("left", "left of")).deeds
    assert deed.ways == (("left", "m"),)
