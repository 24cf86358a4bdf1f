"""The plan of a large run: counts of networks without memory, and sums that follow from them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mov_ai.errors import UsageError
from mov_ai.models.denoiser import TSAMDenoiser
from studies.large_run.plan import GIB, Machine, activations, inputs, lines, memory, networks, plan


@pytest.fixture(scope="module")
def result() -> dict[str, object]:
    return plan("tiny", Machine(gpus=2, utilisation=0.5), days=1.0, batch=4)


def test_memory_is_shared_out_but_for_activations() -> None:
    alone, shared = memory(10**9, 1, 10**8, 2), memory(10**9, 8, 10**8, 2)
    assert alone["weights"] == pytest.approx(4e9 / GIB)
    assert alone["AdamW"] == pytest.approx(2 * alone["gradients"])
    assert shared["weights"] == pytest.approx(alone["weights"] / 8)
    assert shared["activations"] == alone["activations"] == pytest.approx(4e8 / GIB)
    assert shared["total"] == pytest.approx(sum(value for name, value in shared.items() if name != "total"))


def test_activations_are_what_the_way_back_needs() -> None:
    with torch.device("meta"):
        layers = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.Linear(16, 4))
    given = torch.empty(10, 8, device="meta")
    # The input, what goes into the nonlinearity and what comes out of it; no weights.
    assert activations(layers, [given]) == 10 * (8 + 16 + 16)


def test_the_sums_follow_from_the_counts(result: dict[str, float]) -> None:
    speed = 2 * 312e12 * 0.5
    assert result["flops_a_sample_recomputed"] == pytest.approx(result["flops_a_sample"] * 4 / 3)
    assert result["samples"] == pytest.approx(86_400 * speed / result["flops_a_sample_recomputed"])
    assert result["steps"] == pytest.approx(result["samples"] / 8)
    assert result["dollars"] == 24 * 2 * 2.0
    assert result["days_for_a_pass"] * result["passes_over_webvid_10m"] == pytest.approx(1.0)


def test_activations_computed_again_are_fewer(result: dict[str, dict[str, int]]) -> None:
    numbers = result["activation_numbers"]
    assert 0 < numbers["blocks computed again"] < numbers["all kept"]


def test_larger_latents_leave_more_for_the_way_back_and_no_more_weights(result: dict[str, Any]) -> None:
    larger = plan("tiny", Machine(gpus=2, utilisation=0.5), days=1.0, batch=4, cells=2 * result["cells"])
    assert larger["tokens_a_sample"] == 4 * result["tokens_a_sample"]
    for name, parts in result["memory_gib"].items():
        assert larger["memory_gib"][name]["weights"] == parts["weights"]
        assert 3 < larger["memory_gib"][name]["activations"] / parts["activations"] < 4.5
    assert "A sample of 32x32 latents: 4,096 tokens" in "\n".join(lines(larger))


@pytest.mark.parametrize("cells", [0, 15])
def test_cells_are_whole_patches(cells: int) -> None:
    with pytest.raises(UsageError, match=f"--cells: expected a multiple of 2, a patch's side; found {cells}"):
        plan("tiny", Machine(), days=1.0, batch=4, cells=cells)


def test_the_tables_name_every_network(result: dict[str, object]) -> None:
    text = "\n".join(lines(result))
    assert all(f"| {name} | " in text for name in (*networks("tiny"), "text encoder"))


def test_a_sample_is_what_the_denoiser_takes() -> None:
    config = networks("tiny")["denoiser"].config
    assert isinstance(config, type(TSAMDenoiser(config).config))
    assert inputs(config, 16)[0].shape == (1, 16, 8, 16, 16)
