"""TAEF2: the network of its files, in every form that they come in, and what it does on natural clips."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.testing import assert_close

from mov_ai.errors import MovAIError, UsageError
from mov_ai.models.codec_registry import load_codec, save_codec
from mov_ai.models.taef2 import TAEF2, VALUES_SHA256, TAEF2Config, values_sha256
from mov_ai.models.taef2_files import FILE, PART_FILES, PARTS
from studies.real_clips.codec import CLIPS, natural_clip

DATA = Path(os.environ.get("MOV_AI_DATA", "nowhere"))


def random_taef2(**sizes: int) -> TAEF2:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TAEF2(TAEF2Config(**sizes)).eval()  # type: ignore[arg-type]


def write_parts(codec: TAEF2, folder: Path) -> None:
    """Encoder and decoder in files of their own."""
    for part, file in zip(PARTS, PART_FILES, strict=True):
        network = getattr(codec, part)
        save_file({name: tensor.half() for name, tensor in network.state_dict().items()}, folder / file)


def write_published(codec: TAEF2, folder: Path) -> None:
    """One file, in which the decoder's layers are counted from the first that has weights."""
    tensors = {}
    for name, tensor in codec.state_dict().items():
        part, number, leaf = name.split(".", 2)
        tensors[f"{part}.layers.{int(number) - (part == 'decoder')}.{leaf}"] = tensor
    save_file(tensors, folder / FILE)


def _video(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("write", [write_parts, write_published, save_codec])
def test_each_form_of_its_files_is_the_same_codec(write, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    codec, video = random_taef2(), _video(1, 2, 3, 16, 24)
    write(codec, tmp_path)
    read = load_codec(tmp_path)
    with torch.no_grad():
        latents = read.encode(video)
        assert latents.shape == (1, 2, 32, 2, 3)
        assert_close(latents, codec.encode(video), atol=2e-3, rtol=2e-3)
        assert_close(read.decode(latents), codec.decode(latents), atol=2e-3, rtol=2e-3)


def test_frames_do_not_see_each_other_and_a_frame_is_seen_as_a_whole() -> None:
    codec, video = random_taef2(latent_channels=4, width=8), _video(1, 3, 3, 32, 32)
    other = video.clone()
    other[:, 1, :, :8, :8] = 1
    with torch.no_grad():
        moved = (codec.encode(video) - codec.encode(other)).abs().amax(2)[0]
    assert (moved.amax((1, 2)) > 0).tolist() == [False, True, False]
    assert (moved[1] > 0).all()


def test_its_name_finds_what_was_pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MOV_AI_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with pytest.raises(UsageError, match=r"taef2.safetensors is not on this machine .*`mov-ai weights pull taef2`"):
        load_codec("taef2")
    (tmp_path / "weights").mkdir()
    write_published(random_taef2(), tmp_path / "weights")
    assert load_codec("taef2").name == "taef2"
    assert load_codec(tmp_path / "weights").name is None


def test_files_of_another_network_are_refused(tmp_path: Path) -> None:
    write_parts(random_taef2(latent_channels=16), tmp_path)
    with pytest.raises(MovAIError, match=r"taef2_encoder.safetensors: encoder.14.weight: expected"):
        load_codec(tmp_path)
    (tmp_path / PART_FILES[1]).write_bytes(b"not a whole file, though it should be one")
    with pytest.raises(MovAIError, match=r"taef2_decoder.safetensors: not a whole safetensors file"):
        load_codec(tmp_path)


@pytest.mark.skipif(not (DATA / "taef2").is_dir(), reason="needs MOV_AI_DATA with taef2 and real_clips")
def test_natural_clips_come_back_and_latents_are_standardised() -> None:
    """One frame a clip; the figures are of sixteen."""
    codec, figures, latents = load_codec(DATA / "taef2"), [], []
    assert isinstance(codec, TAEF2)
    assert values_sha256(codec) == VALUES_SHA256
    for name in CLIPS:
        video = natural_clip(DATA, name, 1)
        with torch.no_grad():
            latents.append(codec.encode(video))
            error = (codec.decode(latents[-1]).clamp(-1, 1) - video).square().mean().item() / 4
        figures.append(-10 * np.log10(error))
    assert figures == pytest.approx([35.1, 34.8, 35.9, 31.0], abs=0.6)
    spread = torch.cat(latents)
    assert abs(spread.mean().item()) < 0.15
    assert 0.85 < spread.std().item() < 1.2
