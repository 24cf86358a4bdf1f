"""Files of weights: finite, a file at all, and the same bytes for the same content."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, save_file
from torch import nn

from mov_ai.errors import MovAIError, UsageError
from mov_ai.weight_files import fit_weights, load_weights, require_finite, tensor_bytes, unfilled


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(tmp_path: Path, dtype: torch.dtype, value: float) -> None:
    tensors = {"good": torch.ones(3), "bad": torch.zeros(4, 5), "whole": torch.ones(2, dtype=torch.int8)}
    tensors["bad"][2, 3] = value
    tensors = {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    if not tensors["bad"].float().isnan().any() and tensors["bad"].float().isfinite().all():
        pytest.skip(f"{dtype} has no {value}")
    save_file(tensors, tmp_path / "w.safetensors")
    with pytest.raises(MovAIError, match=r"w\.safetensors: bad: expected finite numbers, found NaN or infinity"):
        load_weights(tmp_path / "w.safetensors")


def test_large_numbers_empty_tensors_and_whole_numbers_are_finite() -> None:
    largest = torch.finfo(torch.float16).max
    require_finite({"a": torch.full((1000,), largest, dtype=torch.float16), "b": torch.zeros(0)}, "here")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("place", ["/dev/null", "/dev/zero", "pipe", "folder"])
def test_what_is_no_regular_file_is_refused_unread(tmp_path: Path, place: str) -> None:
    path = tmp_path / "model.safetensors"
    if place == "pipe":
        os.mkfifo(path)
    elif place == "folder":
        path.mkdir()
    else:
        path.symlink_to(place)
    with pytest.raises(UsageError, match=r"expected a file, found a folder, a device or a pipe"):
        load_weights(path)


def test_fitted_weights_are_float32_and_trainable() -> None:
    with torch.device("meta"):
        layer = nn.Linear(2, 3)
    fit_weights(layer, {"weight": torch.ones(3, 2).half(), "bias": torch.zeros(3)}, "here")
    assert layer.weight.dtype == torch.float32
    assert layer.weight.requires_grad


def test_equal_content_is_equal_bytes_and_reads_as_before(tmp_path: Path) -> None:
    tensors = {"b": torch.arange(6.0).view(2, 3), "a": torch.ones(5, dtype=torch.int8)}
    about = {f"key{i}": "é" * i for i in range(12)}
    first = tensor_bytes(tensors, about)
    # The library's own order differs from call to call.
    assert all(tensor_bytes(dict(reversed(tensors.items())), dict(reversed(about.items()))) == first for _ in range(8))
    found = load(first)
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())
    (tmp_path / "x.safetensors").write_bytes(first)
    with safe_open(tmp_path / "x.safetensors", "pt") as file:
        assert file.metadata() == about


def test_whole_numbers_in_place_of_weights_are_refused() -> None:
    with torch.device("meta"):
        layer = nn.Linear(2, 3)
    with pytest.raises(MovAIError, match=r"here: weight: expected torch\.float32, found torch\.int8"):
        fit_weights(layer, {"weight": torch.ones(3, 2, dtype=torch.int8), "bias": torch.zeros(3)}, "here")


def test_a_network_is_built_without_memory_for_its_weights_and_without_chance() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.table = nn.Linear(3, 4), nn.Embedding(5, 2)
            nn.init.normal_(self.linear.weight, std=0.1)
            self.null = nn.Parameter(torch.randn(1, 4) * 0.02)
            self.register_buffer("times", (torch.arange(4) + 0.5) / 4, persistent=False)

    state = torch.get_rng_state()
    with unfilled():
        network = Net()
    assert torch.equal(torch.get_rng_state(), state)
    assert network.linear.weight.is_meta
    assert network.table.weight.is_meta
    # What no file holds is computed.
    assert torch.equal(network.times, torch.tensor([0.125, 0.375, 0.625, 0.875]))
    full = Net()
    fit_weights(network, dict(full.state_dict()), "here")
    assert torch.equal(network.linear(torch.ones(3)), full.linear(torch.ones(3)))
