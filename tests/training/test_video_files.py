"""Training on a folder of videos as it is: pure in seed and step, new windows each epoch, broken clips left out."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mov_ai.data.video import write_video
from mov_ai.errors import MovAIError, UsageError
from mov_ai.models.component import save_component
from mov_ai.training.objectives.denoiser import DenoiserObjective
from mov_ai.training.video_files import VideoFiles
from tests.models.test_codec import small_codec
from tests.training.objectives.test_denoiser_objective import SMALL

MODEL = replace(SMALL, latent_channels=4, stages=(16, 32), frames=4)


def write_clip(path: Path, seed: int, frames: int = 24) -> None:
    """A video whose brightness rises with time, so that a window's start can be seen."""
    level = np.linspace(20 + seed, 220, frames).astype(np.uint8)
    write_video(path, np.broadcast_to(level[:, None, None, None], (frames, 48, 48, 3)).copy(), 8.0)
    path.with_suffix(".txt").write_text(f"A ball rolls, {seed}.")


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    for seed in range(3):
        write_clip(folder / f"{seed}.mp4", seed)
    return folder


def make_objective(videos: Path, **changes: object) -> DenoiserObjective:
    codec = videos.parent / "codec"
    if not codec.exists():
        save_component(small_codec(), codec)
    objective = DenoiserObjective(
        batch_size=3,
        codec=str(codec),
        model=MODEL,
        stage_shares=(0.5, 0.5),
        data=VideoFiles(str(videos), **changes),  # type: ignore[arg-type]
    )
    objective.prepare(torch.device("cpu"), lambda done, total, what: None)
    return objective


def test_a_step_depends_on_the_seed_and_the_step_and_each_epoch_has_new_windows(videos: Path) -> None:
    objective, other = make_objective(videos), make_objective(videos)
    batches = [objective.batch(step) for step in range(3)]
    assert torch.equal(other.batch(2)["latents"], batches[2]["latents"])
    assert all(batch["latents"].shape == (3, 4, 4, 2, 2) for batch in batches)
    # An epoch is one batch of all three clips; the second sees other moments of them.
    first, second = (sorted(batch["latents"].mean((1, 2, 3, 4)).tolist()) for batch in batches[:2])
    assert not np.allclose(first, second, atol=1e-4)
    loss, _ = objective.loss(objective.module(), batches[0], torch.Generator().manual_seed(0))
    assert loss.isfinite()


def test_clips_that_cannot_be_used_are_named_once_and_the_rest_goes_on(
    videos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_clip(videos / "short.mp4", 9, frames=2)
    (videos / "broken.mp4").write_bytes(b"no video")
    (videos / "broken.txt").write_text("A broken file.")
    with caplog.at_level(logging.WARNING):
        objective = make_objective(videos)
        for step in range(4):
            assert len(objective.batch(step)["latents"]) == 3
    left_out = [record.message for record in caplog.records if "left out" in record.message]
    assert sorted(message.split(":")[0] for message in left_out) == ["broken.mp4", "short.mp4"]


def test_validation_clips_are_not_trained_on(videos: Path) -> None:
    objective = make_objective(videos, validation_clips=1)
    assert {graph.caption for graph in objective.data.training_graphs(0)} == {"A ball rolls, 0.", "A ball rolls, 1."}
    held_out = objective.data.validation(0, 5)
    assert held_out is not None
    assert [graph.caption for graph in held_out.graphs] == ["A ball rolls, 2."]


def test_what_cannot_be_trained_on_is_one_line(videos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="longer side of 32, the last stage's; found 64"):
        make_objective(videos, size="64")
    with pytest.raises(UsageError, match=r"data\.validation_clips: expected 0 to 2; found 3"):
        make_objective(videos, validation_clips=3)
    for path in videos.glob("*.mp4"):
        write_clip(path, 1, frames=2)
    with pytest.raises(MovAIError, match="none of 3 clips can be used: shorter than 4 frames at 8 fps"):
        make_objective(videos)
    with pytest.raises(UsageError, match=r"data\.path"):
        VideoFiles("")
