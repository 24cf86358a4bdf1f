from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mov_ai.data.video import read_video
from mov_ai.graph import Layout, SceneGraph
from mov_ai.worlds.stage.world import sample_scene
from mov_ai.worlds.tabletop.variation import EVERYTHING
from mov_ai.worlds.tabletop.world import sample_clip
from tests.cli.conftest import Command

FILES = ["clip.json", "graph.json", "layout.json", "masks.png", "sheet.png", "video.mp4"]


def test_clip_is_written_with_all_gold_data(command: Command) -> None:
    result = command("world", "sample", "--seed", "3", "--split", "test", "--size", "32", "--out", "clip")
    clip = sample_clip(3, "test", 32)
    assert (result.code, result.err) == (0, "")
    assert result.out == f"clip: {clip.caption.text}\n"
    assert sorted(path.name for path in Path("clip").iterdir()) == FILES
    assert SceneGraph.load("clip/graph.json") == clip.caption.graph
    assert Layout.load("clip/layout.json").to_dict() == clip.layout.to_dict()
    frames, fps = read_video("clip/video.mp4")
    assert (frames.shape, fps) == ((16, 32, 32, 3), 8.0)
    # H.264 loses a little.
    assert np.abs(frames.astype(int) - clip.video.numpy()).mean() < 8


def test_varied_clips_show_more_than_plain_ones(command: Command) -> None:
    result = command("world", "sample", "--varied", "--size", "32", "--seed", "4")
    assert (result.code, result.err) == (0, "")
    clip = sample_clip(4, "train", 32, variation=EVERYTHING)
    assert result.out == f"outputs/tabletop-train-4-varied: {clip.caption.text}\n"
    assert clip.caption.text != sample_clip(4, "train", 32).caption.text
    assert SceneGraph.load("outputs/tabletop-train-4-varied/graph.json") == clip.caption.graph


def test_older_results_stay(command: Command) -> None:
    for expected in ("outputs/tabletop-train-0", "outputs/tabletop-train-0-2"):
        result = command("world", "sample", "--size", "32")
        assert result.out.startswith(f"{expected}: ")
        assert Path(expected, "clip.json").is_file()


def test_named_folder_is_replaced_only_if_it_is_an_older_result(command: Command) -> None:
    assert command("world", "sample", "--size", "32", "--out", "clip").code == 0
    Path("clip/notes.txt").write_text("mine")
    assert command("world", "sample", "--size", "32", "--seed", "1", "--out", "clip").code == 0
    assert Path("clip/notes.txt").read_text() == "mine"
    Path("other").mkdir()
    Path("other/thesis.tex").write_text("mine")
    result = command("world", "sample", "--size", "32", "--out", "other")
    assert result.code == 2
    assert "other: holds files but no clip.json" in result.err
    assert [path.name for path in Path("other").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("arguments", [["--seed", "-1"], ["--split", "dev"], ["--size", "33"], ["--size", "9000"]])
def test_bad_options_are_refused(command: Command, arguments: list[str]) -> None:
    result = command("world", "sample", *arguments)
    assert result.code == 2
    assert arguments[0] in result.err
    assert len(result.err.splitlines()) == 1
    assert not Path("outputs").exists()


def test_staged_scenes_are_written_with_graph_layout_and_picture(command: Command) -> None:
    result = command("world", "stage", "--seed", "2", "--count", "2", "--kind", "pursuit", "--out", "chases")
    scene = sample_scene(2, kind="pursuit")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"2 pursuit: {scene.caption.text}\n")
    assert result.out.endswith("wrote chases\n")
    assert sorted(path.name for path in Path("chases").iterdir()) == ["2", "3", "captions.txt", "scenes.json"]
    assert SceneGraph.load("chases/2/graph.json") == scene.caption.graph
    assert Layout.load("chases/2/layout.json").to_dict() == scene.layout.to_dict()
    assert Path("chases/3/sheet.png").read_bytes().startswith(b"\x89PNG")
    unknown = command("world", "stage", "--kind", "opera")
    assert (unknown.code, "--kind: expected one of place" in unknown.err) == (2, True)
