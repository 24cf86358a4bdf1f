"""`mov-ai world`: clips of the embedded world with all their gold data, and staged scenes as boxes."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

import typer

from mov_ai.errors import UsageError

world = typer.Typer(help="Worlds: rendered clips and staged scenes with everything known.", rich_markup_mode=None)


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


@world.command()
def stage(
    seed: int = typer.Option(0, min=0, max=2**31 - 1, help="The first scene; the same seed gives the same scene."),
    count: int = typer.Option(8, min=1, max=1000, help="Scenes, from that seed on."),
    split: Split = typer.Option(Split.train, help="Which part of the world."),
    kind: str | None = typer.Option(None, help="Only scenes of one kind, as 'pursuit'.", show_default="all"),
    frames: int = typer.Option(16, min=2, max=1024, help="Boxes of each track."),
    out: Path | None = typer.Option(
        None, help="Folder to write into.", show_default="outputs/stage-SPLIT-SEED, with -2, -3 ... if it is there"
    ),
) -> None:
    """Write staged scenes: of each its graph.json, layout.json and sheet.png, and all captions in captions.txt."""
    from mov_ai.cli.outputs import asked_folder, free_folder
    from mov_ai.graph.draw.layout_pictures import layout_sheet
    from mov_ai.graph.draw.layout_things import Panel
    from mov_ai.graph.files import staged_folder, write_bytes, write_json
    from mov_ai.worlds.stage.wording import scene_templates
    from mov_ai.worlds.stage.world import sample_scene

    if kind is not None and kind not in scene_templates():
        raise UsageError(f"--kind: expected one of {', '.join(scene_templates())}; found {kind!r}")
    name = f"stage-{split.value}-{seed}"
    folder = free_folder(name) if out is None else asked_folder(out, "scenes.json", ("seed", "split", "count"))
    lines = []
    with staged_folder(folder, "scenes.json") as staging:
        for number in range(seed, seed + count):
            scene = sample_scene(number, split.value, kind, frames)
            place = staging / str(number)
            place.mkdir()
            scene.caption.graph.save(place / "graph.json")
            scene.layout.save(place / "layout.json")
            layout_sheet(scene.caption.graph, [Panel(scene.layout)]).save(place / "sheet.png")
            lines.append(f"{number} {scene.caption.pattern}: {scene.caption.text}")
        write_bytes(staging / "captions.txt", ("\n".join(lines) + "\n").encode("utf-8"))
        write_json(staging / "scenes.json", {"seed": seed, "split": split.value, "count": count, "kind": kind})
    typer.echo("\n".join(lines))
    typer.echo(f"wrote {folder}")
