"""Several results.json side by side: figures that may stand in one row, and why the others may not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.result import Absent, differences, why_not_comparable
from mov_ai.evaluation.report.definitions import definition
from mov_ai.evaluation.report.results import metric_from_json, read_results
from mov_ai.evaluation.report.wording import interval, number, percent


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

    A figure is shown only where it compares (`why_not_comparable`) with the figure of the first file that has one.

    Raises:
        UsageError: for fewer than two files, or a file that no evaluation wrote.
    """
    if len(files) < 2:
        raise UsageError(f"compare: expected at least two results.json, got {len(files)}; give more")
    documents = [read_results(path) for path in files]
    labels = [str(path) for path in files]
    rows = []
    for name in dict.fromkeys(name for document in documents for name in document["metrics"]):
        results = [
            metric_from_json(name, document["metrics"][name], label) if name in document["metrics"] else None
            for document, label in zip(documents, labels, strict=True)
        ]
        if all(result is None or isinstance(result, Absent) for result in results):
            continue

        rows.append(
            _row(
                name,
                definition(name).title,
                results,
                labels,
                why_not_comparable,
                lambda result: f"{number(result.value)} {interval(result.ci95)}".strip(),
            )
        )
    return rows + _categories(documents, labels)


def _categories(documents: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> list[Row]:
    rows = []
    scores = [document.get("compositional") or {} for document in documents]
    depends = [document.get("compositional_depends_on") or {} for document in documents]
    for name in dict.fromkeys(name for categories in scores for name in categories):
        entries: list[Any] = []
        for categories, dependencies in zip(scores, depends, strict=True):
            entry = categories.get(name)
            if entry is None or "absent" in entry:
                entries.append(None if entry is None else Absent(*entry["absent"].rpartition("; ")[::2]))
            else:
                entries.append((entry, dependencies))

        def why(one: Any, other: Any) -> Sequence[str]:
            return differences({**one[1], "n": one[0]["n"]}, {**other[1], "n": other[0]["n"]})

        rows.append(
            _row(
                name,
                f"{name} (compositional)",
                entries,
                labels,
                why,
                lambda pair: f"{percent(pair[0]['score'])} [{', '.join(f'{100 * v:.1f}' for v in pair[0]['ci95'])}]",
            )
        )
    return rows


def _row(
    name: str,
    title: str,
    results: Sequence[Any],
    labels: Sequence[str],
    why: Callable[[Any, Any], Sequence[str]],
    show: Callable[[Any], str],
) -> Row:
    """Cells of results of one name; the first that is there leads."""
    leader: int | None = None
    cells: list[str | None] = []
    reasons = []
    for place, result in enumerate(results):
        if result is None or isinstance(result, Absent):
            cells.append("" if result is None else "absent")
            continue
        if leader is None:
            leader = place
        differ = () if leader == place else why(results[leader], result)
        cells.append(None if differ else show(result))
        if differ:
            reasons.append(f"{labels[place]}: not comparable with {labels[leader]}: {'; '.join(differ)}")
    return Row(name, title, tuple(cells), tuple(reasons))


def comparison_table(rows: Sequence[Row], files: Sequence[str | Path]) -> tuple[Table, list[str]]:
    """The rows as a table for the terminal, and its footnotes.

    Returns:
        The table, and a line for each reason why a cell is empty, with its number in the table.
    """
    table = Table(title="Results side by side", caption="95 % intervals in brackets")
    table.add_column("metric", overflow="fold")
    for path in files:
        table.add_column(escape(str(path)), justify="right", overflow="fold")
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
        table.add_row(escape(row.title), *cells)
    return table, [f"({place}) {reason}" for reason, place in footnotes.items()]
