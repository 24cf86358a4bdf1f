"""Two processes train as one does at the same global batch, with copies of the network or with shares of it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from mov_ai.errors import UsageError
from mov_ai.training.checkpoint import checkpoint_folder, load_checkpoint
from mov_ai.training.trained_network import recompute_blocks
from tests.models.builders import given, small_denoiser
from tests.training.several_processes import TOGETHER, train

TAKE_PART = """
import pathlib, sys
from tests.training.several_processes import take_part
take_part(pathlib.Path(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left, and one beside them: `copies`, `shares` and `alone`, of three steps each."""
    folder = tmp_path_factory.mktemp("several")
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TAKE_PART, str(folder)],
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    train(folder / "alone", 3, accumulate=TOGETHER)
    try:
        for process in processes:
            _, said = process.communicate(timeout=240)
            assert process.returncode == 0, said
    finally:
        for process in processes:
            process.kill()
    # Shares were judged whole, as copies are.
    (folder / "before.json").write_text((folder / "shares" / "result.json").read_text())
    # One process goes on where two ended.
    train(folder / "shares", 4, accumulate=TOGETHER)
    train(folder / "alone", 4, accumulate=TOGETHER)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["copies", "shares"])
def test_two_processes_train_as_one_does(name: str, folder: Path) -> None:
    alone, together = (load_checkpoint(checkpoint_folder(folder / part / "checkpoints", 3)) for part in ("alone", name))
    assert together.state.samples == alone.state.samples == 12
    assert alone.tensors.keys() == together.tensors.keys() == {"model", "optimizer", "ema"}
    for group, tensors in alone.tensors.items():
        assert tensors.keys() == together.tensors[group].keys()
        for part, tensor in tensors.items():
            assert_close(together.tensors[group][part], tensor, atol=2e-5, rtol=1e-3, msg=f"{group}: {part}")


@pytest.mark.slow
def test_each_process_has_half_of_what_is_shared_out(folder: Path) -> None:
    own = [json.loads((folder / f"shares_{rank}.json").read_text()) for rank in range(2)]
    assert own[0][1] == own[1][1] > 10_000
    assert own[0][0] + own[1][0] == own[0][1]
    assert 0.4 < own[0][0] / own[0][1] < 0.6


@pytest.mark.slow
def test_one_process_goes_on_where_two_ended_and_judges_the_same_network(folder: Path) -> None:
    results = [json.loads((folder / name / "result.json").read_text()) for name in ("alone", "shares", "copies")]
    errors = [result["validation"]["error"] for result in results]
    assert results[1]["steps"] == 4
    assert errors[1] == pytest.approx(errors[0], rel=1e-4)
    before = json.loads((folder / "before.json").read_text())["validation"]["error"]
    assert errors[2] == pytest.approx(before, rel=1e-4)
    sums = [json.loads((folder / name / "export" / "sum.json").read_text()) for name in ("alone", "shares")]
    assert sums[1] == pytest.approx(sums[0], rel=1e-4)


@pytest.mark.slow
def test_a_cache_is_made_by_one_process(folder: Path) -> None:
    assert (folder / "copies" / "made").read_text() == "once "


@pytest.mark.slow
def test_what_is_computed_again_gives_the_same_gradients(folder: Path, tmp_path: Path) -> None:
    train(tmp_path, 3, accumulate=TOGETHER, recompute=True)
    kept, again = (
        load_checkpoint(checkpoint_folder(place / "checkpoints", 3)) for place in (folder / "alone", tmp_path)
    )
    for group, tensors in kept.tensors.items():
        assert tensors.keys() == again.tensors[group].keys()
        assert all(torch.equal(again.tensors[group][part], tensor) for part, tensor in tensors.items())


def test_a_network_without_blocks_has_nothing_to_compute_again() -> None:
    module = torch.nn.Linear(2, 2)
    with pytest.raises(UsageError, match=r"trainer\.recompute: Linear has no blocks"):
        recompute_blocks(module)


def test_blocks_are_computed_twice_for_a_step() -> None:
    network = small_denoiser(backend="math")
    calls = []
    network.blocks[0].cross.register_forward_hook(lambda *_: calls.append(1))
    recompute_blocks(network)
    noisy = torch.randn(1, 2, 4, 8, 8)
    one, window = torch.ones(1), torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    out = network(noisy, one, one.long() * 0, noisy, window, given(frames=2))
    assert len(calls) == 1
    out.sum().backward()
    assert len(calls) == 2
