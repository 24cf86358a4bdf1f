"""The codec: shapes, standardised latents, what the decoder sees, and how well the embedded weights do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

import mov_ai
from mov_ai.models.codec import CodecConfig, VideoCodec, to_bytes, to_unit
from mov_ai.models.component import load_component
from mov_ai.worlds.tabletop.render import render
from mov_ai.worlds.tabletop.scene import sample_scene, split_seed

EMBEDDED = Path(mov_ai.__file__).parent / "assets" / "tiny" / "codec"


def small_codec(seed: int = 0) -> VideoCodec:
    """A codec with random weights that all matter."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        codec = VideoCodec(CodecConfig(4, (12, 8, 8), (1, 1, 1), (0.1, 0.2, 0.3, 0.4), (1.0, 2.0, 0.5, 1.5))).eval()
        for parameter in codec.parameters():
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.2)
    return codec


def _video(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize(("frames", "height", "width"), [(1, 8, 8), (4, 32, 48), (3, 64, 16)])
def test_latents_are_an_eighth_and_frames_come_back_whole(frames: int, height: int, width: int) -> None:
    codec = small_codec()
    video = _video(2, frames, 3, height, width)
    latents = codec.encode(video)
    assert latents.shape == (2, frames, 4, height // 8, width // 8)
    assert codec.decode(latents).shape == video.shape
    reconstruction, before_noise = codec(video, torch.zeros_like(latents))
    assert torch.equal(before_noise, latents)
    assert_close(reconstruction, codec.decode(latents))


def test_sizes_that_are_no_multiple_of_eight_are_refused() -> None:
    with pytest.raises(ValueError, match=r"multiples of 8, got \(1, 1, 3, 12, 16\)"):
        small_codec().encode(_video(1, 1, 3, 12, 16))


def test_statistics_must_fit_the_channels() -> None:
    with pytest.raises(ValueError, match="expected 4 means and deviations, got 8 and 8"):
        CodecConfig(latent_channels=4)


def test_lists_of_a_configuration_file_become_tuples() -> None:
    assert CodecConfig(widths=[128, 64, 32], mean=[0.0] * 8) == CodecConfig()  # type: ignore[arg-type]


def test_standardising_changes_the_latents_and_not_the_reconstruction() -> None:
    codec, video = small_codec(), _video(2, 3, 3, 32, 32)
    with torch.no_grad():
        before = codec(video)[0]
        for _ in range(2):
            latents = codec.encode(video)
            codec.standardise(latents.mean((0, 1, 3, 4)), latents.std((0, 1, 3, 4)))
            again = codec.encode(video)
            assert_close(again.mean((0, 1, 3, 4)), torch.zeros(4), atol=1e-4, rtol=0)
            assert_close(again.std((0, 1, 3, 4)), torch.ones(4), atol=1e-4, rtol=0)
            assert_close(codec(video)[0], before, atol=1e-4, rtol=1e-4)
        # The statistics live in the config, so that a copy made from it is the same codec.
        copy = VideoCodec(codec.config).eval()
        copy.load_state_dict(codec.state_dict())
        assert_close(copy.encode(video), again, atol=1e-5, rtol=1e-4)


def test_the_encoder_sees_single_frames_and_the_decoder_their_neighbours() -> None:
    codec, video = small_codec(), _video(1, 9, 3, 16, 16)
    other = video.clone()
    other[:, 4] *= -1
    with torch.no_grad():
        latents, changed = codec.encode(video), codec.encode(other)
        moved = (latents - changed).abs().amax((0, 2, 3, 4)) > 0
        assert moved.tolist() == [frame == 4 for frame in range(9)]
        difference = (codec.decode(latents) - codec.decode(changed)).abs().amax((0, 2, 3, 4))
    # Two looks, one frame each way.
    assert (difference > 1e-6).tolist() == [2 <= frame <= 6 for frame in range(9)]


def test_videos_of_a_batch_do_not_mix() -> None:
    codec, video = small_codec(), _video(2, 3, 3, 16, 16)
    with torch.no_grad():
        assert_close(codec(video)[0][:1], codec(video[:1])[0], atol=1e-5, rtol=1e-4)


def test_bytes_survive_the_way_through_floats() -> None:
    frames = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1).expand(-1, -1, -1, 3)
    video = to_unit(frames)
    assert video.shape == (1, 3, 16, 16)
    assert (video.min(), video.max()) == (-1, 1)
    assert torch.equal(to_bytes(video), frames)
    assert to_bytes(torch.tensor([-9.0, 9.0, 0.0]).view(3, 1, 1)).flatten().tolist() == [0, 255, 128]


def test_the_embedded_codec_reaches_30_db_on_validation_clips() -> None:
    codec = load_component(VideoCodec, CodecConfig, EMBEDDED)
    figures, latents = [], []
    for seed in range(4):
        video = to_unit(render(sample_scene(split_seed("validation", seed)), 128, 128)[0])[None]
        with torch.no_grad():
            latents.append(codec.encode(video))
            error = (codec.decode(latents[-1]).clamp(-1, 1) - video).square().mean().item() / 4
        figures.append(-10 * np.log10(error))
    assert np.mean(figures) >= 30, figures
    # Standardised on training clips, so about unit variance here.
    spread = torch.cat(latents).std((0, 1, 3, 4))
    assert spread.min() > 0.5
    assert spread.max() < 2
