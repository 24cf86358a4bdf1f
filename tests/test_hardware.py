from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest
import torch

from mov_ai.hardware import give_back_memory, loading


def _held() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_is_not_used_any_more_is_given_back() -> None:
    # Pieces below the size that the C library maps by itself, every other one of which stays in use.
    pieces = [torch.ones(16_000) for _ in range(4000)]
    full = _held()
    del pieces[::2]
    give_back_memory()
    assert full - _held() > 50 * 2**20
    assert all(bool((piece == 1).all()) for piece in pieces)


def test_loading_turns_the_collector_off_and_on_again() -> None:
    assert gc.isenabled()
    with loading():
        assert not gc.isenabled()
    assert gc.isenabled()
