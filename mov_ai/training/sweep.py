"""The table at the end of a sweep: every run in the sweep's folder, also those that failed."""

from __future__ import annotations

import csv
import io
import re
import time
import zlib
from pathlib import Path
from typing import Any

import yaml
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from mov_ai.errors import MovAIError
from mov_ai.graph.files import read_json, write_bytes, write_json

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
        if (folder / "result.json").exists():
            try:
                document = read_json(folder / "result.json")
                result = document if isinstance(document, dict) else {}
            except MovAIError as problem:
                error = str(problem)
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


def _cells(runs: list[dict[str, Any]], names: list[str], figures: list[str]) -> list[list[Any]]:
    return [
        [
            run["folder"],
            *(run["overrides"].get(name) for name in names),
            run["status"],
            run["loss"],
            *(run["validation"].get(figure) for figure in figures),
            run["samples_per_second"],
            run["minutes"],
            run["error"],
        ]
        for run in runs
    ]


def _columns(runs: list[dict[str, Any]]) -> tuple[list[str], list[str], list[str]]:
    """Override names, validation names, and all column titles."""
    names = list(dict.fromkeys(name for run in runs for name in run["overrides"]))
    figures = list(dict.fromkeys(name for run in runs for name in run["validation"]))
    titles = ["folder", *names, "status", "loss", *figures, "samples_per_second", "minutes", "error"]
    return names, figures, titles


def write_results(directory: Path, runs: list[dict[str, Any]]) -> None:
    """Write `results.json` and `results.csv` into the sweep folder.

    Raises:
        MovAIError: if the folder cannot be written.
    """
    write_json(directory / "results.json", runs)
    names, figures, titles = _columns(runs)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(titles)
    writer.writerows(_cells(runs, names, figures))
    write_bytes(directory / "results.csv", text.getvalue().encode("utf-8"))


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def results_table(directory: Path, runs: list[dict[str, Any]]) -> Table:
    """The runs as a table for the terminal; of the overrides, only those that differ between runs are shown."""
    names, figures, _ = _columns(runs)
    if len(runs) > 1:
        names = [name for name in names if len({run["overrides"].get(name) for run in runs}) > 1]
    table = Table(title=f"{len(runs)} runs in {directory}")
    for title in (*names, "status", "loss", *figures, "samples/s", "minutes"):
        table.add_column(title, overflow="fold")
    for run, cells in zip(runs, _cells(runs, names, figures), strict=True):
        failed = run["status"] != "finished"
        table.add_row(*(_text(cell) for cell in cells[1:-1]), style="red" if failed else None)
    return table


class SweepTable(Callback):
    """Hydra callback: after `--multirun`, print and save what every run of the sweep came to.

    Runs that an earlier sweep left in the same folder are in the table too. The process exits with 1 if a run of this
    sweep failed.
    """

    def __init__(self) -> None:
        self._started = time.time()

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        directory = Path(config.hydra.sweep.dir)
        runs = read_runs(directory)
        console = Console()
        if not console.is_terminal:
            console = Console(width=200)  # a log file has no width of its own; do not fold columns there
        console.print(results_table(directory, runs))
        for run in runs:
            if run["error"]:
                console.print(f"{run['folder']}: {run['error']}", markup=False, highlight=False, soft_wrap=True)
        write_results(directory, runs)
        # One second: file systems differ in the precision of their times.
        failed = [run for run in runs if run["status"] != "finished" and run["started"] >= self._started - 1]
        if failed:
            raise SystemExit(1)
