"""`mov-ai plan`: where things are and how they move, before any pixel is made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mov_ai.cli.inputs import check_one_prompt, load_parser, read_prompt_or_graph
from mov_ai.cli.messages import say, spoken_warnings, tell
from mov_ai.cli.sizes import chosen_shape, resampled
from mov_ai.errors import UsageError

if TYPE_CHECKING:
    import PIL.Image

    from mov_ai.graph import Layout, SceneGraph

#: Longer side of a frame on the sheet, in pixels, and the grey of its empty floor.
FRAME_SIZE, GREY = 192, 236


def plan(
    text: str | None = typer.Argument(
        None, help="What the video shows; standard input if absent or '-'.", show_default=False
    ),
    graph: Path | None = typer.Option(
        None, help="Scene graph (JSON) to use instead of a text; '-' is standard input.", show_default=False
    ),
    layout: Path | None = typer.Option(
        None, help="Layout (JSON) to complete: boxes that are null are planned.", show_default=False
    ),
    seed: int = typer.Option(0, min=0, max=2**31 - 1, help="Same seed, same layout."),
    frames: int | None = typer.Option(None, help="Boxes of each track.", show_default="the pipeline's"),
    fps: float | None = typer.Option(None, help="Frames a second of the video.", show_default="the pipeline's"),
    size: str | None = typer.Option(
        None, help="HEIGHTxWIDTH of the video, as 320x512, or one number.", show_default="the pipeline's"
    ),
    out: Path | None = typer.Option(
        None, help="Write the layout (JSON) here, to edit and give to `mov-ai generate --layout`.", show_default=False
    ),
    export: str | None = typer.Option(
        None,
        help="Write --out for other programs: lvd (JSON; take --frames 6), bbox (JSON), mot (a folder).",
        show_default=False,
    ),
    sheet: Path | None = typer.Option(None, help="Draw the boxes, frame by frame, into this PNG.", show_default=False),
    threshold: float = typer.Option(
        0.0, min=0, max=1, help="Leave out of a text's graph what the parser is less sure of, 0 to 1."
    ),
    checkpoint: str = typer.Option("tiny", help="An embedded pipeline, or the folder of a saved one."),
) -> None:
    """Plan the layout of a text or a scene graph, and say which of its events and relations the boxes show."""
    check_one_prompt(text, graph)
    if sheet is not None and sheet.suffix.lower() != ".png":
        raise UsageError(f"--sheet: expected a name that ends in .png; found {str(sheet)!r}")
    if export is not None:
        from mov_ai.data.formats.exports import EXPORTS

        if export not in EXPORTS:
            raise UsageError(f"--export: expected one of {', '.join(EXPORTS)}; found {export!r}")
        if out is None:
            raise UsageError("--export: expected --out too: the file to write, or the folder for mot")

    from mov_ai.graph import Layout, VideoShape

    chosen_shape(frames, fps, size)
    known = resampled(Layout.load(layout), frames) if layout is not None else None
    prompt = read_prompt_or_graph(text, graph)

    from mov_ai.labels.coverage import LabelCoverage
    from mov_ai.labels.encoder import load_label_encoder
    from mov_ai.models.cascade import CascadeConfig
    from mov_ai.models.component import config_from_dict, load_component
    from mov_ai.models.planner import LayoutPlanner, PlannerConfig
    from mov_ai.parser.unread import unread_warning
    from mov_ai.pipeline_files import PIPELINE_FILE, pipeline_folder, read_pipeline_file
    from mov_ai.plugins import load_world
    from mov_ai.run_record import graph_warnings

    # Not the whole pipeline: a layout needs neither denoiser nor codec.
    folder = pipeline_folder(checkpoint)
    about = read_pipeline_file(folder)
    world = load_world(about.get("world"))
    shape = config_from_dict(VideoShape, about.get("shape"), str(folder / PIPELINE_FILE))
    if known is not None:
        shape = known.shape or replace(shape, frames=known.frames)
    shape = chosen_shape(frames, fps, size, shape)
    if not (folder / "planner").is_dir():
        raise UsageError(
            f"checkpoint: {folder}: has no planner; `mov-ai generate` takes a --layout, or leaves boxes out"
        )
    planner = load_component(LayoutPlanner, PlannerConfig, folder / "planner")
    if isinstance(prompt, str):
        own = folder / "parser"
        with spoken_warnings():
            parse = load_parser(str(own) if own.is_dir() else None).explain(prompt, threshold=threshold)
        prompt = parse.graph
        if unread := unread_warning(prompt, parse.unread):
            say(f"warning: {unread}")
    # As a pipeline does: what is planned is the completed graph.
    completed = prompt if world is None else world.complete(prompt, seed)
    stages = config_from_dict(CascadeConfig, about.get("cascade"), str(folder / PIPELINE_FILE))
    coverage = LabelCoverage.load(folder / stages.names[0])
    labels = load_label_encoder(planner.config.labels)
    for warning in graph_warnings(completed, [] if coverage is None else coverage.distant(completed, labels)):
        say(f"warning: {warning}")
    verifier = None if world is None else world.verify
    planned, report = planner.plan(completed, seed, known, frames=shape.frames, verifier=verifier, aspect=shape.aspect)
    planned.shape = shape
    if out is not None:
        if export is None:
            planned.save(out)
        else:
            from mov_ai.data.formats.exports import export_layout

            export_layout(planned, prompt, export, out)
        typer.echo(f"wrote {out}")
    if sheet is not None:
        _write_sheet(sheet, prompt, planned)
        typer.echo(f"wrote {sheet}")
    if report is not None:
        tell(str(report))


def _write_sheet(path: Path, graph: SceneGraph, layout: Layout) -> None:
    import io

    from mov_ai.graph.files import write_bytes

    buffer = io.BytesIO()
    layout_sheet(graph, layout).save(buffer, format="PNG")
    write_bytes(path, buffer.getvalue())


def layout_sheet(graph: SceneGraph, layout: Layout) -> PIL.Image.Image:
    """The boxes of a layout, frame by frame, on a grey ground."""
    import numpy as np

    from mov_ai.graph import VideoShape
    from mov_ai.result import VideoResult

    shape = layout.shape or VideoShape()
    scale = FRAME_SIZE / max(shape.height, shape.width)
    sides = (max(1, round(side * scale)) for side in (shape.height, shape.width))
    empty = np.full((layout.frames, *sides, 3), GREY, dtype=np.uint8)
    return VideoResult(empty, {}, {}, graph, layout).sheet(FRAME_SIZE, boxes=True)
