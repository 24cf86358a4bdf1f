"""Runs of one command, each a process of its own, that share a start: importing torch takes seconds each time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: The process forks once for each run; what was imported by then is not imported again.
_SCRIPT = """
import importlib, json, os, sys

module, before, runs = json.loads(sys.argv[1])
main = importlib.import_module(module).main
for name in before:
    importlib.import_module(name)
codes = []
for run in runs:
    child = os.fork()
    if child == 0:
        os.chdir(run["folder"])
        for descriptor, path in ((1, run["out"]), (2, run["err"])):
            os.dup2(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), descriptor)
        sys.argv[1:] = run["arguments"]
        main()
        sys.exit(0)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(codes))
"""


@dataclass(frozen=True)
class Run:
    """What a run of a command left."""

    returncode: int
    stdout: str
    stderr: str


def forked_runs(
    module: str, arguments: Sequence[Sequence[str]], folder: Path, before: Sequence[str] = (), timeout: float = 120
) -> list[Run]:
    """Run `python -m module` with each of these arguments.

    Args:
        module: with a function `main`, which is all that it does as `__main__`.
        arguments: of each run; in them, {tmp} stands for the folder in which it runs, that holds an empty `file`.
        folder: in which those folders are made.
        before: modules that are imported before the runs.
        timeout: in seconds, for each run.
    """
    runs = []
    for number, given in enumerate(arguments):
        own = folder / str(number)
        own.mkdir()
        (own / "file").touch()
        out, err = (str(folder / f"{number}.{name}") for name in ("out", "err"))
        given = [argument.format(tmp=own) for argument in given]
        runs.append({"folder": str(own), "out": out, "err": err, "arguments": given})
    command = [sys.executable, "-c", _SCRIPT, json.dumps([module, list(before), runs])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=timeout * len(runs), check=False)
    assert done.returncode == 0, done.stderr
    texts = [[Path(run[name]).read_text(encoding="utf-8") for name in ("out", "err")] for run in runs]
    return [Run(code, *both) for code, both in zip(json.loads(done.stdout), texts, strict=True)]
