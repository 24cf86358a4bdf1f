"""`mov-ai` as a user calls it, within this process: what it says is a result or one clean refusal, or else a find."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest import mock

import mov_ai.cli.main as cli
from mov_ai.data.video import read_video
from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.pipeline import MovAIPipeline
from tools.fuzz.small_pipeline import small_pipeline

#: Of the lines of a refusal.
_SAID = "mov-ai: error: "
#: Words that would be of no help to whoever gave a damaged file.
_NO_HELP = ("this is a bug", "not enough memory", "check the path and its permissions")


class BadRefusal(Exception):
    """The command failed in another way than with one line that helps, or left something behind."""


@dataclass(frozen=True)
class Said:
    """What a command that succeeded said.

    Attributes:
        out, err: standard output and standard error.
    """

    out: str
    err: str


def command(*arguments: str | Path, watch: Path | None = None) -> Said:
    """Run `mov-ai`.

    Args:
        watch: a folder; where the command refuses, everything in it must be as it was.

    Raises:
        MovAIError: with the line that it was refused with. BadRefusal: if that was none. Else what was a bug.
    """
    before = contents(watch)
    caught: list[BaseException] = []

    def report(error: BaseException, name: str) -> int:
        caught.append(error)
        return original(error, name)

    original = cli._report
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), mock.patch.object(cli, "_report", report):
        code = cli.main([str(argument) for argument in arguments])
    lines = [line for line in err.getvalue().splitlines() if line]
    if code == 0:
        return Said(out.getvalue(), err.getvalue())
    message = lines[-1].removeprefix(_SAID) if lines else ""
    if caught and any(words in message for words in _NO_HELP):
        raise caught[0]
    if code not in (1, 2) or sum(line.startswith(_SAID) for line in lines) != 1 or not lines[-1].startswith(_SAID):
        raise BadRefusal(f"code {code}: {lines[-3:]!r}")
    if contents(watch) != before:
        raise BadRefusal(f"refused ({message[-100:]!r}), and these files changed: {_changed(before, contents(watch))}")
    raise (UsageError if code == 2 else MovAIError)(message)


def contents(folder: Path | None) -> dict[str, str]:
    """Every file of a folder, with a hash of what is in it."""
    if folder is None:
        return {}
    paths = sorted(folder.rglob("*"))
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in paths
    }


def _changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))[:5]


@cache
def _loaded() -> MovAIPipeline:
    return MovAIPipeline.from_pretrained(small_pipeline(), "cpu")


@contextlib.contextmanager
def loaded_once() -> Iterator[None]:
    """Inside it, commands share the small pipeline, whichever they name: loading it takes longer than a video."""
    pipeline = _loaded()
    with mock.patch.object(MovAIPipeline, "from_pretrained", return_value=pipeline):
        yield


def graph_file(folder: Path) -> Path:
    """The graph of a ball that rolls, then jumps, as a file: the small pipeline's parser reads nothing of a text."""
    nodes = [Node("s", "scene", "scene"), Node("b", "entity", "ball")]
    nodes += [Node("e", "event", "roll", interval=(0, 0.5)), Node("f", "event", "jump", interval=(0.5, 1))]
    edges = [Edge("s", "b", "contains"), Edge("e", "b", "agent"), Edge("f", "b", "agent")]
    path = folder / "ball.json"
    SceneGraph("a ball rolls, then jumps", nodes, edges).save(path)
    return path


def generate(folder: Path, out: Path, *arguments: str | Path, watch: Path | None = None) -> Said:
    """`mov-ai generate` of that graph with the small pipeline, see `command`."""
    given = ("--graph", graph_file(folder), "--checkpoint", small_pipeline(), "--device", "cpu", "--out", out)
    with loaded_once():
        return command("generate", *given, *arguments, watch=watch)


def wrong_video(path: Path, frames: int, side: int = 32) -> str | None:
    """What is wrong with a square video that a command wrote, None if nothing is."""
    shape = read_video(path)[0].shape
    return None if shape == (frames, side, side, 3) else f"a video of {shape}, not {frames} frames of {side}"
