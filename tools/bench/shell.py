"""What is measured from the shell: whole commands, their seconds, processor seconds and peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from mov_ai.errors import MovAIError
from tools.bench.work import PROMPT

#: Run by a small process of its own: what a process used at most is counted from the size of the one that started it.
_MEASURE = """
import json, os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
print(json.dumps([time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20]))
sys.exit(process.returncode)
"""


def command(arguments: list[str], times: int) -> dict[str, Any]:
    """Median seconds of `mov-ai ARGUMENTS`, each time in a fresh process; the first, which fills caches, not counted.

    Raises MovAIError if the command fails.
    """
    # Modules are compiled once, as they are where the command is installed.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    called = [sys.executable, "-c", _MEASURE, sys.executable, "-m", "mov_ai.cli.main", *arguments]
    figures = []
    for _ in range(times + 1):
        done = subprocess.run(called, capture_output=True, text=True, env=environment)
        if done.returncode:
            raise MovAIError(f"mov-ai {' '.join(arguments)}: failed: {done.stderr.strip()[-200:]}")
        figures.append(json.loads(done.stdout))
    seconds, processor, memory = np.median(figures[1:], axis=0).tolist()
    return {
        "command": "mov-ai " + " ".join(f'"{word}"' if " " in word else word for word in arguments),
        "seconds": seconds,
        "processor_seconds": processor,
        "gib": memory,
    }


def commands(times: int, sizes: list[str]) -> list[dict[str, Any]]:
    """Help, a parse, and a video of each of these sizes."""
    rows = [command(["--help"], times), command(["parse", PROMPT], times)]
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            out = str(Path(folder) / size)
            row = command(["generate", PROMPT, "--stages", size, "--out", out], max(1, times - 1))
            rows.append({**row, "command": row["command"].replace(out, "DIR")})
    return rows
