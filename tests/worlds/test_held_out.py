"""Words that training never says: none is left in a graph, whatever form it has."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings

from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.worlds.tabletop.held_out import HELD_OUT_WORDS, unseen_in_training, with_seen_words
from mov_ai.worlds.tabletop.world import caption_and_layout
from tests.strategies import scene_graphs


@pytest.mark.parametrize("word", HELD_OUT_WORDS)
def test_a_held_out_word_gives_way_to_a_word_of_its_meaning(word: str) -> None:
    node = Node("a", "entity", word.capitalize(), span=(2, 2 + len(word)))
    graph = SceneGraph(f"a {word} here", [Node("s", "scene", "scene"), node], [Edge("s", "a", "contains")])
    seen = with_seen_words(graph)
    assert seen.node("a").label == HELD_OUT_WORDS[word]
    assert seen.node("a").span is None
    assert seen.caption == f"a {HELD_OUT_WORDS[word]} here"
    assert seen.edges == graph.edges
    assert word not in HELD_OUT_WORDS.values()


@pytest.mark.parametrize(
    "said", ["rotates", "rotating", "Rotated", "hops", "hopping", "orbs", "swells", "dwindling", "leaping", "blocks"]
)
def test_forms_of_held_out_words_leave_the_caption(said: str) -> None:
    caption = with_seen_words(SceneGraph(f"it {said}.", [Node("s", "scene", "scene")])).caption
    assert said not in caption
    assert re.fullmatch(r"it \w+\.", caption)


def test_words_within_others_are_left() -> None:
    for caption in ("it absorbs", "a bishop", "the enormous test", "no word of these"):
        assert with_seen_words(SceneGraph(caption, [Node("s", "scene", "scene")])).caption == caption


@settings(max_examples=50, deadline=None)
@given(scene_graphs())
def test_any_graph_stays_valid_and_once_is_enough(graph: SceneGraph) -> None:
    seen = with_seen_words(graph)
    seen.validate()
    assert with_seen_words(seen) == seen
    assert [node.id for node in seen.nodes] == [node.id for node in graph.nodes]
    assert not {node.label.lower() for node in seen.nodes} & HELD_OUT_WORDS.keys()


def test_clips_of_the_world_say_them_and_training_does_not() -> None:
    graphs = [caption_and_layout(seed, "train")[1].graph for seed in range(200)]
    labels = {node.label.lower() for graph in graphs for node in graph.nodes}
    assert labels & HELD_OUT_WORDS.keys()
    for graph in map(with_seen_words, graphs):
        assert not {node.label.lower() for node in graph.nodes} & HELD_OUT_WORDS.keys()
        assert not set(re.findall(r"\w+", graph.caption.lower())) & HELD_OUT_WORDS.keys()


def test_what_training_never_shows_is_named() -> None:
    assert any(unseen_in_training(caption_and_layout(seed, "test")[1].graph) for seed in range(9))
    for seed in range(200):
        assert unseen_in_training(with_seen_words(caption_and_layout(seed, "train")[1].graph)) == []
    nodes = [
        Node("s", "scene", "scene"),
        Node("a", "entity", "Box"),
        Node("b", "entity", "orb"),
        Node("said", "attribute", "violet", kind="color"),
        Node("assumed", "attribute", "orange", kind="color", assumed=("label",)),
    ]
    edges = [Edge("s", "a", "contains"), Edge("s", "b", "contains")]
    edges += [Edge("a", "said", "has_attribute"), Edge("b", "assumed", "has_attribute")]
    assert unseen_in_training(SceneGraph("a violet box and an orb", nodes, edges)) == [
        '"orb"',
        '"violet"',
        "violet Box",
    ]
