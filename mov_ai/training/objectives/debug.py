"""A small real objective: a perceptron learns a known function in a second. For tests and for trying out settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import PIL.Image
import safetensors.torch
import torch

from mov_ai.errors import UsageError
from mov_ai.graph.files import write_json
from mov_ai.training.objective import Objective


def target(points: torch.Tensor) -> torch.Tensor:
    """The function that is learned: (batch, 2) in [-1, 1] -> (batch, 1) in [-1, 1]."""
    x, y = points.split(1, dim=-1)  # (batch, 1) each
    return torch.sin(2 * x) * y


class DebugObjective(Objective):
    """Regression of `target` with a two-layer perceptron.

    Args:
        seed: of first weights and data.
        batch_size: points per batch.
        width: hidden units.
        noise: standard deviation of the noise on the targets, drawn from the loop's generator.
        dropout: share of hidden units dropped, drawn from torch's global generator.

    Raises:
        UsageError: if a size is not positive or a share is out of range.
    """

    def __init__(
        self, seed: int = 0, batch_size: int = 64, width: int = 32, noise: float = 0.01, dropout: float = 0.0
    ) -> None:
        if batch_size < 1 or width < 1:
            raise UsageError(f"objective: batch_size {batch_size} and width {width}; expected 1 or more")
        if noise < 0 or not 0 <= dropout < 1:
            raise UsageError(f"objective: noise {noise}, dropout {dropout}; expected noise >= 0 and 0 <= dropout < 1")
        self.seed, self.batch_size, self.width, self.noise, self.dropout = seed, batch_size, width, noise, dropout
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._module = torch.nn.Sequential(
                torch.nn.Linear(2, width), torch.nn.SiLU(), torch.nn.Dropout(dropout),
                torch.nn.Linear(width, width), torch.nn.SiLU(), torch.nn.Linear(width, 1),
            )  # fmt: skip

    def config(self) -> dict[str, Any]:
        return {**super().config(), "width": self.width, "noise": self.noise, "dropout": self.dropout}

    def module(self) -> torch.nn.Module:
        return self._module

    def batch(self, step: int) -> torch.Tensor:
        """Points (batch, 2), uniform in [-1, 1]."""
        # A generator seeded by both numbers, mixed so that (seed, step + 1) and (seed + 1, step) differ.
        generator = torch.Generator().manual_seed((self.seed * 0x9E3779B1 + step) % 2**63)
        return torch.rand(self.batch_size, 2, generator=generator) * 2 - 1

    def loss(
        self, module: torch.nn.Module, batch: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, dict[str, float | torch.Tensor]]:
        noise = torch.randn(len(batch), 1, generator=generator).to(batch.device)
        error = module(batch) - target(batch) - self.noise * noise  # (batch, 1)
        return error.square().mean(), {"absolute_error": error.abs().mean()}

    def validate(self, module: torch.nn.Module) -> dict[str, float]:
        points = self._grid(33, module)
        return {"mse": (module(points) - target(points)).square().mean().item()}

    def sample_sheet(self, module: torch.nn.Module) -> PIL.Image.Image:
        """The learned function beside the true one, grey, 64 pixels high."""
        points = self._grid(64, module)
        both = torch.cat([value.float().view(64, 64) for value in (module(points), target(points))], dim=1)
        return PIL.Image.fromarray(((both.clamp(-1, 1) + 1) * 127.5).byte().cpu().numpy())

    def export(self, module: torch.nn.Module, directory: Path, card: dict[str, Any]) -> None:
        write_json(directory / "config.json", {"width": self.width})
        write_json(directory / "card.json", card)
        tensors = {name: tensor.cpu() for name, tensor in module.state_dict().items()}
        safetensors.torch.save_file(tensors, directory / "model.safetensors")

    @staticmethod
    def _grid(size: int, module: torch.nn.Module) -> torch.Tensor:
        axis = torch.linspace(-1, 1, size)
        points = torch.cartesian_prod(axis, axis)  # (size * size, 2)
        return points.to(next(module.parameters()).device)
