"""Commands that read `conf/`: mistakes and full disks are one line, not a traceback."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any, NoReturn

import hydra
import pytest

from mov_ai import hydra_entry


def raising(error: Exception, cause: Exception | None = None) -> Callable[..., Any]:
    """A stand-in for `hydra.main` whose task fails."""

    def run() -> NoReturn:
        raise error from cause

    return lambda **settings: lambda task: run


def os_error(number: int, name: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), name) if name else OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("error", "cause", "line"),
    [
        (os_error(errno.EACCES, "/x/run"), None, "/x/run: Permission denied; choose another place"),
        (os_error(errno.ENOSPC), None, "the run's folder: No space left on device; choose another place"),
        (ValueError("handler"), os_error(errno.EROFS, "/x/train.log"), "/x/train.log: Read-only file system"),
    ],
    ids=["unwritable", "full", "no log"],
)
def test_a_place_that_cannot_be_written_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, cause: Exception, line: str
) -> None:
    monkeypatch.setattr(hydra, "main", raising(error, cause))
    monkeypatch.setattr("sys.argv", ["mov_ai.train", "experiment=debug"])
    with pytest.raises(SystemExit) as caught:
        hydra_entry.run_command("mov_ai.train", "experiment", lambda config: None, "stopped")
    assert caught.value.code == 1
    told = capsys.readouterr().err
    assert told.startswith(f"mov_ai.train: {line}")
    assert told.count("\n") == 1


def test_other_errors_stay_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hydra, "main", raising(ValueError("a bug")))
    monkeypatch.setattr("sys.argv", ["mov_ai.train", "experiment=debug"])
    with pytest.raises(ValueError, match="a bug"):
        hydra_entry.run_command("mov_ai.train", "experiment", lambda config: None, "stopped")
