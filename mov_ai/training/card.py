"""The card that lies beside embedded weights: what they are and how they were made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from mov_ai.models.presets import parameters


def model_card(
    title: str,
    about: str,
    command: str,
    module: nn.Module,
    card: dict[str, Any],
    columns: Mapping[str, Mapping[str, float | None]] | None = None,
) -> str:
    """The text of a card.

    Args:
        title: what the network is.
        about: data, their licence, and limits, as Markdown.
        command: what trained it.
        module: for its size.
        card: as the training loop gives it to `Objective.export`.
        columns: figures by the column of their table; those that the averaged weights reach in validation if None.
    """
    rows = {
        "command": f"`{command}`",
        "parameters": f"{parameters(module):,}",
        "steps, samples": f"{card['steps']:,}, {card['samples']:,}",
        "seconds": f"{card['seconds']:,.0f}",
        "hardware": card["hardware"],
        "precision, seed": f"{card['precision']}, {card['seed']}",
        "versions": ", ".join(f"{name} {version}" for name, version in card["versions"].items()),
    }
    lines = [f"# {title}", "", about.strip(), "", "| | |", "|---|---|", *(f"| {k} | {v} |" for k, v in rows.items())]
    columns = {"validation split": card.get("validation") or {}} if columns is None else columns
    names = list(dict.fromkeys(name for figures in columns.values() for name in figures))
    if names:
        lines += [
            "",
            "Figures of the averaged weights:",
            "",
            f"| | {' | '.join(columns)} |",
            "|---" * (len(columns) + 1) + "|",
        ]
    for name in names:
        values = [figures.get(name) for figures in columns.values()]
        lines.append(f"| {name} | {' | '.join('' if value is None else f'{value:.4g}' for value in values)} |")
    return "\n".join(lines) + "\n"
