"""How far the benchmark's checker can be trusted: `python -m tools.benchmark.validate [--limit N]`.

It prints what real clips score (those of the prompts, and those of other prompts of the same kinds), and what clips
score that are wrong in known ways. The first should be near 100 %, the second near 0.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from mov_ai.errors import UsageError, run_script
from mov_ai.evaluation.benchmark import Benchmark, Score, Verdict
from mov_ai.evaluation.benchmark.prompts import CATEGORIES, BenchmarkPrompt
from mov_ai.evaluation.benchmark.scenes import reference_clip
from mov_ai.graph.files import check_writable, write_json
from mov_ai.hardware import machine
from tools.benchmark.build import PER_CATEGORY, draw_prompts
from tools.benchmark.counterfactuals import counterfactuals
from tools.benchmark.readings import reading_scores

#: The stream of `draw_prompts` that nothing was set on.
_FRESH = 1
_TRUE, _OTHER = "true", "another prompt"


@dataclass
class Validation:
    """Scores by kind of clip ("true", "fresh", "frozen", ...) and category, and the true clips that fail."""

    scores: dict[str, dict[str, Score]]
    failures: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; categories to which a change does not apply are left out."""
        return {"scores": _to_dict(self.scores), "failures": self.failures}


def _to_dict(scores: dict[str, dict[str, Score]]) -> dict[str, dict[str, Any]]:
    return {
        name: {category: score.to_dict() for category, score in row.items() if score.n} for name, row in scores.items()
    }


def validate(
    prompts: Sequence[BenchmarkPrompt],
    fresh: Sequence[BenchmarkPrompt],
    benchmark: Benchmark,
    size: int = 128,
    console: Console | None = None,
) -> Validation:
    """Judge real and counterfactual clips.

    Args:
        benchmark: with the checker.
        prompts: judged on their own clips, on the next prompt's of the same category, and on counterfactual ones.
        fresh: judged on their own clips only.
        size: height and width of the clips in pixels.
        console: for a progress bar; none is shown if not given.
    """
    pairs: dict[str, list[tuple[BenchmarkPrompt, Verdict]]] = defaultdict(list)
    failures = []

    def judge(name: str, prompt: BenchmarkPrompt, frames: Any) -> None:
        verdict = benchmark.check(prompt, frames)
        pairs[name].append((prompt, verdict))
        if name in (_TRUE, "fresh") and verdict.score < 1:
            wrong = [check for check, right in verdict.checks.items() if not right]
            failures.append({"clip": name, "id": prompt.id, "text": prompt.text, "wrong": wrong})

    following = _next_of_category(prompts)
    progress = console or Console(quiet=True)
    for prompt in track(prompts, "checking the prompts' clips", console=progress, transient=True):
        frames = reference_clip(prompt, size).frames
        judge(_TRUE, prompt, frames)
        if following[prompt.id] is not prompt:
            judge(_OTHER, following[prompt.id], frames)
        for name, make in counterfactuals(prompt, frames, size).items():
            judge(name, prompt, make())
    for prompt in track(fresh, "checking fresh clips", console=progress, transient=True):
        judge("fresh", prompt, reference_clip(prompt, size).frames)
    names = [_TRUE, *(name for name in ("fresh", _OTHER) if name in pairs)]
    names += [name for name in pairs if name not in names]
    return Validation({name: benchmark.scores(pairs[name]) for name in names}, failures)


def _next_of_category(prompts: Sequence[BenchmarkPrompt]) -> dict[str, BenchmarkPrompt]:
    """Prompt id -> another prompt of its category, itself if it is the only one."""
    result = {}
    for category in CATEGORIES:
        column = [prompt for prompt in prompts if prompt.category == category]
        result.update({p.id: q for p, q in zip(column, [*column[1:], *column[:1]], strict=True)})
    return result


def _readings(prompts: Sequence[BenchmarkPrompt]) -> dict[str, dict[str, Score]]:
    from mov_ai.parser.parser import SceneGraphParser

    return reading_scores(prompts, SceneGraphParser.from_pretrained())


def table(scores: dict[str, dict[str, Score]], title: str) -> Table:
    """Scores in per cent: rows by name, a column for each category."""
    result = Table(title=title)
    result.add_column("")
    for category in CATEGORIES:
        result.add_column(category.replace("_", " "), justify="right")
    for name, row in scores.items():
        cells = [f"{100 * row[category].share:.1f}" if row[category].n else "" for category in CATEGORIES]
        result.add_row(name, *cells, end_section=name == "fresh")
    return result


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.benchmark.validate", description=__doc__)
    parser.add_argument("--size", type=int, default=128, help="height and width of the clips in pixels")
    parser.add_argument("--limit", type=int, default=None, help="only the first prompts; they cover all categories")
    parser.add_argument("--fresh", type=int, default=None, help="other prompts for each category; as many if not given")
    parser.add_argument("--parser", action="store_true", help="also measure how the embedded parser reads the texts")
    parser.add_argument("--prompts", type=Path, default=None, help="folder or file of prompts; the repository's")
    parser.add_argument("--out", type=Path, default=None, help="JSON file for the figures")
    return parser.parse_args(given)


def run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Check, print and write; returns what is written.

    Raises:
        UsageError: if an option is out of range, or a file cannot be read.
    """
    if options.size < 32:
        raise UsageError(f"--size: expected 32 or more pixels; found {options.size}")
    if options.limit is not None and options.limit < 1:
        raise UsageError(f"--limit: expected 1 or more prompts; found {options.limit}")
    if options.fresh is not None and options.fresh < 0:
        raise UsageError(f"--fresh: expected 0 or more prompts; found {options.fresh}")
    if options.out is not None:
        check_writable(options.out.parent)
    started = time.perf_counter()
    benchmark = Benchmark.from_pretrained(options.prompts)
    prompts = benchmark.prompts[: options.limit]
    fresh = options.fresh
    if fresh is None:
        fresh = PER_CATEGORY if options.limit is None else -(-len(prompts) // len(CATEGORIES))
    # First, for it is quick: what cannot be done is known before the long part.
    readings = _readings(prompts) if options.parser else {}
    validation = validate(prompts, draw_prompts(fresh, _FRESH), benchmark, options.size, console)
    seconds = time.perf_counter() - started
    console.print(table(validation.scores, f"share of what is asked that clips show, in %; {len(prompts)} prompts"))
    if readings:
        console.print(table(readings, "share of texts that the embedded parser reads as they are meant, in %"))
    for failure in validation.failures:
        console.print(f"{failure['clip']} {failure['id']}: {failure['text']} -> {'; '.join(failure['wrong'])}")
    console.print(f"{seconds:.0f} s; frames of {options.size} pixels; {machine()}")
    result = {
        "prompts": len(prompts),
        "fresh": fresh * len(CATEGORIES),
        "size": options.size,
        "seconds": round(seconds, 1),
        "machine": machine(),
        **validation.to_dict(),
        "parser": _to_dict(readings),
    }
    if options.out is not None:
        write_json(options.out, result)
    return result


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = arguments(given)
    return run_script("validate", lambda: run(options, Console()))


if __name__ == "__main__":
    sys.exit(main())
