"""Sampling: from noise to clean latents along the rectified flow, with two guidances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

#: (noisy latents, sigma (batch,)) -> clean latents.
Denoise = Callable[[Tensor, Tensor], Tensor]
#: (noisy latents, sigma (batch,), which) -> clean latents by all conditions (0), without the text (1), and without text
#: and graph (2): those that are asked for, in the order asked.
DenoiseEach = Callable[[Tensor, Tensor, tuple[int, ...]], Sequence[Tensor]]
#: Called as `callback(step, steps)` after each step, 1 ... steps.
StepCallback = Callable[[int, int], None]


@dataclass(frozen=True)
class Guidance:
    """Strengths of the two guidances. A strength of 1 is none; where both are 1, guidance costs nothing.

    Attributes:
        text, graph: strengths.
        lowest, highest: noise levels between which there is guidance (arXiv 2404.07724); outside it costs nothing.
    """

    text: float = 1.0
    graph: float = 1.0
    lowest: float = 0.0
    highest: float = 1.0

    @property
    def weights(self) -> tuple[float, float, float]:
        """What clean latents by all conditions, without the text, and without text and graph count; their sum is 1."""
        return self.text, self.graph - self.text, 1 - self.graph

    @property
    def asked(self) -> tuple[int, ...]:
        """Which conditions a network is asked for at a time: all of them, and beside them those that count."""
        return (0, *(which for which in (1, 2) if self.weights[which]))


def guided(each: DenoiseEach, guidance: Guidance) -> Denoise:
    """Classifier-free guidance (arXiv 2207.12598) by two conditions, composed as in InstructPix2Pix (arXiv 2211.09800).

    x = d(none) + graph (d(graph) - d(none)) + text (d(graph, text) - d(graph)). It is computed as a weighted sum, and a
    pass that counts nothing is left out: that without the text where both strengths are the same, that without text
    and graph where the graph's is 1.
    """
    asked, weights = guidance.asked, guidance.weights

    def denoise(noisy: Tensor, sigma: Tensor) -> Tensor:
        inside = guidance.lowest <= float(sigma[0]) <= guidance.highest
        if len(asked) == 1 or not inside:
            return each(noisy, sigma, (0,))[0]
        found = each(noisy, sigma, asked)
        return torch.stack([weights[which] * clean for which, clean in zip(asked, found, strict=True)]).sum(0)

    return denoise


def sample(
    denoise: Denoise,
    noisy: Tensor,
    steps: int,
    start: float = 1.0,
    shift: float = 1.0,
    callback: StepCallback | None = None,
    known: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Tensor:
    """Follow the rectified flow from `start` to clean latents by Euler's method.

    It is what diffusers' `FlowMatchEulerDiscreteScheduler` does, bit for bit, whose import takes longer than a step.

    Args:
        denoise: gives clean latents.
        noisy: (batch, ...) latents at noise level `start`, as `process.add_noise`.
        steps: network evaluations, at least 1.
        start: noise level to begin at, in (0, 1].
        shift: timestep shift of Stable Diffusion 3 (arXiv 2403.03206); above 1 spends more steps at high noise.
        known: puts what is given into latents at a noise level, see `mov_ai.diffusion.known.KnownFrames.at`.
    """
    if steps < 1 or not 0 < start <= 1:
        raise ValueError(f"sample: expected steps >= 1 and 0 < start <= 1, got steps={steps}, start={start}")
    # The shift is applied here, above `start`, so that the first level is exactly `start`.
    level = torch.linspace(1.0, 1.0 / steps, steps)
    level = start * shift * level / (1 + (shift - 1) * level)
    levels = torch.cat([level, torch.zeros(1)]).to(noisy.device)
    latents = noisy if known is None else known(noisy, levels[0])
    for i in range(steps):
        sigma = levels[i].to(latents)
        clean = denoise(latents, sigma.expand(latents.shape[0]))
        latents = latents.float() + (levels[i + 1] - levels[i]) * ((latents - clean) / sigma)
        if known is not None:
            latents = known(latents, levels[i + 1])
        if callback is not None:
            callback(i + 1, steps)
    return latents
