from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from mov_ai.data.video import VideoReader, read_video, write_video
from mov_ai.graph import Layout
from mov_ai.long_video.beginning import open_beginning
from mov_ai.models.component import save_component
from mov_ai.models.in_between import frames_after
from mov_ai.models.interpolation import InterpolationConfig, InterpolationNetwork
from mov_ai.pipeline import MovAIPipeline
from mov_ai.pipeline_files import PIPELINE_FILE
from mov_ai.smoothing import frames_before, times_for
from tests.cli.conftest import Command

NETWORK = InterpolationConfig(widths=(8, 12), blocks=(1, 1), dim=8, steps=1, guidance=0)


@pytest.fixture(scope="module")
def smooth_pipeline_dir(tiny_pipeline_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small pipeline's files, by links, and an untrained interpolation network."""
    folder = tmp_path_factory.mktemp("smooth") / "small"
    folder.mkdir()
    for part in tiny_pipeline_dir.iterdir():
        (folder / part.name).symlink_to(part)
    torch.manual_seed(0)
    save_component(InterpolationNetwork(NETWORK), folder / "interpolation")
    return folder


@pytest.fixture(scope="module")
def smooth_pipeline(smooth_pipeline_dir: Path) -> MovAIPipeline:
    return MovAIPipeline.from_pretrained(smooth_pipeline_dir, "cpu")


@pytest.fixture
def short_video(tmp_path: Path) -> Path:
    frames = np.random.default_rng(0).integers(0, 255, (3, 16, 24, 3), np.uint8)
    write_video(tmp_path / "short.mp4", frames, 8)
    return tmp_path / "short.mp4"


@pytest.mark.parametrize(("times", "frames", "fps"), [(4, 9, 32), (16, 33, 128)])
def test_a_video_becomes_smoother_and_lasts_as_long(
    command: Command, smooth_pipeline_dir: Path, short_video: Path, times: int, frames: int, fps: float
) -> None:
    given = ("--times", str(times), "--out", "new.mp4", "--checkpoint", smooth_pipeline_dir, "--device", "cpu")
    result = command("interpolate", short_video, *given)
    assert result.code == 0, result.err
    assert result.out == f"new.mp4: {frames} frames of 16x24 at {fps} fps\n"
    found, rate = read_video("new.mp4")
    assert found.shape == (frames, 16, 24, 3)
    # The frames that were there are there, but for the compression of the file, and the codec is untrained.
    for after, before in zip(found[::times], read_video(short_video)[0], strict=True):
        assert np.abs(after.astype(int) - before).mean() < 20
    # From the first keyframe to the last as before.
    assert (frames - 1) / rate == pytest.approx(2 / 8)


def test_what_the_codec_cannot_make_is_cut_off_and_said(
    command: Command, smooth_pipeline_dir: Path, tmp_path: Path
) -> None:
    write_video(tmp_path / "odd.mp4", np.zeros((2, 20, 34, 3), np.uint8), 8)
    result = command("interpolate", "odd.mp4", "--out", "new.mp4", "--checkpoint", smooth_pipeline_dir)
    assert "only the middle 16x32 of 20x34 is kept: the codec needs multiples of 8" in result.err
    assert read_video("new.mp4")[0].shape == (5, 16, 32, 3)


def one_line(result) -> str:  # type: ignore[no-untyped-def]
    assert result.err.count("\n") == 1, result.err
    return result.err


def test_bad_use_is_one_line_and_leaves_nothing(
    command: Command, smooth_pipeline_dir: Path, tiny_pipeline_dir: Path, short_video: Path, tmp_path: Path
) -> None:
    write_video(tmp_path / "one.mp4", np.zeros((1, 16, 16, 3), np.uint8), 8)
    write_video(tmp_path / "fast.mp4", np.zeros((2, 16, 16, 3), np.uint8), 30)
    write_video(tmp_path / "flat.mp4", np.zeros((2, 4, 16, 3), np.uint8), 8)
    (tmp_path / "text.mp4").write_text("no video")
    kept = short_video.read_bytes()
    has, lacks = ("--checkpoint", smooth_pipeline_dir), ("--checkpoint", tiny_pipeline_dir)
    out = ("--out", "new.mp4")
    for arguments, message in (
        (("one.mp4", *out, *has), "expected two frames or more"),
        (("fast.mp4", "--times", "16", *out, *has), "30 frames a second become 480, and a video has at most 240"),
        (("flat.mp4", *out, *has), "4x16: expected sides of 8 pixels or more"),
        ((short_video, "--times", "8", *out, *has), "--times: expected 4 or 16; found 8"),
        ((short_video, "--out", "new.gif", *has), "--out: expected the name of an .mp4 file; found new.gif"),
        ((short_video, *out, *lacks), "has no interpolation network; train one (recipes/interpolation.sh)"),
        (("none.mp4", *out, *has), "none.mp4"),
        ((short_video, "--out", short_video, *has), "is the video itself; give another name"),
        (("text.mp4", *out, *has), "the file is damaged or not a video"),
    ):
        result = command("interpolate", *arguments)
        assert result.code == 2, (arguments, result.err)
        assert message in one_line(result)
    assert not list(tmp_path.glob("new*"))
    assert short_video.read_bytes() == kept


def test_a_name_is_found_where_none_is_given(command: Command, smooth_pipeline_dir: Path, short_video: Path) -> None:
    for name in ("short-x4.mp4", "short-x4-2.mp4"):
        result = command("interpolate", short_video, "--checkpoint", smooth_pipeline_dir)
        assert result.code == 0, result.err
        assert read_video(f"outputs/{name}")[0].shape == (9, 16, 24, 3)


def test_generate_makes_a_smoother_video_of_the_same_keyframes(
    command: Command, smooth_pipeline: MovAIPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MovAIPipeline, "from_pretrained", lambda *_: smooth_pipeline)
    given = ("a ball", "--frames", "3", "--stages", "128", "--save-latents")
    assert command("generate", *given, "--out", "plain").code == 0
    result = command("generate", *given, "--smooth", "1", "--out", "smooth")
    assert result.code == 0, result.err
    assert "video.mp4: 9 frames of 128x128" in result.out
    plain, smooth = (json.loads(Path(name, "run.json").read_text()) for name in ("plain", "smooth"))
    assert "smooth" not in plain["config"]
    assert smooth["config"]["smooth"] == 1
    assert smooth["fps"] == 32 == 4 * plain["fps"]
    with VideoReader("smooth/video.mp4") as reader:
        assert (reader.info.frames, reader.info.fps) == (9, 32)
    # Everything but the video is as without it: latents, layout, sheet.
    for name in ("latents.safetensors", "layout.json", "graph.json", "sheet.png"):
        assert Path("plain", name).read_bytes() == Path("smooth", name).read_bytes(), name


def test_smooth_is_refused_where_it_cannot_be(
    command: Command, smooth_pipeline: MovAIPipeline, tiny_pipeline_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = command("generate", "a ball", "--smooth", "1", "--checkpoint", tiny_pipeline_dir, "--stages", "128")
    assert result.code == 2
    assert "has no interpolation network" in one_line(result)
    monkeypatch.setattr(MovAIPipeline, "from_pretrained", lambda *_: smooth_pipeline)
    for more, message in (
        (("--frames", "1"), "two frames or more"),
        (("--fps", "30"), "30 frames a second become 480"),
    ):
        result = command("generate", "a ball", "--smooth", "2", "--stages", "128", *more)
        assert result.code == 2
        assert message in one_line(result)


def test_scenes_of_one_frame_have_none_between_them(
    command: Command, smooth_pipeline: MovAIPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MovAIPipeline, "from_pretrained", lambda *_: smooth_pipeline)
    given = ("generate", "A ball. A cube.", "--frames", "3", "--smooth", "1", "--stages", "128", "--size", "96")
    given = (*given, "--out", "o")
    result = command(*given, "--scenes", "cuts")
    assert (result.code, len(result.err.splitlines())) == (2, 1), result.err
    assert "--smooth: scene 2 has one frame" in result.err
    assert not Path("o").exists()
    assert command(*given, "--scenes", "continuous").code == 0
    again = ("generate", "A cone.", "--frames", "1", "--smooth", "1", "--stages", "128", "--size", "96", "--out", "p")
    assert command(*again, "--extend", "o").code == 0


@pytest.mark.parametrize(
    ("more", "frames", "keyframes"),
    [
        (("--seconds", "1"), 24, [7]),
        (("--frames", "29"), 29, [8]),
        # Cut between the scenes, no frame is put there.
        (("--seconds", "1", "--scenes", "cuts"), 24, [4, 4]),
        # What is given for the last frame is shown.
        (("--seconds", "1", "--image", "p.png@last"), 25, [7]),
        (("--seconds", "1", "--smooth", "0"), 24, [24]),
    ],
)
def test_a_high_rate_is_reached_by_frames_between(
    command: Command,
    smooth_pipeline: MovAIPipeline,
    monkeypatch: pytest.MonkeyPatch,
    more: tuple[str, ...],
    frames: int,
    keyframes: list[int],
) -> None:
    monkeypatch.setattr(MovAIPipeline, "from_pretrained", lambda *_: smooth_pipeline)
    PIL.Image.new("RGB", (96, 96), (0, 90, 200)).save("p.png")
    given = ("generate", "A ball. A cube.", "--fps", "24", *more, "--stages", "128", "--out", "o")
    result = command(*given)
    assert result.code == 0, result.err
    assert f"o/video.mp4: {frames} frames of" in result.out
    with VideoReader("o/video.mp4") as reader:
        assert (reader.info.frames, reader.info.fps) == (frames, 24)
    run = json.loads(Path("o/run.json").read_text())
    assert [scene["frames"] for scene in run["scenes"]] == keyframes
    if len(keyframes) == 1:
        kept = open_beginning(Path("o"), replace(smooth_pipeline.shape, fps=24.0), 4, {})[0].layout
        assert kept is not None
        assert kept.frames == frames


def test_a_high_rate_without_a_network_for_it_is_said(
    command: Command, tiny_pipeline_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = MovAIPipeline.from_pretrained(tiny_pipeline_dir, "cpu")
    monkeypatch.setattr(MovAIPipeline, "from_pretrained", lambda *_: small)
    given = ("--frames", "17", "--fps", "24", "--stages", "128", "--size", "96", "--out", "o")
    result = command("generate", "a ball", *given)
    assert result.code == 0, result.err
    assert "warning: --fps: the networks know 8 frames a second, and make 24; " in result.err
    with VideoReader("o/video.mp4") as reader:
        assert (reader.info.frames, reader.info.fps) == (17, 24)


@pytest.mark.parametrize(
    ("fps", "times"), [(8, 0), (12, 0), (16, 0), (24, 1), (30, 1), (32, 1), (60, 1), (100, 2), (128, 2), (2, 0)]
)
def test_how_often_frames_are_put_between_for_a_rate(fps: float, times: int) -> None:
    assert times_for(fps, 8) == times
    assert frames_after(frames_before(121, times), times) >= 121 > frames_after(frames_before(121, times) - 1, times)


@pytest.mark.parametrize("frames", ["3", "20"])
def test_what_goes_on_from_a_smoother_video_goes_on_from_its_frames(
    command: Command, smooth_pipeline: MovAIPipeline, monkeypatch: pytest.MonkeyPatch, frames: str
) -> None:
    monkeypatch.setattr(MovAIPipeline, "from_pretrained", lambda *_: smooth_pipeline)
    given = ("generate", "a ball", "--stages", "128", "--size", "96")
    assert command(*given, "--frames", frames, "--smooth", "1", "--out", "o").code == 0
    shape = replace(smooth_pipeline.shape, height=96, width=96, fps=32.0)
    beginning, said = open_beginning(Path("o"), shape, 4, {})
    # Keyframes are not the last frames, and their boxes are a quarter of the video's.
    assert not beginning.carried.frames
    assert "goes on from pixels" in said[-1]
    assert beginning.count == 4 * (int(frames) - 1) + 1
    kept = Layout.load("o/layout.json")
    assert kept.frames == int(frames)
    assert beginning.layout is not None
    assert beginning.layout.frames == beginning.count
    for smooth, keyframes in zip(beginning.layout.tracks, kept.tracks, strict=True):
        assert np.allclose(smooth.boxes[-1], keyframes.boxes[-1], atol=1e-6)
    again = command(*given, "--frames", "2", "--extend", "o", "--out", "p")
    assert again.code == 0, again.err
    with VideoReader("p/video.mp4") as reader:
        assert (reader.info.frames, reader.info.fps) == (beginning.count + 2, 32)


@pytest.mark.parametrize("fps", [None, 0.001, 8.1])
def test_what_a_layout_may_claim_of_its_rate_does_no_harm(
    command: Command, smooth_pipeline: MovAIPipeline, monkeypatch: pytest.MonkeyPatch, fps: float | None
) -> None:
    monkeypatch.setattr(MovAIPipeline, "from_pretrained", lambda *_: smooth_pipeline)
    given = ("generate", "a ball", "--stages", "128", "--size", "96", "--frames", "3", "--out", "o")
    assert command(*given).code == 0
    layout = Layout.load("o/layout.json")
    assert layout.shape is not None
    layout.shape = None if fps is None else replace(layout.shape, fps=fps)
    layout.save("o/layout.json")
    beginning, _ = open_beginning(Path("o"), replace(smooth_pipeline.shape, height=96, width=96), 4, {})
    assert beginning.layout is not None
    assert beginning.layout.frames == 3


def test_a_saved_pipeline_keeps_its_interpolation_network(smooth_pipeline: MovAIPipeline, tmp_path: Path) -> None:
    smooth_pipeline.save_pretrained(tmp_path / "copy", parser=False)
    assert (tmp_path / "copy" / PIPELINE_FILE).is_file()
    copy = MovAIPipeline.from_pretrained(tmp_path / "copy", "cpu")
    assert copy.interpolation is None
    assert copy.interpolation_network().config == NETWORK
