"""What one of several processes does that train together on the CPU; `test_several_processes` starts them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from mov_ai.errors import MovAIError
from mov_ai.models.conditioning import Conditioning
from mov_ai.models.denoiser import TSAMDenoiser
from mov_ai.training import loop, muon
from mov_ai.training.loop import Trainer
from mov_ai.training.objective import Objective, Progress
from mov_ai.training.objectives.debug import DebugObjective
from mov_ai.training.settings import TrainerConfig
from tests.models.builders import given, small_denoiser

#: Samples of a step, over all processes together.
TOGETHER = 4
#: Steps of the curves that are compared.
CURVE = 200
SETTINGS: dict[str, Any] = {
    **{"learning_rate": 1e-2, "warmup_steps": 0, "schedule": "constant", "ema_decay": 0.5, "gradient_clip": 0.5},
    **{"device": "cpu", "threads": 1, "log_every": 1, "global_batch": TOGETHER},
}
#: What `trainer=fsdp2` and the shipped experiments set beside `shard`. "gpu" is all of it, with Muon's steps as a GPU
#: has them: in bf16.
AS_SHIPPED: dict[str, dict[str, Any]] = {
    "recompute": {"recompute": True},
    "recompute_half": {"recompute": True, "precision": "bf16"},
    "muon": {"optimizer": "muon"},
    "gpu": {"optimizer": "muon", "recompute": True, "precision": "bf16"},
}
ONE = """
import pathlib, sys
from tests.training import several_processes
getattr(several_processes, sys.argv[1])(pathlib.Path(sys.argv[2]))
"""


@contextmanager
def started(count: int, what: str, folder: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """So many processes that do `what`, a function of this module, together; ended when the context is left."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count), "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ONE, what, str(folder)],
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


class SmallDenoising(Objective):
    """A small TSAM learns to give back what it is given, under noise.

    Args:
        folder: where `prepare` keeps files, and notes who made them; batches that are learnt from are noted there too.

    Attributes:
        calls: one entry for each call of a part of the first block.
    """

    def __init__(self, folder: Path) -> None:
        self.seed, self.batch_size, self.folder = 0, 2, folder
        self.calls: list[int] = []
        self._module = small_denoiser(backend="math")
        self._module.blocks[0].cross.register_forward_hook(lambda *_: self.calls.append(1))
        self._condition = given(frames=2)

    def prepare_share(self, device: torch.device, progress: Progress, process: int, processes: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for chunk in range(process, 5, processes):
            self._make(f"chunk_{chunk}", process)

    def prepare(self, device: torch.device, progress: Progress) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._make("cache", int(os.environ.get("RANK", "0")))

    def _make(self, name: str, process: int) -> None:
        if not (self.folder / name).exists():
            with (self.folder / "made").open("a") as file:
                file.write(f"{name} by {process}\n")
            (self.folder / name).touch()

    def module(self) -> TSAMDenoiser:
        return self._module

    def batch(self, step: int) -> Tensor:
        return torch.randn(2, 2, 4, 8, 8, generator=torch.Generator().manual_seed(step))

    def loss(
        self, module: torch.nn.Module, batch: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        tensors = {name: tensor.expand(2, *tensor.shape[1:]) for name, tensor in self._condition.tensors().items()}
        window = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(2, 4)
        noisy = batch + 0.1 * torch.randn(batch.shape, generator=generator)
        out = module(noisy, torch.full((2,), 0.7), torch.zeros(2).long(), batch, window, Conditioning(**tensors))
        return (out - batch).square().mean(), {}

    def validate(self, module: torch.nn.Module) -> dict[str, float]:
        return {"error": self.loss(module, self.batch(1000), torch.Generator().manual_seed(0))[0].item()}

    def export(self, module: torch.nn.Module, directory: Path, card: dict[str, Any]) -> None:
        total = sum(parameter.double().sum().item() for parameter in module.parameters())
        (directory / "sum.json").write_text(json.dumps(total))


class Noted(DebugObjective):
    """Notes the number of each batch that is learnt from, in a file for each process and start.

    Args:
        folder: for the notes.
        dies_at: the batch with which its process is killed.
    """

    def __init__(self, folder: Path, dies_at: int | None = None) -> None:
        super().__init__(dropout=0.1)
        self.batch_size, self._folder, self._dies_at = 2, folder, dies_at

    def batch(self, step: int) -> Any:
        return step, super().batch(step)

    def loss(self, module: Any, batch: Any, generator: torch.Generator) -> Any:
        number, points = batch
        if number == self._dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if module.training:
            with (self._folder / f"order_{os.getpid()}").open("a") as file:
                file.write(f"{number}\n")
        return super().loss(module, points, generator)


def train(folder: Path, steps: int, **changes: Any) -> SmallDenoising:
    """Train in a folder up to a step, going on from where an earlier run ended."""
    objective = SmallDenoising(folder)
    Trainer(objective, TrainerConfig(**{**SETTINGS, "max_steps": steps, **changes}), folder).run()
    return objective


def note(folder: Path, steps: int, **changes: Any) -> None:
    """Train on 12 samples a step, in batches of 2, with workers, and note which; six processes would do it too."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {**SETTINGS, "global_batch": 12, "data_workers": 1, "max_steps": steps, **changes}
    Trainer(Noted(folder), TrainerConfig(**settings), folder).run()


def curve(folder: Path, **changes: Any) -> None:
    """Train the small TSAM for as many steps as are compared."""
    train(folder, CURVE, **{"learning_rate": 1e-3, **changes})


def take_part(folder: Path) -> None:
    """Train with copies, then with shares, going on once; note how much of the network this process has."""
    train(folder / "copies", 3)
    train(folder / "shares", 2, shard=True)
    objective = train(folder / "shares", 3, shard=True)
    own = [parameter for parameter in objective.module().parameters() if isinstance(parameter, DTensor)]
    counts = [sum(parameter.to_local().numel() for parameter in own), sum(parameter.numel() for parameter in own)]
    (folder / f"shares_{os.environ['RANK']}.json").write_text(json.dumps(counts))
    train(folder / "half", 3, shard=True, precision="bf16")
    for name, shard in (("2_copies", False), ("2_shares", True)):
        curve(folder / name, shard=shard)
        note(folder / "order" / name, 3, shard=shard)
    torch.distributed.destroy_process_group()


def as_shipped(folder: Path, name: str, **changes: Any) -> SmallDenoising:
    """Train in the folder of this name with these settings of `AS_SHIPPED`, and the changes."""
    # The same steps of Muon whatever the processor has.
    with mock.patch.object(muon, "multiplies_bfloat16", return_value=name == "gpu"):
        return train(folder / name, 3, **{**AS_SHIPPED[name], **changes})


def take_part_as_shipped(folder: Path) -> None:
    """Train with shares in each way of `AS_SHIPPED`; note how often a block was called."""
    for name in AS_SHIPPED:
        calls = as_shipped(folder, name, shard=True).calls
        (folder / name / f"calls_{os.environ['RANK']}").write_text(str(len(calls)))
    torch.distributed.destroy_process_group()


def go_on(folder: Path) -> None:
    """Go on with more processes than there were before."""
    for name, shard in (("2_copies", False), ("2_shares", True)):
        note(folder / "order" / name, 9, shard=shard)
    torch.distributed.destroy_process_group()


def lose_one(folder: Path) -> None:
    """Train with shares; the process that takes the batch after step 4 is killed there."""
    settings = {**SETTINGS, "shard": True, "checkpoint_every_steps": 2, "max_steps": 50}
    _told(lambda: Trainer(Noted(folder, dies_at=9), TrainerConfig(**settings), folder).run())


def differ(folder: Path) -> None:
    """Train with a library that is another one in the last process."""
    if os.environ["RANK"] == "1":
        loop.versions = lambda: {"torch": "0.1"}  # type: ignore[assignment]
    _told(lambda: train(folder, 3))


def fail_to_write(folder: Path) -> None:
    """Train with shares until a part of the second checkpoint cannot be written."""
    from mov_ai.training import checkpoint_parts

    def full(path: Path) -> dict[str, int]:
        if os.environ["RANK"] == "1" and "00000004" in str(path):
            raise OSError(28, "No space left on device")
        return whole(path)

    whole, checkpoint_parts.checksum = checkpoint_parts.checksum, full
    settings = {**SETTINGS, "shard": True, "checkpoint_every_steps": 2, "max_steps": 50}
    _told(lambda: Trainer(DebugObjective(), TrainerConfig(**{**settings, "global_batch": 128}), folder).run())


def _told(work: Any) -> None:
    """Say an expected error as the command does."""
    try:
        work()
    except MovAIError as error:
        sys.stderr.write(f"ERROR {error}\n")
        sys.stderr.flush()
        os._exit(error.exit_code)
