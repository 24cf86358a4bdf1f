"""Rectified flow: noising, what a network predicts, and how a prediction becomes clean latents."""

from __future__ import annotations

import math

import torch
from torch import Tensor

PREDICTIONS = ("preconditioned", "velocity", "epsilon", "sample")


def mixed_noise(shape: tuple[int, ...], shared: float, generator: torch.Generator) -> Tensor:
    """Unit Gaussian noise whose frames share a part (mixed noise model of PYoCo, arXiv 2305.10474); float32.

    Args:
        shape: (batch, frames, channels, height, width).
        shared: share of the variance that is common to all frames, in [0, 1].
        generator: a CPU generator, so that a seed means the same noise on every device.
    """
    batch, _, *rest = shape
    common = torch.randn((batch, 1, *rest), generator=generator)
    own = torch.randn(shape, generator=generator)
    return shared**0.5 * common + (1 - shared) ** 0.5 * own


def noise_from_frame(shape: tuple[int, ...], shared: float, seed: int, first: int = 0) -> Tensor:
    """`mixed_noise` of some frames of a video of any length: a frame has the same noise in every window it lies in.

    The part that frames share is the whole video's, so that what does not move looks the same in all windows.

    Args:
        shape: (batch, frames, channels, height, width) of a window; windows of one video have as many frames each.
        shared: as `mixed_noise`, whose noise of this seed the frames from 0 on have, bit for bit.
        seed: below 2**40.
        first: number of the window's first frame in the video, from 0.
    """
    if not first:
        return mixed_noise(shape, shared, torch.Generator().manual_seed(seed))
    frames = shape[1]

    def block(number: int, part: float) -> Tensor:
        return mixed_noise(shape, part, torch.Generator().manual_seed(seed + (number << 40)))

    blocks = range(first // frames, -(-(first + frames) // frames))
    own = torch.cat([block(number, 0.0) for number in blocks], 1)[:, first % frames :][:, :frames]
    return shared**0.5 * block(0, 1.0)[:, :1] + (1 - shared) ** 0.5 * own


def add_noise(clean: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """x_t = (1 - sigma) x_0 + sigma noise (rectified flow, arXiv 2209.03003); sigma (batch,) in [0, 1]."""
    sigma = _like(sigma, clean)
    return (1 - sigma) * clean + sigma * noise


def noise_features(sigma: Tensor) -> Tensor:
    """Sines and cosines of a noise level at 64 frequencies from 1 to 1000: (batch,) to (batch, 128)."""
    frequency = torch.exp(torch.linspace(0, math.log(1000.0), 64, device=sigma.device))
    angle = sigma[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], -1)


def input_scale(sigma: Tensor) -> Tensor:
    """1 / sqrt((1 - sigma)^2 + sigma^2): brings x_t back to unit variance; (batch,)."""
    return ((1 - sigma) ** 2 + sigma**2).rsqrt()


def output_scale(sigma: Tensor) -> Tensor:
    """How far clean latents lie from their linear estimate: sigma / sqrt((1 - sigma)^2 + sigma^2); (batch,).

    The preconditioning of EDM (arXiv 2206.00364) for the path of `add_noise` and unit-variance data: the network's
    output is of unit variance at every sigma.
    """
    return sigma * input_scale(sigma)


def to_clean(output: Tensor, noisy: Tensor, sigma: Tensor, prediction: str) -> Tensor:
    """Clean latents from a network's output, (batch, ...) as the noisy ones; sigma (batch,) in (0, 1].

    `prediction` says what the output means: "preconditioned" (EDM's form), "velocity" (noise - x_0), "epsilon" or
    "sample"; ValueError for another.
    """
    s = _like(sigma, noisy)
    if prediction == "preconditioned":
        scale = _like(input_scale(sigma), noisy)
        return (1 - s) * scale**2 * noisy + s * scale * output
    if prediction == "velocity":
        return noisy - s * output
    if prediction == "epsilon":
        return (noisy - s * output) / (1 - s).clamp(min=1e-2)
    if prediction == "sample":
        return output
    raise ValueError(f"prediction: expected one of {', '.join(PREDICTIONS)}, found {prediction!r}")


def _like(sigma: Tensor, x: Tensor) -> Tensor:
    return sigma.view(-1, *[1] * (x.ndim - 1))
