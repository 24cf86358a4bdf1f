from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mov_ai.errors import MovAIError, UsageError
from mov_ai.evaluation.metrics.preprocess import i3d_features, load_i3d, to_i3d
from mov_ai.evaluation.metrics.result import Absent
from mov_ai.evaluation.metrics.weights import WEIGHTS
from tests.evaluation.metrics.videos import sprites


class LikeI3D(nn.Module):
    """The interface of StyleGAN-V's network: it can rescale and resize by itself, and gives 400 figures."""

    def forward(self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False) -> Tensor:
        if resize:
            x = nn.functional.interpolate(x, [x.shape[2], 224, 224], mode="trilinear", align_corners=False)
        if rescale:
            x = x * 2 / 255 - 1
        rows = x.mean((1, 2))[:, ::16].flatten(1)
        return rows[:, :400] + 0 * float(return_features)


@pytest.fixture(scope="module")
def network_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "i3d_torchscript.pt"
    torch.jit.script(LikeI3D()).save(str(path))
    return path


def known(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    entry = replace(WEIGHTS["i3d"], sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setitem(WEIGHTS, "i3d", entry)


def test_black_and_white_are_minus_1_and_1_at_224() -> None:
    video = np.zeros((10, 20, 30, 3), np.uint8)
    video[5:] = 255
    ready = to_i3d(video)
    assert ready.shape == (3, 10, 224, 224)
    assert ready[:, :5].unique().tolist() == [-1]
    assert float((ready[:, 5:] - 1).abs().max()) < 1e-6


def test_preprocessing_is_what_the_torchscript_does_itself(network_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, network_file)
    network = load_i3d(network_file)
    assert isinstance(network, torch.jit.ScriptModule)
    videos = [sprites(seed) for seed in range(3)]
    found = np.concatenate(list(i3d_features(network, videos, batch=2)))
    raw = torch.from_numpy(np.stack(videos)).permute(0, 4, 1, 2, 3).float()
    expected = network(raw, rescale=True, resize=True, return_features=True).numpy()
    assert found.shape[0] == 3
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_videos_of_different_lengths_go_in_batches_of_their_own(
    network_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, network_file)
    monkeypatch.setenv("MOV_AI_WEIGHTS", str(network_file.parent))
    network = load_i3d()
    assert isinstance(network, torch.jit.ScriptModule)
    videos = [sprites(0, frames=n) for n in (10, 10, 12, 10)]
    assert [len(part) for part in i3d_features(network, iter(videos), batch=8)] == [2, 1, 1]


def test_only_the_known_file_is_loaded(network_file: Path) -> None:
    with pytest.raises(MovAIError, match="expected bec6519f"):
        load_i3d(network_file)


def test_a_known_file_that_torch_cannot_load_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "i3d_torchscript.pt"
    path.write_bytes(b"of another age")
    known(monkeypatch, path)
    with pytest.raises(MovAIError, match=r"cannot run this TorchScript .* use another torch"):
        load_i3d(path)


def test_without_the_file_i3d_is_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MOV_AI_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for missing in (load_i3d(), load_i3d(tmp_path / "none.pt")):
        assert isinstance(missing, Absent)
        assert "mov-ai weights pull i3d" in missing.command


@pytest.mark.parametrize(
    ("video", "message"),
    [
        (np.zeros((10, 8, 8, 3), np.float32), "got float32"),
        (torch.zeros(10, 8, 8, 3, dtype=torch.uint8), "got torch.uint8"),
        ([[0]], "got list"),
        (np.zeros((10, 3, 8, 8), np.uint8), r"got \(10, 3, 8, 8\)"),
        (np.zeros((8, 8, 3), np.uint8), "got"),
        (np.zeros((10, 0, 8, 3), np.uint8), "got"),
        (np.zeros((9, 8, 8, 3), np.uint8), "at least 10 frames, got 9"),
    ],
)
def test_other_inputs_are_refused_in_one_line(video: object, message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        to_i3d(video)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("video: expected")


class FailsWhenRun(nn.Module):
    """Loads, and fails on the first video: what an operator that a newer torch has changed looks like."""

    def forward(self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False) -> Tensor:
        return x.reshape(-1, 11)


def test_a_network_that_torch_loads_but_cannot_run_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "i3d_torchscript.pt"
    torch.jit.script(FailsWhenRun()).save(str(path))
    known(monkeypatch, path)
    network = load_i3d(path)
    with pytest.raises(MovAIError, match=r"I3D: torch .* cannot run this TorchScript .* use another torch") as failed:
        list(i3d_features(network, [sprites(0)]))
    assert "\n" not in str(failed.value)
