"""Temporal decoders: the paper's numbers of parameters, an unchanged start, frozen weights, what looks over time."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor
from torch.testing import assert_close

from mov_ai.errors import UsageError
from mov_ai.hydra_entry import build, choices, config_directory
from mov_ai.models.codec_registry import load_codec, save_codec
from mov_ai.models.convolution import over_time
from mov_ai.models.diffusers_codec import DiffusersCodec
from mov_ai.models.presets import parameters
from mov_ai.models.temporal_codec import TemporalCodec
from mov_ai.models.temporal_decoder import TemporalDecoder, TemporalDecoderConfig, TemporalParts, decoder_of
from mov_ai.training.clip_encoder import codec_identity
from tests.models.test_codec import small_codec

#: File in conf/decoder -> million parameters in FusionFrames' Table 3, whose encoder is not counted.
MILLION = {
    "image": 161.1,
    "conv3x1x1_temporal": 203.2,
    "conv3x3x3_temporal": 539.8,
    "conv3x1x1": 203.2,
    "conv3x3x3": 539.8,
    "conv3x1x1_attention": 220.1,
    "conv3x3x3_attention": 556.6,
    "resnet_attention": 220.3,
    "inflated": 419.5,
}
FRAMES = 3


def option(name: str) -> tuple[TemporalParts, str]:
    """What a file of conf/decoder says: the parts, and what is trained."""
    settings = OmegaConf.load(config_directory() / "decoder" / f"{name}.yaml")
    return build(settings.parts, "parts"), settings.tuned


def small(parts: TemporalParts | None = None, seed: int = 0, **changes: Any) -> TemporalDecoder:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        sizes: dict[str, Any] = {"latent_channels": 4, "widths": (32, 32, 32, 32), "layers": 1}
        return TemporalDecoder(TemporalDecoderConfig(**{**sizes, **changes}, parts=parts or TemporalParts()))


def latents(seed: int = 0, frames: int = FRAMES) -> Tensor:
    return torch.randn(2, frames, 4, 2, 2, generator=torch.Generator().manual_seed(seed))


def digest(tensors: dict[str, Tensor]) -> str:
    return hashlib.sha256(b"".join(tensors[name].numpy().tobytes() for name in sorted(tensors))).hexdigest()


def steps(decoder: TemporalDecoder, count: int = 3) -> None:
    """Some steps of training, as the loop does them."""
    optimizer = torch.optim.AdamW([p for p in decoder.parameters() if p.requires_grad], 1e-2)
    target = torch.linspace(-1, 1, 16)
    for _ in range(count):
        optimizer.zero_grad()
        (decoder(latents()) - target).square().mean().backward()
        optimizer.step()


def test_every_option_is_one_of_the_papers() -> None:
    assert set(choices(config_directory(), "decoder")) == set(MILLION)


@pytest.mark.parametrize("name", MILLION)
def test_the_papers_sizes_have_the_papers_parameters(name: str) -> None:
    with torch.device("meta"):
        decoder = TemporalDecoder(TemporalDecoderConfig(parts=option(name)[0]))
    assert round(parameters(decoder) / 1e6, 1) == MILLION[name]


@pytest.mark.parametrize("name", [name for name in MILLION if name != "image"])
def test_at_first_every_frame_is_the_image_decoders(name: str) -> None:
    image, decoder = small(), small(option(name)[0], seed=1)
    decoder.start_from(image)
    given = latents()
    with torch.no_grad():
        alone = torch.cat([image(given[:, [i]]) for i in range(FRAMES)], 1)
        video = decoder(given)
    assert video.shape == (2, FRAMES, 3, 16, 16)
    if name == "inflated":
        assert_close(video, alone, atol=1e-5, rtol=1e-5)
    else:
        assert torch.equal(video, image(given))
        assert_close(video, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["conv3x1x1_temporal", "conv3x3x3_temporal"])
def test_what_is_frozen_stays_and_all_that_was_added_learns(name: str) -> None:
    decoder = small(option(name)[0])
    decoder.freeze_image()
    image = {k: v for k, v in decoder.state_dict().items() if not k.startswith("temporal.")}
    before = digest(image)
    steps(decoder)
    assert digest({k: v for k, v in decoder.state_dict().items() if k in image}) == before
    for parameter_name, parameter in decoder.named_parameters():
        if parameter_name.startswith("temporal."):
            assert parameter.grad is not None, parameter_name
            assert parameter.grad.any(), parameter_name
        else:
            assert parameter.grad is None, parameter_name


@pytest.mark.parametrize("name", ["resnet_attention", "inflated"])
def test_every_weight_of_a_tuned_decoder_has_a_gradient_and_sees_other_frames(name: str) -> None:
    decoder = small(option(name)[0])
    steps(decoder)
    idle = [
        name for name, parameter in decoder.named_parameters() if parameter.grad is None or not parameter.grad.any()
    ]
    # What is added to all keys alike changes no attention; what is left of its gradient is rounding, or nothing.
    assert not [name for name in idle if not name.endswith("to_k.bias")]
    given, changed = latents(), latents()
    changed[:, 2] += 1
    with torch.no_grad():
        difference = (decoder(given) - decoder(changed))[:, 0].abs().max()
    assert difference > 1e-4


def test_the_image_decoder_sees_single_frames() -> None:
    decoder = small()
    steps(decoder)
    given, changed = latents(), latents()
    changed[:, 2] += 1
    with torch.no_grad():
        assert torch.equal(decoder(given)[:, :2], decoder(changed)[:, :2])


@pytest.mark.parametrize("kernel", [(3, 1, 1), (3, 3, 3), (5, 3, 3), (1, 3, 3)])
@pytest.mark.parametrize("frames", [1, 2, 6])
def test_convolutions_over_time_are_those_of_torch(kernel: tuple[int, int, int], frames: int) -> None:
    generator = torch.Generator().manual_seed(0)
    convolution = torch.nn.Conv3d(3, 5, kernel, padding=(kernel[0] // 2, kernel[1] // 2, kernel[2] // 2))
    x = torch.randn(2 * frames, 3, 4, 6, generator=generator, requires_grad=True)
    own = over_time(x, convolution, frames)
    expected = convolution(x.unflatten(0, (2, frames)).transpose(1, 2)).transpose(1, 2).flatten(0, 1)
    assert_close(own, expected, atol=1e-5, rtol=1e-5)
    gradients = [torch.autograd.grad(y.square().sum(), [x, *convolution.parameters()]) for y in (own, expected)]
    for one, other in zip(*gradients, strict=True):
        assert_close(one, other, atol=1e-3, rtol=1e-4)


def test_group_norms_serve_as_well() -> None:
    image, decoder = small(norm="group"), small(option("resnet_attention")[0], seed=1, norm="group")
    decoder.start_from(image)
    with torch.no_grad():
        assert torch.equal(decoder(latents()), image(latents()))


@pytest.mark.parametrize("post_quant", [True, False])
def test_the_decoder_of_an_image_autoencoder_becomes_one_over_time(post_quant: bool) -> None:
    from diffusers import AutoencoderKL

    def autoencoder(**changes: Any) -> DiffusersCodec:
        torch.manual_seed(0)
        sizes: dict[str, Any] = {"block_out_channels": (32, 32), "layers_per_block": 1, "scaling_factor": 0.3}
        blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
        model: Any = AutoencoderKL(**{**sizes, **blocks, "shift_factor": 0.2, **changes})
        return DiffusersCodec(model.eval())

    codec = autoencoder(use_post_quant_conv=post_quant)
    decoder = TemporalDecoder(replace(decoder_of(codec).config, parts=option("conv3x1x1")[0]))
    decoder.start_from(decoder_of(codec))
    given = latents()
    with torch.no_grad():
        assert_close(TemporalCodec(decoder, codec).decode(given), codec.decode(given), atol=1e-4, rtol=1e-4)
    with pytest.raises(UsageError, match=r"as Stable Diffusion's, .* norms of 16 groups"):
        decoder_of(autoencoder(norm_num_groups=16))
    with pytest.raises(UsageError, match="expected a codec that is an AutoencoderKL of diffusers; found VideoCodec"):
        decoder_of(small_codec())


def test_a_codec_with_the_decoder_is_saved_and_read_and_keeps_its_latents(tmp_path: Path) -> None:
    encoder, decoder = small_codec(), small(option("conv3x1x1")[0])
    steps(decoder)
    codec = TemporalCodec(decoder.half().float(), encoder.half().float()).eval()
    save_codec(encoder, tmp_path / "encoder")
    save_codec(codec, tmp_path / "codec")
    loaded = load_codec(tmp_path / "codec")
    assert isinstance(loaded, TemporalCodec)
    video = torch.rand(1, 4, 3, 16, 24) * 2 - 1
    with torch.no_grad():
        assert torch.equal(loaded.encode(video), load_codec(tmp_path / "encoder").encode(video))
        found = loaded.encode(video)
        assert_close(loaded.decode(found), codec.decode(found), atol=1e-5, rtol=1e-4)
    assert loaded.decode(found).shape == video.shape
    # Latents that were prepared with the one are those of the other.
    assert codec_identity(str(tmp_path / "codec"))["sha256"] == codec_identity(str(tmp_path / "encoder"))["sha256"]
    (tmp_path / "codec" / "encoder").rename(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="expected a folder encoder with the codec whose latents the decoder takes"):
        load_codec(tmp_path / "codec")


def test_what_does_not_fit_is_one_clear_line() -> None:
    with pytest.raises(UsageError, match=r"expected a codec of 8 channels, cells of 8 pixels .* found 4, 8 and one"):
        TemporalCodec(small(latent_channels=8), small_codec())
    with pytest.raises(UsageError, match=r"none: adds nothing .* \(tuned: decoder\)"):
        small().freeze_image()
    with pytest.raises(UsageError, match="inflated: adds nothing"):
        small(TemporalParts("inflated")).freeze_image()
    with pytest.raises(UsageError, match="start: expected an image decoder of"):
        small(option("conv3x1x1")[0]).start_from(small(layers=2))
    for settings, message in (
        ({"widths": (32, 48)}, "widths: expected multiples of 32"),
        ({"norm": "layer"}, "norm: expected one of spatial, group"),
    ):
        with pytest.raises(ValueError, match=message):
            TemporalDecoderConfig(**settings)
    for arguments, message in ((("other",), "kind: expected one of"), (("resnet", (2, 1, 1)), "three odd numbers")):
        with pytest.raises(ValueError, match=message):
            TemporalParts(*arguments)
