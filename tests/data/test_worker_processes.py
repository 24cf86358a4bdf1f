import subprocess
import sys
import time
from pathlib import Path

import pytest

_SCRIPT = """
import os, sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from mov_ai.data.worker_processes import end_with_parent, start_worker

if __name__ == "__main__":
    with ProcessPoolExecutor(1, get_context("spawn"), {begin}) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        time.sleep(60)
"""


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc to look processes up in")
@pytest.mark.parametrize("begin", ["start_worker", "end_with_parent"])
def test_a_worker_ends_when_its_parent_is_killed(tmp_path, begin):
    script = tmp_path / "pool.py"
    script.write_text(_SCRIPT.format(begin=begin))
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert _runs(worker)
        parent.kill()
    deadline = time.monotonic() + 20
    while _runs(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(worker)
