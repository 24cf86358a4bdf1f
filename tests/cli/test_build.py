"""`mov-ai build`: what is computed from WordNet and from a treebank goes where it is asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mov_ai.labels.meanings import EMBEDDED_MEANINGS
from mov_ai.training import spacy_ewt
from tests.cli.conftest import Command


@pytest.fixture
def reproducible(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that was started for training: no second one is needed."""
    for name, value in spacy_ewt.REPRODUCIBLE_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def test_help_names_what_can_be_made(command: Command) -> None:
    result = command("build", "--help")
    assert result.code == 0
    assert all(name in result.out for name in ("meanings", "word-vectors", "spacy-pipeline"))


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["spacy-pipeline", "--data", "nowhere"], "nowhere lacks one of train.conllu"),
        (["spacy-pipeline", "--max-steps", "few"], "--max-steps"),
        (["dictionary"], "dictionary"),
    ],
)
@pytest.mark.usefixtures("reproducible")
def test_bad_options_are_one_line(command: Command, arguments: list[str], fault: str) -> None:
    result = command("build", *arguments)
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert fault in result.err
    assert list(Path().iterdir()) == []


def test_meanings_are_written_under_their_name(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(path: Path) -> tuple[int, int]:
        path.write_bytes(b"")
        return 4, 2

    monkeypatch.setattr("mov_ai.training.labels.write_meanings", write)
    result = command("build", "meanings", "--out", ".")
    assert (result.code, result.err) == (0, "")
    assert result.out == f"4 words, 2 synsets, 0.00 MB: {EMBEDDED_MEANINGS.name}\n"


def test_word_vectors_are_written_to_the_file(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    words = {f"word{i}": frozenset({str(i)}) for i in range(3)}
    monkeypatch.setattr("mov_ai.data.wordnet.load_wordnet", lambda: SimpleNamespace(single_words=lambda: words))

    def write(synsets: dict[str, frozenset[str]], path: Path) -> int:
        path.write_bytes(b"")
        return len(synsets)

    monkeypatch.setattr("mov_ai.training.lexicon.write_lexicon", write)
    result = command("build", "word-vectors", "--out", "vectors.safetensors")
    assert (result.code, result.out) == (0, "3 words, 0.0 MB: vectors.safetensors\n")


@pytest.mark.usefixtures("reproducible")
def test_the_pipeline_is_built_as_asked(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr(spacy_ewt, "build_pipeline", lambda *arguments: given.extend(arguments))
    assert command("build", "spacy-pipeline", "--out", "made", "--seed", "1", "--skip-training").code == 0
    assert given == [Path("made"), None, spacy_ewt.CONFIG, None, 1, None, True]


def test_training_starts_in_a_process_of_its_own(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    started: list[tuple[list[str], dict[str, str]]] = []

    def run(words: list[str], env: dict[str, str], check: bool) -> SimpleNamespace:
        started.append((words, env))
        return SimpleNamespace(returncode=3)

    monkeypatch.setattr(subprocess, "run", run)
    assert command("build", "spacy-pipeline", "--work", "w", "--max-steps", "5", "--skip-training").code == 3
    ((words, environment),) = started
    assert words[:3] == [sys.executable, "-m", "mov_ai.cli.main"]
    assert words[3:5] == ["build", "spacy-pipeline"]
    assert words[5:] == ["--work", "w", "--seed", "0", "--max-steps", "5", "--skip-training"]
    assert environment.items() >= spacy_ewt.REPRODUCIBLE_ENVIRONMENT.items()
