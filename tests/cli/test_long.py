"""`mov-ai generate` beyond the frames of the networks: lengths, pictures, scenes, extensions, resuming, misuse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from mov_ai.cli.long import LongOptions, Scenes, parse_image, plan_scenes, read_picture, read_pictures, sentences
from mov_ai.data.video import read_video, write_video
from mov_ai.errors import UsageError
from mov_ai.graph.video_shape import VideoShape
from mov_ai.long_video import finishing
from mov_ai.long_video.saving import UNFINISHED, load_carried
from mov_ai.models.codec import to_unit
from mov_ai.parser import references
from mov_ai.pipeline import MovAIPipeline
from tests.cli.conftest import Command, small_pipeline


@pytest.fixture(scope="module")
def pipeline(tiny_pipeline_dir: Path) -> MovAIPipeline:
    """Made for videos of 3 frames of 32 by 32 pixels."""
    return small_pipeline(tiny_pipeline_dir, frames=3)


def test_seconds_become_frames_and_windows(generate: Command) -> None:
    result = generate("a red dragon", "--seconds", "1", "--fps", "7", "--seed", "5")
    assert result.code == 0, result.err
    folder = Path("outputs/a-red-dragon-5")
    assert sorted(path.name for path in folder.iterdir()) == [
        "carried.safetensors", "graph.json", "layout.json", "run.json", "sheet.png", "video.mp4"
    ]  # fmt: skip
    frames, fps = read_video(folder / "video.mp4")
    assert (frames.shape, fps) == ((7, 32, 32, 3), 7)
    run = json.loads((folder / "run.json").read_text())
    assert (run["frames"], run["scenes"][0]["windows"]) == (7, 5)
    assert not any("trained on 3 frames" in warning for warning in run["warnings"])
    assert json.loads((folder / "layout.json").read_text())["frames"] == 7
    assert result.out.startswith(f"{folder}/video.mp4: 7 frames of 32x32, seed 5\n")
    assert "7 of 7 frames" in result.err


def test_the_same_command_goes_on_where_a_run_was_stopped(generate: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as stopped:
        stopped.setattr("mov_ai.cli.progress.FrameProgress.report_frames", _interrupted)
        assert generate("a ball", "--frames", "5").code == 130
    folder = Path("outputs/a-ball-0")
    assert [path.name for path in folder.iterdir()] == [UNFINISHED]
    # Another request has a folder of its own, or is refused in this one.
    refused = generate("a ball", "--frames", "4", "--out", folder)
    assert refused.code == 2
    assert "holds an unfinished run of another request" in refused.err
    assert "unfinished run" in generate("a ball", "--out", folder).err
    resumed = generate("a ball", "--frames", "5")
    assert "goes on from scene 1, window 2" in resumed.err
    assert resumed.code == 0
    assert not (folder / UNFINISHED).exists()
    assert generate("a ball", "--frames", "5", "--out", "whole").code == 0
    for name in ("carried.safetensors", "layout.json"):
        assert (folder / name).read_bytes() == Path("whole", name).read_bytes()
    assert len(read_video(folder / "video.mp4")[0]) == 5


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_sentences_become_scenes_and_a_run_is_extended(generate: Command) -> None:
    Path("story.txt").write_text("A red ball rolls.\nA cube spins. It jumps!")
    result = generate("story.txt", "--scenes", "continuous", "--frames", "7", "--out", "story")
    assert result.code == 0, result.err
    run = json.loads(Path("story/run.json").read_text())
    assert [scene["prompt"] for scene in run["scenes"]] == ["A red ball rolls.", "A cube spins.", "It jumps!"]
    assert [scene["frames"] for scene in run["scenes"]] == [2, 3, 2]
    assert sorted(path.name for path in Path("story/scenes").iterdir()) == ["01", "02", "03"]
    longer = generate("a cube", "--extend", "story", "--frames", "2", "--out", "longer")
    assert longer.code == 0, longer.err
    assert longer.out.startswith("longer/video.mp4: 9 frames of 32x32")
    assert len(read_video("longer/video.mp4")[0]) == 9


def test_what_a_scene_calls_it_is_named_and_said(generate: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    # The parser of these tests understands no pronoun.
    monkeypatch.setattr(references, "spell_out", lambda listed, _: [listed[0], "The ball jumps."])
    result = generate("A ball rolls. It jumps.", "--scenes", "cuts", "--frames", "4", "--out", "o")
    assert "scene 2: read as 'The ball jumps.'\n" in result.err
    run = json.loads(Path("o/run.json").read_text())
    assert [scene["prompt"] for scene in run["scenes"]] == ["A ball rolls.", "The ball jumps."]


def test_a_result_takes_the_place_of_one_of_several_scenes(generate: Command) -> None:
    story = ("A ball rolls. A cube spins.", "--scenes", "cuts", "--frames", "4", "--out", "o")
    for again in (("a ball", "--frames", "4", "--out", "o"), ("a ball", "--out", "o")):
        assert generate(*story).code == 0
        Path("o/notes.txt").write_text("mine")
        result = generate(*again)
        assert result.code == 0, result.err
        assert not Path("o/scenes").exists()
        kept = {size: made.clone() for size, made in load_carried(Path("o/carried.safetensors"))[0].latents.items()}
        # Not the story's, which --extend would go on from; the layout is the new one's.
        assert generate(*again[:-1], "p").code == 0
        for size, made in load_carried(Path("p/carried.safetensors"))[0].latents.items():
            assert torch.equal(made, kept[size])
        assert Path("o/notes.txt").exists()


def test_a_run_of_one_piece_is_extended_from_its_latents(generate: Command) -> None:
    assert generate("a ball", "--out", "o").code == 0
    carried, _ = load_carried(Path("o/carried.safetensors"))
    assert carried.frames == (-3, -2, -1)
    longer = generate("a ball", "--extend", "o", "--frames", "2", "--out", "p")
    assert longer.code == 0
    assert "goes on from pixels" not in longer.err


def test_a_run_that_was_not_finished_is_not_extended(generate: Command) -> None:
    assert generate("a ball", "--frames", "4", "--out", "o").code == 0
    Path("o/run.json").unlink()
    refused = generate("a ball", "--extend", "o")
    assert refused.code == 2
    assert "give o/video.mp4" in refused.err


def test_a_picture_is_the_first_frame(generate: Command, pipeline: MovAIPipeline) -> None:
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:, 8:40] = 200
    PIL.Image.fromarray(pixels).save("a@b.png")
    result = generate("a ball", "--image", "a@b.png", "--image", "a@b.png@last", "--out", "o")
    assert result.code == 0, result.err
    assert "a@b.png: 32x48 is cropped to the centre for frames of 32x32" in result.err
    carried, _ = load_carried(Path("o/carried.safetensors"))
    square = torch.from_numpy(pixels[None, :, 8:40])
    assert carried.frames[-1] == -1
    assert torch.equal(carried.latents[32][:, -1:], pipeline.cascade.codec.encode(to_unit(square)[None]))


BAD = {
    "no seconds": (["a ball", "--seconds", "0"], "--seconds: expected a number above 0; found 0"),
    "no number of seconds": (["a ball", "--seconds", "nan"], "--seconds: expected a number above 0"),
    "a year": (["a ball", "--seconds", "31536000"], "252288000 frames; at most 16384"),
    "two lengths": (["a ball", "--seconds", "2", "--frames", "9"], "give --seconds or --frames, not both"),
    "a long window": (["a ball", "--frames", "9", "--window", "4"], "--window: expected 2 to 3 frames"),
    "all shared": (["a ball", "--frames", "9", "--overlap", "3"], "--overlap: expected 1 to 2 frames"),
    "no picture": (["a ball", "--image", "clip.mp4"], "--image: clip.mp4: not a picture"),
    "no file": (["a ball", "--image", "absent.png"], "--image: absent.png: no such file; give a picture's file"),
    "no time": (["a ball", "--image", "p.png@noon"], "a time is written FILE@1.5s"),
    "after the end": (["a ball", "--image", "p.png@9s"], "the video lasts 0.375 s (3 frames at 8 fps)"),
    "a frame twice": (["a ball", "--image", "p.png", "--image", "p.png@0.1s"], "frame 0 is given already"),
    "another rate": (["a ball", "--extend", "clip.mp4", "--fps", "24"], "has 12 frames a second, and 24"),
    "nothing to extend": (["a ball", "--extend", "absent"], "--extend: absent: no such file or folder"),
    "no video to extend": (["a ball", "--extend", "p.png@9s"], "no such file"),
    "a text to extend": (["a ball", "--extend", "t.txt"], "--extend: t.txt: cannot be decoded"),
    "for ever": (["a ball", "--seconds", "1e300"], "are 8e+300 frames"),
    "pictures of latents": (["a ball", "--video", "clip.mp4", "--image", "p.png"], "not together with --latents"),
    "latents of pictures": (["a ball", "--save-latents", "--image", "p.png"], "not together with --save-latents"),
    "scenes of no words": (["...", "--scenes", "cuts"], "holds no words"),
    "too many scenes": (["A ball. A cube. A cone.", "--scenes", "cuts", "--frames", "2"], "too few for 3 scenes"),
}


@pytest.mark.parametrize("name", BAD)
def test_misuse_is_one_line_and_writes_nothing(generate: Command, name: str) -> None:
    write_video("clip.mp4", np.zeros((4, 32, 32, 3), np.uint8), 12)
    PIL.Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save("p.png")
    Path("t.txt").write_text("no video")
    before = sorted(Path().rglob("*"))
    arguments, said = BAD[name]
    result = generate(*arguments)
    assert (result.code, result.out) == (2, ""), result.err
    assert said in result.err
    assert len(result.err.splitlines()) == 1
    assert sorted(Path().rglob("*")) == before


def test_a_video_of_another_rate_keeps_it_and_that_is_said(generate: Command) -> None:
    write_video("clip.mp4", np.zeros((4, 32, 32, 3), np.uint8), 12)
    result = generate("a ball", "--extend", "clip.mp4", "--frames", "2", "--out", "o")
    assert result.code == 0, result.err
    assert "clip.mp4: has 12 frames a second, and so has what follows; the networks know 8" in result.err
    assert read_video("o/video.mp4")[1] == 12


def test_a_sound_that_is_too_long_is_named() -> None:
    options = LongOptions(600.0, has_rate=True, is_as_long_as_audio=True)
    with pytest.raises(UsageError, match=r"--audio: 600 s at 32 frames a second .*: give --frames or a smaller --fps"):
        options.frames(VideoShape(fps=32.0))


def test_times_of_pictures(tmp_path: Path) -> None:
    PIL.Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "p.png")
    path = str(tmp_path / "p.png")
    shape = VideoShape(frames=24, height=32, width=32)
    names = {path: 0, f"{path}@first": 0, f"{path}@last": 23, f"{path}@1s": 8, f"{path}@1.49s": 11, f"{path}@2.99s": 23}
    for text, number in names.items():
        assert list(read_pictures([text], 24, shape)) == [number]
    assert parse_image(f"{path}@1.5s") == (tmp_path / "p.png", 1.5)


@pytest.mark.parametrize(
    ("name", "mode"),
    [("p.png", "I;16"), ("p.tif", "I;16"), ("p.tif", "I"), ("p.tif", "F"), ("p.jpg", "CMYK"), ("p.png", "P")],
)
def test_a_picture_is_read_as_it_is_shown_whatever_its_mode(tmp_path: Path, name: str, mode: str) -> None:
    grey = np.full((8, 8), 130, np.uint8)
    deep = PIL.Image.fromarray(grey.astype(np.uint16) * 257)
    picture = deep if mode[0] == "I" else PIL.Image.fromarray(grey).convert("RGB" if mode == "CMYK" else "L")
    picture.convert(mode).save(tmp_path / name)
    assert np.abs(read_picture(tmp_path / name).astype(int) - 130).max() <= 2


def test_what_is_transparent_is_black(tmp_path: Path) -> None:
    pixels = np.full((8, 8, 4), 200, np.uint8)
    pixels[:, :4, 3], pixels[:, 4:, 3] = 0, 255
    PIL.Image.fromarray(pixels).save(tmp_path / "p.png")
    assert read_picture(tmp_path / "p.png")[0, :, 0].tolist() == [0] * 4 + [200] * 4


def test_sentences_and_their_share_of_the_frames() -> None:
    assert sentences('A ball (red). "It rolls!" It stops\nThe end') == [
        "A ball (red).", '"It rolls!"', "It stops", "The end"
    ]  # fmt: skip
    assert sentences("Mr. Smith waves at Dr. Jones. A dog barks.") == ["Mr. Smith waves at Dr. Jones.", "A dog barks."]
    options = LongOptions(seconds=1.0, scenes=Scenes.cuts)
    assert [scene.frames for scene in plan_scenes("A ball. A cube. A cone.", 8, None, options)] == [3, 2, 3]
    open_length = LongOptions(scenes=Scenes.cuts)
    assert [scene.frames for scene in plan_scenes("A ball. A cube.", 8, None, open_length)] == [8, 8]
    with pytest.raises(UsageError, match="does not look English"):
        sentences("Ein roter Ball rollt nach links und ist dann blau.")


def test_a_failure_while_the_video_is_put_together_leaves_the_windows(
    generate: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(finishing, "all_frames", _interrupted)
        assert generate("a ball", "--frames", "4", "--out", "o").code == 130
    assert [path.name for path in Path("o").iterdir()] == [UNFINISHED]
    assert generate("a ball", "--frames", "4", "--out", "o").code == 0
    assert Path("o/video.mp4").exists()


def test_a_request_that_is_damaged_is_nobodys(generate: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as stopped:
        stopped.setattr("mov_ai.cli.progress.FrameProgress.report_frames", _interrupted)
        assert generate("a ball", "--frames", "5").code == 130
    folder = Path("outputs/a-ball-0")
    (folder / UNFINISHED / "request.json").write_bytes(b"{")
    refused = generate("a ball", "--frames", "5", "--out", folder)
    assert refused.code == 2
    assert f"or remove {folder / UNFINISHED}" in refused.err
    # Where no folder is named, it stands in nobody's way.
    assert generate("a ball", "--frames", "5").out.startswith("outputs/a-ball-0-2/video.mp4: 5 frames")
