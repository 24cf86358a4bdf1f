"""`mov-ai sweep`: what the runs of a multirun came to."""

from __future__ import annotations

from pathlib import Path

import typer

from mov_ai.cli.messages import say
from mov_ai.errors import UsageError

sweep = typer.Typer(help="Several runs of a training or an evaluation, side by side.", rich_markup_mode=None)


@sweep.callback()
def root() -> None:
    """Several runs of a training or an evaluation, side by side."""


@sweep.command()
def report(
    folder: Path = typer.Argument(help="What `mov_ai.train -m` or `mov_ai.evaluate -m` wrote.", metavar="DIR"),
    out: Path | None = typer.Option(None, help="Where the plot goes.", show_default="DIR/report.svg"),
) -> None:
    """Print all runs, also those that failed or go on, and plot their losses and figures."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; give the one that a multirun wrote, such as runs/sweeps/NAME")
    if out is not None and out.suffix != ".svg":
        raise UsageError(f"--out: {out}: expected a name that ends with .svg")
    from mov_ai.training.sweep import print_runs, read_runs, write_results
    from mov_ai.training.sweep_plots import write_plots

    runs = read_runs(folder)
    if not runs:
        raise UsageError(f"{folder}: holds no runs; give the folder that a multirun wrote, such as runs/sweeps/NAME")
    print_runs(folder, runs)
    write_results(folder, runs)
    place = out or folder / "report.svg"
    if write_plots(folder, runs, place):
        say(f"wrote {place}")
    else:
        say("nothing to plot yet: no run has a loss or a figure")
