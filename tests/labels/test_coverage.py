"""Which labels a network was trained on: counting, what is far from all of them, and the file."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from mov_ai.errors import UsageError
from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.labels.coverage import LABELS_FILE, LabelCoverage, graph_labels, node_role
from mov_ai.labels.encoder import LabelEncoderConfig, load_label_encoder
from tests.models.builders import ENCODER, ball_and_cube, dogs_and_frisbees
from tests.strategies import scene_graphs

#: The width that ships: with few channels, labels are near one another by chance.
WIDE = load_label_encoder(LabelEncoderConfig())


def _coverage(*graphs: SceneGraph) -> LabelCoverage:
    coverage = LabelCoverage()
    coverage.add(graphs)
    return coverage


def test_every_label_of_a_graph_is_counted_in_its_role() -> None:
    assert list(graph_labels(dogs_and_frisbees())) == [
        ("setting", "meadow"),
        ("camera", "pan"),
        ("light", "sunset"),
        ("style", "watercolour"),
        ("event", "catch"),
        ("direction", "up"),
        ("direction", "eagerly"),
        ("entity", "dog"),
        ("entity", "frisbee"),
        ("attribute", "large"),
        ("attribute", "spotted"),
        ("attribute", "wooden"),
        ("attribute", "ochre"),
        ("relation", "above"),
        ("relation", "chasing"),
    ]
    assert [node_role(node) for node in ball_and_cube().nodes[:5]] == [
        "setting", "event", "entity", "entity", "attribute"
    ]  # fmt: skip


def test_fields_of_the_scene_that_no_clip_had_are_left_out() -> None:
    told = dogs_and_frisbees()
    assert _coverage(told).trained_part(told) is told
    assert LabelCoverage().trained_part(told) is told
    scene = _coverage(ball_and_cube().with_node("s", setting="floor")).trained_part(told).of_type("scene")[0]
    assert (scene.setting, scene.camera, scene.light, scene.style) == ("meadow", (), None, ())
    assert _coverage(ball_and_cube()).trained_part(ball_and_cube()) == ball_and_cube()


@settings(max_examples=50)
@given(scene_graphs())
def test_what_is_left_is_valid_and_has_all_but_scene_fields(graph: SceneGraph) -> None:
    left = _coverage(ball_and_cube()).trained_part(graph)
    left.validate()
    assert left.edges == graph.edges
    assert [n for n in left.nodes if n.type != "scene"] == [n for n in graph.nodes if n.type != "scene"]


def test_a_label_counts_once_a_graph_whatever_its_case() -> None:
    two_balls = ball_and_cube().with_node("cube", label="ball")
    coverage = _coverage(ball_and_cube(), two_balls, ball_and_cube().with_node("ball", label="BALL"))
    assert coverage.counts["entity"] == {"ball": 3, "cube": 2}
    assert coverage.counts["relation"] == {"behind": 3}
    assert "setting" not in coverage.counts


def test_known_labels_and_their_kin_are_near_and_others_distant() -> None:
    coverage = _coverage(ball_and_cube())
    assert coverage.distant(ball_and_cube(), WIDE) == []
    assert coverage.distant(ball_and_cube().with_node("ball", label="Ball"), WIDE) == []
    kin = ball_and_cube().with_node("ball", label="orb").with_node("red", label="crimson")
    assert coverage.distant(kin, WIDE) == []
    far = ball_and_cube().with_node("ball", label="giraffe").with_node("roll", label="juggle")
    assert coverage.distant(far, WIDE) == ["juggle", "giraffe"]


def test_distant_labels_come_in_graph_order_and_once() -> None:
    nodes = [
        Node("s", "scene", "scene", setting="attic"),
        Node("a", "entity", "giraffe"),
        Node("b", "entity", "ball"),
        Node("c", "attribute", "striped"),
        Node("e", "event", "juggle"),
        Node("f", "event", "juggle", direction="left"),
        Node("g", "entity", "giraffe"),
    ]
    graph = SceneGraph("", nodes, [Edge("a", "b", "relation", "beholding")])
    assert _coverage(ball_and_cube()).distant(graph, WIDE) == ["attic", "giraffe", "striped", "juggle", "beholding"]


def test_a_role_that_was_never_seen_is_distant() -> None:
    assert _coverage(ball_and_cube()).distant(ball_and_cube().with_node("s", style="watercolour"), WIDE) == [
        "watercolour"
    ]
    assert LabelCoverage().distant(ball_and_cube(), WIDE)


def test_what_was_assumed_is_not_complained_of() -> None:
    graph = ball_and_cube()
    nodes = [*graph.nodes, Node("m", "attribute", "gossamer", kind="material", assumed=("label",))]
    nodes[0] = replace(nodes[0], setting="attic", assumed=("setting",))
    graph = SceneGraph("", nodes, [*graph.edges, Edge("ball", "m", "has_attribute")])
    assert _coverage(ball_and_cube()).distant(graph, WIDE) == []


def test_the_threshold_is_a_cosine() -> None:
    coverage, graph = _coverage(ball_and_cube()), ball_and_cube().with_node("cube", label="giraffe")
    known = ENCODER([("entity", "ball"), ("entity", "cube")])
    nearest = float((known @ ENCODER([("entity", "giraffe")])[0]).max())
    assert coverage.distant(graph, ENCODER, nearest - 1e-3) == []
    assert coverage.distant(graph, ENCODER, nearest + 1e-3) == ["giraffe"]


@settings(max_examples=40, deadline=None)
@given(scene_graphs())
def test_any_graph_is_near_to_itself(graph: SceneGraph) -> None:
    assert _coverage(graph).distant(graph, ENCODER) == []
    assert all(isinstance(label, str) for label in LabelCoverage().distant(graph, ENCODER))


def test_labels_are_read_as_they_were_written(tmp_path: Path) -> None:
    coverage = _coverage(ball_and_cube(), dogs_and_frisbees(), ball_and_cube().with_node("ball", label="собака"))
    coverage.save(tmp_path)
    back = LabelCoverage.load(tmp_path)
    assert back == coverage
    assert back is not None
    assert next(iter(back.counts["entity"])) == "cube"


def test_a_network_without_the_file_has_none(tmp_path: Path) -> None:
    assert LabelCoverage.load(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    [
        *("[]", "3", "{", "", '{"entity": ["dog"]}', '{"entity": {"dog": "1"}}', '{"entity": {"dog": true}}'),
        *('{"entity": {"dog": -1}}', '{"entity": {"\\ud800": 1}}', '{"entity": {"": 1}}', '{"dragon": {"dog": 1}}'),
        json.dumps({"entity": {"x" * 20_001: 1}}),
        json.dumps({"entity": {f"dog{number}": 1 for number in range(20_001)}}),
    ],
    ids=lambda text: text[:30],
)
def test_a_file_that_holds_something_else_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / LABELS_FILE).write_text(text)
    with pytest.raises(UsageError, match=LABELS_FILE) as caught:
        LabelCoverage.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_most_frequent_labels_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mov_ai.labels.coverage.MOST_LABELS", 2)
    LabelCoverage({"entity": Counter({"dog": 1, "cat": 3, "cow": 2})}).save(tmp_path)
    loaded = LabelCoverage.load(tmp_path)
    assert loaded is not None
    assert loaded.counts == {"entity": {"cat": 3, "cow": 2}}
