"""What the loss's semantic term asks: labels read off what boxes show."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from hypothesis import given as for_all
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.models.conditioning import Conditioning, collate, condition
from mov_ai.models.layout_painter import box_coordinates
from mov_ai.training.label_recognition import (
    AskedLabels,
    LabelRecognizer,
    asked_labels,
    in_boxes,
    label_error,
    recognised,
    share_in_view,
    shown_and_asked,
    taught_recognizer,
)
from tests.models.builders import ENCODER, given, still_layout

FULL = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
FRAMES, CHANNELS, CELLS = 4, 4, 8
COLOURS, SHAPES = ("red", "blue", "yellow"), ("ball", "cube", "cone")
#: What a colour and a shape look like here: channel of a colour, rows of the box that a shape leaves empty.
_EMPTY = {"ball": slice(0, 0), "cube": slice(0, 4), "cone": slice(4, 8)}


def _scene(looks: Sequence[tuple[str, str]], change: tuple[int, str] | None = None) -> Conditioning:
    """Things side by side, each a (colour, shape); the colour of one may change half-way."""
    nodes, edges = [Node("s", "scene", "scene")], []
    for k, (colour, shape) in enumerate(looks):
        nodes += [Node(f"e{k}", "entity", shape), Node(f"a{k}", "attribute", colour, kind="color")]
        until = 0.5 if change is not None and change[0] == k else 1.0
        edges += [Edge("s", f"e{k}", "contains"), Edge(f"e{k}", f"a{k}", "has_attribute", interval=(0.0, until))]
    if change is not None:
        nodes.append(Node("later", "attribute", change[1], kind="color"))
        edges.append(Edge(f"e{change[0]}", "later", "has_attribute", interval=(0.5, 1.0)))
    graph = SceneGraph("things", nodes, edges)
    graph.validate()
    boxes = [((k + 0.5) / len(looks), 0.5, 0.4, 0.5, 4.0, 1.0) for k in range(len(looks))]
    return condition(graph, still_layout(graph, boxes, FRAMES), ENCODER, FRAMES)


def _shown(looks: Sequence[tuple[str, str]], change: tuple[int, str] | None = None) -> Tensor:
    """Latents of such a scene."""
    latents = torch.zeros(1, FRAMES, CHANNELS, CELLS, CELLS)
    for k, (colour, shape) in enumerate(looks):
        for frame in range(FRAMES):
            named = change[1] if change is not None and change[0] == k and frame >= FRAMES // 2 else colour
            part = latents[0, frame, COLOURS.index(named), :, k * CELLS // len(looks) : (k + 1) * CELLS // len(looks)]
            part[:] = 1.0
            part[_EMPTY[shape]] = -1.0
    return latents


def _sample(looks: Sequence[tuple[str, str]]) -> tuple[Tensor, AskedLabels]:
    return shown_and_asked(_shown(looks), _scene(looks), FULL)


@pytest.fixture(scope="module")
def recognizer() -> LabelRecognizer:
    """Taught by pairs of things; a red cone beside a yellow ball is none of them."""
    every = [(colour, shape) for colour in COLOURS for shape in SHAPES]
    pairs = [pair for pair in itertools.permutations(every, 2) if pair != (("red", "cone"), ("yellow", "ball"))]
    return taught_recognizer([_sample(pair) for pair in pairs], seed=0)


def test_labels_of_true_latents_are_recognised_frame_by_frame(recognizer: LabelRecognizer) -> None:
    looks, change = (("red", "cone"), ("yellow", "ball")), (0, "blue")
    scene = _scene(looks, change)
    asked = asked_labels(scene, FULL)
    logits = recognizer(in_boxes(_shown(looks, change), scene.boxes, FULL), asked.label)
    assert recognised(logits, asked) == (1, 1)
    assert label_error(logits, asked) < 0.05
    # Without the change in the video, half of the frames of one thing have the wrong colour.
    unchanged = recognizer(in_boxes(_shown(looks), scene.boxes, FULL), asked.label)
    assert label_error(unchanged, asked) > 5 * label_error(logits, asked)


def test_the_error_says_whose_label_is_whose(recognizer: LabelRecognizer) -> None:
    """The same things with their colours changed over have each label somewhere, and all of them in the wrong place."""
    looks, over = (("red", "cone"), ("yellow", "ball")), (("yellow", "cone"), ("red", "ball"))
    scene = _scene(looks)
    asked = asked_labels(scene, FULL)
    right, wrong = (
        label_error(recognizer(in_boxes(_shown(shown), scene.boxes, FULL), asked.label), asked)
        for shown in (looks, over)
    )
    assert wrong > 0.3 > 10 * right


def test_the_error_leads_latents_to_what_is_said(recognizer: LabelRecognizer) -> None:
    looks = (("red", "cone"), ("yellow", "ball"))
    scene = _scene(looks)
    asked = asked_labels(scene, FULL)
    latents = torch.zeros(1, FRAMES, CHANNELS, CELLS, CELLS, requires_grad=True)
    optimizer = torch.optim.Adam([latents], lr=0.05)
    errors = []
    for _ in range(60):
        error = label_error(recognizer(in_boxes(latents, scene.boxes, FULL), asked.label), asked)
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.2 * errors[0]
    red, yellow = (latents[0, :, COLOURS.index(name)].detach() for name in ("red", "yellow"))
    half = CELLS // 2
    assert (red - yellow)[..., :half].mean() > 0 > (red - yellow)[..., half:].mean()


def test_it_is_the_same_for_the_same_seed_and_leaves_the_random_state(recognizer: LabelRecognizer) -> None:
    samples = [_sample((("red", "ball"), ("blue", "cube")))]
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    one, two, other = (taught_recognizer(samples, seed) for seed in (0, 0, 1))
    assert torch.rand(1) == expected
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(one.bias.weight, other.bias.weight)
    assert not any(parameter.requires_grad for parameter in recognizer.parameters())


def test_labels_hold_where_the_graph_says_and_are_asked_of_what_is_seen() -> None:
    scene = given(frames=FRAMES)  # a ball, red and then blue, and a cube
    asked = asked_labels(scene, FULL)
    assert asked.label.shape == (4, 1 + ENCODER.width)
    names = {}
    for name, role in (("ball", "entity"), ("cube", "entity"), ("red", "attribute"), ("blue", "attribute")):
        row = torch.cat([torch.tensor([float(role == "attribute")]), ENCODER([(role, name)])[0]])
        (names[name],) = (asked.label - row).abs().sum(1).lt(1e-5).nonzero()[:, 0].tolist()
    held = {name: asked.holds[0, :, :, column].tolist() for name, column in names.items()}
    assert held["ball"] == [[1] * 4, [0] * 4]
    assert held["cube"] == [[0] * 4, [1] * 4]
    assert held["red"] == [[1, 1, 0, 0], [0] * 4]
    assert held["blue"] == [[0, 0, 1, 1], [0] * 4]
    assert asked.counts[asked.holds > 0].all()
    hidden = replace(scene, boxes=scene.boxes.clone())
    hidden.boxes[:, 0, :, 5] = 0.2
    assert not asked_labels(hidden, FULL).counts[:, 0].any()
    assert asked_labels(hidden, FULL).counts[:, 1].any()
    right_half = torch.tensor([[0.5, 0.0, 0.5, 1.0]])
    assert not asked_labels(scene, right_half).counts[:, 0].any()
    assert asked_labels(scene, right_half).counts[:, 1].any()


def test_a_label_like_one_that_holds_is_not_asked_for() -> None:
    near = condition_of("scarlet", "crimson")
    asked = asked_labels(near, FULL)
    vectors = asked.label[asked.label[:, 0] == 1, 1:]
    assert vectors[0] @ vectors[1] > 0.6
    attributes = asked.label[:, 0] == 1
    assert torch.equal(asked.counts[..., attributes], asked.holds[..., attributes] > 0)


def condition_of(*colours: str) -> Conditioning:
    """Things of these colours side by side."""
    return _scene([(colour, "ball") for colour in colours])


def test_nothing_to_ask_is_no_error(recognizer: LabelRecognizer) -> None:
    scene = _scene((("red", "ball"),))
    unseen = replace(scene, boxes=torch.zeros_like(scene.boxes))
    asked = asked_labels(unseen, FULL)
    assert not asked.counts.any()
    assert label_error(torch.ones_like(asked.holds), asked) == 0
    nameless = replace(scene, entity=torch.zeros_like(scene.entity), attribute=torch.zeros_like(scene.attribute))
    assert asked_labels(nameless, FULL).label.shape[0] == 0


def test_a_batch_asks_as_its_samples_do() -> None:
    """Labels of one sample are asked for in the other, and hold nowhere there."""
    items = [_scene((("red", "ball"),)), _scene((("blue", "cube"), ("yellow", "cone")))]
    both = asked_labels(collate(items), FULL.expand(2, -1))
    assert both.label.shape[0] == 6
    for number, item in enumerate(items):
        own = asked_labels(item, FULL)
        things = own.holds.shape[1]
        assert both.holds[number, :things].sum() == own.holds.sum()
        assert not both.counts[number, things:].any()


@for_all(
    x=st.floats(0.1, 0.9),
    y=st.floats(0.1, 0.9),
    w=st.floats(0.1, 0.5),
    left=st.floats(0, 0.5),
    size=st.floats(0.2, 0.5),
)
def test_a_box_s_share_in_view_is_what_its_cells_cover(x: float, y: float, w: float, left: float, size: float) -> None:
    boxes = torch.tensor([x, y, w, w, 4.0, 1.0]).view(1, 1, 1, 6)
    window = torch.tensor([[left, left, size, size]])
    side = 200
    _, _, cover = box_coordinates(boxes, side, side, window)
    expected = cover.sum() / side**2 * size**2 / w**2
    assert_close(share_in_view(boxes, window)[0, 0, 0], expected, atol=2e-2, rtol=0)


def test_boxes_show_what_is_in_them_whatever_the_window() -> None:
    """A crop of a video shows the same of a box that it holds as the whole video does."""
    ramp = torch.linspace(0, 1, 32)
    latents = (ramp + 2 * ramp[:, None]).expand(1, FRAMES, CHANNELS, 32, 32)
    boxes = torch.tensor([0.6, 0.5, 0.1, 0.2, 4.0, 1.0]).expand(1, 1, FRAMES, 6)
    whole = in_boxes(latents, boxes, FULL)
    part = in_boxes(latents[..., 8:24, 8:24], boxes, torch.tensor([[0.25, 0.25, 0.5, 0.5]]))
    assert whole.shape == (1, 1, FRAMES, CHANNELS * 36)
    assert_close(part, whole, atol=1e-5, rtol=0)
    middle = whole.view(1, 1, FRAMES, CHANNELS, 36).mean(-1)
    assert_close(middle, torch.full_like(middle, (0.6 * 32 - 0.5) / 31 + 2 * (0.5 * 32 - 0.5) / 31))
