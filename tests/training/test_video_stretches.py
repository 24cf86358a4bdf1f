from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mov_ai.data.video import write_video
from mov_ai.errors import MovAIError
from mov_ai.models.codec import CodecConfig, VideoCodec
from mov_ai.models.component import save_component
from mov_ai.training.video_stretches import VideoStretches

CONFIG = CodecConfig(4, (8, 8, 8), (1, 1, 1), (0.0,) * 4, (1.0,) * 4)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    frames = np.random.default_rng(0).integers(0, 255, (12, 16, 16, 3), np.uint8)
    for name, fps in (("fast", 32), ("slow", 8)):
        write_video(folder / f"{name}.mp4", frames, fps)
        (folder / f"{name}.txt").write_text("noise")
    return folder


def source(videos: Path, tmp_path: Path, **settings: object) -> VideoStretches:
    save_component(VideoCodec(CONFIG), tmp_path / "codec")
    given = {"strides": (1, 2), "windows": 2, "size": 16, "crop": 2, "frames": 5, **settings}
    made = VideoStretches(str(videos), str(tmp_path / "cache"), **given)  # type: ignore[arg-type]
    made.bind(str(tmp_path / "codec"), VideoCodec(CONFIG).eval())
    made.prepare(lambda *_: None)
    return made


def test_stretches_say_how_far_their_frames_lie_apart(videos: Path, tmp_path: Path) -> None:
    made = source(videos, tmp_path)
    drawn = [made.draw(4, np.random.default_rng(step)) for step in range(6)]
    assert {tuple(stretches.latents.shape) for stretches in drawn} == {(4, 5, 4, 2, 2)}
    # Of 32 frames a second each, or every other; 8 a second are too slow for the network to know.
    assert {skip for stretches in drawn for skip in stretches.skip.tolist()} == {4.0, 8.0}
    assert torch.equal(drawn[0].latents, made.draw(4, np.random.default_rng(0)).latents)
    assert made.about == f"Trained on 1 videos of {videos}."


def test_videos_that_cannot_be_used_are_named_by_their_reason(videos: Path, tmp_path: Path) -> None:
    with pytest.raises(MovAIError, match=r"no clip can be used: shorter than 21 frames"):
        source(videos, tmp_path, frames=21)
