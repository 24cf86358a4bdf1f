"""What the training loop asks of a trainable network: its module, its batches, its loss and its export."""

from __future__ import annotations

import abc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch

from mov_ai.errors import UsageError

Progress = Callable[[int, int, str], None]
"""Called as `progress(done, total, what)` while an objective prepares its caches."""


class Objective(abc.ABC):
    """One trainable network, its data and its loss.

    Attributes:
        seed: seeds the network's first weights (draw them from a generator made of it) and every batch.
        batch_size: samples in one batch; with gradient accumulation a step uses several batches.
    """

    seed: int
    batch_size: int

    def config(self) -> dict[str, Any]:
        """The settings that a checkpoint records (JSON values); a resumed run is compared with them.

        Override to add what decides the network and its data.
        """
        kind = type(self)
        return {"objective": f"{kind.__module__}.{kind.__qualname__}", "seed": self.seed, "batch_size": self.batch_size}

    def prepare(self, device: torch.device, progress: Progress) -> None:  # noqa: B027 (optional on purpose)
        """Build caches before the first step. Called once, before `module`, on the device that trains."""

    def prepare_share(  # noqa: B027 (optional on purpose)
        self, device: torch.device, progress: Progress, process: int, processes: int
    ) -> None:
        """Build this process's share of the caches, before `prepare`, where several processes train together.

        Which share it is may depend on `process` and `processes` only, not on what another has built in the meantime.
        What this leaves out is built by `prepare`, in one process.
        """

    @abc.abstractmethod
    def module(self) -> torch.nn.Module:
        """The network that is trained: the same object on each call."""

    @abc.abstractmethod
    def batch(self, step: int) -> Any:
        """The batch of one step: tensors in any nesting of dicts, lists and tuples, on any device.

        It must depend on (`self.seed`, `step`) only, never on global random state or on earlier calls: this is what
        lets a resumed run see the data that an unbroken run would have seen.
        """

    @abc.abstractmethod
    def loss(
        self, module: torch.nn.Module, batch: Any, generator: torch.Generator
    ) -> tuple[torch.Tensor, dict[str, float | torch.Tensor]]:
        """The loss of one batch and its named terms.

        Args:
            module: call this, not `self.module()`: it may be wrapped for mixed precision or several devices.
            batch: what `batch` returned, moved to the device.
            generator: a CPU generator, the source of all noise; draw on the CPU and move, so that a seed means the
                same noise on every device.

        Returns:
            A scalar with a gradient, and scalars (floats or tensors) to be logged by name.
        """

    def validate(self, module: torch.nn.Module) -> dict[str, float]:
        """Figures on data that is not trained on. Called without gradients, in eval mode, with averaged weights."""
        return {}

    def sample_sheet(self, module: torch.nn.Module) -> PIL.Image.Image | None:
        """A picture of what the network does now, or None. Called as `validate` is."""
        return None

    def sample_videos(self, module: torch.nn.Module) -> dict[str, tuple[np.ndarray, float]]:
        """Videos that the network makes now, by name: uint8 (frames, h, w, 3) and fps. Called as `validate` is."""
        return {}

    @abc.abstractmethod
    def export(self, module: torch.nn.Module, directory: Path, card: dict[str, Any]) -> None:
        """Write config and weights (safetensors) that a pipeline loads, and the card that says how they were made.

        `directory` exists and is empty; the loop moves it into place once this returns.
        """


def check_start(folder: str, found: Any, expected: Any) -> None:
    """Whether a training may begin with an exported network. Raises UsageError if its config is another."""
    if found != expected:
        raise UsageError(f"objective.start: {folder}: expected a network of {expected}; found one of {found}")
