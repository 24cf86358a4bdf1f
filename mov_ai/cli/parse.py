"""`mov-ai parse`: a text becomes a scene graph to look at."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mov_ai.cli.inputs import check_prompt, load_parser, read_prompt
from mov_ai.cli.messages import spoken_warnings
from mov_ai.errors import UsageError

if TYPE_CHECKING:
    from mov_ai.graph import SceneGraph
    from mov_ai.parser.assembly import Parse
    from mov_ai.parser.parser import SceneGraphParser

#: Texts parsed in one pass of the network.
BATCH = 32


def parse(
    text: str | None = typer.Argument(None, help="What to parse; standard input if absent or '-'.", show_default=False),
    as_json: bool = typer.Option(False, "--json", help="Print the graph as JSON."),
    dot: bool = typer.Option(False, "--dot", help="Print the graph as DOT, for Graphviz."),
    triples: bool = typer.Option(False, "--triples", help="Print the graph as ( head , predicate , tail ) triples."),
    explain: bool = typer.Option(False, "--explain", help="Print which words gave which node and edge, how surely."),
    entity: list[str] | None = typer.Option(
        None, help="A thing that the text speaks of, if known beforehand (may be repeated).", show_default=False
    ),
    svg: Path | None = typer.Option(None, help="Write a picture of the graph.", show_default=False),
    html: Path | None = typer.Option(None, help="Write a web page with the graph.", show_default=False),
    file: Path | None = typer.Option(
        None,
        help="Parse a file, one prompt a line (blank lines are skipped), to JSON lines, or to triples.",
        show_default=False,
    ),
    out: Path | None = typer.Option(None, help="Write to this file instead of standard output.", show_default=False),
    checkpoint: str | None = typer.Option(
        None, help="Folder of another parser, or of a pipeline that has one.", show_default="the embedded parser"
    ),
) -> None:
    """Print the scene graph of a text: entities, attributes, events with their intervals, relations."""
    if as_json + dot + triples + explain > 1:
        raise UsageError("--json, --dot, --triples and --explain: choose one of them; --svg and --html go with any")
    if file is not None:
        others = dot or explain or entity or svg is not None or html is not None
        _parse_file(file, text, out, checkpoint, triples, others=bool(others))
        return
    text = read_prompt(text)
    with spoken_warnings():
        told = load_parser(checkpoint).explain(text, entity or None)
    graph = told.graph
    _write_pictures(graph, svg, html)
    if not (as_json or dot or triples or explain or out) and (svg or html):
        return
    if explain:
        content = _explanation(told)
    elif as_json:
        content = graph.to_json()
    elif dot:
        from mov_ai.graph.draw import to_dot

        content = to_dot(graph).rstrip("\n")
    elif triples:
        content = _triples(graph)
    elif out is None:
        _print_tree(graph)
        return
    else:
        content = _plain_tree(graph)
    _emit(content, out)


def _triples(graph: SceneGraph) -> str:
    from mov_ai.graph.convert import to_triples, triples_to_text

    return triples_to_text(to_triples(graph))


def _explanation(told: Parse) -> str:
    """A table of nodes and one of edges: what it is, the words that speak for it, how sure the parser is."""
    graph = told.graph
    names = {node.id: node.label for node in graph.nodes}
    rows = [("node", "words", "confidence")]
    for node in graph.nodes:
        if node.type != "scene":
            words = "" if node.span is None else graph.caption[slice(*node.span)]
            rows.append((f"{node.id} {node.type} {node.label}", repr(words), f"{node.confidence:.2f}"))
    rows.append(("", "", ""))
    rows.append(("edge", "words", "confidence"))
    for number, edge in enumerate(graph.edges):
        if edge.type == "contains":
            continue
        said = " ".join(part for part in (edge.type, edge.label) if part)
        span = told.edge_words.get(number)
        words = "" if span is None else repr(graph.caption[slice(*span)])
        rows.append((f"{names[edge.source]} -- {said} --> {names[edge.target]}", words, f"{edge.confidence:.2f}"))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c}".rstrip() for a, b, c in rows)


def _emit(content: str, out: Path | None) -> None:
    if out is None:
        typer.echo(content)
    else:
        from mov_ai.graph.files import write_bytes

        write_bytes(out, (content + "\n").encode("utf-8"))
        typer.echo(f"wrote {out}")


def _write_pictures(graph: SceneGraph, svg: Path | None, html: Path | None) -> None:
    from mov_ai.graph.draw import to_html, to_svg
    from mov_ai.graph.files import write_bytes

    for path, draw in ((svg, to_svg), (html, to_html)):
        if path is not None:
            write_bytes(path, draw(graph).encode("utf-8"))
            # Standard output may be the JSON that another program reads.
            typer.echo(f"wrote {path}", err=True)


def _print_tree(graph: SceneGraph) -> None:
    from rich.console import Console

    from mov_ai.graph.draw import to_tree

    console = Console(highlight=False)
    if console.is_terminal:
        console.print(to_tree(graph))
    else:
        typer.echo(_plain_tree(graph))


def _plain_tree(graph: SceneGraph) -> str:
    """The tree for a file or a pipe, which have no width that long lines would have to be cut to."""
    from rich.console import Console

    from mov_ai.graph.draw import to_tree

    text = io.StringIO()
    Console(file=text, highlight=False, color_system=None, width=100_000).print(to_tree(graph))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def _parse_file(
    file: Path, text: str | None, out: Path | None, checkpoint: str | None, triples: bool, others: bool
) -> None:
    if text is not None:
        raise UsageError("give a text or --file, not both")
    if others:
        raise UsageError(
            "--file: prints JSON lines or --triples; --dot, --explain, --entity, --svg and --html are for one text"
        )
    prompts = _read_lines(file)
    with spoken_warnings():
        parser = load_parser(checkpoint)
        lines = []
        for start in range(0, len(prompts), BATCH):
            for graph in _parse_batch(parser, file, prompts[start : start + BATCH]):
                line = _triples(graph) if triples else json.dumps(graph.to_dict(), ensure_ascii=False, allow_nan=False)
                lines.append(line)
                if out is None:
                    typer.echo(line)
    if out is not None:
        _emit("\n".join(lines), out)


def _read_lines(file: Path) -> list[tuple[int, str]]:
    """The prompts of a file, each with the number of its line."""
    try:
        content = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: expected UTF-8 text; byte {error.start} is not; convert it first") from None
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror}); give a text file with a prompt a line") from None
    # Not `splitlines`: it would also break prompts at characters that editors do not show as line ends.
    prompts = [(number, line) for number, line in enumerate(content.split("\n"), 1) if line.strip()]
    if not prompts:
        raise UsageError(f"{file}: holds no prompts; write one a line")
    for number, prompt in prompts:
        try:
            check_prompt(prompt)
        except UsageError as error:
            raise UsageError(f"{file}: line {number}: {error}") from None
    return prompts


def _parse_batch(parser: SceneGraphParser, file: Path, prompts: list[tuple[int, str]]) -> list[SceneGraph]:
    try:
        return parser.parse_batch([prompt for _, prompt in prompts])
    except UsageError:
        # Which line was it? One by one, without saying warnings twice.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for number, prompt in prompts:
                try:
                    parser(prompt)
                except UsageError as error:
                    raise UsageError(f"{file}: line {number}: {error}") from None
        raise
