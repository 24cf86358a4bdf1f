"""`mov-ai data`: a folder of videos is looked through and becomes shards, by real networks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mov_ai.data.shards import ShardSet
from mov_ai.data.video import encode_video
from tests.cli.conftest import Command
from tests.labels.test_pretrained import save_t5, save_tokenizer


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Three videos, one of them too short, and captions for four."""
    folder = tmp_path / "videos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, frames in (("a", 12), ("b", 12), ("short", 2)):
        picture = rng.integers(0, 255, (4, 8, 3)).repeat(16, 0).repeat(16, 1).astype(np.uint8)
        (folder / f"{name}.mp4").write_bytes(encode_video(np.stack([picture] * frames), 8.0))
    captions = "file_name,caption\na.mp4,ball\nb.mp4,cube\nshort.mp4,ball\ngone.mp4,ball\n"
    (folder / "captions.csv").write_text(captions, encoding="utf-8")
    return folder


def test_check_says_what_there_is_and_what_would_be_used(command: Command, videos: Path) -> None:
    result = command("data", "check", videos, "--frames", "8", "--size", "64", "--workers", "1")
    assert result.code == 0
    assert "captions.csv" not in result.out
    assert "gone.mp4" in result.err
    rows = {line.split("  ")[0]: line for line in result.out.splitlines()}
    assert "64x128 (3)" in rows["height x width"]
    assert "2 samples of 2 clips: 8x64x64 (2)" in rows["would be used"]
    assert "1 shorter than 8 frames at 8 fps; short.mp4" in rows["dropped"]


def test_prepare_writes_shards_with_latents_of_each_stage(
    command: Command, videos: Path, tiny_pipeline_dir: Path
) -> None:
    parts = ("--codec", tiny_pipeline_dir / "codec", "--parser", tiny_pipeline_dir / "parser", "--workers", "1")
    wanted = ("--frames", "8", "--size", "64", "--stages", "32,64")
    result = command("data", "prepare", videos, "--out", "shards", *wanted, *parts)
    assert result.code == 0, result.err
    assert "dropped: short.mp4: shorter than 8 frames at 8 fps" in result.err
    assert result.out.startswith("shards: 2 samples of 3 clips: 8x64x64 (2); 1 shard, ")
    assert "dropped: 1 shorter than 8 frames at 8 fps" in result.out
    assert all(f"{part} " in result.out for part in ("clips a minute", "decode", "encode", "parse", "resize"))
    shards = ShardSet("shards")
    assert {size: tuple(tensor.shape) for size, tensor in shards[0].latents.items()} == {
        32: (8, 8, 4, 4),
        64: (8, 8, 8, 8),
    }
    assert {size: tuple(tensor.shape) for size, tensor in shards[0].low.items()} == {64: (8, 8, 8, 8)}
    assert [node.label for node in shards[0].graph.of_type("entity")] == ["ball"]
    assert shards.settings["stages"] == [32, 64]
    before = Path("shards/index.json").read_bytes()
    again = command("data", "prepare", videos, "--out", "shards", *wanted, *parts)
    assert "nothing to do" in again.out
    assert Path("shards/index.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "fault"),
    [
        (("--frames", "many"), 2, "--frames: expected a whole number"),
        (("--fps", "8", "--stride", "2"), 2, "give one of them"),
        (("--size", "64x"), 2, "size: expected HEIGHTxWIDTH"),
        (("--size", "64x64,32x48"), 2, "the longer side of every size"),
        (("--size", "60", "--frames", "8"), 2, "sides that are multiples of 8; found 60x60: try"),
        (("--frames", "100", "--size", "64"), 1, "none of 3 clips can be used: 3 shorter than 100 frames at 8 fps"),
        (("--codec", "nowhere"), 2, "codec: nowhere: holds no network"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    command: Command, videos: Path, tiny_pipeline_dir: Path, arguments: tuple[str, ...], code: int, fault: str
) -> None:
    parts = ("--codec", tiny_pipeline_dir / "codec", "--no-parse", "--workers", "1")
    result = command("data", "prepare", videos, "--out", "shards", *parts, *arguments)
    last = result.err.splitlines()[-1]
    assert (result.code, result.out) == (code, "")
    assert last.startswith("mov-ai: error: ")
    assert fault in last
    assert not Path("shards").exists()


def test_a_place_without_videos_is_one_line(command: Command, tmp_path: Path) -> None:
    for action in (("check",), ("prepare", "--out", "shards", "--codec", "nowhere")):
        result = command("data", action[0], tmp_path / "absent", *action[1:])
        assert (result.code, len(result.err.splitlines())) == (2, 1)


def test_check_can_parse_the_captions(
    command: Command, videos: Path, tiny_pipeline_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mov_ai.parser.parser.EMBEDDED_PARSER", tiny_pipeline_dir / "parser")
    result = command("data", "check", videos, "--quick", "--parse", "--workers", "1")
    assert "parsed           3 captions (1.0 entities and 0.0 events in the mean)" in result.out.splitlines()


def test_captions_are_encoded_by_a_text_encoder(command: Command, videos: Path, tiny_pipeline_dir: Path) -> None:
    save_t5(Path("t5"))
    save_tokenizer(Path("t5"))
    parts = ("--codec", tiny_pipeline_dir / "codec", "--no-parse", "--text-encoder", "t5", "--workers", "1")
    result = command("data", "prepare", videos, "--out", "shards", "--frames", "8", "--size", "64", *parts)
    assert result.code == 0, result.err
    shards = ShardSet("shards")
    assert [tuple(features.shape) for features in shards[0].text] == [(1, 12)]
    assert shards.settings["text_encoder"] == "t5"


def test_the_journal_names_every_clip(command: Command, videos: Path, tiny_pipeline_dir: Path) -> None:
    parts = ("--codec", tiny_pipeline_dir / "codec", "--no-parse", "--workers", "1", "--frames", "8", "--size", "64")
    assert command("data", "prepare", videos, "--out", "shards", *parts).code == 0
    lines = [json.loads(line) for line in Path("shards/clips.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["clip"], len(line["samples"])) for line in lines] == [("a.mp4", 1), ("b.mp4", 1), ("short.mp4", 0)]
    assert [node.type for node in ShardSet("shards")[0].graph.nodes] == ["scene"]
