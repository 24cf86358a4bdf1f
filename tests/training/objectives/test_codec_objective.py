"""Training the codec: windows that only (seed, step) decide, and a real run whose loss falls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mov_ai.models.codec import CodecConfig, VideoCodec
from mov_ai.models.component import load_component
from mov_ai.training.loop import Trainer
from mov_ai.training.objectives import codec as training
from mov_ai.training.objectives.codec import CodecObjective
from mov_ai.training.settings import TrainerConfig
from mov_ai.worlds.tabletop import render as renderer

SMALL = CodecConfig(widths=(16, 12, 8), blocks=(1, 1, 1))


def _objective(**changes: Any) -> CodecObjective:
    values = {"batch_size": 4, "scenes": 5, "window": 32, "frames": 2, "model": SMALL}
    objective = CodecObjective(**{**values, **changes})
    objective.prepare(torch.device("cpu"), lambda done, total, what: None)
    return objective


def _judged(objective: CodecObjective, module: torch.nn.Module) -> float:
    with torch.no_grad():
        losses = [
            objective.loss(module, objective.batch(step), torch.Generator().manual_seed(step))[0].item()
            for step in range(1000, 1004)
        ]
    return float(np.mean(losses))


def test_a_batch_depends_on_seed_and_step_only() -> None:
    one, two, other = _objective(), _objective(), _objective(seed=1)
    batches = [one.batch(step) for step in range(3)]
    torch.manual_seed(3)
    np.random.seed(3)
    for step in (2, 0, 2):
        assert torch.equal(two.batch(step), batches[step])
    assert not torch.equal(batches[0], batches[1])
    assert not torch.equal(other.batch(0), batches[0])
    assert batches[0].shape == (4, 2, 3, 32, 32)
    assert batches[0].min() >= -1
    assert batches[0].max() <= 1


def test_the_loss_has_the_terms_it_says() -> None:
    objective = _objective(half_weight=0.0, edge_weight=0.0, latent_weight=0.0)
    batch = objective.batch(0)
    total, terms = objective.loss(objective.module(), batch, torch.Generator().manual_seed(0))
    assert total.item() == pytest.approx(float(terms["pixels"]))
    assert set(terms) == {"pixels", "edges", "latent_square"}
    weighed = _objective(half_weight=0.0, edge_weight=2.0, latent_weight=3.0)
    total, terms = weighed.loss(weighed.module(), batch, torch.Generator().manual_seed(0))
    expected = float(terms["pixels"] + 2 * terms["edges"] + 3 * terms["latent_square"])
    assert total.item() == pytest.approx(expected, rel=1e-5)


def test_training_lowers_the_loss_and_exports_standardised_latents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = _objective()
    batch = objective.batch(0)
    before = _judged(objective, objective.module())

    def small_render(scene: Any, height: int, width: int, *crop: Any, **more: Any) -> tuple[Tensor, Tensor]:
        # Windows are rendered as they are; the whole clips of validation and export in two small frames.
        if crop:
            return renderer.render(scene, height, width, *crop, **more)
        return renderer.render(scene, 32, 32, frames=np.array([0, 8]))

    monkeypatch.setattr(training, "render", small_render)
    config = TrainerConfig(
        max_steps=45, learning_rate=5e-3, warmup_steps=5, weight_decay=0, ema_decay=0, device="cpu", threads=1
    )
    result = Trainer(objective, config, tmp_path).run()
    assert {"psnr_128", "psnr_256"} == set(result["validation"])
    codec = load_component(VideoCodec, CodecConfig, tmp_path / "export")
    with torch.no_grad():
        pixels = [(codec(batch)[0] - batch).abs().mean(), batch.abs().mean()]
    assert pixels[0] < 0.5 * pixels[1]
    assert _judged(objective, objective.module()) < 0.7 * before
    assert codec.config.mean != SMALL.mean
    with torch.no_grad():
        assert codec.encode(batch).std().item() == pytest.approx(1, abs=0.5)
