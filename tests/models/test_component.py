"""Saving and loading one network: what goes in comes out, and what does not fit is named in one line."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from mov_ai.errors import MovAIError, UsageError
from mov_ai.models.codec import CodecConfig, VideoCodec
from mov_ai.models.component import (
    CONFIG_FILE,
    SCHEMA,
    WEIGHTS_FILE,
    config_from_dict,
    load_component,
    load_weights,
    save_component,
)
from mov_ai.models.denoiser import DenoiserConfig, TSAMDenoiser
from mov_ai.models.planner import LayoutPlanner, PlannerConfig
from tests.models.builders import LABELS, given, small_denoiser
from tests.models.test_codec import small_codec


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_component(small_codec(), tmp_path / "codec")
    return tmp_path / "codec"


def _load(folder: Path) -> VideoCodec:
    return load_component(VideoCodec, CodecConfig, folder)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_network_comes_back_as_it_was(tmp_path: Path, dtype: torch.dtype) -> None:
    codec = small_codec()
    save_component(codec, tmp_path, dtype)
    found = _load(tmp_path)
    assert found.config == codec.config
    assert not found.training
    for name, tensor in codec.state_dict().items():
        expected = tensor.to(dtype).float()
        assert found.state_dict()[name].dtype == torch.float32
        assert torch.equal(found.state_dict()[name], expected), name
    video = torch.rand(1, 2, 3, 16, 16)
    with torch.no_grad():
        # The buffers, which no file holds, are those of the config.
        assert_close(found(video)[0], codec(video)[0], atol=0 if dtype == torch.float32 else 0.05, rtol=0)
    assert {tensor.dtype for tensor in load_file(tmp_path / WEIGHTS_FILE).values()} == {dtype}
    assert all(parameter.requires_grad for parameter in found.parameters())


def test_half_precision_halves_the_file(tmp_path: Path) -> None:
    sizes = []
    for dtype in (torch.float32, torch.float16):
        save_component(small_denoiser(), tmp_path, dtype)
        sizes.append((tmp_path / WEIGHTS_FILE).stat().st_size)
    assert sizes[1] < 0.6 * sizes[0]


def test_a_denoiser_with_its_nested_config_comes_back(tmp_path: Path) -> None:
    network = small_denoiser()
    save_component(network, tmp_path, torch.float32)
    found = load_component(TSAMDenoiser, DenoiserConfig, tmp_path)
    assert found.config == network.config
    c = given()
    noisy = torch.randn(1, 16, 4, 8, 8)
    rest = (torch.tensor([0.5]), torch.zeros(1).long(), noisy, torch.tensor([[0.0, 0.0, 1.0, 1.0]]), c)
    with torch.no_grad():
        assert_close(found(noisy, *rest), network(noisy, *rest), atol=1e-5, rtol=1e-5)


def test_loading_leaves_global_random_state_alone(folder: Path) -> None:
    state = torch.get_rng_state()
    _load(folder)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_loaded_network_has_nothing_left_on_the_meta_device(folder: Path) -> None:
    found = _load(folder)
    assert not any(tensor.is_meta for tensor in [*found.parameters(), *found.buffers()])


def test_saving_again_replaces_the_files(folder: Path) -> None:
    save_component(small_codec(seed=1), folder, torch.float32)
    assert torch.equal(_load(folder).stem.weight, small_codec(seed=1).stem.weight)
    assert sorted(path.name for path in folder.iterdir()) == [CONFIG_FILE, WEIGHTS_FILE]


def _set_header(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        header = json.loads((folder / CONFIG_FILE).read_text())
        (folder / CONFIG_FILE).write_text(json.dumps({**header, **changes}))

    return change


def _set_config(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        header = json.loads((folder / CONFIG_FILE).read_text())
        header["config"] |= changes
        (folder / CONFIG_FILE).write_text(json.dumps(header))

    return change


def _set_tensors(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS_FILE)
        change(tensors)
        save_file(tensors, folder / WEIGHTS_FILE)

    return apply


def _truncate(size: int) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = (folder / WEIGHTS_FILE).read_bytes()
        (folder / WEIGHTS_FILE).write_bytes(data[:size])

    return change


def _torch_file(folder: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, folder / WEIGHTS_FILE)


def _plain_pickle(folder: Path) -> None:
    (folder / WEIGHTS_FILE).write_bytes(pickle.dumps({"weight": list(range(30))}))


def _pickle_only(folder: Path) -> None:
    (folder / WEIGHTS_FILE).rename(folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("damage", "error", "words"),
    [
        (_truncate(2000), MovAIError, "not a whole safetensors file"),
        (_truncate(5), MovAIError, "not a whole safetensors file"),
        (_truncate(0), MovAIError, "not a whole safetensors file"),
        (_torch_file, UsageError, "pickles are never loaded"),
        (_plain_pickle, UsageError, "pickles are never loaded"),
        (_pickle_only, UsageError, "pytorch_model.bin: a pickle"),
        (lambda folder: (folder / WEIGHTS_FILE).unlink(), UsageError, "cannot be read"),
        (lambda folder: (folder / CONFIG_FILE).unlink(), UsageError, "expected a folder with config.json"),
        (lambda folder: (folder / CONFIG_FILE).write_text("{"), UsageError, "config.json"),
        (lambda folder: (folder / CONFIG_FILE).write_text("[]"), UsageError, "schema: expected 1"),
        (_set_header(schema=SCHEMA + 1), UsageError, f"schema: expected {SCHEMA}, found {SCHEMA + 1}"),
        (_set_header(network="TSAMDenoiser"), UsageError, "expected VideoCodec, found 'TSAMDenoiser'"),
        (_set_header(config=3), UsageError, "config: expected an object, found 3"),
        (_set_config(depth=3), UsageError, "'depth' is not a setting of CodecConfig"),
        (_set_config(mean=[0.0]), UsageError, "expected 4 means"),
        (_set_config(widths=[16, 8, 8]), MovAIError, "expected .* found .*of another size"),
        (_set_config(blocks=[2, 1, 1]), MovAIError, "is missing"),
        (_set_tensors(lambda tensors: tensors.pop("stem.bias")), MovAIError, "'stem.bias' is missing"),
        (_set_tensors(lambda tensors: tensors.update(extra=torch.zeros(1))), MovAIError, "'extra' is not part"),
        (
            _set_tensors(lambda tensors: tensors.update({"stem.bias": torch.zeros(3)})),
            MovAIError,
            r"stem.bias: expected \(12,\), found \(3,\)",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(
    folder: Path, damage: Callable[[Path], object], error: type[MovAIError], words: str
) -> None:
    damage(folder)
    with pytest.raises(MovAIError, match=words) as caught:
        _load(folder)
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("config", [{"widths": 3}, {"blocks": None}, {"latent_channels": "many"}, {"widths": [1]}])
def test_settings_of_a_wrong_kind_are_one_line(folder: Path, config: dict[str, object]) -> None:
    _set_config(**config)(folder)
    with pytest.raises(MovAIError) as caught:
        _load(folder)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere: expected a folder"):
        _load(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"model.pt: a pickle"):
        _load(tmp_path / "model.pt")
    with pytest.raises(UsageError, match="cannot be read"):
        load_weights(tmp_path / "nothing.safetensors")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MovAIError, match="file"):
        save_component(small_codec(), tmp_path / "file" / "codec")


def test_settings_left_out_have_their_defaults() -> None:
    assert config_from_dict(CodecConfig, {}, "here") == CodecConfig()
    found = config_from_dict(DenoiserConfig, {"dim": 64, "graph_encoder": {"dim": 32}}, "here")
    assert (found.dim, found.graph_encoder.dim, found.graph_encoder.layers) == (64, 32, 2)


# -- networks that read labels -----------------------------------------------------------------------------------------


def _save_denoiser(folder: Path) -> None:
    save_component(small_denoiser(), folder)


def _save_planner(folder: Path) -> None:
    save_component(LayoutPlanner(PlannerConfig(dim=16, layers=1, heads=2, labels=LABELS)), folder)


READERS = [(TSAMDenoiser, DenoiserConfig, _save_denoiser), (LayoutPlanner, PlannerConfig, _save_planner)]


@pytest.mark.parametrize(("network", "config", "save"), READERS)
@pytest.mark.parametrize(
    ("damage", "error", "words"),
    [
        (_set_header(schema=1), UsageError, "schema: expected [234], found 1; train it anew"),
        (_set_config(labels={"name": "embedded", "width": 32, "version": 1}), MovAIError, "expected .*, found .*"),
        (_set_config(labels={"name": "embedded", "width": -1}), UsageError, "width: expected greater .* 1; found -1"),
        (_set_config(labels=7), UsageError, "config: labels: expected an object; found 7"),
        (_set_config(labels={"size": 64}), UsageError, "'size' is not a setting of LabelEncoderConfig"),
    ],
)
def test_another_way_of_reading_labels_is_one_line(
    tmp_path: Path,
    network: type[torch.nn.Module],
    config: type,
    save: Callable[[Path], None],
    damage: Callable[[Path], object],
    error: type[MovAIError],
    words: str,
) -> None:
    save(tmp_path)
    assert load_component(network, config, tmp_path).config.labels == LABELS
    damage(tmp_path)
    with pytest.raises(MovAIError, match=words) as caught:
        load_component(network, config, tmp_path)
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)
