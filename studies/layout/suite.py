"""Layouts of hand-written prompts, fact by fact: `python -m mov_ai.evaluate suite=layout`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.bootstrap import share_interval
from mov_ai.evaluation.report.environment import environment
from mov_ai.graph import Layout, SceneGraph
from mov_ai.graph.files import check_writable, write_bytes, write_json
from mov_ai.models.component import load_component
from mov_ai.models.planner import LayoutPlanner, PlannerConfig
from mov_ai.parser.parser import SceneGraphParser
from mov_ai.pipeline_files import pipeline_folder, read_pipeline_file
from mov_ai.plugins import load_world
from studies.layout.cast import cast_of
from studies.layout.checks import CHECKS, Fault, faults
from studies.layout.facts import FOLDER, UNSEEN, LayoutPrompt, layout_prompts
from studies.layout.judge import Judge
from studies.layout.predicates import Answer
from studies.parser.measure import Parser, parse_all
from studies.parser.prompt_gold import splits_of

#: Whose graph a layout is planned from: the parser's, or the one made by hand.
SOURCES = ("text", "gold")
#: Sets of prompts, and their folders.
_SETS = {"told": FOLDER, "unseen": UNSEEN}
#: (graph, seed, candidates) -> the graph as it is planned, with what a world assumes, and its layout.
Planner = Callable[[SceneGraph, int, int], tuple[SceneGraph, Layout]]


@dataclass(frozen=True)
class Judged:
    """One layout: an answer for each fact of its prompt, what is wrong in general, how long it took.

    Attributes:
        extra: tracks of things that the prompt does not speak of.
        seconds: of a processor, for completing the graph, planning and choosing.
    """

    answers: tuple[Answer, ...]
    faults: tuple[Fault, ...]
    extra: int
    seconds: float


@dataclass(frozen=True)
class LayoutSuite:
    """What `conf/suite/layout.yaml` sets.

    Attributes:
        checkpoint: an embedded pipeline or a folder, for its planner and its world.
        parser: folder of the parser; the embedded one if None.
        layouts: "told", the prompts of data/layouts, or "unseen", those of data/layouts/unseen.
        candidates: layouts that the verifier chooses among in a round, one arm each (see `LayoutPlanner.plan`).
        frames: of a layout.
        batch_size: prompts a call of the parser.
        seed: of layouts and of the bootstrap.
    """

    checkpoint: str = "tiny"
    parser: str | None = None
    layouts: str = "told"
    candidates: Sequence[int] = (1, 8)
    frames: int = 16
    batch_size: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        numbers = [("candidates", value, 1) for value in self.candidates]
        numbers += [("frames", self.frames, 2), ("batch_size", self.batch_size, 1), ("seed", self.seed, 0)]
        for name, value, least in numbers:
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise UsageError(f"{name}: expected whole numbers from {least}; found {value!r}")
        object.__setattr__(self, "candidates", tuple(self.candidates))
        if not self.candidates:
            raise UsageError("candidates: expected at least one number; found none")
        if self.layouts not in _SETS:
            raise UsageError(f"layouts: expected {' or '.join(_SETS)}; found {self.layouts!r}")

    @property
    def less_memory(self) -> str:
        """Two settings that need less, where memory has run out."""
        return "use suite.batch_size=8 for fewer texts at a time, or suite.candidates=[1] for one layout of each"

    def run(self, output: Path, console: Console) -> dict[str, Any]:
        """Measure, print the table, write results.json, report.md and misses.md; returns what is in results.json.

        `misses.md` is of the development half only: nobody looks at the mistakes of the other half.

        Raises:
            UsageError: if a folder does not hold a parser, or a pipeline with a planner.
            MovAIError: if the output cannot be written.
        """
        check_writable(output)
        planner = embedded_planner(self.checkpoint, self.frames)
        result = self.measure(SceneGraphParser.from_pretrained(self.parser), planner, output)
        write_json(output / "results.json", result)
        write_bytes(output / "report.md", report(result).encode("utf-8"))
        made = Table("kind of prompt", *heads(result), title=_TITLE)
        for row in rows(result):
            made.add_row(*row)
        console.print(made)
        console.print(f"written: {output}/results.json, report.md, misses.md", highlight=False, soft_wrap=True)
        return result

    def measure(self, parser: Parser, planner: Planner, output: Path) -> dict[str, Any]:
        """All figures, ready for JSON; writes the misses of the development half into `output`."""
        prompts = layout_prompts(folder=_SETS[self.layouts])
        texts = [prompt.gold.text for prompt in prompts]
        # Time of the processor: what else the machine does is no part of it.
        start = time.process_time()
        parsed = parse_all(parser, texts, self.batch_size)
        parse_seconds = (time.process_time() - start) / len(texts)
        graphs: dict[str, list[SceneGraph | None]] = {"text": parsed, "gold": [prompt.gold.graph for prompt in prompts]}
        # What is loaded or compiled on the first call is no layout's time.
        planner(prompts[0].gold.graph, self.seed, max(self.candidates))
        arms = {
            (source, candidates): [
                self._judged(prompt, graph, planner, candidates)
                for prompt, graph in zip(prompts, graphs[source], strict=True)
            ]
            for source in SOURCES
            for candidates in self.candidates
        }
        result: dict[str, Any] = {"suite": "layout", "settings": asdict(self), "environment": environment()}
        result["settings"]["candidates"] = list(self.candidates)
        result["threads"] = torch.get_num_threads()
        splits = splits_of(prompt.gold for prompt in prompts)
        result["prompts"] = {split: sum(p.gold.split == split for p in prompts) for split in splits}
        result["refused"] = parsed.count(None)
        result["parse_ms"] = round(1000 * parse_seconds, 2)
        result["arms"] = [
            {"graph": source, "candidates": candidates, **self._arm(prompts, judged)}
            for (source, candidates), judged in arms.items()
        ]
        most = max(self.candidates)
        shown = {source: arms[source, most] for source in SOURCES}
        write_bytes(output / "misses.md", misses(prompts, shown).encode("utf-8"))
        return result

    def _judged(self, prompt: LayoutPrompt, graph: SceneGraph | None, planner: Planner, candidates: int) -> Judged:
        graph = graph or SceneGraph.from_dict({"version": 2, "nodes": []})
        start = time.process_time()
        try:
            graph, layout = planner(graph, self.seed, candidates)
        except UsageError:
            layout = Layout(self.frames)
        seconds = time.process_time() - start
        cast = cast_of(prompt.gold, graph, layout)
        answers = Judge(layout, cast).answers(prompt.facts)
        wrong = faults(layout, prompt.facts, cast, graph)
        return Judged(tuple(answers), tuple(wrong), len(cast.extra), seconds)

    def _arm(self, prompts: Sequence[LayoutPrompt], judged: Sequence[Judged]) -> dict[str, Any]:
        """Figures of one arm: facts and whole prompts by kind, facts by predicate, checks, times."""
        kinds, splits = sorted({prompt.gold.kind for prompt in prompts}), splits_of(prompt.gold for prompt in prompts)
        figures: dict[str, Any] = {"kinds": {}, "predicates": {}, "checks": {}}
        for kind in ("all", *kinds):
            figures["kinds"][kind] = {}
            for split in splits:
                chosen = [j for p, j in zip(prompts, judged, strict=True) if _is_of(p, kind, split)]
                figures["kinds"][kind][split] = {
                    "prompts": len(chosen),
                    "facts": self._share([_counts(j.answers) for j in chosen]),
                    "whole_prompts": self._share([(False not in j.answers, 1) for j in chosen]),
                    "untold": sum(j.answers.count(None) for j in chosen),
                }
        names = sorted({fact.name for prompt in prompts for fact in prompt.facts})
        for name in names:
            figures["predicates"][name] = {}
            for split in splits:
                answers = [
                    answer
                    for p, j in zip(prompts, judged, strict=True)
                    for fact, answer in zip(p.facts, j.answers, strict=True)
                    if fact.name == name and p.gold.split == split
                ]
                right, told = _counts(answers)
                figures["predicates"][name][split] = {"right": right, "told": told, "untold": len(answers) - told}
        for split in splits:
            chosen = [j for p, j in zip(prompts, judged, strict=True) if p.gold.split == split]
            clean = {name: [(all(f.check != name for f in j.faults), 1) for j in chosen] for name in CHECKS}
            figures["checks"][split] = {
                "no_fault": self._share([(not j.faults, 1) for j in chosen]),
                **{f"no_{name}": self._share(pairs) for name, pairs in clean.items()},
                "extra_tracks": sum(j.extra for j in chosen),
            }
        milliseconds = [1000 * j.seconds for j in judged]
        figures["ms"] = {
            "median": round(float(np.median(milliseconds)), 2),
            "p95": round(float(np.quantile(milliseconds, 0.95)), 2),
        }
        return figures

    def _share(self, pairs: Iterable[tuple[float, float]]) -> dict[str, Any]:
        """Right of asked, with the bootstrap interval over prompts."""
        numbers = np.array(list(pairs), dtype=float).reshape(-1, 2)
        right, asked = numbers.sum(0)
        figure: dict[str, Any] = {"right": int(right), "asked": int(asked), "value": None, "low": None, "high": None}
        if asked:
            low, high = share_interval(numbers[:, 0].tolist(), numbers[:, 1].tolist(), self.seed)
            figure |= {"value": float(right / asked), "low": low, "high": high}
        return figure


def embedded_planner(checkpoint: str, frames: int) -> Planner:
    """The planner of a pipeline, as `mov-ai plan` uses it: its world completes the graph and chooses.

    Raises:
        UsageError: if there is no such pipeline, or it has no planner.
    """
    folder = pipeline_folder(checkpoint)
    world = load_world(read_pipeline_file(folder).get("world"))
    if not (folder / "planner").is_dir():
        raise UsageError(f"checkpoint: {folder}: expected a pipeline with a planner")
    network = load_component(LayoutPlanner, PlannerConfig, folder / "planner")
    verifier = None if world is None else world.verify

    def plan(graph: SceneGraph, seed: int, candidates: int) -> tuple[SceneGraph, Layout]:
        completed = graph if world is None else world.complete(graph, seed)
        layout, _ = network.plan(completed, seed, candidates=candidates, frames=frames, verifier=verifier)
        return completed, layout

    return plan


def _is_of(prompt: LayoutPrompt, kind: str, split: str) -> bool:
    return prompt.gold.split == split and kind in ("all", prompt.gold.kind)


def _counts(answers: Sequence[Answer]) -> tuple[int, int]:
    """How many are yes, of how many that can be told."""
    return sum(answer is True for answer in answers), sum(answer is not None for answer in answers)


_TITLE = "Facts that layouts show, per cent"


def heads(result: dict[str, Any]) -> list[str]:
    """Names of the columns of `rows`: each split, each arm."""
    arms = [f"{arm['graph']}, {arm['candidates']}" for arm in result["arms"]]
    return [f"{split.replace('_', ' ')}: {arm}" for split in result["prompts"] for arm in arms]


def rows(result: dict[str, Any], part: str = "facts", interval: bool = False) -> list[tuple[str, ...]]:
    """One line for each kind of prompt; `part`: "facts" or "whole_prompts"; with intervals if asked."""
    return [
        (
            kind,
            *(
                _cell(arm["kinds"][kind][split][part], interval)
                for split in result["prompts"]
                for arm in result["arms"]
            ),
        )
        for kind in result["arms"][0]["kinds"]
    ]


def _cell(figure: dict[str, Any], interval: bool) -> str:
    if figure["value"] is None:
        return "-"
    cell = f"{100 * figure['value']:.1f}"
    return f"{cell} [{100 * figure['low']:.0f}, {100 * figure['high']:.0f}]" if interval else cell


def report(result: dict[str, Any]) -> str:
    """`report.md`: facts and whole prompts by kind, the general checks, and times."""
    numbers = ", ".join(f"{n} {split.replace('_', ' ')}" for split, n in result["prompts"].items())
    lines = [f"# {_TITLE}", ""]
    lines += [
        f"{numbers}; {result['refused']} refused by the parser. Columns: whose graph (the parser's from the text, "
        "or the one made by hand), and how many candidates the verifier chose among in a round. "
        "95 % bootstrap intervals over prompts.",
        "",
    ]
    columns = " | ".join(heads(result))
    rule = "|---" + "|---:" * len(heads(result)) + "|"
    for title, part in (("facts", "facts"), ("prompts of which all facts are right", "whole_prompts")):
        lines += [f"| {title} | {columns} |", rule]
        lines += [f"| {' | '.join(row)} |" for row in rows(result, part, interval=True)] + [""]
    lines += [f"| layouts without | {columns} |", rule]
    for name, title in (("no_fault", "any fault"), *((f"no_{check}", check) for check in CHECKS)):
        cells = [_cell(arm["checks"][split][name], True) for split in result["prompts"] for arm in result["arms"]]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    extra = [str(arm["checks"][split]["extra_tracks"]) for split in result["prompts"] for arm in result["arms"]]
    untold = [str(arm["kinds"]["all"][split]["untold"]) for split in result["prompts"] for arm in result["arms"]]
    lines += [f"| tracks of nobody (number) | {' | '.join(extra)} |"]
    lines += [f"| facts that cannot be told (number) | {' | '.join(untold)} |", ""]
    lines += ["| time of the processor | median ms a layout | 95th percentile |", "|---|---:|---:|"]
    for arm in result["arms"]:
        name = f"{arm['graph']} graph, candidates: {arm['candidates']}"
        lines.append(f"| {name} | {arm['ms']['median']:.1f} | {arm['ms']['p95']:.1f} |")
    lines += ["", f"Parsing: {result['parse_ms']:.1f} ms a prompt, in batches. {result['threads']} threads."]
    lines += ["What facts mean in boxes: `studies/layout/predicates.py`; the prompts: data/layouts.", ""]
    return "\n".join(lines)


def misses(prompts: Sequence[LayoutPrompt], shown: dict[str, list[Judged]]) -> str:
    """`misses.md`: facts that layouts of the development half do not show, and their faults, by whose graph it was."""
    lines = ["# Misses of the development half", ""]
    for i, prompt in enumerate(prompts):
        if prompt.gold.split != "development":
            continue
        parts = []
        for source, judged in shown.items():
            pairs = zip(prompt.facts, judged[i].answers, strict=True)
            texts = [f"`{fact}`" for fact, answer in pairs if answer is False]
            texts += [f"{fault.check} of {_named(fault)} ({fault.amount:.2f})" for fault in judged[i].faults]
            texts += [f"{judged[i].extra} tracks of nobody"] if judged[i].extra else []
            if texts:
                parts.append(f"  - {source}: {'; '.join(texts)}")
        if parts:
            lines += [f"- `{prompt.gold.id}` {prompt.gold.text}", *parts]
    return "\n".join([*lines, ""])


def _named(fault: Fault) -> str:
    return " and ".join(f"{entity}/{instance}" for entity, instance in fault.who)
