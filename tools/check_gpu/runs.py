"""Codec, denoiser and planner trained one after another on the device, each resumed half-way, and joined."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from mov_ai.assembly import assemble
from mov_ai.errors import MovAIError
from mov_ai.models.codec import CodecConfig
from mov_ai.models.denoiser import DenoiserConfig
from mov_ai.models.planner import PlannerConfig
from mov_ai.pipeline import MovAIPipeline
from mov_ai.training.checkpoint import checkpoint_steps, load_newest
from mov_ai.training.latents import TabletopClips
from mov_ai.training.loop import Trainer
from mov_ai.training.objective import Objective
from mov_ai.training.objectives.codec import CodecObjective
from mov_ai.training.objectives.denoiser import DenoiserObjective
from mov_ai.training.objectives.planner import PlannerObjective
from mov_ai.training.settings import TrainerConfig
from mov_ai.worlds.tabletop.world import caption_and_layout
from tools.check_gpu.device import current, forget_memory, most_memory


def trained(
    name: str, make: Callable[[], Objective], folder: Path, config: TrainerConfig, device: torch.device, steps: int
) -> dict[str, Any]:
    """Train to half of the steps, then as another run would, from the checkpoint, to all of them.

    Args:
        make: makes the objective, anew for each half.
        config: its device is of the kind of `device`, which says what number it has.
    """
    forget_memory(device)
    start = time.perf_counter()
    half = max(1, steps // 2)
    _run(make(), replace(config, max_steps=half), folder, device)
    before = _checkpoint_step(folder)
    result = _run(make(), replace(config, max_steps=steps), folder, device)
    return {
        "network": name,
        "steps": result["steps"],
        "resumed_at": before,
        "loss": result["loss"],
        "validation": result["validation"],
        "seconds": time.perf_counter() - start,
        "samples_per_second": result["samples_per_second"],
        "gib": most_memory(device),
        "skipped": result["skipped"],
        "ok": before == half and result["steps"] == steps and not result["skipped"],
    }


def _run(objective: Objective, config: TrainerConfig, folder: Path, device: torch.device) -> dict[str, Any]:
    # A trainer knows kinds of devices only: one process trains on the GPU that is the current one.
    with current(device):
        return Trainer(objective, config, folder).run()


def _checkpoint_step(folder: Path) -> int:
    found = load_newest(folder / "checkpoints", lambda text: None)
    if found is None:
        raise MovAIError(f"{folder}: no checkpoint was left")
    return checkpoint_steps(folder / "checkpoints")[-1]


def chain(
    codec: CodecConfig,
    denoiser: DenoiserConfig,
    planner: PlannerConfig,
    folder: Path,
    device: torch.device,
    steps: int,
    clips: int,
    precision: str,
) -> Iterator[dict[str, Any]]:
    """Each network in turn, then the pipeline that they make; one row each.

    Args:
        codec, denoiser, planner: sizes; the second is trained for its first stage.
        folder: for runs and caches; an empty one.
        clips: of the world, to train on.
        precision: as `TrainerConfig.precision`.
    """
    config = TrainerConfig(
        max_steps=steps, warmup_steps=5, ema_decay=0.9, device=device.type, precision=precision, log_every=10
    )
    few = {"scenes": clips, "validation_clips": 2, "spread_clips": 2}
    yield trained(
        "codec", lambda: CodecObjective(batch_size=4, model=codec, **few), folder / "codec", config, device, steps
    )
    shares = (1.0, *(0.0 for _ in denoiser.stages[1:]))

    def clips_of_the_world() -> TabletopClips:
        return TabletopClips(str(folder / "latents"), clips, late=0.0, validation_clips=2)

    def denoising() -> DenoiserObjective:
        return DenoiserObjective(
            batch_size=2,
            codec=str(folder / "codec" / "export"),
            data=clips_of_the_world(),
            stage_shares=shares,
            model=denoiser,
            recognizer_clips=2 * clips,
        )

    yield trained("denoiser", denoising, folder / "denoiser", config, device, steps)

    def planning() -> PlannerObjective:
        cache = str(folder / "plans")
        return PlannerObjective(0, 16, cache, clips, validation_scenes=2, test_scenes=2, model=planner)

    yield trained("planner", planning, folder / "planner", config, device, steps)
    start = time.perf_counter()
    assemble(folder / "codec", folder / "denoiser", folder / "pipeline", folder / "planner")
    pipeline = MovAIPipeline.from_pretrained(folder / "pipeline", str(device))
    _, caption, _ = caption_and_layout(0, "validation")
    frames = pipeline(caption.graph, stages=denoiser.stages[0], steps=1).frames
    yield {
        "network": "pipeline",
        "size": list(frames.shape),
        "seconds": time.perf_counter() - start,
        "ok": frames.shape[1] == denoiser.stages[0],
    }
