"""Memory, FLOPs, days and cost of training a preset: `python -m studies.large_run.plan [--preset movai] [--out FILE]`.

Parameters, FLOPs and activations are counted on PyTorch's meta device, where tensors have sizes and no memory. What no
count can tell is an argument: the share of the GPU's peak that is reached, its peak, and its price.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import hydra.utils
import torch
from omegaconf import OmegaConf
from rich.console import Console
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from mov_ai.errors import UsageError, run_script
from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.graph.files import write_json
from mov_ai.labels.encoder import load_label_encoder
from mov_ai.models.codec import FACTOR, VideoCodec
from mov_ai.models.conditioning import Conditioning, condition
from mov_ai.models.denoiser import DenoiserConfig, TSAMDenoiser
from mov_ai.models.planner import LayoutPlanner
from mov_ai.models.presets import parameters
from mov_ai.models.refiner import VideoRefiner
from mov_ai.shipped_files import shipped

GIB = 2**30
#: Encoder of google/flan-t5-large, frozen: d_model 1024, d_ff 2816 (gated), 24 layers, 16 heads, 32128 words.
TEXT_ENCODER = 32128 * 1024 + 24 * (4 * 1024**2 + 3 * 1024 * 2816 + 2 * 1024) + 32 * 16 + 1024
#: Words of a caption and nodes of its graph, as counted on: the most that a caption of a video data set mostly has.
WORDS, NODES = 64, 20
#: Along a side of a sample's latents: the first stage's 128 pixels, and the windows of that size of the later ones.
CELLS = 128 // FACTOR


@dataclass(frozen=True)
class Machine:
    """What a run is planned on.

    Attributes:
        gpus: how many. memory: GiB of each. peak: FLOP/s of each in bf16, as its maker says.
        utilisation: share of the peak that training reaches. price: dollars for an hour of one.
    """

    gpus: int = 8
    memory: float = 80.0
    peak: float = 312e12
    utilisation: float = 0.35
    price: float = 2.0


def networks(preset: str) -> dict[str, nn.Module]:
    """The networks of a preset, without memory."""
    parts: dict[str, Any] = hydra.utils.instantiate(
        OmegaConf.load(shipped(f"conf/model/{preset}.yaml")), _convert_="all"
    )
    kinds: dict[str, Callable[[Any], nn.Module]] = {
        "denoiser": TSAMDenoiser,
        "refiner": VideoRefiner,
        "codec": VideoCodec,
        "planner": LayoutPlanner,
    }
    with torch.device("meta"):
        return {name: kinds[name](parts[name]) for name in kinds}


def sample_condition(config: DenoiserConfig, frames: int) -> Conditioning:
    """A sample's condition, on the meta device: a caption of `WORDS` words and a graph of `NODES` nodes."""
    nodes = [Node("s", "scene", "scene"), *(Node(f"n{i}", "entity", "ball") for i in range(NODES - 1))]
    edges = [Edge("s", f"n{i}", "contains") for i in range(NODES - 1)]
    graph = SceneGraph("a", nodes, edges)
    text = torch.zeros(1, WORDS, config.text_channels)
    return condition(graph, None, load_label_encoder(config.labels), frames, text).to("meta")


def inputs(config: DenoiserConfig, cells: int) -> list[Any]:
    """What TSAM is called with for one sample, on the meta device."""
    frames = config.frames
    noisy = torch.empty(1, frames, config.latent_channels, cells, cells, device="meta")
    level, stage = torch.empty(1, device="meta"), torch.zeros(1, dtype=torch.long, device="meta")
    return [noisy, level, stage, noisy, torch.empty(1, 4, device="meta"), sample_condition(config, frames)]


def step_flops(network: nn.Module, given: list[Any]) -> int:
    """FLOPs of a sample, forwards and backwards."""
    with FlopCounterMode(display=False) as counted:
        network(*given).sum().backward()
    network.zero_grad(set_to_none=True)
    return int(counted.get_total_flops())


def activations(network: nn.Module, given: list[Any]) -> int:
    """Numbers that a sample leaves for the way back, less the weights, each storage once."""
    own = {parameter.untyped_storage()._cdata for parameter in network.parameters()}
    kept: dict[int, int] = {}
    alive: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = max(kept.get(storage._cdata, 0), storage.nbytes() // tensor.element_size())
            # A storage that were given back could come again under the same name.
            alive.append(tensor)
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        network(*given)
    return sum(kept.values())


def plan(preset: str, machine: Machine, days: float, batch: int, cells: int = CELLS) -> dict[str, Any]:
    """The figures of the plan.

    Args:
        preset: a name in `conf/model`.
        machine: that trains.
        days: that it may take.
        batch: samples on each GPU at a time.
        cells: of latents along a side of what is trained on.

    Raises:
        UsageError: if the cells are not whole patches of the denoiser.
    """
    made = networks(preset)
    denoiser: Any = made["denoiser"]
    if cells < 1 or cells % denoiser.config.patch:
        raise UsageError(f"--cells: expected a multiple of {denoiser.config.patch}, a patch's side; found {cells}")
    # What is computed without a fused kernel is counted, and is the same work.
    config = replace(denoiser.config, backend="math")
    with torch.device("meta"):
        network = TSAMDenoiser(config)
        blocks = [TSAMDenoiser(replace(config, depth=depth)) for depth in (1, 2)]
    given = inputs(config, cells)
    flops = step_flops(network, given)
    tokens = config.frames * (cells // config.patch) ** 2
    one, two = (activations(block, given) for block in blocks)
    a_block = two - one
    whole = one + (config.depth - 1) * a_block
    block_inputs = config.depth * tokens * config.dim
    recomputed = one - a_block + block_inputs + a_block
    count = parameters(network)
    speed = machine.gpus * machine.peak * machine.utilisation
    # With blocks computed again, a forward pass more.
    again = flops * 4 / 3
    samples = days * 86_400 * speed / again
    return {
        "preset": preset,
        "machine": asdict(machine),
        "parameters": {name: parameters(module) for name, module in made.items()} | {"text encoder": TEXT_ENCODER},
        "cells": cells,
        "tokens_a_sample": tokens,
        "context_tokens": 1 + WORDS + NODES,
        "flops_a_sample": flops,
        "flops_a_sample_recomputed": again,
        "flops_a_token_and_parameter": flops / tokens / count,
        "activation_numbers": {"all kept": whole, "blocks computed again": recomputed},
        "memory_gib": {
            f"{name}, {kept}": memory(count, shards, numbers, batch)
            for name, shards in (("a copy on each GPU", 1), (f"shared among {machine.gpus} (FSDP2)", machine.gpus))
            for kept, numbers in (("all kept", whole), ("blocks computed again", recomputed))
        },
        "batch_a_gpu": batch,
        "days": days,
        "samples": samples,
        "steps": samples / (batch * machine.gpus),
        "samples_a_second": speed / again,
        "passes_over_webvid_10m": samples / 10.7e6,
        "dollars": days * 24 * machine.gpus * machine.price,
        "days_for_a_pass": 10.7e6 * again / speed / 86_400,
        "dollars_for_a_pass": 10.7e6 * again / (machine.peak * machine.utilisation) / 3600 * machine.price,
    }


def memory(count: int, shards: int, activation_numbers: int, batch: int) -> dict[str, float]:
    """GiB on each GPU, by part: weights, gradients, two moments and the average in float32, activations in bf16.

    Args:
        count: parameters. shards: processes that share them. activation_numbers: of a sample. batch: samples.
    """
    share = 4 * count / shards / GIB
    parts = {
        "weights": share,
        "gradients": share,
        "AdamW": 2 * share,
        "average": share,
        "activations": 2 * activation_numbers * batch / GIB,
        "text encoder and codec, bf16": 2 * (TEXT_ENCODER + 60e6) / GIB,
    }
    return {**parts, "total": sum(parts.values())}


def lines(result: dict[str, Any]) -> list[str]:
    """The tables in Markdown."""
    said = ["| network | parameters, M |", "|---|---|"]
    said += [f"| {name} | {value / 1e6:,.1f} |" for name, value in result["parameters"].items()]
    said += ["", f"A sample of {result['cells']}x{result['cells']} latents: {result['tokens_a_sample']:,} tokens of "]
    said[-1] += f"video, {result['context_tokens']} of context, "
    said[-1] += f"{result['flops_a_sample'] / 1e12:.1f} TFLOP forwards and backwards, "
    said[-1] += f"{result['flops_a_sample_recomputed'] / 1e12:.1f} with blocks computed again."
    said += ["", f"| GiB on each GPU, in batches of {result['batch_a_gpu']} | "]
    rows = result["memory_gib"]
    parts = list(next(iter(rows.values())))
    said[-1] += " | ".join(parts) + " |"
    said += ["|---" * (len(parts) + 1) + "|"]
    said += [f"| {name} | {' | '.join(f'{row[part]:.1f}' for part in parts)} |" for name, row in rows.items()]
    machine = result["machine"]
    said += ["", f"{machine['gpus']} GPUs of {machine['peak'] / 1e12:.0f} TFLOP/s at {machine['utilisation']:.0%}, "]
    said[-1] += f"{result['days']:g} days: {result['samples_a_second']:.1f} samples a second, "
    said[-1] += f"{result['samples'] / 1e6:.1f} M samples, {result['steps']:,.0f} steps, "
    said[-1] += f"{result['passes_over_webvid_10m']:.1f} passes over 10.7 M clips, ${result['dollars']:,.0f} at "
    said[-1] += f"${machine['price']:g} an hour. One pass: {result['days_for_a_pass']:.1f} days, "
    said[-1] += f"${result['dollars_for_a_pass']:,.0f}."
    return said


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m studies.large_run.plan", description=__doc__)
    parser.add_argument("--preset", default="movai", help="a name in conf/model")
    parser.add_argument("--gpus", type=int, default=8)
    parser.add_argument("--memory", type=float, default=80.0, help="GiB of each")
    parser.add_argument("--peak", type=float, default=312e12, help="FLOP/s of each in bf16; an A100's")
    parser.add_argument("--utilisation", type=float, default=0.35, help="share of the peak that training reaches")
    parser.add_argument("--price", type=float, default=2.0, help="dollars for an hour of one")
    parser.add_argument("--days", type=float, default=3.0)
    parser.add_argument("--batch", type=int, default=4, help="samples on each GPU at a time")
    parser.add_argument("--cells", type=int, default=CELLS, help="of latents along a side of what is trained on")
    parser.add_argument("--out", type=Path, help="JSON file")
    options = parser.parse_args(given)
    machine = Machine(options.gpus, options.memory, options.peak, options.utilisation, options.price)

    def work() -> None:
        result = plan(options.preset, machine, options.days, options.batch, options.cells)
        if options.out is not None:
            write_json(options.out, result)
        for line in lines(result):
            Console().print(line, markup=False, highlight=False, soft_wrap=True)

    return run_script("plan", work)


if __name__ == "__main__":
    sys.exit(main())
