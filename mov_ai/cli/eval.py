"""`mov-ai eval`: two folders of videos measured against one another, or the results of several runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mov_ai.cli.messages import say
from mov_ai.errors import UsageError

if TYPE_CHECKING:
    from mov_ai.evaluation.folder_comparison import Folders

#: What makes a folder an older result, and the file that comparisons read.
RESULTS = "results.json"


def evaluate(
    files: list[Path] = typer.Argument(
        None, help="With --compare: two or more results.json.", show_default=False, metavar="[RESULTS.json]..."
    ),
    generated: Path | None = typer.Option(None, help="Folder of videos to measure.", show_default=False),
    reference: Path | None = typer.Option(None, help="Folder of real videos.", show_default=False),
    out: Path | None = typer.Option(
        None, help="Folder for the report.", show_default="outputs/eval-GENERATED, with -2, -3 ... if it is there"
    ),
    prompts: Path | None = typer.Option(
        None, help="JSON, CSV or text that maps names of videos to prompts, for CLIPSIM.", show_default=False
    ),
    max_frames: int | None = typer.Option(
        None, min=2, help="Measure the first so many frames of each video.", show_default="as many as the shortest has"
    ),
    clip: Path | None = typer.Option(
        None, help="Folder of a transformers CLIP checkpoint, for CLIPSIM.", show_default=False
    ),
    lpips: str = typer.Option("alex", help="Backbone of LPIPS: alex, vgg or squeeze."),
    flow: str = typer.Option("classical", help="Optical flow: classical, or raft (slow without a GPU)."),
    device: str = typer.Option("auto", help="Where I3D and the embedded networks compute: auto, cpu, cuda or cuda:N."),
    batch: int = typer.Option(4, min=1, max=64, help="Videos in memory at a time."),
    seed: int = typer.Option(0, min=0, max=2**31 - 1, help="Of the bootstrap intervals."),
    compare: bool = typer.Option(
        False, "--compare", help="Print results of several runs side by side, where they may be compared."
    ),
) -> None:
    """Measure a folder of videos, made by any model, against a folder of real ones: FVD, LPIPS, CLIPSIM and others.

    Videos whose names are in both folders are also compared frame by frame (PSNR, SSIM, LPIPS).
    """
    if compare:
        if generated is not None or reference is not None:
            raise UsageError("--compare: give results.json files, or --generated and --reference, not both")
        _compare(files or [])
        return
    if files:
        raise UsageError(f"{files[0]}: give folders with --generated and --reference, or results with --compare")
    if generated is None or reference is None:
        raise UsageError("give two folders of videos with --generated DIR and --reference DIR")

    from mov_ai.cli.outputs import asked_folder, free_folder, slug

    folder = (
        free_folder(f"eval-{slug(generated.resolve().name)}")
        if out is None
        else asked_folder(out, RESULTS, ("schema", "metrics"))
    )
    folders = _look(generated, reference, prompts, max_frames)
    for notice in folders.notices:
        say(f"warning: {notice}")

    from rich.console import Console

    from mov_ai.evaluation.folder_comparison import compare_folders
    from mov_ai.evaluation.networks import load_networks
    from mov_ai.evaluation.report.files import write_report
    from mov_ai.evaluation.report.terminal import tables
    from mov_ai.evaluation.report.wording import absences
    from mov_ai.graph.files import staged_folder
    from mov_ai.hardware import choose_device

    networks = load_networks(clip, lpips, flow, str(choose_device(device)))
    with staged_folder(folder, RESULTS, ("clips/*.mp4", "sheets/*.jpg")) as staging:
        results = compare_folders(folders, networks, staging, Console(stderr=True), seed, batch)
        write_report(results, staging)
    console = Console()
    for table in tables(results):
        console.print(table)
    for line in absences(results):
        typer.echo(line)
    typer.echo(f"wrote {folder / 'report.html'}")


def _look(generated: Path, reference: Path, prompts: Path | None, max_frames: int | None) -> Folders:
    from mov_ai.evaluation.folder_comparison import look_at
    from mov_ai.evaluation.video_prompts import read_prompts

    given = read_prompts(prompts) if prompts is not None else None
    return look_at(generated, reference, given, max_frames)


def _compare(files: list[Path]) -> None:
    from rich.console import Console

    from mov_ai.evaluation.report.compare import compare, comparison_table

    table, footnotes = comparison_table(compare(files), files)
    Console().print(table)
    for line in footnotes:
        typer.echo(line)
