"""Each row's pipeline leaves one thing out, and the pipeline it shares is as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mov_ai.errors import UsageError
from mov_ai.evaluation.enlarging import enlarged
from mov_ai.evaluation.variants import ROWS, VariantPipeline, variants
from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.pipeline import MovAIPipeline

GRAPH = SceneGraph(
    "a red ball rolls left",
    [
        Node("s", "scene", "scene"),
        Node("b", "entity", "ball"),
        Node("r", "attribute", "red", kind="color"),
        Node("e", "event", "roll", direction="left", interval=(0.0, 0.5)),
    ],
    [Edge("s", "b", "contains"), Edge("s", "e", "contains"), Edge("e", "b", "agent"), Edge("b", "r", "has_attribute")],
)
SETTINGS: dict[str, Any] = {"steps": None, "guidance_text": 1.0, "guidance_graph": 1.0, "stages": 256}


@pytest.fixture(scope="module")
def pipe(tiny_pipeline_dir: Path) -> MovAIPipeline:
    return MovAIPipeline.from_pretrained(tiny_pipeline_dir, device="cpu")


@pytest.fixture(scope="module")
def whole(pipe: MovAIPipeline) -> np.ndarray:
    return pipe(GRAPH, seed=3, **SETTINGS).frames


def test_every_row_makes_another_video_of_the_same_size_and_leaves_the_pipeline_as_it_was(
    pipe: MovAIPipeline, whole: np.ndarray
) -> None:
    for variant in variants(tuple(ROWS), ((2.0, 1.0),)):
        frames = VariantPipeline(pipe, variant, SETTINGS)(GRAPH, seed=3).frames
        assert frames.shape == whole.shape, variant.name
        # Eight candidates of an untrained planner may well be beaten by the first: all others must differ.
        if variant.name not in ("one_candidate", "no_gating", "guidance_2_1"):
            assert not np.array_equal(frames, whole), variant.name
    assert np.array_equal(pipe(GRAPH, seed=3, **SETTINGS).frames, whole)


def test_one_candidate_is_the_planners_first_layout(pipe: MovAIPipeline) -> None:
    assert pipe.planner is not None
    assert pipe.world is not None
    graph = pipe.world.complete(GRAPH, 3)
    first = pipe.planner.candidates(graph, 3)[0]
    variant = variants(("one_candidate",), ())[0]
    made = VariantPipeline(pipe, variant, {**SETTINGS, "stages": 128})(GRAPH, seed=3).frames
    assert np.array_equal(made, pipe(graph, seed=3, layout=first, **{**SETTINGS, "stages": 128}).frames)


def test_the_first_stage_is_enlarged_to_the_runs_size(pipe: MovAIPipeline) -> None:
    variant = variants(("first_stage_enlarged",), ())[0]
    frames = VariantPipeline(pipe, variant, SETTINGS)(GRAPH, seed=3).frames
    first = pipe(GRAPH, seed=3, **{**SETTINGS, "stages": 128}).frames
    assert np.array_equal(frames, enlarged(first, 256, 256))
    with pytest.raises(UsageError, match="128 px is the first stage"):
        VariantPipeline(pipe, variant, {**SETTINGS, "stages": 128})


def test_guidance_beyond_what_the_weights_allow_is_refused_before_anything_is_made(pipe: MovAIPipeline) -> None:
    beyond = variants((), ((1.0, pipe.cascade.config.guidance + 1),))[0]
    with pytest.raises(UsageError, match="guidance: expected a number from 0 to"):
        VariantPipeline(pipe, beyond, SETTINGS)


def test_rows_that_there_are_not_are_refused() -> None:
    with pytest.raises(UsageError, match="rows: expected some of one_candidate"):
        variants(("no_planner",), ())
    with pytest.raises(UsageError, match="guidances: expected pairs"):
        variants((), ((1.0, float("nan")),))
