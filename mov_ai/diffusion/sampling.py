"""Sampling: from noise to clean latents along a schedule of diffusers, with two guidances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

#: (noisy latents, sigma (batch,)) -> clean latents.
Denoise = Callable[[Tensor, Tensor], Tensor]
#: Called as `callback(step, steps)` after each step, 1 ... steps.
StepCallback = Callable[[int, int], None]


@dataclass(frozen=True)
class Guidance:
    """Strength of the two guidances; 1 means none and costs nothing."""

    text: float = 1.0
    graph: float = 1.0


def guided(full: Denoise, without_text: Denoise, without_both: Denoise, guidance: Guidance) -> Denoise:
    """Classifier-free guidance (arXiv 2207.12598) by two conditions, composed as in InstructPix2Pix (arXiv 2211.09800).

    x = d(none) + graph (d(graph) - d(none)) + text (d(graph, text) - d(graph)); a strength of 1 leaves out the pass
    that it does not need.
    """
    if guidance.text == 1 and guidance.graph == 1:
        return full

    def denoise(noisy: Tensor, sigma: Tensor) -> Tensor:
        everything = full(noisy, sigma)
        graph_only = without_text(noisy, sigma) if guidance.text != 1 or guidance.graph != 1 else everything
        result = graph_only + guidance.text * (everything - graph_only)
        if guidance.graph != 1:
            result = result + (guidance.graph - 1) * (graph_only - without_both(noisy, sigma))
        return result

    return denoise


def sample(
    denoise: Denoise,
    noisy: Tensor,
    steps: int,
    start: float = 1.0,
    shift: float = 1.0,
    callback: StepCallback | None = None,
) -> Tensor:
    """Follow the rectified flow from `start` to clean latents with diffusers' Euler scheduler.

    Args:
        denoise: gives clean latents.
        noisy: (batch, ...) latents at noise level `start`, as `process.add_noise`.
        steps: network evaluations, at least 1.
        start: noise level to begin at, in (0, 1].
        shift: timestep shift of Stable Diffusion 3 (arXiv 2403.03206); above 1 spends more steps at high noise.
    """
    if steps < 1 or not 0 < start <= 1:
        raise ValueError(f"sample: expected steps >= 1 and 0 < start <= 1, got steps={steps}, start={start}")
    from diffusers import FlowMatchEulerDiscreteScheduler

    # The shift is applied here, above `start`, so that the first level is exactly `start`.
    level = torch.linspace(1.0, 1.0 / steps, steps)
    level = start * shift * level / (1 + (shift - 1) * level)
    scheduler: Any = FlowMatchEulerDiscreteScheduler(shift=1.0)
    scheduler.set_timesteps(sigmas=level.tolist(), device=noisy.device)
    latents = noisy
    for i, timestep in enumerate(scheduler.timesteps):
        sigma = scheduler.sigmas[i].to(latents)
        clean = denoise(latents, sigma.expand(latents.shape[0]))
        latents = scheduler.step((latents - clean) / sigma, timestep, latents, return_dict=False)[0]
        if callback is not None:
            callback(i + 1, steps)
    return latents
