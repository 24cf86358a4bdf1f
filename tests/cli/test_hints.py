"""`--sketch` and `--audio`: what they change, what the folder keeps of them, misuse; absent ones change nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest
from scipy.io import wavfile

from mov_ai.cli.hints import parse_sketch
from mov_ai.data.video import read_video, write_video
from mov_ai.errors import UsageError
from mov_ai.graph import Edge, Layout, Node, SceneGraph
from mov_ai.graph.hints import Hints
from mov_ai.pipeline import MovAIPipeline
from tests.cli.conftest import Command, small_pipeline

RATE = 16_000


@pytest.fixture(scope="module")
def pipeline(tiny_pipeline_dir: Path) -> MovAIPipeline:
    """Made for videos of 4 frames of 32 by 32 pixels, 8 a second."""
    return small_pipeline(tiny_pipeline_dir, frames=4)


def _draw(path: str, width: int = 64) -> None:
    picture = PIL.Image.new("L", (width, 64), 255)
    PIL.ImageDraw.Draw(picture).polygon([(width // 2, 16), (width // 2 + 16, 47), (width // 2 - 16, 47)], fill=0)
    picture.save(path)


def _beat(path: str, times: tuple[float, ...], seconds: float) -> None:
    samples = np.zeros(int(seconds * RATE), np.float32)
    for start in times:
        place = int(start * RATE)
        samples[place : place + 800] = 0.5 * np.sin(np.arange(800) / 5) * np.exp(-np.arange(800) / 200)
    wavfile.write(path, RATE, samples)


def _graph(path: str) -> None:
    nodes = [Node("s", "scene", "scene"), Node("b", "entity", "ball")]
    nodes += [Node("e", "event", "roll", interval=(0, 0.5)), Node("f", "event", "jump", interval=(0.5, 1))]
    edges = [Edge("s", "b", "contains"), Edge("e", "b", "agent"), Edge("f", "b", "agent")]
    SceneGraph("a ball rolls, then jumps", nodes, edges).save(path)


def test_a_drawn_thing_begins_where_it_is_drawn(generate: Command) -> None:
    _draw("star@home.png")
    result = generate("red ball", "--sketch", "star@home.png@ball", "--out", "o", "--save-latents")
    assert result.code == 0, result.err
    layout = Layout.load("o/layout.json")
    drawn = next(track for track in layout.tracks if track.outline is not None)
    assert drawn.label == "ball"
    assert drawn.boxes[0, :4] == pytest.approx((0.5, 0.5, 0.5, 0.5), abs=0.03)
    record = json.loads(Path("o/run.json").read_text())["sketches"][0]
    assert (record["file"], record["entity"], record["instance"]) == ("star@home.png", drawn.entity, 0)
    assert len(record["sha256"]) == 64
    assert (np.asarray(PIL.Image.open("o/sketch.png")) < 128).mean() == pytest.approx(0.125, abs=0.04)
    # The folder's own files make the same video, and so do its latents.
    again = generate("--graph", "o/graph.json", "--layout", "o/layout.json", "--out", "again")
    assert again.code == 0, again.err
    resumed = generate("--latents", "o/latents.safetensors", "--out", "resumed")
    assert resumed.code == 0, resumed.err
    for folder in ("again", "resumed"):
        for name in ("video.mp4", "layout.json", "sketch.png"):
            assert Path(folder, name).read_bytes() == Path("o", name).read_bytes()
    without = Layout.load("o/layout.json")
    without.tracks = [replace(track, outline=None) for track in without.tracks]
    without.save("boxes.json")
    assert generate("--graph", "o/graph.json", "--layout", "boxes.json", "--out", "boxes").code == 0
    assert not Path("boxes/sketch.png").exists()
    assert Path("boxes/video.mp4").read_bytes() != Path("o/video.mp4").read_bytes()


def test_a_long_video_of_a_drawn_thing_that_was_stopped(generate: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    _draw("d.png", 96)
    arguments = ("red ball", "--sketch", "d.png@ball", "--frames", "6")
    with monkeypatch.context() as stopped:
        stopped.setattr("mov_ai.cli.progress.FrameProgress.report_frames", interrupted)
        assert generate(*arguments).code == 130
    resumed = generate(*arguments)
    assert resumed.code == 0, resumed.err
    assert "d.png: 64x96 is cropped to the centre for frames of 32x32" in resumed.err
    assert "goes on from scene 1, window 2" in resumed.err
    assert sorted(path.name for path in Path("outputs/red-ball-0").iterdir()) == [
        "carried.safetensors", "graph.json", "layout.json", "run.json", "sheet.png", "sketch.png", "video.mp4"
    ]  # fmt: skip
    assert generate(*arguments, "--out", "whole").code == 0
    assert Path("whole/video.mp4").read_bytes() == Path("outputs/red-ball-0/video.mp4").read_bytes()
    # What goes on from it has the outline still.
    assert generate("red ball", "--extend", "whole", "--frames", "4", "--out", "longer").code == 0
    assert Path("longer/sketch.png").exists()


def test_events_begin_at_the_onsets_within_a_frame(generate: Command) -> None:
    times = (0.3, 0.85)
    _beat("beat.wav", times, 1.25)
    _graph("g.json")
    result = generate("--graph", "g.json", "--audio", "beat.wav", "--out", "o")
    assert result.code == 0, result.err
    assert "onsets of beat.wav, which lasts 1.25 s: 0.30 s" in result.out
    frames, fps = read_video("o/video.mp4")
    # As long as the sound.
    assert len(frames) == 10
    starts = [node.interval[0] for node in SceneGraph.load("o/graph.json").of_type("event")]
    for start, time in zip(starts, times, strict=True):
        assert abs(start * len(frames) - time * fps) <= 1
        assert abs(start * len(frames) / fps - time) <= 0.02
    record = json.loads(Path("o/run.json").read_text())["audio"]
    assert (record["file"], len(record["onsets"]), record["duration"]) == ("beat.wav", 2, 1.25)
    shorter = generate("--graph", "g.json", "--audio", "beat.wav", "--frames", "4", "--out", "short")
    assert shorter.code == 0, shorter.err
    assert len(read_video("short/video.mp4")[0]) == 4
    # The folder's graph, which a user may edit, gives the same.
    assert generate("--graph", "o/graph.json", "--frames", "10", "--out", "again").code == 0
    assert Path("again/video.mp4").read_bytes() == Path("o/video.mp4").read_bytes()


def test_parse_and_plan_show_the_times(command: Command, tiny_pipeline_dir: Path) -> None:
    _beat("beat.wav", (0.5, 1.5), 2.0)
    parsed = command("parse", "a red ball rolls left, then it jumps", "--audio", "beat.wav", "--json")
    assert parsed.code == 0, parsed.err
    starts = [node["interval"][0] for node in json.loads(parsed.out)["nodes"] if node["type"] == "event"]
    assert starts == pytest.approx([0.25, 0.75], abs=0.01)
    Path("g.json").write_text(parsed.out)
    planned = command(
        "plan", "--graph", "g.json", "--audio", "beat.wav", "--checkpoint", tiny_pipeline_dir, "--out", "l"
    )
    assert planned.code == 0, planned.err
    assert Layout.load("l").frames == 16


def test_absent_hints_change_nothing_bit_for_bit(pipeline: MovAIPipeline) -> None:
    plain, empty = (pipeline("red ball", seed=3, **more) for more in ({}, {"hints": Hints()}))  # type: ignore[arg-type]
    assert np.array_equal(plain.frames, empty.frames)
    assert plain.layout.to_dict() == empty.layout.to_dict()
    assert plain.layout.to_dict()["version"] == 2
    assert plain.graph.to_dict() == empty.graph.to_dict()
    assert plain.run.keys() == empty.run.keys()
    assert not {"sketches", "audio"} & plain.run.keys()


BAD = {
    "no drawing": (["a ball", "--sketch", "absent.png"], "--sketch: absent.png: no such file; give a picture"),
    "no drawing of a thing": (["a ball", "--sketch", "absent.png@ball"], "a thing is written FILE@ball"),
    "no name": (["a ball", "--sketch", "d.png@"], "expected the name of a thing after '@'"),
    "no such thing": (["a ball", "--sketch", "d.png@dragon"], "the graph draws no 'dragon'"),
    "nothing drawn": (["a ball", "--sketch", "empty.png"], "empty.png: nothing is to be seen on it"),
    "cropped away": (["a ball", "--sketch", "wide.png"], "nothing is to be seen on it once it is cropped"),
    "no picture": (["a ball", "--sketch", "clip.mp4"], "--sketch: clip.mp4: not a picture that can be read"),
    "sketch of a video": (
        ["a ball", "--sketch", "d.png", "--video", "clip.mp4"],
        "--sketch: not together with --video",
    ),
    "sketch of scenes": (["a ball", "--sketch", "d.png", "--scenes", "cuts"], "not together with --scenes"),
    "no sound file": (["a ball", "--audio", "absent.wav"], "--audio: absent.wav: no such file"),
    "silence": (["a ball", "--audio", "silence.wav"], "silence.wav: has no onsets: nothing begins in it"),
    "a picture as sound": (["a ball", "--audio", "d.png"], "--audio: d.png:"),
    "a bad header": (["a ball", "--audio", "bad.wav"], "bad.wav: not a sound file that can be read"),
    "silent film": (["a ball", "--audio", "clip.mp4"], "clip.mp4: holds no sound"),
    "sound and extension": (["a ball", "--audio", "beat.wav", "--extend", "clip.mp4"], "not together with --extend"),
    "nothing happens": (
        ["--graph", "still.json", "--audio", "beat.wav"],
        "nothing happens in the graph that could begin",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_misuse_is_one_line_and_writes_nothing(generate: Command, name: str) -> None:
    write_video("clip.mp4", np.zeros((4, 32, 32, 3), np.uint8), 12)
    _draw("d.png")
    PIL.Image.new("L", (64, 64), 255).save("empty.png")
    wide = PIL.Image.new("L", (256, 64), 255)
    PIL.ImageDraw.Draw(wide).rectangle((4, 4, 40, 40), fill=0)
    wide.save("wide.png")
    _beat("beat.wav", (0.3,), 1.0)
    wavfile.write("silence.wav", RATE, np.zeros(RATE, np.int16))
    Path("bad.wav").write_bytes(b"RIFF\x24\0\0\0WAVEfmt junk")
    SceneGraph("", [Node("s", "scene", "scene"), Node("b", "entity", "ball")], [Edge("s", "b", "contains")]).save(
        "still.json"
    )
    before = sorted(Path().rglob("*"))
    arguments, said = BAD[name]
    result = generate(*arguments)
    assert (result.code, result.out) == (2, ""), result.err
    assert said in result.err
    assert len([line for line in result.err.splitlines() if "stage 32" not in line]) == 1
    assert sorted(Path().rglob("*")) == before


def test_names_of_drawings(tmp_path: Path) -> None:
    path = tmp_path / "a@b.png"
    path.write_bytes(b"")
    assert parse_sketch(str(path)) == (path, None)
    assert parse_sketch(f"{path}@red ball") == (path, "red ball")
    with pytest.raises(UsageError, match="no such file"):
        parse_sketch(f"{tmp_path}/a@b@c.png")
