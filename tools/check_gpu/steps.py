"""A training step and a sampled video: seconds, memory, and the share of the device's fastest matrix product."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from mov_ai.errors import MovAIError
from mov_ai.labels.encoder import load_label_encoder
from mov_ai.models.cascade import Cascade, CascadeConfig
from mov_ai.models.codec import CodecConfig, VideoCodec
from mov_ai.models.conditioning import collate, condition
from mov_ai.models.denoiser import DenoiserConfig, TSAMDenoiser
from mov_ai.models.presets import parameters
from mov_ai.models.registry import channels_last
from mov_ai.pipeline import MovAIPipeline
from mov_ai.worlds.tabletop.world import caption_and_layout
from tools.check_gpu.device import TYPES, forget_memory, most_memory, seconds


@dataclass(frozen=True)
class Work:
    """How much of it.

    Attributes:
        videos: in a batch. cells: along a side of their latents. times: that a step is measured.
        compiles: whether a compiled network is tried too.
    """

    videos: int
    cells: int
    times: int
    compiles: bool


def inputs(config: DenoiserConfig, videos: int, cells: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Any]:
    """What a denoiser is called with, on the CPU: clips of the embedded world with random latents."""
    encoder = load_label_encoder(config.labels)
    told = []
    for seed in range(videos):
        _, caption, layout = caption_and_layout(seed, "validation")
        told.append(condition(caption.graph, layout, encoder, layout.frames))
    frames = told[0].boxes.shape[2]
    generator = torch.Generator().manual_seed(0)
    noisy = torch.randn((videos, frames, config.latent_channels, cells, cells), generator=generator)
    window = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(videos, 4)
    return noisy, torch.full((videos,), 0.7), torch.zeros(videos).long(), torch.zeros_like(noisy), window, collate(told)


def step_flops(config: DenoiserConfig, given: Any) -> int:
    """FLOPs of the matrix products and convolutions of a step, forwards and backwards; nothing is computed."""
    with torch.device("meta"):
        network = TSAMDenoiser(replace(config, backend="math"))
    with FlopCounterMode(display=False) as counted:
        network(*(part.to("meta") for part in given)).sum().backward()
    return int(counted.get_total_flops())


def training_step(
    config: DenoiserConfig, name: str, work: Work, device: torch.device, compiled: bool, peak: float
) -> dict[str, Any]:
    """Steps of AdamW on one batch in a type, under autocast: the loss has to fall."""
    torch.manual_seed(0)
    forget_memory(device)
    network = channels_last(TSAMDenoiser(config).to(device).train())
    optimizer = torch.optim.AdamW(network.parameters(), 3e-4)
    given = inputs(config, work.videos, work.cells)
    flops = step_flops(config, given)
    there = [part.to(device) for part in given]
    clean = there[0].flip(1)
    if compiled:
        network.compile()
    losses: list[Tensor] = []

    def step() -> None:
        with torch.autocast(device.type, TYPES[name], enabled=name != "fp32"):
            out = network(*there)
        loss = functional.mse_loss(out.float(), clean)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.detach())

    taken = seconds(step, device, work.times, before=2)
    first, last = losses[0].item(), losses[-1].item()
    return {
        "parameters": parameters(network),
        "dtype": name,
        "compiled": compiled,
        "videos": work.videos,
        "seconds": taken,
        "flops": flops,
        "share_of_peak": flops / taken / peak,
        "gib": most_memory(device),
        "first_loss": first,
        "last_loss": last,
        "ok": last < first,
    }


def untrained(config: DenoiserConfig, codec: CodecConfig, device: torch.device) -> MovAIPipeline:
    """A pipeline of fresh networks that makes videos of the first stage."""
    torch.manual_seed(0)
    first = config.stages[0]
    count = len(config.stages)
    cascade = CascadeConfig((4,) * count, (1.0,) * count, stages=config.stages, first=first, last=first)
    return MovAIPipeline(Cascade(cascade, VideoCodec(codec), [TSAMDenoiser(config)]), device=str(device))


def sampled_video(
    pipeline: MovAIPipeline, name: str, device: torch.device, side: int | None, compiled: bool
) -> dict[str, Any]:
    """A video in a type: seconds without the first, and that every frame is there.

    Args:
        side: of the video in pixels; None for the pipeline's own.
        compiled: whether the denoisers are compiled first.
    """
    pipeline.dtype = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}[name]
    forget_memory(device)
    _, caption, layout = caption_and_layout(1, "validation")
    if compiled:
        for denoiser in pipeline.cascade.denoisers:
            denoiser.compile()
    shape = replace(pipeline.shape, height=side, width=side) if side else pipeline.shape
    made = []
    taken = seconds(lambda: made.append(pipeline(caption.graph, layout=layout, shape=shape)), device, 1)
    frames = made[-1].frames
    if frames.shape != (shape.frames, shape.height, shape.width, 3):
        raise MovAIError(f"expected {shape}, found frames {frames.shape}")
    return {
        "dtype": name,
        "compiled": compiled,
        "size": list(frames.shape),
        "seconds": taken,
        "gib": most_memory(device),
        "frames": frames,
        "ok": True,
    }
