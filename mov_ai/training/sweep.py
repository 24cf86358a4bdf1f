"""The runs of a sweep: every one in the sweep's folder, also those that failed, and the table of them at its end."""

from __future__ import annotations

import csv
import io
import re
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from mov_ai.errors import MovAIError
from mov_ai.graph.files import read_json, write_bytes, write_json
from mov_ai.training.processes import rank

_FOLDER_NAME_LENGTH = 100


def job_folder(override_dirname: str) -> str:
    """A folder name for a job, from `hydra.job.override_dirname`: readable, without separators, not too long."""
    name = re.sub(r"[^\w=.,+-]+", "-", override_dirname).strip("-.") or "job"
    if len(name) > _FOLDER_NAME_LENGTH:
        # The checksum of the whole name keeps two long combinations apart.
        name = f"{name[:_FOLDER_NAME_LENGTH]}-{zlib.crc32(override_dirname.encode()):08x}"
    return name


def read_runs(directory: Path) -> list[dict[str, Any]]:
    """The runs of a sweep folder, in the order they were made.

    Each has `folder`, `started` (seconds since the epoch), `overrides` (name to value), `status` (finished, failed or
    unfinished), `loss`, `validation` (name to figure), `samples_per_second`, `minutes` and `error`; what is not
    known is None.
    """
    runs = []
    for path in sorted(directory.glob("*/.hydra/overrides.yaml"), key=lambda path: path.stat().st_mtime_ns):
        folder = path.parent.parent
        overrides = {}
        for override in yaml.safe_load(path.read_text(encoding="utf-8")) or []:
            name, _, value = str(override).partition("=")
            overrides[name] = value
        result: dict[str, Any] = {}
        error = None
        # A training leaves the first of them, an evaluation the second.
        for file in (folder / "result.json", folder / "results.json"):
            if file.exists():
                try:
                    document = read_json(file)
                    result = document if isinstance(document, dict) else {}
                except MovAIError as problem:
                    error = str(problem)
                break
        if "metrics" in result:
            result = {"status": "finished", "validation": _measured(result)}
        seconds = result.get("seconds")
        runs.append(
            {
                "folder": folder.name,
                "started": path.stat().st_mtime,
                "overrides": overrides,
                "status": result.get("status", "unfinished"),
                "loss": result.get("loss"),
                "validation": result.get("validation") or {},
                "samples_per_second": result.get("samples_per_second"),
                "minutes": None if seconds is None else seconds / 60,
                "error": result.get("error", error),
            }
        )
    return runs


def _measured(document: dict[str, Any]) -> dict[str, float]:
    """The figures of an evaluation by name."""
    figures = {name: figure.get("value") for name, figure in document["metrics"].items() if isinstance(figure, dict)}
    scores = document.get("compositional") or {}
    figures |= {name: score.get("score") for name, score in scores.items() if isinstance(score, dict)}
    return {name: value for name, value in figures.items() if isinstance(value, int | float)}


def differing(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The overrides that are not the same in all runs, in the order in which they were given."""
    names = dict.fromkeys(name for run in runs for name in run["overrides"])
    return [name for name in names if len(runs) < 2 or len({run["overrides"].get(name) for run in runs}) > 1]


def _row(run: dict[str, Any]) -> dict[str, Any]:
    """The figures of a run by the title of their column."""
    last = {name: run[name] for name in ("samples_per_second", "minutes", "error")}
    first = {"folder": run["folder"], **run["overrides"], "status": run["status"], "loss": run["loss"]}
    return {**first, **run["validation"], **last}


def write_results(directory: Path, runs: list[dict[str, Any]]) -> None:
    """Write `results.json` and `results.csv` into the sweep folder.

    Raises:
        MovAIError: if the folder cannot be written.
    """
    write_json(directory / "results.json", runs)
    rows = [_row(run) for run in runs]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(title for row in rows for title in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(directory / "results.csv", text.getvalue().encode("utf-8"))


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def results_table(directory: Path, runs: list[dict[str, Any]]) -> Table:
    """The runs as a table for the terminal; of the overrides, only those that differ between runs are shown."""
    rows = [_row(run) for run in runs]
    same = {name for run in runs for name in run["overrides"]} - set(differing(runs))
    hidden = {"folder", "error", *same}
    titles = [title for title in dict.fromkeys(title for row in rows for title in row) if title not in hidden]
    table = Table(title=f"{len(runs)} runs in {directory}")
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        failed = row["status"] != "finished"
        table.add_row(*(_text(row.get(title)) for title in titles), style="red" if failed else None)
    return table


def print_runs(directory: Path, runs: list[dict[str, Any]]) -> None:
    """The table on standard output, and a line for each run that failed."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)  # a log file has no width of its own; do not fold columns there
    console.print(results_table(directory, runs))
    for run in runs:
        if run["error"]:
            console.print(f"{run['folder']}: {run['error']}", markup=False, highlight=False, soft_wrap=True)


class SweepTable(Callback):
    """Hydra callback: after `--multirun`, print and save what every run of the sweep came to.

    Runs that an earlier sweep left in the same folder are in the table too. The process exits with 1 if a run of this
    sweep failed.
    """

    def __init__(self) -> None:
        self._started = time.time()

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        if rank():  # of several processes that go through a sweep together
            return
        directory = Path(config.hydra.sweep.dir)
        runs = read_runs(directory)
        print_runs(directory, runs)
        write_results(directory, runs)
        # One second: file systems differ in the precision of their times.
        failed = [run for run in runs if run["status"] != "finished" and run["started"] >= self._started - 1]
        if failed:
            raise SystemExit(1)
