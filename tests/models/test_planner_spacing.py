"""Things that nothing links leave one another room, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mov_ai.graph import Edge, Layout, Node, SceneGraph, Track
from mov_ai.labels.encoder import LabelEncoderConfig, load_label_encoder
from mov_ai.models.planner_input import PlannerInput, read_graph, to_boxes, to_track
from mov_ai.models.planner_spacing import keep_apart

FRAMES = 16


def _graph(count: int = 1, relation: str | None = None) -> SceneGraph:
    nodes = [Node("s", "scene", "scene"), Node("a", "entity", "sheep", count=count), Node("b", "entity", "dog")]
    edges = [Edge("s", "a", "contains"), Edge("s", "b", "contains")]
    if relation is not None:
        edges.append(Edge("b", "a", "spatial", relation))
    return SceneGraph("", nodes, edges)


def _input(graph: SceneGraph, known: Layout | None = None) -> PlannerInput:
    return read_graph(graph, load_label_encoder(LabelEncoderConfig()), known, FRAMES)


def _tracks(boxes: list[tuple[float, float, float, float]]) -> torch.Tensor:
    """(1, K, FRAMES, 6) as `to_track`, of boxes x, y, w, h that stay."""
    still = np.array([[*box, 5.0, 1.0] for box in boxes], dtype=np.float32)
    return torch.from_numpy(to_track(np.repeat(still[:, None], FRAMES, 1)))[None]


def _covered(tracks: torch.Tensor) -> float:
    """The greatest part of a box that another covers, in the first frame."""
    x, y, w, h = to_boxes(tracks[0, :, 0].numpy())[:, :4].T
    worst = 0.0
    for i in range(len(x)):
        for j in range(i):
            across = min(x[i] + w[i] / 2, x[j] + w[j] / 2) - max(x[i] - w[i] / 2, x[j] - w[j] / 2)
            down = min(y[i] + h[i] / 2, y[j] + h[j] / 2) - max(y[i] - h[i] / 2, y[j] - h[j] / 2)
            worst = max(worst, max(across, 0) * max(down, 0) / min(w[i] * h[i], w[j] * h[j]))
    return worst


def test_those_in_one_place_are_moved_apart() -> None:
    tracks = _tracks([(0.5, 0.5, 0.1, 0.1), (0.5, 0.5, 0.1, 0.1), (0.52, 0.5, 0.1, 0.1), (0.2, 0.5, 0.1, 0.1)])
    found = keep_apart(tracks, _input(_graph(3)))
    assert _covered(tracks) > 0.7
    assert _covered(found) < 0.45
    # Sizes, depth, visibility and whoever stands alone are as they were; offsets are the same in all frames.
    assert torch.equal(found[..., 2:], tracks[..., 2:])
    assert torch.equal(found[0, 3], tracks[0, 3])
    moved = found - tracks
    assert torch.allclose(moved, moved[:, :, :1].expand_as(moved), atol=1e-6)


def test_steps_of_sampling_bring_them_wholly_apart() -> None:
    tracks = _tracks([(0.5, 0.5, 0.1, 0.1)] * 5 + [(0.2, 0.5, 0.1, 0.1)])
    for _ in range(4):
        tracks = keep_apart(tracks, _input(_graph(5)))
    assert _covered(tracks) <= 0.26


@pytest.mark.parametrize(
    ("graph", "boxes"),
    [
        (_graph(2), [(0.2, 0.5, 0.1, 0.1), (0.4, 0.5, 0.1, 0.1), (0.7, 0.5, 0.1, 0.1)]),  # apart already
        (_graph(1, "on"), [(0.5, 0.5, 0.1, 0.1), (0.5, 0.5, 0.1, 0.1)]),  # one is on the other
        (_graph(1), [(0.5, 0.5, 0.9, 0.8), (0.5, 0.5, 0.1, 0.1)]),  # one is large, as a meadow
    ],
)
def test_where_there_is_a_reason_nothing_moves(
    graph: SceneGraph, boxes: list[tuple[float, float, float, float]]
) -> None:
    tracks = _tracks(boxes)
    assert keep_apart(tracks, _input(graph)) is tracks


def test_given_boxes_stay() -> None:
    boxes = np.tile(np.array([0.5, 0.5, 0.1, 0.1, 5.0, 1.0], dtype=np.float32), (FRAMES, 1))
    known = Layout(FRAMES, [Track("a", boxes, 0), Track("b", boxes, 0)])
    tracks = _tracks([(0.5, 0.5, 0.1, 0.1), (0.5, 0.5, 0.1, 0.1)])
    assert keep_apart(tracks, _input(_graph(), known)) is tracks


def test_who_passes_by_is_left_alone() -> None:
    """Covering for a moment is no fault."""
    tracks = _tracks([(0.5, 0.5, 0.1, 0.1), (0.5, 0.5, 0.1, 0.1)]).clone()
    x = torch.linspace(0.1, 0.9, FRAMES)
    tracks[0, 1, :, 0] = (x - 0.5) / 0.2
    assert keep_apart(tracks, _input(_graph())) is tracks


_ANY_BOX = st.tuples(st.floats(-0.5, 1.5), st.floats(-0.5, 1.5), st.floats(0.005, 1), st.floats(0.005, 1))


@given(st.lists(_ANY_BOX, min_size=4, max_size=4))
def test_any_boxes_stay_finite(boxes: list[tuple[float, float, float, float]]) -> None:
    found = keep_apart(_tracks(boxes), _input(_graph(3)))
    assert torch.isfinite(found).all()
