"""Tests that need a process in which nothing was computed before are run in one of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent


def test_what_needs_a_process_of_its_own_passes_in_one() -> None:
    files = [
        str(path)
        for path in sorted(TESTS.rglob("test_*.py"))
        if "pytestmark = pytest.mark.own_process" in path.read_text(encoding="utf-8").splitlines()
    ]
    assert files
    command = [sys.executable, "-m", "pytest", "-m", "own_process", "-p", "no:cacheprovider", "-p", "no:xdist", *files]
    run = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
