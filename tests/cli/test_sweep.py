"""`mov-ai sweep report`: every run of a multirun in one table and one plot."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mov_ai.cli.main import main

SPACE = "{http://www.w3.org/2000/svg}"


def job(
    folder: Path, overrides: dict[str, Any], result: dict[str, Any] | None = None, losses: Sequence[float] = ()
) -> None:
    (folder / ".hydra").mkdir(parents=True)
    lines = [f"- {name}={value}\n" for name, value in overrides.items()]
    (folder / ".hydra" / "overrides.yaml").write_text("".join(lines))
    if result is not None:
        name = "results.json" if "metrics" in result else "result.json"
        (folder / name).write_text(json.dumps(result))
    if losses:
        rows = [json.dumps({"step": 10 * step, "loss": loss}) for step, loss in enumerate(losses, start=1)]
        (folder / "metrics.jsonl").write_text("\n".join(rows) + '\n{"step": 99, "lo')


def finished(loss: float, psnr: float) -> dict[str, Any]:
    return {"status": "finished", "loss": loss, "validation": {"psnr": psnr}, "seconds": 60.0}


def circles(path: Path) -> int:
    return len(list(ElementTree.fromstring(path.read_text()).iter(f"{SPACE}circle")))


def test_trainings_of_a_sweep_are_printed_and_plotted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job(tmp_path / "a", {"seed": 1, "trainer.learning_rate": 0.1}, finished(0.5, 20.0), [2.0, 1.0, 0.5])
    job(tmp_path / "b", {"seed": 1, "trainer.learning_rate": 0.01}, finished(0.25, 23.0), [3.0, 0.25])
    job(tmp_path / "c", {"seed": 1, "trainer.learning_rate": 9.0}, {"status": "failed", "error": "too fast"})
    assert main(["sweep", "report", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "3 runs in" in said.out
    assert "trainer.learning_rate" in said.out
    assert "seed" not in said.out
    assert "c: too fast" in said.out
    assert "report.svg" in said.err
    # Three and two losses, and of two figures two runs each.
    assert circles(tmp_path / "report.svg") == 5 + 2 * 2
    assert {run["status"] for run in json.loads((tmp_path / "results.json").read_text())} == {"finished", "failed"}


def test_evaluations_of_a_sweep_are_read_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, fvd in enumerate((300.0, 200.0)):
        document = {"schema": 1, "metrics": {"fvd": {"value": fvd}}, "compositional": {"counts": {"score": 0.5}}}
        job(tmp_path / str(number), {"eval.steps": 10 * (number + 1)}, document)
    assert main(["sweep", "report", str(tmp_path), "--out", str(tmp_path / "plot.svg")]) == 0
    out = capsys.readouterr().out
    assert "fvd" in out
    assert "200" in out
    assert circles(tmp_path / "plot.svg") == 2 * 2


def test_more_runs_than_colours_are_cut_to_the_best(tmp_path: Path) -> None:
    for seed in range(12):
        job(tmp_path / str(seed), {"seed": seed}, None, [1.0 + seed, 0.5 + seed / 100])
    assert main(["sweep", "report", str(tmp_path)]) == 0
    text = (tmp_path / "report.svg").read_text()
    assert "the lowest 8 of 12 runs" in text
    assert "seed=7" in text
    assert "seed=8" not in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["nowhere"], "no such folder"), (["."], "holds no runs"), ([".", "--out", "plot.png"], "ends with .svg")],
)
def test_what_is_no_sweep_is_said(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", "report", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_runs_that_have_just_begun_have_no_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job(tmp_path / "a", {"seed": 1})
    assert main(["sweep", "report", str(tmp_path)]) == 0
    assert "nothing to plot yet" in capsys.readouterr().err
    assert not (tmp_path / "report.svg").exists()
