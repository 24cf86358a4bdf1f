"""Runs `mov-ai` within the test's process: a process of its own costs seconds of imports."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mov_ai.cli.main import main
from mov_ai.graph.video_shape import VideoShape
from mov_ai.pipeline import MovAIPipeline


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


@pytest.fixture
def generate(command: Command, pipeline: MovAIPipeline, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`mov-ai generate` with the module's own pipeline, whatever checkpoint is named."""
    monkeypatch.setattr(MovAIPipeline, "from_pretrained", lambda *_: pipeline)
    return lambda *arguments, stdin=b"": command("generate", *arguments, stdin=stdin)


def small_pipeline(folder: Path, frames: int) -> MovAIPipeline:
    """A pipeline made for videos of so many frames of 32 by 32 pixels, 8 a second, in one step."""
    loaded = MovAIPipeline.from_pretrained(folder, "cpu")
    loaded.cascade.config = replace(
        loaded.cascade.config, stages=(32,), steps=(1,), starts=(1.0,), first=32, last=32, networks="shared"
    )
    loaded.shape = VideoShape(frames=frames, height=32, width=32)
    return loaded
