"""The painting: what lies in which box, in which frame, in front and behind."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given as supposing
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.models.conditioning import Conditioning, collate, condition
from mov_ai.models.layout_painter import OUTLINE_GAIN, LayoutPainter, box_coordinates, layer_weights
from tests.models.builders import ENCODER, LABELS, ball_and_cube, given, still_layout
from tests.strategies import scene_graphs

FULL = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
LAYER = LayoutPainter.channels() // 2


def _paint(
    painter: LayoutPainter,
    boxes: list[tuple[float, ...]],
    grid: int = 16,
    window: Tensor = FULL,
    graph: SceneGraph | None = None,
) -> Tensor:
    graph = graph or ball_and_cube()
    c = condition(graph, still_layout(graph, boxes, 1), ENCODER, 1)
    with torch.no_grad():
        return painter(c, grid, grid, window)[0, 0]


HIDDEN = (0.5, 0.5, 0.5, 0.5, 1.0, 0.0)


def test_a_box_paints_inside_only() -> None:
    painting = _paint(LayoutPainter(LABELS.width), [(0.5, 0.375, 0.5, 0.25, 5.0, 1.0), HIDDEN])
    inside = torch.zeros(16, 16, dtype=torch.bool)
    inside[4:8, 4:12] = True
    assert torch.equal(painting[LAYER - 1] == 1, inside)
    assert torch.equal(painting.abs().sum(0) > 0, inside)


def test_a_box_carries_its_entity_place_size_and_depth() -> None:
    painter = LayoutPainter(LABELS.width)
    painting = _paint(painter, [(0.5, 0.5, 0.5, 0.25, 4.0, 1.0), HIDDEN])
    cell = painting[:LAYER, 8, 8]
    # The one frame's middle is at 0.5, where the ball turns blue.
    with torch.no_grad():
        said = [
            painter.entity(ENCODER([("entity", "ball")])[0]),
            painter.attribute(ENCODER([("attribute", "blue")])[0]),
        ]
    assert_close(cell[: LAYER - 6], torch.cat(said))
    assert_close(cell[LAYER - 6 : LAYER - 3], torch.tensor([0.5, 0.25, 0.5]))
    # Half a cell right of and below the centre, in units of half the box.
    assert_close(cell[LAYER - 3 : LAYER - 1], torch.tensor([0.125, 0.25]))


def test_the_nearest_is_in_front_and_the_next_behind() -> None:
    painter = LayoutPainter(LABELS.width)
    # The cube (the second instance) is nearer.
    painting = _paint(painter, [(0.5, 0.5, 0.5, 0.5, 6.0, 1.0), (0.625, 0.5, 0.5, 0.5, 3.0, 1.0)])
    with torch.no_grad():
        ball, cube = painter.entity(ENCODER([("entity", "ball"), ("entity", "cube")]))
    both, only_ball, only_cube = painting[:, 8, 9], painting[:, 8, 5], painting[:, 8, 12]
    width = LayoutPainter.ENTITY
    assert_close(both[:width], cube)
    assert_close(both[LAYER : LAYER + width], ball)
    assert_close(only_ball[:width], ball)
    assert_close(only_cube[:width], cube)
    assert not only_ball[LAYER:].any()
    assert not only_cube[LAYER:].any()


def test_invisible_and_dropped_boxes_paint_nothing() -> None:
    painter = LayoutPainter(LABELS.width)
    assert not _paint(painter, [HIDDEN, HIDDEN]).any()
    c = given().drop(*torch.tensor([[False], [False], [True]]))
    assert not painter(c, 8, 8, FULL).any()


@pytest.mark.parametrize("corner", [(0.25, 0.25), (0.0, 0.5), (0.5, 0.125)])
def test_painting_a_window_equals_slicing_the_whole_painting(corner: tuple[float, float]) -> None:
    boxes = [(0.45, 0.4, 0.37, 0.52, 5.0, 1.0), (0.6, 0.55, 0.41, 0.33, 3.0, 1.0)]
    painter = LayoutPainter(LABELS.width)
    whole = _paint(painter, boxes, 32)
    part = _paint(painter, boxes, 16, torch.tensor([[*corner, 0.5, 0.5]]))
    left, top = (int(value * 32) for value in corner)
    assert_close(part, whole[:, top : top + 16, left : left + 16], atol=1e-4, rtol=1e-4)


@settings(max_examples=40, deadline=None)
@supposing(st.integers(0, 10_000), st.integers(1, 6))
def test_layers_never_add_up_to_more_than_one(seed: int, count: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    cover = torch.rand(2, count, 3, 4, 4, generator=generator).round(decimals=1)
    depth = torch.randint(1, 4, (2, count, 3), generator=generator).float()
    front, behind = layer_weights(cover, depth)
    assert front.min() >= 0
    assert behind.min() >= 0
    for layer in (front, behind):
        assert layer.sum(1).max() <= 1 + 1e-5
    # What is in front is what is not seen through; nothing lies behind an empty place.
    assert_close(front.sum(1), 1 - (1 - cover).prod(1), atol=1e-5, rtol=1e-5)
    assert (behind.sum(1) <= front.sum(1) + 1e-5).all()
    if count == 1:
        assert not behind.any()


def test_cover_is_the_share_of_a_cell() -> None:
    _, _, cover = box_coordinates(torch.tensor([[[[0.5, 0.5, 0.3125, 0.5, 1.0, 1.0]]]]), 8, 8, FULL)
    assert_close(cover.sum() / 64, torch.tensor(0.3125 * 0.5))
    assert cover.min() >= 0
    assert cover.max() <= 1


# -- what is said in the boxes -----------------------------------------------------------------------------------------

ATTRIBUTES = slice(LayoutPainter.ENTITY, LayoutPainter.ENTITY + LayoutPainter.ATTRIBUTES)


def _ball(*attributes: tuple[str, tuple[float, float], bool]) -> SceneGraph:
    """A ball with attributes: (label, interval, negated)."""
    nodes = [Node("s", "scene", "scene"), Node("ball", "entity", "ball")]
    edges = []
    for i, (label, interval, negated) in enumerate(attributes):
        nodes.append(Node(f"a{i}", "attribute", label, kind="color", negated=negated))
        edges.append(Edge("ball", f"a{i}", "has_attribute", interval=interval))
    graph = SceneGraph("", nodes, edges)
    graph.validate()
    return graph


def _painted(graph: SceneGraph, frames: int = 1) -> Tensor:
    """(frames, LAYER): what is painted at the middle of the one box, in front."""
    boxes = [(0.5, 0.5, 0.5, 0.5, 4.0, 1.0)] * len(graph.of_type("entity"))
    c = condition(graph, still_layout(graph, boxes, frames), ENCODER, frames)
    torch.manual_seed(0)
    with torch.no_grad():
        return LayoutPainter(LABELS.width)(c, 8, 8, FULL)[0, :, :LAYER, 4, 4]


def test_the_painting_is_a_sum() -> None:
    whole = (0.0, 1.0)
    bare, red, shiny = _ball(), _ball(("red", whole, False)), _ball(("shiny", whole, False))
    both = _ball(("red", whole, False), ("shiny", whole, False))
    assert_close(_painted(both) + _painted(bare), _painted(red) + _painted(shiny))
    assert not _painted(bare)[:, ATTRIBUTES].any()
    assert _painted(red)[:, ATTRIBUTES].abs().max() > 1e-3
    # In whatever order it is said.
    assert_close(_painted(_ball(("shiny", whole, False), ("red", whole, False))), _painted(both))
    # An attribute leaves the entity's own channels as they are.
    assert torch.equal(_painted(red)[:, : LayoutPainter.ENTITY], _painted(bare)[:, : LayoutPainter.ENTITY])


def test_attributes_are_painted_in_the_frames_in_which_they_hold() -> None:
    graph = _ball(("red", (0.0, 0.5), False), ("shiny", (0.25, 1.0), False))
    one = {name: _painted(_ball((name, (0.0, 1.0), False)))[0, ATTRIBUTES] for name in ("red", "shiny")}
    painting = _painted(graph, 16)[:, ATTRIBUTES]
    for frame in range(16):
        expected = one["red"] * (frame < 8) + one["shiny"] * (frame >= 4)
        assert_close(painting[frame], expected)


@pytest.mark.parametrize("frames", [1, 3, 24, 50])
def test_an_attribute_of_the_whole_video_is_in_every_frame(frames: int) -> None:
    painting = _painted(_ball(("red", (0.0, 1.0), False)), frames)[:, ATTRIBUTES]
    assert torch.equal(painting, painting[:1].expand(frames, -1))
    assert painting.any()


def test_what_is_denied_is_not_painted() -> None:
    bare = _ball()
    assert torch.equal(_painted(_ball(("red", (0.0, 1.0), True))), _painted(bare))
    gone = SceneGraph("", [bare.nodes[0], replace(bare.nodes[1], negated=True)], [])
    c = given(gone)
    with torch.no_grad():
        assert not LayoutPainter(LABELS.width)(c, 8, 8, FULL).any()


def test_padding_changes_nothing() -> None:
    painter = LayoutPainter(LABELS.width)
    small, large = given(_ball(("red", (0.0, 1.0), False))), given(ball_and_cube(count=3))
    both = collate([small, large])
    with torch.no_grad():
        painting = painter(both, 8, 8, FULL.expand(2, 4))
        assert_close(painting[:1], painter(small, 8, 8, FULL))
        assert_close(painting[1:], painter(large, 8, 8, FULL))


@settings(max_examples=20, deadline=None)
@supposing(scene_graphs(max_nodes=6), st.integers(1, 5), st.integers(2, 6), st.integers(2, 6))
def test_any_graph_is_painted_on_any_grid(graph: SceneGraph, frames: int, height: int, width: int) -> None:
    with torch.no_grad():
        painting = LayoutPainter(LABELS.width)(given(graph, frames), height, width, FULL)
    assert painting.shape == (1, frames, LayoutPainter.channels(), height, width)
    assert painting.isfinite().all()


TRIANGLE = (((0.5, 0.0), (1.0, 1.0), (0.0, 1.0)),)


def _outlined(boxes: list[tuple[float, ...]], first: bool = True) -> Conditioning:
    graph = ball_and_cube()
    layout = still_layout(graph, boxes, 1)
    tracks = [replace(t, outline=TRIANGLE if (i == 0) == first else None) for i, t in enumerate(layout.tracks)]
    return condition(graph, replace(layout, tracks=tracks), ENCODER, 1)


def test_an_outline_is_painted_in_place_of_its_box() -> None:
    painter = LayoutPainter(LABELS.width)
    boxes = [(0.5, 0.5, 0.5, 0.5, 1.0, 1.0), HIDDEN]
    with torch.no_grad():
        covered = painter(_outlined(boxes), 32, 32, FULL)[0, 0, LAYER - 1]
        whole = painter(condition(ball_and_cube(), still_layout(ball_and_cube(), boxes, 1), ENCODER, 1), 32, 32, FULL)
    assert covered[20, 16] == 1
    assert covered[9, 9] == 0
    assert whole[0, 0, LAYER - 1, 9, 9] == 1
    # Cells at the outline count for more than is covered of them.
    share = float(covered.sum() / whole[0, 0, LAYER - 1].sum())
    assert 0.5 < share < 0.5 * OUTLINE_GAIN
    # In the part of the frame that a window shows, the same.
    with torch.no_grad():
        part = painter(_outlined(boxes), 16, 16, torch.tensor([[0.5, 0.5, 0.5, 0.5]]))[0, 0, LAYER - 1]
    assert_close(part, covered[16:, 16:])


def test_outlines_are_of_their_own_things_and_absent_ones_change_nothing() -> None:
    boxes = [(0.3, 0.5, 0.4, 0.4, 1.0, 1.0), (0.7, 0.5, 0.4, 0.4, 2.0, 1.0)]
    graph = ball_and_cube()
    plain = condition(graph, still_layout(graph, boxes, 1), ENCODER, 1)
    assert plain.outside.shape[-2:] == (0, 0)
    painter = LayoutPainter(LABELS.width)
    with torch.no_grad():
        before, after = (painter(c, 16, 16, FULL) for c in (plain, _outlined(boxes, first=False)))
        # Of a batch, each sample has its own; the one without is as it is alone.
        both = painter(collate([plain, _outlined(boxes)]), 16, 16, FULL.expand(2, -1))
    # All but the column where the boxes meet, of which rounding decides.
    assert torch.equal(before[..., :7], after[..., :7])
    assert not torch.equal(before[..., 8:], after[..., 8:])
    assert_close(both[0], before[0])
    assert not torch.equal(both[1], before[0])
