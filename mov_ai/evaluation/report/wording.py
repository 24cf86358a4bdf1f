"""How figures are written, the same in every report."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from mov_ai.evaluation.metrics.result import Absent
from mov_ai.evaluation.report.definitions import GROUPS, definition
from mov_ai.evaluation.report.results import Results
from mov_ai.evaluation.video_metrics import Figure


def number(value: float | None) -> str:
    """Four significant digits, no exponent where a person would write none; nothing for None."""
    if value is None:
        return ""
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        digits = f"{value:.4g}"
        return digits if "e" not in digits else f"{value:.0f}"
    return f"{value:.3g}"


def interval(ci95: Sequence[float] | None) -> str:
    """ "[low, high]"; nothing for None."""
    return "" if ci95 is None else f"[{number(ci95[0])}, {number(ci95[1])}]"


def percent(share: float) -> str:
    """One decimal."""
    return f"{100 * share:.1f} %"


def measured(results: Results) -> Iterator[tuple[str, list[tuple[str, Figure]]]]:
    """Group -> its figures that are not absent; groups without any are left out."""
    for group in GROUPS:
        figures = [
            (name, figure)
            for name, figure in results.metrics.items()
            if definition(name).group == group and not isinstance(figure.result, Absent)
        ]
        if figures:
            yield group, figures


def absent(results: Results) -> dict[str, list[str]]:
    """Why figures are absent, and what would bring them -> their names."""
    reasons: dict[str, list[str]] = {}
    for name, figure in results.metrics.items():
        if isinstance(figure.result, Absent):
            reasons.setdefault(figure.result.to_json()["absent"], []).append(name)
    return reasons


def absences(results: Results) -> list[str]:
    """`absent`, one line for each reason, as a terminal may show it."""
    return [plain(f"absent: {', '.join(names)}: {reason}") for reason, names in absent(results).items()]


def categories(results: Results) -> Iterator[tuple[str, str, str, str, str]]:
    """Rows of the compositional benchmark: category, score, 95 % interval, ceiling, n."""
    for name, score in results.compositional.items():
        if isinstance(score, Absent):
            yield name, "absent", "", "", "0"
        else:
            low, high = (f"{100 * value:.1f}" for value in score.ci95)
            yield name, percent(score.score), f"{low}-{high}", percent(score.ceiling), str(score.n)


#: The category that says whether things look as they are called.
_BINDING = "attribute_binding"


def standing(results: Results) -> Iterator[tuple[str, str, str, str, str, str]]:
    """Rows beside the score: what is left out, score, difference in points, its 95 % interval, n, attribute binding."""
    for row in results.standing:
        low_high = row.difference_ci95
        interval_ = "" if low_high is None else " to ".join(f"{100 * end:+.1f}" for end in low_high)
        binding = percent(row.categories[_BINDING]) if _BINDING in row.categories else ""
        yield row.title, percent(row.score), f"{100 * row.difference:+.1f}", interval_, str(row.n), binding


def standing_note(results: Results) -> str:
    """What a reader of those rows must know."""
    guided = [row for row in results.standing if row.guidance is not None]
    note = "All categories together; differences in points to the whole pipeline on the same prompts and seeds. "
    note += "The planner chooses among its candidates by rules of the world that the checker asks for as well."
    note += " Binding: the score over the prompts of attribute binding alone."
    if len(guided) > 1:
        best = max(guided, key=lambda row: row.score)
        text, graph = best.guidance or (1.0, 1.0)
        note += f" Best guidance of {len(guided)}: text {text:g}, graph {graph:g} ({percent(best.score)})."
    return note


def shortened(weights: str | None) -> str:
    """Weights with their SHA-256 cut to 12 digits, for tables."""
    return re.sub(r"([0-9a-f]{12})[0-9a-f]{52}", r"\1…", weights or "")


def plain(value: object) -> str:
    """Text on one line, without characters that steer a terminal or that XML cannot hold."""
    line = " ".join(str(value).split())
    return "".join("\ufffd" if unicodedata.category(character) in ("Cc", "Cs") else character for character in line)
