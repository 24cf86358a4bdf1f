"""The folder of a training run: one run at a time in it, what it holds, and nothing half-written."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import safetensors

from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import write_bytes
from mov_ai.training.checkpoint import remove_leftovers

log = logging.getLogger(__name__)

_RUN_FILES = ("checkpoints", "sheets", "tensorboard", "export", "metrics.jsonl", "result.json")


class RunFolder:
    """Holds `checkpoints/`, `metrics.jsonl`, `tensorboard/`, `sheets/`, and at the end `export/` and `result.json`.

    Args:
        directory: made when the run begins, not before.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.checkpoints = directory / "checkpoints"
        self.export = directory / "export"
        self.result = directory / "result.json"
        self._metrics = directory / "metrics.jsonl"

    @contextlib.contextmanager
    def owned(self, begin_anew: bool) -> Iterator[None]:
        """Make the folder, keep other runs out of it, and remove what a killed run left and the earlier result.

        The system drops the lock when the process ends, however.

        Args:
            begin_anew: move an earlier run's files to `previous/`.

        Raises:
            UsageError: if another run is training in the folder.
            MovAIError: if the folder cannot be written.
        """
        lock_file = self.directory / ".lock"
        with self.writing():
            self.directory.mkdir(parents=True, exist_ok=True)
            lock_file.touch()
        lock = filelock.FileLock(lock_file)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise UsageError(
                f"{self.directory}: another run is training in this folder; wait for it or choose another folder"
            ) from None
        except OSError as error:  # a network file system without locks
            log.warning("%s: cannot be locked (%s); start no second run in it", self.directory, error.strerror)
        try:
            with self.writing():
                if begin_anew:
                    self._set_earlier_run_aside()
                self.result.unlink(missing_ok=True)
            remove_leftovers(self.checkpoints)
            for leftover in self.directory.glob(".export.*.tmp"):
                shutil.rmtree(leftover, ignore_errors=True)
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Around whatever writes into the folder: errors of the file system become a `MovAIError`."""
        try:
            yield
        except (OSError, safetensors.SafetensorError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise MovAIError(
                f"{self.directory}: cannot be written ({reason}); free disk space or choose another folder"
            ) from None

    def add_metrics(self, row: dict[str, Any]) -> None:
        """Append a line to `metrics.jsonl`.

        Raises:
            MovAIError: if it cannot be written.
        """
        with self.writing(), self._metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def forget_metrics_after(self, step: int) -> None:
        """Drop the lines of steps that are about to be done again."""
        if self._metrics.exists():
            kept_lines = []
            for line in self._metrics.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError, KeyError, TypeError):  # a line cut short by a crash
                    if json.loads(line)["step"] <= step:
                        kept_lines.append(line + "\n")
            write_bytes(self._metrics, "".join(kept_lines).encode("utf-8"))

    @contextlib.contextmanager
    def exporting(self) -> Iterator[Path]:
        """A temporary folder that replaces `export/` once its files are complete, and is removed if anything fails.

        Raises:
            MovAIError: if it cannot be written.
        """
        temporary = self.directory / f".export.{os.getpid()}.tmp"
        try:
            with self.writing():
                temporary.mkdir()
                yield temporary
                if self.export.exists():
                    shutil.rmtree(self.export)
                temporary.rename(self.export)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _set_earlier_run_aside(self) -> None:
        earlier = [self.directory / name for name in _RUN_FILES if (self.directory / name).exists()]
        if earlier:
            number = 1
            while (place := self.directory / "previous" / str(number)).exists():
                number += 1
            place.mkdir(parents=True)
            for path in earlier:
                path.rename(place / path.name)
            log.warning("trainer.resume=never: the earlier run in %s is now in %s", self.directory, place)
