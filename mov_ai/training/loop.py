"""The training loop: one for every network, resumable to the bit, bounded by steps or by time."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import importlib.metadata
import io
import json
import logging
import math
import os
import platform
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import gather_object, send_to_device, set_seed

from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import write_bytes, write_json
from mov_ai.hardware import processor
from mov_ai.training.checkpoint import (
    Checkpoint,
    DamagedCheckpoint,
    TrainingState,
    checkpoint_steps,
    finite_or_none,
    load_checkpoint,
    load_newest,
    random_states,
    remove_leftovers,
    save_checkpoint,
    set_random_states,
)
from mov_ai.training.display import Display
from mov_ai.training.objective import Objective

if TYPE_CHECKING:
    from diffusers.training_utils import EMAModel
    from torch.utils.tensorboard import SummaryWriter

log = logging.getLogger(__name__)

BAD_STEPS_ALLOWED = 10
"""So many steps in a row may have a loss that is not finite; then the run stops."""

_RUN_FILES = ("checkpoints", "sheets", "tensorboard", "export", "metrics.jsonl", "result.json")

_FREE_SETTINGS = {
    *("max_steps", "max_minutes", "threads", "resume", "keep", "log_every", "validate_every", "sheet_every"),
    *("checkpoint_every_minutes", "checkpoint_every_steps"),
}
"""Settings that a resumed run may change without a warning: they say how long it goes on and what it reports."""


class TrainingInterrupted(MovAIError):
    """The run was asked to stop (Ctrl-C or SIGTERM), saved a checkpoint and can be resumed."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


@dataclasses.dataclass
class TrainerConfig:
    """How to train. Zero switches an `_every` off; None means no bound.

    Attributes:
        max_steps, max_minutes: the run ends at whichever comes first; at least one is needed. Minutes count over all
            sessions of a resumed run, validation and checkpoints included, `Objective.prepare` not.
        learning_rate: peak, reached after `warmup_steps`.
        schedule: constant, cosine or linear (both down to 0), over max(step / max_steps, time / max_minutes).
        weight_decay: for parameters of two dimensions and more; biases, norms and gains have none.
        gradient_clip: largest norm of all gradients together; 0 = no clipping.
        accumulate: batches per step.
        ema_decay: of the averaged weights that are validated and exported; 0 = no averaging.
        keep: checkpoints kept.
        precision: no (fp32), bf16 or fp16 (GPU only).
        device: auto (the GPU if there is one), cpu or cuda.
        threads: CPU threads; None leaves torch's choice.
        resume: auto (go on from the newest checkpoint in the run's folder, if any), never (move an earlier run in the
            folder to `previous/` and begin anew), or a checkpoint folder.
        deterministic: use only deterministic algorithms; needed for equal runs on a GPU, slower.
    """

    max_steps: int | None = None
    max_minutes: float | None = None
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.99)
    warmup_steps: int = 100
    schedule: str = "cosine"
    gradient_clip: float = 1.0
    accumulate: int = 1
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
    deterministic: bool = False

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            UsageError: naming the setting, what was given and what is expected.
        """
        if self.max_steps is None and self.max_minutes is None:
            raise UsageError("trainer: set max_steps, max_minutes or both; a run needs an end")
        for name, values in (
            ("schedule", ("constant", "cosine", "linear")),
            ("precision", ("no", "bf16", "fp16")),
            ("device", ("auto", "cpu", "cuda")),
        ):
            if getattr(self, name) not in values:
                raise UsageError(f"trainer.{name}: {getattr(self, name)!r}; expected one of {', '.join(values)}")
        for name in ("max_steps", "accumulate", "keep", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"trainer.{name}: {value}; expected 1 or more")
        for name in ("learning_rate", "max_minutes"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise UsageError(f"trainer.{name}: {value}; expected a number above 0")
        for name in (
            *("weight_decay", "warmup_steps", "gradient_clip", "checkpoint_every_minutes", "checkpoint_every_steps"),
            *("validate_every", "sheet_every", "log_every"),
        ):
            if not getattr(self, name) >= 0:
                raise UsageError(f"trainer.{name}: {getattr(self, name)}; expected 0 or more")
        if len(self.betas) != 2:
            raise UsageError(f"trainer.betas: {len(self.betas)} numbers; expected two, such as [0.9, 0.99]")
        for name, value in (("ema_decay", self.ema_decay), *(("betas", beta) for beta in self.betas)):
            if not 0 <= value < 1:
                raise UsageError(f"trainer.{name}: {value}; expected a number from 0 up to but not including 1")


def learning_rate_factor(config: TrainerConfig, step: int, seconds: float) -> float:
    """The share of the peak learning rate, in [0, 1], for the step after `step` done ones and `seconds` trained."""
    warmup = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    progress = min(1.0, _progress(config, step, seconds))
    if config.schedule == "cosine":
        return warmup * 0.5 * (1 + math.cos(math.pi * progress))
    return warmup * (1 - progress if config.schedule == "linear" else 1.0)


def _progress(config: TrainerConfig, step: int, seconds: float) -> float:
    """The share of the run that is done; 1 or more means finished."""
    by_steps = step / config.max_steps if config.max_steps is not None else 0.0
    by_time = seconds / (60 * config.max_minutes) if config.max_minutes is not None else 0.0
    return max(by_steps, by_time)


def describe_device(device: torch.device) -> str:
    """The hardware in words, for cards and tables."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{processor()}, {torch.get_num_threads()} thread(s)"


class _StopSignals:
    """Turns the first Ctrl-C or SIGTERM into a request that the loop sees between steps; a second one acts at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> _StopSignals:
        with contextlib.suppress(
            ValueError
        ):  # only the main thread may set handlers; elsewhere signals stay as they are
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._receive)
        return self

    def _receive(self, number: int, frame: Any) -> None:
        self.received = number
        self.__exit__()

    def __exit__(self, *error: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()


class Trainer:
    """Trains one objective in one folder. `run` is called once.

    The folder holds `checkpoints/`, `metrics.jsonl` (one line per log), `tensorboard/`, `sheets/`, and at the end
    `export/` and `result.json`.

    Args:
        objective: the network, its data and its loss.
        config: how to train.
        directory: the run's folder; made if absent. Constructing a `Trainer` writes nothing.

    Raises:
        UsageError: if the device or the precision is not to be had on this machine.
    """

    def __init__(self, objective: Objective, config: TrainerConfig, directory: str | Path) -> None:
        self.objective = objective
        self.config = config
        self.directory = Path(directory)
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        if config.device == "cuda" and not torch.cuda.is_available():
            raise UsageError("trainer.device: cuda, but torch sees no GPU here; use trainer.device=cpu or auto")
        if config.deterministic:
            # cuBLAS reads this when it starts; without it the deterministic mode refuses matrix products.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(config.deterministic)
        # accelerate keeps device and precision for the whole process; a sweep trains several networks in one.
        AcceleratorState._reset_state(reset_partial_state=not torch.distributed.is_initialized())
        try:
            self.accelerator = Accelerator(
                cpu=config.device == "cpu",
                mixed_precision=config.precision,
                gradient_accumulation_steps=config.accumulate,
            )
        except (ValueError, RuntimeError) as error:
            raise UsageError(f"trainer.precision: {config.precision} on {config.device}: {error}") from None
        if config.precision == "fp16" and self.accelerator.device.type == "cpu":
            raise UsageError("trainer.precision: fp16 needs a GPU; use bf16 or no")
        self.device = self.accelerator.device
        self.generator = torch.Generator()
        self.step = 0
        self.samples = 0
        self.skipped = 0
        self.skipped_in_a_row = 0
        self.running_loss: float | None = None
        self._earlier_seconds = 0.0
        self._session_start = time.monotonic()
        self._saved_step = self._validated_step = self._drawn_step = -1
        self._validation: dict[str, float | None] = {}
        self._best: dict[str, Any] = {}
        self._ema: EMAModel | None = None

    @property
    def seconds(self) -> float:
        """Time trained so far, over all sessions."""
        return self._earlier_seconds + time.monotonic() - self._session_start

    def run(self) -> dict[str, Any]:
        """Train to the end of the run, export, and return what `result.json` holds.

        Raises:
            TrainingInterrupted: after Ctrl-C or SIGTERM, with a checkpoint saved.
            UsageError: if the folder's checkpoint is of another network, `resume` names no checkpoint, or another run
                is training in the folder.
            MovAIError: if the folder cannot be written, or the loss stays not finite.
        """
        main = self.accelerator.is_main_process
        with self._own_directory() if main else contextlib.nullcontext(), Display(enabled=main) as display:
            self.accelerator.wait_for_everyone()
            self.objective.prepare(self.device, display.preparing)
            # After `prepare`: whether caches had to be built must not change the numbers that training draws.
            set_seed(self.objective.seed, device_specific=True)
            self.generator.manual_seed(self.objective.seed + self.accelerator.process_index)
            self._build()
            self._resume()
            self._session_start = time.monotonic()
            display.start(self.step)
            with _StopSignals() as stop, self._writer() as writer:
                self._train(display, stop, writer)
                return self._finish(writer)

    @contextlib.contextmanager
    def _own_directory(self) -> Iterator[None]:
        """Make the folder and keep other runs out of it; the system drops the lock when the process ends, however."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            lock = (self.directory / ".lock").open("w")
        except OSError as error:
            raise self._not_writable(error) from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(
                    f"{self.directory}: another run is training in this folder; wait for it or choose another folder"
                ) from None
            except OSError as error:  # a network file system without locks
                log.warning("%s: cannot be locked (%s); start no second run in it", self.directory, error.strerror)
            self._clear_directory()
            yield

    def _not_writable(self, error: OSError) -> MovAIError:
        return MovAIError(f"{self.directory}: cannot be written ({error.strerror}); choose another output folder")

    def _clear_directory(self) -> None:
        """Remove what a killed run left half-done, and the earlier result."""
        try:
            if self.config.resume == "never":
                self._set_earlier_run_aside()
            (self.directory / "result.json").unlink(missing_ok=True)
        except OSError as error:
            raise self._not_writable(error) from None
        remove_leftovers(self.directory / "checkpoints")
        for leftover in self.directory.glob(".export.*.tmp"):
            shutil.rmtree(leftover, ignore_errors=True)

    def _set_earlier_run_aside(self) -> None:
        found = [self.directory / name for name in _RUN_FILES if (self.directory / name).exists()]
        if found:
            number = 1
            while (place := self.directory / "previous" / str(number)).exists():
                number += 1
            place.mkdir(parents=True)
            for path in found:
                path.rename(place / path.name)
            log.warning("trainer.resume=never: the earlier run in %s is now in %s", self.directory, place)

    def _build(self) -> None:
        """Put the network on its device; make optimiser and averaged weights."""
        config = self.config
        module = self.objective.module().to(self.device)
        self._bare_module = module
        self._names, self._parameters = [], []
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                self._names.append(name)
                self._parameters.append(parameter)
        if not self._parameters:
            raise UsageError("the objective's module has no parameter that requires a gradient; nothing can be trained")
        pairs = list(zip(self._names, self._parameters, strict=True))
        groups = [[pair for pair in pairs if pair[1].ndim >= 2], [pair for pair in pairs if pair[1].ndim < 2]]
        # The order in which torch numbers the parameters in the optimiser's state.
        self._optimizer_names = [name for group in groups for name, _ in group]
        optimizer = torch.optim.AdamW(
            [
                {"params": [parameter for _, parameter in group], "weight_decay": decay}
                for group, decay in zip(groups, (config.weight_decay, 0.0), strict=True)
            ],
            lr=config.learning_rate,
            betas=config.betas,
        )
        if config.compile:
            module.compile()
        self._module, self._optimizer = self.accelerator.prepare(module, optimizer)
        if config.ema_decay:
            # Imported when wanted: diffusers takes seconds to load.
            from diffusers.training_utils import EMAModel

            self._ema = EMAModel(self._parameters, decay=config.ema_decay)

    # ---- resuming ----------------------------------------------------------------------------------------------

    def _resume(self) -> None:
        root = self.directory / "checkpoints"
        if self.config.resume in ("auto", "never"):
            found = load_newest(root, log.warning) if self.config.resume == "auto" else None
            if found is None:
                return
            folder, checkpoint = found
        else:
            folder = Path(self.config.resume)
            try:
                checkpoint = load_checkpoint(folder)
            except DamagedCheckpoint as error:
                raise MovAIError(f"{error}; give trainer.resume another checkpoint") from None
        self._restore(folder, checkpoint)
        if self.accelerator.is_main_process:
            self._forget_metrics_after(self.step)
            log.info("resumed from %s: step %d, %.1f minutes trained", folder, self.step, self._earlier_seconds / 60)
        if folder.parent.resolve() == root.resolve():
            self._saved_step = self.step

    def _restore(self, folder: Path, checkpoint: Checkpoint) -> None:
        state = checkpoint.state
        before, now = state.objective.get("objective"), self.objective.config().get("objective")
        remedy = "use another output folder, or trainer.resume=never to begin anew"
        if before != now:
            raise UsageError(f"{folder}: holds a {before}, this run trains a {now}; {remedy}")
        self._check_tensors(folder, "model", checkpoint.tensors["model"], self._bare_module.state_dict(), remedy)
        shapes = dict(zip(self._names, self._parameters, strict=True))
        self._bare_module.load_state_dict(checkpoint.tensors["model"])
        self._optimizer.optimizer.load_state_dict(
            self._optimizer_state(folder, checkpoint.tensors["optimizer"], shapes)
        )
        if self._ema is not None:
            if state.ema_updates is None or "ema" not in checkpoint.tensors:
                raise UsageError(f"{folder}: has no averaged weights; set trainer.ema_decay=0, or {remedy}")
            self._check_tensors(folder, "ema", checkpoint.tensors["ema"], shapes, remedy)
            for name, shadow in zip(self._names, self._ema.shadow_params, strict=True):
                shadow.copy_(checkpoint.tensors["ema"][name])
            self._ema.optimization_step = state.ema_updates
        if self.accelerator.scaler is not None and state.scaler is not None:
            self.accelerator.scaler.load_state_dict(state.scaler)
        self._warn_of_changes(folder, state)
        self.step, self.samples = state.step, state.samples
        self.skipped, self.skipped_in_a_row = state.skipped, state.skipped_in_a_row
        self.running_loss = state.running_loss
        self._earlier_seconds = float(state.seconds)
        self._validation, self._best = state.validation, state.best
        if len(state.random) == self.accelerator.num_processes:
            set_random_states(state.random[self.accelerator.process_index], self.generator)
        else:
            log.warning(
                "%s: saved by %d processes, resumed by %d: the data order and the noise change from here on",
                folder,
                len(state.random),
                self.accelerator.num_processes,
            )
            self.generator.manual_seed(hash((self.objective.seed, self.step, self.accelerator.process_index)))

    @staticmethod
    def _check_tensors(
        folder: Path, what: str, found: Mapping[str, torch.Tensor], expected: Mapping[str, Any], remedy: str
    ) -> None:
        for name in [*expected, *found]:
            ours = tuple(expected[name].shape) if name in expected else "absent"
            theirs = tuple(found[name].shape) if name in found else "absent"
            if ours != theirs:
                raise UsageError(
                    f"{folder}/{what}.safetensors: holds another network ({name} is {theirs}, expected {ours}); "
                    f"{remedy}"
                )

    def _optimizer_state(
        self, folder: Path, tensors: Mapping[str, torch.Tensor], parameters: Mapping[str, torch.Tensor]
    ) -> dict[str, Any]:
        numbers = {name: number for number, name in enumerate(self._optimizer_names)}
        states: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            name, _, kind = key.rpartition("/")
            if name not in numbers or (kind != "step" and value.shape != parameters[name].shape):
                raise UsageError(
                    f"{folder}/optimizer.safetensors: {key} {tuple(value.shape)} fits no parameter of this network; "
                    "use another output folder, or trainer.resume=never to begin anew"
                )
            states.setdefault(numbers[name], {})[kind] = value
        kinds = {"step", "exp_avg", "exp_avg_sq"}
        for number, state in states.items():
            if state.keys() != kinds:
                raise UsageError(
                    f"{folder}/optimizer.safetensors: {self._optimizer_names[number]} has {', '.join(sorted(state))}, "
                    f"expected {', '.join(sorted(kinds))}; begin anew with trainer.resume=never"
                )
        return {**self._optimizer.optimizer.state_dict(), "state": states}

    def _warn_of_changes(self, folder: Path, state: TrainingState) -> None:
        """Going on with other settings is allowed, and said."""
        for part, before, now in (
            ("trainer", state.trainer, self._trainer_settings()),
            ("objective", state.objective, json.loads(json.dumps(self.objective.config()))),
        ):
            for name in sorted({*before, *now}):
                if before.get(name) != now.get(name) and not (part == "trainer" and name in _FREE_SETTINGS):
                    log.warning(
                        "%s.%s is %s, it was %s when %s was saved; going on with the new value",
                        *(part, name, now.get(name), before.get(name), folder),
                    )

    def _trainer_settings(self) -> dict[str, Any]:
        settings = dataclasses.asdict(self.config)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}

    def _forget_metrics_after(self, step: int) -> None:
        """Drop the lines of steps that are about to be done again."""
        path = self.directory / "metrics.jsonl"
        if path.exists():
            kept = []
            for line in path.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError, KeyError, TypeError):  # a line cut short by a crash
                    if json.loads(line)["step"] <= step:
                        kept.append(line + "\n")
            write_bytes(path, "".join(kept).encode("utf-8"))

    # ---- steps -------------------------------------------------------------------------------------------------

    def _train(self, display: Display, stop: _StopSignals, writer: SummaryWriter | None) -> None:
        config = self.config
        self._module.train()
        saved_at = time.monotonic()
        window = _Window(self.step, self.samples)
        while not self._agreed(_progress(config, self.step, self.seconds) >= 1):
            terms = self._one_step()
            window.add(terms)
            if self.skipped_in_a_row >= BAD_STEPS_ALLOWED:
                raise self._diverged(f"the loss or its gradient was not finite {BAD_STEPS_ALLOWED} times in a row")
            if config.log_every and self.step % config.log_every == 0:
                self._log(window, display, writer)
                window = _Window(self.step, self.samples)
            display.update(
                step=self.step,
                share=_progress(config, self.step, self.seconds),
                seconds=self.seconds,
                samples=self.samples,
                loss=self.running_loss,
            )
            if config.validate_every and self.step % config.validate_every == 0:
                self._validate(writer)
            if config.sheet_every and self.step % config.sheet_every == 0:
                self._draw_sheet(writer)
            minutes = (time.monotonic() - saved_at) / 60
            if self._agreed(
                (config.checkpoint_every_steps > 0 and self.step % config.checkpoint_every_steps == 0)
                or (config.checkpoint_every_minutes > 0 and minutes >= config.checkpoint_every_minutes)
            ):
                self._save()
                saved_at = time.monotonic()
            if self._agreed(stop.received is not None):
                self._save()
                number = stop.received or signal.SIGTERM
                raise TrainingInterrupted(
                    f"stopped by {signal.Signals(number).name} at step {self.step}, saved in "
                    f"{self.directory / 'checkpoints'}; run the same command again to go on",
                    number,
                )

    def _agreed(self, here: bool) -> bool:
        """Whether any process says so: clocks and signals differ between processes, decisions must not."""
        if self.accelerator.num_processes == 1:
            return here
        flag = torch.tensor([float(here)], device=self.device)
        return bool(self.accelerator.reduce(flag, "sum").item() > 0)

    def _one_step(self) -> dict[str, float | torch.Tensor]:
        """One optimiser step over `accumulate` batches; returns the mean terms, with `loss` and `gradient_norm`."""
        config, accelerator = self.config, self.accelerator
        rate = config.learning_rate * learning_rate_factor(config, self.step, self.seconds)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        sums: dict[str, float | torch.Tensor] = {}
        norm: torch.Tensor | None = None
        ok = False
        for part in range(config.accumulate):
            index = (self.step * config.accumulate + part) * accelerator.num_processes + accelerator.process_index
            batch = send_to_device(self.objective.batch(index), self.device)
            with accelerator.accumulate(self._module):
                with accelerator.autocast():
                    loss, terms = self.objective.loss(self._module, batch, self.generator)
                accelerator.backward(loss)
                for name, value in {"loss": loss, **terms}.items():
                    value = value.detach() if isinstance(value, torch.Tensor) else value
                    sums[name] = sums.get(name, 0.0) + value / config.accumulate
                if accelerator.sync_gradients:
                    norm = accelerator.clip_grad_norm_(self._parameters, config.gradient_clip or math.inf)
                    # In fp16 the scaler itself skips overflowing gradients and lowers its scale.
                    watched = [sums["loss"]] if config.precision == "fp16" else [sums["loss"], norm]
                    ok = not self._agreed(not all(math.isfinite(float(value)) for value in watched))
                    if ok:
                        self._optimizer.step()
                self._optimizer.zero_grad()
        self.step += 1
        self.samples += self.objective.batch_size * config.accumulate * accelerator.num_processes
        if ok:
            self.skipped_in_a_row = 0
            value = float(sums["loss"])
            self.running_loss = value if self.running_loss is None else 0.98 * self.running_loss + 0.02 * value
            if self._ema is not None:
                self._ema.step(self._parameters)
        else:
            self.skipped += 1
            self.skipped_in_a_row += 1
            log.warning("step %d: the loss or its gradient is not finite; the step is skipped", self.step)
        return {**sums, "gradient_norm": norm if norm is not None else 0.0, "learning_rate": rate}

    def _diverged(self, what: str) -> MovAIError:
        kept = checkpoint_steps(self.directory / "checkpoints")
        return MovAIError(
            f"{what} at step {self.step}; lower trainer.learning_rate or trainer.gradient_clip, or use "
            f"trainer.precision=no; the last good checkpoint is {f'of step {kept[-1]}' if kept else 'not made yet'}"
        )

    # ---- reporting ---------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _writer(self) -> Iterator[SummaryWriter | None]:
        if not self.accelerator.is_main_process:
            yield None
            return
        from torch.utils.tensorboard import SummaryWriter

        with self._writing():
            writer = SummaryWriter(str(self.directory / "tensorboard"), purge_step=self.step + 1 if self.step else None)
        try:
            yield writer
        except BaseException:
            # A disk that is full fails here as well, and must not hide the error that says so.
            with contextlib.suppress(OSError):
                writer.close()
            raise
        with self._writing():
            writer.close()

    def _log(self, window: _Window, display: Display, writer: SummaryWriter | None) -> None:
        means = window.means()
        rate = (self.samples - window.samples) / max(time.monotonic() - window.start, 1e-9)
        if writer is None:
            return
        figures = {**means, "samples_per_second": rate}
        with self._writing():
            for name, value in figures.items():
                writer.add_scalar(f"train/{name}", value, self.step)
        self._add_metrics(figures)
        display.line(self.step, _progress(self.config, self.step, self.seconds), self.seconds, means["loss"], rate)

    def _add_metrics(self, figures: dict[str, float]) -> None:
        row = {"step": self.step, "seconds": round(self.seconds, 3), "samples": self.samples}
        numbers = {name: finite_or_none(value) for name, value in figures.items()}
        with self._writing(), (self.directory / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({**row, **numbers}) + "\n")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise MovAIError(f"{self.directory}: cannot be written ({error.strerror}); free disk space") from None

    @contextlib.contextmanager
    def _judging(self) -> Iterator[torch.nn.Module]:
        """The bare module with averaged weights, in eval mode, without gradients; random states are put back after."""
        module, training = self._bare_module, self._module.training
        states = random_states(self.generator)
        if self._ema is not None:
            self._ema.store(self._parameters)
            self._ema.copy_to(self._parameters)
        module.eval()
        try:
            with torch.no_grad(), self.accelerator.autocast():
                yield module
        finally:
            if self._ema is not None:
                self._ema.restore(self._parameters)
            self._module.train(training)
            set_random_states(states, self.generator)

    def _validate(self, writer: SummaryWriter | None) -> None:
        if self._validated_step == self.step:
            return
        self._validated_step = self.step
        if self.accelerator.is_main_process:
            with self._judging() as module:
                figures = {name: float(value) for name, value in self.objective.validate(module).items()}
            self._validation = {name: finite_or_none(value) for name, value in figures.items()}
            for name, value in figures.items():
                if writer is not None:
                    with self._writing():
                        writer.add_scalar(f"validation/{name}", value, self.step)
                if math.isfinite(value):
                    best = self._best.setdefault(
                        name, {"lowest": value, "lowest_step": self.step, "highest": value, "highest_step": self.step}
                    )
                    if value < best["lowest"]:
                        best.update(lowest=value, lowest_step=self.step)
                    if value > best["highest"]:
                        best.update(highest=value, highest_step=self.step)
            if figures:
                self._add_metrics({f"validation/{name}": value for name, value in figures.items()})
                log.info("step %d: %s", self.step, ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
        self.accelerator.wait_for_everyone()

    def _draw_sheet(self, writer: SummaryWriter | None) -> None:
        if self._drawn_step == self.step:
            return
        self._drawn_step = self.step
        if self.accelerator.is_main_process:
            with self._judging() as module:
                sheet = self.objective.sample_sheet(module)
            if sheet is not None:
                content = io.BytesIO()
                sheet.save(content, "png")
                write_bytes(self.directory / "sheets" / f"step_{self.step:08d}.png", content.getvalue())
                if writer is not None:
                    with self._writing():
                        writer.add_image("sheet", np.asarray(sheet.convert("RGB")), self.step, dataformats="HWC")
        self.accelerator.wait_for_everyone()

    # ---- saving ------------------------------------------------------------------------------------------------

    def _save(self) -> None:
        if self._saved_step == self.step:
            return
        if not all(bool(parameter.isfinite().all()) for parameter in self._parameters):
            raise self._diverged("the weights are not finite")
        states = gather_object([random_states(self.generator)])
        if self.accelerator.is_main_process:
            optimizer_state = self._optimizer.optimizer.state_dict()["state"]
            tensors = {
                "model": dict(self._bare_module.state_dict()),
                "optimizer": {
                    f"{self._optimizer_names[number]}/{kind}": value
                    for number, values in optimizer_state.items()
                    for kind, value in values.items()
                },
            }
            if self._ema is not None:
                tensors["ema"] = dict(zip(self._names, self._ema.shadow_params, strict=True))
            scaler = self.accelerator.scaler
            state = TrainingState(
                step=self.step,
                seconds=self.seconds,
                samples=self.samples,
                skipped=self.skipped,
                skipped_in_a_row=self.skipped_in_a_row,
                running_loss=self.running_loss,
                random=states,
                objective=self.objective.config(),
                trainer=self._trainer_settings(),
                validation=self._validation,
                best=self._best,
                ema_updates=None if self._ema is None else self._ema.optimization_step,
                scaler=None if scaler is None else scaler.state_dict(),
            )
            save_checkpoint(self.directory / "checkpoints", Checkpoint(state, tensors), self.config.keep)
        self._saved_step = self.step
        self.accelerator.wait_for_everyone()

    def _finish(self, writer: SummaryWriter | None) -> dict[str, Any]:
        """Save, judge, export; return and write the result."""
        seconds = self.seconds
        self._save()
        self._validate(writer)
        self._draw_sheet(writer)
        card = {
            "steps": self.step,
            "samples": self.samples,
            "seconds": round(seconds, 1),
            "hardware": describe_device(self.device),
            "processes": self.accelerator.num_processes,
            "precision": self.config.precision,
            "seed": self.objective.seed,
            "averaged_weights": self._ema is not None,
            "validation": self._validation,
            "objective": self.objective.config(),
            "trainer": self._trainer_settings(),
            "versions": {
                "python": platform.python_version(),
                "torch": torch.__version__,
                **{name: _version(name) for name in ("mov_ai", "accelerate", "diffusers")},
            },
        }
        result = {
            **card,
            "status": "finished",
            "loss": self.running_loss,
            "best": self._best,
            "skipped": self.skipped,
            "samples_per_second": self.samples / max(seconds, 1e-9),
            "parameters": sum(parameter.numel() for parameter in self._parameters),
            "export": str(self.directory / "export"),
        }
        if self.accelerator.is_main_process:
            self._export(card)
            write_json(self.directory / "result.json", result)
        self.accelerator.wait_for_everyone()
        return result

    def _export(self, card: dict[str, Any]) -> None:
        place = self.directory / "export"
        temporary = self.directory / f".export.{os.getpid()}.tmp"
        try:
            with self._writing():
                temporary.mkdir()
                with self._judging() as module:
                    self.objective.export(module, temporary, card)
                if place.exists():
                    shutil.rmtree(place)
                temporary.rename(place)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


class _Window:
    """Means of the terms since the last log. Terms stay on the device until then, so that a GPU need not wait."""

    def __init__(self, step: int, samples: int) -> None:
        self.step, self.samples, self.start = step, samples, time.monotonic()
        self._sums: dict[str, Any] = {}
        self._counts: dict[str, int] = {}

    def add(self, terms: dict[str, float | torch.Tensor]) -> None:
        for name, value in terms.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._counts[name] = self._counts.get(name, 0) + 1

    def means(self) -> dict[str, float]:
        return {name: float(value) / self._counts[name] for name, value in self._sums.items()}
