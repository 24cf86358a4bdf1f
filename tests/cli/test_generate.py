from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from rich.console import Console

from mov_ai.cli.outputs import slug
from mov_ai.cli.progress import StageProgress, seconds_left
from mov_ai.data.video import read_video, write_video
from mov_ai.graph import Layout, SceneGraph, VideoShape
from mov_ai.pipeline import MovAIPipeline
from mov_ai.worlds.tabletop.world import caption_and_layout
from tests.cli.conftest import Command

FILES = ["carried.safetensors", "graph.json", "layout.json", "run.json", "sheet.png", "stages", "video.mp4"]


@pytest.fixture(scope="session")
def pipeline(tiny_pipeline_dir: Path) -> MovAIPipeline:
    return MovAIPipeline.from_pretrained(tiny_pipeline_dir, "cpu")


@pytest.fixture
def generate(command: Command, pipeline: MovAIPipeline, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`mov-ai generate` on the first stage, with a pipeline that is loaded once for all tests."""
    monkeypatch.setattr(MovAIPipeline, "from_pretrained", lambda *_: pipeline)

    def run(*arguments: str | Path, stdin: bytes = b""):  # type: ignore[no-untyped-def]
        stages = () if "--stages" in arguments else ("--stages", "128")
        return command("generate", *arguments, *stages, stdin=stdin)

    return run


@pytest.fixture
def gold(tmp_path: Path) -> tuple[SceneGraph, Layout]:
    """A graph and its layout, also as files graph.json and layout.json."""
    _, caption, layout = caption_and_layout(3)
    caption.graph.save(tmp_path / "graph.json")
    layout.save(tmp_path / "layout.json")
    return caption.graph, layout


def run_of(folder: str | Path) -> dict:
    return json.loads(Path(folder, "run.json").read_text())


def test_text_becomes_a_folder(command: Command, tiny_pipeline_dir: Path) -> None:
    result = command("generate", "a red dragon", "--checkpoint", tiny_pipeline_dir, "--seed", "5", "--device", "cpu")
    assert result.code == 0, result.err
    folder = Path("outputs/a-red-dragon-5")
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert sorted(path.name for path in (folder / "stages").iterdir()) == ["128.mp4", "256.mp4"]
    for path, size in (("video.mp4", 512), ("stages/256.mp4", 256), ("stages/128.mp4", 128)):
        frames, _ = read_video(folder / path)
        assert frames.shape == (16, size, size, 3)
    content = (folder / "video.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat"), "the index must come first, for browsers"
    run = run_of(folder)
    assert (run["prompt"], run["seed"], run["stages"]) == ("a red dragon", 5, [128, 256, 512])
    assert set(run["seconds"]) >= {"parse", "plan", "128", "256", "512", "decode"}
    assert result.out.startswith(f"{folder}/video.mp4: 16 frames of 512x512, seed 5\n")
    assert re.search(r"assumed, as nothing was said: .*dragon \(\w+, \w+\)", result.out)
    assert re.search(r"s: parse [\d.]+, plan [\d.]+, 128 ", result.out)
    needed, *done = result.err.splitlines()
    assert re.fullmatch(r"stage 512 needs about [\d.]+ GiB of [\d.]+ GiB that are free", needed)
    assert [re.sub(r"[\d.]+ s$", "", line) for line in done] == [
        "stage 128: 2 steps in ",
        "stage 256: 1 step in ",
        "stage 512: 1 step in ",
    ]
    # A pipeline whose training labels are not known cannot say what is far from them.
    assert run["distant_labels"] == []


def test_same_seed_same_files_and_older_results_stay(generate: Command) -> None:
    for _ in range(2):
        assert generate("a ball").code == 0
    assert generate("a ball", "--seed", "1").code == 0
    first, again, other = (Path("outputs", name) for name in ("a-ball-0", "a-ball-0-2", "a-ball-1"))
    for name in ("video.mp4", "layout.json", "graph.json", "sheet.png"):
        assert (first / name).read_bytes() == (again / name).read_bytes()
    assert (first / "layout.json").read_bytes() != (other / "layout.json").read_bytes()


def test_edited_graph_keeps_the_scene(generate: Command, gold: tuple[SceneGraph, Layout]) -> None:
    graph, _ = gold
    color = next(node for node in graph.of_type("attribute") if node.kind == "color")
    graph.with_node(color.id, label="purple").save("edited.json")
    assert generate("--graph", "graph.json", "--out", "a").code == 0
    assert generate("--graph", "-", "--out", "b", stdin=Path("edited.json").read_bytes()).code == 0
    assert Path("a/layout.json").read_bytes() == Path("b/layout.json").read_bytes()
    assert SceneGraph.load("b/graph.json").node(color.id).label == "purple"
    assert Path("a/video.mp4").read_bytes() != Path("b/video.mp4").read_bytes()


def test_given_layout_is_kept_and_completed(generate: Command, gold: tuple[SceneGraph, Layout]) -> None:
    _, layout = gold
    layout.tracks[0].boxes[4:] = np.nan
    layout.tracks.pop()
    layout.save("partial.json")
    assert generate("--graph", "graph.json", "--layout", "partial.json", "--out", "a", "--boxes").code == 0
    used = Layout.load("a/layout.json")
    assert used.complete
    assert len(used.tracks) == len(layout.tracks) + 1
    known = used.track(layout.tracks[0].entity, layout.tracks[0].instance)
    assert known is not None
    np.testing.assert_allclose(known.boxes[:4], layout.tracks[0].boxes[:4], atol=1e-4)


def test_saved_latents_are_resumed_from(generate: Command) -> None:
    assert generate("a ball", "--seed", "7", "--stages", "256", "--out", "whole").code == 0
    assert generate("a ball", "--seed", "7", "--save-latents", "--out", "first").code == 0
    result = generate("--latents", "first/latents.safetensors", "--stages", "256", "--out", "second")
    assert result.code == 0
    assert result.err.splitlines()[1].startswith("stage 256: ")
    assert Path("second/video.mp4").read_bytes() == Path("whole/video.mp4").read_bytes()
    assert run_of("second")["seed"] == 7


def test_one_stage_refines_a_video(generate: Command) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (20, 64, 96, 3), dtype=np.uint8)
    write_video("given.mp4", frames)
    result = generate("a ball", "--video", "given.mp4", "--stages", "256", "--out", "refined")
    assert result.code == 0
    assert "warning: given.mp4: only the first 16 frames are used" in result.err
    assert run_of("refined")["stages"] == [256]
    assert not Path("refined/stages").exists()
    write_video("short.mp4", frames[:5])
    result = generate("a ball", "--video", "short.mp4")
    assert (result.code, "short.mp4: expected at least 16 frames, found 5" in result.err) == (2, True)


def test_several_videos_get_seeds_in_a_row(generate: Command) -> None:
    result = generate("a ball", "--num-videos", "2", "--seed", "4")
    assert result.code == 0
    folder = Path("outputs/a-ball-4-to-5")
    assert sorted(path.name for path in folder.iterdir()) == ["seed-4", "seed-5"]
    assert [run_of(folder / f"seed-{seed}")["seed"] for seed in (4, 5)] == [4, 5]
    lines = result.err.splitlines()
    assert lines[1].startswith("1/2 stage 128: ")
    # What a video needs is said once.
    assert [" needs about " in line for line in lines] == [True] + [False] * (len(lines) - 1)


def test_steps_and_guidance_reach_the_pipeline(generate: Command) -> None:
    assert generate("a ball", "--steps", "4", "--guidance-text", "2", "--guidance-graph", "1.5", "--out", "a").code == 0
    config = run_of("a")["config"]
    assert (config["steps"], config["guidance_text"], config["guidance_graph"]) == ([4, 2, 2], 2.0, 1.5)
    assert generate("a ball", "--steps", "3,2,1", "--out", "a").code == 0
    assert run_of("a")["config"]["steps"] == [3, 2, 1]


def test_sizes_reach_the_pipeline(generate: Command) -> None:
    arguments = ["--frames", "6", "--fps", "12", "--size", "64x128", "--stages", "64,128"]
    result = generate("a ball", *arguments, "--out", "a")
    assert result.code == 0, result.err
    assert "a/video.mp4: 6 frames of 64x128" in result.out
    assert "stage 64: " in result.err
    assert "warning: trained on 16 frames, asked for 6" in result.err
    frames, fps = read_video("a/video.mp4")
    assert (frames.shape, fps) == ((6, 64, 128, 3), 12)
    assert Layout.load("a/layout.json").shape == VideoShape(6, 12.0, 64, 128)


def test_a_layout_of_other_frames_is_interpolated(generate: Command, gold: tuple[SceneGraph, Layout]) -> None:
    result = generate("--graph", "graph.json", "--layout", "layout.json", "--frames", "8", "--out", "a")
    assert result.code == 0, result.err
    assert "the layout has 16 frames and 8 are asked for: its boxes are interpolated" in result.err
    assert Layout.load("a/layout.json").frames == 8


def test_a_plan_takes_the_size_of_its_video(command: Command, tiny_pipeline_dir: Path) -> None:
    arguments = ["--checkpoint", tiny_pipeline_dir, "--out", "l.json", "--sheet", "s.png"]
    assert command("plan", "a ball", *arguments, "--frames", "12", "--size", "320x512", "--fps", "10").code == 0
    assert Layout.load("l.json").shape == VideoShape(12, 10.0, 320, 512)
    with PIL.Image.open("s.png") as sheet:
        # Frames in rows of eight, with what is around the video's edge beside each.
        assert sheet.width >= 8 * 192
        assert 2 * 120 <= sheet.height < 4 * 120
    again = command("plan", "a ball", "--layout", "l.json", *arguments)
    assert again.code == 0
    assert Layout.load("l.json").shape == VideoShape(12, 10.0, 320, 512)
    assert command("plan", "a ball", *arguments, "--size", "512x").code == 2


def test_smaller_result_leaves_no_stage_of_a_larger_one(generate: Command) -> None:
    assert generate("a ball", "--stages", "256", "--out", "a").code == 0
    Path("a/notes.txt").write_text("mine")
    assert Path("a/stages/128.mp4").exists()
    assert generate("a ball", "--out", "a").code == 0
    assert not Path("a/stages/128.mp4").exists()
    assert Path("a/notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a ball", "--graph", "graph.json"], "give a text or --graph, not both"),
        (["a ball", "--steps", "8,4"], "--steps: expected"),
        (["a ball", "--steps", "0"], "--steps: expected"),
        (["a ball", "--steps", "many"], "--steps: expected"),
        (["a ball", "--guidance-text", "nan"], "--guidance-text"),
        (["a ball", "--guidance-graph", "11"], "guidance: expected a number from 0 to 10; found 11.0"),
        (["a ball", "--seed", "-1"], "--seed"),
        (["a ball", "--seed", str(2**31 - 1), "--num-videos", "2"], "begin with a smaller one"),
        (["a ball", "--num-videos", "0"], "--num-videos"),
        (["a ball", "--stages", "512,128"], "--stages: expected the size of the last stage"),
        (["a ball", "--stages", "large"], "--stages: expected the size of the last stage"),
        (["a ball", "--stages", "100"], "multiples of"),
        (["a ball", "--size", "512x"], "size: expected HEIGHTxWIDTH"),
        (["a ball", "--size", "-512"], "size: expected HEIGHTxWIDTH"),
        (["a ball", "--size", "320x511", "--stages", "256,511"], "multiples of"),
        (["a ball", "--frames", "0"], "frames: expected a whole number from 1 to 16384; found 0"),
        (["a ball", "--fps", "0"], "fps: expected a number above 0"),
        (["a ball", "--dtype", "int8"], "--dtype"),
        (["a ball", "--latents", "absent"], "absent: no such file"),
        (["a ball", "--latents", "graph.json"], "graph.json: not a whole safetensors file"),
        (["a ball", "--video", "absent.mp4"], "absent.mp4: no such file"),
        (["a ball", "--video", "graph.json"], "graph.json: cannot be decoded"),
        (["a ball", "--video", "v.mp4", "--latents", "l"], "give --latents or --video, not both"),
        (["a ball", "--layout", "layout.json"], "layout: tracks[0]: expected an entity"),
        (["a ball", "--out", "."], "holds files but no run.json"),
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(
    generate: Command, gold: tuple[SceneGraph, Layout], arguments: list[str], said: str
) -> None:
    before = sorted(Path().rglob("*"))
    result = generate(*arguments)
    assert result.code in (1, 2)
    assert said in result.err
    assert len(result.err.splitlines()) == 1
    assert sorted(Path().rglob("*")) == before


def test_plan_writes_a_layout_and_says_what_it_shows(
    command: Command, gold: tuple[SceneGraph, Layout], tiny_pipeline_dir: Path
) -> None:
    graph, _ = gold
    arguments = ["--graph", "graph.json", "--checkpoint", tiny_pipeline_dir, "--out", "l.json", "--sheet", "s.png"]
    result = command("plan", *arguments)
    assert (result.code, result.err) == (0, "")
    assert Layout.load("l.json").complete
    assert Path("s.png").read_bytes().startswith(b"\x89PNG")
    lines = result.out.splitlines()
    assert lines[:2] == ["wrote l.json", "wrote s.png"]
    events = graph.of_type("event")
    assert sum(event.label in " ".join(lines[2:]) for event in events) == len(events)
    text = command("plan", "a dragon", "--checkpoint", tiny_pipeline_dir)
    # A network that has learnt nothing shows little of it, and that is said.
    told = text.out.splitlines()
    assert text.code == 0
    assert any(line.startswith(("yes", "NO ")) and "dragon" in line for line in told)
    assert any(line.endswith("pairs touch") for line in told)
    assert told[-1].startswith("not kept: ")
    assert text.err == ""
    assert command("plan", "a ball", "--sheet", "s.jpg").code == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A red ball, rolling!", "a-red-ball-rolling"),
        ("Ünïcode café", "unicode-cafe"),
        ("../../etc/passwd", "etc-passwd"),
        ("", "video"),
        ("球が転がる", "video"),
        ("word " * 10_000, "word-word-word-word-word-word-word-word"),
        ("x" * 300, "x" * 40),
    ],
)
def test_slug_recalls_the_text(text: str, expected: str) -> None:
    assert slug(text) == expected


def test_terminal_shows_a_bar_per_stage_with_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        "mov_ai.cli.progress.Console", lambda stderr: Console(file=screen, force_terminal=True, width=80)
    )
    now = 0.0
    with StageProgress([128, 256], clock=lambda: now) as progress:
        for call in (("plan", 1, 1), ("128", 1, 4), ("128", 4, 4), ("decode", 0, 2), ("256", 1, 2)):
            now += 3.0
            progress.report(*call)
            progress._progress.refresh()  # type: ignore[union-attr]
        progress.report("256", 2, 2)
    shown = screen.getvalue()
    assert "stage 128" in shown
    assert "stage 256" in shown
    assert "1/4" in shown
    assert "9 s left" in shown
    assert "waiting" in shown


def test_time_left_follows_the_pace() -> None:
    assert seconds_left(0, 4, 1.0) is None
    assert seconds_left(1, 4, 2.0) == 6.0
    assert seconds_left(4, 4, 2.0) == 0.0


def test_out_of_memory_says_what_was_needed_and_two_settings_that_fit(
    generate: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("mov_ai.pipeline.MovAIPipeline.__call__", fail)
    result = generate("a ball", "--out", "here")
    assert result.code == 1
    assert re.search(
        r"not enough memory: this video needs about [\d.]+ GiB; what fits: --(stages \d+|frames 8) "
        r"\([\d.]+ GiB\) or --frames \d \([\d.]+ GiB\)",
        result.err.splitlines()[-1],
    )
    assert not Path("here").exists()
