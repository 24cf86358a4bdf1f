"""`mov-ai world`: clips of the embedded world with all their gold data."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

import typer

from mov_ai.errors import UsageError

world = typer.Typer(help="The embedded world: rendered clips with everything known.", rich_markup_mode=None)


class Split(str, Enum):
    """Which part of the world: some combinations are held out of training."""

    train = "train"
    validation = "validation"
    test = "test"


@world.command()
def sample(
    seed: int = typer.Option(0, min=0, max=2**31 - 1, help="The same seed gives the same clip on every machine."),
    split: Split = typer.Option(Split.train, help="Which part of the world."),
    size: int = typer.Option(128, min=16, max=2048, help="Height and width in pixels; an even number."),
    varied: bool = typer.Option(
        False, "--varied", help="Things that meet, crowds, soft shadows, moving cameras and changing lights as well."
    ),
    out: Path | None = typer.Option(
        None, help="Folder to write into.", show_default="outputs/tabletop-SPLIT-SEED, with -2, -3 ... if it is there"
    ),
) -> None:
    """Write one clip: video.mp4, graph.json, layout.json, masks.png, sheet.png and clip.json."""
    from mov_ai.cli.outputs import asked_folder, free_folder

    if size % 2:
        raise UsageError(f"--size: expected an even number, as H.264 needs; found {size}")
    name = f"tabletop-{split.value}-{seed}{'-varied' if varied else ''}"
    folder = free_folder(name) if out is None else asked_folder(out, "clip.json", ("seed", "split", "scene"))

    from mov_ai.graph.files import staged_folder
    from mov_ai.worlds.tabletop.variation import EVERYTHING, PLAIN
    from mov_ai.worlds.tabletop.world import sample_clip, save_clip

    clip = sample_clip(seed, split.value, size, variation=EVERYTHING if varied else PLAIN)
    with staged_folder(folder, "clip.json") as staging:
        save_clip(clip, staging)
    typer.echo(f"{folder}: {clip.caption.text}")
