"""`mov-ai weights`: the published networks that metrics use: where they are, fetching them, checking them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import typer

from mov_ai.cli.messages import say
from mov_ai.errors import MovAIError, UsageError

if TYPE_CHECKING:
    from rich.table import Table


weights = typer.Typer(
    help="Weights of published metric networks: where they are, fetching them, checking them.", rich_markup_mode=None
)

#: A table that no terminal shows is not folded: addresses stay in one piece.
_WIDE = 250


@weights.command("list")
def list_weights(as_json: bool = typer.Option(False, "--json", help="Print as JSON.")) -> None:
    """Print every file that a metric can use: size, licence, SHA-256, public address, and where it is here."""
    from mov_ai.evaluation.metrics.weights import WEIGHTS, located

    found = {name: next(iter(located(name)), None) for name in WEIGHTS}
    if as_json:
        rows = [
            {
                "name": name,
                "use": known.use,
                "file": known.file,
                "size": known.size,
                "licence": known.licence,
                "sha256": known.sha256,
                "url": known.url,
                "path": None if found[name] is None else str(found[name]),
            }
            for name, known in WEIGHTS.items()
        ]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    console.print(_table({name: "absent" if path is None else str(path) for name, path in found.items()}))


def _table(here: dict[str, str]) -> Table:
    """One row for each file; `here` says where it is."""
    from rich.table import Table
    from rich.text import Text

    from mov_ai.evaluation.metrics.weights import WEIGHTS
    from mov_ai.weight_places import places

    table = Table(caption=f"Looked for in {', '.join(map(str, places()))}; LPIPS's own layers come with `lpips`.")
    table.add_column("name")
    table.add_column("for")
    # Two facts in one column: a terminal is narrow, and an address is long.
    table.add_column("file and address", overflow="fold")
    table.add_column("MB", justify="right")
    table.add_column("licence and SHA-256")
    table.add_column("here", overflow="fold")
    for name, known in WEIGHTS.items():
        place = Text.assemble(known.file, "\n", (known.url, f"link {known.url}"))
        licence = Text(f"{known.licence}\n{known.sha256[:12]}")
        table.add_row(name, known.use, place, f"{known.size / 1e6:.1f}", licence, Text(here[name]))
    return table


@weights.command()
def verify(
    names: list[str] | None = typer.Argument(
        None, metavar="[NAME]...", help="What to check; all that is here if none."
    ),
) -> None:
    """Check the SHA-256 of what is on this machine; exit code 1 if one is wrong, or a named one is absent."""
    from mov_ai.evaluation.metrics.result import Absent
    from mov_ai.evaluation.metrics.weights import WEIGHTS, check_weights, find_weights, located
    from mov_ai.weight_places import places

    asked = _known(names or [])
    checked = wrong = 0
    for name in asked or list(WEIGHTS):
        for path in located(name):
            checked += 1
            try:
                check_weights(path, WEIGHTS[name].sha256)
            except MovAIError as error:
                wrong += 1
                say(f"error: {name}: {error}")
            else:
                typer.echo(f"{name}: {path}: as published")
        if asked and not located(name) and isinstance(absent := find_weights(name), Absent):
            wrong += 1
            say(f"error: {name}: {absent.reason}; {absent.command}")
    if not checked and not asked:
        typer.echo(f"no weights in {', '.join(map(str, places()))}; `mov-ai weights pull NAME` brings them")
    if wrong:
        raise typer.Exit(1)


@weights.command()
def pull(
    names: list[str] | None = typer.Argument(
        None, metavar="[NAME]...", help="What to fetch; see `mov-ai weights list`."
    ),
    everything: bool = typer.Option(False, "--all", help="Fetch all of them."),
) -> None:
    """Fetch files into the folder that MOV_AI_WEIGHTS names, else torch's cache; kept only if the SHA-256 is right."""
    from mov_ai.evaluation.metrics.weights import WEIGHTS, pull_weights

    asked = _known(names or [])
    if bool(asked) == everything:
        raise UsageError(f"weights pull: expected either names or --all; the names are {', '.join(WEIGHTS)}")
    failed = False
    for name in asked or list(WEIGHTS):
        try:
            with _Bar(name, WEIGHTS[name].size) as bar:
                path = pull_weights(name, bar.report)
        except MovAIError as error:
            # The others may come from another server.
            failed = True
            say(f"error: {name}: {error}")
        else:
            typer.echo(f"{name}: {path}: {'as published' if bar.used else 'was here already, as published'}")
    if failed:
        raise typer.Exit(1)


def _known(names: list[str]) -> list[str]:
    """The names, each once. Raises UsageError if one is no name of a weights file."""
    from mov_ai.evaluation.metrics.weights import WEIGHTS

    for name in names:
        if name not in WEIGHTS:
            raise UsageError(f"no weights are named {name!r}; the names are {', '.join(WEIGHTS)}")
    return list(dict.fromkeys(names))


class _Bar:
    """How far a download has come: a bar on a terminal, one line elsewhere."""

    def __init__(self, name: str, size: int) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._progress = Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal)
        self._task = self._progress.add_task(name, total=size, start=False)
        self._line = f"{name}: fetching {size / 1e6:.1f} MB"
        self.used = False

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def report(self, done: int, whole: int | None) -> None:
        """Take note of the bytes that are here; see `mov_ai.data.streamed_download.Progress`."""
        if not self.used:
            self.used = True
            if self._progress.disable:
                say(self._line)
            self._progress.start()
            self._progress.start_task(self._task)
        self._progress.update(self._task, completed=done, total=whole)
