"""Videos become shards: the right frames, every loss with its reason, and a run that was stopped goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from mov_ai.data.box_tracks import BoxTrack
from mov_ai.data.buckets import Buckets
from mov_ai.data.checking import Findings
from mov_ai.data.clip_windows import ClipSettings
from mov_ai.data.clips import Clip
from mov_ai.data.prepare import LOCK_FILE, Summary, check_clips, prepare
from mov_ai.data.sampling import Sampling
from mov_ai.data.shard_writing import INDEX_FILE, JOURNAL_FILE
from mov_ai.data.shards import ShardSet
from mov_ai.data.video import encode_video
from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph import Edge, Node, SceneGraph

SETTINGS = ClipSettings(Sampling((4,), fps=8), Buckets(((32, 32),)))
ABOUT = {"codec": "brightness", "stages": [32]}


class Brightness:
    """Stands for the networks: a latent is the mean of eight by eight pixels."""

    def graphs(self, captions: Sequence[str]) -> list[SceneGraph | str]:
        return [
            "too odd" if "odd" in caption else SceneGraph(caption, [Node("scene", "scene", "scene")])
            for caption in captions
        ]

    def text(self, captions: Sequence[str]) -> list[Tensor]:
        return [torch.full((len(caption.split()), 2), 1.0) for caption in captions]

    def latents(self, frames: np.ndarray) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
        if frames.shape[1] % 8:
            raise UsageError("size: sides are multiples of 8")
        grey = torch.from_numpy(frames).float().mean(-1)
        return {32: torch.nn.functional.avg_pool2d(grey[:, None], 8)}, {}


def forbidden() -> Brightness:
    raise AssertionError("no network is needed")


def write_clip(path: Path, frames: int = 12, height: int = 32, width: int = 32, first: int = 0) -> Path:
    """A video at 8 fps whose frame i has the brightness 40 + 10 * (first + i)."""
    levels = (40 + 10 * (first + np.arange(frames))).astype(np.uint8)
    video = np.broadcast_to(levels[:, None, None, None], (frames, height, width, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_video(np.ascontiguousarray(video), 8.0, crf=1))
    return path


def make_clips(folder: Path, count: int = 5) -> list[Clip]:
    return [
        Clip(f"clip {n}.mp4", write_clip(folder / f"clip {n}.mp4", first=n), captions=(f"Clip number {n}.",))
        for n in range(count)
    ]


def run(clips: Sequence[Clip], out: Path, settings: ClipSettings = SETTINGS, workers: int = 1) -> Summary:
    return prepare(clips, out, settings, Brightness, ABOUT, workers, 3000)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def levels(latents: Tensor) -> list[float]:
    return [round((float(value) - 40) / 10, 1) for value in latents.mean(dim=(1, 2, 3))]


def test_samples_hold_the_frames_that_were_asked_for(tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "videos")
    summary = run(clips, tmp_path / "out")
    shards = ShardSet(tmp_path / "out")
    assert (summary.samples, summary.dropped, len(shards)) == ({"4x32x32": 5}, {}, 5)
    sample = shards[3]
    assert sample.captions == ("Clip number 3.",)
    assert (str(sample.shape), sample.source["clip"]) == ("4 frames of 32x32 at 8 fps", "clip 3.mp4")
    assert levels(sample.latents[32]) == pytest.approx([7, 8, 9, 10], abs=0.3)
    assert sample.text[0].shape == (3, 2)
    assert sample.layout is None
    assert shards.settings["frames"] == [4]
    assert shards.settings["codec"] == "brightness"


def test_several_windows_of_a_part_of_a_video(tmp_path: Path) -> None:
    (clip,) = make_clips(tmp_path / "videos", 1)
    part = replace(clip, start=0.25, end=1.25)
    run([part], tmp_path / "out", replace(SETTINGS, sampling=Sampling((4,), 8, windows=2)))
    shards = ShardSet(tmp_path / "out")
    taken = [levels(shards[i].latents[32]) for i in range(2)]
    np.testing.assert_allclose(taken, [[2, 3, 4, 5], [6, 7, 8, 9]], atol=0.3)
    assert [shards[i].source["start"] for i in range(2)] == [0.25, 0.75]


def test_no_window_reaches_over_a_cut(tmp_path: Path) -> None:
    pytest.importorskip("scenedetect")
    dark, light = np.full((7, 32, 32, 3), 20, np.uint8), np.full((9, 32, 32, 3), (230, 60, 60), np.uint8)
    path = tmp_path / "cut.mp4"
    path.write_bytes(encode_video(np.concatenate([dark, light, dark[:2]]), 8.0, crf=1))
    sampling = Sampling((4,), 8, windows=0)
    summary = run(
        [Clip("cut.mp4", path, captions=("A cut.",))],
        tmp_path / "out",
        ClipSettings(sampling, SETTINGS.buckets, scenes=True),
    )
    shards = ShardSet(tmp_path / "out")
    assert len(shards) == 3
    assert all(float(shards[i].latents[32].std()) < 2 for i in range(3))
    assert summary.dropped == {"shorter than 4 frames at 8 fps": 1}


def broken_clips(folder: Path) -> list[Clip]:
    """A good clip among bad ones."""
    whole = write_clip(folder / "good.mp4")
    cut = folder / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[:700])
    (folder / "text.mp4").write_text("not a video", encoding="utf-8")
    paths = [
        cut,
        folder / "text.mp4",
        folder / "gone.mp4",
        write_clip(folder / "short.mp4", 2),
        write_clip(folder / "small.mp4", height=16, width=16),
        whole,
    ]
    return [Clip(path.name, path, captions=(f"{path.stem} and odd.",)) for path in paths]


def test_what_cannot_be_used_is_told_by_reason_and_the_rest_goes_on(tmp_path: Path) -> None:
    clips = broken_clips(tmp_path / "videos")
    seen: dict[str, list[tuple[str, str]]] = {}
    notices = []

    def progress(clip, done: int, total: int) -> None:
        seen[clip.clip] = clip.dropped
        notices.extend(clip.notices)
        assert (len(seen), total) == (done, 6)

    settings = replace(SETTINGS, buckets=Buckets(((32, 32),), enlarge=1.5))
    summary = prepare(clips, tmp_path / "out", settings, Brightness, ABOUT, progress=progress)
    assert summary.dropped == {"cannot be read": 3, "shorter than 4 frames at 8 fps": 1, "too small": 1}
    assert "16x16 would be enlarged 2.00 times" in seen["small.mp4"][0][1]
    assert "gone.mp4" in seen["gone.mp4"][0][1]
    assert notices == ["good.mp4: a caption has no graph (too odd)"]
    shards = ShardSet(tmp_path / "out")
    assert shards.keys == ["good_mp4-" + shards.keys[0].split("-", 1)[1]]
    assert [node.type for node in shards[0].graph.nodes] == ["scene"]
    lines = (tmp_path / "out" / JOURNAL_FILE).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["clip"] for line in lines] == [clip.key for clip in clips]


def test_a_part_with_damage_is_dropped(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "long.mp4", 20)
    noisy = np.random.default_rng(0).integers(0, 255, (40, 32, 32, 3)).astype(np.uint8)
    clip.write_bytes(encode_video(noisy, 8.0, crf=1))
    content = bytearray(clip.read_bytes())
    middle = len(content) * 3 // 4
    content[middle : middle + 3000] = bytes(3000)
    clip.write_bytes(content)
    sampling = Sampling((4,), 8, windows=0)
    summary = run(
        [Clip("long.mp4", clip, captions=("Noise.",))], tmp_path / "out", replace(SETTINGS, sampling=sampling)
    )
    assert summary.dropped.keys() == {"damaged"}
    assert 1 <= summary.samples["4x32x32"] < 10


def test_if_no_clip_can_be_used_no_network_is_built_and_nothing_is_left(tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "videos", 3)
    settings = replace(SETTINGS, sampling=Sampling((64,), 8))
    with pytest.raises(MovAIError, match=r"none of 3 clips can be used: 3 shorter than 64 frames at 8 fps \(the first"):
        prepare(clips, tmp_path / "out", settings, forbidden, ABOUT)
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match="no clips"):
        prepare([], tmp_path / "out", settings, forbidden, ABOUT)


def test_a_size_that_the_codec_refuses_is_an_error_of_its_own(tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "videos", 1)
    with pytest.raises(UsageError, match="sides are multiples of 8"):
        run(clips, tmp_path / "out", replace(SETTINGS, buckets=Buckets(((36, 32),))))
    assert not (tmp_path / "out").exists()


def test_a_second_run_changes_nothing_and_needs_no_network(tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "videos")
    run(clips, tmp_path / "out")
    before = files_of(tmp_path / "out")
    summary = prepare(clips, tmp_path / "out", SETTINGS, forbidden, ABOUT, 1, 3000)
    assert (summary.kept, summary.samples) == (5, {"4x32x32": 5})
    assert files_of(tmp_path / "out") == before


def test_processes_write_the_same_bytes_as_one(tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "videos", 9)
    run(clips, tmp_path / "one")
    run(clips, tmp_path / "two", workers=2)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    assert len(list((tmp_path / "one").glob("shard-*.tar"))) > 1


@pytest.mark.parametrize("change", ["video", "caption", "added", "removed"])
def test_only_what_follows_a_change_is_made_anew(tmp_path: Path, change: str) -> None:
    clips = make_clips(tmp_path / "videos", 6)
    run(clips[:5], tmp_path / "out")
    clips, kept = {
        "video": (clips[:5], 3),
        "caption": ([*clips[:2], replace(clips[2], captions=("Another.",)), *clips[3:5]], 2),
        "added": (clips, 5),
        "removed": (clips[:4], 4),
    }[change]
    if change == "video":
        write_clip(clips[3].video, first=9)
    assert run(clips, tmp_path / "out").kept == kept
    run(clips, tmp_path / "fresh")
    assert files_of(tmp_path / "out") == files_of(tmp_path / "fresh")


def test_other_settings_need_another_folder(tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "videos", 1)
    run(clips, tmp_path / "out")
    with pytest.raises(UsageError, match=r"fps 8 -> 4"):
        run(clips, tmp_path / "out", replace(SETTINGS, sampling=Sampling((4,), 4)))


def test_one_process_at_a_time_writes_a_folder(tmp_path: Path) -> None:
    from filelock import FileLock

    clips = make_clips(tmp_path / "videos", 1)
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / LOCK_FILE), pytest.raises(UsageError, match="another process is writing"):
        run(clips, tmp_path / "out")


def test_a_run_that_is_killed_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "videos", 10)
    run(clips, tmp_path / "whole")
    script = (
        "import time; from pathlib import Path; from tests.data import test_prepare as t; "
        f"clips = [t.Clip(f'clip {{n}}.mp4', Path({str(tmp_path)!r}) / f'videos/clip {{n}}.mp4', "
        "captions=(f'Clip number {n}.',)) for n in range(10)]; "
        f"t.prepare(clips, {str(tmp_path / 'out')!r}, t.SETTINGS, t.Brightness, t.ABOUT, 1, 3000, "
        "lambda *_: time.sleep(0.3))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[2])
    journal = tmp_path / "out" / JOURNAL_FILE
    while process.poll() is None and not (journal.is_file() and journal.read_bytes().count(b"\n") >= 3):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "out" / INDEX_FILE).exists()
    with pytest.raises(UsageError, match="not finished"):
        ShardSet(tmp_path / "out")
    assert run(clips, tmp_path / "out").kept >= 3
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def annotated(path: Path) -> Clip:
    """A ball is in the left half for a second, then in the right half; it rolls in the second second."""
    graph = SceneGraph(
        "A ball rolls.",
        [Node("s", "scene", "scene"), Node("b", "entity", "ball"), Node("e", "event", "roll", interval=(0.5, 1.0))],
        [Edge("s", "b", "contains"), Edge("s", "e", "contains"), Edge("e", "b", "agent")],
    )
    times = np.array([0.0, 1.0, 1.01, 2.0])
    boxes = np.array([[x, 0.5, 0.2, 0.2] for x in (0.3, 0.3, 0.7, 0.7)], np.float32)
    track = BoxTrack("ball", times, boxes, np.ones(4, np.float32), "b")
    return Clip(path.name, path, captions=("A ball rolls.",), graph=graph, tracks=(track,))


def test_boxes_and_events_are_those_of_the_window(tmp_path: Path) -> None:
    clip = annotated(write_clip(tmp_path / "ball.mp4", 16, height=32, width=64))
    run([clip], tmp_path / "out", replace(SETTINGS, sampling=Sampling((4,), 8, windows=4)))
    shards = ShardSet(tmp_path / "out")
    first, last = shards[0], shards[3]
    assert first.layout is not None
    assert last.layout is not None
    # A quarter of the width is cut off on both sides.
    np.testing.assert_allclose(first.layout.tracks[0].boxes[:, 0], 0.1, atol=1e-3)
    np.testing.assert_allclose(last.layout.tracks[0].boxes[:, :4], [[0.9, 0.5, 0.4, 0.2]] * 4, atol=1e-3)
    assert last.layout.shape == last.shape
    assert [len(shards[i].graph.of_type("event")) for i in range(4)] == [0, 0, 1, 1]
    (event,) = last.graph.of_type("event")
    assert event.interval == (0, 1)


def test_a_check_counts_what_there_is_and_what_would_be_used(tmp_path: Path) -> None:
    clips = [*broken_clips(tmp_path / "videos"), annotated(write_clip(tmp_path / "ball.mp4", 16, height=32, width=64))]
    findings = Findings()
    for result in check_clips(clips, SETTINGS):
        findings.add(result)
    report = "\n".join(findings.lines())
    for line in (
        "clips            7",
        "length           0.25 to 2.00 s, median 1.50 s; 0.1 minutes in all",
        "height x width   32x32 (2), 16x16 (1), 32x64 (1)",
        "frames a second  8 (4)",
        "captions         7, 3 to 3 words, median 3",
        "graphs           1 annotated (1.0 entities and 1.0 events in the mean); boxes in 1",
        "broken           cut.mp4: ",
        "broken           gone.mp4: ",
        "would be used    3 samples of 3 clips: 4x32x32 (3)",
        "dropped          3 cannot be read; cut.mp4: ",
        "dropped          1 shorter than 4 frames at 8 fps; short.mp4: 0.25 s",
    ):
        assert line in report
