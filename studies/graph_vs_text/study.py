"""Text against graph at equal samples, with learning curves: `python -m studies.graph_vs_text.study`.

One arm and seed after another is trained to each budget of steps in turn and judged there. What is done is not done
again, and a training that was stopped goes on, so that the study may take days. The figures lie with the report, so
that it may also go on in another checkout: what is judged there is not trained again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from mov_ai.errors import MovAIError, UsageError, run_script
from mov_ai.graph.files import check_writable, read_json, write_bytes, write_json
from studies.bounded_commands import BoundedStudy, Runner, TimeUp, call, deadline_in

if TYPE_CHECKING:
    from studies.graph_vs_text.evaluate import Judges

STUDY = "graph_vs_text"
#: Arm, as conf/experiment/graph_vs_text names it -> what its network is told.
ARMS: dict[str, str] = {
    "text": "the caption alone, through attention",
    "graph": "the graph alone, through attention",
    "graph_by_attention": "as graph, its nodes hearing all others by attention instead of neighbours along edges",
    "graph_ungated": "the graph, its intervals not gating attention",
    "boxes": "boxes without looks, and the graph through attention",
    "painting": "looks painted into boxes, no attention to anything",
    "full": "text and graph through attention, the graph painted into boxes",
    "no_spatial": "as full, without attention within frames",
    "no_temporal": "as full, without attention between frames",
    "no_cross": "as full, without attention to text and graph",
}
SEEDS = (0, 1, 2)
#: Steps of a training after which it is judged.
BUDGETS = (375, 750, 1500, 3000)
PROMPTS = 120
#: What is switched off in the graph arm's finished network, to see what it took time from.
TIME_ARM, TIME_PARTS = "graph", ("gating", "node_intervals")
#: What a first look takes of it.
QUICK_SEEDS, QUICK_BUDGETS = SEEDS[:1], BUDGETS[:2]


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog=f"python -m studies.{STUDY}.study", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="ARM[/SEED]", help=f"some of {', '.join(ARMS)}")
    parser.add_argument("--quick", action="store_true", help="a first look: one seed, the two smallest budgets")
    parser.add_argument("--minutes", type=float, help="stop after so long; the same command goes on")
    parser.add_argument("--project", action="store_true", help="nothing but how long it will take on this machine")
    parser.add_argument("--report", action="store_true", help="nothing but the report of what is there")
    parser.add_argument("--prompts", type=int, default=PROMPTS, help="captions that an arm is judged on")
    parser.add_argument("--budgets", type=int, nargs="+", default=list(BUDGETS), help="steps, ascending")
    parser.add_argument("--runs", type=Path, default=Path("runs") / STUDY, help="folder of trainings")
    parser.add_argument("--out", type=Path, default=Path("experiments") / STUDY, help="folder of figures and report")
    parser.add_argument("--train", nargs="+", default=[], metavar="K=V", help="settings for mov_ai.train, for trials")
    return parser.parse_args(given)


def chosen(names: Sequence[str], seeds: Sequence[int], arms: Iterable[str] = ARMS) -> list[tuple[str, int]]:
    """(arm, seed) pairs, seed by seed, that names such as "text" or "text/2" mean; all if there are none.

    Raises:
        UsageError: for an unknown name.
    """
    pairs = [(arm, seed) for seed in seeds for arm in arms]
    known = {arm for arm, _ in pairs} | {f"{arm}/{seed}" for arm, seed in pairs}
    for name in names:
        if name not in known:
            raise UsageError(
                f"--only: expected {', '.join(arms)}, with /SEED of {list(seeds)} if wanted; found {name!r}"
            )
    return [(arm, seed) for arm, seed in pairs if not names or {arm, f"{arm}/{seed}"} & set(names)]


@dataclass
class Study(BoundedStudy):
    """Where the study's files are, and how it is run.

    Attributes:
        runs: `RUNS/ARM/SEED` holds a training.
        prompts: captions to judge on.
        experiments: folder of conf/experiment that the arms are in.
        kept: folder of what was measured: `ARM-SEED.json` says it by steps. None for `RUNS/figures`.
        settings: further ones of every training. Figures of other settings are none of this study's.
        run, deadline: as in `BoundedStudy`.
    """

    runs: Path
    prompts: int = PROMPTS
    experiments: str = STUDY
    kept: Path | None = None
    settings: Sequence[str] = ()
    _judges: Judges | None = field(default=None, init=False)

    def folder(self, arm: str, seed: int) -> Path:
        """Of a training."""
        return self.runs / arm / str(seed)

    def figures(self, arm: str, seed: int, steps: int) -> dict[str, Any] | None:
        """What was measured after so many steps; None if that is still to be done, or to be done again."""
        from studies.graph_vs_text.evaluate import MEASURE_VERSION

        found = self._all_figures(arm, seed).get(str(steps), {})
        wanted = {"version": MEASURE_VERSION, "prompts": self.prompts, "settings": list(self.settings)}
        return found if all(found.get(name) == value for name, value in wanted.items()) else None

    def keep(self, arm: str, seed: int, steps: int, figures: dict[str, Any]) -> None:
        """Note what was measured after so many steps."""
        by_steps = {**self._all_figures(arm, seed), str(steps): {**figures, "settings": list(self.settings)}}
        ascending = {name: by_steps[name] for name in sorted(by_steps, key=int)}
        # A line for each budget: indented, the answers to each caption would be a thousand lines.
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(one, allow_nan=False)}" for name, one in ascending.items())
        write_bytes(self._figures_path(arm, seed), f"{{\n{lines}\n}}\n".encode())

    def _all_figures(self, arm: str, seed: int) -> dict[str, Any]:
        path = self._figures_path(arm, seed)
        return dict(read_json(path)) if path.is_file() else {}

    def _figures_path(self, arm: str, seed: int) -> Path:
        return (self.kept or self.runs / "figures") / f"{arm}-{seed}.json"

    def train(self, arm: str, seed: int, steps: int, settings: Sequence[str] = ()) -> dict[str, Any]:
        """Train up to so many steps, from where the training is; what its result.json holds.

        Raises:
            TimeUp: if the deadline came first. MovAIError: if it fails, or has gone beyond these steps.
        """
        folder = self.folder(arm, seed)
        result = folder / "result.json"
        done = read_json(result) if result.is_file() else {}
        if done.get("steps") == steps:
            return dict(done)
        given = [f"experiment={self.experiments}/{arm}", f"seed={seed}", f"trainer.max_steps={steps}"]
        given += [f"hydra.run.dir={folder}", *settings]
        self.run_module("mov_ai.train", given, f"{arm}, seed {seed}: training")
        trained = read_json(result)
        if trained["steps"] != steps:
            raise MovAIError(f"{folder}: trained {trained['steps']} steps, past {steps}; remove it to begin anew")
        return dict(trained)

    def measure(self, arm: str, seed: int, trained: dict[str, Any], off: Sequence[str] = ()) -> None:
        """Judge an export, and note its figures; those with each of the parts `off` switched off beside them."""
        from mov_ai.hardware import machine
        from studies.graph_vs_text.evaluate import embedded_codec, sampled

        judges, codec, folder = self.judges(), embedded_codec(), self.folder(arm, seed)
        videos, seconds = sampled(folder / "export", codec, judges.told)
        facts = {name: trained[name] for name in ("steps", "samples", "seconds", "parameters")}
        measured = {"arm": arm, "seed": seed, **facts, "seconds_per_video": seconds, "machine": machine()}
        figures = judges.figures(videos)
        if off:
            less = {part: sampled(folder / "export", codec, judges.told, [part])[0] for part in off}
            figures["without"] = {part: judges.figures(made)["answers"] for part, made in less.items()}
        self.keep(arm, seed, trained["steps"], {**measured, **figures})

    def ceiling(self) -> dict[str, Any]:
        """The figures of the true clips as they come back from the codec, and how the parser reads the captions."""
        from studies.graph_vs_text.evaluate import MEASURE_VERSION, embedded_codec, parsed_alike
        from studies.stages.measure import through_codec

        path = (self.kept or self.runs) / "ceiling.json"
        found = read_json(path) if path.is_file() else {}
        if (found.get("version"), found.get("prompts")) != (MEASURE_VERSION, self.prompts):
            judges, codec = self.judges(), embedded_codec()
            # What a perfect generator of latents would show.
            found = judges.figures([through_codec(codec, video) for video in judges.truth])
            found["parsed_alike"] = parsed_alike(judges.told)
            write_json(path, found)
        return found

    def judges(self) -> Judges:
        """What judges; loaded when it is first needed."""
        if self._judges is None:
            import torch

            from studies.graph_vs_text.evaluate import Judges

            torch.set_num_threads(1)
            self._judges = Judges(self.prompts)
        return self._judges


def projected(arms: Iterable[str], seeds: int, budgets: Sequence[int], options: argparse.Namespace) -> str:
    """How long these arms take on this machine, in words."""
    import torch

    from studies.graph_vs_text.projection import projection, seconds_per_step, seconds_per_video

    torch.set_num_threads(1)
    per_step = {arm: seconds_per_step(f"{STUDY}/{arm}", options.train) for arm in arms}
    return projection(per_step, seconds_per_video(), seeds, budgets, options.prompts)


def run(options: argparse.Namespace, console: Console, runner: Runner = call) -> None:
    """Train and judge what is still to be, then write the report of what is there.

    Raises:
        UsageError: for unknown names or budgets that do not ascend. MovAIError: if a part fails.
    """
    from studies.graph_vs_text.report import write_report

    budgets = list(QUICK_BUDGETS if options.quick else options.budgets)
    if budgets != sorted(set(budgets)) or budgets[0] < 1:
        raise UsageError(f"--budgets: expected ascending numbers of steps; found {budgets}")
    seeds = QUICK_SEEDS if options.quick else SEEDS
    pairs = chosen(options.only, seeds)
    if options.project:
        console.print(projected(dict.fromkeys(arm for arm, _ in pairs), len(seeds), budgets, options), highlight=False)
        return
    kept = options.out / "figures"
    study = Study(
        options.runs,
        options.prompts,
        kept=kept,
        settings=options.train,
        run=runner,
        deadline=deadline_in(options.minutes),
    )
    check_writable(options.out)
    try:
        if not options.report:
            study.ceiling()
            for arm, seed in pairs:
                for steps in budgets:
                    if study.figures(arm, seed, steps) is None:
                        study.check_time()
                        console.print(f"{arm}, seed {seed}: to {steps} steps", markup=False, highlight=False)
                        off = TIME_PARTS if arm == TIME_ARM and steps == budgets[-1] else ()
                        study.measure(arm, seed, study.train(arm, seed, steps, options.train), off)
    except TimeUp as reason:
        console.print(str(reason), markup=False, highlight=False)
    measured = [
        figures
        for arm, seed in chosen([], SEEDS)
        for steps in options.budgets
        if (figures := study.figures(arm, seed, steps)) is not None
    ]
    if measured:
        console.print(write_report(options.out, measured, study.ceiling()), markup=False, highlight=False)
    elif options.report:
        raise MovAIError(f"{options.runs}: nothing is measured yet; run the command without --report first")


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_script(STUDY, lambda: run(arguments(given), Console()), "stopped; the same command goes on")


if __name__ == "__main__":
    sys.exit(main())
