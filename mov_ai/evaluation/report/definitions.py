"""What each figure of a report means, in words that stand beside it: `definitions.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mov_ai.shipped_files import from_yaml

_EMBEDDED = " On embedded features: not comparable with figures on the published network."


@dataclass(frozen=True)
class Definition:
    """A metric in words.

    Attributes:
        group: which table it belongs to.
        title: short, for tables.
        text: one sentence, with the source.
        range: with its unit.
        direction: which way is better; "real": the figure should be that of real clips.
    """

    group: str
    title: str
    text: str
    range: str
    direction: Literal["higher", "lower", "real"]

    @property
    def arrow(self) -> str:
        """The direction as a sign, for narrow tables."""
        return {"higher": "↑", "lower": "↓", "real": "≈"}[self.direction]

    @property
    def better(self) -> str:
        """The direction in a table's words."""
        return {"higher": "higher", "lower": "lower", "real": "as real clips"}[self.direction]


def _read() -> dict[str, Definition]:
    groups = from_yaml(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    definitions = {
        name: Definition(group, **words) for group, figures in groups.items() for name, words in figures.items()
    }
    for name, words in definitions.items():
        if name.startswith("embedded_"):
            definitions[name] = replace(words, text=words.text + _EMBEDDED)
    return definitions


DEFINITIONS = _read()
GROUPS = tuple(dict.fromkeys(words.group for words in DEFINITIONS.values()))


def definition(name: str) -> Definition:
    """Of any metric; one that is not known is shown under its own name."""
    return DEFINITIONS.get(name) or Definition("Text and variety", name, "", "", "higher")
