"""`mov-ai parse`: a text becomes a scene graph to look at."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mov_ai.cli.hints import read_sound
from mov_ai.cli.inputs import check_prompt, load_parser, prompt_warnings, read_prompt
from mov_ai.cli.messages import say, spoken_warnings
from mov_ai.errors import MovAIError, UsageError

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
        help="Parse a file, one prompt a line (blank lines are skipped), to JSON lines, or to triples; a line that "
        'cannot be parsed becomes {"error": ..., "line": N}, or an empty line of triples.',
        show_default=False,
    ),
    out: Path | None = typer.Option(None, help="Write to this file instead of standard output.", show_default=False),
    audio: Path | None = typer.Option(None, help="A sound at whose onsets the events begin.", show_default=False),
    threshold: float = typer.Option(
        0.0, min=0, max=1, help="Leave out nodes and edges that the parser is less sure of, 0 to 1.", show_default=True
    ),
    checkpoint: str | None = typer.Option(
        None, help="Folder of another parser, or of a pipeline that has one.", show_default="the embedded parser"
    ),
) -> None:
    """Print the scene graph of a text: entities, attributes, events with their intervals, relations."""
    if as_json + dot + triples + explain > 1:
        raise UsageError("--json, --dot, --triples and --explain: choose one of them; --svg and --html go with any")
    if file is not None:
        others = dot or explain or entity or svg is not None or html is not None or audio is not None
        if text is not None:
            raise UsageError("give a text or --file, not both")
        if others:
            raise UsageError(
                "--file: prints JSON lines or --triples; --dot, --explain, --entity, --svg, --html and --audio are for "
                "one text"
            )
        _parse_file(file, checkpoint, out, triples, threshold)
        return
    text = read_prompt(text)
    onsets = read_sound(audio)
    with spoken_warnings():
        told = load_parser(checkpoint).explain(text, entity or None, threshold)
    if onsets is not None:
        from mov_ai.graph.onsets import timed

        told = replace(told, graph=timed(told.graph, onsets))
    graph = told.graph
    if empty := _empty_warning(told):
        say(f"warning: {empty}")
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
    if told.unread:
        rows += [("", "", ""), ("not understood", "words", "")]
        rows += [(one.kind if one.kind != "other" else "word", repr(one.word), "") for one in told.unread]
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


def _parse_file(file: Path, checkpoint: str | None, out: Path | None, triples: bool, threshold: float) -> None:
    """A line for each prompt of a file; for one at fault what is wrong with it, and an error at the end."""
    prompts = _read_lines(file)
    parser = load_parser(checkpoint)
    lines, failed = [], 0
    for start in range(0, len(prompts), BATCH):
        numbers, texts = zip(*prompts[start : start + BATCH], strict=True)
        for number, answer in zip(numbers, _answers(parser, texts, threshold), strict=True):
            failed += isinstance(answer, UsageError)
            lines.append(_file_line(answer, f"{file}: line {number}", number, triples))
            if out is None:
                typer.echo(lines[-1])
    if out is not None:
        _emit("\n".join(lines), out)
    if failed:
        raise MovAIError(f"{file}: {failed} of {len(prompts)} prompts could not be parsed; all others were")


def _file_line(answer: Parse | UsageError, place: str, number: int, triples: bool) -> str:
    """What is written for one prompt of many; warnings are said with its place."""
    if isinstance(answer, UsageError):
        if not triples:
            return json.dumps({"error": str(answer), "line": number}, ensure_ascii=False)
        # Triples have no place for a message.
        say(f"error: {place}: {answer}")
        return ""
    for warning in _warnings(answer):
        say(f"warning: {place}: {warning}")
    if triples:
        return _triples(answer.graph)
    return json.dumps(answer.graph.to_dict(), ensure_ascii=False, allow_nan=False)


def _answers(parser: SceneGraphParser, prompts: Sequence[str], threshold: float) -> list[Parse | UsageError]:
    """For each prompt its graph or what is wrong with it, by the checks of a command and of the parser."""
    faults: dict[int, UsageError] = {}
    for i, prompt in enumerate(prompts):
        try:
            check_prompt(prompt)
        except UsageError as error:
            faults[i] = error
    parses = iter(parser.parse_each([p for i, p in enumerate(prompts) if i not in faults], threshold=threshold))
    return [faults[i] if i in faults else next(parses) for i in range(len(prompts))]


def _warnings(parse: Parse) -> list[str]:
    """What is said of one prompt of many: symbols, its language, or that nothing was understood."""
    from mov_ai.parser.parser import foreign_warning

    text = parse.graph.caption
    understood = foreign_warning(text) if parse.foreign else _empty_warning(parse)
    return [*prompt_warnings(text), *([] if understood is None else [understood])]


def _empty_warning(parse: Parse) -> str | None:
    from mov_ai.parser.unread import empty_warning

    # Of another language no word is understood, which is said of it already.
    return None if parse.foreign else empty_warning(parse.graph, parse.unread)


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
    return prompts
