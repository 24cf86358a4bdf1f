"""What one of several processes does that train together on the CPU; `test_several_processes` starts them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from mov_ai.models.conditioning import Conditioning
from mov_ai.models.denoiser import TSAMDenoiser
from mov_ai.training.loop import Trainer
from mov_ai.training.objective import Objective, Progress
from mov_ai.training.settings import TrainerConfig
from tests.models.builders import given, small_denoiser

#: Batches of a step, over all processes together.
TOGETHER = 2
SETTINGS: dict[str, Any] = {
    **{"learning_rate": 1e-2, "warmup_steps": 0, "schedule": "constant", "ema_decay": 0.5, "gradient_clip": 0.5},
    **{"device": "cpu", "threads": 1, "log_every": 1},
}


class SmallDenoising(Objective):
    """A small TSAM learns to give back what it is given; every number comes from the step alone.

    Args:
        folder: where `prepare` keeps a file, and notes who made it.
    """

    def __init__(self, folder: Path) -> None:
        self.seed, self.batch_size, self.folder = 0, 2, folder
        self._module = small_denoiser(backend="math")
        self._condition = given(frames=2)

    def prepare(self, device: torch.device, progress: Progress) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "cache").exists():
            with (self.folder / "made").open("a") as file:
                file.write("once ")
            (self.folder / "cache").touch()

    def module(self) -> TSAMDenoiser:
        return self._module

    def batch(self, step: int) -> Tensor:
        return torch.randn(2, 2, 4, 8, 8, generator=torch.Generator().manual_seed(step))

    def loss(
        self, module: torch.nn.Module, batch: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        tensors = {name: tensor.expand(2, *tensor.shape[1:]) for name, tensor in self._condition.tensors().items()}
        window = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(2, 4)
        out = module(batch, torch.full((2,), 0.7), torch.zeros(2).long(), batch, window, Conditioning(**tensors))
        return (out - batch).square().mean(), {}

    def validate(self, module: torch.nn.Module) -> dict[str, float]:
        return {"error": self.loss(module, self.batch(1000), torch.Generator())[0].item()}

    def export(self, module: torch.nn.Module, directory: Path, card: dict[str, Any]) -> None:
        total = sum(parameter.double().sum().item() for parameter in module.parameters())
        (directory / "sum.json").write_text(json.dumps(total))


def train(folder: Path, steps: int, **changes: Any) -> SmallDenoising:
    """Train in a folder up to a step, going on from where an earlier run ended."""
    objective = SmallDenoising(folder)
    Trainer(objective, TrainerConfig(**{**SETTINGS, "max_steps": steps, **changes}), folder).run()
    return objective


def take_part(folder: Path) -> None:
    """Train with copies, then with shares, going on once; note how much of the network this process has."""
    train(folder / "copies", 3)
    train(folder / "shares", 2, shard=True)
    objective = train(folder / "shares", 3, shard=True)
    own = [parameter for parameter in objective.module().parameters() if isinstance(parameter, DTensor)]
    counts = [sum(parameter.to_local().numel() for parameter in own), sum(parameter.numel() for parameter in own)]
    (folder / f"shares_{os.environ['RANK']}.json").write_text(json.dumps(counts))
    torch.distributed.destroy_process_group()
