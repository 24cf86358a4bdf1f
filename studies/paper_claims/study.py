"""Claims of the paper, one command each: `python -m studies.paper_claims.study {loss,modules,sizes,report}`.

- `loss`: a Hydra multirun over the weights of the loss, one at a time around the paper's 1.0, 0.5, 0.1; each training
  is measured for consistency over time and for what was asked for.
- `modules`: a refiner that was trained on rendered videos, and one on what the denoiser before it makes.
- `sizes`: what the stages of 256 and 512 add.

What is done is not done again; a training that was stopped goes on.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from mov_ai.errors import UsageError, run_script
from mov_ai.graph.files import check_writable, read_json, write_json
from studies.bounded_commands import BoundedStudy, Runner, TimeUp, call, deadline_in

STUDY = "paper_claims"
PARTS = ("loss", "modules", "sizes", "report")
#: The paper's weights, and what each is set to while the others stay.
PAPER_WEIGHTS = {"temporal": 1.0, "semantic": 0.5, "perceptual": 0.1}
SWEEP: dict[str, tuple[float, ...]] = {
    "temporal": (0.0, 0.5, 2.0, 8.0),
    "semantic": (0.0, 0.25, 1.0, 4.0),
    "perceptual": (0.0, 0.05, 0.4, 3.2),
}
#: How a refiner's first videos come about -> what that is.
MODULES = {"apart": "trained on rendered videos", "joined": "trained on what the denoiser makes"}
PROMPTS, CLIPS = 120, 16


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    about, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(prog=f"python -m studies.{STUDY}.study", description=about, epilog=details)
    parser.add_argument("part", choices=PARTS, help="which claim; report writes what is there")
    parser.add_argument("--minutes", type=float, help="stop after so long; the same command goes on")
    parser.add_argument("--prompts", type=int, default=PROMPTS, help="loss: captions that each training is judged on")
    parser.add_argument("--denoiser", type=Path, help="modules: a run folder of experiment=tiny/denoiser")
    parser.add_argument(
        "--checkpoint", default="tiny", help="sizes: an embedded pipeline, or the folder of a saved one"
    )
    parser.add_argument("--clips", type=int, default=CLIPS, help="modules, sizes: clips of the validation split")
    parser.add_argument("--runs", type=Path, default=Path("runs") / STUDY, help="folder of trainings and figures")
    parser.add_argument("--out", type=Path, default=Path("experiments") / STUDY, help="folder of the report")
    parser.add_argument("--train", nargs="+", default=[], metavar="K=V", help="settings for mov_ai.train, for trials")
    return parser.parse_args(given)


@dataclass
class Study(BoundedStudy):
    """Where the files are, and how commands are run.

    Attributes:
        runs: `sweep/` is the multirun's folder, `modules/NAME` a refiner's; figures stand in JSON beside what they are
            of.
        settings: further settings of every training.
        run, deadline: as in `BoundedStudy`.
    """

    runs: Path
    settings: Sequence[str] = ()

    def sweep(self, prompts: int) -> None:
        """Train what is still to be trained of the sweep, and measure every training of it."""
        for name, values in SWEEP.items():
            # The paper's own weights are one training; it is in the first row.
            wanted = (PAPER_WEIGHTS[name], *values) if name == "temporal" else values
            done = [
                point[name] for point in self.trained() if all(point[k] == PAPER_WEIGHTS[k] for k in SWEEP if k != name)
            ]
            missing = [f"{value:g}" for value in wanted if value not in done]
            if missing:
                given = [f"experiment={STUDY}/loss_weights", f"loss.{name}={','.join(missing)}"]
                given.append(f"hydra.sweep.dir={self.runs / 'sweep'}")
                self.run_module("mov_ai.train", ["-m", *given, *self.settings], f"the sweep of {name}")
        self._measure_sweep(prompts)

    def trained(self) -> list[dict[str, Any]]:
        """The finished trainings of the sweep: the three weights, and the `folder` of each."""
        from mov_ai.training.sweep import read_runs

        found = []
        for run in read_runs(self.runs / "sweep"):
            if run["status"] == "finished":
                given = {name.removeprefix("loss."): value for name, value in run["overrides"].items()}
                weights = {name: float(given.get(name, usual)) for name, usual in PAPER_WEIGHTS.items()}
                others = {f"{name}={value}" for name, value in given.items() if name not in (*weights, "experiment")}
                # A trial with other settings is no point of the sweep.
                if others == set(self.settings):
                    found.append({**weights, "folder": self.runs / "sweep" / run["folder"]})
        return found

    def _measure_sweep(self, prompts: int) -> None:
        from studies.graph_vs_text.evaluate import embedded_codec, sampled
        from studies.graph_vs_text.study import Study as GraphStudy

        # Its captions, its judges, and what the true clips have.
        graphs = GraphStudy(self.runs, prompts)
        graphs.ceiling()
        for point in self.trained():
            path = point["folder"] / "figures.json"
            if path.is_file() and read_json(path)["prompts"] == prompts:
                continue
            self.check_time()
            judges = graphs.judges()
            videos, _ = sampled(point["folder"] / "export", embedded_codec(), judges.told)
            weights = {name: point[name] for name in PAPER_WEIGHTS}
            write_json(path, {**weights, **judges.figures(videos)})

    def modules(self, denoiser: Path | None, clips: int) -> None:
        """Train both refiners, and measure each behind the denoiser.

        Raises:
            UsageError: if no denoiser is given and the refiners are not there yet.
        """
        from mov_ai.assembly import assemble
        from mov_ai.pipeline_files import pipeline_folder
        from mov_ai.training.clip_encoder import folder_digest

        folder = self.runs / "modules"
        if all((folder / f"{name}.json").is_file() for name in MODULES):
            return
        if denoiser is None:
            raise UsageError("--denoiser: expected the folder of a finished run of experiment=tiny/denoiser")
        # Of another denoiser is another one.
        exported = denoiser / "export" if (denoiser / "export").is_dir() else denoiser
        codec, first = pipeline_folder("tiny") / "codec", folder / f"stage_128_{folder_digest(exported)}"
        if not first.is_dir():
            assemble(codec, denoiser, first)
        for name in MODULES:
            if not (folder / name / "result.json").is_file():
                earlier = "null" if name == "apart" else first
                given = [f"experiment={STUDY}/refiner", f"data.earlier={earlier}", f"hydra.run.dir={folder / name}"]
                self.run_module("mov_ai.train", [*given, *self.settings], f"the refiner {MODULES[name]}")
            pipeline = folder / f"{name}_pipeline"
            shutil.rmtree(pipeline, ignore_errors=True)
            assemble(codec, denoiser, pipeline, refiner=folder / name)
            self._stages(str(pipeline), clips, folder / f"{name}.json", ["--stage", "256"])

    def sizes(self, checkpoint: str, clips: int) -> None:
        """Measure the stages of a pipeline."""
        if not (self.runs / "sizes.json").is_file():
            self._stages(checkpoint, clips, self.runs / "sizes.json")

    def _stages(self, checkpoint: str, clips: int, out: Path, further: Sequence[str] = ()) -> None:
        given = ["--checkpoint", checkpoint, "--clips", str(clips), "--device", "cpu", "--out", str(out), *further]
        self.run_module("studies.stages.measure", given, f"measuring {checkpoint}")


def run(options: argparse.Namespace, console: Console, runner: Runner = call) -> None:
    """Do one part, then write the report of what is there.

    Raises:
        UsageError: for a missing option. MovAIError: if a command fails, or nothing is measured yet.
    """
    from studies.paper_claims.report import write_report

    check_writable(options.out)
    study = Study(options.runs, options.train, run=runner, deadline=deadline_in(options.minutes))
    try:
        match options.part:
            case "loss":
                study.sweep(options.prompts)
            case "modules":
                study.modules(options.denoiser, options.clips)
            case "sizes":
                study.sizes(options.checkpoint, options.clips)
    except TimeUp as reason:
        console.print(str(reason), markup=False, highlight=False)
    console.print(write_report(options.runs, options.out), markup=False, highlight=False)


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_script(STUDY, lambda: run(arguments(given), Console()), "stopped; the same command goes on")


if __name__ == "__main__":
    sys.exit(main())
