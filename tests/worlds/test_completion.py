"""What the world adds to a graph: marked, repeatable, editable, and nothing that was said otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mov_ai.graph import MAX_NODES, Edge, Node, SceneGraph
from mov_ai.models.planner import LayoutPlanner, PlannerConfig
from mov_ai.worlds.tabletop import lexicon
from mov_ai.worlds.tabletop.completion import LOOKS, complete, gold_graph, without_assumed
from mov_ai.worlds.tabletop.world import caption_and_layout
from tests.models.builders import LABELS, awake, ball_and_cube
from tests.strategies import scene_graphs

SEEDS = range(20)


def _look(graph: SceneGraph, entity: str, kind: str) -> list[tuple[str, tuple[float, float]]]:
    """(label, interval) of an entity's attributes of a kind, in order of time."""
    spans = [(n.label, e.interval) for n, e in graph.attributes(entity) if n.kind == kind and not n.negated]
    return sorted(spans, key=lambda span: span[1])


def _one(*attributes: tuple[str, str, tuple[float, float], bool], **entity: object) -> SceneGraph:
    """A thing with attributes: (label, kind, interval, negated)."""
    nodes = [Node("s", "scene", "scene"), Node("a", "entity", "teapot", **entity)]  # type: ignore[arg-type]
    edges = [Edge("s", "a", "contains")]
    for i, (label, kind, interval, negated) in enumerate(attributes):
        nodes.append(Node(f"n{i}", "attribute", label, kind=kind, negated=negated))
        edges.append(Edge("a", f"n{i}", "has_attribute", interval=interval))
    graph = SceneGraph("", nodes, edges)
    graph.validate()
    return graph


# -- any graph ---------------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(scene_graphs(), st.integers(0, 2**31 - 1))
def test_any_graph_is_completed(graph: SceneGraph, seed: int) -> None:
    whole = complete(graph, seed)
    whole.validate()
    assert len(whole.nodes) <= MAX_NODES
    assert complete(graph, seed) == whole
    assert complete(whole, seed) == whole
    assert complete(whole, seed + 1) == whole
    # Nothing that was said is another thing now.
    for before, after in zip(graph.nodes, whole.nodes, strict=False):
        added = {name: None for name in after.assumed if name not in before.assumed}
        assert replace(after, assumed=before.assumed, **added) == before
    assert whole.edges[: len(graph.edges)] == graph.edges
    for node in whole.nodes[len(graph.nodes) :]:
        assert node.type == "attribute"
        assert node.assumed == ("label",)
    scene = whole.of_type("scene")[0]
    assert scene.setting is not None
    assert scene.light is not None
    SceneGraph.from_json(whole.to_json())


@settings(max_examples=100, deadline=None)
@given(scene_graphs(), st.integers(0, 2**31 - 1))
def test_what_was_assumed_can_be_taken_back(graph: SceneGraph, seed: int) -> None:
    said = without_assumed(graph)
    said.validate()
    assert not any(node.assumed for node in said.nodes)
    assert without_assumed(said) == said
    back = without_assumed(complete(said, seed))
    assert back.nodes == said.nodes
    assert back.edges == said.edges


@settings(max_examples=100, deadline=None)
@given(scene_graphs(), st.integers(0, 2**31 - 1))
def test_every_entity_has_a_look_at_all_times(graph: SceneGraph, seed: int) -> None:
    whole = complete(graph, seed)
    for entity in whole.of_type("entity"):
        for kind in LOOKS:
            covered = np.zeros(1000, bool)
            for node, edge in whole.attributes(entity.id):
                known = lexicon.attribute_concept(node.label)
                if not node.negated and (known[0] if known else node.kind) == kind:
                    start, end = (round(1000 * t) for t in edge.interval)
                    covered[start:end] = True
            assert covered.all() == (not entity.negated) or entity.negated


def test_a_full_graph_stays_within_the_limit() -> None:
    nodes = [Node("s", "scene", "scene"), *(Node(f"e{i}", "entity", "ball") for i in range(MAX_NODES - 4))]
    whole = complete(SceneGraph("", nodes), 0)
    whole.validate()
    assert len(whole.nodes) == MAX_NODES
    assert complete(whole, 0) == whole


# -- colours -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_said_is_kept_and_the_rest_chosen(seed: int) -> None:
    whole = complete(ball_and_cube(), seed)
    assert _look(whole, "ball", "color") == [("red", (0.0, 0.5)), ("blue", (0.5, 1.0))]
    assert _look(whole, "ball", "material") == [("matte", (0.0, 1.0))]
    [(color, interval)] = _look(whole, "cube", "color")
    assert interval == (0.0, 1.0)
    # Colours that are said belong to those of whom they are said.
    assert color in lexicon.COLORS
    assert color not in ("red", "blue")


def test_colours_are_drawn_and_differ_among_things() -> None:
    nodes = [Node("s", "scene", "scene"), *(Node(f"e{i}", "entity", "ball") for i in range(len(lexicon.COLORS)))]
    drawn = set()
    for seed in SEEDS:
        whole = complete(SceneGraph("", nodes), seed)
        colors = [_look(whole, node.id, "color")[0][0] for node in nodes[1:]]
        assert sorted(colors) == sorted(lexicon.COLORS)
        drawn.add(colors[0])
    assert len(drawn) > 3


def test_a_colour_that_a_synonym_says_is_in_use() -> None:
    crimson = ball_and_cube().with_node("red", label="crimson").with_node("blue", label="navy")
    for seed in SEEDS:
        assert _look(complete(crimson, seed), "cube", "color")[0][0] not in ("red", "blue")


def test_a_colour_of_another_world_is_a_colour() -> None:
    whole = complete(_one(("ochre", "color", (0.0, 1.0), False)), 0)
    assert _look(whole, "a", "color") == [("ochre", (0.0, 1.0))]


def test_a_denied_colour_is_not_chosen() -> None:
    for seed in SEEDS:
        for word in ("red", "crimson"):
            whole = complete(_one((word, "color", (0.0, 1.0), True)), seed)
            [(color, _)] = _look(whole, "a", "color")
            assert color in lexicon.COLORS
            assert color != "red"
    every = [(name, "color", (0.0, 1.0), True) for name in lexicon.COLORS]
    # Where all are denied, there still is one.
    assert _look(complete(_one(*every), 0), "a", "color")


def test_nothing_is_added_to_what_is_denied() -> None:
    assert len(complete(_one(negated=True), 0).nodes) == 2


def test_a_colour_outlasts_its_interval_until_another_begins() -> None:
    said = [("red", "color", (0.25, 0.5), False), ("blue", "color", (0.75, 0.9), False)]
    for seed in SEEDS:
        first, *rest = _look(complete(_one(*said), seed), "a", "color")
        assert first[1] == (0.0, 0.25)
        # What it was before is not said, but it became red then.
        assert first[0] not in ("red", "blue")
        assert rest == [("red", (0.25, 0.5)), ("red", (0.5, 0.75)), ("blue", (0.75, 0.9)), ("blue", (0.9, 1.0))]


def test_gaps_of_rounding_are_none() -> None:
    said = [("red", "color", (0.0, 0.3333), False), ("blue", "color", (0.3334, 0.9999), False)]
    assert len(_look(complete(_one(*said), 0), "a", "color")) == 2


def test_a_material_that_is_said_is_kept_whatever_kind_it_is_said_to_be() -> None:
    whole = complete(_one(("shiny", "other", (0.0, 1.0), False)), 0)
    assert _look(whole, "a", "material") == []
    assert len(_look(whole, "a", "color")) == 1


def test_setting_and_light_are_marked_where_they_are_added() -> None:
    scene = complete(ball_and_cube(), 0).of_type("scene")[0]
    assert (scene.setting, scene.light, scene.assumed) == ("floor", "left", ("setting", "light"))
    said = complete(ball_and_cube().with_node("s", setting="meadow"), 0).of_type("scene")[0]
    assert (said.setting, said.light, said.assumed) == ("meadow", "left", ("light",))


def test_names_that_are_in_use_are_not_taken() -> None:
    graph = _one()
    graph = SceneGraph("", [*graph.nodes, Node("a_color", "entity", "vase"), Node("a_material", "entity", "cup")])
    whole = complete(graph, 0)
    whole.validate()
    assert len({node.id for node in whole.nodes}) == len(whole.nodes)
    assert len(_look(whole, "a", "color")) == 1


# -- editing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("new", ["green", "purple", "yellow"])
def test_editing_one_entity_leaves_the_others_as_they_were(new: str) -> None:
    graph, edited = ball_and_cube(), ball_and_cube().with_node("red", label=new)
    for seed in range(40):
        before, after = (_look(complete(g, seed), "cube", "color")[0][0] for g in (graph, edited))
        # The colour moves only where it would meet the one that is said now, or no longer meets the one said before.
        assert after == before or before == new or after == "red"
    for change in ({"label": "cone"}, {"count": 3}):
        edited = graph.with_node("ball", **change)
        for seed in range(10):
            assert _look(complete(edited, seed), "cube", "color") == _look(complete(graph, seed), "cube", "color")


def test_a_planner_plans_the_same_for_a_graph_and_its_completion() -> None:
    torch.manual_seed(0)
    planner = awake(LayoutPlanner(PlannerConfig(dim=16, layers=1, heads=2, labels=LABELS)))
    for seed in range(3):
        graph = ball_and_cube(count=2)
        layouts = [planner.plan(g, seed)[0] for g in (graph, complete(graph, seed))]
        for a, b in zip(*(layout.tracks for layout in layouts), strict=True):
            assert np.array_equal(a.boxes, b.boxes)


# -- clips -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_a_clips_graph_is_completed_with_what_it_shows(seed: int) -> None:
    scene, caption, _ = caption_and_layout(seed, "train")
    gold = gold_graph(caption.graph, scene, caption.things)
    gold.validate()
    assert complete(gold, seed) == gold
    assert without_assumed(gold).nodes == without_assumed(caption.graph).nodes
    for entity, thing in zip(caption.things, scene.things, strict=True):
        first = _look(gold, entity, "color")[0]
        assert lexicon.concept("color", first[0]) == thing.color
    assert lexicon.concept("setting", gold.of_type("scene")[0].setting) == scene.setting
    assert lexicon.concept("light", gold.of_type("scene")[0].light) == scene.light
