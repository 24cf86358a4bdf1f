"""From an image model and shards to a pipeline that makes videos, as the shipped configuration does it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mov_ai.assembly import assemble
from mov_ai.errors import UsageError
from mov_ai.models.image_video import ImageVideoConfig, ImageVideoDenoiser
from mov_ai.models.image_video_parts import TemporalAttention
from mov_ai.models.registry import load_denoiser
from mov_ai.pipeline import MovAIPipeline
from mov_ai.train import build_objective
from mov_ai.training.loop import Trainer
from mov_ai.training.settings import TrainerConfig
from tests.data.test_shards import make_graph
from tests.models.image_models import save_unet_pipeline
from tests.training.test_configs import composed
from tests.training.test_video_clips import FRAMES, STAGES, write

EXPERIMENT = "experiment=video/from_image_model"


def test_an_image_model_is_trained_on_shards_and_makes_videos(tmp_path: Path) -> None:
    folder = save_unet_pipeline(tmp_path / "image_model")
    sizes = [f"size={STAGES[0]}", f"frames={FRAMES}", "network.head_width=4", "lora.rank=2", "objective.batch_size=1"]
    sizes += ["model.denoiser.graph_encoder.dim=16", "model.denoiser.graph_encoder.layers=1"]
    shards = write(tmp_path / "shards", 3, boxes=True)
    config = composed(EXPERIMENT, f"data.path={shards}", f"image_model={folder}", *sizes)
    objective = build_objective(config.objective, 0)
    network = objective.module()
    assert isinstance(network, ImageVideoDenoiser)
    frozen = {name: value.clone() for name, value in network._image.network.state_dict().items() if "lora" not in name}
    trained = TrainerConfig(max_steps=3, learning_rate=1e-2, warmup_steps=0, ema_decay=0.5, device="cpu", threads=1)
    Trainer(objective, trained, tmp_path / "run").run()
    after = network._image.network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in frozen.items())
    exported = load_denoiser(tmp_path / "run" / "export")
    attentions = [part for part in exported.blocks if isinstance(part, TemporalAttention)]  # type: ignore[union-attr]
    assert all(part.attention.out.weight.any() for part in attentions)
    assert any(part.weight.any() for name, part in exported.adapters.items() if "lora_B" in name)  # type: ignore[operator, union-attr]

    assemble(folder, tmp_path / "run", tmp_path / "pipeline")
    pipeline = MovAIPipeline.from_pretrained(tmp_path / "pipeline")
    video = pipeline(make_graph("A ball."), steps=2).frames
    assert video.shape == (FRAMES, STAGES[0], STAGES[0], 3)
    assert video.std() > 0


def test_the_shipped_settings_are_the_codes() -> None:
    network = composed(EXPERIMENT).network
    coded = ImageVideoConfig()
    assert (network.head_width, network.graph, network.layout) == (coded.head_width, coded.graph, coded.layout)
    assert (network.temporal, network.time_width, network.fps) == (coded.temporal, coded.time_width, coded.fps)
    assert (tuple(network.stages), network.frames) == (coded.stages, coded.frames)
    assert tuple(network.lora.targets) == coded.lora.targets
    assert (network.lora.rank, network.lora.alpha) == (coded.lora.rank, coded.lora.alpha)


def test_an_image_model_must_be_named(tmp_path: Path) -> None:
    shards = write(tmp_path / "shards", 1)
    with pytest.raises(UsageError, match="image_model: '': no such folder"):
        build_objective(composed(EXPERIMENT, f"data.path={shards}").objective, 0)
