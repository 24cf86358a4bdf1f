"""The pipeline as a Python object, with small random networks: what holds whatever the weights."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mov_ai.data.video import read_video
from mov_ai.diffusion.sampling import Guidance
from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph import Edge, Layout, Node, SceneGraph, Track
from mov_ai.graph.video_shape import VideoShape
from mov_ai.labels.coverage import LABELS_FILE, LabelCoverage
from mov_ai.models.cascade import CASCADE_FILE, Cascade
from mov_ai.pipeline import MovAIPipeline, text_of
from mov_ai.pipeline_files import PIPELINE_FILE, pipeline_folder
from mov_ai.result import load_latents, save_latents
from mov_ai.worlds.tabletop.completion import without_assumed

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


def test_camera_and_style_change_a_video_only_where_training_told_of_them(tiny_pipeline_dir: Path) -> None:
    pipe = MovAIPipeline.from_pretrained(tiny_pipeline_dir, device="cpu")
    styled = GRAPH.with_node("s", camera="pan left", style=("4k", "oil painting"))
    seen = {}
    for name, graphs in (("neither", [GRAPH]), ("both", [GRAPH, styled])):
        pipe.coverage = LabelCoverage()
        pipe.coverage.add(graphs)
        seen[name] = [pipe(graph, seed=2, stages=128) for graph in (GRAPH, styled)]
    assert np.array_equal(seen["neither"][0].frames, seen["neither"][1].frames)
    assert np.array_equal(seen["neither"][0].frames, seen["both"][0].frames)
    assert not np.array_equal(seen["both"][0].frames, seen["both"][1].frames)
    # What the user said stays in the graph, and that it was not known is said.
    assert seen["neither"][1].graph.of_type("scene")[0].style == ("4k", "oil painting")
    assert "pan left" in " ".join(seen["neither"][1].run["warnings"])


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
    saved = SceneGraph.load(tmp_path / "out/graph.json")
    assert saved == result.graph
    assert without_assumed(saved) == GRAPH
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_what_the_graph_leaves_open_is_chosen_and_recorded(pipe: MovAIPipeline) -> None:
    graph = SceneGraph.from_dict({"version": 1, "nodes": [{"id": "d", "type": "entity", "label": "dog"}]})
    result = pipe(graph, stages=128)
    assumed = result.run["assumed"]["d"]
    assert len(assumed) == 2
    assert assumed == [node.label for node, _ in result.graph.attributes("d")]
    assert all(node.assumed == ("label",) for node, _ in result.graph.attributes("d"))
    scene = result.graph.of_type("scene")[0]
    assert result.run["assumed"][scene.id] == [scene.setting, scene.light]


def test_what_was_assumed_can_be_edited_and_the_rest_stays(pipe: MovAIPipeline) -> None:
    graph = SceneGraph("a dog", [Node("s", "scene", "scene"), Node("d", "entity", "dog")], [Edge("s", "d", "contains")])
    first = pipe(graph, seed=2, stages=128)
    again = pipe(first.graph, seed=2, stages=128)
    assert again.graph == first.graph
    assert np.array_equal(again.frames, first.frames)
    color = next(node.id for node, _ in first.graph.attributes("d") if node.kind == "color")
    edited = pipe(first.graph.with_node(color, label="ochre", assumed=()), seed=2, stages=128)
    assert np.array_equal(edited.layout.tracks[0].boxes, first.layout.tracks[0].boxes)
    assert not np.array_equal(edited.frames, first.frames)
    assert "ochre" not in edited.run["assumed"]["d"]


def test_labels_far_from_training_are_said_where_it_is_known(pipe: MovAIPipeline, tiny_pipeline_dir: Path) -> None:
    assert pipe(GRAPH, stages=128).run["distant_labels"] == []
    coverage = LabelCoverage()
    coverage.add([GRAPH])
    knowing = MovAIPipeline.from_pretrained(tiny_pipeline_dir, device="cpu")
    knowing.coverage = coverage
    run = knowing(GRAPH.with_node("b", label="giraffe"), stages=128).run
    assert run["distant_labels"] == ["giraffe"]
    assert "far from all words that this pipeline was trained on: giraffe" in run["warnings"]
    assert knowing(GRAPH, stages=128).run["distant_labels"] == []


def test_a_layout_that_does_not_fit_is_refused(pipe: MovAIPipeline) -> None:
    boxes = np.full((16, 6), 0.5, np.float32)
    with pytest.raises(UsageError, match=r"tracks\[0\].*'x'"):
        pipe(GRAPH, layout=Layout(16, [Track("x", boxes)]))
    with pytest.raises(UsageError, match="16 frames"):
        pipe(GRAPH, layout=Layout(8, [Track("b", boxes[:8])]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed"),
        ({"stages": 0}, "stages: expected a size from 16 up"),
        ({"stages": True}, "stages: expected a size"),
        ({"stages": 100}, "multiples of 16; found 100x100: try 96x96"),
        ({"stages": [256, 128]}, "each larger than the one before"),
        ({"stages": []}, "stages: expected whole numbers"),
        ({"shape": VideoShape(height=100, width=100)}, "multiples of 16; found 100x100: try 96x96"),
        ({"steps": (1, 2)}, "steps: expected 1 to 1000, once or for each of 3 stages"),
        ({"steps": 0}, "steps"),
        ({"guidance_graph": float("nan")}, "guidance"),
        ({"guidance_text": 10.5}, "guidance: expected a number from 0 to 10; found 10.5"),
    ],
)
def test_arguments_out_of_range_are_refused(pipe: MovAIPipeline, arguments: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pipe(GRAPH, **arguments)


def test_guidance_is_refused_where_nothing_was_left_out_in_training(pipe: MovAIPipeline) -> None:
    cascade = pipe.cascade
    config = replace(cascade.config, guidance=1.0)
    never = MovAIPipeline(Cascade(config, cascade.codec, list(cascade.denoisers)), pipe.planner)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"guidance: expected 1, as nothing was left out .*; found 2"):
        never(GRAPH, guidance_graph=2.0)


def test_a_pipeline_has_a_guidance_of_its_own(pipe: MovAIPipeline) -> None:
    cascade = pipe.cascade

    def guided_by(*strengths: float) -> MovAIPipeline:
        config = replace(cascade.config, default_guidance=strengths)
        return MovAIPipeline(Cascade(config, cascade.codec, list(cascade.denoisers)), pipe.planner)  # type: ignore[arg-type]

    own, none = guided_by(2.0, 3.0), guided_by(1.0, 1.0)
    found, asked = own(GRAPH, stages=128), none(GRAPH, stages=128, guidance_text=2.0, guidance_graph=3.0)
    assert torch.equal(found.latents[128], asked.latents[128])
    assert [found.run["config"][f"guidance_{by}"] for by in ("text", "graph")] == [2.0, 3.0]
    # What is asked for goes before it, each by itself.
    assert own.guidance(text=1.0) == Guidance(1.0, 3.0)
    plain = none(GRAPH, stages=128).latents[128]
    assert torch.equal(own(GRAPH, stages=128, guidance_text=1.0, guidance_graph=1.0).latents[128], plain)
    assert not torch.equal(found.latents[128], plain)


def test_the_embedded_pipeline_is_guided_as_its_parts_say() -> None:
    folder = pipeline_folder("tiny")
    told = [
        json.loads((folder / part / CASCADE_FILE).read_text())["default_guidance"] for part in ("denoiser", "refiner")
    ]
    told.append(json.loads((folder / PIPELINE_FILE).read_text())["cascade"]["default_guidance"])
    assert told == [[2.0, 2.0]] * 3


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [("shared_noise", 0.25, "0.5, as the denoiser was trained with"), ("guidance", 50.0, "at most 10")],
)
def test_a_pipeline_sampled_otherwise_than_it_was_trained_is_refused(
    pipe: MovAIPipeline, tmp_path: Path, setting: str, value: float, expected: str
) -> None:
    folder = tmp_path / "saved"
    pipe.save_pretrained(folder)
    MovAIPipeline.from_pretrained(folder)
    about = json.loads((folder / PIPELINE_FILE).read_text())
    about["cascade"][setting] = value
    (folder / PIPELINE_FILE).write_text(json.dumps(about))
    with pytest.raises(UsageError, match=f"{PIPELINE_FILE}: cascade: {setting}: expected {expected}"):
        MovAIPipeline.from_pretrained(folder)


def test_a_refiner_that_begins_with_other_noise_than_in_training_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(pipeline_folder("tiny"), folder)
    about = json.loads((folder / PIPELINE_FILE).read_text())
    about["cascade"]["low_noise"] = 0.3
    (folder / PIPELINE_FILE).write_text(json.dumps(about))
    with pytest.raises(UsageError, match=r"low_noise: expected 0\.0, as the refiner was trained with; found 0\.3"):
        MovAIPipeline.from_pretrained(folder)


def test_truncated_latents_are_refused(pipe: MovAIPipeline, tmp_path: Path) -> None:
    save_latents(tmp_path / "l.safetensors", pipe(GRAPH, stages=128))
    whole = (tmp_path / "l.safetensors").read_bytes()
    (tmp_path / "l.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MovAIError, match="safetensors"):
        load_latents(tmp_path / "l.safetensors")


def test_the_text_follows_an_edited_graph() -> None:
    assert text_of(GRAPH) == "a red ball roll left"
    assert text_of(GRAPH.with_node("r", label="blue")) == "a blue ball roll left"


# -- sizes -------------------------------------------------------------------------------------------------------------

SHAPES = [
    VideoShape(4, 12.0, 96, 160),
    VideoShape(24, 12.0, 96, 96),
    VideoShape(1, 8.0, 160, 96),
    VideoShape(5, 24.0, 144, 80),
    VideoShape(24, 12.0, 128, 128),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_video_has_the_shape_that_was_asked_for(pipe: MovAIPipeline, shape: VideoShape, tmp_path: Path) -> None:
    result = pipe(GRAPH, seed=1, shape=shape)
    size = (shape.frames, shape.height, shape.width, 3)
    assert result.frames.shape == size
    assert max(result.stages) == max(shape.height, shape.width)
    channels = pipe.cascade.codec.config.latent_channels
    for stage, frames in result.stages.items():
        assert max(frames.shape[1:3]) == stage
        assert len(frames) == shape.frames
        if stage < 128:
            # Smaller than the first stage: made by that, and shrunk.
            assert list(result.latents) == [128]
            continue
        height, width = frames.shape[1:3]
        assert result.latents[stage].shape == (1, shape.frames, channels, height // 8, width // 8)
    assert result.layout.frames == shape.frames
    assert result.layout.complete
    assert result.layout.shape == shape
    assert result.run["config"]["shape"]["frames"] == shape.frames
    assert result.run["fps"] == shape.fps
    result.save(tmp_path / "out")
    assert Layout.load(tmp_path / "out/layout.json").shape == shape
    frames, fps = read_video(tmp_path / "out/video.mp4")
    assert (frames.shape, fps) == (size, shape.fps)


def test_a_call_that_names_no_shape_has_the_pipelines(pipe: MovAIPipeline) -> None:
    assert pipe.shape == VideoShape(16, 8.0, 512, 512)


def test_a_layout_brings_its_shape(pipe: MovAIPipeline) -> None:
    shape = VideoShape(3, 12.0, 64, 96)
    first = pipe(GRAPH, seed=1, shape=shape)
    again = pipe(GRAPH, seed=1, layout=first.layout)
    assert np.array_equal(again.frames, first.frames)
    assert again.fps == 12


def test_stages_may_be_any_sizes(pipe: MovAIPipeline) -> None:
    result = pipe(GRAPH, shape=VideoShape(2, 8.0, 64, 96), stages=[96, 144])
    assert {size: frames.shape for size, frames in result.stages.items()} == {96: (2, 64, 96, 3), 144: (2, 96, 144, 3)}


@pytest.mark.parametrize(("height", "width"), [(64, 96), (80, 112), (112, 80), (16, 112), (48, 48)])
def test_a_video_below_the_first_stage_is_made_at_that_and_shrunk(pipe: MovAIPipeline, height: int, width: int) -> None:
    result = pipe(GRAPH, shape=VideoShape(2, 8.0, height, width))
    assert result.frames.shape == (2, height, width, 3)
    assert list(result.latents) == [128]
    assert f"this pipeline begins at 128; its video was shrunk to {max(height, width)}" in result.run["warnings"]


def test_beyond_what_was_trained_there_are_warnings(pipe: MovAIPipeline) -> None:
    inside = pipe(GRAPH, stages=128).run["warnings"]
    assert not [line for line in inside if "trained" in line]
    messages = pipe(GRAPH, shape=VideoShape(4, 12.0, 96, 160)).run["warnings"]
    assert "trained on 16 frames, asked for 4" in messages
    assert "trained on frames of 512x512, asked for another aspect, 96x160" in messages
    assert "trained for stages 128, 256, 512, asked for 160" in messages


def test_resuming_at_another_size_is_one_line(pipe: MovAIPipeline, tmp_path: Path) -> None:
    save_latents(tmp_path / "l.safetensors", pipe(GRAPH, shape=VideoShape(2, 12.0, 64, 128)))
    saved = load_latents(tmp_path / "l.safetensors")
    assert saved.fps == 12
    assert saved.layout.shape == VideoShape(2, 12.0, 64, 128)
    same = pipe(saved.graph, seed=saved.seed, layout=saved.layout, resume=saved)
    assert same.frames.shape == (2, 64, 128, 3)
    for shape in (VideoShape(2, 12.0, 128, 128), VideoShape(3, 12.0, 64, 128)):
        with pytest.raises(UsageError, match=r"latents: expected \(1, .*\) at stage 128; found \(1, 2, ") as caught:
            pipe(saved.graph, shape=shape, resume=saved)
        assert "\n" not in str(caught.value)


def test_a_video_or_layout_of_other_frames_is_refused(pipe: MovAIPipeline) -> None:
    video = np.zeros((8, 64, 64, 3), np.uint8)
    with pytest.raises(UsageError, match="video: expected 16 frames, found 8"):
        pipe(GRAPH, video=video)
    assert pipe(GRAPH, video=video, shape=VideoShape(8, 8.0, 64, 64)).frames.shape == (8, 64, 64, 3)
    with pytest.raises(UsageError, match="layout: expected 8 frames, as the video has; found 16"):
        pipe(GRAPH, layout=Layout(16, []), shape=VideoShape(8))


# -- parts that are not there ------------------------------------------------------------------------------------------


def test_without_planner_and_world_nothing_is_assumed_or_planned(pipe: MovAIPipeline, tmp_path: Path) -> None:
    MovAIPipeline(pipe.cascade, None, pipe.parser, name="bare").save_pretrained(tmp_path / "bare", parser=False)
    bare = MovAIPipeline.from_pretrained(tmp_path / "bare", device="cpu")
    assert (bare.planner, bare.world, bare.coverage) == (None, None, None)
    shape = VideoShape(2, 8.0, 64, 64)
    result = bare(GRAPH, shape=shape)
    assert result.graph == GRAPH
    assert result.layout.tracks == []
    assert result.run["assumed"] == {}
    assert result.run["layout_report"] is None
    boxes = np.tile(np.array([0.5, 0.5, 0.3, 0.3, 6.0, 1.0], np.float32), (2, 1))
    drawn = bare(GRAPH, shape=shape, layout=Layout(2, [Track("b", boxes)]))
    assert not np.array_equal(drawn.frames, result.frames)
    boxes = boxes.copy()
    boxes[1] = np.nan
    with pytest.raises(UsageError, match="no planner to fill in boxes that are null"):
        bare(GRAPH, shape=shape, layout=Layout(2, [Track("b", boxes)]))


def _edited(folder: Path, copy: Path, file: str, change: dict[str, object]) -> Path:
    shutil.copytree(folder, copy)
    value = json.loads((copy / file).read_text())
    for key, entry in change.items():
        *path, last = key.split(".")
        place = value
        for step in path:
            place = place[step]
        place[last] = entry
    (copy / file).write_text(json.dumps(value))
    return copy


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        (
            PIPELINE_FILE,
            {"schema": 1},
            "schema 1, of the first version of mov_ai, whose networks knew the words of one",
        ),
        (PIPELINE_FILE, {"schema": 3}, "schema: expected 2, found 3"),
        (PIPELINE_FILE, {"schema": True}, "schema: expected 2, found True"),
        (PIPELINE_FILE, {"name": "\ud800"}, "name: expected a word that can be printed; found"),
        (PIPELINE_FILE, {"name": "a\x1b[31mb"}, "name: expected a word that can be printed; found"),
        (PIPELINE_FILE, {"name": 3}, "name: expected a word that can be printed; found 3"),
        (
            PIPELINE_FILE,
            {"world": [["x"] * 1000]},
            r"world: expected one of .*, or null; found .{0,70}: install",
        ),
        (PIPELINE_FILE, {"world": "dogs"}, "world: expected one of .*tabletop.*, or null; found 'dogs'"),
        (PIPELINE_FILE, {"shape.frames": 0}, "frames: expected a whole number from 1 to 16384; found 0"),
        (PIPELINE_FILE, {"cascade.stages": [512, 256, 128]}, "stages: expected ascending sizes"),
        ("denoiser/config.json", {"schema": 1}, "schema: expected 3, found 1"),
        ("denoiser/config.json", {"config.labels.width": 32}, r"expected \(.*\), found \(.*\)"),
        ("denoiser/config.json", {"config.labels.version": 99}, "label encoder: expected version 1 .*, found 99"),
        ("denoiser/config.json", {"config.stages": [256, 128]}, "stages: expected ascending sizes"),
        ("planner/config.json", {"schema": 1}, "schema: expected 4, found 1"),
        ("planner/config.json", {"config.labels.width": 32}, r"expected \(.*\), found \(.*\)"),
    ],
)
def test_a_folder_that_does_not_fit_is_one_line(
    tiny_pipeline_dir: Path, tmp_path: Path, file: str, change: dict[str, object], words: str
) -> None:
    folder = _edited(tiny_pipeline_dir, tmp_path / "copy", file, change)
    with pytest.raises(MovAIError, match=words) as caught:
        MovAIPipeline.from_pretrained(folder, device="cpu")
    assert "\n" not in str(caught.value)


def test_labels_that_are_no_counts_are_one_line(tiny_pipeline_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_pipeline_dir, tmp_path / "copy")
    (tmp_path / "copy/denoiser" / LABELS_FILE).write_text('{"entity": ["dog"]}')
    with pytest.raises(UsageError, match=LABELS_FILE):
        MovAIPipeline.from_pretrained(tmp_path / "copy", device="cpu")


def test_world_shape_and_labels_are_saved_with_the_pipeline(pipe: MovAIPipeline, tmp_path: Path) -> None:
    coverage = LabelCoverage()
    coverage.add([GRAPH])
    shape = VideoShape(4, 12.0, 96, 160)
    whole = MovAIPipeline(pipe.cascade, pipe.planner, None, pipe.world, coverage, shape, "named")
    whole.save_pretrained(tmp_path / "copy", parser=False)
    copy = MovAIPipeline.from_pretrained(tmp_path / "copy", device="cpu")
    assert (copy.world, copy.coverage, copy.shape, copy.name) == (pipe.world, coverage, shape, "named")
    assert copy(GRAPH).frames.shape == (4, 96, 160, 3)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_latents_and_frames_that_are_not_finite_stop_the_run(
    tiny_pipeline_dir: Path, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    broken = MovAIPipeline.from_pretrained(tiny_pipeline_dir, device="cpu")
    denoiser = broken.cascade.denoisers[0]
    forward = denoiser.forward
    monkeypatch.setattr(denoiser, "forward", lambda *inputs: forward(*inputs) * value)
    with pytest.raises(MovAIError, match=r"stage 128: latents: expected finite numbers.*; train or fetch") as caught:
        broken(GRAPH, stages=128)
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    if value == float("inf"):
        # Frames are clamped.
        return
    decode = broken.cascade.codec.decode
    monkeypatch.setattr(broken.cascade.codec, "decode", lambda *inputs: decode(*inputs) * value)
    with pytest.raises(MovAIError, match="stage 128: frames: expected finite numbers"):
        broken(GRAPH, stages=128)


def test_a_draft_is_smaller_and_takes_half_of_the_steps(pipe: MovAIPipeline) -> None:
    draft = pipe(GRAPH, seed=1, stages=None, shape=VideoShape(height=256, width=256), quality="draft")
    assert draft.frames.shape == (16, 128, 128, 3)
    assert draft.run["quality"] == "draft"
    assert draft.run["config"]["steps"][0] == max(1, round(pipe.cascade.config.steps[0] / 2))


def test_the_types_that_were_computed_in_are_recorded_and_change_no_value_that_is_seen(
    tiny_pipeline_dir: Path, pipe: MovAIPipeline
) -> None:
    full = MovAIPipeline.from_pretrained(tiny_pipeline_dir, device="cpu", dtype="float32")
    videos = [made(GRAPH, seed=3, stages=128) for made in (full, pipe)]
    assert videos[0].run["computed_in"] == {"denoise": "float32", "refine": "float32", "decode": "float32"}
    assert set(videos[1].run["computed_in"].values()) <= {"float32", "bfloat16"}
    difference = videos[0].frames.astype(float) - videos[1].frames
    assert 10 * np.log10(255**2 / max((difference**2).mean(), 1e-9)) > 45


@pytest.mark.parametrize("interval", [(0.5, 0.2), (-0.1, 1.0), (0.0, 1.5)])
def test_an_interval_of_guidance_that_is_none_is_refused(pipe: MovAIPipeline, interval: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="guidance_interval: expected two noise levels"):
        pipe(GRAPH, guidance_interval=interval)


def test_a_pipeline_is_loaded_without_what_it_does_not_need() -> None:
    code = (
        "import sys; from mov_ai.pipeline import MovAIPipeline; MovAIPipeline.from_pretrained('tiny', 'cpu'); "
        "heavy = {'torch._dynamo', 'sympy', 'scipy', 'diffusers', 'transformers', 'spacy'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
