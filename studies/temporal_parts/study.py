"""What looks over time around a frozen image model, at equal compute: `python -m studies.temporal_parts`.

A text-to-image model is trained on single frames and frozen; layers or blocks over time (FusionFrames,
arXiv 2311.13073) are trained around it, or nothing is. TSAM, with attention over time of its own, is trained on videos
with as many floating-point operations as image model and parts together. All are told the caption alone. What is done
is not done again, and a training that was stopped goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from mov_ai.errors import MovAIError, UsageError, run_script
from mov_ai.graph.files import check_writable, read_json, write_json
from studies.bounded_commands import Runner, TimeUp, call, deadline_in
from studies.graph_vs_text.study import Study, chosen

if TYPE_CHECKING:
    from studies.temporal_parts.compute import Cost
    from studies.temporal_parts.evaluate import TemporalJudges

STUDY = "temporal_parts"
#: Arm -> what it is.
ARMS: dict[str, str] = {
    "image": "the frozen image model, frame by frame",
    "layers": "layers over time between the image model's own",
    "blocks": "blocks over time beside the image model's whole ones",
    "tsam": "TSAM, all of it trained on videos",
}
#: Arms around the image model of their seed.
AROUND = ("layers", "blocks")
SEEDS = (0, 1, 2)
#: Steps of TSAM, and the share of its compute that the image model gets of the other arms'.
STEPS, SHARE = 700, 0.5
PROMPTS = 100


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    about, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(prog=f"python -m studies.{STUDY}", description=about, epilog=details)
    parser.add_argument("--only", nargs="+", default=[], metavar="ARM[/SEED]", help=f"some of {', '.join(ARMS)}")
    parser.add_argument("--minutes", type=float, help="stop after so long; the same command goes on")
    parser.add_argument("--project", action="store_true", help="nothing but how long it will take on this machine")
    parser.add_argument("--report", action="store_true", help="nothing but the report of what is there")
    parser.add_argument("--steps", type=int, default=STEPS, help="of TSAM; the others' follow by compute")
    parser.add_argument("--share", type=float, default=SHARE, help="of the compute, that the image model gets")
    parser.add_argument("--prompts", type=int, default=PROMPTS, help="captions that an arm is judged on")
    parser.add_argument("--runs", type=Path, default=Path("runs") / STUDY, help="folder of trainings and figures")
    parser.add_argument("--out", type=Path, default=Path("experiments") / STUDY, help="folder of the report")
    parser.add_argument("--train", nargs="+", default=[], metavar="K=V", help="settings for mov_ai.train, for trials")
    return parser.parse_args(given)


def steps_of(arm: str, steps: dict[str, int]) -> dict[str, int]:
    """Of the trainings that an arm consists of, of all trainings' steps."""
    names = ("image", arm) if arm in AROUND else (arm,)
    return {name: steps[name] for name in names}


@dataclass
class TemporalStudy(Study):
    """`RUNS/ARM/SEED` holds a training, that of the image model among them, and `figures.json` what was measured."""

    experiments: str = STUDY

    def costs(self) -> dict[str, Cost]:
        """What a step of each training costs; measured once for the same settings."""
        from studies.temporal_parts.compute import Cost, costs, to_json

        path = self.runs / "compute.json"
        found = read_json(path) if path.is_file() else {}
        if found.get("settings") != list(self.settings):
            found = {"settings": list(self.settings), "costs": to_json(costs(self.experiments, self.settings))}
            write_json(path, found)
        return {name: Cost(**one) for name, one in found["costs"].items()}

    def measured(self, arm: str, seed: int, steps: dict[str, int]) -> dict[str, Any] | None:
        """The figures of an arm after such trainings; None if they are still to be taken, or to be taken again."""
        from studies.temporal_parts.evaluate import VERSION

        path = self.folder(arm, seed) / "figures.json"
        found = read_json(path) if path.is_file() else {}
        wanted = {"version": VERSION, "prompts": self.prompts, "steps": steps_of(arm, steps)}
        return found if all(found.get(name) == value for name, value in wanted.items()) else None

    def train(self, arm: str, seed: int, steps: int, settings: Sequence[str] = ()) -> dict[str, Any]:
        """As `Study.train`, but what was trained for fewer steps is no beginning: the rate has come down to 0."""
        path = self.folder(arm, seed) / "result.json"
        done = read_json(path).get("steps", steps) if path.is_file() else steps
        if done != steps:
            raise MovAIError(f"{path.parent}: trained for {done} steps instead of {steps}; give another --runs")
        return super().train(arm, seed, steps, settings)

    def run_arm(self, arm: str, seed: int, steps: dict[str, int]) -> None:
        """Train an arm, its image model first, and take its figures.

        Raises:
            TimeUp: if the deadline came first. MovAIError: if a training fails.
        """
        from mov_ai.hardware import machine
        from studies.graph_vs_text.evaluate import embedded_codec, sampled
        from studies.temporal_parts.evaluate import save_alone

        image = None if arm == "tsam" else self.train("image", seed, steps["image"], self.settings)
        image_model = self.folder("image", seed) / "export"
        trained, export = image or {}, self.folder(arm, seed) / "export"
        if arm == "image":
            export = self.folder(arm, seed) / "alone"
            save_alone(f"{self.experiments}/{AROUND[0]}", image_model, export, self.settings)
        else:
            around = [f"image_model={image_model}"] if arm in AROUND else []
            trained = self.train(arm, seed, steps[arm], [*self.settings, *around])
        self.check_time()
        judges = self.judges()
        videos, seconds = sampled(export, embedded_codec(), judges.told)
        parts = [part for part in (image, trained if arm != "image" else None) if part is not None]
        facts = {name: sum(part[name] for part in parts) for name in ("samples", "seconds", "parameters")}
        figures = {"arm": arm, "seed": seed, **facts, "seconds_per_video": seconds, "machine": machine()}
        path = self.folder(arm, seed) / "figures.json"
        write_json(path, {**figures, **judges.figures(videos), "steps": steps_of(arm, steps)})

    def ceiling(self) -> dict[str, Any]:
        """The figures of the true clips as they come back from the codec."""
        from studies.graph_vs_text.evaluate import embedded_codec
        from studies.stages.measure import through_codec
        from studies.temporal_parts.evaluate import VERSION

        path = self.runs / "ceiling.json"
        found = read_json(path) if path.is_file() else {}
        if (found.get("version"), found.get("prompts")) != (VERSION, self.prompts):
            judges, codec = self.judges(), embedded_codec()
            found = judges.figures([through_codec(codec, video) for video in judges.truth])
            write_json(path, found)
        return found

    def judges(self) -> TemporalJudges:
        """What judges; loaded when it is first needed."""
        from studies.temporal_parts.evaluate import TemporalJudges

        if not isinstance(self._judges, TemporalJudges):
            import torch

            torch.set_num_threads(1)
            self._judges = TemporalJudges(self.prompts)
        return self._judges


def projected(cost: dict[str, Cost], steps: dict[str, int], seeds: int, prompts: int) -> str:
    """How long all takes on this machine, in words."""
    import torch

    from studies.graph_vs_text.projection import seconds_per_video

    torch.set_num_threads(1)
    judging = seconds_per_video() * prompts
    minutes = {name: steps[name] * one.seconds / 60 for name, one in cost.items()}
    lines = [
        f"{name}: {steps[name]:,} steps of {one.flops / 1e9:.1f} GFLOP and {one.seconds:.3f} s, "
        f"{one.parameters:,} parameters: {minutes[name]:.1f} minutes"
        for name, one in cost.items()
    ]
    total = seeds * (sum(minutes.values()) + len(ARMS) * judging / 60)
    return "\n".join(
        [*lines, f"judging: {judging / 60:.1f} minutes an arm", f"all, {seeds} seeds: {total:.0f} minutes"]
    )


def run(options: argparse.Namespace, console: Console, runner: Runner = call) -> None:
    """Train and judge what is still to be, then write the report of what is there.

    Raises:
        UsageError: for unknown names, or numbers of steps and shares that leave a training none. MovAIError: if a part
            fails.
    """
    from studies.temporal_parts.compute import equal_steps
    from studies.temporal_parts.report import write_report

    pairs = chosen(options.only, SEEDS, ARMS)
    if options.steps < 1:
        raise UsageError(f"--steps: expected 1 or more; found {options.steps}")
    if options.prompts < 2:
        raise UsageError(f"--prompts: expected 2 or more; found {options.prompts}")
    study = TemporalStudy(
        options.runs, options.prompts, settings=options.train, run=runner, deadline=deadline_in(options.minutes)
    )
    if options.report and not (options.runs / "compute.json").is_file():
        raise MovAIError(f"{options.runs}: nothing is measured yet; run the command without --report first")
    cost = study.costs()
    steps = equal_steps(cost, options.steps, options.share)
    if options.project:
        console.print(projected(cost, steps, len(SEEDS), options.prompts), highlight=False)
        return
    check_writable(options.out)
    try:
        if not options.report:
            study.ceiling()
            for arm, seed in pairs:
                if study.measured(arm, seed, steps) is None:
                    study.check_time()
                    console.print(f"{arm}, seed {seed}: {steps[arm]:,} steps", markup=False, highlight=False)
                    study.run_arm(arm, seed, steps)
    except TimeUp as reason:
        console.print(str(reason), markup=False, highlight=False)
    done = [figures for arm, seed in chosen([], SEEDS, ARMS) if (figures := study.measured(arm, seed, steps))]
    if done:
        console.print(write_report(options.out, done, study.ceiling(), cost), markup=False, highlight=False)
    elif options.report:
        raise MovAIError(f"{options.runs}: nothing is measured yet; run the command without --report first")


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_script(STUDY, lambda: run(arguments(given), Console()), "stopped; the same command goes on")


if __name__ == "__main__":
    sys.exit(main())
