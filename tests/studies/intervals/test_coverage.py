"""The study of intervals measures all methods on the same samples."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from studies.intervals import coverage


def test_every_size_has_a_row_for_each_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "SIZES", ((4, 24, 30), (12, 8, 20)))
    monkeypatch.setattr(coverage, "RESAMPLES", 20)
    console, out = Console(file=io.StringIO(), width=160), tmp_path / "coverage.json"
    result = coverage.run(console, 12, out)
    assert json.loads(out.read_text()) == json.loads(json.dumps(result))
    assert [(row["features"], row["sets"]) for row in result["rows"][:: len(coverage.METHODS)]] == [
        *((4, "same"), (4, "shifted"), (12, "same"), (12, "shifted"))
    ]
    assert all(row["coverage"] >= 0.5 and 0.3 < row["width"] < 6 for row in result["rows"])
    # Fewer samples than features: resampling with duplicates is the widest.
    widths = {row["method"]: row["width"] for row in result["rows"][-len(coverage.METHODS) :]}
    assert max(widths, key=lambda name: widths[name]) == "bootstrap"
    assert "delta method" in console.file.getvalue()  # type: ignore[attr-defined]


def test_too_few_trials_are_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert coverage.main(["--trials", "1"]) == 2
    assert capsys.readouterr().err == "coverage: --trials: expected 2 or more; found 1\n"
