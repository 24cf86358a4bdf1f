"""The benchmark's own parts: peers of equal size, works in turn, whole commands, the README's table."""

from __future__ import annotations

import pytest
import torch

from mov_ai.errors import MovAIError, UsageError
from mov_ai.models.presets import parameters
from tools.bench import work
from tools.bench.__main__ import BEGIN, END, slug, table, with_table
from tools.bench.peers import PEERS, Shape, peer
from tools.bench.shell import command

CPU = torch.device("cpu")
SHAPE = Shape(frames=2, channels=4, cells=4)


@pytest.mark.parametrize("name", sorted(PEERS))
def test_a_peer_has_about_as_many_parameters_and_makes_latents_of_the_same_size(name: str) -> None:
    network, call = peer(name, 1_500_000, 1, SHAPE, CPU)
    assert parameters(network) == pytest.approx(1_500_000, rel=0.3)
    with torch.no_grad():
        made = call(network)
    assert isinstance(made, torch.Tensor)
    assert made.numel() == 2 * 4 * 4 * 4
    assert made.isfinite().all()


def test_works_are_done_in_turn_and_the_first_round_is_not_counted() -> None:
    order: list[str] = []
    taken = work.in_turn({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, CPU, 2)
    assert "".join(order) == "ababab"
    assert set(taken) == {"a", "b"}


def test_a_command_is_measured_as_a_whole_process() -> None:
    row = command(["--version"], 1)
    assert row["command"] == "mov-ai --version"
    assert 0 < row["processor_seconds"] < 60
    assert 0.005 < row["gib"] < 0.4
    with pytest.raises(MovAIError, match="failed"):
        command(["parse", ""], 1)


def test_the_table_goes_into_its_place() -> None:
    step = {"network": "TSAM", "step": "sampling", "dtype": "fp32", "parameters": 5e6, "flops": 1e9, "seconds": 0.1}
    step |= {"share_of_peak": 0.5, "gib": None}
    result = {"machine": "a box", "peak_flops": {"fp32": 2e11}, "steps": [step], "peers": []}
    lines = table({**result, "peers": [{**step, "network": "Wan", "tokens": 9, "times_ours": 1.5}]})
    assert lines[0] == "a box; a large matrix product: fp32 200 GFLOP/s."
    assert lines[-1] == "| Wan, 9 tokens, fp32 | 0.100 | 5.0 M parameters, 1 GFLOP: 1.50 times ours |"
    readme = with_table(f"before\n{BEGIN}\nold\n{END}\nafter", lines)
    assert readme == "\n".join(["before", BEGIN, *lines, END, "after"])
    with pytest.raises(UsageError, match="expected one"):
        with_table("no place", lines)
    assert slug("Intel(R) Xeon(R) Processor, 2 cores") == "intel-xeon-processor-2-cores"
