"""The graph encoder: nodes hear their own labels, their neighbours and what links them, and nothing of padding."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from hypothesis import given as supposing
from hypothesis import settings
from torch import Tensor
from torch.testing import assert_close

from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.models.conditioning import collate, condition
from mov_ai.models.graph_encoder import MESSAGES, GraphEncoder, GraphEncoderConfig
from tests.models.builders import ENCODER, LABELS, awake, ball_and_cube, dogs_and_frisbees, given, relabelled
from tests.strategies import scene_graphs


@pytest.fixture(params=MESSAGES)
def messages(request: pytest.FixtureRequest) -> str:
    """How the nodes hear one another."""
    return str(request.param)


def _encoder(messages: str, layers: int = 2) -> GraphEncoder:
    torch.manual_seed(0)
    return awake(GraphEncoder(GraphEncoderConfig(16, layers, 2, messages), LABELS.width))


def _tokens(encoder: GraphEncoder, graph: SceneGraph) -> Tensor:
    """(N, 16)."""
    with torch.no_grad():
        return encoder(given(graph))[0]


@settings(max_examples=20, deadline=None)
@supposing(scene_graphs(max_nodes=6))
def test_any_valid_graph_is_taken(graph: SceneGraph) -> None:
    with torch.no_grad():
        for messages in MESSAGES:
            assert _encoder(messages)(condition(graph, None, ENCODER, 3)).isfinite().all()


def test_padding_does_not_change_the_nodes(messages: str) -> None:
    encoder = _encoder(messages)
    small = given(SceneGraph("", [Node("s", "scene", "scene"), Node("b", "entity", "ball")]))
    large = given(dogs_and_frisbees())
    with torch.no_grad():
        both = encoder(collate([small, given(), large]))
        for row, alone in enumerate((small, given(), large)):
            nodes = int(alone.node_mask.sum())
            assert_close(both[row, :nodes], encoder(alone)[0], atol=1e-5, rtol=1e-4)


def test_nodes_look_along_their_edges(messages: str) -> None:
    encoder = _encoder(messages)
    graph = ball_and_cube()
    cut = SceneGraph(graph.caption, graph.nodes, [e for e in graph.edges if e.type != "has_attribute"])
    whole, without = given(graph), given(cut)
    without = replace(without, node_interval=whole.node_interval)
    with torch.no_grad():
        assert (encoder(whole) - encoder(without)).abs().max() > 1e-4


def test_a_fresh_encoder_by_attention_is_what_its_nodes_say() -> None:
    torch.manual_seed(0)
    encoder = GraphEncoder(GraphEncoderConfig(16, 2, 2, "attention"), LABELS.width).eval()
    graph = ball_and_cube()
    cut = SceneGraph(graph.caption, graph.nodes, [e for e in graph.edges if e.type == "has_attribute"])
    with torch.no_grad():
        assert torch.equal(encoder(given(graph)), encoder(given(cut)))


def test_a_fresh_encoder_along_edges_knows_what_belongs_to_whom() -> None:
    torch.manual_seed(0)
    encoder = GraphEncoder(GraphEncoderConfig(64, 1, 1, "relations"), LABELS.width).eval()
    nodes = [Node("s", "scene", "scene"), Node("a", "entity", "ball"), Node("b", "entity", "cube")]
    nodes += [Node("x", "attribute", "red"), Node("y", "attribute", "blue")]
    graph = SceneGraph("", nodes, [Edge("a", "x", "has_attribute"), Edge("b", "y", "has_attribute")])
    moved = (_tokens(encoder, graph) - _tokens(encoder, graph.with_node("x", label="green"))).norm(dim=-1)
    assert not moved[[0, 2, 4]].any()
    assert moved[1] > 0.2 * moved[3]


def test_every_type_of_edge_between_two_nodes_is_heard(messages: str) -> None:
    encoder = _encoder(messages)
    nodes = [Node("s", "scene", "scene"), Node("a", "entity", "dog"), Node("b", "entity", "cat")]
    near, sees, same = Edge("a", "b", "spatial", "by"), Edge("b", "a", "relation", "see"), Edge("a", "b", "coref")
    tokens = [_tokens(encoder, SceneGraph("", nodes, edges)) for edges in ([near], [sees, near], [same, sees, near])]
    unlabelled = [_tokens(encoder, SceneGraph("", nodes, edges)) for edges in ([near], [same, near])]
    assert all((a - b).abs().max() > 1e-4 for a, b in itertools.pairwise(tokens))
    assert (unlabelled[0] - unlabelled[1]).abs().max() > 1e-4


def test_one_type_of_edge_a_pair_is_a_plain_look_up(messages: str) -> None:
    encoder, alone, many = _encoder(messages), given(ball_and_cube()), given(dogs_and_frisbees())
    assert alone.more_edges.shape == (1, 0, 3)
    several = condition(
        SceneGraph(
            "",
            [Node("s", "scene", "scene"), *(Node(i, "entity", i) for i in "ab")],
            [Edge("a", "b", "coref"), Edge("a", "b", "spatial", "by")],
        ),
        None,
        ENCODER,
    )
    assert several.more_edges.shape == (1, 2, 3)
    padded = collate([alone, several, many])
    with torch.no_grad():
        assert torch.equal(encoder(alone), encoder(replace(alone, more_edges=torch.zeros(1, 2, 3, dtype=torch.long))))
        assert padded.more_edges.shape == (3, 2, 3)
        nodes = len(ball_and_cube().nodes)
        assert_close(encoder(padded)[0, :nodes], encoder(alone)[0], atol=1e-5, rtol=1e-4)


def test_a_relation_says_which_end_is_which(messages: str) -> None:
    encoder, graph = _encoder(messages), ball_and_cube()
    turned = SceneGraph(
        graph.caption,
        graph.nodes,
        [Edge("cube", "ball", "spatial", "behind") if e.type == "spatial" else e for e in graph.edges],
    )
    assert (_tokens(encoder, graph) - _tokens(encoder, turned)).abs().max() > 1e-4


@pytest.mark.parametrize("label", ["above", "chasing"])
def test_both_ends_hear_what_relates_them(label: str, messages: str) -> None:
    # One layer: what a node hears comes along its own edges.
    encoder, graph = _encoder(messages, 1), dogs_and_frisbees()
    change = (_tokens(encoder, graph) - _tokens(encoder, relabelled(graph, label, "beneath"))).abs().amax(1)
    ends = {"dog", "frisbee"}
    for node, moved in zip(graph.nodes, change.tolist(), strict=True):
        assert (moved > 1e-4) == (node.id in ends), node.id


def test_the_order_of_nodes_does_not_matter(messages: str) -> None:
    encoder, graph = _encoder(messages), dogs_and_frisbees()
    turned = SceneGraph(graph.caption, graph.nodes[::-1], graph.edges)
    assert_close(_tokens(encoder, graph), _tokens(encoder, turned).flip(0), atol=1e-5, rtol=1e-4)


def test_words_of_the_scene_reach_its_node(messages: str) -> None:
    encoder, graph = _encoder(messages, 0), dogs_and_frisbees()
    tokens = _tokens(encoder, graph)
    for name in ("setting", "light", "camera", "style"):
        change = (tokens - _tokens(encoder, graph.with_node("s", **{name: "other"}))).abs().amax(1)
        assert change[0] > 1e-4, name
        assert not change[1:].any(), name
