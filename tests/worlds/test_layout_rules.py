"""Layout rules: gold layouts of the world pass, and the same boxes under other words fail."""

from __future__ import annotations

import numpy as np
import pytest

from mov_ai.errors import UsageError
from mov_ai.graph import Edge, Layout, Node, SceneGraph, Track
from mov_ai.graph.layout_report import LayoutReport
from mov_ai.worlds.tabletop import lexicon
from mov_ai.worlds.tabletop.layout_rules import inside_share, motion_margin, movers, relation_margin, score
from mov_ai.worlds.tabletop.meeting_rules import stated_meetings
from mov_ai.worlds.tabletop.motions import motion_of
from mov_ai.worlds.tabletop.scene import Action, boxes, sample_scene, simulate, split_seed
from mov_ai.worlds.tabletop.world import caption_and_layout
from mov_ai.worlds.tabletop.world_boxes import frames_of, world_positions

SEEDS = range(48)
#: Motions that look different in boxes.
SHOWN = tuple(m for m in lexicon.MOTIONS if m != "turn")


@pytest.fixture(scope="module")
def gold() -> list[tuple[SceneGraph, Layout]]:
    return [(caption.graph, layout) for _, caption, layout in (caption_and_layout(s, "validation") for s in SEEDS)]


def test_gold_layouts_satisfy_their_graphs(gold: list[tuple[SceneGraph, Layout]]) -> None:
    reports = [score(graph, layout) for graph, layout in gold]
    verdicts = [v.satisfied for r in reports for v in (*r.events, *r.relations) if v.satisfied is not None]
    assert len(verdicts) > 60
    assert np.mean(verdicts) >= 0.98
    assert all(r.inside == 1 and r.touching == 0 for r in reports)
    assert np.mean([r.satisfied for r in reports]) >= 0.98


def test_gold_tracks_do_not_show_other_motions(gold: list[tuple[SceneGraph, Layout]]) -> None:
    wrong = []
    for graph, layout in gold:
        for verdict in score(graph, layout).events:
            track = layout.track(verdict.target)
            assert track is not None
            # What a thing does when it turns, appears or vanishes is: nothing; so it may pass for "stay".
            if verdict.kind in ("stay", "turn", "appear", "vanish"):
                continue
            interval = graph.node(verdict.source).interval
            wrong += [motion_margin(m, track.boxes, interval) >= 0 for m in SHOWN if m != verdict.kind]  # type: ignore[operator]
    assert len(wrong) > 300
    assert np.mean(wrong) < 0.01


@pytest.mark.parametrize(("motion", "other"), [("left", "right"), ("toward", "away"), ("rise", "fall")])
def test_swapped_motions_fail(gold: list[tuple[SceneGraph, Layout]], motion: str, other: str) -> None:
    seen = 0
    for graph, layout in gold:
        for event in graph.of_type("event"):
            if motion_of(event.label, event.direction) != motion:
                continue
            directions = {m: d for d, m in lexicon.DIRECTION_MOTIONS.items()}
            swapped = graph.with_node(event.id, label="move", direction=directions[other])
            verdicts = [v for v in score(swapped, layout).events if v.source == event.id]
            assert verdicts
            assert all(v.satisfied is False and v.kind == other for v in verdicts)
            seen += 1
    assert seen


def test_inverse_relations_fail(gold: list[tuple[SceneGraph, Layout]]) -> None:
    seen = 0
    for graph, layout in gold:
        for i, edge in enumerate(graph.edges):
            if edge.type != "spatial" or lexicon.concept("spatial", edge.label) == "next to":
                continue
            label = lexicon.INVERSE_SPATIAL[lexicon.concept("spatial", edge.label) or ""]
            edges = [*graph.edges[:i], Edge(edge.source, edge.target, "spatial", label), *graph.edges[i + 1 :]]
            report = score(SceneGraph(graph.caption, graph.nodes, edges), layout)
            assert report.relations[0].satisfied is False
            assert not report.satisfied
            seen += 1
    assert seen


@pytest.mark.parametrize("motion", SHOWN)
def test_every_motion_is_recognised_alone(motion: str) -> None:
    scene = sample_scene(split_seed("train", 3))
    amounts = {
        "left": 1.2,
        "right": 1.2,
        "toward": 1.1,
        "away": 1.1,
        "jump": 0.8,
        "rise": 1.1,
        "fall": 1.1,
        "spin": 4.0,
    }
    for shape in ("sphere", "cube") if motion != "spin" else ("cube",):
        thing = type(scene.things[0])(shape, "red", "small", "matte")
        instance = type(scene.instances[0])(0, 0.0, 0.0, 1.1 if motion == "fall" else 0.0, 0.6)
        for interval in ((0.0, 0.3333), (0.3333, 0.6667), (0.5, 1.0), (0.0, 1.0)):
            action = Action(0, motion, interval, None, amounts.get(motion, 0.0))
            made = type(scene)(
                (thing,), (instance,), (action,), (), scene.setting, scene.light, scene.camera, scene.light_jitter
            )
            margin = motion_margin(motion, boxes(made, simulate(made))[0], interval)
            assert margin is not None
            assert margin >= 0


def test_turning_colour_and_unknown_verbs_have_no_verdict() -> None:
    track = np.tile(np.array([0.5, 0.5, 0.2, 0.2, 6.7, 1.0]), (16, 1))
    assert motion_margin("turn", track, (0, 1)) is None
    assert motion_margin("dance", track, (0, 1)) is None
    assert relation_margin("inside", track[0], track[0]) is None


def test_world_positions_undo_the_camera() -> None:
    scene = sample_scene(split_seed("train", 5))
    states = simulate(scene)
    made = world_positions(boxes(scene, states), scene.camera)
    centre = states.position.swapaxes(0, 1) + np.array([0, 1, 0]) * states.radius.T[..., None]
    assert np.abs(made - centre).max() < 0.3


def test_push_moves_the_patient_and_approach_the_agent() -> None:
    nodes = [Node("s", "scene", "scene"), Node("a", "entity", "cube"), Node("b", "entity", "ball")]
    edges = [Edge("e", "a", "agent"), Edge("e", "b", "patient")]
    push = Node("e", "event", "push", direction="left")
    approach = Node("e", "event", "approach")
    assert movers(SceneGraph("", [*nodes, push], edges), push) == ["b"]
    assert movers(SceneGraph("", [*nodes, approach], edges), approach) == ["a"]
    assert movers(SceneGraph("", [*nodes, push], edges[1:]), push) == ["b"]


def test_boxes_out_of_the_frame_and_hidden_boxes_are_faults() -> None:
    nodes = [Node("s", "scene", "scene"), Node("a", "entity", "cube"), Node("b", "entity", "ball")]
    graph = SceneGraph("", nodes, [])
    here = np.tile(np.array([0.5, 0.5, 0.2, 0.2, 6.7, 1.0], dtype=np.float32), (16, 1))
    out, behind = here.copy(), here.copy()
    out[:8, 0] = 0.95
    behind[:, 4] = 9.0
    report = score(graph, Layout(16, [Track("a", here), Track("b", out)]))
    assert report.inside == pytest.approx(0.75)
    assert report.touching == 1
    report = score(graph, Layout(16, [Track("a", here), Track("b", behind)]))
    assert report.hidden == pytest.approx(1.0)
    assert not report.satisfied
    assert "NO" in str(report)
    out[:, 5] = 0
    assert inside_share(out[None]) == 1


def test_missing_boxes_are_a_usage_error() -> None:
    graph = SceneGraph("", [Node("s", "scene", "scene"), Node("a", "entity", "cube")], [])
    with pytest.raises(UsageError, match="entity 'a'"):
        score(graph, Layout(16, []))
    with pytest.raises(UsageError, match="entity 'a'"):
        score(graph, Layout(16, [Track("a", np.full((16, 6), np.nan, dtype=np.float32))]))


@pytest.mark.parametrize("frames", [1, 2, 16, 40])
@pytest.mark.parametrize("interval", [(0, 1), (0, 0.01), (0.99, 1), (0.5, 0.505), (0.25, 0.75)])
def test_every_interval_has_frames(frames: int, interval: tuple[float, float]) -> None:
    found = frames_of(interval, frames)
    assert len(found) >= min(2, frames)
    assert found.min() >= 0
    assert found.max() < frames


def test_things_that_meet_may_touch_and_hide_one_another() -> None:
    nodes = [
        Node("s", "scene", "scene"),
        Node("push", "event", "push", direction="left"),
        *(Node(name, "entity", name) for name in ("ball", "cube", "cone")),
    ]
    edges = [
        Edge("s", "push", "contains"),
        Edge("s", "cone", "contains"),
        Edge("push", "ball", "agent"),
        Edge("push", "cube", "patient"),
    ]
    graph = SceneGraph("", nodes, edges)
    assert [(one.pair, one.kind) for one in stated_meetings(graph)] == [(frozenset(("ball", "cube")), "pushes")]
    here, there = (0.5, 0.5, 0.15, 0.15, 6.7, 1.0), (0.2, 0.5, 0.15, 0.15, 6.7, 1.0)

    def judged(ball: tuple[float, ...], cube: tuple[float, ...], cone: tuple[float, ...]) -> LayoutReport:
        boxes = zip(("ball", "cube", "cone"), (ball, cube, cone), strict=True)
        tracks = [Track(name, np.tile(np.array(box, dtype=np.float32), (16, 1))) for name, box in boxes]
        return score(graph, Layout(16, tracks))

    met = judged(here, here, there)
    assert (met.touching, met.hidden) == (0, 0.0)
    other = judged(here, there, here)
    assert other.touching == 1
    assert other.hidden == pytest.approx(1.0)
