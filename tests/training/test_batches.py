"""Which batches are learnt from, in which order, and with which noise: it follows from their numbers alone."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from mov_ai.training.batches import batch_numbers, numbered_batches, seed_noise
from mov_ai.training.checkpoint import checkpoint_folder, load_checkpoint
from mov_ai.training.loop import Trainer
from mov_ai.training.objectives.debug import DebugObjective
from mov_ai.training.settings import TrainerConfig


class Numbers(DebugObjective):
    """Notes the numbers of the batches that are learnt from."""

    def __init__(self, batch_size: int = 2) -> None:
        super().__init__(batch_size=batch_size, dropout=0.1)
        self.learnt: list[int] = []

    def batch(self, step: int) -> Any:
        return step, super().batch(step)

    def loss(self, module: Any, batch: Any, generator: torch.Generator) -> Any:
        if module.training:
            self.learnt.append(batch[0])
        return super().loss(module, batch[1], generator)


def test_processes_and_restarts_take_every_batch_once() -> None:
    taken: list[int] = []
    for processes, steps, accumulate in ((2, 2, 3), (1, 1, 6), (3, 2, 2)):
        before = len(taken)
        for process in range(processes):
            taken += itertools.islice(batch_numbers(before, process, processes), steps * accumulate)
    assert sorted(taken) == list(range(2 * 6 + 6 + 2 * 6))


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_change_nothing(workers: int) -> None:
    batches = itertools.islice(numbered_batches(Numbers(), batch_numbers(4, 1, 3), workers), 5)
    found = [(number, inner) for number, (inner, _) in batches]
    assert found == [(number, number) for number in (5, 8, 11, 14, 17)]


def test_the_noise_of_a_batch_is_its_own() -> None:
    def draws(seed: int, number: int) -> list[float]:
        generator = torch.Generator()
        seed_noise(generator, seed, number)
        return [torch.rand(1, generator=generator).item(), torch.rand(1).item()]

    assert draws(1, 2) == draws(1, 2)
    assert len({value for place in ((1, 2), (2, 1), (1, 3), (0, 2)) for value in draws(*place)}) == 8


def test_a_run_goes_on_in_other_batches_at_the_same_global_batch(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        **{"learning_rate": 1e-2, "warmup_steps": 0, "schedule": "constant", "global_batch": 12, "log_every": 1},
        **{"device": "cpu", "threads": 1},
    }
    objective = Numbers()
    Trainer(objective, TrainerConfig(max_steps=4, **settings), tmp_path).run()
    assert objective.learnt == list(range(24))
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["samples"] for row in rows if "loss" in row] == [12, 24, 36, 48]
    again = Numbers()
    Trainer(again, TrainerConfig(max_steps=6, **settings), tmp_path).run()
    assert again.learnt == list(range(24, 36))
    assert load_checkpoint(checkpoint_folder(tmp_path / "checkpoints", 6)).state.batches == 36


def test_a_run_goes_on_with_another_number_of_batches_a_step(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"device": "cpu", "threads": 1, "ema_decay": 0.0}
    Trainer(Numbers(), TrainerConfig(max_steps=2, accumulate=3, **settings), tmp_path).run()
    # A checkpoint of an older version does not say how many were taken; it follows from the samples.
    state = checkpoint_folder(tmp_path / "checkpoints", 2) / "state.json"
    content = json.loads(state.read_text())
    del content["batches"], content["checksum"]
    state.write_text(json.dumps(content))
    again = Numbers()
    Trainer(again, TrainerConfig(max_steps=3, accumulate=1, **settings), tmp_path).run()
    assert again.learnt == [6]
