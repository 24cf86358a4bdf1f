"""The card that lies beside embedded weights: what they are and how they were made."""

from __future__ import annotations

from typing import Any

from torch import nn

from mov_ai.models.presets import parameters


def model_card(title: str, about: str, command: str, module: nn.Module, card: dict[str, Any]) -> str:
    """The text of a card.

    Args:
        title: what the network is.
        about: data, their licence, and limits, as Markdown.
        command: what trained it.
        module: for its size.
        card: as the training loop gives it to `Objective.export`.
    """
    versions = ", ".join(f"{name} {version}" for name, version in card["versions"].items())
    rows = {
        "command": f"`{command}`",
        "parameters": f"{parameters(module):,}",
        "steps, samples": f"{card['steps']:,}, {card['samples']:,}",
        "seconds": f"{card['seconds']:,.0f}",
        "hardware": card["hardware"],
        "precision, seed": f"{card['precision']}, {card['seed']}",
        "versions": versions,
    }
    lines = [f"# {title}", "", about.strip(), "", "| | |", "|---|---|", *(f"| {k} | {v} |" for k, v in rows.items())]
    figures = card.get("validation") or {}
    if figures:
        lines += ["", "Figures of the averaged weights on the validation split:", "", "| | |", "|---|---|"]
        lines += [f"| {name} | {value:.4f} |" for name, value in figures.items() if value is not None]
    return "\n".join(lines) + "\n"
