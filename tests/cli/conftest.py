"""Runs `mov-ai` within the test's process: a process of its own costs seconds of imports."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mov_ai.cli.main import main


@dataclass
class Outcome:
    """What a run of the command left."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Outcome]:
    """`command("parse", "a text", stdin=b"")`, in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def parse(command: Command, tiny_pipeline_dir: Path) -> Command:
    """`mov-ai parse` with a parser that takes every word for an entity."""

    def run(*arguments: str | Path, stdin: bytes = b"") -> Outcome:
        return command("parse", *arguments, "--checkpoint", tiny_pipeline_dir, stdin=stdin)

    return run
