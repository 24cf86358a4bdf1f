"""The parser on prompts as people write them, fact by fact: `python -m mov_ai.evaluate suite=prompts`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.bootstrap import share_interval
from mov_ai.evaluation.report.environment import environment
from mov_ai.graph import SceneGraph
from mov_ai.graph.files import check_writable, write_bytes, write_json
from mov_ai.parser.parser import SceneGraphParser
from studies.layout import facts
from studies.layout.facts import layout_prompts
from studies.parser.measure import Parser, parse_all
from studies.parser.prompt_facts import KINDS, Judged, counts, judge_prompt
from studies.parser.prompt_gold import UNSEEN, GoldPrompt, gold_prompts, splits_of

_SETS: dict[str, Callable[[str | None], list[GoldPrompt]]] = {
    "real": gold_prompts,
    "layouts": lambda split: [prompt.gold for prompt in layout_prompts(split)],
    "unseen": lambda split: gold_prompts(split, UNSEEN),
    "unseen_layouts": lambda split: [prompt.gold for prompt in layout_prompts(split, facts.UNSEEN)],
}
_FIGURES = ("precision", "recall", "f1")


@dataclass(frozen=True)
class PromptSuite:
    """What `conf/suite/prompts.yaml` sets.

    Attributes:
        parser: folder of the parser; the embedded one if None.
        prompts: "real", those of data/prompts/real, or "layouts", those of data/layouts; "unseen" and
            "unseen_layouts", those in the folder `unseen` of each, which have no held-out half.
        batch_size: prompts a call of the parser.
        seed: of the bootstrap.
    """

    parser: str | None = None
    prompts: str = "real"
    batch_size: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("batch_size", 1), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise UsageError(f"{name}: expected a whole number from {least}; found {value!r}")

        if self.prompts not in _SETS:
            raise UsageError(f"prompts: expected one of {', '.join(_SETS)}; found {self.prompts!r}")

    @property
    def less_memory(self) -> str:
        """Two settings that need less, where memory has run out."""
        return "use suite.batch_size=8 for fewer prompts at a time, or suite.batch_size=1 for one"

    def gold(self, split: str | None = None) -> list[GoldPrompt]:
        """The prompts with what they mean, of one split or of both."""
        return _SETS[self.prompts](split)

    def run(self, output: Path, console: Console) -> dict[str, Any]:
        """Measure, print the table, write results.json, report.md and misses.md; returns what is in results.json.

        `misses.md` is of the development half only: nobody looks at the mistakes of the other half.

        Raises:
            UsageError: if a folder does not hold a parser.
            MovAIError: if the output cannot be written.
        """
        check_writable(output)
        result = self.measure(SceneGraphParser.from_pretrained(self.parser), output)
        write_json(output / "results.json", result)
        write_bytes(output / "report.md", report(result).encode("utf-8"))
        heads = [f"{split}: {name}" for split in result["prompts"] for name in ("P", "R", "F1")]
        made = Table("facts", *heads, title=_TITLE)
        for name, *cells in rows(result["facts"]):
            made.add_row(name, *cells)
        console.print(made)
        console.print(f"written: {output}/results.json, report.md, misses.md", highlight=False, soft_wrap=True)
        return result

    def measure(self, parser: Parser, output: Path) -> dict[str, Any]:
        """All figures, ready for JSON; writes the misses of the development half into `output`."""
        gold = self.gold()
        judged, refused = self.judged(parser, gold)
        splits = splits_of(gold)
        halves = {split: [j for j, p in zip(judged, gold, strict=True) if p.split == split] for split in splits}
        result: dict[str, Any] = {"suite": "prompts", "settings": asdict(self), "environment": environment()}
        result["prompts"] = {split: len(half) for split, half in halves.items()}
        result["refused"] = refused
        result["facts"] = {
            kind: {split: self.figures(counts(half, None if kind == "all" else kind)) for split, half in halves.items()}
            for kind in ("all", *KINDS)
        }
        result["kinds_of_prompts"] = {}
        for kind in sorted({prompt.kind for prompt in gold}):
            parts = {
                split: [j for j, p in zip(judged, gold, strict=True) if (p.kind, p.split) == (kind, split)]
                for split in splits
            }
            result["kinds_of_prompts"][kind] = {split: self.figures(counts(part)) for split, part in parts.items()}
        write_bytes(output / "misses.md", misses(gold, judged).encode("utf-8"))
        return result

    def judged(self, parser: Parser, gold: Sequence[GoldPrompt]) -> tuple[list[Judged], int]:
        """What is right and wrong in the graph of each prompt, and how many the parser refused: those are empty."""
        graphs = parse_all(parser, [prompt.text for prompt in gold], self.batch_size)
        empty = SceneGraph.from_dict({"version": 2, "nodes": []})
        judged = [judge_prompt(prompt, graph or empty) for prompt, graph in zip(gold, graphs, strict=True)]
        return judged, graphs.count(None)

    def figures(self, numbers: np.ndarray) -> dict[str, Any]:
        """Totals, and precision, recall and F1 with their intervals over prompts; `numbers` as `counts`, (N, 3)."""
        right, missing, invented = numbers.T
        shares = {
            "precision": (right, right + invented),
            "recall": (right, right + missing),
            "f1": (2 * right, 2 * right + missing + invented),
        }
        figures: dict[str, Any] = {
            "prompts": len(numbers),
            **dict(zip(("right", "missing", "invented"), numbers.sum(0).astype(int).tolist(), strict=True)),
        }
        for name, (hits, questions) in shares.items():
            total = float(questions.sum())
            low, high = share_interval(hits, questions, self.seed) if total else (None, None)
            figures[name] = {"value": float(hits.sum()) / total if total else None, "low": low, "high": high}
        return figures


_TITLE = "Facts of prompts as people write them, per cent"


def rows(facts: dict[str, Any], interval: bool = False) -> list[tuple[str, ...]]:
    """One line for each kind: its name, then precision, recall and F1 of each split; F1 with its interval if asked."""
    lines = []
    for kind, splits in facts.items():
        cells = [kind]
        for figures in splits.values():
            for name in _FIGURES:
                figure = figures[name]
                cell = "-" if figure["value"] is None else f"{100 * figure['value']:.1f}"
                if interval and name == "f1" and figure["value"] is not None:
                    cell += f" [{100 * figure['low']:.0f}, {100 * figure['high']:.0f}]"
                cells.append(cell)
        lines.append(tuple(cells))
    return lines


def report(result: dict[str, Any]) -> str:
    """`report.md`: the tables by kind of fact and by kind of prompt."""
    numbers = ", ".join(f"{n} {split.replace('_', ' ')}" for split, n in result["prompts"].items())
    lines = [f"# {_TITLE}", "", f"{numbers}; {result['refused']} refused by the parser. 95 % bootstrap intervals.", ""]
    splits = result["prompts"]
    heads = " | ".join(f"{split.replace('_', ' ')}: {name}" for split in splits for name in ("P", "R", "F1"))
    for title, part in (("kind of fact", "facts"), ("kind of prompt", "kinds_of_prompts")):
        lines += [f"| {title} | {heads} |", "|---" + "|---:" * 3 * len(splits) + "|"]
        lines += [f"| {' | '.join(row)} |" for row in rows(result[part], interval=True)] + [""]
    lines.append(
        "What counts as the same fact: `studies/parser/prompt_facts.py`; how the gold was made: data/prompts/real, "
        "data/layouts."
    )
    return "\n".join([*lines, ""])


def misses(gold: Sequence[GoldPrompt], judged: Sequence[Judged]) -> str:
    """`misses.md`: what is missing and what is invented in each prompt of the development half."""
    lines = ["# Misses of the development half", ""]
    for prompt, one in zip(gold, judged, strict=True):
        if prompt.split == "development" and (one.missing or one.invented):
            lines += [f"- `{prompt.id}` {prompt.text}"]
            for name, facts in (("missing", one.missing), ("invented", one.invented)):
                if facts:
                    lines.append(f"  - {name}: {'; '.join(f'{kind} *{shown}*' for kind, shown in facts)}")
    return "\n".join([*lines, ""])
