"""Coverage of three 95 % intervals of the Fréchet distance on Gaussians: `python -m studies.intervals.coverage`.

What an interval is to hold is the mean of the distances of other samples of the same sizes: the bias that comes with a
size is not its matter. Features have variances 1, 1/2, 1/3, ..., as those of networks fall off too; the second set is
of the same distribution, or shifted and wider.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mov_ai.errors import UsageError, run_script
from mov_ai.evaluation.metrics.bootstrap import around, set_interval
from mov_ai.evaluation.metrics.frechet import frechet_distance, frechet_error
from mov_ai.graph.files import write_json
from mov_ai.hardware import machine

#: Features, samples of the generated set, samples of the reference.
SIZES = ((24, 128, 256), (200, 64, 128), (400, 128, 256))
KINDS = ("same", "shifted")
RESAMPLES = 100
Sets = tuple[np.ndarray, np.ndarray]


def bootstrap(sets: Sets, value: float, rng: np.random.Generator) -> tuple[float, float]:
    """Whole sets resampled with replacement."""
    return set_interval(frechet_distance, sets, value, RESAMPLES, int(rng.integers(2**31)), minimum=0.0)


def halves(sets: Sets, value: float, rng: np.random.Generator) -> tuple[float, float]:
    """Halves drawn without replacement: no duplicates, and the spread of halves is that of the whole."""
    drawn = [
        frechet_distance(*(members[rng.permutation(len(members))[: len(members) // 2]] for members in sets))
        for _ in range(RESAMPLES)
    ]
    return around(value, drawn, 0.0)


def delta(sets: Sets, value: float, rng: np.random.Generator) -> tuple[float, float]:
    """What `mov_ai` reports."""
    spread = 1.96 * frechet_error(*sets)
    return max(0.0, value - spread), value + spread


METHODS: dict[str, Callable[[Sets, float, np.random.Generator], tuple[float, float]]] = {
    "bootstrap": bootstrap,
    "half samples": halves,
    "delta method": delta,
}


def draw(rng: np.random.Generator, size: tuple[int, int, int], kind: str) -> Sets:
    """A generated set and a reference."""
    features, generated, reference = size
    scale = np.arange(1, features + 1) ** -0.5
    first, second = (rng.normal(size=(n, features)) * scale for n in (generated, reference))
    return (first * 1.3 + 0.3 * scale if kind == "shifted" else first), second


def measure(size: tuple[int, int, int], kind: str, trials: int, console: Console) -> list[dict[str, Any]]:
    """Of each method: the share of intervals that hold the mean, and their width over that of the true spread."""
    rng = np.random.default_rng(0)
    values = np.array([frechet_distance(*draw(rng, size, kind)) for _ in range(4 * trials)])
    true_width = float(np.diff(np.quantile(values, [0.025, 0.975]))[0])
    intervals: dict[str, list[tuple[float, float]]] = {name: [] for name in METHODS}
    for _ in track(range(trials), f"{size} {kind}", console=console, transient=True):
        sets = draw(rng, size, kind)
        value = frechet_distance(*sets)
        for name, method in METHODS.items():
            intervals[name].append(method(sets, value, rng))
    return [
        {
            "features": size[0],
            "samples": list(size[1:]),
            "sets": kind,
            "method": name,
            "coverage": float(np.mean([low <= values.mean() <= high for low, high in found])),
            "width": float(np.mean([high - low for low, high in found])) / true_width,
        }
        for name, found in intervals.items()
    ]


def table(rows: list[dict[str, Any]], trials: int) -> Table:
    """A row for each size and kind, two columns for each method."""
    result = Table(
        title=f"95 % intervals of the Fréchet distance: coverage, and width over the true one; {trials} trials"
    )
    for name in ("features", "samples", "sets", *METHODS):
        result.add_column(name, justify="right")
    for start in range(0, len(rows), len(METHODS)):
        group = rows[start : start + len(METHODS)]
        first = group[0]
        cells = [f"{100 * row['coverage']:.0f} %, {row['width']:.2f}" for row in group]
        result.add_row(str(first["features"]), " and ".join(map(str, first["samples"])), first["sets"], *cells)
    return result


def run(console: Console, trials: int = 200, out: Path | None = None) -> dict[str, Any]:
    """Measure, print and write; returns what is written. Raises UsageError for fewer than 2 trials."""
    if trials < 2:
        raise UsageError(f"--trials: expected 2 or more; found {trials}")
    rows = [row for size in SIZES for kind in KINDS for row in measure(size, kind, trials, console)]
    console.print(table(rows, trials))
    result = {
        "command": f"python -m studies.intervals.coverage --trials {trials}",
        "machine": machine(),
        "resamples": RESAMPLES,
        "rows": rows,
    }
    if out is not None:
        write_json(out, result)
    return result


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m studies.intervals.coverage", description=__doc__)
    parser.add_argument("--trials", type=int, default=200, help="intervals for each size")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    options = parser.parse_args(given)
    return run_script("coverage", lambda: run(Console(), options.trials, options.out))


if __name__ == "__main__":
    sys.exit(main())
