"""What a command says of words that its graph does not hold, of doubtful parts, and of prompts that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mov_ai.parser.unread import Unread
from mov_ai.pipeline import MovAIPipeline
from tests.cli.conftest import Command

CHAIRS = "not understood, and so not in the graph: without, chairs"


@pytest.fixture
def two_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parser of the tests takes every word for an entity; here as if it had not understood two."""
    unread = (Unread("without", (0, 1), "denial"), Unread("wooden", (1, 2), "other"), Unread("chairs", (2, 3), "noun"))
    monkeypatch.setattr("mov_ai.parser.unread.unread_words", lambda text, tokens, parse: unread)


@pytest.mark.usefixtures("two_unread")
def test_explain_lists_what_was_not_understood(parse: Command) -> None:
    result = parse("a ball", "--explain")
    assert (result.code, result.err) == (0, "")
    lines = [line.split("  ") for line in result.out.splitlines()]
    start = next(i for i, line in enumerate(lines) if line[0] == "not understood")
    assert [[cell for cell in line if cell] for line in lines[start + 1 :]] == [
        ["denial", "'without'"],
        ["word", "'wooden'"],
        ["noun", "'chairs'"],
    ]


@pytest.mark.usefixtures("two_unread")
def test_plan_warns_of_what_was_not_understood(command: Command, tiny_pipeline_dir: Path) -> None:
    result = command("plan", "a ball", "--checkpoint", tiny_pipeline_dir)
    assert result.code == 0
    assert f"mov-ai: warning: {CHAIRS}\n" in result.err


@pytest.mark.usefixtures("two_unread")
def test_a_video_warns_of_what_was_not_understood(tiny_pipeline_dir: Path) -> None:
    result = MovAIPipeline.from_pretrained(tiny_pipeline_dir, "cpu")("a ball", steps=1)
    assert CHAIRS in result.run["warnings"]


def test_a_threshold_is_a_confidence(parse: Command, command: Command) -> None:
    assert len(json.loads(parse("a ball", "--json", "--threshold", "1").out)["nodes"]) == 3
    for name in ("parse", "plan", "generate"):
        for threshold in ("1.5", "-0.1", "x"):
            result = command(name, "a ball", "--threshold", threshold)
            assert (result.code, len(result.err.splitlines())) == (2, 1)
            assert "--threshold" in result.err


@pytest.mark.parametrize("text", ["/home/me/a.txt", "prompts.jsonl", "C:\\video\\cat.mp4", "~/cat", "../x/y"])
def test_the_name_of_a_file_is_read_as_words_which_is_said(parse: Command, text: str) -> None:
    result = parse(text, "--json")
    assert result.code == 0
    assert json.loads(result.out)["caption"] == text
    assert "looks like a file's name" in result.err


@pytest.mark.parametrize("text", ["a red ball", "ball.", "a/b and c", "Mr. Smith runs", "windmill", "and/or"])
def test_a_text_is_no_file_s_name(parse: Command, text: str) -> None:
    assert parse(text, "--json").err == ""
