"""What the parser's graph network is worth: `python -m studies.parser.controls`.

Networks that are trained alike from first weights on (`experiment=parser/control`), two seeds each: with typed edges
and 12 or 6 layers; without types of edges; with messages along the token graph's edges only. Each is measured on the
development data. What is done is not done again; a training that was stopped goes on.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mov_ai.errors import run_script
from mov_ai.evaluation.report.environment import environment
from mov_ai.graph.files import check_writable, read_json, write_json
from mov_ai.parser.parser import SceneGraphParser
from studies.bounded_commands import BoundedStudy, Runner, TimeUp, call, deadline_in
from studies.parser.development import figures

STUDY = "parser.controls"
SEEDS = (0, 1)
#: Figures of the printed table.
_COLUMNS = ("Set Match", "SPICE F", "prompts", "event_order")


class Control(NamedTuple):
    """A kind of network."""

    edges: str
    layers: int
    about: str


CONTROLS = (
    Control("typed", 12, "typed edges, 12 layers (as shipped)"),
    Control("typed", 6, "typed edges, 6 layers"),
    Control("untyped", 12, "all tokens, no types of edges, 12 layers"),
    Control("sparse", 12, "along the graph's edges only, 12 layers"),
)


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    about, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(prog=f"python -m studies.{STUDY}", description=about, epilog=details)
    parser.add_argument("--minutes", type=float, help="stop after so long; the same command goes on")
    parser.add_argument("--runs", type=Path, default=Path("runs") / "parser_controls", help="folder of the trainings")
    parser.add_argument("--out", type=Path, default=Path("experiments/parser"), help="folder of controls.json")
    parser.add_argument("--train", nargs="+", default=[], metavar="K=V", help="settings for mov_ai.train, for trials")
    return parser.parse_args(given)


@dataclass
class Study(BoundedStudy):
    """Trains and measures every control.

    Attributes:
        runs: folder of the trainings.
        train: settings for all of them.
    """

    runs: Path
    train: list[str]

    def measured(self, control: Control, seed: int) -> dict[str, float]:
        """The development figures of one training, which is done first unless it is there."""
        folder = self.runs / f"{control.edges}-{control.layers}-{seed}"
        kept = folder / "development.json"
        if kept.is_file():
            return dict(read_json(kept))
        if not (folder / "export" / "config.json").is_file():
            given = ["experiment=parser/control", f"objective.network.edges={control.edges}", f"seed={seed}"]
            given += [f"objective.network.layers={control.layers}", f"hydra.run.dir={folder}", *self.train]
            self.run_module("mov_ai.train", given, f"{control.about}, seed {seed}")
        self.check_time()
        found = figures(SceneGraphParser.from_pretrained(folder / "export"))
        write_json(kept, found)
        return found


def table(rows: dict[str, list[dict[str, float]]]) -> str:
    """Markdown: each control's mean in per cent, with its seeds behind it."""
    lines = [f"| network | {' | '.join(_COLUMNS)} |", f"|---|{'---:|' * len(_COLUMNS)}"]
    for about, runs in rows.items():
        cells = []
        for column in _COLUMNS:
            values = [100 * run[column] for run in runs]
            each = ", ".join(f"{value:.1f}" for value in values)
            cells.append(f"{statistics.mean(values):.1f} ({each})")
        lines.append(f"| {about} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(given: list[str] | None = None, run: Runner = call) -> None:
    """Train what is not there yet, write the file, print the table."""
    settings = arguments(given)
    check_writable(settings.out)
    warnings.simplefilter("ignore", UserWarning)
    study = Study(settings.runs, settings.train, run=run, deadline=deadline_in(settings.minutes))
    rows: dict[str, list[dict[str, float]]] = {}
    try:
        for seed in SEEDS:
            for control in CONTROLS:
                found = study.measured(control, seed)
                rows.setdefault(control.about, []).append(found)
    except TimeUp as stop:
        sys.stdout.write(f"{stop}\n")
    if rows:
        write_json(
            settings.out / "controls.json", {"seeds": list(SEEDS), "environment": environment(), "controls": rows}
        )
        sys.stdout.write(f"{table(rows)}\n")


if __name__ == "__main__":
    sys.exit(run_script(f"studies.{STUDY}", main))
