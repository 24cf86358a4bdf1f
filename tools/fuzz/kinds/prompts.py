"""Prompts: captions with stretches damaged, other scripts, very long ones; checked and parsed as a command does."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

from mov_ai.cli.inputs import check_prompt
from mov_ai.graph import SceneGraph
from mov_ai.parser.parser import SceneGraphParser
from tools.fuzz.case import Case, Kind
from tools.fuzz.damage import damaged_text
from tools.fuzz.kinds.graphs import shipped_graphs

_CAPTIONS = (
    "A small red ball rolls to the left, then turns blue, while a large yellow cube spins.",
    "Two dogs chase a man in a black jacket before it starts to rain.",
    "Behind the wooden table, a woman who is holding a cup looks at three birds that are not singing.",
)
_SYMBOLS = ".,;:!?'\"`-–—_/\\|()[]{}<>@#$%^&*+=~…«»“”•¿¡§€\t\n\r "


@cache
def _parser() -> SceneGraphParser:
    return SceneGraphParser.from_pretrained()


def _strange(rng: random.Random) -> str:
    """A text of one kind of characters."""
    first = rng.choice((0x20, 0xA0, 0x300, 0x400, 0x5D0, 0x600, 0x900, 0x2000, 0x3040, 0x4E00, 0xFE00, 0x1F300))
    count = rng.choice((1, 5, 60, 900))
    return "".join(chr(first + rng.randrange(96)) for _ in range(count))


def make(rng: random.Random, folder: Path) -> Case:
    """A prompt that somebody might paste in."""
    caption = rng.choice((*_CAPTIONS, *(graph.get("caption", "a cone spins") for graph in shipped_graphs())))
    how = rng.choice(("damaged", "damaged", "damaged", "strange", "symbols", "repeated", "mixed"))
    if how == "damaged":
        text = damaged_text(caption, rng)
    elif how == "strange":
        text = _strange(rng)
    elif how == "symbols":
        text = "".join(rng.choices(_SYMBOLS, k=rng.choice((1, 20, 400))))
    elif how == "repeated":
        text = caption * rng.choice((2, 8, 30, 500))
    else:
        text = " ".join(rng.sample([caption, _strange(rng), damaged_text(caption, rng), "dog " * 30], 3))

    def run() -> SceneGraph:
        check_prompt(text)
        return _parser()(text)

    def wrong(graph: SceneGraph) -> str | None:
        if graph.caption != text:
            return "the graph has another caption"
        again = SceneGraph.from_json(graph.to_json())
        return None if again.to_dict() == graph.to_dict() else "read again it is another graph"

    return Case(f"{how}: {text[:60]!r}", run, wrong)


KIND = Kind("prompts", 1.5, make)
