"""report.md: the tables of a report as text."""

from __future__ import annotations

from mov_ai.evaluation.metrics.result import MetricResult
from mov_ai.evaluation.report.definitions import definition
from mov_ai.evaluation.report.results import Results
from mov_ai.evaluation.report.wording import (
    absences,
    categories,
    interval,
    measured,
    number,
    plain,
    shortened,
    standing,
    standing_note,
)


def markdown(results: Results) -> str:
    """The whole file."""
    lines = [f"# {_text(results.title)}", ""]
    lines += [f"- {_text(name)}: {_text(value)}" for name, value in results.settings.items() if value is not None]
    lines += [
        f"- {_text(key)}: {_text(results.environment[key])}"
        for key in ("machine", "time")
        if key in results.environment
    ]
    lines += [f"- seed: {results.seed}", ""]
    if results.compositional:
        lines += ["## Compositional benchmark", "", "| category | score | 95 % interval | ceiling | n |"]
        lines += ["|---|---:|---:|---:|---:|"]
        lines += [f"| {_text(name)} | {' | '.join(cells)} |" for name, *cells in categories(results)]
        lines += ["", "Ceiling: the checker's score on the real clips of the same prompts.", ""]
    if results.standing:
        lines += ["## With one thing left out", "", "| left out | score | difference | 95 % interval | n | binding |"]
        lines += ["|---|---:|---:|---:|---:|---:|"]
        lines += [f"| {_text(title)} | {' | '.join(cells)} |" for title, *cells in standing(results)]
        lines += ["", _text(standing_note(results)), ""]
    for group, figures in measured(results):
        lines += [f"## {group}", "", "| metric | value | 95 % interval | real clips | n | better | network | weights |"]
        lines += ["|---|---:|---:|---:|---:|---|---|---|"]
        notes: list[str] = []
        for name, figure in figures:
            result = figure.result
            assert isinstance(result, MetricResult)
            words = definition(name)
            real = "" if figure.real is None else number(figure.real.value)
            cells = [words.title, number(result.value), interval(result.ci95), real, str(result.n), words.better]
            cells += [result.network or "none", shortened(result.weights) or "none"]
            lines.append(f"| {' | '.join(map(_text, cells))} |")
            notes += [f"- {_text(words.title)}: {_text(note)}" for note in result.notes]
            if figure.permuted is not None:
                notes.append(f"- {_text(words.title)}: {number(figure.permuted.value)} with the prompts permuted")
        lines += ["", *notes, *([""] if notes else [])]
    lines += [f"Real clips: {_text(results.real)}.", ""]
    if absent_lines := absences(results):
        lines += ["## Absent", "", *(f"- {_text(line)}" for line in absent_lines), ""]
    if results.notices:
        lines += ["## Noticed", "", *(f"- {_text(line)}" for line in results.notices), ""]
    lines += ["## What the metrics mean", ""]
    for name in results.metrics:
        words = definition(name)
        lines.append(f"- {_text(words.title)} (`{name}`): {_text(words.text)} Range {_text(words.range)}.")
    times = [
        f"{definition(name).title} {figure.seconds_per_64:.1f}"
        for name, figure in results.metrics.items()
        if figure.seconds_per_64 is not None
    ]
    lines += ["", f"Seconds per 64 videos: {_text(', '.join(times))}."]
    lines += [f"Seconds of the run: {', '.join(f'{k} {v:.1f}' for k, v in results.seconds.items())}."]
    return "\n".join(lines) + "\n"


def _text(value: object) -> str:
    """Text that stays in its cell and is no markup."""
    line = plain(value)
    for character in "\\|<>*_`[]":
        line = line.replace(character, f"\\{character}")
    return line
