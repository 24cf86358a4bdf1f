from __future__ import annotations

import pytest
import torch

from mov_ai.diffusion.cosine import follow, levels, perturb, velocity


def test_the_schedule_goes_from_clean_to_noise_and_keeps_the_variance() -> None:
    time = torch.linspace(0, 1, 9)
    alpha, sigma = levels(time, torch.zeros(9, 2, 2))
    assert alpha.shape == (9, 1, 1)
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(alpha))
    assert (alpha[0], sigma[0], alpha[-1], sigma[-1]) == (1, 0, 0, 1)


def test_the_true_velocity_leads_from_noise_to_the_clean_values() -> None:
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 2, 3, 4, generator=generator)

    def true(x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        torch.testing.assert_close(x, perturb(clean, noise, time), atol=1e-5, rtol=1e-4)
        return velocity(clean, noise, time)

    for steps in (1, 5):
        torch.testing.assert_close(follow(true, noise, steps), clean, atol=1e-5, rtol=1e-4)


def test_no_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="steps >= 1"):
        follow(lambda x, _: x, torch.zeros(1, 2), 0)
