"""Edge F1 of sketched things, with the sketch and with its box alone: `python -m studies.sketch.measure`.

Each drawing is given for the first entity of each prompt. The control is the video of the same graph, boxes and seed
without the outline. Figures are means over four frames; how edges are found and compared is in `studies.sketch.edges`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from mov_ai.cli.hints import read_sketches
from mov_ai.errors import run_script
from mov_ai.graph.files import read_json, write_json
from mov_ai.graph.hints import Hints
from mov_ai.hardware import machine
from mov_ai.pipeline import MovAIPipeline
from studies.sketch.drawings import DRAWINGS, drawing
from studies.sketch.edges import edge_score

PROMPTS = ("A red ball rolls left", "A blue cube slides left")
#: Where things are drawn: middle, and side.
PLACE = (0.55, 0.5, 0.32)
#: Frames that are looked at.
SHOWN = (0, 5, 10, 15)
WITH, WITHOUT = "sketch", "box alone"


def measure(pipeline: MovAIPipeline, prompt: str, name: str, stage: int, seed: int) -> dict[str, list[float]]:
    """F1, precision and recall of one drawing, with and without its outline."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.png"
        drawing(name, *PLACE).save(path)
        sketches = read_sketches([str(path)], pipeline.shape)
    graph, _ = pipeline.read(prompt, seed)
    drawn = pipeline(graph, seed=seed, stages=stage, hints=Hints(sketches))
    track = next(track for track in drawn.layout.tracks if track.outline is not None)
    plain = replace(drawn.layout, tracks=[replace(each, outline=None) for each in drawn.layout.tracks], shape=None)
    boxed = pipeline(graph, seed=seed, stages=stage, layout=plain)
    found = {}
    for method, result in ((WITH, drawn), (WITHOUT, boxed)):
        scores = [edge_score(result.frames[number], track, number) for number in SHOWN]
        rows = [(score.f1, score.precision, score.recall) for score in scores]
        found[method] = [round(float(value), 4) for value in np.mean(rows, 0)]
    return found


def table(measured: dict[str, Any], stage: int) -> Table:
    """One row a drawing, and the mean."""
    result = Table(title=f"edge F1 (precision, recall) at stage {stage}, tolerance 2 of 128 pixels; {machine()}")
    for column in ("drawing", WITH, WITHOUT):
        result.add_column(column)
    names = [name for name in DRAWINGS if any(key.endswith(f"/{name}") for key in measured)]

    def cells(keys: list[str]) -> list[str]:
        means = [np.mean([measured[key][method] for key in keys], 0) for method in (WITH, WITHOUT)]
        return [f"{f1:.2f} ({precision:.2f}, {recall:.2f})" for f1, precision, recall in means]

    for name in names:
        result.add_row(name, *cells([key for key in measured if key.endswith(f"/{name}")]))
    result.add_row(f"all {len(measured)}", *cells(list(measured)))
    return result


def main(arguments: list[str] | None = None) -> int:
    """Measure what is not measured yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="tiny")
    parser.add_argument("--stage", type=int, default=128, help="longer side of the last stage")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file to keep figures in, and to go on from")
    given = parser.parse_args(arguments)

    def work() -> None:
        measured = read_json(given.out) if given.out is not None and given.out.is_file() else {}
        pipeline = MovAIPipeline.from_pretrained(given.checkpoint, "cpu")
        console = Console()
        for name in DRAWINGS:
            for prompt in PROMPTS:
                key = f"{prompt}/{name}"
                if key not in measured:
                    measured[key] = measure(pipeline, prompt, name, given.stage, given.seed)
                    console.print(key, measured[key])
                    if given.out is not None:
                        write_json(given.out, measured)
        console.print(table(measured, given.stage))

    return run_script("studies.sketch.measure", work)


if __name__ == "__main__":
    sys.exit(main())
