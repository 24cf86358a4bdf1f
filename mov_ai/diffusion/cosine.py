"""The variance-preserving noise process with a cosine schedule, v-prediction, and its deterministic sampler."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor

#: (noisy, time (batch,)) -> v, of the shape of the noisy values.
PredictVelocity = Callable[[Tensor, Tensor], Tensor]


def levels(time: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """alpha = cos(pi t / 2) and sigma = sin(pi t / 2) (arXiv 2102.09672, without its offset), shaped to multiply.

    Args:
        time: (batch,) in [0, 1]: 0 is clean, 1 is noise.
        like: (batch, ...) what they multiply.
    """
    quarter = math.pi / 2
    time = time.view(-1, *[1] * (like.ndim - 1))
    # As a sine too, alpha is exactly 0 where there is nothing but noise.
    return ((1 - time) * quarter).sin(), (time * quarter).sin()


def perturb(clean: Tensor, noise: Tensor, time: Tensor) -> Tensor:
    """x_t = alpha x_0 + sigma noise; time (batch,) in [0, 1]."""
    alpha, sigma = levels(time, clean)
    return alpha * clean + sigma * noise


def velocity(clean: Tensor, noise: Tensor, time: Tensor) -> Tensor:
    """v = alpha noise - sigma x_0 (arXiv 2202.00512); time (batch,) in [0, 1]."""
    alpha, sigma = levels(time, clean)
    return alpha * noise - sigma * clean


def follow(predict: PredictVelocity, noise: Tensor, steps: int) -> Tensor:
    """From noise to clean values by DDIM (arXiv 2010.02502) without noise on the way: the same noise, the same values.

    At the first step, where there is nothing but noise, x_0 = -v: one step is a plain prediction of x_0.

    Args:
        predict: gives v.
        noise: (batch, ...) of unit variance.
        steps: network evaluations, at least 1; their times are spread evenly over [0, 1].
    """
    if steps < 1:
        raise ValueError(f"follow: expected steps >= 1, got {steps}")
    x = noise.float()
    times = torch.linspace(1.0, 0.0, steps + 1, device=x.device)
    for now, then in itertools.pairwise(times):
        at = now.expand(len(x))
        v = predict(x, at).float()
        alpha, sigma = levels(at, x)
        clean, left = alpha * x - sigma * v, sigma * x + alpha * v
        x = perturb(clean, left, then.expand(len(x))) if then > 0 else clean
    return x
