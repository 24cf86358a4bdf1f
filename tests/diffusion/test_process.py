"""The noise process: noising, scales, and every prediction's way back to clean latents."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from mov_ai.diffusion.process import PREDICTIONS, add_noise, input_scale, mixed_noise, output_scale, to_clean

SIGMAS = torch.tensor([0.02, 0.1, 0.37, 0.5, 0.8, 0.97])


def _pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shape = (len(SIGMAS), 3, 2, 4, 4)
    return torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)


def _target(prediction: str, clean: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """What a perfect network outputs, from the definitions."""
    s = sigma.view(-1, 1, 1, 1, 1)
    if prediction == "preconditioned":
        # (x_0 - c_skip x_t) / c_out, c_skip = cov(x_0, x_t) / var(x_t) and c_out the deviation that is left.
        variance = (1 - s) ** 2 + s**2
        noisy = (1 - s) * clean + s * noise
        return (clean - (1 - s) / variance * noisy) / (1 - (1 - s) ** 2 / variance).sqrt()
    return {"velocity": noise - clean, "epsilon": noise, "sample": clean}[prediction]


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_a_perfect_output_gives_the_clean_latents(prediction: str) -> None:
    clean, noise = _pair()
    noisy = add_noise(clean, noise, SIGMAS)
    found = to_clean(_target(prediction, clean, noise, SIGMAS), noisy, SIGMAS, prediction)
    assert_close(found, clean, atol=2e-4, rtol=1e-3)


def test_preconditioned_targets_have_unit_variance_at_every_level() -> None:
    generator = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(1, 1, 1, 200, 200, generator=generator) for _ in range(2))
    for sigma in SIGMAS:
        target = _target("preconditioned", clean, noise, sigma[None])
        assert target.std().item() == pytest.approx(1, abs=0.02)
        noisy = add_noise(clean, noise, sigma[None])
        assert (noisy * input_scale(sigma[None])).std().item() == pytest.approx(1, abs=0.02)
        # With an output of nothing, what is left is the error of the best linear guess.
        left = (to_clean(torch.zeros_like(noisy), noisy, sigma[None], "preconditioned") - clean).std().item()
        assert left == pytest.approx(output_scale(sigma).item(), abs=0.02)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_pure_noise_is_finite(prediction: str) -> None:
    clean, noise = _pair()
    assert to_clean(clean, noise, torch.ones(len(SIGMAS)), prediction).isfinite().all()


def test_another_prediction_is_refused() -> None:
    clean, noise = _pair()
    with pytest.raises(ValueError, match=r"expected one of preconditioned, .*found .flow."):
        to_clean(clean, noise, SIGMAS, "flow")


def test_the_ends_are_data_and_noise() -> None:
    clean, noise = _pair()
    assert torch.equal(add_noise(clean, noise, torch.zeros(len(SIGMAS))), clean)
    assert torch.equal(add_noise(clean, noise, torch.ones(len(SIGMAS))), noise)


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 1))
def test_frames_share_as_much_noise_as_asked(shared: float) -> None:
    noise = mixed_noise((1, 2, 4, 64, 64), shared, torch.Generator().manual_seed(0))
    assert noise.std().item() == pytest.approx(1, abs=0.03)
    first, second = noise[0].flatten(1)
    assert (first * second).mean().item() == pytest.approx(shared, abs=0.04)


def test_noise_depends_on_its_generator_only() -> None:
    made = [mixed_noise((2, 3, 1, 4, 4), 0.5, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])
    assert not torch.equal(made[0][0], made[0][1])
