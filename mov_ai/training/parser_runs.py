"""Runs of other parsers that a parser's training needs: its teachers, and the partners that share its export."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mov_ai.errors import MovAIError

log = logging.getLogger(__name__)


def start_missing(
    folders: Sequence[Path], experiment: str, seed: int, split: str, *overrides: str
) -> list[tuple[Path, subprocess.Popen[bytes]]]:
    """Start the training of the parsers that are not there, side by side, each in a process of its own.

    Args:
        folders: exports of their runs; the first is of this `seed`, the next of the one after it, and so on.
        experiment, split, overrides: of their runs.

    Returns:
        The run folder and the process of each that was started.
    """
    started = []
    for number, folder in enumerate(folders):
        if (folder / "config.json").is_file():
            continue
        run = folder.parent
        run.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "mov_ai.train", f"experiment={experiment}", f"seed={seed + number}"]
        command += [f"objective.split={split}", f"hydra.run.dir={run}", *overrides]
        log.info("training %s: %s", run, " ".join(command[2:]))
        with (run / "output.log").open("ab") as output:
            started.append((run, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)))
    return started


def wait_for(started: Sequence[tuple[Path, subprocess.Popen[bytes]]]) -> None:
    """Wait until these runs have ended.

    Raises:
        MovAIError: if one fails; its log says why.
    """
    failed = [run for run, process in started if process.wait() != 0]
    if failed:
        raise MovAIError(f"{failed[0]}: this run failed; {failed[0] / 'output.log'} says why")
