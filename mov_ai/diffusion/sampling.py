"""Sampling: from noise to clean latents along the rectified flow, with two guidances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

#: (noisy latents, sigma (batch,)) -> clean latents.
Denoise = Callable[[Tensor, Tensor], Tensor]
#: (noisy latents, sigma (batch,), how many) -> clean latents by all conditions, without the text, and without both:
#: as many of these, in this order, as are asked for.
DenoiseEach = Callable[[Tensor, Tensor, int], Sequence[Tensor]]
#: Called as `callback(step, steps)` after each step, 1 ... steps.
StepCallback = Callable[[int, int], None]


@dataclass(frozen=True)
class Guidance:
    """Strength of the two guidances; 1 means none and costs nothing.

    Attributes:
        text, graph: strengths.
        lowest, highest: noise levels between which there is guidance (arXiv 2404.07724); outside it costs nothing.
    """

    text: float = 1.0
    graph: float = 1.0
    lowest: float = 0.0
    highest: float = 1.0

    @property
    def passes(self) -> int:
        """Conditions that a network is asked for at a time: 1 without guidance, 2 for the text's, 3 for the graph's."""
        return 3 if self.graph != 1 else 2 if self.text != 1 else 1


def guided(each: DenoiseEach, guidance: Guidance) -> Denoise:
    """Classifier-free guidance (arXiv 2207.12598) by two conditions, composed as in InstructPix2Pix (arXiv 2211.09800).

    x = d(none) + graph (d(graph) - d(none)) + text (d(graph, text) - d(graph)); a strength of 1 leaves out the pass
    that it does not need.
    """
    passes = guidance.passes

    def denoise(noisy: Tensor, sigma: Tensor) -> Tensor:
        inside = passes > 1 and guidance.lowest <= float(sigma[0]) <= guidance.highest
        everything, *others = each(noisy, sigma, passes if inside else 1)
        if not others:
            return everything
        graph_only = others[0]
        result = graph_only + guidance.text * (everything - graph_only)
        if guidance.graph != 1:
            result = result + (guidance.graph - 1) * (graph_only - others[1])
        return result

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
