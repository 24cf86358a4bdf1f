"""What is told of solids beyond the table's own motions is judged as on the stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mov_ai.graph import Edge, Layout, Node, SceneGraph
from mov_ai.graph.instances import drawn_entities
from mov_ai.training.planner_scenes import draw_chunk, unpacked
from mov_ai.worlds.stage.world import sample_scene
from mov_ai.worlds.tabletop.layout_rules import score
from mov_ai.worlds.tabletop.solids import is_of_solids
from mov_ai.worlds.tabletop.variation import WorldVariation
from mov_ai.worlds.tabletop.verifier import verify
from mov_ai.worlds.tabletop.world import caption_and_layout
from studies.layout.cast import cast_of
from studies.layout.facts import build_layout_prompt
from studies.layout.judge import Judge
from studies.layout.suite import embedded_planner
from tests.models.builders import still_layout

_SOLIDS = ("ball", "cube", "cone", "cylinder")
SCENES = 40


def of_solids(graph: SceneGraph) -> SceneGraph:
    """The same scene, played by solids."""
    played = list(dict.fromkeys(entity for entity, _ in drawn_entities(graph)))
    labels = {entity: _SOLIDS[number % len(_SOLIDS)] for number, entity in enumerate(played)}
    return replace(graph, nodes=[replace(node, label=labels.get(node.id, node.label)) for node in graph.nodes])


def with_boxes(layout: Layout, change: Callable[[np.ndarray], np.ndarray], column: int) -> Layout:
    """The layout with other values in a column of all its boxes."""
    tracks = []
    for track in layout.tracks:
        boxes = track.boxes.copy()
        boxes[:, column] = change(boxes[:, column])
        tracks.append(replace(track, boxes=boxes))
    return replace(layout, tracks=tracks)


def mirrored(layout: Layout) -> Layout:
    return with_boxes(layout, lambda x: 1 - x, 0)


def upside_down(layout: Layout) -> Layout:
    return with_boxes(layout, lambda y: 1 - y, 1)


def always_there(layout: Layout) -> Layout:
    return with_boxes(layout, np.ones_like, 5)


def share_refused(kind: str, change: Callable[[Layout], Layout]) -> float:
    """Share of gold layouts, changed, of which the verifier says that something told is not shown."""
    refused = []
    for seed in range(SCENES):
        scene = sample_scene(seed, "validation", kind)
        graph = of_solids(scene.caption.graph)
        assert is_of_solids(graph)
        report = verify(graph, change(scene.layout))
        refused.append(any(verdict.satisfied is False for verdict in report.verdicts))
    return float(np.mean(refused))


@pytest.mark.parametrize("kind", ["place", "place_sequence", "presence", "enter_leave", "relation", "relative_way"])
def test_right_layouts_are_accepted(kind: str) -> None:
    assert share_refused(kind, lambda layout: layout) <= 0.1


@pytest.mark.parametrize(("kind", "least"), [("place_sequence", 0.9), ("enter_leave", 0.8), ("place", 0.6)])
def test_mirrored_layouts_are_refused(kind: str, least: float) -> None:
    # A place in the middle, or at the top, is the same in a mirror.
    assert share_refused(kind, mirrored) >= least


def test_places_upside_down_are_refused() -> None:
    both = [share_refused(kind, upside_down) for kind in ("place", "place_sequence")]
    assert min(both) >= 0.4


def test_what_is_there_for_a_part_of_the_time_is_asked_for() -> None:
    assert share_refused("presence", always_there) >= 0.7


def test_the_worlds_own_scenes_are_judged_by_the_tables_rules_alone() -> None:
    scenes = [caption_and_layout(seed, "validation")[1:] for seed in range(30)]
    pairs = [(caption.graph, layout) for caption, layout in scenes]
    # With things that meet, and crowds.
    pairs += list(unpacked(draw_chunk("validation", 0, WorldVariation(interactions=0.5, crowds=0.2))))[:60]
    for graph, layout in pairs:
        assert verify(graph, layout) == score(graph, layout)


@pytest.mark.parametrize("verb", ["sit", "appear", "grow"])
def test_a_place_of_what_stays_is_asked_for(verb: str) -> None:
    nodes = [Node("s", "scene", "scene"), Node("b", "entity", "ball"), Node("e", "event", verb)]
    edges = [Edge("e", "b", "agent"), Edge("e", "s", "location", "upper left")]
    graph = SceneGraph("", nodes, edges)
    for x, is_shown in ((0.2, True), (0.8, False)):
        layout = still_layout(graph, [(x, 0.2, 0.1, 0.1, 6.0, 1.0)])
        assert [verdict.satisfied for verdict in verify(graph, layout).places] == [is_shown]
    denied = replace(graph, nodes=[*nodes[:2], replace(nodes[2], negated=True)])
    assert verify(denied, layout) == score(denied, layout)


def test_comparisons_of_solids_are_asked_for() -> None:
    nodes = [Node("s", "scene", "scene"), Node("b", "entity", "ball"), Node("c", "entity", "cube")]
    graph = SceneGraph("", nodes, [Edge("b", "c", "spatial", "bigger than")])
    for size, is_shown in ((0.3, True), (0.1, False)):
        layout = still_layout(graph, [(0.25, 0.6, size, size, 6.0, 1.0), (0.75, 0.6, 0.18, 0.18, 6.0, 1.0)])
        assert [verdict.satisfied for verdict in verify(graph, layout).sizes] == [is_shown]


_PROMPTS = (
    """A ball initially on the lower left. It first moves to the lower right, then to the upper right
    ball [[lower left]] @1; move#1(ball) [[lower right]] ^?right @2; move#2(ball) [[upper right]] ^?up @3; steps: 3
    = visits(ball, lower left, lower right, upper right)""",
    """A ball that starts at the bottom, goes to the left and then to the top
    ball [[bottom]] @1; go#1(ball) [[left]] ^?left @2; go#2(ball) [[top]] ^?up @3; steps: 3
    = visits(ball, bottom, left, top)""",
    """A ball rolls from the left of a cube to its right
    ball; cube; ball -left of- cube @1; roll(ball) [right of cube] ^right
    = left_of(ball, cube) @start; right_of(ball, cube) @end""",
    """a ball between two cubes
    ball; cube*2; ball -between- cube
    = between(ball, cube, cube); count(cube, 2)""",
    """a ball is visible only in the first half
    ball @1; steps: 2
    = present(ball) @1; absent(ball) @2""",
)


def test_planned_solids_are_where_the_prompt_says() -> None:
    plan, answers = embedded_planner("tiny", 16), []
    for block in _PROMPTS:
        prompt = build_layout_prompt(block)
        for seed in (0, 1):
            graph, layout = plan(prompt.gold.graph, seed, 8)
            answers += Judge(layout, cast_of(prompt.gold, graph, layout)).answers(prompt.facts)
    # Without the rules of the stage 11 of 16 are shown.
    assert sum(answer is True for answer in answers) >= len(answers) - 1
