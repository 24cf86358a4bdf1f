"""Checkpoints in parts: each process writes its share, while training goes on, and any number of processes read them.

`torch.distributed.checkpoint` does it, with its storage of safetensors: what else it has writes an index as a pickle.
Each file's header says which part of which tensor it holds; `state.json` lists the files and is written last.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from torch import Tensor
from torch.distributed import ProcessGroup
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.metadata import Metadata, TensorStorageMetadata
from torch.distributed.checkpoint.planner import SavePlan, SavePlanner
from torch.distributed.checkpoint.storage import WriteResult

from mov_ai.errors import MovAIError
from mov_ai.training.checkpoint import (
    FORMAT_OF_PARTS,
    DamagedCheckpoint,
    TrainingState,
    checkpoint_folder,
    checksum,
    publish,
    unwritable,
    write_state,
)
from mov_ai.training.processes import lost_process

log = logging.getLogger(__name__)


class _PartWriter(HuggingFaceStorageWriter):
    """Writes this process's part; once all are there, the main process makes them the checkpoint of their step."""

    def __init__(self, root: Path, state: TrainingState, keep: int) -> None:
        # Without the number of a process: all have to write into the same folder, and no other run does.
        self._temporary = root / f".{checkpoint_folder(root, state.step).name}.parts.tmp"
        super().__init__(str(self._temporary), save_distributed=True)
        self._root, self._state, self._keep = root, state, keep

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> torch.futures.Future[list[WriteResult]]:
        written = super().write_data(plan, planner).value()
        files = {result.storage_data.relative_path for result in written}
        # Here, so that each process reads its own files only.
        sums = [(name, checksum(self._temporary / name)) for name in sorted(files)]
        future: torch.futures.Future[Any] = torch.futures.Future()
        future.set_result([*written, *sums])
        return future

    def finish(self, metadata: Metadata, results: list[list[Any]]) -> None:
        files = {}
        for number, of_process in enumerate(results):
            for name, content in (entry for entry in of_process if isinstance(entry, tuple)):
                if not (self._temporary / name).is_file():
                    raise MovAIError(
                        f"{self._root}: process 0 does not see what process {number} wrote there; the run's folder has "
                        "to be on a file system that all nodes share"
                    )
                files[name] = content
        write_state(self._temporary, self._state, files, FORMAT_OF_PARTS)
        publish(self._root, self._temporary, self._state.step, self._keep)


class PartsInWriting:
    """A checkpoint that all processes write while training goes on.

    Args:
        root: the `checkpoints` folder of the run.
        state: of this step; only the main process's is written.
        tensors: by group and name, shared out or not; they may change as soon as this returns.
        keep: checkpoints kept.
        group: of all processes, on the CPU, for nothing else.
    """

    def __init__(
        self,
        root: Path,
        state: TrainingState,
        tensors: Mapping[str, Mapping[str, Tensor]],
        keep: int,
        group: ProcessGroup,
    ) -> None:
        self._folder = checkpoint_folder(root, state.step)
        writer = _PartWriter(root, state, keep)
        self._temporary = writer._temporary
        with _quiet():
            saving = dcp.async_save(_flat(tensors), storage_writer=writer, process_group=group)
        assert isinstance(saving, Future)
        self._saving: Future[Any] = saving

    def wait(self) -> None:
        """Until the checkpoint is complete.

        Raises:
            MovAIError: in every process, if one of them could not write; earlier checkpoints stay, nothing partial is
                left.
        """
        try:
            self._saving.result()
        except CheckpointException as error:
            shutil.rmtree(self._temporary, ignore_errors=True)
            causes = [cause for cause, _ in error.failures.values()]
            known = [cause for cause in causes if isinstance(cause, MovAIError)]
            raise known[0] if known else unwritable(self._folder, causes[0]) from None


def part_sizes(folder: Path) -> dict[str, dict[str, TensorStorageMetadata]]:
    """Size and type of every tensor of a checkpoint in parts, by group and name. Raises DamagedCheckpoint."""
    with _damage_named(folder):
        found = HuggingFaceStorageReader(str(folder)).read_metadata().state_dict_metadata
    sizes: dict[str, dict[str, TensorStorageMetadata]] = {}
    for key, described in found.items():
        assert isinstance(described, TensorStorageMetadata)
        group, _, name = key.partition("/")
        sizes.setdefault(group, {})[name] = described
    return sizes


def read_parts(folder: Path, into: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Fill tensors, whole or shared out, from the parts; each process reads what it needs, and all have to call it.

    Args:
        folder: of the checkpoint, already verified.
        into: by group and name, of the sizes that `part_sizes` says.

    Raises:
        DamagedCheckpoint: if the parts do not hold all of it.
    """
    with _damage_named(folder), _quiet():
        alone = not torch.distributed.is_initialized()
        dcp.load(_flat(into), storage_reader=HuggingFaceStorageReader(str(folder)), no_dist=alone)


def joined_parts(folder: Path) -> dict[str, dict[str, Tensor]]:
    """All tensors of a checkpoint in parts, whole and on the CPU, by group and name. Raises DamagedCheckpoint."""
    whole = {
        group: {name: torch.empty(found.size, dtype=found.properties.dtype) for name, found in described.items()}
        for group, described in part_sizes(folder).items()
    }
    with _damage_named(folder), _quiet():
        dcp.load(_flat(whole), storage_reader=HuggingFaceStorageReader(str(folder)), no_dist=True)
    return whole


def _flat(tensors: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Any]:
    return {f"{group}/{name}": tensor for group, parts in tensors.items() for name, tensor in parts.items()}


@contextlib.contextmanager
def _damage_named(folder: Path) -> Iterator[None]:
    try:
        yield
    except (CheckpointException, OSError, ValueError, KeyError, AssertionError, RuntimeError) as error:
        causes = [cause for cause, _ in error.failures.values()] if isinstance(error, CheckpointException) else [error]
        if any(lost_process(cause) for cause in causes):
            raise
        raise DamagedCheckpoint(
            f"{folder}: the parts do not fit together ({' '.join(str(causes[0]).split())})"
        ) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's warnings that one process saves or loads alone."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="torch.distributed.checkpoint")
        warnings.filterwarnings("ignore", message=".*torch.distributed is .*")
        yield
