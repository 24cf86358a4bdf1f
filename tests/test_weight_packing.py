"""Weights in 8 bits: what comes back, and how far it is from what was packed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from mov_ai.errors import UsageError
from mov_ai.models.component import load_component, save_component
from mov_ai.models.refiner import RefinerConfig, VideoRefiner
from mov_ai.weight_files import pack, unpack
from tests.models.builders import small_refiner
from tools.ship import main, ship


def _tensors() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "matrix": torch.randn(12, 40, generator=generator) * torch.logspace(-4, 2, 12)[:, None],
        "convolution": torch.randn(16, 4, 3, 3, generator=generator),
        "narrow": torch.randn(4, 40, generator=generator),
        "vector": torch.randn(40, generator=generator),
        "zeros": torch.zeros(12, 12),
        "numbers": torch.arange(5),
    }


def test_each_row_is_kept_to_a_254th_of_its_largest_number() -> None:
    tensors = _tensors()
    back = unpack(pack(tensors))
    assert set(back) == set(tensors)
    for name in ("matrix", "convolution"):
        rows, read = tensors[name].flatten(1), back[name].flatten(1)
        assert read.shape == rows.shape
        assert ((rows - read).abs().amax(1) <= rows.abs().amax(1) / 253).all()
    for name in ("narrow", "vector", "zeros", "numbers"):
        assert torch.equal(back[name], tensors[name].half().float() if name != "numbers" else tensors[name])
    assert back["numbers"].dtype == torch.int64


def test_only_matrices_are_packed_if_that_is_asked_for() -> None:
    stored = pack(_tensors(), 2)
    assert stored["matrix"].dtype == torch.int8
    assert stored["convolution"].dtype == torch.float16
    assert unpack(stored)["convolution"].dtype == torch.float16


def test_what_was_packed_packs_the_same_again() -> None:
    stored = pack(_tensors())
    again = pack(unpack(stored))
    assert all(torch.equal(stored[name], again[name]) for name in stored if not name.endswith(".scale"))


def test_a_shipped_network_is_smaller_and_nearly_the_same(tmp_path: Path) -> None:
    network = small_refiner(widths=(16, 24))
    save_component(network, tmp_path / "run" / "export")
    (tmp_path / "run" / "export" / "README.md").write_text("a card")
    before, after = ship(tmp_path / "run", tmp_path / "shipped")
    assert after < 0.75 * before
    assert (tmp_path / "shipped" / "README.md").read_text() == "a card"
    assert torch.int8 in {t.dtype for t in load_file(tmp_path / "shipped" / "model.safetensors").values()}
    read = load_component(VideoRefiner, RefinerConfig, tmp_path / "shipped")
    for name, tensor in network.state_dict().items():
        other = read.state_dict()[name]
        assert other.dtype == torch.float32
        assert (tensor - other).abs().max() <= tensor.abs().max() / 200


def test_what_is_no_network_is_not_shipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="expected an exported network"):
        ship(tmp_path, tmp_path / "out")
    assert main([str(tmp_path), str(tmp_path / "out")]) == 2
    assert "expected an exported network" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
