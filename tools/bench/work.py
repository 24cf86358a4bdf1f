"""What is measured inside one process: attention, steps, peers, the cascade, the pipeline."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mov_ai.hardware import has_bfloat16_matrices
from mov_ai.models.denoiser import DenoiserConfig, TSAMDenoiser
from mov_ai.models.presets import parameters
from mov_ai.models.registry import channels_last
from mov_ai.pipeline import MovAIPipeline
from tools.bench.peers import PEERS, Shape, peer, tokens
from tools.check_gpu import attention, steps
from tools.check_gpu.device import TYPES, finish, forget_memory, most_memory

Row = dict[str, Any]
PROMPT = "A red ball rolls left, then turns blue"


def precisions(device: torch.device) -> list[str]:
    """Types that are worth measuring here."""
    return ["fp32", "bf16"] if device.type == "cuda" or has_bfloat16_matrices() else ["fp32"]


def in_turn(works: Mapping[str, Callable[[], object]], device: torch.device, times: int) -> dict[str, float]:
    """Median seconds of several works, done in turn, so that a machine's moods meet all of them alike."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(times + 1):
        for name, work in works.items():
            finish(device)
            start = time.perf_counter()
            work()
            finish(device)
            if number:
                taken[name].append(time.perf_counter() - start)
    return {name: float(np.median(values)) for name, values in taken.items()}


def attentions(config: DenoiserConfig, device: torch.device, times: int) -> Iterator[Row]:
    """TSAM's attentions at the first stage, each backend and type."""
    for row in attention.checks(config, device, 1, 8, 16, times):
        if row["dtype"] in precisions(device):
            yield {key: row[key] for key in ("shape", "query", "keys", "backend", "dtype", "milliseconds", "ok")}


def _computing(dtype: str, device: torch.device) -> contextlib.AbstractContextManager[Any]:
    return contextlib.nullcontext() if dtype == "fp32" else torch.autocast(device.type, TYPES[dtype])


def denoiser_steps(
    name: str, config: DenoiserConfig, device: torch.device, times: int, peaks: dict[str, float], trains: bool
) -> Iterator[Row]:
    """A step of sampling and one of training of one video at the first stage."""
    network = channels_last(TSAMDenoiser(config).to(device).eval())
    given = [part.to(device) for part in steps.inputs(config, 1, 16)]
    count = parameters(network)
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        network(*given)
    flops = int(counted.get_total_flops())
    for dtype in precisions(device):
        forget_memory(device)
        with torch.no_grad(), _computing(dtype, device):
            seconds = in_turn({name: partial(network, *given)}, device, times)[name]
        yield _step(name, "sampling", dtype, count, flops, seconds, peaks, device)
    del network
    if trains:
        work = steps.Work(1, 16, max(1, times // 2), False)
        for dtype in precisions(device):
            row = steps.training_step(config, dtype, work, device, False, peaks[dtype])
            yield _step(name, "training", dtype, count, row["flops"], row["seconds"], peaks, device)


def _step(
    name: str,
    kind: str,
    dtype: str,
    count: int,
    flops: int,
    seconds: float,
    peaks: dict[str, float],
    device: torch.device,
) -> Row:
    return {
        "network": name,
        "step": kind,
        "dtype": dtype,
        "parameters": count,
        "flops": flops,
        "seconds": seconds,
        "share_of_peak": flops / seconds / peaks[dtype],
        "gib": most_memory(device),
    }


def beside_peers(
    config: DenoiserConfig, device: torch.device, times: int, peaks: dict[str, float], shape: Shape
) -> Iterator[Row]:
    """A step of ours and of each of diffusers' networks, of equal parameters on the same tokens, in turn."""
    ours = channels_last(TSAMDenoiser(config).to(device).eval())
    given = [part.to(device) for part in steps.inputs(config, 1, shape.cells)]
    wanted = parameters(ours)
    networks: dict[str, tuple[nn.Module, Callable[[nn.Module], object]]] = {"TSAM": (ours, lambda net: net(*given))}
    for name in PEERS:
        network, call = peer(name, wanted, config.depth, shape, device)
        networks[name] = (network, call)
    for dtype in precisions(device):
        with torch.no_grad(), _computing(dtype, device):
            taken = in_turn({name: partial(call, net) for name, (net, call) in networks.items()}, device, times)
        for name, (network, call) in networks.items():
            with torch.no_grad(), FlopCounterMode(display=False) as counted:
                call(network)
            flops = int(counted.get_total_flops())
            row = _step(name, "sampling", dtype, parameters(network), flops, taken[name], peaks, device)
            yield {**row, "tokens": tokens(shape), "times_ours": taken[name] / taken["TSAM"]}


def cascade_against_one_stage(pipe: MovAIPipeline, device: torch.device, times: int) -> Row:
    """From layout to latents of the last stage: by the cascade, and by the denoiser at that size in as many steps.

    Neither is guided. The denoiser's step at the last stage is measured once and counted as often as the cascade's
    first stage has steps.
    """
    config = pipe.cascade.config
    graph = pipe.world.complete(pipe.parser(PROMPT), 0) if pipe.world is not None else pipe.parser(PROMPT)
    plain: dict[str, Any] = {"guidance_text": 1.0, "guidance_graph": 1.0}
    result = pipe(graph, seed=0, **plain)
    seconds = [sum(value for name, value in result.run["seconds"].items() if name.isdecimal() or name == "decode")]
    for seed in range(1, times):
        again = pipe(graph, seed=seed, layout=result.layout, **plain).run["seconds"]
        seconds.append(sum(value for name, value in again.items() if name.isdecimal() or name == "decode"))
    network = pipe.cascade.denoiser(config.first_stage)
    large = config.last // pipe.cascade.codec.factor
    denoiser_config: Any = network.config
    given = [part.to(device) for part in steps.inputs(denoiser_config, 1, large)]
    with torch.no_grad():
        one = in_turn({"one": partial(network, *given)}, device, 1)["one"]
        decode = in_turn({"decode": partial(pipe.cascade.decode, given[0])}, device, 1)["decode"]
    count = config.steps[config.first_stage]
    single = count * one + decode
    cascade = float(np.median(seconds))
    return {
        "size": config.last,
        "steps": count,
        "cascade_seconds": cascade,
        "one_stage_seconds": single,
        "times_cheaper": single / cascade,
        "computed_in": result.run["computed_in"],
        "gib": most_memory(device),
    }


def videos(pipe: MovAIPipeline, times: int) -> Iterator[Row]:
    """A sentence to frames in a pipeline that is loaded, for each quality."""
    for quality in ("draft", "default", "best"):
        taken = []
        for seed in range(times + 1):
            start = time.perf_counter()
            result = pipe(PROMPT, seed=seed, quality=quality)
            taken.append(time.perf_counter() - start)
        yield {
            "quality": quality,
            "size": list(result.frames.shape),
            "seconds": float(np.median(taken[1:])),
            "parts": result.run["seconds"],
            "computed_in": result.run["computed_in"],
        }


def a_slice(config: DenoiserConfig) -> DenoiserConfig:
    """One block of a large network, with all that stands before and after its blocks."""
    return replace(config, depth=1, stem_blocks=1, graph_encoder=replace(config.graph_encoder, layers=1))
