"""Plots of a sweep: the losses of its runs, and their figures against what was varied."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mov_ai.curves import COLORS, Panel, Point, svg
from mov_ai.graph.files import write_bytes
from mov_ai.training.sweep import differing

#: Points of a curve; more are thinned out.
_POINTS = 100
#: Losses above so many times the last ones' median are off the plot: the first steps would hide all others.
_OFF = 10.0


def write_plots(folder: Path, runs: Sequence[Mapping[str, Any]], place: Path) -> bool:
    """Write the plots of a sweep as one SVG; False if there is nothing to plot.

    Args:
        folder: of the sweep.
        runs: as `read_runs` gives them.
        place: of the file.

    Raises:
        MovAIError: if it cannot be written.
    """
    varied = differing(runs)
    panels = [_losses(folder, runs, varied), *_figures(runs, varied)]
    panels = [panel for panel in panels if any(panel.series.values())]
    if panels:
        write_bytes(place, svg(panels, columns=2).encode("utf-8"))
    return bool(panels)


def _losses(folder: Path, runs: Sequence[Mapping[str, Any]], varied: Sequence[str]) -> Panel:
    """The loss at each logged step, of as many runs as there are colours: those that end lowest."""
    found = {}
    for run in runs:
        points = _curve(folder / run["folder"] / "metrics.jsonl")
        if points:
            name = ", ".join(f"{key.rpartition('.')[2]}={run['overrides'].get(key, '-')}" for key in varied)
            found[name or run["folder"]] = points
    best = sorted(found, key=lambda name: found[name][-1].y)[: len(COLORS)]
    chosen = {name: found[name] for name in found if name in best}
    title = "loss" if len(chosen) == len(found) else f"loss: the lowest {len(chosen)} of {len(found)} runs"
    if chosen:
        ends = sorted(points[-1].y for points in chosen.values())
        most = _OFF * abs(ends[len(ends) // 2])
        chosen = {name: [p for p in points if abs(p.y) <= most] for name, points in chosen.items()}
    return Panel(title, "step", chosen)


def _curve(path: Path) -> list[Point]:
    points = []
    with contextlib.suppress(OSError):
        for line in path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):  # a line cut short by a kill
                row = json.loads(line)
                step, loss = float(row["step"]), float(row["loss"])
                if math.isfinite(loss):
                    points.append(Point(step, loss, loss, loss))
    every = -(-len(points) // _POINTS)
    # Counted from the end, so that the last one stays.
    return points[::-1][:: max(every, 1)][::-1]


def _figures(runs: Sequence[Mapping[str, Any]], varied: Sequence[str]) -> list[Panel]:
    """Of every number that was varied and every figure a panel, with a point for each run."""
    panels = []
    for key in varied:
        places = [_number(run["overrides"].get(key)) for run in runs]
        if sum(place is not None for place in places) < 2:
            continue
        titles = dict.fromkeys(["loss", *(name for run in runs for name in run["validation"])])
        for title in titles:
            points = []
            for place, run in zip(places, runs, strict=True):
                value = run["loss"] if title == "loss" else run["validation"].get(title)
                if place is not None and isinstance(value, int | float) and math.isfinite(value):
                    points.append(Point(place, value, value, value))
            panels.append(Panel(f"{title} at the end", key, {title: sorted(points)}, joined=False))
    return panels


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
