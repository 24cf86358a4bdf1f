"""Figures of stages, on videos of which they are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mov_ai.evaluation.enlarging import enlarged
from mov_ai.evaluation.inspection.run_folder import Record, RunFolder, Settings
from mov_ai.evaluation.inspection.stages import stage_figures, still_floor_of
from mov_ai.graph import SceneGraph, VideoShape
from tests.models.builders import ball_and_cube, still_layout

SMALL_BOXES = [(0.25, 0.5, 0.25, 0.125, 4, 1), (0.75, 0.5, 0.125, 0.25, 5, 1)]


def run_of(boxes: list[tuple[float, ...]] = SMALL_BOXES, graph: SceneGraph | None = None) -> RunFolder:
    graph = graph or ball_and_cube()
    settings = Settings((2, 1), 1.0, 1.0, VideoShape(4, 8.0, 64, 64))
    record = Record(0, "small", "float32", settings, (32, 64), {"32": 1.5})
    return RunFolder(Path("run"), graph, still_layout(graph, boxes, 4), record)


@pytest.fixture
def first() -> np.ndarray:
    """A square on a floor, uint8 (4, 32, 32, 3)."""
    video = np.full((4, 32, 32, 3), 120, np.uint8)
    video[:, 14:18, 4:12] = (200, 40, 40)
    return video


def test_a_stage_that_only_enlarges_adds_nothing(first: np.ndarray) -> None:
    small, large = stage_figures(run_of(), {32: first, 64: enlarged(first, 64, 64)})
    assert (small.size, small.height, small.width, small.seconds) == (32, 32, 32, 1.5)
    assert (small.sharpness, small.floor_flicker, small.to_previous) == (1, 0, None)
    assert (large.seconds, large.sharpness, large.floor_flicker, large.to_previous) == (None, 1, 0, 100)


def test_sharp_edges_have_more_energy_than_enlarged_ones(first: np.ndarray) -> None:
    sharp = first.repeat(2, 1).repeat(2, 2)
    _, large = stage_figures(run_of(), {32: first, 64: sharp})
    assert large.sharpness > 1.2
    assert large.to_previous is not None
    assert 20 < large.to_previous < 40


def test_flicker_is_that_of_the_floor_alone(first: np.ndarray) -> None:
    moving = first.copy()
    moving[1::2, 14:18, 4:12] = 0
    (still,) = stage_figures(run_of(), {32: moving})
    assert still.floor_flicker == 0
    flickering = first.copy()
    flickering[1::2] += 3
    (restless,) = stage_figures(run_of(), {32: flickering})
    assert restless.floor_flicker == pytest.approx(3)


def test_floor_is_what_boxes_do_not_come_near() -> None:
    floor = still_floor_of(run_of(), 64, 64)
    assert floor is not None
    # Each box with half of its sides around it: 32 x 16 and 16 x 32 pixels.
    assert (~floor).sum() == 2 * 32 * 16
    assert not floor[24:40, 0:32].any()
    assert not floor[16:48, 40:56].any()


def test_no_floor_where_none_is_still() -> None:
    whole = [(0.5, 0.5, 0.6, 0.6, 4, 1), (0.75, 0.5, 0.1, 0.2, 5, 1)]
    assert still_floor_of(run_of(whole), 40, 40) is None
    graph = ball_and_cube()
    panning = SceneGraph(
        graph.caption, [replace(n, camera=("pan",)) if n.type == "scene" else n for n in graph.nodes], graph.edges
    )
    assert still_floor_of(run_of(graph=panning), 40, 40) is None
    hidden = [(0.5, 0.5, 0.6, 0.6, 4, 0), (0.75, 0.5, 0.1, 0.2, 5, 0)]
    floor = still_floor_of(run_of(hidden), 40, 40)
    assert floor is not None
    assert floor.all()
