"""The planner: what it sees, what it keeps, and that any graph gets a layout."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings

from mov_ai.errors import UsageError
from mov_ai.graph import Edge, Layout, Node, SceneGraph, Track
from mov_ai.graph.instances import MAX_INSTANCES, drawn_entities
from mov_ai.graph.layout_report import LayoutReport, Verdict, preference
from mov_ai.graph.time import frame_times
from mov_ai.models.component import load_component, save_component
from mov_ai.models.planner import LayoutPlanner, PlannerConfig, cosine_basis, plan_noise
from mov_ai.models.planner_input import agree, ranks_of, read_graph, to_boxes, to_track
from mov_ai.worlds.tabletop.layout_rules import score
from mov_ai.worlds.tabletop.world import caption_and_layout
from tests.models.builders import ENCODER, LABELS, awake, dogs_and_frisbees, relabelled
from tests.strategies import scene_graphs

FRAMES = 16

ASSET = Path(__file__).parents[2] / "mov_ai" / "assets" / "tiny" / "planner"


@pytest.fixture(scope="module")
def planner() -> LayoutPlanner:
    """A small random planner all of whose weights matter: what is tested with it holds whatever they are."""
    torch.manual_seed(0)
    return awake(LayoutPlanner(PlannerConfig(dim=32, layers=2, heads=2, labels=LABELS)))


@pytest.fixture(scope="module")
def trained() -> LayoutPlanner:
    if not (ASSET / "config.json").exists():
        pytest.skip("no embedded planner; python -m mov_ai.train experiment=tiny/planner makes one")
    return load_component(LayoutPlanner, PlannerConfig, ASSET)


def two_things(color: str = "red", shape: str = "ball") -> SceneGraph:
    nodes = [
        Node("s", "scene", "scene"),
        Node("a", "entity", shape),
        Node("b", "entity", "cube"),
        Node("c", "attribute", color, kind="color"),
        Node("m", "attribute", "shiny" if color == "red" else "matte", kind="material"),
        Node("e", "event", "roll", direction="left", interval=(0.0, 0.5)),
        Node("f", "event", "jump", interval=(0.5, 1.0)),
    ]
    edges = [
        Edge("a", "c", "has_attribute"),
        Edge("b", "m", "has_attribute"),
        Edge("e", "a", "agent"),
        Edge("f", "b", "agent"),
        Edge("a", "b", "spatial", "right of"),
    ]
    graph = SceneGraph(f"a {color} {shape}", nodes, edges)
    graph.validate()
    return graph


def crowd(count: int) -> SceneGraph:
    nodes = [Node("s", "scene", "scene"), *(Node(f"n{i}", "entity", "ball", count=8) for i in range(-(-count // 8)))]
    return SceneGraph("", nodes, [])


def same(a: Layout, b: Layout) -> bool:
    return all(np.array_equal(x.boxes, y.boxes) for x, y in zip(a.tracks, b.tracks, strict=True))


def made(planner: LayoutPlanner, graph: SceneGraph, **more: Any) -> Layout:
    """The layout of a plan without a verifier."""
    layout, report = planner.plan(graph, **more)
    assert report is None
    return layout


def test_a_seed_repeats_and_another_differs(planner: LayoutPlanner) -> None:
    graph = two_things()
    first = made(planner, graph, seed=1)
    assert same(first, made(planner, graph, seed=1))
    assert not same(first, made(planner, graph, seed=2))
    assert first.frames == FRAMES
    assert first.complete
    assert [(t.entity, t.instance) for t in first.tracks] == drawn_entities(graph)


def test_looks_do_not_touch_the_layout(planner: LayoutPlanner) -> None:
    red = made(planner, two_things("red"), seed=5)
    assert same(red, made(planner, two_things("blue"), seed=5))
    # Neither how it looks nor that anything is said of that.
    bare = two_things()
    bare = SceneGraph("", [n for n in bare.nodes if n.type != "attribute"], [e for e in bare.edges if e.target in "ab"])
    assert same(red, made(planner, bare, seed=5))


DOGS = dogs_and_frisbees()
SEEN = {
    "entity": DOGS.with_node("dog", label="cat"),
    "other entity": DOGS.with_node("frisbee", label="stick"),
    "event": DOGS.with_node("catch", label="bury"),
    "direction": DOGS.with_node("catch", direction="down"),
    "manner": DOGS.with_node("catch", manner="lazily"),
    "interval": DOGS.with_node("catch", interval=(0.5, 1.0)),
    "size": DOGS.with_node("large", label="wee"),
    "spatial relation": relabelled(DOGS, "above", "beneath"),
    "camera": DOGS.with_node("s", camera="pan left"),
    "place": SceneGraph("", DOGS.nodes, [*DOGS.edges, Edge("dog", "s", "location", "lower left")]),
    "place of an event": SceneGraph("", DOGS.nodes, [*DOGS.edges, Edge("catch", "s", "location", "top")]),
    "presence": SceneGraph("", DOGS.nodes, [*DOGS.edges, Edge("s", "dog", "contains", interval=(0.0, 0.5))]),
    "relation": relabelled(DOGS, "chasing", "ignoring"),
}
UNSEEN = {
    "color": DOGS.with_node("ochre", label="magenta"),
    "material": DOGS.with_node("wooden", label="rubbery"),
    "texture": DOGS.with_node("spotted", label="striped"),
    "denied size": DOGS.with_node("large", negated=True).with_node("large", label="wee"),
    "setting": DOGS.with_node("s", setting="beach"),
    "light": DOGS.with_node("s", light="dawn"),
    "caption": SceneGraph("something else", DOGS.nodes, DOGS.edges),
}


@pytest.mark.parametrize("what", SEEN)
def test_every_label_that_moves_things_moves_the_layout(planner: LayoutPlanner, what: str) -> None:
    before, after = (made(planner, graph, seed=3) for graph in (DOGS, SEEN[what]))
    assert len(before.tracks) == len(after.tracks)
    change = [np.abs(a.boxes - b.boxes).max() for a, b in zip(before.tracks, after.tracks, strict=True)]
    assert max(change) > 1e-4


@pytest.mark.parametrize("what", UNSEEN)
def test_labels_of_looks_leave_the_layout_bit_for_bit(planner: LayoutPlanner, what: str) -> None:
    reference = DOGS.with_node("large", negated=True) if what == "denied size" else DOGS
    assert same(made(planner, reference, seed=3), made(planner, UNSEEN[what], seed=3))


def test_layouts_are_valid_files(planner: LayoutPlanner) -> None:
    layout = made(planner, two_things(), seed=3)
    again = Layout.from_dict(layout.to_dict())
    assert all(np.allclose(x.boxes, y.boxes, atol=1e-4) for x, y in zip(layout.tracks, again.tracks, strict=True))


def test_known_boxes_are_kept_exactly_and_the_rest_is_filled_in(planner: LayoutPlanner) -> None:
    graph = two_things()
    boxes = np.full((FRAMES, 6), np.nan, dtype=np.float32)
    boxes[0] = (0.7, 0.6, 0.21, 0.2, 6.3, 1.0)
    boxes[9] = (0.3, 0.6, 0.21, 0.2, 6.3, 0.9)
    whole = made(planner, graph, seed=8).tracks[1]
    known = Layout(FRAMES, [Track("a", boxes), Track("b", whole.boxes)])
    planned = made(planner, graph, seed=4, known=known)
    assert planned.complete
    track = planned.track("a")
    assert track is not None
    assert np.array_equal(track.boxes[[0, 9]], boxes[[0, 9]])
    other = planned.track("b")
    assert other is not None
    assert np.array_equal(other.boxes, whole.boxes)
    assert np.isnan(known.tracks[0].boxes[1]).all()


def test_an_empty_known_layout_changes_nothing(planner: LayoutPlanner) -> None:
    graph = two_things()
    nothing = Layout(FRAMES, [Track("a", np.full((FRAMES, 6), np.nan, dtype=np.float32))])
    assert same(made(planner, graph, seed=1), made(planner, graph, seed=1, known=nothing))


def test_agreement_is_exact_and_continuous() -> None:
    inputs = read_graph(two_things(), ENCODER)
    inputs.given[0, 0, [3, 12]] = True
    inputs.values[0, 0, [3, 12]] = 1.0
    tracks = torch.zeros(1, 2, FRAMES, 6)
    bent = agree(tracks, inputs)
    assert torch.equal(bent[0, 0, [3, 12]], torch.ones(2, 6))
    assert torch.allclose(bent[0, 0, :, :5], torch.ones(FRAMES, 5))
    assert bent[0, 0, 5, 5] == 0
    assert torch.equal(bent[0, 1], tracks[0, 1])


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (Layout(FRAMES, [Track("zz", np.zeros((FRAMES, 6), dtype=np.float32))]), "'zz'"),
        (Layout(FRAMES, [Track("a", np.zeros((FRAMES, 6), dtype=np.float32), instance=1)]), "instance 1"),
        (Layout(8, [Track("a", np.zeros((8, 6), dtype=np.float32))]), "expected 16 frames, .*; found 8"),
    ],
)
def test_known_layouts_that_do_not_fit_are_usage_errors(planner: LayoutPlanner, known: Layout, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        made(planner, two_things(), known=known, frames=FRAMES)
    with pytest.raises(UsageError):
        made(planner, SceneGraph("", [Node("s", "scene", "scene")], []), known=known, frames=FRAMES)


@pytest.mark.parametrize(("steps", "candidates"), [(0, 8), (8, 0)])
def test_wrong_numbers_are_usage_errors(planner: LayoutPlanner, steps: int, candidates: int) -> None:
    with pytest.raises(UsageError, match="from 1"):
        made(planner, two_things(), steps=steps, candidates=candidates)


def test_a_graph_without_entities_has_an_empty_layout(planner: LayoutPlanner) -> None:
    assert made(planner, SceneGraph("", [Node("s", "scene", "scene")], [])).tracks == []
    negated = SceneGraph("", [Node("s", "scene", "scene"), Node("a", "entity", "ball", negated=True)], [])
    assert made(planner, negated).tracks == []


def test_unknown_shapes_and_crowds_are_planned(planner: LayoutPlanner) -> None:
    layout = made(planner, two_things(shape="zebra"), seed=1)
    assert layout.complete
    many = made(planner, crowd(MAX_INSTANCES), candidates=2)
    assert len(many.tracks) == MAX_INSTANCES
    assert many.complete
    Layout.from_dict(many.to_dict())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graph=scene_graphs())
def test_any_graph_has_a_valid_layout(planner: LayoutPlanner, graph: SceneGraph) -> None:
    layout, report = planner.plan(graph, seed=2, steps=2, candidates=2, verifier=score)
    assert [(t.entity, t.instance) for t in layout.tracks] == drawn_entities(graph)
    assert layout.complete
    Layout.from_dict(layout.to_dict())
    assert str(report)


def test_several_of_a_kind_know_which_they_are() -> None:
    nodes = [Node("s", "scene", "scene"), Node("a", "entity", "dog", count=3), Node("b", "entity", "cat")]
    graph = SceneGraph("", nodes, [Edge("s", "a", "contains"), Edge("s", "b", "contains")])
    assert read_graph(graph, ENCODER).rank[0].tolist() == [[1, 3], [2, 2], [3, 1], [0, 0]]
    boxes = np.full((FRAMES, 6), np.nan, dtype=np.float32)
    boxes[0] = (0.9, 0.5, 0.1, 0.1, 5.0, 1.0)
    known = Layout(FRAMES, [Track("a", boxes, 0)])
    # Who is given a place need not be the leftmost of them.
    assert not read_graph(graph, ENCODER, known).rank.any()


def test_ranks_of_known_tracks_are_counted_from_both_sides() -> None:
    boxes = np.tile(np.array([0.5, 0.5, 0.1, 0.1, 5.0, 1.0], dtype=np.float32), (1, 4, FRAMES, 1))
    boxes[0, :, 0, 0] = [0.7, 0.2, 0.2, 0.4]
    boxes[0, :, 0, 1] = [0.5, 0.8, 0.3, 0.5]
    siblings = np.ones((1, 4, 4)) - np.eye(4)
    siblings[:, 3] = siblings[:, :, 3] = 0
    given = np.zeros((1, 4, FRAMES), dtype=bool)
    assert ranks_of(to_track(boxes), siblings, given)[0].tolist() == [[3, 1], [2, 2], [1, 3], [0, 0]]
    given[0, 1, 3] = True
    assert not ranks_of(to_track(boxes), siblings, given).any()


def test_boxes_survive_the_change_of_units() -> None:
    _, _, layout = caption_and_layout(11, "train")
    boxes = np.stack([track.boxes for track in layout.tracks])
    assert np.allclose(to_boxes(to_track(boxes)), boxes, atol=1e-4)


def test_tracks_survive_the_coefficients(planner: LayoutPlanner) -> None:
    tracks = torch.randn(2, 3, FRAMES, 6, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(planner.decode(planner.encode(tracks)), tracks, atol=1e-4)


def test_size_and_parameters(planner: LayoutPlanner, tmp_path: Path) -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in LayoutPlanner(PlannerConfig()).parameters()) <= 1_900_000
    save_component(planner, tmp_path)
    again = load_component(LayoutPlanner, PlannerConfig, tmp_path)
    pairs = zip(made(planner, two_things()).tracks, made(again, two_things()).tracks, strict=True)
    assert all(np.allclose(a.boxes, b.boxes, atol=0.05) for a, b in pairs)


def test_a_verifier_chooses_among_candidates(planner: LayoutPlanner) -> None:
    graph = two_things()
    layouts = planner.candidates(graph, seed=3, candidates=4)
    assert len(layouts) == 4
    # As many as are sampled together, up to the order of sums.
    some = [
        (0, [made(planner, graph, seed=3)]),
        (0, planner.candidates(graph, seed=3, candidates=2)),
        (2, planner.candidates(graph, seed=3, candidates=2, first=2)),
    ]
    for first, fewer in some:
        for layout, other in zip(layouts[first:], fewer, strict=False):
            pairs = zip(layout.tracks, other.tracks, strict=True)
            assert all(np.allclose(a.boxes, b.boxes, atol=1e-4) for a, b in pairs)
    best, report = planner.plan(graph, seed=3, candidates=4, verifier=score, rounds=1)
    assert report is not None
    values = [score(graph, layout).value for layout in layouts]
    assert report.value == max(values)
    assert same(best, layouts[values.index(max(values))])


def test_no_layout_without_a_fault_stands_behind_one_that_has_any() -> None:
    slight, plain = (Verdict("e", "a", "", "left", True, margin) for margin in (0.0, 1.0))
    right = LayoutReport((slight,) * 3, (), 1.0, 0.0, 0.0, 0)
    touching = LayoutReport((plain,) * 3, (), 1.0, 0.0, 0.0, 1)
    assert touching.value > right.value
    assert max([touching, right], key=preference) is right


def test_where_all_boxes_are_given_one_layout_is_looked_at(planner: LayoutPlanner) -> None:
    whole = made(planner, two_things())
    seen: list[Layout] = []

    def verifier(graph: SceneGraph, layout: Layout) -> LayoutReport:
        seen.append(layout)
        return LayoutReport((), (), 0.5, 0.0, 0.0, 0)

    planner.plan(two_things(), known=whole, verifier=verifier)
    assert len(seen) == 1


@pytest.mark.parametrize("wrong", [{"candidates": 0}, {"rounds": 0}])
def test_no_candidates_are_refused(planner: LayoutPlanner, wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="expected candidates and rounds from 1"):
        planner.plan(two_things(), verifier=score, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("good", "candidates", "looked_at"), [(1, 2, 2), (4, 2, 6), (None, 2, 8), (None, 1, 1)])
def test_more_candidates_are_sampled_as_long_as_each_has_a_fault(
    planner: LayoutPlanner, good: int | None, candidates: int, looked_at: int
) -> None:
    seen: list[Layout] = []

    def verifier(graph: SceneGraph, layout: Layout) -> LayoutReport:
        seen.append(layout)
        is_good = good is not None and len(seen) - 1 == good
        return LayoutReport((), (), 1.0 if is_good else 0.5, 0.0, 0.0, 0)

    best, report = planner.plan(two_things(), seed=3, steps=2, candidates=candidates, verifier=verifier, rounds=4)
    assert len(seen) == looked_at
    assert report is not None
    assert report.satisfied is (good is not None)
    assert same(best, seen[good or 0])


def test_editing_one_entity_leaves_the_noise_of_the_others(planner: LayoutPlanner) -> None:
    plain, counted = (plan_noise(two_things().with_node("a", count=n), 5, 2, FRAMES) for n in (1, 3))
    assert plain.shape == (2, 2, FRAMES, 6)
    assert torch.equal(plain[:, 0], counted[:, 0])
    assert torch.equal(plain[:, 1], counted[:, 3])


# -- other numbers of frames -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [1, 2, 4, 24, 48])
def test_any_number_of_frames_can_be_planned(planner: LayoutPlanner, frames: int) -> None:
    layout = made(planner, two_things(), seed=1, frames=frames)
    assert layout.frames == frames
    assert layout.complete
    assert [(t.entity, t.instance) for t in layout.tracks] == drawn_entities(two_things())
    assert made(planner, SceneGraph("", [Node("s", "scene", "scene")], []), frames=frames).frames == frames


def test_more_frames_are_the_same_curve_seen_more_often(planner: LayoutPlanner) -> None:
    # The middles of 16 frames are middles of 48: the frame at 3 k + 1.
    few, many = (made(planner, two_things(), seed=1, frames=frames) for frames in (16, 48))
    for a, b in zip(few.tracks, many.tracks, strict=True):
        assert np.allclose(a.boxes, b.boxes[1::3], atol=1e-4)
    # The one frame of a picture is at the middle of a video of three.
    one, three = (made(planner, two_things(), seed=1, frames=frames) for frames in (1, 3))
    for a, b in zip(one.tracks, three.tracks, strict=True):
        assert np.allclose(a.boxes[0], b.boxes[1], atol=1e-4)


def test_the_basis_is_orthonormal_and_interpolates() -> None:
    basis = cosine_basis(FRAMES, torch.from_numpy(frame_times(FRAMES)).float())
    assert torch.allclose(basis @ basis.T, torch.eye(FRAMES), atol=1e-5)
    # A line of time comes back between the frames, up to what cosines make of its ends.
    times = torch.from_numpy(frame_times(3 * FRAMES)).float()
    line = basis @ torch.from_numpy(frame_times(FRAMES)).float()
    assert torch.allclose(line @ cosine_basis(FRAMES, times), times, atol=0.02)


@pytest.mark.parametrize("frames", [4, 24])
def test_known_boxes_are_kept_exactly_at_other_numbers_of_frames(planner: LayoutPlanner, frames: int) -> None:
    boxes = np.full((frames, 6), np.nan, dtype=np.float32)
    boxes[0] = (0.7, 0.6, 0.21, 0.2, 6.3, 1.0)
    boxes[frames - 2] = (0.3, 0.6, 0.21, 0.2, 6.3, 0.9)
    whole = made(planner, two_things(), seed=8, frames=frames).tracks[1]
    known = Layout(frames, [Track("a", boxes), Track("b", whole.boxes)])
    layout = made(planner, two_things(), seed=4, known=known)
    assert layout.frames == frames
    assert layout.complete
    given_rows = np.isfinite(boxes).all(-1)
    assert np.array_equal(layout.tracks[0].boxes[given_rows], boxes[given_rows])
    assert np.array_equal(layout.tracks[1].boxes, whole.boxes)


# -- the embedded weights ----------------------------------------------------------------------------------------------


def test_events_and_relations_of_unseen_graphs_hold(trained: LayoutPlanner) -> None:
    reports, distances = [], []
    for clip in range(10_000, 10_024):
        graph = caption_and_layout(clip, "test")[1].graph
        layout, report = trained.plan(graph, seed=0, verifier=score)
        reports.append(report)
        other = made(trained, graph, seed=1)
        pairs = zip(layout.tracks, other.tracks, strict=True)
        distances += [np.linalg.norm(a.boxes[:, :2] - b.boxes[:, :2], axis=-1).mean() for a, b in pairs]
    events = [v.satisfied for r in reports for v in r.events if v.satisfied is not None]
    relations = [v.satisfied for r in reports for v in r.relations if v.satisfied is not None]
    assert np.mean(events) >= 0.94
    assert np.mean(relations) >= 0.9
    assert np.mean([r.inside for r in reports]) >= 0.99
    assert np.mean(distances) > 0.05


def test_editing_a_motion_changes_what_is_seen(trained: LayoutPlanner) -> None:
    graph = two_things()
    changed = graph.with_node("e", direction="right")
    layout = made(trained, changed, seed=0)
    report = score(changed, layout)
    assert all(v.satisfied for v in report.events)
    assert any(v.satisfied is False for v in score(graph, layout).events)


def test_nothing_jumps_between_given_boxes(trained: LayoutPlanner) -> None:
    boxes = np.full((FRAMES, 6), np.nan, dtype=np.float32)
    boxes[0] = (0.75, 0.6, 0.21, 0.2, 6.3, 1.0)
    boxes[9] = (0.35, 0.6, 0.21, 0.2, 6.3, 1.0)
    layout = made(trained, two_things(), seed=4, known=Layout(FRAMES, [Track("a", boxes)]))
    track = layout.track("a")
    assert track is not None
    assert np.abs(np.diff(track.boxes[:, :2], axis=0)).max() < 0.12
    assert (track.boxes[1:9, 0] < 0.78).all()
    assert (track.boxes[1:9, 0] > 0.32).all()


def test_a_given_track_is_worked_around(trained: LayoutPlanner) -> None:
    graph = two_things()
    corner = np.tile(np.array([0.3, 0.6, 0.2, 0.2, 6.5, 1.0], dtype=np.float32), (FRAMES, 1))
    graph = replace(
        graph, nodes=[n for n in graph.nodes if n.id != "f"], edges=[e for e in graph.edges if e.source != "f"]
    )
    layout = made(trained, graph, seed=0, known=Layout(FRAMES, [Track("b", corner)]))
    report = score(graph, layout)
    assert all(v.satisfied for v in report.relations)


def test_a_plan_takes_milliseconds(trained: LayoutPlanner) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    graph = two_things()
    made(trained, graph)
    times = []
    for seed in range(10):
        start = time.process_time()
        made(trained, graph, seed=seed)
        times.append(time.process_time() - start)
    torch.set_num_threads(threads)
    # CPU time, so that a busy machine does not fail it.
    assert np.median(times) < 0.15
