"""The builders' commands: what is computed from WordNet and from a treebank goes where it is asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mov_ai.labels.meanings import EMBEDDED_MEANINGS
from tools.builders import meanings, spacy_pipeline, word_vectors


@pytest.fixture
def reproducible(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that was started for training: no second one is needed."""
    for name, value in spacy_pipeline.REPRODUCIBLE_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("reproducible")
def test_a_missing_treebank_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert spacy_pipeline.main(["--data", "nowhere"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "nowhere lacks one of train.conllu" in line
    assert list(tmp_path.iterdir()) == []


def test_meanings_are_written_under_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write(path: Path) -> tuple[int, int]:
        path.write_bytes(b"")
        return 4, 2

    monkeypatch.setattr(meanings, "write_meanings", write)
    assert meanings.main(["--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"4 words, 2 synsets, 0.00 MB: {tmp_path / EMBEDDED_MEANINGS.name}\n"


def test_word_vectors_are_written_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {f"word{i}": frozenset({str(i)}) for i in range(3)}
    monkeypatch.setattr(word_vectors, "load_wordnet", lambda: SimpleNamespace(single_words=lambda: words))

    def write(synsets: dict[str, frozenset[str]], path: Path) -> int:
        path.write_bytes(b"")
        return len(synsets)

    monkeypatch.setattr(word_vectors, "write_lexicon", write)
    path = tmp_path / "vectors.safetensors"
    assert word_vectors.main(["--out", str(path)]) == 0
    assert capsys.readouterr().out == f"3 words, 0.0 MB: {path}\n"


@pytest.mark.usefixtures("reproducible")
def test_the_pipeline_is_built_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(spacy_pipeline, "build_pipeline", lambda **options: given.update(options))
    assert spacy_pipeline.main(["--out", "made", "--seed", "1", "--skip-training"]) == 0
    assert given == {
        **{"out": Path("made"), "data": None, "config": spacy_pipeline.CONFIG, "work": None},
        **{"seed": 1, "max_steps": None, "skip_training": True},
    }


def test_training_starts_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    started: list[tuple[list[str], dict[str, str]]] = []

    def run(words: list[str], env: dict[str, str], check: bool) -> SimpleNamespace:
        started.append((words, env))
        return SimpleNamespace(returncode=3)

    monkeypatch.setattr(subprocess, "run", run)
    arguments = ["--work", "w", "--max-steps", "5", "--skip-training"]
    assert spacy_pipeline.main(arguments) == 3
    ((words, environment),) = started
    assert words == [sys.executable, "-m", "tools.builders.spacy_pipeline", *arguments]
    assert environment.items() >= spacy_pipeline.REPRODUCIBLE_ENVIRONMENT.items()
