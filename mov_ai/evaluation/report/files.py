"""Writing a report's files."""

from __future__ import annotations

from pathlib import Path

from mov_ai.evaluation.report.markdown import markdown
from mov_ai.evaluation.report.page import page
from mov_ai.evaluation.report.results import Results
from mov_ai.graph.files import write_bytes, write_json

RESULTS = "results.json"


def write_report(results: Results, folder: Path) -> None:
    """Write report.html, report.md, results.csv and, last, results.json: where that is, all of them are, and are its.

    Raises:
        MovAIError: if they cannot be written.
    """
    (folder / RESULTS).unlink(missing_ok=True)
    write_bytes(folder / "report.html", page(results).encode("utf-8"))
    write_bytes(folder / "report.md", markdown(results).encode("utf-8"))
    write_bytes(folder / "results.csv", results.to_csv().encode("utf-8"))
    write_json(folder / RESULTS, results.to_json())
