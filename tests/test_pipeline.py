# ruff: noqa: E402
# ruff: noqa: E402
"""The pipeline as a Python object, with small random networks: what holds whatever the weights."""

from __future__ import annotations

import pytest

pytest.skip("being rewritten for label vectors", allow_module_level=True)

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mov_ai.data.video import read_video
from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph import Edge, Layout, Node, SceneGraph
from mov_ai.pipeline import MovAIPipeline, load_latents, save_latents, text_of

GRAPH = SceneGraph(
    "a red ball rolls left",
    [
        Node("s", "scene", "scene"),
        Node("b", "entity", "ball", span=(6, 10)),
        Node("r", "attribute", "red", span=(2, 5), kind="color"),
        Node("e", "event", "roll", span=(11, 16), direction="left"),
    ],
    [Edge("s", "b", "contains"), Edge("s", "e", "contains"), Edge("e", "b", "agent"), Edge("b", "r", "has_attribute")],
)


@pytest.fixture(scope="module")
def pipe(tiny_pipeline_dir: Path) -> MovAIPipeline:
    return MovAIPipeline.from_pretrained(tiny_pipeline_dir, device="cpu")


def test_same_seed_gives_the_same_video_bit_for_bit(pipe: MovAIPipeline) -> None:
    first, second = (pipe(GRAPH, seed=3, stages=256) for _ in range(2))
    assert np.array_equal(first.frames, second.frames)
    assert first.frames.shape == (16, 256, 256, 3)
    assert sorted(first.stages) == [128, 256]


def test_another_seed_gives_another_layout(pipe: MovAIPipeline) -> None:
    boxes = [pipe(GRAPH, seed=seed, stages=128).layout.tracks[0].boxes for seed in (1, 2)]
    assert np.abs(boxes[0][:, :2] - boxes[1][:, :2]).max() > 1e-3


def test_changing_a_colour_leaves_the_layout_as_it_was(pipe: MovAIPipeline) -> None:
    before = pipe(GRAPH, seed=5, stages=128)
    after = pipe(GRAPH.with_node("r", label="blue"), seed=5, stages=128)
    assert np.array_equal(before.layout.tracks[0].boxes, after.layout.tracks[0].boxes)
    assert not np.array_equal(before.frames, after.frames)


def test_a_layout_given_by_hand_is_kept_and_the_rest_is_planned(pipe: MovAIPipeline) -> None:
    planned = pipe(GRAPH, seed=5, stages=128).layout
    boxes = planned.tracks[0].boxes.copy()
    boxes[0, :2] = (0.25, 0.5)
    boxes[1:] = np.nan
    result = pipe(GRAPH, seed=5, stages=128, layout=Layout(16, [replace(planned.tracks[0], boxes=boxes)]))
    assert np.allclose(result.layout.tracks[0].boxes[0], boxes[0])
    assert result.layout.complete


def test_resumed_latents_give_the_video_that_an_unbroken_run_gives(pipe: MovAIPipeline, tmp_path: Path) -> None:
    whole = pipe(GRAPH, seed=4, stages=256)
    start = pipe(GRAPH, seed=4, stages=128)
    save_latents(tmp_path / "latents.safetensors", start)
    saved = load_latents(tmp_path / "latents.safetensors")
    resumed = pipe(saved.graph, seed=saved.seed, layout=saved.layout, stages=256, resume=saved)
    assert np.array_equal(resumed.stages[128], whole.stages[128])
    assert np.array_equal(resumed.frames, whole.frames)


def test_a_stage_runs_alone_on_a_given_video(pipe: MovAIPipeline) -> None:
    video = np.random.default_rng(0).integers(0, 255, (16, 64, 64, 3), dtype=np.uint8)
    result = pipe(GRAPH, video=video, stages=256)
    assert list(result.stages) == [256]


def test_a_saved_pipeline_makes_the_same_video(pipe: MovAIPipeline, tmp_path: Path) -> None:
    pipe.save_pretrained(tmp_path / "copy")
    copy = MovAIPipeline.from_pretrained(tmp_path / "copy", device="cpu")
    assert np.array_equal(pipe(GRAPH, stages=128).frames, copy(GRAPH, stages=128).frames)
    assert copy.parser("red ball").to_json() == pipe.parser("red ball").to_json()


def test_the_result_folder_holds_everything_and_says_how_it_was_made(pipe: MovAIPipeline, tmp_path: Path) -> None:
    result = pipe(GRAPH, seed=9, stages=256)
    result.save(tmp_path / "out", boxes=True, latents=True)
    names = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert names == {
        "video.mp4", "stages/128.mp4", "graph.json", "layout.json", "sheet.png", "run.json", "latents.safetensors"
    }  # fmt: skip
    frames, fps = read_video(tmp_path / "out/video.mp4")
    assert frames.shape == (16, 256, 256, 3)
    assert fps == 8
    run = json.loads((tmp_path / "out/run.json").read_text())
    assert run["seed"] == 9
    assert run["prompt"] == GRAPH.caption
    assert {"parse", "plan", "128", "256", "decode"} <= set(run["seconds"])
    assert SceneGraph.load(tmp_path / "out/graph.json") == GRAPH
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_what_the_graph_leaves_open_is_chosen_and_recorded(pipe: MovAIPipeline) -> None:
    graph = SceneGraph.from_dict({"version": 1, "nodes": [{"id": "d", "type": "entity", "label": "dog"}]})
    run = pipe(graph, stages=128).run
    assert run["assumed"]["d"]["color"]
    assert run["ignored_words"] == ["dog"]


def test_a_layout_that_does_not_fit_is_refused(pipe: MovAIPipeline) -> None:
    boxes = np.full((16, 6), 0.5, np.float32)
    from mov_ai.graph import Track

    with pytest.raises(UsageError, match=r"tracks\[0\].*'x'"):
        pipe(GRAPH, layout=Layout(16, [Track("x", boxes)]))
    with pytest.raises(UsageError, match="16 frames"):
        pipe(GRAPH, layout=Layout(8, [Track("b", boxes[:8])]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed"),
        ({"stages": 64}, "stages"),
        ({"steps": 0}, "steps"),
        ({"guidance_graph": float("nan")}, "guidance"),
    ],
)
def test_arguments_out_of_range_are_refused(pipe: MovAIPipeline, arguments: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pipe(GRAPH, **arguments)


def test_truncated_latents_are_refused(pipe: MovAIPipeline, tmp_path: Path) -> None:
    save_latents(tmp_path / "l.safetensors", pipe(GRAPH, stages=128))
    whole = (tmp_path / "l.safetensors").read_bytes()
    (tmp_path / "l.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MovAIError, match="safetensors"):
        load_latents(tmp_path / "l.safetensors")


def test_the_text_follows_an_edited_graph() -> None:
    assert text_of(GRAPH) == "a red ball roll left"
    assert text_of(GRAPH.with_node("r", label="blue")) == "a blue ball roll left"
