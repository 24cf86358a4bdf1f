"""Several processes of one run: who tells of an error, and what is refused before they begin."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest
import torch

from mov_ai.errors import MovAIError, UsageError
from mov_ai.training import processes
from mov_ai.training.processes import check_launch, everywhere, first_to_tell, lost_process, on_main, wait_for_main


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the second of two processes."""
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")


def test_the_first_process_tells_and_the_next_start_does_again(
    two: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [first_to_tell(tmp_path) for _ in range(3)] == [True, False, False]
    monkeypatch.setattr(processes, "_STARTED", time.time() + 60)
    assert first_to_tell(tmp_path)
    assert first_to_tell(tmp_path / "nowhere")


def test_a_process_alone_always_tells(tmp_path: Path) -> None:
    assert [first_to_tell(tmp_path) for _ in range(2)] == [True, True]
    assert not list(tmp_path.iterdir())


def test_a_process_alone_agrees_with_itself() -> None:
    assert on_main(lambda: 3) == 3
    assert everywhere(lambda: 3) == [3]
    with pytest.raises(MovAIError, match="no"):
        everywhere(lambda: (_ for _ in ()).throw(MovAIError("no")))


def test_nobody_is_waited_for_without_end(two: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
        monkeypatch.setenv("MASTER_PORT", str(port))
        wait_for_main(0)
    with pytest.raises(MovAIError, match=rf"process 1 of 2: nobody answers at 127\.0\.0\.1:{port} .*MASTER_ADDR"):
        wait_for_main(0)
    monkeypatch.setitem(os.environ, "RANK", "0")
    wait_for_main(0)


def test_another_engine_of_accelerate_launch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_launch()
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(UsageError, match="asks for FSDP; start it with --multi_gpu alone"):
        check_launch()


def test_a_lost_process_is_told_from_other_errors() -> None:
    assert lost_process(RuntimeError("[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer"))
    assert lost_process(torch.distributed.DistBackendError("NCCL"))
    assert not lost_process(RuntimeError("shapes do not match"))
    assert not lost_process(ValueError("gloo"))
