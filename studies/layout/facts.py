"""Facts about boxes, and the prompts of `data/layouts` that have them: the notation is in that folder's README."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mov_ai.errors import UsageError
from mov_ai.graph import Interval
from mov_ai.graph.time import FULL
from mov_ai.shipped_files import shipped
from studies.parser.prompt_gold import SPLITS, GoldPrompt, build, check_split, read_blocks

FOLDER = shipped("data/layouts")
UNSEEN = shipped("data/layouts/unseen")
#: Times of a fact besides intervals: the first and last frames in which its actors are seen, and any frame.
MOMENTS = ("start", "end", "once")
#: Two facts of which the second holds after the first, and two that hold at one time.
SEQUENCES = ("then", "while")
_FACT = re.compile(r"(!?)(\w+)\(([^()]*)\)(?: @(\S+))?$")
_STEP = re.compile(r"(\d+)(-?)(\d*)$")
_SEQUENCE = re.compile(rf" ({'|'.join(SEQUENCES)}) ")


@dataclass(frozen=True)
class Fact:
    """What the boxes of a layout must show.

    Attributes:
        name: a predicate of `studies.layout.predicates`, or one of `SEQUENCES`.
        args: names of actors, and words for places, directions and numbers, as the predicate takes them.
        when: fractions of the video, or one of `MOMENTS`.
        denied: whether it must not hold.
        parts: the two facts of a sequence.
    """

    name: str
    args: tuple[str, ...] = ()
    when: Interval | str = FULL
    denied: bool = False
    parts: tuple[Fact, ...] = ()

    def __str__(self) -> str:
        if self.parts:
            return f" {self.name} ".join(map(str, self.parts))
        times = self.when if isinstance(self.when, str) else f"{self.when[0]:g}-{self.when[1]:g}"
        at = "" if self.when == FULL else f" @{times}"
        return f"{'!' * self.denied}{self.name}({', '.join(self.args)}){at}"


@dataclass(frozen=True)
class LayoutPrompt:
    """A prompt, the graph that it means, and what its boxes must show."""

    gold: GoldPrompt
    facts: tuple[Fact, ...]


def layout_prompts(split: str | None = None, folder: str | Path = FOLDER) -> list[LayoutPrompt]:
    """All prompts in the order of the files, or those of one split.

    Raises:
        UsageError: if the split or the folder is unknown, or a line cannot be read; the message names the prompt.
    """
    check_split(split)
    return [p for p in read_blocks(Path(folder), build_layout_prompt) if split in (None, p.gold.split)]


def build_layout_prompt(block: str, kind: str = "own", number: int = 1, split: str = SPLITS[0]) -> LayoutPrompt:
    """One prompt from its block of lines: the text, its graph, and its facts on lines that begin with `=`.

    Raises:
        UsageError: `id: what cannot be read`.
    """
    lines = block.strip("\n").splitlines()
    gold = build("\n".join(line for line in lines if not line.lstrip().startswith("=")), kind, number, split)
    texts = [part for line in lines if line.lstrip().startswith("=") for part in line.strip()[1:].split(";")]
    facts = tuple(read_fact(text.strip(), gold.steps, gold.id) for text in texts if text.strip())
    if not facts:
        raise UsageError(f"{gold.id}: expected facts on lines that begin with '='; found none")
    return LayoutPrompt(gold, facts)


def read_fact(text: str, steps: int = 1, source: str = "fact") -> Fact:
    """A fact from its notation.

    Args:
        steps: into how many equal parts the numbers after `@` divide the video.

    Raises:
        UsageError: `source: what cannot be read`.
    """
    if sequence := _SEQUENCE.search(text):
        parts = text[: sequence.start()], text[sequence.end() :]
        return Fact(sequence[1], parts=tuple(read_fact(part, steps, source) for part in parts))
    match = _FACT.match(text)
    if not match:
        raise UsageError(f"{source}: expected a fact such as at(cat, left) @1; found {text!r}")
    args = tuple(arg.strip() for arg in match[3].split(",") if arg.strip())
    return Fact(match[2], args, _when(match[4], steps, source), bool(match[1]))


def _when(text: str | None, steps: int, source: str) -> Interval | str:
    if text is None or text in MOMENTS:
        return text or FULL
    match = _STEP.match(text)
    last = steps if match and match[2] and not match[3] else int(match[3] or match[1]) if match else 0
    if not match or not 1 <= int(match[1]) <= last <= steps:
        moments = ", ".join(MOMENTS)
        raise UsageError(f"{source}: expected {moments} or steps of 1 to {steps} as @1, @2- or @1-2; found @{text}")
    return ((int(match[1]) - 1) / steps, last / steps)
