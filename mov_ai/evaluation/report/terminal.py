"""The tables of a report on the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.markup import escape
from rich.table import Table

from mov_ai.evaluation.metrics.result import MetricResult
from mov_ai.evaluation.report.definitions import definition
from mov_ai.evaluation.report.results import Results
from mov_ai.evaluation.report.wording import (
    categories,
    interval,
    measured,
    number,
    plain,
    standing,
    standing_note,
)


def tables(results: Results) -> Iterator[Table]:
    """Metrics, the compositional benchmark if it was measured, and the rows beside it."""
    yield _metrics(results)
    if results.compositional:
        yield _categories(results)
    if results.standing:
        yield _standing(results)


def _metrics(results: Results) -> Table:
    signs = "↑ higher is better, ↓ lower, ≈ as real clips"
    table = Table(title=escape(plain(results.title)), caption=escape(plain(f"real: {results.real}; {signs}")))
    table.add_column("metric", overflow="fold")
    for name in ("value", "95 % interval", "real", "n", ""):
        table.add_column(name, justify="right", no_wrap=True)
    for group, figures in measured(results):
        table.add_section()
        table.add_row(f"[bold]{group}[/bold]")
        for name, figure in figures:
            result = figure.result
            assert isinstance(result, MetricResult)
            real = "" if figure.real is None else number(figure.real.value)
            words = definition(name)
            table.add_row(
                f"  {escape(plain(words.title))}",
                number(result.value),
                escape(interval(result.ci95)),
                real,
                str(result.n),
                words.arrow,
            )
    return table


def _categories(results: Results) -> Table:
    table = Table(title="Compositional benchmark", caption="ceiling: the checker on the real clips of the same prompts")
    table.add_column("category", overflow="fold")
    for name in ("score", "95 % interval", "ceiling", "n"):
        table.add_column(name, justify="right")
    for name, *cells in categories(results):
        table.add_row(escape(name), *cells)
    return table


def _standing(results: Results) -> Table:
    table = Table(title="With one thing left out", caption=escape(plain(standing_note(results))))
    table.add_column("", overflow="fold")
    for name in ("score", "difference", "95 % interval", "n", "binding"):
        table.add_column(name, justify="right")
    for title, *cells in standing(results):
        table.add_row(escape(plain(title)), *cells)
    return table
