"""`mov-ai inspect`: looking into a video that was made: its attention, and its stages side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mov_ai.cli.messages import one_line, tell_json
from mov_ai.errors import UsageError

if TYPE_CHECKING:
    from mov_ai.evaluation.inspection.attention import Share
    from mov_ai.evaluation.inspection.stages import StageFigures

inspect = typer.Typer(help="Look into a video that was made.", rich_markup_mode=None)

_RUN = typer.Argument(help="An output folder of `mov-ai generate`.", metavar="RUN", show_default=False)


@inspect.command()
def attention(
    run: Path = _RUN,
    block: list[int] = typer.Option([], min=1, help="Only this block; may be repeated.", show_default="all"),
    step: list[int] = typer.Option([], min=1, help="Only this step; may be repeated.", show_default="all"),
    out: Path | None = typer.Option(
        None, help="Page to write; the maps go beside it, as .npz.", show_default="RUN/attention.html"
    ),
    checkpoint: str | None = typer.Option(
        None, help="The pipeline that made the run, if it has moved.", show_default="as in run.json"
    ),
    device: str = typer.Option("auto", help="auto, cpu, cuda or cuda:N."),
    as_json: bool = typer.Option(False, "--json", help="Print the figures as JSON."),
) -> None:
    """Where each node of the graph and each word is looked at, frame by frame.

    Makes the run's first stage once more, in seconds, and records its cross-attention.
    """
    page = _page_to_write(run, out, "attention.html")

    from mov_ai.evaluation.inspection.run_folder import read_run

    made = read_run(run)
    loaded = checkpoint or made.record.checkpoint or made.record.pipeline

    from mov_ai.evaluation.inspection.attention import attention_of_run, shares
    from mov_ai.evaluation.inspection.attention_page import attention_page
    from mov_ai.graph.files import write_bytes
    from mov_ai.pipeline import MovAIPipeline

    try:
        pipeline = MovAIPipeline.from_pretrained(loaded, device, made.record.dtype)
    except UsageError as error:
        if checkpoint is None and str(error).startswith("checkpoint:"):
            raise UsageError(f"{run}: {error}; say where it is with --checkpoint") from None
        raise
    looked = attention_of_run(made, pipeline, sorted(set(block)), sorted(set(step)))
    settings = {"run": str(run), "checkpoint": loaded, "prompt": made.graph.caption, "seed": made.record.seed}
    write_bytes(page.with_suffix(".npz"), looked.to_npz(settings))
    write_bytes(page, attention_page(made, looked))
    figures = shares(looked)
    if as_json:
        tell_json([share.to_dict() for share in figures])
        return
    _print_shares(figures)
    typer.echo(f"wrote {page} and {page.with_suffix('.npz').name}")


@inspect.command()
def stages(
    run: Path = _RUN,
    out: Path | None = typer.Option(None, help="Page to write.", show_default="RUN/stages.html"),
    as_json: bool = typer.Option(False, "--json", help="Print the figures as JSON."),
) -> None:
    """The stages of a run side by side, and what each of them costs and adds."""
    page = _page_to_write(run, out, "stages.html")

    from mov_ai.evaluation.inspection.run_folder import read_run

    made = read_run(run)
    videos = {size: made.video(size) for size in made.stages}

    from mov_ai.evaluation.inspection.stages import stage_figures
    from mov_ai.evaluation.inspection.stages_page import stages_page
    from mov_ai.graph.files import write_bytes

    figures = stage_figures(made, videos)
    write_bytes(page, stages_page(made, videos, figures))
    if as_json:
        tell_json([stage.to_dict() for stage in figures])
        return
    _print_stages(figures)
    typer.echo(f"wrote {page}")


def _page_to_write(run: Path, out: Path | None, name: str) -> Path:
    """Where the page goes. Raises UsageError if it is no page's name, MovAIError if it cannot be written there."""
    from mov_ai.graph.files import check_writable

    page = run / name if out is None else out
    if page.suffix != ".html":
        raise UsageError(f"--out: {page}: expected the name of a page, which ends in .html, such as {name}")
    if out is not None:
        check_writable(page.parent)
    return page


def _print_shares(figures: list[Share]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from mov_ai.evaluation.inspection.attention_page import distinct

    table = Table(caption="In brackets: what it would be if place or time did not matter.")
    for name in ("", "", "attention", "inside its boxes", "inside its interval"):
        table.add_column(name, justify="right" if name else "left")
    names = distinct([share.token for share in figures])
    for name, share in zip(names, figures, strict=True):
        if share.token.kind != "text":
            boxes, time = (
                _beside(share.in_boxes, share.box_area),
                _beside(share.in_interval, share.interval_length),
            )
            row = (share.token.kind, Text(one_line(name)), f"{100 * share.attention:.1f} %", boxes)
            table.add_row(*row, time if share.interval_length < 1 else "")
    words = [share.attention for share in figures if share.token.kind == "text"]
    if words:
        table.add_row("text", f"{len(words)} words", f"{100 * sum(words):.1f} %", "", "")
    Console().print(table)


def _beside(share: float | None, chance: float | None) -> str:
    return "" if share is None or chance is None else f"{100 * share:.0f} % ({100 * chance:.0f} %)"


def _print_stages(figures: list[StageFigures]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(caption="On the saved MP4s. Gradient energy: 1 is as soft as the first stage, enlarged.")
    titles = ("stage", "s", "gradient energy", "floor flicker, levels", "PSNR to the stage before, dB")
    for name in titles:
        table.add_column(name, justify="right")
    for stage in figures:
        table.add_row(
            str(stage.size),
            "" if stage.seconds is None else f"{stage.seconds:.1f}",
            f"{stage.sharpness:.2f}",
            "absent" if stage.floor_flicker is None else f"{stage.floor_flicker:.2f}",
            "" if stage.to_previous is None else f"{stage.to_previous:.2f}",
        )
    Console().print(table)
