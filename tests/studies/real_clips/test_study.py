"""The study of fifteen real videos: its commands, and how it tells which clip a video is nearest to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mov_ai.data.clips import Clip
from mov_ai.data.video import write_video
from mov_ai.errors import UsageError
from studies.real_clips.memory import RealClip, load_clips, nearest
from studies.real_clips.study import arguments, commands, run


def noise(seed: int, frames: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, 16, 16, 3), dtype=np.uint8)


def test_a_stretch_of_a_clip_is_found_at_its_moment() -> None:
    clips = [RealClip(f"clip{seed}", "", noise(seed, 12)) for seed in range(3)]
    faint = (clips[1].frames[5:9].astype(int) + 5).clip(0, 255).astype(np.uint8)
    name, psnr = nearest(faint, clips)
    assert name == "clip1"
    assert psnr["clip1"] == pytest.approx(20 * np.log10(255 / 5), abs=0.5)
    assert max(psnr["clip0"], psnr["clip2"]) < 10


def test_clips_are_read_at_the_trainings_rate_and_short_ones_left_out(tmp_path: Path) -> None:
    for name, frames in (("long", 40), ("short", 5)):
        write_video(tmp_path / f"{name}.mp4", np.full((frames, 48, 64, 3), 90, np.uint8), 10.0)
    clips = [Clip(f"{name}.mp4", tmp_path / f"{name}.mp4", captions=(name,)) for name in ("long", "short")]
    loaded = load_clips(clips, 32, 8, 5.0)
    assert [(clip.name, clip.caption, clip.frames.shape) for clip in loaded] == [("long", "long", (20, 32, 32, 3))]


def test_three_commands_lead_to_a_pipeline(tmp_path: Path) -> None:
    steps = commands(tmp_path, 64, tmp_path / "runs", ["trainer.max_steps=2"])
    assert [command[3] if command[2] == "mov_ai.cli.main" else command[2] for _, command in steps] == [
        *("data", "mov_ai.train", "assemble")
    ]
    with pytest.raises(UsageError, match="found no real_clips"):
        run(arguments(["--data", str(tmp_path)]))
