"""Given frames: kept exactly, at every noise level on the way, and the others hear of them; noise by frame number."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from mov_ai.diffusion.known import KnownFrames
from mov_ai.diffusion.process import add_noise, mixed_noise, noise_from_frame
from mov_ai.diffusion.sampling import sample


def _random(frames: int, seed: int = 0) -> Tensor:
    return torch.randn(2, frames, 3, 4, 4, generator=torch.Generator().manual_seed(seed))


def _blurred(noisy: Tensor, sigma: Tensor) -> Tensor:
    """A denoiser to which frames matter to one another."""
    return (noisy + noisy.mean(1, keepdim=True)).tanh() * (1 - 0.3 * sigma.view(-1, 1, 1, 1, 1))


def test_given_frames_come_out_exactly_and_the_others_hear_of_them() -> None:
    noise, known = _random(5), KnownFrames((0, 3), _random(2, seed=1))
    free = sample(_blurred, noise, 4)
    held = sample(_blurred, noise, 4, known=known.at(noise))
    assert torch.equal(held[:, [0, 3]], known.latents)
    assert (held[:, [1, 2, 4]] - free[:, [1, 2, 4]]).abs().max() > 1e-2


def test_on_the_way_given_frames_have_the_noise_level_that_is_reached() -> None:
    noise, known = _random(5), KnownFrames((1,), _random(1, seed=1))
    seen: list[tuple[float, Tensor]] = []

    def denoise(noisy: Tensor, sigma: Tensor) -> Tensor:
        seen.append((float(sigma[0]), noisy[:, 1:2].clone()))
        return noisy * 0

    sample(denoise, noise, 3, shift=2.0, known=known.at(noise))
    assert [level for level, _ in seen] == sorted({level for level, _ in seen}, reverse=True)
    for level, frame in seen:
        assert_close(frame, add_noise(known.latents, noise[:, 1:2], torch.full((2,), level)))


@pytest.mark.parametrize(
    ("places", "count", "said"),
    [((0, 1), 1, "expected latents"), ((1, 0), 2, "ascending"), ((1, 1), 2, "ascending"), ((-1,), 1, "from 0")],
)
def test_given_frames_that_are_none_are_refused(places: tuple[int, ...], count: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        KnownFrames(places, _random(count))


def test_given_frames_of_another_video_are_refused() -> None:
    with pytest.raises(ValueError, match="are not of latents"):
        KnownFrames((5,), _random(1)).put(_random(5))
    with pytest.raises(ValueError, match="are not of latents"):
        KnownFrames((0,), _random(1)[..., :2]).put(_random(5))


def test_the_first_window_has_the_noise_of_a_short_video() -> None:
    shape = (1, 6, 2, 3, 3)
    assert torch.equal(noise_from_frame(shape, 0.5, 7), mixed_noise(shape, 0.5, torch.Generator().manual_seed(7)))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 40), st.integers(0, 5), st.sampled_from([0.0, 0.5, 1.0]))
def test_a_frame_has_the_same_noise_in_every_window(first: int, step: int, shared: float) -> None:
    shape = (1, 6, 2, 2, 2)
    here, there = (noise_from_frame(shape, shared, 3, start) for start in (first, first + step))
    assert torch.equal(here[:, step:], there[:, : 6 - step])
    # And another one than any other frame, but for what all share.
    if shared < 1:
        assert (here[:, :1] - here[:, 1:]).abs().amax((0, 2, 3, 4)).min() > 1e-3


def test_noise_of_later_frames_is_unit_noise_with_the_part_that_is_shared() -> None:
    noise = torch.cat([noise_from_frame((1, 16, 8, 16, 16), 0.5, 0, 16 * block) for block in range(3)], 1)[0]
    assert noise.std() == pytest.approx(1, abs=0.05)
    flat = noise.flatten(1)
    assert torch.corrcoef(flat)[0, 1:].mean() == pytest.approx(0.5, abs=0.05)
