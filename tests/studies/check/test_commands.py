"""The three checks: their questions are asked with the options that were given, and mistakes are one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mov_ai.graph import SceneGraph
from studies.check import labels, synonyms, tiny
from studies.check.synonyms import synonym_prompts
from tests.cli.conftest import Command, Outcome

GREY = np.full((16, 128, 128, 3), 140, dtype=np.uint8)


class GreyPipeline:
    """Shows nothing, whatever it is asked for."""

    frames = GREY

    def __init__(self) -> None:
        self.asked: list[tuple[str | SceneGraph, int, int]] = []

    def __call__(self, prompt: str | SceneGraph, seed: int, stages: int) -> GreyPipeline:
        self.asked.append((prompt, seed, stages))
        return self


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """`command(labels, "--missed")`, in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(module: Any, *arguments: str) -> Outcome:
        capsys.readouterr()
        code = module.main(list(arguments))
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.mark.parametrize(
    ("module", "arguments", "fault"),
    [
        (tiny, ["--prompts", "0"], "--prompts"),
        (tiny, ["--model", "nothing-there"], "expected 'tiny' or a folder"),
        (labels, ["--triplets", "missing.jsonl"], "missing.jsonl: expected triplets"),
        (synonyms, ["--checkpoint", "nothing-there"], "expected 'tiny' or a folder"),
    ],
)
def test_bad_options_are_one_line(command: Command, module: Any, arguments: list[str], fault: str) -> None:
    result = command(module, *arguments)
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert fault in result.err
    assert not Path("cache").exists()


def test_tiny_writes_its_figures_and_the_command(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, int]] = []

    def load(model: str, stages: int) -> Callable[[str, int], np.ndarray]:
        made.append((model, stages))
        return lambda text, seed: GREY

    monkeypatch.setattr(tiny, "load_pipeline", load)
    result = command(tiny, "--prompts", "1", "--out", "figures.json")
    assert (result.code, result.err) == (0, "")
    assert "objects right" in result.out
    figures = json.loads(Path("figures.json").read_text())
    assert figures["command"] == "python -m studies.check.tiny --prompts 1 --stages 128"
    assert figures["generated"]["objects"]["share"] == 0
    assert made == [("tiny", 128)]
    assert Path("cache/check_tiny").is_dir()


def test_labels_shows_both_halves(command: Command) -> None:
    result = command(labels, "--widths", "64", "96", "--missed")
    assert result.code == 0
    for shown in ("held_out", "64 wide", "96 wide", "nearest"):
        assert shown in result.out
    assert "512 wide" not in result.out


def test_synonyms_gives_texts_or_graphs(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = GreyPipeline()
    monkeypatch.setattr("mov_ai.pipeline.MovAIPipeline.from_pretrained", lambda checkpoint: pipeline)
    row = {"word": "orb", "color": "red", "noun": "orb", "verb": "jump", "rest": "", "direction": None}
    Path("one.json").write_text(json.dumps([row]), encoding="utf-8")
    monkeypatch.setattr("studies.check.synonyms.PROMPTS", Path("one.json"))
    (prompt,) = synonym_prompts()
    result = command(synonyms, "--stages", "64", "--out", "figures.json")
    assert (result.code, pipeline.asked) == (0, [(prompt.text, 0, 64)])
    assert "0 of 1 prompts" in result.out
    assert json.loads(Path("figures.json").read_text())["words"] == {"orb": "0 of 1"}
    assert command(synonyms, "--graphs").code == 0
    assert pipeline.asked[1:] == [(prompt.graph, 0, 128)]
