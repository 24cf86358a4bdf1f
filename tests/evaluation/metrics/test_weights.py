"""The table of published weights, and how a file of it is found, checked and fetched."""

from __future__ import annotations

import hashlib
import importlib.resources
import re
from pathlib import Path

import pytest

from mov_ai.errors import MovAIError
from mov_ai.evaluation.metrics import weights
from mov_ai.evaluation.metrics.image_quality import load_lpips
from mov_ai.evaluation.metrics.optical_flow import load_raft
from mov_ai.evaluation.metrics.preprocess import load_i3d
from mov_ai.evaluation.metrics.result import Absent
from mov_ai.evaluation.metrics.weights import WEIGHTS, check_weights, find_weights, located, pull_weights
from mov_ai.weight_places import places

LPIPS_NETS = ("alex", "vgg", "squeeze")
CONTENT = b"weights of something"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that MOV_AI_WEIGHTS names, not made yet; torch's cache is beside it."""
    monkeypatch.setenv("MOV_AI_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "weights"


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that is published as "small"."""
    path = tmp_path / "server" / "small.pt"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    digest = hashlib.sha256(CONTENT).hexdigest()
    small = weights.WeightsFile("small.pt", path.as_uri(), digest, "none", len(CONTENT), "tests")
    monkeypatch.setitem(WEIGHTS, "small", small)
    return path


def test_every_network_that_a_metric_loads_is_in_the_table_and_no_other(folder: Path) -> None:
    loaders = {"i3d": load_i3d, "raft": load_raft} | {net: lambda net=net: load_lpips(net) for net in LPIPS_NETS}
    assert set(loaders) == set(WEIGHTS)
    for name, load in loaders.items():
        missing = load()
        assert isinstance(missing, Absent)
        assert WEIGHTS[name].file in missing.reason
        assert str(folder) in missing.reason
        assert f"mov-ai weights pull {name}" in missing.command
        assert WEIGHTS[name].url in missing.command


def test_lpips_own_layers_come_with_the_package() -> None:
    for net in LPIPS_NETS:
        assert importlib.resources.files("lpips").joinpath("weights", "v0.1", f"{net}.pth").is_file()


def test_torchvisions_entries_are_torchvisions() -> None:
    from torchvision.models import AlexNet_Weights, SqueezeNet1_1_Weights, VGG16_Weights
    from torchvision.models.optical_flow import Raft_Large_Weights

    own = {
        "alex": AlexNet_Weights.IMAGENET1K_V1,
        "vgg": VGG16_Weights.IMAGENET1K_V1,
        "squeeze": SqueezeNet1_1_Weights.IMAGENET1K_V1,
        "raft": Raft_Large_Weights.C_T_SKHT_V2,
    }
    for name, entry in own.items():
        known = WEIGHTS[name]
        assert known.url == entry.url
        assert known.file == entry.url.rsplit("/", 1)[1]
        # torchvision's names carry the start of the SHA-256.
        marked = re.search(r"-([0-9a-f]{8})\.pth$", known.file)
        assert marked is not None
        assert known.sha256.startswith(marked[1])
        assert known.size / 2**20 == pytest.approx(entry.meta["_file_size"], abs=1e-3)


@pytest.mark.parametrize("name", WEIGHTS)
def test_entries_are_whole(name: str) -> None:
    known = WEIGHTS[name]
    assert re.fullmatch("[0-9a-f]{64}", known.sha256)
    assert known.url.startswith("https://")
    assert known.size > 2**20
    assert known.licence
    assert known.use
    assert known.identity == f"{known.file} (sha256 {known.sha256})"
    assert Path(known.file).name == known.file


def test_the_named_folder_comes_before_torchs_cache(folder: Path, published: Path, tmp_path: Path) -> None:
    cache = tmp_path / "torch" / "hub" / "checkpoints"
    assert places() == [folder, cache]
    for place in (cache, folder):
        assert place / "small.pt" not in located("small")
        place.mkdir(parents=True)
        (place / "small.pt").write_bytes(CONTENT)
        assert find_weights("small") == place / "small.pt"
    assert located("small") == [folder / "small.pt", cache / "small.pt"]


def test_without_a_named_folder_torchs_cache_is_the_place(
    folder: Path, published: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MOV_AI_WEIGHTS")
    assert pull_weights("small") == tmp_path / "torch" / "hub" / "checkpoints" / "small.pt"
    monkeypatch.delenv("TORCH_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert places() == [tmp_path / "cache" / "torch" / "hub" / "checkpoints"]
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert places() == [Path.home() / ".cache" / "torch" / "hub" / "checkpoints"]


def test_pulled_once_used_from_then_on(folder: Path, published: Path) -> None:
    assert pull_weights("small") == folder / "small.pt"
    assert [path.name for path in folder.iterdir()] == ["small.pt"]
    published.unlink()
    assert pull_weights("small") == folder / "small.pt" == find_weights("small")


def test_a_damaged_file_is_never_used_and_pulling_replaces_it(folder: Path, published: Path) -> None:
    folder.mkdir()
    (folder / "small.pt").write_bytes(b"half of it")
    with pytest.raises(MovAIError, match=r"was not loaded: remove it and fetch .* `mov-ai weights pull`"):
        find_weights("small")
    assert pull_weights("small").read_bytes() == CONTENT


def test_what_is_published_now_is_not_taken_if_it_is_another(folder: Path, published: Path) -> None:
    published.write_bytes(CONTENT[::-1])
    with pytest.raises(MovAIError, match="not kept: fetch it by hand") as caught:
        pull_weights("small")
    assert str(folder / "small.pt") in str(caught.value)
    assert published.as_uri() in str(caught.value)
    assert not folder.exists()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(MovAIError, match="cannot be read"):
        check_weights(tmp_path, "0" * 64)
