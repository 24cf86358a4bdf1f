"""Every rule of the scene graph schema, and messages that say what to mend."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from mov_ai.errors import UsageError
from mov_ai.graph import MAX_NODES, CameraMove, Edge, Node, SceneGraph
from mov_ai.graph.convert import to_triples
from tests.strategies import scene_graphs

EXAMPLES = sorted((Path(__file__).parents[2] / "data" / "graphs").glob("*.json"))


def graph_dict(**changes: Any) -> dict[str, Any]:
    """A valid graph as a dictionary: scene (0), roll (1), ball (2), red (3); caption of 16 characters."""
    return {
        "version": 1,
        "caption": "a red ball rolls",
        "nodes": [
            {"id": "s", "type": "scene", "label": "scene"},
            {"id": "e", "type": "event", "label": "roll", "span": [11, 16], "interval": [0, 0.5]},
            {"id": "b", "type": "entity", "label": "ball", "span": [6, 10]},
            {"id": "r", "type": "attribute", "label": "red", "kind": "color", "span": [2, 5]},
        ],
        "edges": [
            {"source": "s", "target": "e", "type": "contains"},
            {"source": "e", "target": "b", "type": "agent", "interval": [0, 0.5]},
            {"source": "b", "target": "r", "type": "has_attribute"},
        ],
    } | changes


def with_node(index: int, version: int = 1, **changes: Any) -> dict[str, Any]:
    value = graph_dict(version=version)
    value["nodes"][index] |= changes
    return value


def with_edge(**edge: Any) -> dict[str, Any]:
    value = graph_dict()
    value["edges"].append({"source": "e", "target": "b", "type": "agent"} | edge)
    return value


def crowd(size: int) -> dict[str, Any]:
    scene = [{"id": "s", "type": "scene", "label": "scene"}]
    return graph_dict(
        nodes=scene + [{"id": f"n{i}", "type": "entity", "label": "x"} for i in range(size - 1)], edges=[]
    )


SCENE_TWICE = graph_dict(nodes=[*graph_dict()["nodes"], {"id": "s2", "type": "scene", "label": "scene"}])
CIRCLE = graph_dict(
    nodes=[*graph_dict()["nodes"], {"id": "e2", "type": "event", "label": "turn"}],
    edges=[
        {"source": "e", "target": "e2", "type": "contains"},
        {"source": "e2", "target": "e", "type": "contains"},
    ],
)

# What is wrong: (graph, the path that the message names, a part of what it expects).
BAD = {
    "not an object": ([], "graph", "an object"),
    "version of another time": (graph_dict(version=3), "version", "expected 1 or 2"),
    "version true": (graph_dict(version=True), "version", "expected 1"),
    "no version": ({k: v for k, v in graph_dict().items() if k != "version"}, "version", "expected 1"),
    "unknown key": (graph_dict(colour="red"), "graph", "only the keys version, caption, nodes, edges"),
    "unknown key of a node": (with_node(2, colour="red"), "nodes[2]", "only the keys"),
    "unknown key of an edge": (with_edge(weight=2), "edges[3]", "only the keys"),
    "caption no text": (graph_dict(caption=3), "caption", "a string"),
    "caption with half a pair": (graph_dict(caption="\ud800"), "caption", "whole Unicode"),
    "nodes no list": (graph_dict(nodes={}), "nodes", "a list"),
    "no nodes key": ({"version": 1}, "nodes", "a list"),
    "edges no list": (graph_dict(edges={}), "edges", "a list"),
    "node no object": (graph_dict(nodes=["ball"]), "nodes[0]", "an object"),
    "edge no object": (graph_dict(edges=["agent"]), "edges[0]", "an object"),
    "node without label": (graph_dict(nodes=[{"id": "b", "type": "entity"}]), "nodes[0]", "a key 'label'"),
    "edge without type": (graph_dict(edges=[{"source": "e", "target": "b"}]), "edges[0]", "a key 'type'"),
    "65 nodes": (crowd(MAX_NODES + 1), "nodes", f"at most {MAX_NODES}"),
    "id twice": (with_node(3, id="b"), "nodes[3].id", "used once"),
    "id empty": (with_node(2, id=""), "nodes[2].id", "a non-empty string"),
    "id an object": (with_node(2, id={}), "nodes[2].id", "a non-empty string"),
    "unknown node type": (with_node(2, type="thing"), "nodes[2].type", "one of scene, event, entity, attribute"),
    "node type an object": (with_node(2, type={}), "nodes[2].type", "one of scene"),
    "label blank": (with_node(2, label="  "), "nodes[2].label", "a non-empty string"),
    "label of 20,001": (with_node(2, label="x" * 20_001), "nodes[2].label", "at most 20000 characters"),
    "label with half a pair": (with_node(2, label="\udc00"), "nodes[2].label", "a non-empty string"),
    "span outside the caption": (with_node(2, span=[6, 17]), "nodes[2].span", "within the caption's 16 characters"),
    "span reversed": (with_node(2, span=[10, 6]), "nodes[2].span", "within the caption"),
    "span of fractions": (with_node(2, span=[6.0, 10.0]), "nodes[2].span", "within the caption"),
    "confidence above 1": (with_node(2, confidence=1.5), "nodes[2].confidence", "0 to 1"),
    "confidence huge": (with_node(2, confidence=10**400), "nodes[2].confidence", "0 to 1"),
    "confidence true": (with_node(2, confidence=True), "nodes[2].confidence", "0 to 1"),
    "negated by a number": (with_node(2, negated=1), "nodes[2].negated", "true or false"),
    "count zero": (with_node(2, count=0), "nodes[2].count", "a whole number from 1"),
    "count of an event": (with_node(1, count=2), "nodes[1].count", "only entity nodes"),
    "unknown kind": (with_node(3, kind="colour"), "nodes[3].kind", "one of color"),
    "direction a list": (with_node(1, direction=["left"]), "nodes[1].direction", "a word or null"),
    "direction of an entity": (with_node(2, direction="left"), "nodes[2].direction", "only event nodes"),
    "interval beyond 1": (with_node(1, interval=[0, 1.1]), "nodes[1].interval", "0 <= start < end <= 1"),
    "interval below 0": (with_node(1, interval=[-0.1, 1]), "nodes[1].interval", "0 <= start < end <= 1"),
    "interval reversed": (with_node(1, interval=[0.5, 0.2]), "nodes[1].interval", "0 <= start < end <= 1"),
    "interval empty": (with_node(1, interval=[0.5, 0.5]), "nodes[1].interval", "0 <= start < end <= 1"),
    "interval NaN": (with_node(1, interval=[0, math.nan]), "nodes[1].interval", "0 <= start < end <= 1"),
    "interval of three": (with_node(1, interval=[0, 0.5, 1]), "nodes[1].interval", "[start, end]"),
    "interval null": (with_node(1, interval=None), "nodes[1].interval", "[start, end]"),
    "interval of an entity": (with_node(2, interval=[0, 0.5]), "nodes[2].interval", "only event nodes"),
    "assumed in version 1": (with_node(2, assumed=["label"]), "nodes[2]", "only the keys"),
    "assumed a word": (
        with_node(2, assumed="label", version=2),
        "nodes[2].assumed",
        "a list of fields of entity nodes",
    ),
    "assumed of another type": (with_node(2, assumed=["direction"], version=2), "nodes[2].assumed", "(label, count)"),
    "assumed twice": (with_node(2, assumed=["label"] * 2, version=2), "nodes[2].assumed", "each once"),
    "assumed no word": (with_node(0, assumed=[{}], version=2), "nodes[0].assumed", "of scene nodes"),
    "interval of an edge": (with_edge(interval=[1, 0]), "edges[3].interval", "0 <= start < end <= 1"),
    "dangling source": (with_edge(source="nobody"), "edges[3].source", "the id of a node"),
    "dangling target": (with_edge(target="nobody"), "edges[3].target", "the id of a node"),
    "source a list": (with_edge(source=["e"]), "edges[3].source", "the id of a node"),
    "unknown edge type": (with_edge(type="likes"), "edges[3].type", "one of contains"),
    "edge type an object": (with_edge(type={}), "edges[3].type", "one of contains"),
    "edge type a list of lists": (with_edge(type=[["agent"]]), "edges[3].type", "one of contains"),
    "edge from the wrong type": (with_edge(source="b"), "edges[3].source", "a node of type event"),
    "edge to the wrong type": (with_edge(target="r"), "edges[3].target", "a node of type entity"),
    "edge to itself": (
        with_edge(source="b", target="b", type="coref", label=None),
        "edges[3].target",
        "other than the source",
    ),
    "edge label a number": (with_edge(label=3), "edges[3].label", "a word or null"),
    "two scenes": (SCENE_TWICE, "nodes", "exactly one node of type 'scene'"),
    "contains circle": (CIRCLE, "edges", "must not form a circle"),
}


@pytest.mark.parametrize(("value", "path", "expected"), BAD.values(), ids=BAD.keys())
def test_bad_graph_is_refused_with_path_and_expectation(value: Any, path: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        SceneGraph.from_dict(value)
    message = str(caught.value)
    assert path in message
    assert expected in message
    assert "\n" not in message
    assert len(message) < 400


@pytest.mark.parametrize(
    ("edge_type", "label", "expected"),
    [("temporal", "later", "one of before"), ("temporal", None, "a label"), ("temporal", "", "a word")],
)
def test_temporal_edges_take_allens_relations(edge_type: str, label: str | None, expected: str) -> None:
    value = graph_dict(nodes=[*graph_dict()["nodes"], {"id": "e2", "type": "event", "label": "turn"}])
    value["edges"].append({"source": "e", "target": "e2", "type": edge_type, "label": label})
    with pytest.raises(UsageError, match=r"edges\[3\]\.label") as caught:
        SceneGraph.from_dict(value)
    assert expected in str(caught.value)


def test_spatial_edges_need_a_label() -> None:
    value = graph_dict(nodes=[*graph_dict()["nodes"], {"id": "c", "type": "entity", "label": "cube"}])
    value["edges"].append({"source": "b", "target": "c", "type": "spatial"})
    with pytest.raises(UsageError, match=r"edges\[3\]\.label: expected a label"):
        SceneGraph.from_dict(value)


def test_message_counts_nodes_and_edges_as_written_when_the_scene_is_left_out() -> None:
    entity = {"id": "b", "type": "entity", "label": ""}
    with pytest.raises(UsageError, match=r"nodes\[0\]\.label"):
        SceneGraph.from_dict({"version": 1, "nodes": [entity]})
    entity = entity | {"label": "ball"}
    edge = {"source": "b", "target": "x", "type": "spatial", "label": "on"}
    with pytest.raises(UsageError, match=r"edges\[0\]\.target"):
        SceneGraph.from_dict({"version": 1, "nodes": [entity], "edges": [edge]})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "line 1, column 1"),
        ("a red ball", "expected JSON"),
        ('{"version": 1,', "expected JSON"),
        ('{"version": NaN}', "NaN"),
        ('{"version": -Infinity}', "Infinity"),
        ("[" * 100_000, "nested too deeply"),
        ('{"nodes": [], "version": ' + "[" * 600 + "]" * 600 + "}", "version"),
        ('{"version": ' + "9" * 5000 + "}", "expected JSON"),
    ],
    ids=["empty", "prose", "cut off", "NaN", "infinity", "too deep", "deep value", "long number"],
)
def test_text_that_is_no_graph_is_refused_in_one_line(text: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        SceneGraph.from_json(text, "my.json")
    message = str(caught.value)
    assert message.startswith("my.json: ")
    assert expected in message
    assert "\n" not in message


def test_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(UsageError, match=r"clip\.mp4: expected a UTF-8 JSON file"):
        SceneGraph.load(path)


def test_error_of_a_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(with_node(2, count=0)))
    with pytest.raises(UsageError, match=r"graph\.json: nodes\[2\]\.count"):
        SceneGraph.load(path)


def test_sixty_four_nodes_are_accepted() -> None:
    assert len(SceneGraph.from_dict(crowd(MAX_NODES)).nodes) == MAX_NODES


def test_missing_scene_is_added_and_holds_events_and_entities() -> None:
    nodes = [{"id": "scene", "type": "entity", "label": "ball"}, {"id": "r", "type": "attribute", "label": "red"}]
    graph = SceneGraph.from_dict({"version": 1, "nodes": nodes})
    scene = graph.of_type("scene")[0]
    assert scene.id not in {"scene", "r"}
    assert graph.edges == [Edge(scene.id, "scene", "contains")]


def test_defaults_may_be_left_out() -> None:
    graph = SceneGraph.from_dict({"version": 1, "nodes": [{"id": "e", "type": "event", "label": "roll"}]})
    assert graph.node("e") == Node("e", "event", "roll", None, 1.0, interval=(0.0, 1.0))
    assert graph.caption == ""


def test_what_was_assumed_is_written_as_a_list_and_left_out_when_empty() -> None:
    graph = SceneGraph.from_dict(graph_dict()).with_node("s", setting="floor", assumed=("setting",))
    written = graph.to_dict()
    assert (written["version"], written["nodes"][0]["assumed"]) == (2, ["setting"])
    assert all("assumed" not in node for node in written["nodes"][1:])
    assert SceneGraph.from_dict(written) == graph


def test_with_node_changes_one_field_of_a_copy() -> None:
    graph = SceneGraph.from_dict(graph_dict())
    changed = graph.with_node("r", label="blue")
    assert changed.node("r").label == "blue"
    assert graph.node("r").label == "red"
    with pytest.raises(UsageError, match="no node has the id 'x'"):
        graph.with_node("x", label="blue")
    with pytest.raises(UsageError, match="count"):
        graph.with_node("b", count=0)


def test_views_follow_edges() -> None:
    graph = SceneGraph.from_dict(graph_dict())
    assert [node.label for node, _ in graph.attributes("b")] == ["red"]
    assert [edge.source for edge in graph.edges_to("b")] == ["e"]
    assert graph.edges_from("e", "agent") == [Edge("e", "b", "agent", None, (0.0, 0.5))]
    with pytest.raises(KeyError):
        graph.node("x")


@settings(max_examples=40, deadline=None)
@given(scene_graphs())
def test_json_round_trip_is_identity(graph: SceneGraph) -> None:
    assert SceneGraph.from_json(graph.to_json()) == graph
    assert SceneGraph.from_json(graph.to_json(indent=None)) == graph


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_shipped_examples_are_valid_and_their_spans_read_as_labels(path: Path) -> None:
    graph = SceneGraph.load(path)
    for node in graph.nodes:
        if node.span is not None:
            assert graph.caption[slice(*node.span)].startswith(node.label[:3])


def test_there_are_three_shipped_examples() -> None:
    assert len(EXAMPLES) == 3


def test_camera_and_style_are_lists_and_plain_words_of_older_files_are_lists_of_one() -> None:
    graph = SceneGraph.from_dict(with_node(0, camera="pan left", style="oil painting"))
    scene = graph.of_type("scene")[0]
    assert (scene.camera, scene.style) == ((CameraMove("pan left"),), ("oil painting",))
    assert graph.to_dict()["nodes"][0]["camera"] == "pan left"
    moves = (CameraMove("pan left", (0.0, 0.5)), CameraMove("zoom in", (0.5, 1.0)))
    changed = graph.with_node(scene.id, camera=moves, style=("4k", "cinematic"))
    again = SceneGraph.from_json(changed.to_json())
    assert again == changed
    assert again.of_type("scene")[0].words("camera") == ("pan left", "zoom in")


def test_a_place_on_the_screen_is_a_location_in_the_scene() -> None:
    edges = [
        {"source": "b", "target": "s", "type": "location", "label": "lower left", "interval": [0, 0.5]},
        {"source": "e", "target": "b", "type": "receiver"},
    ]
    nodes = [{"id": "s", "type": "scene", "label": "scene"}, {"id": "b", "type": "entity", "label": "cat"}]
    nodes.append({"id": "e", "type": "event", "label": "give"})
    graph = SceneGraph.from_dict({"version": 2, "nodes": nodes, "edges": edges})
    assert SceneGraph.from_json(graph.to_json()) == graph
    assert ("cat", "", "") in to_triples(graph)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"camera": 3}, "nodes[0].camera"),
        ({"camera": [{"label": "pan", "interval": [1, 0]}]}, "nodes[0].camera[0].interval"),
        ({"camera": [{"name": "pan"}]}, "nodes[0].camera[0]"),
        ({"camera": [{"interval": [0, 1]}]}, "nodes[0].camera"),
        ({"style": ["oil", ""]}, "nodes[0].style"),
    ],
)
def test_wrong_camera_and_style_are_named(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(UsageError, match=re.escape(path)):
        SceneGraph.from_dict(with_node(0, **fields))


@pytest.mark.parametrize(
    ("count", "scene", "fits"), [(64, True, True), (65, True, False), (63, False, True), (64, False, False)]
)
def test_an_added_scene_counts_as_a_node_and_the_message_counts_the_readers_own(
    count: int, scene: bool, fits: bool
) -> None:
    nodes = [{"id": f"n{i}", "type": "entity", "label": "ball"} for i in range(count)]
    if scene:
        nodes[0]["type"] = "scene"
    value = {"version": 2, "nodes": nodes}
    if fits:
        assert len(SceneGraph.from_dict(value).nodes) == 64
    else:
        with pytest.raises(UsageError, match=f"found {count}"):
            SceneGraph.from_dict(value)
