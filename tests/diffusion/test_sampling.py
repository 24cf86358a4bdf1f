"""Sampling: schedules, exact denoisers, a plain Euler loop as reference, and the two guidances."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from mov_ai.diffusion.process import PREDICTIONS, add_noise, to_clean
from mov_ai.diffusion.sampling import Denoise, DenoiseEach, Guidance, guided, sample


def _noise(seed: int = 0) -> Tensor:
    return torch.randn(2, 3, 2, 4, 4, generator=torch.Generator().manual_seed(seed))


def _levels(steps: int, start: float, shift: float) -> list[Tensor]:
    """The noise levels at which the denoiser is asked, each (batch,)."""
    seen: list[Tensor] = []

    def denoise(noisy: Tensor, sigma: Tensor) -> Tensor:
        seen.append(sigma.clone())
        return noisy * 0

    sample(denoise, _noise(), steps, start, shift)
    return seen


def _contracting(noisy: Tensor, sigma: Tensor) -> Tensor:
    """A denoiser that is not exact, so that the path matters."""
    return (noisy * (0.9 - 0.5 * sigma.view(-1, 1, 1, 1, 1))).tanh()


def _euler(denoise: Denoise, x: Tensor, levels: list[float]) -> Tensor:
    """The plain loop: x += (next - level) (x - clean) / level, ending at 0."""
    for level, following in zip(levels, [*levels[1:], 0.0], strict=True):
        sigma = torch.full((len(x),), level)
        x = x + (following - level) * (x - denoise(x, sigma)) / level
    return x


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 50])
@pytest.mark.parametrize(("start", "shift"), [(1.0, 1.0), (0.6, 1.0), (0.5, 3.0)])
def test_an_exact_denoiser_reaches_the_data_in_any_number_of_steps(steps: int, start: float, shift: float) -> None:
    clean, noise = _noise(1), _noise(2)
    noisy = add_noise(clean, noise, torch.full((2,), start))
    assert_close(sample(lambda x, sigma: clean, noisy, steps, start, shift), clean, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_every_prediction_takes_the_same_path(prediction: str) -> None:
    def through(noisy: Tensor, sigma: Tensor) -> Tensor:
        clean = _contracting(noisy, sigma)
        s = sigma.view(-1, 1, 1, 1, 1)
        velocity = (noisy - clean) / s
        scale = ((1 - s) ** 2 + s**2).rsqrt()
        output = {
            "sample": clean,
            "velocity": velocity,
            "epsilon": (noisy - (1 - s).clamp(min=1e-2) * clean) / s,
            "preconditioned": (clean - (1 - s) * scale**2 * noisy) / (s * scale),
        }[prediction]
        return to_clean(output, noisy, sigma, prediction)

    assert_close(sample(through, _noise(), 6), sample(_contracting, _noise(), 6), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(("steps", "start"), [(1, 1.0), (4, 1.0), (7, 0.6), (13, 0.25)])
def test_it_is_the_plain_euler_loop(steps: int, start: float) -> None:
    levels = [start * (steps - i) / steps for i in range(steps)]
    assert_close(
        sample(_contracting, _noise(), steps, start), _euler(_contracting, _noise(), levels), atol=1e-5, rtol=1e-4
    )


def test_the_shift_is_that_of_stable_diffusion_3() -> None:
    steps, shift = 5, 3.0
    plain = [(steps - i) / steps for i in range(steps)]
    levels = [shift * t / (1 + (shift - 1) * t) for t in plain]
    assert_close(
        sample(_contracting, _noise(), steps, 1.0, shift), _euler(_contracting, _noise(), levels), atol=1e-5, rtol=1e-4
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.floats(0.05, 1), st.floats(0.5, 8))
def test_noise_levels_begin_at_the_start_and_fall(steps: int, start: float, shift: float) -> None:
    levels = _levels(steps, start, shift)
    assert len(levels) == steps
    assert all(level.shape == (2,) for level in levels)
    values = torch.stack(levels)[:, 0]
    assert values[0].item() == pytest.approx(start, abs=1e-5)
    assert (values.diff() < 0).all()
    assert values[-1] > 0


def test_each_step_is_reported_after_it_is_done() -> None:
    seen: list[tuple[int, int]] = []
    sample(_contracting, _noise(), 3, callback=lambda step, steps: seen.append((step, steps)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(("steps", "start"), [(0, 1.0), (-1, 1.0), (3, 0.0), (3, 1.1), (3, float("nan"))])
def test_steps_and_start_out_of_range_are_refused(steps: int, start: float) -> None:
    with pytest.raises(ValueError, match=f"got steps={steps}, start={start}"):
        sample(_contracting, _noise(), steps, start)


def _constants(values: tuple[float, ...], asked: list[int]) -> DenoiseEach:
    def each(noisy: Tensor, sigma: Tensor, which: tuple[int, ...]) -> list[Tensor]:
        asked.append(len(which))
        return [torch.full_like(noisy, values[number]) for number in which]

    return each


@pytest.mark.parametrize(
    ("text", "graph", "passes"),
    [(1, 1, 1), (1, 2, 3), (3, 1, 2), (2, 4, 3), (0, 1, 2), (1, 0, 3), (0, 0, 2), (2, 2, 2)],
)
def test_guidance_is_the_formula_and_saves_passes_it_does_not_need(text: float, graph: float, passes: int) -> None:
    asked: list[int] = []
    both, graph_only, none = 5.0, 3.0, 2.0
    denoise = guided(_constants((both, graph_only, none), asked), Guidance(text, graph))
    found = denoise(_noise(), torch.ones(2))
    expected = none + graph * (graph_only - none) + text * (both - graph_only)
    assert_close(found, torch.full_like(found, expected))
    assert asked == [passes]


def test_guidance_between_two_noise_levels_costs_nothing_outside_them() -> None:
    asked: list[int] = []
    denoise = guided(_constants((5.0, 3.0, 2.0), asked), Guidance(2.0, 1.0, lowest=0.25, highest=0.75))
    found = {level: denoise(_noise(), torch.full((2,), level)).mean().item() for level in (1.0, 0.75, 0.5, 0.25, 0.1)}
    assert found == pytest.approx({1.0: 5.0, 0.75: 7.0, 0.5: 7.0, 0.25: 7.0, 0.1: 5.0})
    assert asked == [1, 2, 2, 2, 1]


def test_strengths_of_one_are_no_guidance() -> None:
    plain = sample(_contracting, _noise(), 4)
    same = guided(lambda noisy, sigma, which: [_contracting(noisy, sigma)], Guidance())
    assert torch.equal(sample(same, _noise(), 4), plain)


@pytest.mark.parametrize(("steps", "start", "shift"), [(1, 1.0, 2.0), (4, 1.0, 2.0), (7, 0.6, 1.0), (50, 0.5, 3.0)])
def test_it_steps_as_the_scheduler_of_diffusers_to_the_bit(steps: int, start: float, shift: float) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler

    levels = _levels(steps, start, shift)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0)
    scheduler.set_timesteps(sigmas=[level[0].item() for level in levels])
    expected = _noise()
    for timestep, sigma in zip(scheduler.timesteps, levels, strict=True):
        velocity = (expected - _contracting(expected, sigma)) / sigma[0]
        expected = scheduler.step(velocity, timestep, expected, return_dict=False)[0]
    assert torch.equal(sample(_contracting, _noise(), steps, start, shift), expected)
