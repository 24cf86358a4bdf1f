"""report.html: one page without scripts, made from `page.html`; videos and pictures lie beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from mov_ai.evaluation.metrics.result import MetricResult
from mov_ai.evaluation.report.definitions import definition
from mov_ai.evaluation.report.plots import bias_places
from mov_ai.evaluation.report.results import Results, VideoRow
from mov_ai.evaluation.report.wording import (
    absent,
    categories,
    interval,
    measured,
    number,
    percent,
    plain,
    shortened,
    standing,
    standing_note,
)

#: Sheets that stand open on the page; all others are in their rows.
_SHOWN_SHEETS = 8


def page(results: Results) -> str:
    """The whole file."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
    environment.globals["definition"] = definition
    environment.filters |= {
        "number": number,
        "interval": interval,
        "span": lambda ci95: interval(ci95).strip("[]").replace(", ", " to "),
        "percent": percent,
        "px": "{:.1f}".format,
        "shortened": shortened,
        # A relative address of a file whose name may hold anything.
        "address": lambda file: quote(file or "", errors="surrogateescape"),
    }
    facts = {key: value for key, value in results.environment.items() if not isinstance(value, dict)}
    settings = {name: value for name, value in results.settings.items() if value is not None}
    seconds = {name: figure.seconds_per_64 for name, figure in results.metrics.items()}
    return environment.get_template("page.html").render(
        results=results,
        settings={**settings, "seed": results.seed},
        categories=list(categories(results)),
        standing=list(standing(results)),
        standing_note=standing_note(results),
        measured=measured(results),
        bias_plots=list(_bias_plots(results)),
        absences=absent(results),
        pictured=_spread([row for row in results.videos if row.sheet]),
        times={name: value for name, value in seconds.items() if value is not None},
        machine={**facts, **results.environment.get("versions", {})},
    )


def _bias_plots(results: Results) -> Iterator[tuple[str, dict[str, Any]]]:
    """Figure that is biased by the number of videos, and the places of its plot."""
    for name, figure in results.metrics.items():
        if len(figure.curve) > 1:
            infinity = results.metrics.get(f"{name}_infinity")
            limit = None if infinity is None else infinity.result
            known = (limit.value, limit.ci95) if isinstance(limit, MetricResult) else (None, None)
            yield name, bias_places(figure.curve, *known)


def _spread(rows: Sequence[VideoRow]) -> list[VideoRow]:
    """The rows that stand open: one of each category first."""
    first = list({row.category: row for row in reversed(rows)}.values())[::-1]
    order = [*first, *(row for row in rows if row not in first)] if len(first) > 1 else list(rows)
    return order[:_SHOWN_SHEETS]
