"""`mov-ai weights`: published networks of metrics, and a codec: where they are, fetching them, checking them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mov_ai.cli.messages import say
from mov_ai.errors import MovAIError, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from mov_ai.data.streamed_download import Progress
    from mov_ai.evaluation.metrics.weights import WeightsFile


weights = typer.Typer(
    help="Weights of published networks: where they are, fetching them, checking them.", rich_markup_mode=None
)

#: A table that no terminal shows is not folded: addresses stay in one piece.
_WIDE = 250


@weights.command("list")
def list_weights(as_json: bool = typer.Option(False, "--json", help="Print as JSON.")) -> None:
    """Print every file that can be fetched: size, licence, SHA-256, public address, and where it is here."""
    from mov_ai.evaluation.metrics.weights import located
    from mov_ai.models.taef2_files import NAME, located_taef2

    published = _published()
    found = {name: next(iter(located_taef2() if name == NAME else located(name)), None) for name in published}
    if as_json:
        rows = [
            {
                "name": name,
                "use": known.use,
                "file": known.file,
                "size": known.size,
                "licence": known.licence,
                "sha256": known.sha256 or None,
                "url": known.url,
                "path": None if found[name] is None else str(found[name]),
            }
            for name, known in published.items()
        ]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    console.print(_table({name: "absent" if path is None else str(path) for name, path in found.items()}))


def _published() -> dict[str, WeightsFile]:
    """Every file that can be fetched, by name; no SHA-256 where the values in the file are checked instead."""
    from mov_ai.evaluation.metrics.weights import WEIGHTS, WeightsFile
    from mov_ai.models import taef2_files

    codec = WeightsFile(
        file=taef2_files.FILE,
        url=taef2_files.URL,
        sha256="",
        licence=taef2_files.LICENCE,
        size=taef2_files.SIZE,
        use=taef2_files.USE,
    )
    return {**WEIGHTS, taef2_files.NAME: codec}


def _table(here: dict[str, str]) -> Table:
    """One row for each file; `here` says where it is."""
    from rich.table import Table
    from rich.text import Text

    from mov_ai.weight_places import places

    table = Table(caption=f"Looked for in {', '.join(map(str, places()))}; LPIPS's own layers come with `lpips`.")
    table.add_column("name")
    table.add_column("for")
    # Two facts in one column: a terminal is narrow, and an address is long.
    table.add_column("file and address", overflow="fold")
    table.add_column("MB", justify="right")
    table.add_column("licence and SHA-256")
    table.add_column("here", overflow="fold")
    for name, known in _published().items():
        place = Text.assemble(known.file, "\n", (known.url, f"link {known.url}"))
        licence = Text(f"{known.licence}\n{known.sha256[:12]}".strip())
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
    from mov_ai.models.taef2_files import NAME, find_taef2, located_taef2
    from mov_ai.weight_places import places

    asked = _known(names or [])
    checked = wrong = 0
    for name in asked or list(_published()):
        if name == NAME:
            if asked or located_taef2():
                checked += 1
                try:
                    files = find_taef2()
                    typer.echo(f"{name}: {files[0]}: {_verdict(files)}")
                except MovAIError as error:
                    wrong += 1
                    say(f"error: {name}: {error}")
            continue
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
    everything: bool = typer.Option(False, "--all", help="Fetch all that metrics use."),
) -> None:
    """Fetch files into the folder that MOV_AI_WEIGHTS names, else torch's cache; kept only if the SHA-256 is right."""
    from mov_ai.evaluation.metrics.weights import WEIGHTS, pull_weights
    from mov_ai.models.taef2_files import NAME

    asked, published = _known(names or []), _published()
    if bool(asked) == everything:
        raise UsageError(f"weights pull: expected either names or --all; the names are {', '.join(published)}")
    failed = False
    for name in asked or list(WEIGHTS):
        verdict = "as published"
        try:
            with _Bar(name, published[name].size) as bar:
                if name == NAME:
                    path, verdict = _pull_taef2(bar.report)
                else:
                    path = pull_weights(name, bar.report)
        except MovAIError as error:
            # The others may come from another server.
            failed = True
            say(f"error: {name}: {error}")
        else:
            typer.echo(f"{name}: {path}: {verdict if bar.used else f'was here already, {verdict}'}")
    if failed:
        raise typer.Exit(1)


def _known(names: list[str]) -> list[str]:
    """The names, each once. Raises UsageError if one is no name of a weights file."""
    published = _published()
    for name in names:
        if name not in published:
            raise UsageError(f"no weights are named {name!r}; the names are {', '.join(published)}")
    return list(dict.fromkeys(names))


def _pull_taef2(progress: Progress) -> tuple[Path, str]:
    """The file, fetched if it is not here, and what it holds.

    Raises MovAIError if it cannot be fetched or holds another network.
    """
    from mov_ai.data.streamed_download import download
    from mov_ai.models.taef2_files import FILE, NAME, SIZE, URL, located_taef2
    from mov_ai.weight_places import places

    files = located_taef2()
    if not files:
        files = [places()[0] / FILE]
        remedy = f"fetch it by hand, put it at {files[0]} and run `mov-ai weights verify {NAME}`"

        def check(path: Path) -> None:
            try:
                _verdict([path])
            except MovAIError as error:
                reason = str(error).partition(": ")[2]
                raise MovAIError(f"{URL} now gives another file ({reason}); not kept: {remedy}") from None

        download(URL, files[0], None, remedy, progress=progress, check=check, most=4 * SIZE)
    return files[0], _verdict(files)


def _verdict(files: list[Path]) -> str:
    """What TAEF2's files hold. Raises MovAIError if they are damaged or of another network."""
    from mov_ai.models.taef2 import VALUES_SHA256, load_taef2, values_sha256

    if values_sha256(load_taef2(files)) == VALUES_SHA256:
        return "as published"
    return "TAEF2, but not the version that mov_ai's figures were measured with"


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
