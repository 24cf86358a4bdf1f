"""`mov-ai check`: how good the networks are that ship, each measured by a few dozen questions."""

from __future__ import annotations

from pathlib import Path

import typer

check = typer.Typer(help="How good the shipped networks are: a table for each question.", rich_markup_mode=None)


@check.command()
def tiny(
    prompts: int = typer.Option(64, min=1, help="Captions of the test split, clips 0, 1, ..."),
    stages: int = typer.Option(128, help="Size of the last stage: 128, 256 or 512."),
    model: str = typer.Option("tiny", help="An embedded pipeline, or the folder of a saved one."),
    out: Path | None = typer.Option(None, help="JSON file for the figures.", show_default=False),
    cache: Path = typer.Option(Path("cache/check_tiny"), help="Folder for finished videos."),
) -> None:
    """How many objects and events of captions does a pipeline show?"""
    from rich.console import Console

    from mov_ai.evaluation.check_tiny import run

    run(Console(), prompts, stages, model, out, cache)


@check.command()
def labels(
    triplets: Path | None = typer.Option(
        None, help="Triplets, one JSON object a line.", show_default="those that ship"
    ),
    widths: list[int] | None = typer.Option(
        None,
        help="Width of the embedded vectors; may be given several times.",
        show_default="128, 256, 384, 512 and 768",
    ),
    missed: bool = typer.Option(False, "--missed", help="Name the triplets that the exact features miss."),
) -> None:
    """Is a label nearer to its kin than to the rest of a class?"""
    from rich.console import Console

    from mov_ai.evaluation.label_triplets import WIDTHS, run

    run(Console(), triplets, widths or WIDTHS, missed)


@check.command()
def synonyms(
    checkpoint: str = typer.Option("tiny", help="An embedded pipeline, or the folder of a saved one."),
    stages: int = typer.Option(128, help="Size of the last stage."),
    graphs: bool = typer.Option(False, "--graphs", help="Give the gold graphs instead of the texts."),
    out: Path | None = typer.Option(None, help="JSON file for the figures.", show_default=False),
) -> None:
    """Are words that training never said drawn as their kin: an orb as a ball?"""
    from rich.console import Console

    from mov_ai.evaluation.synonyms import run

    run(Console(), checkpoint, stages, graphs, out)
