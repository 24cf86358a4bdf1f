"""A command that is killed on the way, in a process that has loaded what it needs before it begins."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import runpy
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: What commands import when they need it.
_PRELOADED = [
    *("mov_ai.train", "mov_ai.cli.main", "mov_ai.pipeline", "mov_ai.parser.parser", "mov_ai.data.prepare"),
    *("mov_ai.evaluation.folder_comparison", "mov_ai.evaluation.report.files", "mov_ai.training.clip_encoder"),
    *("mov_ai.training.objectives.codec", "mov_ai.training.objectives.denoiser", "mov_ai.training.objectives.parser"),
    *("mov_ai.training.objectives.planner", "mov_ai.training.loop", "spacy", "scipy.ndimage", "matplotlib.pyplot"),
]

_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.truncate", "os.chmod", "shutil.rmtree"}


@dataclass(frozen=True)
class Ended:
    """What came of a command.

    Attributes:
        code: as a shell gives it, negative for a signal.
        said: on both streams.
        changes: in the folder; seconds: from the first one to the end. 0 if it was killed.
    """

    code: int
    said: str
    changes: int
    seconds: float


class Watch:
    """Counts changes in a folder, or in one of its name with more behind it, and ends the process at one of them."""

    def __init__(self, folder: Path, kill: str) -> None:
        self.folder, self.changes, self.began = str(folder), 0, 0.0
        how, _, number = kill.partition(":")
        self._at = int(number) if how == "change" else None
        self._after = float(number) if how == "after" else None

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """What `sys.addaudithook` takes."""
        if event == "open":
            path, mode, flags = arguments
            changes = bool((flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)) or "w" in str(mode or "")
        else:
            path, changes = arguments[0] if arguments else "", event in _CHANGES
        if not changes or not isinstance(path, (str, bytes, os.PathLike)):
            return
        place = os.path.abspath(os.fsdecode(path))
        if not place.startswith(self.folder) or place.startswith(f"{self.folder}.notes"):
            return
        self.changes += 1
        if self.changes == 1:
            self.began = time.monotonic()
            if self._after is not None:
                timer = threading.Timer(self._after, _die)
                timer.daemon = True
                timer.start()
        if self.changes == self._at:
            _die()


def _die() -> None:
    """With its worker processes, as when a machine stops."""
    os.killpg(0, signal.SIGKILL)


def start(module: str, arguments: Sequence[str], folder: Path, kill: str, patience: float) -> Ended:
    """Run a command that writes to a folder.

    Args:
        kill: "count" (let it live, and count its changes), "change:N" (kill it just before its Nth change in the
            folder) or "after:S" (S seconds after the first).
        patience: seconds after which it is ended.
    """
    place = folder.absolute()
    place.parent.mkdir(parents=True, exist_ok=True)
    notes = Path(f"{place}.notes")
    notes.mkdir(exist_ok=True)
    # Forked from a server that has imported everything once: that takes longer than most of what is killed.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    process = context.Process(target=_run, args=(module, list(arguments), str(place), kill, str(notes)))
    process.start()
    assert process.pid is not None
    try:
        process.join(patience)
    finally:
        if process.exitcode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.join()
    said = (notes / "said").read_text(encoding="utf-8", errors="replace") if (notes / "said").exists() else ""
    moments = (notes / "moments").read_text(encoding="utf-8") if (notes / "moments").exists() else "0 0"
    changes, seconds = moments.split()
    return Ended(process.exitcode or 0, said, int(changes), float(seconds))


def _run(module: str, arguments: list[str], place: str, kill: str, notes: str) -> None:
    """In the process of the command's own."""
    # A session of its own, as it is killed with all its workers.
    os.setsid()
    said = os.open(f"{notes}/said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(said, stream)
    watch = Watch(Path(place), kill)
    sys.addaudithook(watch.hook)
    sys.argv = [module, *arguments]
    code: object = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        code = error.code
    except BaseException:
        traceback.print_exc()
        code = 1
    seconds = time.monotonic() - watch.began if watch.changes else 0.0
    # The kill may come while this is written: there is all of it or nothing.
    unfinished = Path(notes, "moments.unfinished")
    unfinished.write_text(f"{watch.changes} {seconds}", encoding="utf-8")
    unfinished.replace(Path(notes, "moments"))
    # Everything is written; what only interpreters do at their end takes no part.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))
