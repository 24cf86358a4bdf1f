"""The training loop: one for every network, resumable to the bit, bounded by steps or by time."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import InitProcessGroupKwargs, send_to_device, set_seed

from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import write_json
from mov_ai.hardware import multiplies_bfloat16
from mov_ai.memory import GIB, free_memory, is_out_of_memory, training_memory
from mov_ai.training.batches import batch_numbers, numbered_batches, seed_noise
from mov_ai.training.checkpoint import Checkpoint, TrainingState, checkpoint_steps
from mov_ai.training.display import Display
from mov_ai.training.objective import Objective
from mov_ai.training.processes import check_alike, check_launch, everywhere, lost_process, on_main, wait_for_main
from mov_ai.training.random_states import random_states, set_random_states
from mov_ai.training.reporting import Moment, Report, Window, describe_device, versions
from mov_ai.training.resuming import check_objective, checkpoint_to_resume, warn_of_changes
from mov_ai.training.run_folder import RunFolder
from mov_ai.training.settings import TrainerConfig, batches_of_a_step, learning_rate_factor, run_progress
from mov_ai.training.stopping import StopSignals, TrainingInterrupted
from mov_ai.training.trained_network import TrainedNetwork, recomputable_blocks

log = logging.getLogger(__name__)

_LONGEST_WAIT = timedelta(hours=12)
BAD_STEPS_ALLOWED = 10
"""So many steps in a row may have a loss that is not finite; then the run stops."""


class Trainer:
    """Trains one objective in one folder. `run` is called once.

    Args:
        objective: the network, its data and its loss.
        config: how to train.
        directory: the run's folder (see `RunFolder`); made if absent. Constructing a `Trainer` writes nothing.

    Raises:
        UsageError: if the device or the precision is not to be had on this machine.
    """

    def __init__(self, objective: Objective, config: TrainerConfig, directory: str | Path) -> None:
        self.objective = objective
        self.config = config
        self.folder = RunFolder(Path(directory))
        self.report = Report(self.folder)
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        if config.device == "cuda" and not torch.cuda.is_available():
            raise UsageError("trainer.device: cuda, but torch sees no GPU here; use trainer.device=cpu or auto")
        if config.deterministic:
            # cuBLAS reads this when it starts; without it the deterministic mode refuses matrix products.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(config.deterministic)
        check_launch()
        if not torch.distributed.is_initialized():
            wait_for_main()
        # accelerate keeps device and precision for the whole process; a sweep trains several networks in one.
        AcceleratorState._reset_state(reset_partial_state=not torch.distributed.is_initialized())
        try:
            self.accelerator = Accelerator(
                cpu=config.device == "cpu",
                mixed_precision=config.precision,
                # Processes wait for the one that renders a cache or validates: longer than the ten minutes of NCCL.
                kwargs_handlers=[InitProcessGroupKwargs(timeout=_LONGEST_WAIT)],
            )
        except torch.distributed.DistError as error:
            raise MovAIError(
                f"the processes cannot reach one another ({str(error).splitlines()[0]}); check the address, the port "
                "and the number of processes that they were started with"
            ) from None
        except (ValueError, RuntimeError) as error:
            raise UsageError(f"trainer.precision: {config.precision} on {config.device}: {error}") from None
        if config.precision == "fp16" and self.accelerator.device.type == "cpu":
            raise UsageError("trainer.precision: fp16 needs a GPU; use bf16 or no")
        if config.precision == "bf16" and self.accelerator.device.type == "cpu" and not multiplies_bfloat16():
            log.warning(
                "trainer.precision: this processor has no instructions for bfloat16, with which training may be a "
                "hundred times slower than without: trainer.precision=no trains in float32"
            )
        self.device = self.accelerator.device
        self.processes = self.accelerator.num_processes
        if config.shard and self.processes == 1:
            log.warning("trainer.shard: one process has everything; start several with torchrun to share it out")
        #: Batches of each process for a step.
        self.accumulate = batches_of_a_step(config, objective.batch_size, self.processes)
        self.accelerator.gradient_accumulation_steps = self.accumulate
        self.generator = torch.Generator()
        self.step = 0
        self.samples = 0
        self.batches = 0
        self.skipped = 0
        self.skipped_in_a_row = 0
        self.running_loss: float | None = None
        self._earlier_seconds = 0.0
        self._session_start = time.monotonic()
        self._saved_step = self._validated_step = self._drawn_step = -1

    @property
    def seconds(self) -> float:
        """Time trained so far, over all sessions."""
        return self._earlier_seconds + time.monotonic() - self._session_start

    @property
    def moment(self) -> Moment:
        """How far the run is."""
        return Moment(self.step, self.seconds, self.samples)

    def run(self) -> dict[str, Any]:
        """Train to the end of the run, export, and return what `result.json` holds.

        Raises:
            TrainingInterrupted: after Ctrl-C or SIGTERM, with a checkpoint saved.
            UsageError: if the folder's checkpoint is of another network, `resume` names no checkpoint, or another run
                is training in the folder.
            MovAIError: if the folder cannot be written, or the loss stays not finite.
        """
        try:
            return self._run()
        except RuntimeError as error:
            if self.processes == 1 or not lost_process(error):
                raise
            raise MovAIError(
                "another process of this run has ended or cannot be reached any more; start all of them again to go on "
                f"from the last checkpoint, {self._last_checkpoint()}"
            ) from None

    def _run(self) -> dict[str, Any]:
        main = self.accelerator.is_main_process
        settings = {"trainer": self.config.to_json(), "objective": self.objective.config()}
        check_alike(versions(), settings)
        with contextlib.ExitStack() as stack:
            display = stack.enter_context(Display(enabled=main))
            on_main(lambda: stack.enter_context(self.folder.owned(self.config.resume == "never")))
            self._prepare(display)
            # After `prepare`: whether caches had to be built must not change the numbers that training draws.
            set_seed(self.objective.seed, device_specific=True)
            self._network = TrainedNetwork(self.objective.module(), self.config, self.accelerator)
            if main:
                self._tell_memory()
            self._resume()
            self._session_start = time.monotonic()
            display.start(self.step)
            if main:
                stack.enter_context(self.report.tensorboard(self.step))
            on_main(lambda: stack.enter_context(self.report.trackers(self.config.trackers, settings)))
            with StopSignals() as stop:
                try:
                    self._train(display, stop)
                    return self._finish()
                except Exception as error:
                    # The checkpoint that is being written becomes whole, if it still can.
                    with contextlib.suppress(MovAIError, RuntimeError):
                        self._network.wait_for_checkpoint()
                    if not is_out_of_memory(error):
                        raise
                    raise self._out_of_memory() from None

    def _prepare(self, display: Display) -> None:
        """Make what is missing of caches: all processes together what can be shared out, the main process the rest."""
        objective, process = self.objective, self.accelerator.process_index
        if self.processes > 1:
            everywhere(lambda: objective.prepare_share(self.device, display.preparing, process, self.processes))
        # What one process has made and stored, the others find.
        on_main(lambda: objective.prepare(self.device, display.preparing))
        if self.processes > 1:
            everywhere(lambda: None if process == 0 else objective.prepare(self.device, display.preparing))

    def _tell_memory(self) -> None:
        """Say before the first step what the network takes, whatever the batch."""
        trained = sum(parameter.numel() for parameter in self._network.parameters)
        frozen = sum(parameter.numel() for parameter in self._network.module.parameters()) - trained
        own = self._network.own_parameters
        needed = training_memory(own, frozen, self.config.optimizer, self.config.ema_decay > 0)
        free = free_memory(self.device)
        there = "" if free is None else f"; {free / GIB:.1f} GiB are free"
        log.info(
            "%.1f M parameters%s: weights, gradients, optimiser and average need %.1f GiB, and a batch of %d what its "
            "activations take%s",
            trained / 1e6,
            "" if own == trained else f", {own / 1e6:.1f} M in this process",
            needed / GIB,
            self.objective.batch_size,
            there,
        )

    def _out_of_memory(self) -> MovAIError:
        """What would need less: a smaller batch, as many samples a step all the same, or activations computed twice."""
        batch = self.objective.batch_size
        # A global batch already says how many samples a step takes.
        again = f" trainer.accumulate={2 * self.accumulate}" if self.config.global_batch is None else ""
        remedies = [f"objective.batch_size={batch // 2}{again}"] if batch > 1 else []
        if not self.config.recompute and recomputable_blocks(self.objective.module()):
            remedies.append("trainer.recompute=true")
        remedies += ["trainer.precision=bf16"] if self.config.precision == "no" else []
        remedies += ["a smaller model", "trainer=fsdp2 on several GPUs"]
        return MovAIError(
            f"not enough memory for a batch of {batch} at step {self.step}; use {' or '.join(remedies[:2])}, and run "
            "the same command again to go on from the last checkpoint"
        )

    def _resume(self) -> None:
        chosen = checkpoint_to_resume(self.config.resume, self.folder.checkpoints)
        if chosen is None:
            return
        folder, checkpoint = chosen
        self._restore(folder, checkpoint)
        if self.accelerator.is_main_process:
            self.folder.forget_metrics_after(self.step)
            log.info("resumed from %s: step %d, %.1f minutes trained", folder, self.step, self._earlier_seconds / 60)
        if folder.parent.resolve() == self.folder.checkpoints.resolve():
            self._saved_step = self.step

    def _restore(self, folder: Path, checkpoint: Checkpoint) -> None:
        state = checkpoint.state
        check_objective(folder, state, self.objective.config())
        self._network.restore(folder, checkpoint)
        warn_of_changes(folder, state, self.config.to_json(), self.objective.config())
        self.step, self.samples = state.step, state.samples
        self.skipped, self.skipped_in_a_row = state.skipped, state.skipped_in_a_row
        self.running_loss = state.running_loss
        self._earlier_seconds = float(state.seconds)
        self.report.validation, self.report.best = state.validation, state.best
        saved_size = state.objective.get("batch_size", self.objective.batch_size)
        self.batches = state.batches if state.batches is not None else state.samples // saved_size
        if len(state.random) == self.processes:
            set_random_states(state.random[self.accelerator.process_index], self.generator)
        elif self.config.global_batch is None:
            log.warning(
                "%s: saved by %d processes, resumed by %d: a step takes %d samples now; set trainer.global_batch to "
                "keep it as it was",
                *(folder, len(state.random), self.processes),
                self.objective.batch_size * self.accumulate * self.processes,
            )

    def _train(self, display: Display, stop: StopSignals) -> None:
        config = self.config
        self._network.module.train()
        numbers = batch_numbers(self.batches, self.accelerator.process_index, self.processes)
        self._batches = iter(numbered_batches(self.objective, numbers, config.data_workers))
        saved_at = time.monotonic()
        window = Window(self.samples)
        while not self._agreed(run_progress(config, self.step, self.seconds) >= 1):
            window.add(self._one_step())
            if self.skipped_in_a_row >= BAD_STEPS_ALLOWED:
                raise self._diverged(f"the loss or its gradient was not finite {BAD_STEPS_ALLOWED} times in a row")
            if config.log_every and self.step % config.log_every == 0:
                self._log(window, display)
                window = Window(self.samples)
            display.update(
                step=self.step,
                share=run_progress(config, self.step, self.seconds),
                seconds=self.seconds,
                samples=self.samples,
                loss=self.running_loss,
            )
            if config.validate_every and self.step % config.validate_every == 0:
                self._validate()
            if config.sheet_every and self.step % config.sheet_every == 0:
                self._draw_sheet()
            minutes = (time.monotonic() - saved_at) / 60
            if self._agreed(
                (config.checkpoint_every_steps > 0 and self.step % config.checkpoint_every_steps == 0)
                or (config.checkpoint_every_minutes > 0 and minutes >= config.checkpoint_every_minutes)
            ):
                self._save()
                saved_at = time.monotonic()
            if self._agreed(stop.received is not None):
                self._save()
                self._network.wait_for_checkpoint()
                number = stop.received or signal.SIGTERM
                raise TrainingInterrupted(
                    f"stopped by {signal.Signals(number).name} at step {self.step}, saved in "
                    f"{self.folder.checkpoints}; run the same command again to go on",
                    number,
                )

    def _agreed(self, local_decision: bool) -> bool:
        """Whether any process decided so: clocks and signals differ between processes, but all must act alike."""
        return self._together(float(local_decision))[0] > 0

    def _together(self, *values: float) -> list[float]:
        """The sum of each value over the processes."""
        if self.processes == 1:
            return list(values)
        sums: list[float] = self.accelerator.reduce(torch.tensor(values, device=self.device), "sum").tolist()
        return sums

    def _one_step(self) -> dict[str, float | torch.Tensor]:
        """One optimiser step; returns the mean terms of this process, with `loss` and `gradient_norm`."""
        config, accelerator, network = self.config, self.accelerator, self._network
        rate = config.learning_rate * learning_rate_factor(config, self.step, self.seconds)
        if config.max_minutes is not None:
            # Clocks differ between processes, and copies of a network must not.
            rate = self._together(rate)[0] / self.processes
        network.set_rate(rate)
        sums: dict[str, float | torch.Tensor] = {}
        norm: torch.Tensor | None = None
        ok, mean = False, math.nan
        for _ in range(self.accumulate):
            started = time.monotonic()
            number, batch = next(self._batches)
            batch = send_to_device(batch, self.device)
            seed_noise(self.generator, self.objective.seed, number)
            waited = time.monotonic() - started
            with accelerator.accumulate(network.module):
                with accelerator.autocast():
                    loss, terms = self.objective.loss(network.module, batch, self.generator)
                accelerator.backward(loss)
                for name, value in {"loss": loss, **terms, "seconds_for_data": waited}.items():
                    value = value.detach() if isinstance(value, torch.Tensor) else value
                    sums[name] = sums.get(name, 0.0) + value / self.accumulate
                if accelerator.sync_gradients:
                    norm = network.clip_gradients(config.gradient_clip or math.inf)
                    # In fp16 the scaler itself skips overflowing gradients and lowers its scale.
                    watched = [sums["loss"]] if config.precision == "fp16" else [sums["loss"], norm]
                    bad = not all(math.isfinite(float(value)) for value in watched)
                    anywhere, total = self._together(float(bad), float(sums["loss"]))
                    ok, mean = anywhere == 0, total / self.processes
                    if ok:
                        network.step()
                network.zero_grad()
        self.step += 1
        self.batches += self.accumulate * self.processes
        self.samples += self.objective.batch_size * self.accumulate * self.processes
        if ok:
            self.skipped_in_a_row = 0
            self.running_loss = mean if self.running_loss is None else 0.98 * self.running_loss + 0.02 * mean
            network.update_average()
        else:
            self.skipped += 1
            self.skipped_in_a_row += 1
            log.warning("step %d: the loss or its gradient is not finite; the step is skipped", self.step)
        return {**sums, "gradient_norm": norm if norm is not None else 0.0, "learning_rate": rate}

    def _last_checkpoint(self) -> str:
        saved_steps = checkpoint_steps(self.folder.checkpoints)
        return f"of step {saved_steps[-1]}" if saved_steps else "not made yet"

    def _diverged(self, what: str) -> MovAIError:
        return MovAIError(
            f"{what} at step {self.step}; lower trainer.learning_rate or trainer.gradient_clip, or use "
            f"trainer.precision=no; the last good checkpoint is {self._last_checkpoint()}"
        )

    def _log(self, window: Window, display: Display) -> None:
        means, rate = Window.means(everywhere(window.totals)), window.rate(self.samples)
        if self.accelerator.is_main_process:
            self.report.training(self.moment, {**means, "samples_per_second": rate})
            share = run_progress(self.config, self.step, self.seconds)
            display.line(self.step, share, self.seconds, means["loss"], rate)

    def _validate(self) -> None:
        if self._validated_step == self.step:
            return
        self._validated_step = self.step
        with self._network.judged(self.generator) as module:
            if self.accelerator.is_main_process:
                figures = {name: float(value) for name, value in self.objective.validate(module).items()}
        if self.accelerator.is_main_process:
            self.report.validated(self.moment, figures)
        self.accelerator.wait_for_everyone()

    def _draw_sheet(self) -> None:
        if self._drawn_step == self.step:
            return
        self._drawn_step = self.step
        with self._network.judged(self.generator) as module:
            if self.accelerator.is_main_process:
                sheet = self.objective.sample_sheet(module)
                videos = self.objective.sample_videos(module)
        if self.accelerator.is_main_process:
            if sheet is not None:
                self.report.sheet(self.moment, sheet)
            for name, (frames, fps) in videos.items():
                self.report.video(self.moment, name, frames, fps)
        self.accelerator.wait_for_everyone()

    def _save(self) -> None:
        if self._saved_step == self.step:
            return
        if self._agreed(not self._network.finite()):
            raise self._diverged("the weights are not finite")
        state = TrainingState(
            step=self.step,
            seconds=self.seconds,
            samples=self.samples,
            skipped=self.skipped,
            skipped_in_a_row=self.skipped_in_a_row,
            running_loss=self.running_loss,
            random=everywhere(lambda: random_states(self.generator)),
            objective=self.objective.config(),
            trainer=self.config.to_json(),
            validation=self.report.validation,
            best=self.report.best,
            batches=self.batches,
            **self._network.counters(),
        )
        everywhere(lambda: self._network.save(self.folder.checkpoints, state, self.config.keep))
        self._saved_step = self.step

    def _finish(self) -> dict[str, Any]:
        """Save, judge, export; return and write the result."""
        seconds = self.seconds
        self._save()
        self._network.wait_for_checkpoint()
        self._validate()
        self._draw_sheet()
        card = {
            "steps": self.step,
            "samples": self.samples,
            "seconds": round(seconds, 1),
            "hardware": describe_device(self.device),
            "processes": self.processes,
            "precision": self.config.precision,
            "seed": self.objective.seed,
            "averaged_weights": self._network.averaging,
            "validation": self.report.validation,
            "objective": self.objective.config(),
            "trainer": self.config.to_json(),
            "versions": versions(),
        }
        result = {
            **card,
            "status": "finished",
            "loss": self.running_loss,
            "best": self.report.best,
            "skipped": self.skipped,
            "samples_per_second": self.samples / max(seconds, 1e-9),
            "parameters": sum(parameter.numel() for parameter in self._network.parameters),
            "export": str(self.folder.export),
        }
        with self._network.judged(self.generator) as module:
            if self.accelerator.is_main_process:
                with self.folder.exporting() as place:
                    self.objective.export(module, place, card)
                write_json(self.folder.result, result)
        self.accelerator.wait_for_everyone()
        return result
