"""What an evaluation found, as one document: results.json, and its lines as results.csv."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.result import Absent, MetricResult
from mov_ai.evaluation.report.definitions import definition
from mov_ai.evaluation.video_metrics import Figure
from mov_ai.graph.files import read_json

SCHEMA = 1
_RESULT = TypeAdapter(MetricResult)
_COLUMNS = (
    *("kind", "name", "value", "ci95_low", "ci95_high", "n", "higher_is_better", "better", "real", "network"),
    *("weights", "seconds_per_64_videos", "absent"),
)


@dataclass(frozen=True)
class CategoryScore:
    """A category of the compositional benchmark: mean over n videos of the share of checks passed, in [0, 1].

    The ceiling is the checker's score on the real clips of the same prompts.
    """

    score: float
    ci95: tuple[float, float]
    n: int
    ceiling: float
    ceiling_ci95: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """The entry of `compositional` in results.json."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class StandingRow:
    """What the benchmark gives with one thing left out, over the first n prompts of all categories together.

    Attributes:
        title: what is left out.
        score, ci95: mean share of checks passed, in [0, 1].
        difference, difference_ci95: to the whole pipeline on the same prompts and seeds; None for one prompt, and for
            the whole itself.
        guidance: strengths by text and graph, where they are what is other; the run's own for the whole.
        categories: category -> score over its prompts alone.
    """

    title: str
    score: float
    ci95: tuple[float, float]
    difference: float
    difference_ci95: tuple[float, float] | None
    n: int
    guidance: tuple[float, float] | None = None
    categories: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The entry of `standing` in results.json."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class VideoRow:
    """One video of the report.

    Attributes:
        score, checks: the checker's verdict, where it was checked.
        values: figures of this video alone.
        clip, sheet: files beside the report, relative to it; None for videos that are not shown.
    """

    name: str
    prompt: str | None = None
    category: str | None = None
    seed: int | None = None
    score: float | None = None
    checks: Mapping[str, bool] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    clip: str | None = None
    sheet: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The entry of `videos` in results.json."""
        return {**self.__dict__, "checks": dict(self.checks), "values": dict(self.values)}


@dataclass(frozen=True)
class Results:
    """Everything that a report says.

    Attributes:
        settings: what decided the figures, plain values, the first ones being the most telling.
        seed: of generation and bootstrap.
        compositional: category -> score; absent where no prompt of this run belongs to it. Empty without a benchmark.
        standing: the whole pipeline, and what it scores with one thing left out; empty if that was not asked for.
        checked: what the compositional scores depend on; two results that differ in it do not compare.
        seconds: part of the run -> wall seconds.
        notices: what was left out or changed, one line each.
        real: what the column "real clips" holds.
    """

    title: str
    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    seed: int
    metrics: Mapping[str, Figure]
    compositional: Mapping[str, CategoryScore | Absent] = field(default_factory=dict)
    standing: tuple[StandingRow, ...] = ()
    checked: Mapping[str, Any] = field(default_factory=dict)
    videos: tuple[VideoRow, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    real: str = "the reference"

    def to_json(self) -> dict[str, Any]:
        """The whole of results.json."""
        return {
            "schema": SCHEMA,
            "title": self.title,
            **self.environment,
            "seed": self.seed,
            "settings": dict(self.settings),
            "real": self.real,
            "metrics": {name: figure_to_json(name, figure) for name, figure in self.metrics.items()},
            "compositional": {name: score.to_json() for name, score in self.compositional.items()},
            "standing": [row.to_json() for row in self.standing],
            "compositional_depends_on": dict(self.checked),
            "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
            "notices": list(self.notices),
            "videos": [row.to_json() for row in self.videos],
        }

    def to_csv(self) -> str:
        """A line for each metric and category."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for name, figure in self.metrics.items():
            result = figure.result
            if isinstance(result, Absent):
                writer.writerow(["metric", name, *[""] * 10, result.to_json()["absent"]])
                continue
            low, high = result.ci95 or ("", "")
            real = "" if figure.real is None else figure.real.value
            better = definition(name).better
            row = [result.value, low, high, result.n, result.higher_is_better, better, real]
            sources = [result.network or "", result.weights or "", _rounded(figure.seconds_per_64)]
            writer.writerow(["metric", name, *row, *sources, ""])
        for name, score in self.compositional.items():
            if isinstance(score, Absent):
                writer.writerow(["category", name, *[""] * 10, score.to_json()["absent"]])
                continue
            row = [score.score, *score.ci95, score.n, True, "higher", score.ceiling]
            writer.writerow(["category", name, *row, self.checked.get("checker", ""), "", "", ""])
        return stream.getvalue()


def _rounded(seconds: float | None) -> float | str:
    return "" if seconds is None else round(seconds, 2)


def figure_to_json(name: str, figure: Figure) -> dict[str, Any]:
    """The entry of `metrics` in results.json."""
    entry: dict[str, Any] = figure.result.to_json()
    if isinstance(figure.result, Absent):
        return entry
    words = definition(name)
    entry |= {"title": words.title, "definition": words.text, "range": words.range, "better": words.better}
    for key, other in (("real", figure.real), ("permuted_prompts", figure.permuted)):
        if other is not None:
            ci95 = None if other.ci95 is None else list(other.ci95)
            entry[key] = {"value": other.value, "ci95": ci95, "n": other.n}
    if figure.seconds_per_64 is not None:
        entry["seconds_per_64_videos"] = round(figure.seconds_per_64, 3)
    if figure.curve:
        entry["by_number_of_videos"] = [{"n": n, "value": value} for n, value in figure.curve]
    return entry


class _AbsentEntry(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    absent: str


class _Document(BaseModel):
    """What must hold of a results.json before any of it is used; metrics themselves are checked one by one."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)
    metrics: dict[str, dict[str, Any]]
    compositional: dict[str, CategoryScore | _AbsentEntry] = {}
    compositional_depends_on: dict[str, Any] = {}


def read_results(path: str | Path) -> dict[str, Any]:
    """A results.json that an evaluation wrote; UsageError if it is none."""
    document = read_json(path)
    schema = document.get("schema") if isinstance(document, dict) else None
    if isinstance(schema, bool) or schema != SCHEMA:
        raise UsageError(f"{path}: expected a results.json of `mov-ai eval` or `make eval` (schema {SCHEMA})")
    try:
        _Document.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise UsageError(f"{path}: {_first_fault(error)}; measure again") from None
    return document  # type: ignore[no-any-return]


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg'].replace('Input should be', 'expected')}, found {fault['input']!r:.40}"


def metric_from_json(name: str, entry: Mapping[str, Any], source: str) -> MetricResult | Absent:
    """An entry of `metrics` as what it was written from; UsageError, naming the source, if it is no such entry."""
    if isinstance(entry.get("absent"), str):
        return Absent(*(part.strip() for part in entry["absent"].rpartition("; ")[::2]))
    try:
        provenance = {key: entry[key] for key in ("network", "weights", "settings", "reference")}
        own = {key: entry[key] for key in ("value", "ci95", "n", "higher_is_better", "parameters", "notes")}
        # As JSON, which knows no tuples: only there can pydantic be strict about everything else.
        return _RESULT.validate_json(json.dumps({"name": name, "provenance": provenance, **own}), strict=True)
    except (KeyError, ValueError) as error:
        reason = _first_fault(error) if isinstance(error, ValidationError) else f"{error} is not there"
        raise UsageError(f"{source}: metrics.{name}: not what an evaluation writes ({reason}); measure again") from None
