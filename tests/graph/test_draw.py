"""Drawings: well-formed and harmless for any graph, legible for 3 to 64 nodes."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from rich.console import Console

from mov_ai.graph import CameraMove, Edge, Node, SceneGraph
from mov_ai.graph.draw import graphviz, to_dot, to_html, to_svg, to_tree
from mov_ai.graph.draw.columns import arrange
from tests.strategies import scene_graphs

NASTY = "a </script><script>alert(1)</script> \x00\x1b[31m & \"ball\" 'x' <!-- ]]> \\ \ufffe\r\n{bold} [red]é球"
SVG = "{http://www.w3.org/2000/svg}"


def rolling_ball() -> SceneGraph:
    nodes = [
        Node("s", "scene", "scene", light="evening"),
        Node("e", "event", "roll", (11, 16), direction="left", manner="slowly", interval=(0.0, 0.5)),
        Node("t", "event", "jump", None, 0.6, negated=True, interval=(0.5, 1.0)),
        Node("b", "entity", "ball", (6, 10), count=2),
        Node("c", "entity", "cube"),
        Node("r", "attribute", "red", (2, 5), kind="color"),
    ]
    edges = [
        Edge("s", "e", "contains"),
        Edge("s", "t", "contains"),
        Edge("s", "b", "contains"),
        Edge("s", "c", "contains"),
        Edge("e", "b", "agent", None, (0.0, 0.5)),
        Edge("t", "c", "location", "over"),
        Edge("e", "t", "temporal", "before"),
        Edge("b", "r", "has_attribute", None, (0.0, 0.5)),
        Edge("b", "c", "spatial", "left of"),
    ]
    graph = SceneGraph("a red ball rolls", nodes, edges)
    graph.validate()
    return graph


def crowd(size: int) -> SceneGraph:
    """A graph of `size` nodes in which every label is long and every column is full."""
    kinds = ["event", "entity", "entity", "attribute"]
    nodes = [Node("s", "scene", "a busy street in the evening", setting="outdoors")]
    nodes += [Node(f"n{i}", kinds[i % 4], f"{kinds[i % 4]} number {i}") for i in range(1, size)]
    events, entities, attributes = (
        [n.id for n in nodes if n.type == kind] for kind in ("event", "entity", "attribute")
    )
    edges = [Edge("s", other, "contains") for other in [*events, *entities]]
    edges += [Edge(a, b, "agent") for a, b in zip(events, entities, strict=False)]
    edges += [Edge(a, b, "location", "in front of") for a, b in zip(events, reversed(entities), strict=False)]
    edges += [Edge(a, b, "has_attribute", None, (0.25, 0.75)) for a, b in zip(entities, attributes, strict=False)]
    edges += [Edge(a, b, "spatial", "to the left of") for a, b in itertools.pairwise(entities)]
    edges += [Edge(a, b, "temporal", "overlaps") for a, b in itertools.pairwise(events)]
    graph = SceneGraph("", nodes, edges)
    graph.validate()
    return graph


def printed(graph: SceneGraph, confidence: bool = False) -> str:
    out = io.StringIO()
    Console(file=out, width=200).print(to_tree(graph, confidence))
    return out.getvalue()


def test_tree_says_what_the_graph_says() -> None:
    text = printed(rolling_ball())
    for expected in (
        "ball × 2",
        "red  color  0–0.5",
        "roll left slowly  0–0.5",
        "agent: ball",
        "location (over): cube",
        "not jump  0.5–1",
        "ball left of cube",
        "roll before jump",
        "evening",
        "a red ball rolls",
    ):
        assert expected in text


def test_tree_shows_confidence_only_below_one_and_when_asked() -> None:
    assert "%" not in printed(rolling_ball())
    assert printed(rolling_ball(), confidence=True).count("%") == 1
    assert "60%" in printed(rolling_ball(), confidence=True)


def test_tree_tells_two_balls_apart() -> None:
    nodes = [Node("s", "scene", "scene"), Node("b1", "entity", "ball"), Node("b2", "entity", "ball")]
    text = printed(SceneGraph("", nodes, [Edge("b1", "b2", "spatial", "behind")]))
    assert "ball (b1) behind ball (b2)" in text


def test_what_was_assumed_is_marked_in_every_drawing() -> None:
    graph = rolling_ball().with_node("s", setting="floor", assumed=("setting",)).with_node("c", assumed=("label",))
    assert {"floor (assumed) · evening", "cube  assumed"} <= set(
        re.findall(r"floor.*evening|cube  assumed", printed(graph))
    )
    for drawing in (to_svg(graph), to_html(graph), to_dot(graph)):
        assert "floor (assumed) · evening" in drawing
        assert drawing.count("assumed") > to_svg(rolling_ball()).count("assumed") + 1
    assert to_svg(graph).count('stroke-dasharray="2 3"') == 1
    assert to_dot(graph).count('style="rounded,dashed"') == 1


@settings(max_examples=25, deadline=None)
@given(scene_graphs())
def test_any_graph_draws_well_formed(graph: SceneGraph) -> None:
    root = ElementTree.fromstring(to_svg(graph))
    boxes = [element for element in root.iter(f"{SVG}g") if element.get("class") == "sg-node"]
    assert len(boxes) == len(graph.nodes)
    page = ElementTree.fromstring(to_html(graph))
    text = next(page.iter("{http://www.w3.org/1999/xhtml}pre")).text
    assert text is not None
    assert SceneGraph.from_json(text) == graph
    # Whatever a label holds, the terminal gets no control characters from it.
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", printed(graph))
    assert_dot_quotes_close(to_dot(graph))


def assert_dot_quotes_close(dot: str) -> None:
    """Every line of DOT, without its quoted strings, is made of plain words and signs."""
    for line in dot.splitlines():
        rest = re.sub(r'"(?:[^"\\]|\\.)*"', "Q", line)
        assert re.fullmatch(r"[\w\s\[\]{}=,;>-]*", rest), line


def test_hostile_text_stays_text() -> None:
    nodes = [Node("<s>", "scene", NASTY), Node('"', "entity", NASTY, (0, 12)), Node("&", "event", NASTY, (3, 20))]
    graph = SceneGraph(NASTY, nodes, [Edge("&", '"', "agent", NASTY)])
    graph.validate()
    page = to_html(graph)
    assert page.count("<script>") == page.count("</script>") == 1
    assert "alert(1)" in html.unescape(page)
    assert "<script>" not in to_svg(graph)
    ElementTree.fromstring(page)
    ElementTree.fromstring(to_svg(graph))
    assert_dot_quotes_close(to_dot(graph))


@pytest.mark.parametrize("draw", [to_svg, to_html])
def test_drawings_need_nothing_from_elsewhere(draw: object) -> None:
    text = draw(rolling_ball())  # type: ignore[operator]
    assert not re.search(r"(?:src|href)=|url\((?!#)|@import", text)


def test_svg_has_title_description_and_time_strip() -> None:
    root = ElementTree.fromstring(to_svg(rolling_ball()))
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert title.text == "Scene graph: a red ball rolls"
    assert description is not None
    assert "ball → left of → cube" in str(description.text)
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    bars = [g for g in root.iter(f"{SVG}g") if g.get("class") == "sg-bar"]
    assert [str(bar.findtext(f"{SVG}title")) for bar in bars] == [
        "ball roll left: 0–0.5",
        "not jump: 0.5–1",
        "ball: red: 0–0.5",
    ]
    lengths = [float(str(bar.find(f"{SVG}rect").get("width"))) for bar in bars]  # type: ignore[union-attr]
    assert lengths[0] == pytest.approx(lengths[1])


def test_page_marks_spans_with_the_nodes_they_light() -> None:
    page = to_html(rolling_ball())
    marks = re.findall(r'<mark [^>]*data-nodes="([^"]*)"[^>]*>([^<]*)</mark>', page)
    assert marks == [("5", "red"), ("3", "ball"), ("1", "rolls")]
    assert json.loads(html.unescape(re.findall(r"<pre>(.*?)</pre>", page, re.S)[0])) == rolling_ball().to_dict()


def test_page_allows_its_own_script_and_no_other() -> None:
    page = to_html(rolling_ball())
    script = re.findall(r"<script>(.*?)</script>", page, re.S)[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in page


def test_nested_spans_mark_every_node_that_covers_a_stretch() -> None:
    nodes = [Node("s", "scene", "x"), Node("a", "entity", "ball", (0, 8)), Node("b", "attribute", "red", (0, 3))]
    marks = re.findall(r'<mark [^>]*data-nodes="([^"]*)"[^>]*>([^<]*)</mark>', to_html(SceneGraph("red ball", nodes)))
    assert marks == [("1 2", "red"), ("1", " ball")]


@pytest.mark.parametrize("size", [3, 8, 20, 64])
def test_nothing_overlaps_in_graphs_of_any_size(size: int) -> None:
    drawing = arrange(crowd(size))
    boxes = list(drawing.boxes.values())
    labels = [wire.label for wire in drawing.wires if wire.label is not None]
    assert not any(a.overlap(b) for a, b in itertools.combinations(boxes, 2))
    assert not any(label.overlap(box) for label in labels for box in boxes)
    for thing in [*boxes, *labels]:
        assert 0 <= thing.x <= thing.x + thing.width <= drawing.width
        assert 0 <= thing.y <= thing.y + thing.height <= drawing.height
    # Where many edges meet, a label may touch another, but seldom.
    clashes = sum(a.overlap(b) > 0 for a, b in itertools.combinations(labels, 2))
    assert clashes <= len(labels) // 10


@settings(max_examples=25, deadline=None)
@given(scene_graphs())
def test_labels_never_cover_nodes(graph: SceneGraph) -> None:
    drawing = arrange(graph)
    for wire in drawing.wires:
        assert wire.label is None or not any(wire.label.overlap(box) for box in drawing.boxes.values())


def test_a_place_on_the_screen_is_written_beside_the_scene() -> None:
    nodes = [
        *(Node("scene", "scene", "scene"), Node("roll", "event", "roll")),
        *(Node(f"ball{i}", "entity", "ball") for i in range(4)),
    ]
    edges = [Edge("scene", "roll", "contains"), Edge("roll", "ball0", "agent")]
    edges += [Edge(f"ball{i}", "scene", "location", label="left") for i in range(4)]
    drawing = arrange(SceneGraph("", nodes, edges))
    labels = [wire.label for wire in drawing.wires if wire.label is not None]
    assert len(labels) >= 4
    for label in labels:
        assert not any(label.overlap(box) for box in drawing.boxes.values())
        assert 0 <= label.x <= label.x + label.width <= drawing.width
    assert not any(a.overlap(b) for a, b in itertools.combinations(labels, 2))


def test_camera_and_style_stand_in_every_drawing() -> None:
    camera = (CameraMove("pan left"), CameraMove("zoom in", (0.5, 1.0)))
    graph = SceneGraph("", [Node("s", "scene", "scene", camera=camera, style=("4k", "oil painting"))])
    for drawn in (to_svg(graph), to_html(graph), to_dot(graph), printed(graph)):
        for words in ("pan left", "zoom in", "0.5", "4k", "oil painting"):
            assert words in drawn


def test_events_stand_in_the_order_of_time() -> None:
    nodes = [Node("s", "scene", "x")] + [Node(f"e{i}", "event", "go", interval=(i / 5, 1.0)) for i in (3, 0, 2, 1)]
    boxes = arrange(SceneGraph("", nodes)).boxes
    assert sorted(["e0", "e1", "e2", "e3"], key=lambda i: boxes[i].y) == ["e0", "e1", "e2", "e3"]


def test_same_graph_same_picture() -> None:
    assert to_svg(rolling_ball()) == to_svg(rolling_ball())


def test_drawing_loads_neither_torch_nor_rich() -> None:
    code = (
        "import sys, mov_ai.graph.draw, mov_ai.graph.convert; print({'torch', 'rich', 'networkx'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_very_long_label_is_drawn_in_linear_time() -> None:
    graph = rolling_ball().with_node("b", label="ball " * 4000)
    start = time.process_time()
    for draw in (to_svg, to_html, to_dot, printed):
        assert "ball ball" in draw(graph)  # type: ignore[operator]
    assert time.process_time() - start < 3


def fake_dot(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A program named `dot` that is found before any other."""
    program = folder / "dot"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


@pytest.mark.parametrize(
    "script", ["exit 1", "echo no JSON", "echo '{}'", 'echo \'{"bb": "0,0,1,1", "objects": []}\'', "sleep 5"]
)
def test_a_graphviz_that_fails_or_hangs_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setattr(graphviz, "_TIME_LIMIT", 0.5)
    fake_dot(tmp_path, monkeypatch, script)
    assert graphviz.arrange(rolling_ball()) is None
    ElementTree.fromstring(to_svg(rolling_ball()))


def test_places_that_graphviz_answers_are_turned_into_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = SceneGraph("", [Node("s", "scene", "x"), Node("b", "entity", "ball")], [Edge("s", "b", "contains")])
    answer = {
        "bb": "0,0,300,100",
        "objects": [{"name": "%3"}, {"name": "n0", "pos": "42,82"}, {"name": "n1", "pos": "250,18"}],
        "edges": [{"id": "0", "pos": "84,82 120,82 160,18 208,18"}, {"tail": 0, "head": 1}],
    }
    fake_dot(tmp_path, monkeypatch, f"cat > /dev/null; echo '{json.dumps(answer)}'")
    drawing = graphviz.arrange(graph)
    assert drawing is not None
    # y goes up in Graphviz, down in pictures: the scene is above.
    assert drawing.boxes["s"].y < drawing.boxes["b"].y
    assert drawing.boxes["s"].x == drawing.headings[0][1]
    assert len(drawing.wires) == 1
    start, *_, end = drawing.wires[0].curves[0]
    assert start == (104.0, 82.0)
    assert end == (228.0, 146.0)


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed here")
@pytest.mark.parametrize("size", [3, 20, 64])
def test_nothing_overlaps_where_graphviz_places(size: int) -> None:
    graph = crowd(size)
    drawing = graphviz.arrange(graph)
    assert drawing is not None
    boxes = list(drawing.boxes.values())
    labels = [wire.label for wire in drawing.wires if wire.label is not None]
    assert not any(a.overlap(b) for a, b in itertools.combinations(boxes, 2))
    assert not any(label.overlap(box) for label in labels for box in boxes)
    tops = [drawing.boxes[node.id].y for node in sorted(graph.of_type("event"), key=lambda node: node.interval)]
    assert tops == sorted(tops)


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed here")
@settings(max_examples=25, deadline=None)
@given(scene_graphs())
def test_graphviz_places_any_graph(graph: SceneGraph) -> None:
    drawing = graphviz.arrange(graph)
    assert drawing is not None
    assert set(drawing.boxes) == {node.id for node in graph.nodes}


@pytest.mark.timeout(60)
def test_a_thousand_edges_between_two_nodes_each_have_a_label() -> None:
    graph = rolling_ball()
    agent = next(edge for edge in graph.edges if edge.type == "agent")
    many = SceneGraph(graph.caption, graph.nodes, [*graph.edges, *[agent] * 1000])
    drawn = [wire for wire in arrange(many).wires if wire.text]
    assert len(drawn) >= 1000
    assert all(wire.label is not None for wire in drawn)
    to_svg(many)
