"""`mov-ai eval`: reports of two folders, comparisons of results, and mistakes in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Command, Outcome
from tests.evaluation.metrics.videos import sprites
from tests.evaluation.stand_ins import networks


@pytest.fixture
def folders(command: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command, in a folder that holds `ours` and `real`, with networks that need no weights."""
    for name, seeds in (("ours", range(3)), ("real", range(4))):
        Path(name).mkdir()
        for seed in seeds:
            np.savez(Path(name, f"v{seed}.npz"), video=sprites(seed + 10 * (name == "ours")), fps=8.0)
    monkeypatch.setattr("mov_ai.evaluation.networks.load_networks", lambda *_: networks())
    return command


def told(outcome: Outcome) -> str:
    return " ".join(outcome.err.split())


def test_report_of_two_folders(folders: Command) -> None:
    Path("prompts.txt").write_text("v0: a red ball\nv1.npz: a cube\n")
    result = folders("eval", "--generated", "ours", "--reference", "real", "--prompts", "prompts.txt")
    assert result.code == 0, result.err
    assert "FVD, embedded" in result.out
    assert result.out.splitlines()[-1] == "wrote outputs/eval-ours/report.html"
    assert "warning: different numbers of videos" in told(result)
    assert "warning: no prompt for v2" in told(result)
    report = Path("outputs/eval-ours")
    found = json.loads((report / "results.json").read_text(encoding="utf-8"))
    assert found["metrics"]["embedded_fvd"]["n"] == 3
    assert found["metrics"]["embedded_fvd"]["reference"]["n"] == 4
    assert found["metrics"]["psnr"]["n"] == 3
    assert found["metrics"]["embedded_clipsim"]["n"] == 2
    assert found["compositional"] == {}
    assert all((report / row["clip"]).is_file() for row in found["videos"])
    assert {p.name for p in report.iterdir()} == {
        "results.json",
        "results.csv",
        "report.md",
        "report.html",
        "clips",
        "sheets",
    }
    again = folders("eval", "--generated", "ours", "--reference", "real")
    assert again.out.splitlines()[-1] == "wrote outputs/eval-ours-2/report.html"
    both = folders("eval", "--compare", report / "results.json", "outputs/eval-ours-2/results.json")
    assert both.code == 0, both.err
    assert "FVD, embedded" in both.out
    assert "(1) outputs/eval-ours/results.json" not in both.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--generated", "ours"], "give two folders"),
        ([], "give two folders"),
        (["--generated", "ours", "--reference", "nowhere"], "nowhere: no such folder"),
        (["--generated", "empty", "--reference", "real"], "empty: holds no video"),
        (["--generated", "ours", "--reference", "ours"], "given as generated and as reference"),
        (["--generated", "ours", "--reference", "real", "--prompts", "none.csv"], "none.csv: cannot be read"),
        (["--generated", "ours", "--reference", "real", "--max-frames", "1"], "--max-frames"),
        (["--generated", "ours", "--reference", "real", "--out", "real"], "holds files but no results.json"),
        (["results.json"], "with --compare"),
        (["--compare"], "at least two results.json"),
        (["--compare", "a.json", "b.json"], "a.json: cannot be read"),
        (["--compare", "a.json", "--generated", "ours"], "not both"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(folders: Command, arguments: list[str], words: str) -> None:
    Path("empty").mkdir()
    result = folders("eval", *arguments)
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert len(result.err.splitlines()) == 1
    assert not Path("outputs").exists()


def test_failure_in_the_middle_leaves_no_report(folders: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from mov_ai.evaluation.report import files as report_files

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "results.json")

    monkeypatch.setattr(report_files, "write_report", full)
    result = folders("eval", "--generated", "ours", "--reference", "real")
    assert result.code == 1
    assert "no space left" in told(result).lower() or "cannot be written" in told(result)
    assert not Path("outputs").exists()


def test_clip_that_is_none_is_refused(command: Command) -> None:
    for name in ("ours", "real"):
        Path(name).mkdir()
        np.savez(Path(name, "v.npz"), video=sprites(0), fps=8.0)
    result = command("eval", "--generated", "ours", "--reference", "real", "--clip", "ours")
    assert result.code == 2
    assert "clip: ours: transformers cannot load it" in result.err
    assert len([line for line in result.err.splitlines() if "error" in line]) == 1
