"""The command that says how far the checker can be trusted."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch
from rich.console import Console

from mov_ai.errors import UsageError
from tools.benchmark.validate import arguments, main, run


def test_the_command_prints_and_writes_a_table(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    console = Console(file=io.StringIO(), width=200)
    out = tmp_path / "validation.json"
    result = run(arguments(["--limit", "2", "--fresh", "0", "--out", str(out)]), console)
    assert json.loads(out.read_text()) == json.loads(json.dumps(result))
    assert result["prompts"] == 2
    assert {"true", "frozen", "noise", "other colors"} <= set(result["scores"])
    assert set(result["scores"]["true"]) == {"attribute_binding", "attribute_change"}
    assert result["scores"]["true"]["attribute_binding"]["share"] == 1
    assert "attribute binding" in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--limit", "0"], "--limit: expected 1 or more"),
        (["--size", "8"], "--size: expected 32 or more"),
        (["--fresh", "-1"], "--fresh: expected 0 or more"),
    ],
)
def test_mistakes_are_one_line(given: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(given) == UsageError.exit_code
    error = capsys.readouterr().err
    assert error.startswith(f"validate: {message}")
    assert error.count("\n") == 1
