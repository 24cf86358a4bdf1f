"""Several results.json side by side: figures that may stand in one row, and why the others may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.result import Absent, dependencies, differences
from mov_ai.evaluation.report.definitions import definition
from mov_ai.evaluation.report.results import metric_from_json, read_results
from mov_ai.evaluation.report.wording import interval, number, percent, plain

#: A figure in words and what it depends on; or only a word, where there is none.
_Cell = str | tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Row:
    """One metric or category of several results.

    Attributes:
        cells: one for each file; None where the figure does not compare with the first file's that has it.
        reasons: one line for each such file, naming it, saying in what the two differ.
    """

    name: str
    title: str
    cells: tuple[str | None, ...]
    reasons: tuple[str, ...]


def compare(files: Sequence[str | Path]) -> list[Row]:
    """Rows of all metrics and categories that any of the files has, in the order of the first.

    A figure is shown only where it depends on the same (`dependencies`) as the figure of the first file that has one.

    Raises:
        UsageError: for fewer than two files, or a file that no evaluation wrote.
    """
    if len(files) < 2:
        raise UsageError(f"compare: expected at least two results.json, got {len(files)}; give more")
    documents = [read_results(path) for path in files]
    labels = [str(path) for path in files]
    rows = []
    for name in dict.fromkeys(name for document in documents for name in document["metrics"]):
        cells = [_metric(name, document, label) for document, label in zip(documents, labels, strict=True)]
        if not all(isinstance(cell, str) for cell in cells):
            rows.append(_row(name, definition(name).title, cells, labels))
    for name in dict.fromkeys(name for document in documents for name in document.get("compositional") or {}):
        cells = [_category(name, document) for document in documents]
        rows.append(_row(name, f"{name} (compositional)", cells, labels))
    return rows


def _metric(name: str, document: Mapping[str, Any], label: str) -> _Cell:
    if name not in document["metrics"]:
        return ""
    result = metric_from_json(name, document["metrics"][name], label)
    if isinstance(result, Absent):
        return "absent"
    return f"{number(result.value)} {interval(result.ci95)}".strip(), dependencies(result)


def _category(name: str, document: Mapping[str, Any]) -> _Cell:
    entry = (document.get("compositional") or {}).get(name)
    if entry is None or "absent" in entry:
        return "" if entry is None else "absent"
    low, high = (f"{100 * value:.1f}" for value in entry["ci95"])
    depends_on = {**(document.get("compositional_depends_on") or {}), "n": entry["n"]}
    return f"{percent(entry['score'])} [{low}, {high}]", depends_on


def _row(name: str, title: str, entries: Sequence[_Cell], labels: Sequence[str]) -> Row:
    """The first file that has a figure leads."""
    leader: tuple[str, Mapping[str, Any]] | None = None
    cells: list[str | None] = []
    reasons = []
    for label, entry in zip(labels, entries, strict=True):
        if isinstance(entry, str):
            cells.append(entry)
            continue
        text, depends_on = entry
        leader = leader or (label, depends_on)
        differ = differences(leader[1], depends_on)
        cells.append(None if differ else text)
        if differ:
            reasons.append(f"{label}: not comparable with {leader[0]}: {'; '.join(differ)}")
    return Row(name, title, tuple(cells), tuple(reasons))


def comparison_table(rows: Sequence[Row], files: Sequence[str | Path]) -> tuple[Table, list[str]]:
    """The rows as a table for the terminal, and its footnotes.

    Returns:
        The table, and a line for each reason why a cell is empty, with its number in the table. Nothing of the files
        steers the terminal.
    """
    table = Table(title="Results side by side", caption="95 % intervals in brackets")
    table.add_column("metric", overflow="fold")
    for path in files:
        table.add_column(escape(plain(path)), justify="right", overflow="fold")
    footnotes: dict[str, int] = {}
    for row in rows:
        pending = iter(row.reasons)
        cells = []
        for cell in row.cells:
            if cell is None:
                place = footnotes.setdefault(next(pending), len(footnotes) + 1)
                cells.append(f"({place})")
            else:
                cells.append(escape(cell))
        table.add_row(escape(plain(row.title)), *cells)
    return table, [plain(f"({place}) {reason}") for reason, place in footnotes.items()]
