"""Which batches a process takes, in which order, and the random numbers that belong to each of them.

Batch and noise follow from the seed and the batch's number alone. So it decides nothing how many processes share the
batches of a step, how many workers make them, and where a run was stopped.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from mov_ai.training.objective import Objective


class _Batches(Dataset[Any]):
    """The objective's batches by number."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective

    def __getitem__(self, index: int) -> tuple[int, Any]:
        return index, self._objective.batch(index)


def batch_numbers(taken: int, process: int, processes: int) -> range:
    """The numbers of the batches that a process takes, after `taken` ones of all processes together."""
    return range(taken + process, sys.maxsize, processes)


def numbered_batches(objective: Objective, numbers: range, workers: int) -> DataLoader[tuple[int, Any]]:
    """The batches of these numbers, each with its own, made ahead of time by worker processes if there are any."""
    return DataLoader(
        _Batches(objective),
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        # Objectives need not be picklable; they know no threads of their own.
        multiprocessing_context="fork" if workers else None,
        # Else it would draw from torch's global generator, whose state a resumed run takes over.
        generator=torch.Generator(),
    )


def seed_noise(generator: torch.Generator, seed: int, number: int) -> None:
    """Have `generator`, for noise, and torch's own, for dropout, begin where batch `number` begins."""
    noise, dropout = np.random.SeedSequence([seed, number]).generate_state(2, np.uint64).tolist()
    generator.manual_seed(noise)
    torch.manual_seed(dropout)
