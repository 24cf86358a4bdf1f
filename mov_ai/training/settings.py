"""How a training run goes: its settings, their ranges, and the learning rate that follows from them."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from mov_ai.errors import UsageError

FREE_SETTINGS = {
    *(
        "max_steps",
        "max_minutes",
        "threads",
        "data_workers",
        "resume",
        "keep",
        "log_every",
        "validate_every",
        "sheet_every",
    ),
    *("checkpoint_every_minutes", "checkpoint_every_steps", "trackers"),
}
"""Settings that a resumed run may change without a warning: they say how long it goes on and what it reports."""

TRACKERS = ("trackio", "wandb")
"""Services that accelerate can tell the figures."""


@dataclasses.dataclass
class TrainerConfig:
    """How to train. Zero switches an `_every` off; None means no bound.

    Attributes:
        max_steps, max_minutes: the run ends at whichever comes first; at least one is needed. Minutes count over all
            sessions of a resumed run, validation and checkpoints included, `Objective.prepare` not.
        learning_rate: peak, reached after `warmup_steps`.
        schedule: constant, cosine or linear (both down to 0), over max(step / max_steps, time / max_minutes).
        optimizer: adamw, or muon for the matrices inside repeated blocks and adamw for the rest; muon's learning rate
            is twice `learning_rate`.
        weight_decay: for parameters of two dimensions and more; biases, norms and gains have none.
        gradient_clip: largest norm of all gradients together; 0 = no clipping.
        accumulate: batches per step of each process.
        global_batch: samples of a step, over all processes; `accumulate` follows from it, so that a run may go on with
            more or fewer processes and take the same steps. None leaves it to `accumulate`.
        data_workers: processes that make batches ahead of time; 0 makes each when it is needed.
        ema_decay: of the averaged weights that are validated and exported; 0 = no averaging.
        keep: checkpoints kept.
        precision: no (fp32), bf16 or fp16 (GPU only).
        device: auto (the GPU if there is one), cpu or cuda.
        threads: CPU threads; None leaves torch's choice.
        resume: auto (go on from the newest checkpoint in the run's folder, if any), never (move an earlier run in the
            folder to `previous/` and begin anew), or a checkpoint folder.
        shard: share weights, gradients, optimiser and averages out among the processes (FSDP2), for networks that one
            GPU cannot hold; False gives each process all of them (DDP). Each process then writes its own part of a
            checkpoint, while training goes on.
        recompute: compute what the blocks of a transformer keep for the way back once more instead of keeping it: a
            third more time for a step, and memory for one block instead of all.
        deterministic: use only deterministic algorithms; needed for equal runs on a GPU, slower.
        trackers: services that are told the figures as well, beside TensorBoard: wandb, trackio.
    """

    max_steps: int | None = None
    max_minutes: float | None = None
    learning_rate: float = 1e-3
    optimizer: str = "adamw"
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.99)
    warmup_steps: int = 100
    schedule: str = "cosine"
    gradient_clip: float = 1.0
    accumulate: int = 1
    global_batch: int | None = None
    data_workers: int = 0
    ema_decay: float = 0.999
    checkpoint_every_minutes: float = 5.0
    checkpoint_every_steps: int = 0
    validate_every: int = 0
    sheet_every: int = 0
    log_every: int = 20
    keep: int = 2
    precision: str = "no"
    device: str = "auto"
    threads: int | None = None
    compile: bool = False
    resume: str = "auto"
    shard: bool = False
    recompute: bool = False
    deterministic: bool = False
    trackers: list[str] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            UsageError: naming the setting, what was given and what is expected.
        """
        if self.max_steps is None and self.max_minutes is None:
            raise UsageError("trainer: set max_steps, max_minutes or both; a run needs an end")
        for name, values in (
            ("schedule", ("constant", "cosine", "linear")),
            ("optimizer", ("adamw", "muon")),
            ("precision", ("no", "bf16", "fp16")),
            ("device", ("auto", "cpu", "cuda")),
        ):
            if getattr(self, name) not in values:
                raise UsageError(f"trainer.{name}: {getattr(self, name)!r}; expected one of {', '.join(values)}")
        for name in ("max_steps", "accumulate", "global_batch", "keep", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"trainer.{name}: {value}; expected 1 or more")
        if self.global_batch is not None and self.accumulate != 1:
            raise UsageError("trainer.accumulate: follows from trainer.global_batch; give one of the two")
        for name in self.trackers:
            if name not in TRACKERS:
                raise UsageError(f"trainer.trackers: {name!r}; expected some of {', '.join(TRACKERS)}")
        for name in ("learning_rate", "max_minutes"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise UsageError(f"trainer.{name}: {value}; expected a number above 0")
        for name in (
            *("weight_decay", "warmup_steps", "gradient_clip", "checkpoint_every_minutes", "checkpoint_every_steps"),
            *("validate_every", "sheet_every", "log_every", "data_workers"),
        ):
            if not getattr(self, name) >= 0:
                raise UsageError(f"trainer.{name}: {getattr(self, name)}; expected 0 or more")
        if len(self.betas) != 2:
            raise UsageError(f"trainer.betas: {len(self.betas)} numbers; expected two, such as [0.9, 0.99]")
        for name, value in (("ema_decay", self.ema_decay), *(("betas", beta) for beta in self.betas)):
            if not 0 <= value < 1:
                raise UsageError(f"trainer.{name}: {value}; expected a number from 0 up to but not including 1")

    def to_json(self) -> dict[str, Any]:
        """The settings as checkpoints and cards record them."""
        settings = dataclasses.asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}


def batches_of_a_step(config: TrainerConfig, batch_size: int, processes: int) -> int:
    """How many batches each process takes for a step.

    Args:
        config: says how many, or how many samples a step takes in all.
        batch_size: samples in a batch.
        processes: that train together.

    Raises:
        UsageError: if `global_batch` cannot be shared out equally.
    """
    if config.global_batch is None:
        return config.accumulate
    together = batch_size * processes
    batches, rest = divmod(config.global_batch, together)
    if rest:
        near = f"{batches * together} or {(batches + 1) * together}" if batches else f"{together}"
        raise UsageError(
            f"trainer.global_batch: {config.global_batch} samples cannot be shared out among {processes} "
            f"{'process' if processes == 1 else 'processes'} in batches of {batch_size}; use {near}, or other "
            "numbers of processes or samples in a batch"
        )
    return batches


def learning_rate_factor(config: TrainerConfig, step: int, seconds: float) -> float:
    """The share of the peak learning rate, in [0, 1], for the step after `step` done ones and `seconds` trained."""
    warmup = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    progress = min(1.0, run_progress(config, step, seconds))
    if config.schedule == "cosine":
        return warmup * 0.5 * (1 + math.cos(math.pi * progress))
    return warmup * (1 - progress if config.schedule == "linear" else 1.0)


def run_progress(config: TrainerConfig, step: int, seconds: float) -> float:
    """The share of the run that is done after `step` steps and `seconds` trained; 1 or more means finished."""
    by_steps = step / config.max_steps if config.max_steps is not None else 0.0
    by_time = seconds / (60 * config.max_minutes) if config.max_minutes is not None else 0.0
    return max(by_steps, by_time)
