"""`mov-ai plan`: where things are and how they move, before any pixel is made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mov_ai.cli.hints import read_sound
from mov_ai.cli.inputs import check_one_prompt, load_parser, read_prompt_or_graph
from mov_ai.cli.messages import say, spoken_warnings, tell
from mov_ai.cli.sizes import chosen_shape, resampled
from mov_ai.errors import UsageError

if TYPE_CHECKING:
    from mov_ai.graph import Layout, SceneGraph, VideoShape
    from mov_ai.graph.draw.layout_things import Panel
    from mov_ai.graph.layout_report import LayoutReport
    from mov_ai.models.planner import LayoutPlanner, Verifier

#: How the names of pictures end, by their option.
_SUFFIXES = {"--svg": ".svg", "--gif": ".gif", "--sheet": ".png"}
#: The most layouts that are shown side by side.
MAX_CANDIDATES = 36


@dataclass(frozen=True)
class Planned:
    """One of the layouts that were sampled: its number from 1, and the verifier's report if there is a verifier."""

    number: int
    layout: Layout
    report: LayoutReport | None

    def __str__(self) -> str:
        """As "candidate 3: value -0.41, 1 fault"."""
        if self.report is None:
            return f"candidate {self.number}"
        faults = self.report.faults
        # Zero has no sign here.
        value = round(self.report.value, 2) + 0.0
        return f"candidate {self.number}: value {value:.2f}, {faults} fault{'' if faults == 1 else 's'}"


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
    audio: Path | None = typer.Option(
        None,
        help="A sound at whose onsets the events begin; the layout is as long, unless --frames or --layout say.",
        show_default=False,
    ),
    out: Path | None = typer.Option(
        None, help="Write the layout (JSON) here, to edit and give to `mov-ai generate --layout`.", show_default=False
    ),
    export: str | None = typer.Option(
        None,
        help="Write --out for other programs: lvd (JSON; take --frames 6), bbox (JSON), coco (COCO-video's JSON), "
        "mot (a folder).",
        show_default=False,
    ),
    svg: Path | None = typer.Option(
        None, help="Draw start, end and way of each box into this SVG.", show_default=False
    ),
    gif: Path | None = typer.Option(None, help="Draw the boxes moving into this GIF.", show_default=False),
    sheet: Path | None = typer.Option(None, help="Draw the boxes, frame by frame, into this PNG.", show_default=False),
    candidates: int | None = typer.Option(
        None,
        min=1,
        max=MAX_CANDIDATES,
        help="Sample so many layouts, and list and draw all of them, with the verifier's value of each.",
        show_default="only the best is shown",
    ),
    pick: int | None = typer.Option(
        None,
        min=1,
        max=MAX_CANDIDATES,
        help="Write this candidate, counted from 1, instead of the one that the verifier finds best.",
        show_default=False,
    ),
    threshold: float = typer.Option(
        0.0, min=0, max=1, help="Leave out of a text's graph what the parser is less sure of, 0 to 1."
    ),
    checkpoint: str = typer.Option("tiny", help="An embedded pipeline, or the folder of a saved one."),
) -> None:
    """Plan the layout of a text or a scene graph, and say what of it the boxes show, and what they do not."""
    check_one_prompt(text, graph)
    pictures = {"--svg": svg, "--gif": gif, "--sheet": sheet}
    _check_places(pictures, export, out)
    if candidates is not None and pick is not None and pick > candidates:
        raise UsageError(f"--pick: expected one of the {candidates} candidates; found {pick}")

    from mov_ai.graph import Layout, VideoShape

    chosen_shape(frames, fps, size)
    known = resampled(Layout.load(layout), frames) if layout is not None else None
    prompt = read_prompt_or_graph(text, graph)
    onsets = read_sound(audio)

    from mov_ai.graph.draw.layout_things import Panel
    from mov_ai.graph.layout_report import preference
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
    if onsets is not None and frames is None and known is None:
        shape = replace(shape, frames=max(1, round(onsets.duration * shape.fps)))
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
    if onsets is not None:
        from mov_ai.graph.onsets import timed

        prompt = timed(prompt, onsets, shape.frames / shape.fps)
    # As a pipeline does: what is planned is the completed graph.
    completed = prompt if world is None else world.complete(prompt, seed)
    stages = config_from_dict(CascadeConfig, about.get("cascade"), str(folder / PIPELINE_FILE))
    coverage = LabelCoverage.load(folder / stages.names[0])
    labels = load_label_encoder(planner.config.labels)
    for warning in graph_warnings(completed, [] if coverage is None else coverage.distant(completed, labels)):
        say(f"warning: {warning}")
    verifier = None if world is None else world.verify
    if candidates is None and pick is None:
        planned, report = planner.plan(
            completed, seed, known, frames=shape.frames, verifier=verifier, aspect=shape.aspect
        )
        planned.shape = shape
        listed, chosen, which = [], Planned(1, planned, report), ""
    else:
        sampled = _sampled(planner, completed, seed, known, shape, verifier, candidates or pick or 1)
        best = max(sampled, key=lambda one: preference(one.report))
        chosen = best if pick is None else sampled[pick - 1]
        listed, which = sampled if candidates is not None else [], f" (candidate {chosen.number})"
    if out is not None:
        if export is None:
            chosen.layout.save(out)
        else:
            from mov_ai.data.formats.exports import export_layout

            export_layout(chosen.layout, prompt, export, out)
        typer.echo(f"wrote {out}{which}")
    panels = [Panel(one.layout, f"{one}{', chosen' if one is chosen else ''}") for one in listed]
    _draw(prompt, panels or [Panel(chosen.layout)], pictures)
    for panel in panels:
        tell(panel.title)
    _tell_report(completed, known, chosen.report)


def _check_places(pictures: dict[str, Path | None], export: str | None, out: Path | None) -> None:
    """Raises UsageError for a picture's name that is of another kind, an unknown export, or one without a place."""
    for name, path in pictures.items():
        suffix = _SUFFIXES[name]
        if path is not None and path.suffix.lower() != suffix:
            raise UsageError(f"{name}: expected a name that ends in {suffix}; found {str(path)!r}")
    if export is not None:
        from mov_ai.data.formats.exports import EXPORTS

        if export not in EXPORTS:
            raise UsageError(f"--export: expected one of {', '.join(EXPORTS)}; found {export!r}")
        if out is None:
            raise UsageError("--export: expected --out too: the file to write, or the folder for mot")


def _sampled(
    planner: LayoutPlanner,
    graph: SceneGraph,
    seed: int,
    known: Layout | None,
    shape: VideoShape,
    verifier: Verifier | None,
    number: int,
) -> list[Planned]:
    """So many layouts, in the order in which they are sampled; the first ones are the same for any number."""
    judged = planner.judged(
        graph, seed, known, candidates=number, frames=shape.frames, verifier=verifier, aspect=shape.aspect
    )
    sampled = [Planned(i, layout, report) for i, (layout, report) in enumerate(judged, 1)]
    for one in sampled:
        one.layout.shape = shape
    return sampled


def _draw(graph: SceneGraph, panels: list[Panel], pictures: dict[str, Path | None]) -> None:
    """The pictures that are asked for, each whole or not at all."""
    import io

    from mov_ai.graph.draw.layout_pictures import layout_gif, layout_sheet
    from mov_ai.graph.draw.layout_svg import layout_svg
    from mov_ai.graph.files import write_bytes

    for name, path in pictures.items():
        if path is None:
            continue
        if name == "--svg":
            content = layout_svg(graph, panels).encode("utf-8")
        elif name == "--gif":
            content = layout_gif(graph, panels)
        else:
            buffer = io.BytesIO()
            layout_sheet(graph, panels).save(buffer, format="PNG")
            content = buffer.getvalue()
        write_bytes(path, content)
        typer.echo(f"wrote {path}")


def _tell_report(graph: SceneGraph, known: Layout | None, report: LayoutReport | None) -> None:
    """What is kept (yes), what is not (NO) and what boxes cannot show (?), and how many are not."""
    from mov_ai.graph.layout_limits import limit_faults

    faults = limit_faults(graph, known)
    for fault in faults:
        tell(f"NO  {fault}")
    if report is None:
        tell(" ?  events and relations: this pipeline names no world, so nothing checks them")
    else:
        tell(str(report))
    wrong = len(faults) + (0 if report is None else report.faults)
    tell(f"not kept: {wrong}, each with NO above" if wrong else "nothing found that is not kept")
