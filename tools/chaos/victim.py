"""A command that is killed on the way: `python -m tools.chaos.victim FOLDER KILL MODULE [ARGUMENTS]`.

KILL is `count` (let it live, and write to FOLDER.moments how often it changed something in FOLDER and for how many
seconds from the first change), `change:N` (kill it just before its Nth change) or `after:S` (S seconds after the
first).
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.truncate", "os.chmod", "shutil.rmtree"}


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
        if not os.path.abspath(os.fsdecode(path)).startswith(self.folder):
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


def main() -> None:
    folder, kill, module, *arguments = sys.argv[1:]
    place = Path(folder).absolute()
    place.parent.mkdir(parents=True, exist_ok=True)
    watch = Watch(place, kill)
    sys.addaudithook(watch.hook)
    sys.argv = [module, *arguments]
    code: object = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        code = error.code
    seconds = time.monotonic() - watch.began if watch.changes else 0.0
    Path(f"{place.parent}/{place.name}.moments").write_text(f"{watch.changes} {seconds}", encoding="utf-8")
    # Everything is written; what only interpreters do at their end takes no part.
    sys.stdout.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    main()
