"""Autoencoders of diffusers, tiny and random, saved as diffusers saves them and loaded by path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.testing import assert_close

from mov_ai.errors import MovAIError, UsageError
from mov_ai.models.codec_registry import load_codec, save_codec
from mov_ai.models.diffusers_codec import KINDS, DiffusersCodec
from mov_ai.models.diffusers_files import WEIGHTS_FILE

DOWN, UP = "DownEncoderBlock2D", "UpDecoderBlock2D"
FOUR_EIGHTS = (8, 8, 8, 8)
_PER_CHANNEL = {"latents_mean": [0.1, 0.2, 0.3, 0.4], "latents_std": [1.0, 2.0, 3.0, 4.0]}
_WAN = {"base_dim": 4, "z_dim": 4, "dim_mult": [1, 1, 1, 1], "num_res_blocks": 1, **_PER_CHANNEL}
#: Class -> settings that make it small, pixels a cell, frames a latent frame. Four latent channels each.
SMALL: dict[str, tuple[dict[str, Any], int, int]] = {
    "AutoencoderKL": (
        {
            "down_block_types": (DOWN,) * 3,
            "up_block_types": (UP,) * 3,
            "block_out_channels": (4, 8, 8),
            "norm_num_groups": 4,
            "shift_factor": 0.1,
            "scaling_factor": 0.5,
        },
        4,
        1,
    ),
    "AsymmetricAutoencoderKL": (
        {
            "down_block_types": (DOWN,) * 2,
            "down_block_out_channels": (4, 8),
            "up_block_types": (UP,) * 2,
            "up_block_out_channels": (4, 8),
            "norm_num_groups": 4,
        },
        2,
        1,
    ),
    "AutoencoderTiny": (
        {
            "encoder_block_out_channels": (4,) * 4,
            "decoder_block_out_channels": (4,) * 4,
            "num_encoder_blocks": (1,) * 4,
            "num_decoder_blocks": (1,) * 4,
        },
        8,
        1,
    ),
    "AutoencoderDC": (
        {
            "latent_channels": 4,
            "encoder_block_out_channels": (8,) * 3,
            "decoder_block_out_channels": (8,) * 3,
            "encoder_layers_per_block": (1,) * 3,
            "decoder_layers_per_block": (1,) * 3,
            "encoder_qkv_multiscales": ((),) * 3,
            "decoder_qkv_multiscales": ((),) * 3,
            "scaling_factor": 0.4,
        },
        4,
        1,
    ),
    "AutoencoderKLFlux2": (
        {
            "down_block_types": (DOWN,) * 2,
            "up_block_types": (UP,) * 2,
            "block_out_channels": (4, 8),
            "layers_per_block": 1,
            "latent_channels": 4,
            "norm_num_groups": 4,
        },
        2,
        1,
    ),
    "AutoencoderKLTemporalDecoder": ({"down_block_types": (DOWN,) * 2, "block_out_channels": (32, 32)}, 2, 1),
    "AutoencoderKLWan": (_WAN, 8, 4),
    "AutoencoderKLQwenImage": (_WAN, 8, 4),
    "AutoencoderKLCogVideoX": (
        {
            "down_block_types": ("CogVideoXDownBlock3D",) * 4,
            "up_block_types": ("CogVideoXUpBlock3D",) * 4,
            "block_out_channels": (4,) * 4,
            "latent_channels": 4,
            "layers_per_block": 1,
            "norm_num_groups": 2,
        },
        8,
        4,
    ),
    "AutoencoderKLHunyuanVideo": (
        {"latent_channels": 4, "block_out_channels": (4,) * 4, "layers_per_block": 1, "norm_num_groups": 2},
        8,
        4,
    ),
    "AutoencoderKLHunyuanVideo15": (
        {"latent_channels": 4, "block_out_channels": (8,) * 5, "layers_per_block": 1},
        16,
        4,
    ),
    "AutoencoderKLLTXVideo": (
        {
            "latent_channels": 4,
            "block_out_channels": FOUR_EIGHTS,
            "decoder_block_out_channels": FOUR_EIGHTS,
            "layers_per_block": (1,) * 5,
            "decoder_layers_per_block": (1,) * 5,
        },
        32,
        8,
    ),
    "AutoencoderKLLTX2Video": (
        {
            "latent_channels": 4,
            "block_out_channels": FOUR_EIGHTS,
            "decoder_block_out_channels": (8, 16, 32),
            "layers_per_block": (1,) * 5,
            "decoder_layers_per_block": (1,) * 4,
            "spatial_compression_ratio": 32,
            "temporal_compression_ratio": 8,
        },
        32,
        8,
    ),
    "AutoencoderKLMochi": (
        {
            "latent_channels": 4,
            "encoder_block_out_channels": (32,) * 4,
            "decoder_block_out_channels": (32,) * 4,
            "layers_per_block": (1,) * 5,
            **_PER_CHANNEL,
        },
        8,
        6,
    ),
    "AutoencoderKLCosmos": (
        {
            "latent_channels": 4,
            "encoder_block_out_channels": FOUR_EIGHTS,
            "decode_block_out_channels": FOUR_EIGHTS,
            "attention_resolutions": (8,),
            "resolution": 64,
            "num_layers": 1,
            **_PER_CHANNEL,
        },
        8,
        8,
    ),
    "AutoencoderKLMagvit": (
        {"latent_channels": 4, "block_out_channels": FOUR_EIGHTS, "layers_per_block": 1, "norm_num_groups": 2},
        8,
        4,
    ),
}


def small_model(name: str, **changes: Any) -> Any:
    import diffusers

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return getattr(diffusers, name)(**{**SMALL[name][0], **changes}).eval()


def saved(folder: Path, name: str = "AutoencoderKL", **changes: Any) -> Path:
    """A folder as diffusers writes it."""
    small_model(name, **changes).save_pretrained(folder)
    return folder


def _video(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_every_class_that_is_loaded_is_tested() -> None:
    assert set(SMALL) == set(KINDS)


@pytest.mark.parametrize("name", SMALL)
def test_any_autoencoder_is_a_codec_by_its_folder(name: str, tmp_path: Path) -> None:
    _, factor, frame_factor = SMALL[name]
    codec = load_codec(saved(tmp_path / "its", name))
    assert isinstance(codec, DiffusersCodec)
    assert (codec.config.latent_channels, codec.factor, codec.frame_factor) == (4, factor, frame_factor)
    # One frame; a length that fits; one that does not.
    for frames, latent_frames in ((1, 1), (2 * frame_factor + 1, 3), (frame_factor + 2, 3)):
        video = _video(1, frames, 3, 2 * factor, 3 * factor)
        with torch.no_grad():
            latents = codec.encode(video)
            assert codec.latent_frames(frames) == latent_frames
            assert latents.shape == (1, latent_frames, 4, 2, 3)
            assert codec.decode(latents, frames).shape == video.shape
            assert codec.decode(latents).shape[1] == codec.whole_frames(latent_frames) >= frames
    save_codec(codec, tmp_path / "again")
    again = load_codec(tmp_path / "again")
    assert again.config == codec.config
    with torch.no_grad():
        assert torch.equal(again.encode(video), latents)


@pytest.mark.parametrize(
    ("name", "mean", "std"),
    [
        ("AutoencoderKL", [0.1] * 4, [2.0] * 4),
        ("AutoencoderTiny", [0.0] * 4, [1.0] * 4),
        ("AutoencoderKLWan", [0.1, 0.2, 0.3, 0.4], [1.0, 2.0, 3.0, 4.0]),
    ],
)
def test_latents_are_scaled_and_shifted_as_the_config_says(name: str, mean: list[float], std: list[float]) -> None:
    model = small_model(name)
    codec, video = DiffusersCodec(model), _video(1, 1, 3, 16, 16)
    with torch.no_grad():
        output = model.encode(video.transpose(1, 2) if KINDS[name].video else video[0])
        raw = output.latents if name == "AutoencoderTiny" else output.latent_dist.mode()
        raw = raw.reshape(1, 1, 4, *raw.shape[-2:])
        expected = (raw - torch.tensor(mean).view(4, 1, 1)) / torch.tensor(std).view(4, 1, 1)
        latents = codec.encode(video)
        assert_close(latents, expected)
        decoded = model.decode(raw[0] if not KINDS[name].video else raw.transpose(1, 2)).sample
        assert_close(codec.decode(latents).flatten(), decoded.flatten(), atol=1e-4, rtol=1e-4)


def test_statistics_that_are_stored_with_the_weights_are_used() -> None:
    model = small_model("AutoencoderKLLTXVideo", scaling_factor=0.5)
    model.latents_mean.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert DiffusersCodec(model).config.mean == (1.0, 2.0, 3.0, 4.0)
    assert DiffusersCodec(model).config.std == (2.0,) * 4
    flux = small_model("AutoencoderKLFlux2", batch_norm_eps=0.0)
    flux.bn.running_mean.copy_(torch.arange(16.0))
    flux.bn.running_var.fill_(4.0)
    assert DiffusersCodec(flux).config.mean == (1.5, 5.5, 9.5, 13.5)
    assert DiffusersCodec(flux).config.std == (2.0,) * 4


def test_a_whole_pipeline_of_diffusers_holds_its_codec(tmp_path: Path) -> None:
    saved(tmp_path / "vae")
    (tmp_path / "model_index.json").write_text("{}")
    assert load_codec(tmp_path).factor == 4


def change_config(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def only_a_pickle(folder: Path) -> None:
    (folder / WEIGHTS_FILE).rename(folder / "diffusion_pytorch_model.bin")


def without_a_tensor(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS_FILE)
    del tensors["encoder.conv_in.weight"]
    save_file(tensors, folder / WEIGHTS_FILE, {"format": "pt"})


@pytest.mark.parametrize(
    ("spoil", "kind", "words"),
    [
        (lambda folder: change_config(folder, _class_name="UNet2DModel"), UsageError, "expected one of AutoencoderKL"),
        (lambda folder: change_config(folder, _class_name="os.system"), UsageError, "found 'os.system'"),
        (only_a_pickle, UsageError, "pickles are never loaded"),
        (lambda folder: (folder / WEIGHTS_FILE).write_bytes(b"cut short"), MovAIError, "weights cannot be read"),
        (without_a_tensor, MovAIError, "missing tensors"),
        (
            lambda folder: change_config(folder, block_out_channels=[4, 8, 16]),
            MovAIError,
            "do not fit .* expected shape",
        ),
        (lambda folder: change_config(folder, act_fn="nothing"), UsageError, "no AutoencoderKL can be built"),
    ],
)
def test_what_is_no_such_codec_is_refused_in_one_line(spoil, kind, words, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    spoil(saved(tmp_path / "codec"))
    with pytest.raises(kind, match=words) as caught:
        load_codec(tmp_path / "codec")
    assert "\n" not in str(caught.value)


def test_a_config_that_promises_another_compression_is_noticed() -> None:
    codec = DiffusersCodec(small_model("AutoencoderKLWan", scale_factor_spatial=4))
    with torch.no_grad(), pytest.raises(MovAIError, match=r"promises latents of \(1, 1, 4, 4, 4\), found"):
        codec.encode(_video(1, 1, 3, 16, 16))
