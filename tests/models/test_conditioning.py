"""From graph, layout and caption to tensors: labels as vectors, instances, padding, dropping."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given as supposing
from hypothesis import settings
from hypothesis import strategies as st
from torch.testing import assert_close

from mov_ai.graph import Edge, Layout, Node, SceneGraph, Track
from mov_ai.graph.instances import MAX_COUNT, MAX_INSTANCES, drawn_entities
from mov_ai.graph.time import frame_times
from mov_ai.labels.coverage import SCENE_FIELDS
from mov_ai.models.conditioning import (
    COUNTS_READ,
    EDGES,
    MAX_ATTRIBUTES,
    MAX_WORDS,
    collate,
    condition,
    word_vectors,
)
from tests.models.builders import CAPTION, ENCODER, LABELS, ball_and_cube, dogs_and_frisbees, given, tracks_from_boxes
from tests.models.test_codec import small_codec
from tests.strategies import scene_graphs

# -- graph -> tensors --------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@supposing(scene_graphs(), st.integers(1, 20))
def test_any_valid_graph_can_be_conditioned_on(graph: SceneGraph, frames: int) -> None:
    drawn = drawn_entities(graph)
    boxes = np.random.default_rng(0).uniform(0, 1, (len(drawn), frames, 6))
    for layout in (None, tracks_from_boxes(graph, boxes), Layout(frames, [])):
        c = condition(graph, layout, ENCODER, frames)
        assert len(c) == 1
        assert c.node_mask.sum() == len(graph.nodes)
        assert c.boxes.shape == (1, max(1, len(drawn)), frames, 6)
        assert c.entity.shape == (1, max(1, len(drawn)), LABELS.width)
        assert c.attribute.shape[:2] == (1, max(1, len(drawn)))
        assert c.attribute_holds.shape == (*c.attribute.shape[:3], frames)
        assert c.attribute.shape[2] <= MAX_ATTRIBUTES
        assert c.text_features.shape[1] <= MAX_WORDS
        assert c.link_label.shape[:2] == c.link_ends.shape[:2]
        assert all(tensor.isfinite().all() for tensor in c.tensors().values())
        assert bool(c.keep_layout) == (layout is not None)


def test_where_a_codec_compresses_time_boxes_and_intervals_are_as_they_are_then() -> None:
    """Nine frames in three latent frames: the first alone, then four each, in whose middle the latent frame lies."""
    graph, codec = ball_and_cube(), small_codec()
    codec.frame_factor = 4
    times = codec.latent_times(9)
    assert times * 9 == pytest.approx([0.5, 3, 7])
    boxes = np.zeros((2, 9, 6))
    boxes[0, :, 0] = np.arange(9)
    c = condition(graph, tracks_from_boxes(graph, boxes), ENCODER, 9, times=times)
    assert c.boxes[0, 0, :, 0].tolist() == pytest.approx([0, 2.5, 6.5])
    # Red until the middle, blue from then on.
    assert c.attribute_holds[0, 0].tolist() == [[1, 1, 0], [0, 0, 1]]
    # The denoiser takes latent frames to be even, at 1/6, 3/6 and 5/6: what ends at 4.5 of 9 frames ends between the
    # last two, and so nearer to the second.
    start, end = c.node_interval[0, [node.id for node in graph.nodes].index("roll")].tolist()
    assert (start, end) == pytest.approx((0, 0.5 + (4.5 - 3) / (7 - 3) / 3))
    assert c.node_interval[0, 0].tolist() == [0, 1]


@supposing(st.integers(1, 8), st.integers(1, 60))
def test_latent_frames_follow_the_frames_in_order(frame_factor: int, frames: int) -> None:
    codec = small_codec()
    codec.frame_factor = frame_factor
    latent_frames, times = codec.latent_frames(frames), codec.latent_times(frames)
    assert codec.whole_frames(latent_frames - 1) < frames <= codec.whole_frames(latent_frames)
    assert len(times) == latent_frames
    assert (np.diff([0, *times, 1]) > 0).all()
    if frame_factor == 1:
        assert (times == frame_times(frames)).all()


def test_only_the_words_come_from_the_caption() -> None:
    graph = ball_and_cube()
    silent = SceneGraph("", graph.nodes, graph.edges)
    with_caption, without = given(graph).tensors(), given(silent).tensors()
    features = without.pop("text_features")
    assert features.shape == (1, 1, LABELS.width)
    assert not features.any()
    del with_caption["text_features"]
    assert all(torch.equal(with_caption[name], without[name]) for name in without)


def test_a_label_is_its_vector_whatever_else_the_graph_says() -> None:
    for graph in (ball_and_cube(), dogs_and_frisbees()):
        c = given(graph)
        for i, node in enumerate(graph.nodes):
            role = "setting" if node.type == "scene" else node.type
            assert torch.equal(c.node_label[0, i], ENCODER([(role, node.label)])[0])
        assert_close(c.node_label[0].norm(dim=-1), torch.ones(len(graph.nodes)))
        assert torch.equal(c.text_features, word_vectors(graph.caption, ENCODER))
        for k, (entity, _) in enumerate(drawn_entities(graph)):
            assert torch.equal(c.entity[0, k], ENCODER([("entity", graph.node(entity).label)])[0])


def test_two_labels_never_share_a_vector_and_case_does_not_matter() -> None:
    labels = ["dog", "dogs", "frisbee", "qwrtz", "qwrtx", "été", "собака", "犬", "!", "7"]
    vectors = ENCODER([("entity", label) for label in labels])
    same = (vectors[:, None] == vectors).all(-1)
    assert torch.equal(same, torch.eye(len(labels), dtype=torch.bool))
    assert torch.equal(ENCODER([("entity", "Dog")]), vectors[:1])


def test_directions_and_manners_add_up() -> None:
    graph = dogs_and_frisbees()
    place = [node.id for node in graph.nodes].index("catch")
    up, eagerly = ENCODER([("direction", "up"), ("direction", "eagerly")])
    direction = given(graph).node_direction[0]
    assert_close(direction[place], up + eagerly)
    assert not direction[:place].any()
    assert not direction[place + 1 :].any()
    assert_close(given(graph.with_node("catch", manner=None)).node_direction[0, place], up)


def test_words_of_the_scene_have_their_own_places() -> None:
    graph = dogs_and_frisbees()
    scene = given(graph).scene[0]
    assert scene.shape == (len(SCENE_FIELDS), LABELS.width)
    for i, name in enumerate(SCENE_FIELDS):
        assert torch.equal(scene[i], ENCODER([(name, graph.nodes[0].words(name)[0])])[0])
    assert not given(ball_and_cube()).scene.any()


def test_attributes_hold_in_the_frames_of_their_intervals() -> None:
    c = given()
    red, blue = ENCODER([("attribute", "red"), ("attribute", "blue")])
    assert torch.equal(c.attribute[0, 0], torch.stack([red, blue]))
    assert c.attribute_holds[0, 0].tolist() == [[1.0] * 8 + [0.0] * 8, [0.0] * 8 + [1.0] * 8]
    assert not c.attribute[0, 1].any()
    assert not c.attribute_holds[0, 1].any()


@pytest.mark.parametrize("frames", [1, 2, 7, 16, 24, 50])
def test_neighbouring_intervals_share_out_all_frames(frames: int) -> None:
    # A frame's middle that lies on the border belongs to the later attribute; the end of the video to the last.
    assert given(frames=frames).attribute_holds[0, 0].sum(0).tolist() == [1.0] * frames


def test_attributes_beyond_the_limit_are_left_out() -> None:
    nodes = [Node("s", "scene", "scene"), Node("b", "entity", "ball")]
    nodes += [Node(f"a{i}", "attribute", f"word{i}") for i in range(MAX_ATTRIBUTES + 3)]
    graph = SceneGraph("", nodes, [Edge("b", node.id, "has_attribute") for node in nodes[2:]])
    assert given(graph).attribute.shape[2] == MAX_ATTRIBUTES


def test_labelled_links_name_their_ends() -> None:
    graph = dogs_and_frisbees()
    c, place = given(graph), [node.id for node in graph.nodes]
    assert c.link_ends[0].tolist() == [
        [place.index("frisbee"), place.index("dog")],
        [place.index("dog"), place.index("frisbee")],
    ]
    assert torch.equal(c.link_label[0], ENCODER([("relation", "above"), ("relation", "chasing")]))
    bare = given(SceneGraph("", graph.nodes, []))
    assert bare.link_ends.shape == (1, 0, 2)
    assert bare.link_label.shape == (1, 0, LABELS.width)


def test_attribute_nodes_hold_when_their_edge_holds() -> None:
    graph = ball_and_cube()
    interval = dict(zip([n.id for n in graph.nodes], given(graph).node_interval[0].tolist(), strict=True))
    assert interval["red"] == [0.0, 0.5]
    assert interval["blue"] == [0.5, 1.0]
    assert interval["roll"] == [0.0, 0.5]
    assert interval["cube"] == [0.0, 1.0]


def test_edges_are_seen_from_both_ends() -> None:
    graph = ball_and_cube()
    place = {n.id: i for i, n in enumerate(graph.nodes)}
    edges = given(graph).edges[0]
    assert EDGES[edges[place["roll"], place["ball"]]] == "agent"
    assert EDGES[edges[place["ball"], place["roll"]]] == "agent^"
    assert edges[place["s"], place["ball"]] == 0


def test_a_count_gives_instances_and_caps() -> None:
    assert drawn_entities(ball_and_cube(count=3)) == [("ball", 0), ("ball", 1), ("ball", 2), ("cube", 0)]
    many = ball_and_cube(count=100)
    assert drawn_entities(many) == [("ball", i) for i in range(MAX_COUNT)] + [("cube", 0)]
    assert given(many).node_count.max() == COUNTS_READ
    crowd = SceneGraph("", [Node("s", "scene", "scene"), *(Node(f"e{i}", "entity", "ball", count=5) for i in range(9))])
    assert len(drawn_entities(crowd)) == MAX_INSTANCES


def test_negated_entities_are_not_drawn_and_negated_attributes_not_shown() -> None:
    graph = ball_and_cube().with_node("cube", negated=True)
    assert drawn_entities(graph) == [("ball", 0)]
    plain = given(ball_and_cube().with_node("blue", negated=True))
    assert torch.equal(plain.attribute[0, 0], ENCODER([("attribute", "red")]))
    assert plain.node_negated[0].tolist() == [0, 0, 0, 0, 0, 1]


def test_a_graph_without_entities_draws_nothing() -> None:
    c = given(SceneGraph("rain", [Node("s", "scene", "scene")]))
    assert c.boxes.shape == (1, 1, 16, 6)
    assert not c.boxes.any()
    assert not c.entity.any()


def test_the_layout_must_have_the_videos_frames() -> None:
    with pytest.raises(ValueError, match="expected 16 frames, found 8"):
        condition(ball_and_cube(), Layout(8, []), ENCODER, 16)


def test_boxes_not_given_are_not_seen() -> None:
    boxes = np.full((16, 6), 0.5, dtype=np.float32)
    boxes[3] = np.nan
    c = condition(ball_and_cube(), Layout(16, [Track("ball", boxes)]), ENCODER)
    assert not c.boxes[0, 0, 3].any()
    assert not c.boxes[0, 1].any()


def test_a_caption_is_its_words_and_punctuation() -> None:
    words = ["a", "red", "ball", "rolls", "left", ",", "then", "turns", "blue", ",", "behind", "a", "cube"]
    assert torch.equal(word_vectors(CAPTION, ENCODER)[0], ENCODER([("word", word) for word in words]))
    assert word_vectors("ball " * 500, ENCODER).shape == (1, MAX_WORDS, LABELS.width)
    assert not word_vectors("", ENCODER).any()


# -- batches -----------------------------------------------------------------------------------------------------------


def test_collating_pads_with_nothing() -> None:
    small = given(SceneGraph("one ball", [Node("s", "scene", "scene"), Node("b", "entity", "ball")]))
    large = given(ball_and_cube(count=3))
    both = collate([small, large])
    assert len(both) == 2
    assert both.node_mask.sum(1).tolist() == [2, 6]
    assert both.edges.shape == (2, 6, 6)
    assert not both.edges[0, 2:].any()
    assert not both.edges[0, :, 2:].any()
    assert not both.boxes[0, 1:].any()
    assert not both.entity[0, 1:].any()
    assert not both.attribute[0].any()
    assert not both.link_label[0].any()
    assert not both.text_features[0, 2:].any()
    assert both.node_count.dtype == both.edges.dtype == both.link_ends.dtype == torch.int64
    assert both.keep_text.dtype == both.node_mask.dtype == torch.bool
    for name, tensor in large.tensors().items():
        assert torch.equal(both.tensors()[name][1:], tensor), name


def test_collating_one_changes_nothing() -> None:
    c = given()
    assert all(torch.equal(a, b) for a, b in zip(c.tensors().values(), collate([c]).tensors().values(), strict=True))


def test_text_features_travel_with_the_batch() -> None:
    features = torch.randn(1, 3, 5)
    graph = ball_and_cube()
    one = condition(graph, None, ENCODER, text_features=features)
    two = condition(graph, None, ENCODER, text_features=torch.cat([features, features], 1))
    assert torch.equal(one.text_features, features)
    both = collate([one, two]).to("cpu")
    assert torch.equal(both.text_features[:1, :3], features)
    assert not both.text_features[0, 3:].any()
    assert both.without(text=True).text_features is both.text_features


@pytest.mark.parametrize(
    ("dropped", "kept"),
    [
        ((True, False, False), (False, True, True)),
        ((False, True, False), (True, False, False)),
        ((False, False, True), (True, True, False)),
        ((False, False, False), (True, True, True)),
    ],
)
def test_dropping_the_graph_drops_its_layout_too(
    dropped: tuple[bool, bool, bool], kept: tuple[bool, bool, bool]
) -> None:
    c = collate([given(), given()]).drop(*(torch.tensor([value, False]) for value in dropped))
    assert (c.keep_text[0].item(), c.keep_graph[0].item(), c.keep_layout[0].item()) == kept
    assert c.keep_text[1] & c.keep_graph[1] & c.keep_layout[1]


def test_what_was_dropped_stays_dropped() -> None:
    c = given().without(text=True).without(graph=True)
    assert not (c.keep_text | c.keep_graph | c.keep_layout).any()
    assert given().without().keep_text.all()
    bare = given().without(layout=True)
    assert bare.keep_text.all() & bare.keep_graph.all() & ~bare.keep_layout.any()


def test_a_layout_that_was_not_given_is_not_kept() -> None:
    c = condition(ball_and_cube(), None, ENCODER)
    assert (c.keep_text & c.keep_graph).all()
    assert not c.keep_layout.any()
    assert not c.boxes.any()


def test_layouts_follow_the_order_of_what_is_drawn() -> None:
    graph = ball_and_cube(count=2)
    layout = tracks_from_boxes(graph, np.arange(3 * 4 * 6).reshape(3, 4, 6))
    assert [(t.entity, t.instance, t.label) for t in layout.tracks] == [
        ("ball", 0, "ball"),
        ("ball", 1, "ball"),
        ("cube", 0, "cube"),
    ]
    assert layout.tracks[2].boxes[0, 0] == 48
