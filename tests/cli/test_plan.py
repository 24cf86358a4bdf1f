"""`mov-ai plan`: pictures, candidates, and inputs that no layout can keep in full: said, never a crash or a silence."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mov_ai.graph import Edge, Layout, Node, SceneGraph
from tests.cli.conftest import Command, Outcome

Plan = Callable[..., Outcome]


@pytest.fixture
def plan(command: Command, tiny_pipeline_dir: Path) -> Plan:
    """`mov-ai plan` of a graph by a small untrained planner, two frames a track."""

    def run(graph: SceneGraph, *arguments: str | Path) -> Outcome:
        graph.save("graph.json")
        frames = () if "--frames" in arguments or "--layout" in arguments else ("--frames", "2")
        return command("plan", "--graph", "graph.json", "--checkpoint", tiny_pipeline_dir, *frames, *arguments)

    return run


def things(*names: str, edges: list[Edge] | None = None, **counts: int) -> SceneGraph:
    """Entities whose ids are their labels."""
    nodes = [Node("s", "scene", "scene"), *(Node(name, "entity", name, count=counts.get(name, 1)) for name in names)]
    return SceneGraph("Things.", nodes, [*(Edge("s", name, "contains") for name in names), *(edges or [])])


def marked(outcome: Outcome, sign: str) -> list[str]:
    """The lines of the verifier's list with a sign."""
    return [line.removeprefix(sign).strip() for line in outcome.out.splitlines() if line.startswith(sign)]


# -- pictures and candidates -------------------------------------------------------------------------------------------


def test_one_layout_is_drawn_in_three_ways(plan: Plan, tmp_path: Path) -> None:
    outcome = plan(things("ball"), "--svg", "a.svg", "--gif", "a.gif", "--sheet", "a.png")
    assert outcome.code == 0, outcome.err
    assert [line for line in outcome.out.splitlines() if line.startswith("wrote")] == [
        *("wrote a.svg", "wrote a.gif", "wrote a.png")
    ]
    assert (tmp_path / "a.svg").read_text().startswith("<svg")
    assert "candidate" not in outcome.out + (tmp_path / "a.svg").read_text()
    assert Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())).format == "PNG"
    with Image.open(io.BytesIO((tmp_path / "a.gif").read_bytes())) as gif:
        assert gif.n_frames == 2  # type: ignore[attr-defined]


def test_candidates_are_listed_and_drawn_and_the_best_is_written(plan: Plan, tmp_path: Path) -> None:
    outcome = plan(things("ball", "cube"), "--candidates", "3", "--svg", "a.svg", "--out", "best.json")
    assert outcome.code == 0, outcome.err
    listed = [line for line in outcome.out.splitlines() if line.startswith("candidate")]
    assert [line.split(":")[0] for line in listed] == ["candidate 1", "candidate 2", "candidate 3"]
    values = [float(line.split("value ")[1].split(",")[0]) for line in listed]
    (chosen,) = (number for number, line in enumerate(listed, 1) if line.endswith(", chosen"))
    assert values[chosen - 1] == max(values)
    assert f"wrote best.json (candidate {chosen})" in outcome.out
    assert all(line in (tmp_path / "a.svg").read_text() for line in listed)
    # A candidate is the same however many are sampled, and another can be written instead of the best.
    other = chosen % 3 + 1
    alone = plan(things("ball", "cube"), "--pick", str(chosen), "--out", "alone.json")
    assert (alone.code, alone.out.splitlines()[0]) == (0, f"wrote alone.json (candidate {chosen})")
    assert plan(things("ball", "cube"), "--candidates", "3", "--pick", str(other), "--out", "other.json").code == 0
    best, same, another = (Layout.load(f"{name}.json") for name in ("best", "alone", "other"))
    for a, b, c in zip(best.tracks, same.tracks, another.tracks, strict=True):
        np.testing.assert_allclose(a.boxes, b.boxes, atol=1e-4)
        assert not np.allclose(a.boxes, c.boxes, atol=1e-2)


def test_given_boxes_stand_in_every_candidate_in_the_videos_own_shape(plan: Plan, tmp_path: Path) -> None:
    given = [0.25, 0.5, 0.125, 0.25, 5.0, 1.0]
    layout: dict[str, Any] = {"version": 1, "frames": 2, "tracks": [{"entity": "ball", "boxes": [given, None]}]}
    (tmp_path / "given.json").write_text(json.dumps(layout))
    for pick in ("1", "2"):
        arguments = (
            "--layout",
            "given.json",
            "--size",
            "64x128",
            "--candidates",
            "2",
            "--pick",
            pick,
            "--out",
            "a.json",
        )
        assert plan(things("ball", "cube"), *arguments).code == 0
        planned = Layout.load("a.json")
        assert planned.complete
        assert (planned.shape.height, planned.shape.width) == (64, 128)  # type: ignore[union-attr]
        assert planned.track("ball").boxes[0].tolist() == given  # type: ignore[union-attr]


def test_candidates_without_a_verifier_say_so(command: Command, tiny_pipeline_dir: Path, tmp_path: Path) -> None:
    import shutil

    folder = Path(shutil.copytree(tiny_pipeline_dir, tmp_path / "worldless"))
    about = json.loads((folder / "pipeline.json").read_text())
    (folder / "pipeline.json").write_text(json.dumps(about | {"world": None}))
    things("ball").save("graph.json")
    outcome = command("plan", "--graph", "graph.json", "--candidates", "2", "--checkpoint", folder)
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[:2] == ["candidate 1, chosen", "candidate 2"]
    assert "names no world, so nothing checks them" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--svg", "a.png"], "--svg: expected a name that ends in .svg; found 'a.png'"),
        (["--gif", "a"], "--gif: expected a name that ends in .gif; found 'a'"),
        (["--sheet", "a.jpg"], "--sheet: expected a name that ends in .png; found 'a.jpg'"),
        (["--candidates", "2", "--pick", "3"], "--pick: expected one of the 2 candidates; found 3"),
        (["--candidates", "0"], "--candidates"),
        (["--candidates", "37"], "--candidates"),
    ],
)
def test_wrong_choices_are_refused_before_any_work(
    command: Command, tmp_path: Path, arguments: list[str], expected: str
) -> None:
    outcome = command("plan", "a ball", *arguments, "--checkpoint", "absent")
    assert outcome.code == 2
    assert expected in outcome.err
    assert list(tmp_path.iterdir()) == []


# -- what no layout can keep in full -----------------------------------------------------------------------------------


def test_left_of_and_right_of_at_one_time_cannot_both_be_kept(plan: Plan, tmp_path: Path) -> None:
    sides = [Edge("ball", "cube", "spatial", label) for label in ("left of", "right of")]
    outcome = plan(things("ball", "cube", edges=sides), "--out", "a.json")
    assert outcome.code == 0, outcome.err
    assert Layout.load("a.json").complete
    wrong = [line for line in marked(outcome, "NO ") if "left of" in line or "right of" in line]
    assert wrong
    assert outcome.out.splitlines()[-1].startswith("not kept: ")


def test_forty_things_are_ten_and_the_others_are_counted(plan: Plan, tmp_path: Path) -> None:
    outcome = plan(things("ball", "cube", ball=40), "--out", "a.json", "--sheet", "a.png", "--svg", "a.svg")
    assert outcome.code == 0
    assert "left out: 30 of 40 balls" in outcome.err
    assert "room for all: at most 10 of one entity and 24 in all; no box: 30 of 40 balls" in marked(outcome, "NO ")
    assert len(Layout.load("a.json").tracks) == 11
    kinds = plan(things(*(f"thing{i}" for i in range(40))), "--out", "b.json")
    assert kinds.code == 0
    assert "1 thing24, 1 thing25" in kinds.err
    assert len(Layout.load("b.json").tracks) == 24


def test_each_count_to_ten_has_its_boxes(plan: Plan, tmp_path: Path) -> None:
    outcome = plan(things("ball", ball=10), "--out", "a.json")
    assert outcome.code == 0
    assert "left out" not in outcome.err
    assert [track.instance for track in Layout.load("a.json").tracks] == list(range(10))


def test_a_cycle_of_in_has_a_verdict_for_each_of_its_relations(plan: Plan, tmp_path: Path) -> None:
    names = ("box", "bag", "cup")
    cycle = [Edge(a, b, "spatial", "in") for a, b in zip(names, (*names[1:], names[0]), strict=True)]
    outcome = plan(things(*names, edges=cycle), "--out", "a.json")
    assert outcome.code == 0, outcome.err
    assert Layout.load("a.json").complete
    # The world of this pipeline does not know "in": it says that it cannot tell. One that does says which are broken.
    judged = [line for line in (*marked(outcome, "NO "), *marked(outcome, " ? ")) if " in " in line]
    assert len(judged) == 3, outcome.out


def test_unknown_nouns_and_verbs_have_boxes_and_an_open_verdict(plan: Plan, tmp_path: Path) -> None:
    graph = things("zorgle")
    event = Node("e", "event", "flump")
    graph = SceneGraph("", [*graph.nodes, event], [*graph.edges, Edge("e", "zorgle", "agent")])
    outcome = plan(graph, "--out", "a.json")
    assert outcome.code == 0, outcome.err
    assert Layout.load("a.json").complete
    assert any("zorgle" in line and "flump" in line for line in marked(outcome, " ? "))


@pytest.mark.parametrize("kind", ["no nodes", "all denied"])
def test_a_graph_without_things_has_a_layout_without_boxes(plan: Plan, tmp_path: Path, kind: str) -> None:
    graph = SceneGraph("", [Node("s", "scene", "scene")])
    if kind == "all denied":
        graph = SceneGraph("", [*graph.nodes, Node("b", "entity", "ball", negated=True)])
    outcome = plan(
        graph, "--out", "a.json", "--svg", "a.svg", "--gif", "a.gif", "--sheet", "a.png", "--candidates", "2"
    )
    assert outcome.code == 0, outcome.err
    assert Layout.load("a.json").tracks == []
    assert "the graph names nothing that can be shown" in outcome.err
    assert any(line.startswith("something to draw:") for line in marked(outcome, "NO "))
    assert "nothing to be seen" in (tmp_path / "a.svg").read_text()
    for export in ("lvd", "bbox", "coco", "mot"):
        assert plan(graph, "--export", export, "--out", export).code == 0


def test_a_given_box_outside_of_the_frame_is_kept_and_named(plan: Plan, tmp_path: Path) -> None:
    outside = [1.5, 0.5, 0.2, 0.2, 5.0, 1.0]
    track = {"entity": "ball", "label": "ball", "boxes": [outside, outside, None, None]}
    (tmp_path / "given.json").write_text(json.dumps({"version": 1, "frames": 4, "tracks": [track]}))
    outcome = plan(things("ball"), "--layout", "given.json", "--out", "a.json", "--svg", "a.svg")
    assert outcome.code == 0, outcome.err
    assert Layout.load("a.json").track("ball").boxes[0].tolist() == pytest.approx(outside)  # type: ignore[union-attr]
    assert "given boxes of ball in the frame: outside in frames 1-2; kept as given" in marked(outcome, "NO ")
