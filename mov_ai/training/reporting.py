"""What a training run tells: lines on the terminal, `metrics.jsonl`, TensorBoard, sheets, and its card."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import io
import logging
import math
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import PIL.Image
import torch

from mov_ai.data.video import write_video
from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import write_bytes
from mov_ai.hardware import processor
from mov_ai.training.checkpoint import finite_or_none
from mov_ai.training.run_folder import RunFolder

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker
    from torch.utils.tensorboard import SummaryWriter

log = logging.getLogger(__name__)


class Moment(NamedTuple):
    """How far a run is: steps done, seconds trained over all sessions, samples seen."""

    step: int
    seconds: float
    samples: int


class Window:
    """Means of the terms since the last log. Terms stay on the device until then, so that a GPU need not wait."""

    def __init__(self, samples: int) -> None:
        self._samples, self._start = samples, time.monotonic()
        self._sums: dict[str, Any] = {}
        self._counts: dict[str, int] = {}

    def add(self, terms: Mapping[str, float | torch.Tensor]) -> None:
        """Take in the terms of one step."""
        for name, value in terms.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._counts[name] = self._counts.get(name, 0) + 1

    def totals(self) -> dict[str, tuple[float, int]]:
        """Of each term, its sum and how many were taken in."""
        return {name: (float(value), self._counts[name]) for name, value in self._sums.items()}

    @staticmethod
    def means(totals: Sequence[Mapping[str, tuple[float, int]]]) -> dict[str, float]:
        """The mean of each term over all processes, from the `totals` of each."""
        names = dict.fromkeys(name for of_process in totals for name in of_process)
        found = {name: [of_process[name] for of_process in totals if name in of_process] for name in names}
        return {name: sum(s for s, _ in pairs) / sum(count for _, count in pairs) for name, pairs in found.items()}

    def rate(self, samples: int) -> float:
        """Samples per second, now that `samples` are seen in all."""
        return (samples - self._samples) / max(time.monotonic() - self._start, 1e-9)


class Report:
    """The figures of a run, kept and written by the main process.

    Args:
        folder: of the run.

    Attributes:
        validation: the latest validation figures.
        best: per validation figure, its lowest and highest value so far and the steps they were seen at.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._writer: SummaryWriter | None = None
        self._trackers: list[GeneralTracker] = []
        self.validation: dict[str, float | None] = {}
        self.best: dict[str, Any] = {}

    @contextlib.contextmanager
    def tensorboard(self, step: int) -> Iterator[None]:
        """Keep TensorBoard's files open; what they hold of later steps is forgotten."""
        from torch.utils.tensorboard import SummaryWriter

        with self._folder.writing():
            place = str(self._folder.directory / "tensorboard")
            writer = self._writer = SummaryWriter(place, purge_step=step + 1 if step else None)
        try:
            yield
        except BaseException:
            # A disk that is full fails here as well, and must not hide the error that says so.
            with contextlib.suppress(OSError):
                writer.close()
            raise
        with self._folder.writing():
            writer.close()

    @contextlib.contextmanager
    def trackers(self, names: Sequence[str], settings: Mapping[str, Any]) -> Iterator[None]:
        """Tell services of `TrainerConfig.trackers` the figures too; a resumed run goes on in the service's own run.

        Raises:
            UsageError: if one is not installed.
            MovAIError: if one does not start, as without a login.
        """
        folder = self._folder.directory.resolve()
        name = f"{folder.name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
        for service in names:
            if importlib.util.find_spec(service) is None:
                raise UsageError(
                    f"trainer.trackers: {service} is not installed; pip install {service}, or leave it out"
                )
            from accelerate.tracking import LOGGER_TYPE_TO_CLASS

            own = {"id": name, "dir": str(folder)} if service == "wandb" else {}
            tracker = LOGGER_TYPE_TO_CLASS[service]("mov_ai", name=name, resume="allow", **own)
            try:
                tracker.start()
                tracker.store_init_configuration(dict(settings))
            except Exception as error:
                reason = " ".join(str(error).split())
                raise MovAIError(
                    f"trainer.trackers: {service} does not start ({type(error).__name__}: {reason}); see to it, or "
                    "leave it out"
                ) from None
            self._trackers.append(tracker)
        try:
            yield
        finally:
            for tracker in self._trackers:
                tracker.finish()
            self._trackers.clear()

    def training(self, at: Moment, figures: Mapping[str, float]) -> None:
        """Means of the loss terms since the last such report."""
        self._scalars("train", at, figures)
        self._metrics(at, figures)

    def validated(self, at: Moment, figures: Mapping[str, float]) -> None:
        """Figures on data that is not trained on."""
        self.validation = {name: finite_or_none(value) for name, value in figures.items()}
        self._scalars("validation", at, figures)
        for name, value in figures.items():
            if math.isfinite(value):
                best = self.best.setdefault(
                    name, {"lowest": value, "lowest_step": at.step, "highest": value, "highest_step": at.step}
                )
                if value < best["lowest"]:
                    best.update(lowest=value, lowest_step=at.step)
                if value > best["highest"]:
                    best.update(highest=value, highest_step=at.step)
        if figures:
            self._metrics(at, {f"validation/{name}": value for name, value in figures.items()})
            log.info("step %d: %s", at.step, ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))

    def sheet(self, at: Moment, sheet: PIL.Image.Image) -> None:
        """A picture of what the network does now."""
        content = io.BytesIO()
        sheet.save(content, "png")
        write_bytes(self._folder.directory / "sheets" / f"step_{at.step:08d}.png", content.getvalue())
        if self._writer is not None:
            with self._folder.writing():
                self._writer.add_image("sheet", np.asarray(sheet.convert("RGB")), at.step, dataformats="HWC")

    def video(self, at: Moment, name: str, frames: np.ndarray, fps: float) -> None:
        """A video that the network makes now; frames: uint8 (frames, height, width, 3)."""
        write_video(self._folder.directory / "sheets" / f"step_{at.step:08d}_{name}.mp4", frames, fps)

    def _scalars(self, group: str, at: Moment, figures: Mapping[str, float]) -> None:
        if self._writer is not None:
            with self._folder.writing():
                for name, value in figures.items():
                    self._writer.add_scalar(f"{group}/{name}", value, at.step)
        for tracker in self._trackers:
            tracker.log({f"{group}/{name}": value for name, value in figures.items()}, step=at.step)

    def _metrics(self, at: Moment, figures: Mapping[str, float]) -> None:
        row = {"step": at.step, "seconds": round(at.seconds, 3), "samples": at.samples}
        self._folder.add_metrics({**row, **{name: finite_or_none(value) for name, value in figures.items()}})


def describe_device(device: torch.device) -> str:
    """The hardware in words, for cards and tables."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{processor()}, {torch.get_num_threads()} thread(s)"


def versions() -> dict[str, str | None]:
    """Versions of what decides a run's numbers, for cards."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        **{name: _version(name) for name in ("mov_ai", "accelerate", "diffusers")},
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
