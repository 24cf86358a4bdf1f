"""`mov-ai assemble`: a codec, a denoiser and a planner become a pipeline."""

from __future__ import annotations

from pathlib import Path

import typer

from mov_ai.errors import UsageError


def assemble(
    codec: Path = typer.Option(..., help="A codec's folder, its run's, or a name, as taef2.", show_default=False),
    denoiser: Path = typer.Option(..., help="Folder of a trained denoiser, or of its run.", show_default=False),
    planner: Path | None = typer.Option(
        None, help="Folder of a trained planner, or of its run; without one, layouts are given.", show_default=False
    ),
    refiner: Path | None = typer.Option(
        None, help="Folder of a trained refiner of the later stages, or of its run.", show_default=False
    ),
    world: str | None = typer.Option(
        None, help="The world that completes graphs, or none.", show_default="the one the denoiser was trained on"
    ),
    frames: int | None = typer.Option(None, help="Frames of a video where nothing is said.", show_default="as trained"),
    out: Path = typer.Option(..., help="New folder of the pipeline.", show_default=False),
) -> None:
    """Join trained networks into the pipeline that `mov-ai generate --checkpoint` reads."""
    from mov_ai.graph.files import check_writable

    if out.is_dir() and any(out.iterdir()):
        raise UsageError(f"--out: {out}: holds files; choose a new or an empty folder")
    check_writable(out)

    from mov_ai.assembly import assemble as join

    pipeline = join(codec, denoiser, out, planner, world, frames, refiner)
    stages = ", ".join(str(size) for size in pipeline.cascade.config.trained)
    typer.echo(f"wrote {out}: {pipeline.shape}, stages {stages}")
    typer.echo(f"  make a video: mov-ai generate 'a red ball rolls left' --checkpoint {out}")
