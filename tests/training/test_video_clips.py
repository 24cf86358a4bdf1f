"""Training on shards of videos: which sample a step sees, windows of later stages, and doing without boxes."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mov_ai.data.shard_sample import ShardSample, pack
from mov_ai.data.shard_writing import ShardWriter
from mov_ai.data.video import read_video
from mov_ai.errors import UsageError
from mov_ai.graph import Layout, VideoShape
from mov_ai.graph.layout import Track
from mov_ai.models.codec import CodecConfig, VideoCodec
from mov_ai.models.component import load_component, save_component
from mov_ai.models.denoiser import DenoiserConfig, TSAMDenoiser
from mov_ai.training.clip_encoder import codec_identity
from mov_ai.training.loop import Trainer
from mov_ai.training.objectives.denoiser import DenoiserObjective
from mov_ai.training.settings import TrainerConfig
from mov_ai.training.trained_network import hidden_matrices
from mov_ai.training.video_clips import VideoClips
from tests.data.test_shards import make_graph
from tests.models.test_codec import small_codec
from tests.training.objectives.test_denoiser_objective import SMALL

STAGES, FRAMES, CHANNELS = (32, 64), 4, 4
MODEL = replace(SMALL, latent_channels=CHANNELS, stages=STAGES, frames=FRAMES)


def make_sample(number: int, boxes: bool) -> ShardSample:
    """Latents that say in every cell which sample, column and row it is."""
    latents = {}
    for size in STAGES:
        side = size // 8
        grid = torch.arange(side, dtype=torch.float16)
        cells = torch.stack(
            [torch.full((side, side), number), grid.expand(side, side), grid[:, None].expand(side, side)]
        )
        latents[size] = torch.cat([cells, torch.zeros(1, side, side)])[None].repeat(FRAMES, 1, 1, 1).half()
    shape = VideoShape(FRAMES, 8.0, STAGES[-1], STAGES[-1])
    captions = (f"A ball, number {number}.", f"The ball {number}.")
    layout = Layout(FRAMES, [Track("n1", np.full((FRAMES, 6), 0.5, np.float32))], shape) if boxes else None
    graphs = tuple(make_graph(caption) for caption in captions)
    return ShardSample(f"{number:03d}", captions, graphs, shape, latents, {STAGES[1]: latents[STAGES[1]] + 1}, layout)


def write(folder: Path, samples: int, boxes: bool = False, settings: dict[str, object] | None = None) -> Path:
    writer = ShardWriter(folder, settings or {}, 4_000)
    for number in range(samples):
        writer.add(str(number), "digest", [pack(make_sample(number, boxes))])
    writer.finish()
    return folder


@pytest.fixture
def codec(tmp_path: Path) -> Path:
    save_component(small_codec(), tmp_path / "codec")
    return tmp_path / "codec"


def make_objective(codec: Path, shards: Path, **changes: object) -> DenoiserObjective:
    values = {"batch_size": 4, "codec": str(codec), "model": MODEL, "stage_shares": (0.5, 0.5), "drop_text": 0.0}
    values["recognizer_clips"] = 8
    objective = DenoiserObjective(data=VideoClips(str(shards)), **{**values, **changes})  # type: ignore[arg-type]
    objective.prepare(torch.device("cpu"), lambda done, total, what: None)
    return objective


def test_every_sample_is_seen_once_an_epoch_whatever_was_read_before(codec: Path, tmp_path: Path) -> None:
    shards = write(tmp_path / "shards", 12)
    objective, other = make_objective(codec, shards, stage_shares=(1.0, 0.0)), make_objective(codec, shards)
    other.batch(5)
    for epoch in range(3):
        batches = [objective.batch(step) for step in range(3 * epoch, 3 * epoch + 3)]
        numbers = torch.cat([batch["latents"][:, 0, 0, 0, 0] for batch in batches])
        assert sorted(numbers.tolist()) == list(range(12))
    again = make_objective(codec, shards, stage_shares=(1.0, 0.0)).batch(7)
    assert torch.equal(again["latents"], objective.batch(7)["latents"])


def test_a_later_stage_is_trained_on_windows_of_the_first_stages_size(codec: Path, tmp_path: Path) -> None:
    objective = make_objective(codec, write(tmp_path / "shards", 8), stage_shares=(0.0, 1.0))
    corners = set()
    for step in range(8):
        batch = objective.batch(step)
        latents, window = batch["latents"], batch["window"]
        assert latents.shape == (4, FRAMES, CHANNELS, 4, 4)
        assert torch.equal(batch["low"], latents + 1)
        # Channels 1 and 2 hold the cell's column and row.
        corner = latents[:, 0, 1:3, 0, 0]
        assert torch.equal(corner, window[:, :2] * STAGES[1] / 8)
        corners |= {tuple(pair) for pair in corner.tolist()}
    assert len(corners) > 4


@pytest.mark.parametrize("boxes", [False, True])
def test_a_caption_finds_its_own_graph_and_boxes_if_there_are_any(
    boxes: bool, codec: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        objective = make_objective(codec, write(tmp_path / "shards", 6, boxes), drop_layout=0.0, drop_graph=0.0)
    assert ("no boxes" in caplog.text) != boxes
    kept = torch.cat([objective.batch(step)["condition"]["keep_layout"] for step in range(8)])
    # The second caption's graph has entities of its own.
    assert bool(kept.any()) == boxes
    assert not kept.all()
    total, terms = objective.loss(objective.module(), objective.batch(0), torch.Generator().manual_seed(0))
    assert total.isfinite()
    if not boxes:
        assert terms["semantic"] == 0


def test_training_lowers_the_loss(codec: Path, tmp_path: Path) -> None:
    objective = make_objective(codec, write(tmp_path / "shards", 6), stage_shares=(1.0, 0.0))
    config = TrainerConfig(
        max_steps=40, learning_rate=5e-3, warmup_steps=4, ema_decay=0, device="cpu", threads=1, log_every=10
    )

    def judge(module: torch.nn.Module) -> float:
        with torch.no_grad():
            losses = [
                objective.loss(module, objective.batch(step), torch.Generator().manual_seed(step))[0].item()
                for step in range(100, 104)
            ]
        return float(np.mean(losses))

    before = judge(objective.module())
    Trainer(objective, config, tmp_path / "run").run()
    assert judge(load_component(TSAMDenoiser, DenoiserConfig, tmp_path / "run" / "export")) < 0.8 * before


def test_a_run_with_muon_resumes_to_the_bit(codec: Path, tmp_path: Path) -> None:
    shards = write(tmp_path / "shards", 6)
    config = TrainerConfig(
        max_steps=6, schedule="constant", optimizer="muon", ema_decay=0.9, warmup_steps=2, device="cpu", threads=1
    )
    for folder, parts in (("whole", (6,)), ("parted", (3, 6))):
        for steps in parts:
            Trainer(make_objective(codec, shards), replace(config, max_steps=steps), tmp_path / folder).run()
    whole, parted = (
        load_component(TSAMDenoiser, DenoiserConfig, tmp_path / folder / "export").state_dict()
        for folder in ("whole", "parted")
    )
    assert all(torch.equal(whole[name], parted[name]) for name in whole)
    hidden = hidden_matrices(make_objective(codec, shards).module())
    assert "blocks.0.mlp.0.weight" in hidden
    assert not {"embed.weight", "unembed.weight", "blocks.0.mlp.0.bias"} & hidden


def test_batches_made_ahead_by_processes_are_the_same_and_prompts_become_videos(codec: Path, tmp_path: Path) -> None:
    shards = write(tmp_path / "shards", 6)
    losses = []
    for workers in (0, 2):
        config = TrainerConfig(
            max_steps=4, ema_decay=0, device="cpu", threads=1, log_every=1, data_workers=workers, sheet_every=4
        )
        run = tmp_path / f"run{workers}"
        Trainer(make_objective(codec, shards, prompts=["A ball rolls."]), config, run).run()
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        losses.append([row["loss"] for row in rows if "loss" in row])
        assert all(row["seconds_for_data"] >= 0 for row in rows if "loss" in row)
        frames, fps = read_video(run / "sheets" / "step_00000004_prompt_0.mp4")
        assert frames.shape == (FRAMES, 32, 32, 3)
        assert fps == 8
    assert losses[0] == losses[1]
    assert len(losses[0]) == 4


def test_shards_that_do_not_fit_are_named_before_training(codec: Path, tmp_path: Path) -> None:
    shards = write(tmp_path / "shards", 2)
    with pytest.raises(UsageError, match=r"holds latents of stages 32, 64, none of 128; prepare them again"):
        make_objective(codec, shards, model=replace(MODEL, stages=(32, 128)))
    five = VideoCodec(CodecConfig(5, (12, 8, 8), (1, 1, 1), (0.0,) * 5, (1.0,) * 5))
    save_component(five, tmp_path / "other")
    with pytest.raises(UsageError, match=r"expected latents of 5 channels, as the codec .*; found 4"):
        make_objective(tmp_path / "other", shards, model=replace(MODEL, latent_channels=5))
    with pytest.raises(UsageError, match=r"prepared with the codec taef2, whose weights are not those of"):
        make_objective(codec, write(tmp_path / "others", 2, settings={"codec": {"name": "taef2", "sha256": "1"}}))
    made_here = {"codec": codec_identity(str(codec))}
    assert make_objective(codec, write(tmp_path / "own", 2, settings=made_here)).batch(0)
    with pytest.raises(UsageError, match=r"data.path: expected a folder of shards"):
        VideoClips("")
