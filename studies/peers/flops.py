"""Floating-point operations of a denoiser, as `torch.utils.flop_counter` counts them: what peers are made equal in.

Counted are matrix products, convolutions and attention, a multiplication and an addition as two; not what works element
by element.
"""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from mov_ai.models.cascade import Cascade
from mov_ai.models.codec import FACTOR
from mov_ai.models.conditioning import Conditioning
from mov_ai.models.denoiser import STAGES, AnyDenoiser


def training_flops(network: AnyDenoiser, condition: Conditioning, size: int = STAGES[0]) -> int:
    """Forward and backward of the network on one batch; the loss's own terms, the same for all, are not in it.

    Args:
        network: its gradients are left empty.
        condition: of B samples with F frames.
        size: height and width in pixels of what is trained on, a frame or a crop.
    """
    with FlopCounterMode(display=False) as counter, torch.enable_grad():
        _evaluate(network, condition, size).square().mean().backward()
    network.zero_grad(set_to_none=True)
    return int(counter.get_total_flops())


def sampling_flops(cascade: Cascade, condition: Conditioning) -> dict[str, int]:
    """What one video costs, without guidance: all stages of the cascade from its first to its last.

    Args:
        cascade: denoiser, codec and steps.
        condition: of one sample.

    Returns:
        "denoise", "codec" (decoding each stage, and encoding it again for the next one) and "total".
    """
    config = cascade.config
    first, last = STAGES.index(config.first), STAGES.index(config.last)
    denoise = codec = 0
    with torch.no_grad():
        for stage in range(first, last + 1):
            size, network = STAGES[stage], cascade.denoiser(stage)
            with FlopCounterMode(display=False) as counter:
                latents = _evaluate(network, condition, size, stage)
            denoise += config.steps[stage] * int(counter.get_total_flops())
            with FlopCounterMode(display=False) as counter:
                # Frames cost alike: one is enough to count them all.
                video = cascade.codec.decode(latents[:, :1])
                if stage > first:
                    cascade.codec.encode(video)
            codec += latents.shape[1] * int(counter.get_total_flops())
    return {"denoise": denoise, "codec": codec, "total": denoise + codec}


def _evaluate(network: AnyDenoiser, condition: Conditioning, size: int, stage: int = 0) -> torch.Tensor:
    batch, frames = len(condition), condition.boxes.shape[2]
    noise = torch.zeros(batch, frames, network.config.latent_channels, size // FACTOR, size // FACTOR)
    window = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(batch, 4)
    return network(noise, torch.full((batch,), 0.5), torch.full((batch,), stage), noise, window, condition)
