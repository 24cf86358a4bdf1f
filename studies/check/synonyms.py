"""Words that no training clip says: is an orb drawn as a ball? `python -m studies.check.synonyms` says.

Forty prompts, each with one word of `mov_ai.worlds.tabletop.held_out.HELD_OUT_WORDS` among words that training shows.
A prompt is right if the checker, which sees frames only, finds what that word means: the colour, the shape or the
motion. What the prompt says besides is not asked for here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mov_ai.errors import run_script
from mov_ai.evaluation.checker import Checker
from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.graph.files import read_json, write_json
from mov_ai.hardware import machine
from mov_ai.shipped_files import shipped
from studies.check.verdicts import check

#: Of each prompt: the word that training never says, colour, noun, verb, what follows it, and the direction that says.
PROMPTS = shipped("data/prompts") / "synonyms.json"


@dataclass(frozen=True)
class SynonymPrompt:
    """One prompt.

    Attributes:
        word: the one that training never shows.
        text, graph: what is asked for, in words and as a gold graph.
    """

    word: str
    text: str
    graph: SceneGraph


def synonym_prompts() -> list[SynonymPrompt]:
    """The forty prompts, always the same."""
    prompts = []
    for row in read_json(PROMPTS):
        word, color, noun, verb, rest = (row[name] for name in ("word", "color", "noun", "verb", "rest"))
        article = "An" if color[0] in "aeiou" else "A"
        text = f"{article} {color} {noun} {verb}s{' ' + rest if rest else ''}."
        nodes = [
            Node("scene", "scene", "scene"),
            Node("thing", "entity", noun),
            Node("color", "attribute", color, kind="color"),
            Node("event", "event", verb, direction=row["direction"]),
        ]
        edges = [
            Edge("scene", "event", "contains"),
            Edge("event", "thing", "agent"),
            Edge("thing", "color", "has_attribute"),
        ]
        prompts.append(SynonymPrompt(word, text, SceneGraph(text, nodes, edges)))
    return prompts


def drawn_as_kin(checker: Checker, prompt: SynonymPrompt, frames: np.ndarray) -> bool:
    """Whether a video shows what the prompt's word means."""
    report = check(checker, prompt.graph, frames)
    entity, event = report.entities[0], report.events[0]
    if prompt.word == prompt.graph.node("event").label:
        return bool(event.ok)
    part = entity.color_ok if prompt.word == prompt.graph.node("color").label else entity.shape_ok
    return bool(entity.found and part)


def measure(make: Callable[[str | SceneGraph, int], np.ndarray], checker: Checker, by_graph: bool) -> dict[str, Any]:
    """Make and judge every prompt.

    Args:
        make: prompt and seed to uint8 frames (F, H, W, 3).
        checker: judges frames.
        by_graph: give the gold graph instead of the text.

    Returns:
        "right" of "prompts", and the same by word.
    """
    words: dict[str, list[int]] = {}
    for seed, prompt in enumerate(track(synonym_prompts(), "synonyms", console=Console(stderr=True), transient=True)):
        frames = make(prompt.graph if by_graph else prompt.text, seed)
        words.setdefault(prompt.word, []).append(int(drawn_as_kin(checker, prompt, frames)))
    right = sum(map(sum, words.values()))
    return {
        "right": right,
        "prompts": sum(map(len, words.values())),
        "words": {word: f"{sum(marks)} of {len(marks)}" for word, marks in words.items()},
    }


def run(
    console: Console, checkpoint: str = "tiny", stages: int = 128, by_graph: bool = False, out: Path | None = None
) -> None:
    """Make, judge and print every prompt.

    Args:
        console: for the table.
        checkpoint: an embedded pipeline, or the folder of a saved one.
        stages: size of the last stage.
        by_graph: give the gold graphs instead of the texts.
        out: JSON file for the figures.

    Raises:
        UsageError: if there is no such pipeline or stage.
    """
    from mov_ai.pipeline import MovAIPipeline

    pipeline = MovAIPipeline.from_pretrained(checkpoint)

    def make(prompt: str | SceneGraph, seed: int) -> np.ndarray:
        return pipeline(prompt, seed=seed, stages=stages).frames

    figures = measure(make, Checker.from_pretrained(), by_graph)
    table = Table("word", "drawn as its kin")
    for word, share in figures["words"].items():
        table.add_row(word, share)
    console.print(table)
    console.print(f"{figures['right']} of {figures['prompts']} prompts; stage {stages}, {machine()}")
    if out is not None:
        write_json(out, {**figures, "stage": stages, "machine": machine()})


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m studies.check.synonyms", description=__doc__)
    parser.add_argument("--checkpoint", default="tiny", help="an embedded pipeline, or the folder of a saved one")
    parser.add_argument("--stages", type=int, default=128, help="size of the last stage")
    parser.add_argument("--graphs", action="store_true", help="give the gold graphs instead of the texts")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = arguments(given)
    return run_script("check", lambda: run(Console(), options.checkpoint, options.stages, options.graphs, options.out))


if __name__ == "__main__":
    sys.exit(main())
