"""What a training run shows while it goes on: one moving line on a terminal, plain log lines elsewhere."""

from __future__ import annotations

import logging
import sys
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

log = logging.getLogger(__name__)


class Display:
    """A context in which progress is shown.

    Args:
        enabled: False in all processes but one.
    """

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._streams: list[tuple[logging.StreamHandler[Any], Any]] = []
        if enabled and sys.stderr.isatty():
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f}%"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[figures]}"),
                console=Console(stderr=True),
            )

    def __enter__(self) -> Display:
        if self._progress is not None:
            self._progress.start()
            # Log lines go through the moving line's console while it lives; else the two overwrite each other.
            for handler in logging.getLogger().handlers:
                if type(handler) is logging.StreamHandler:
                    self._streams.append((handler, handler.setStream(sys.stderr)))
        return self

    def __exit__(self, *error: object) -> None:
        if self._progress is not None:
            for handler, stream in self._streams:
                handler.setStream(stream)
            self._progress.stop()

    def preparing(self, done: int, total: int, what: str) -> None:
        """Show that `done` of `total` parts of `what` are ready. Without a terminal: every tenth of the way."""
        if self._progress is not None:
            if self._task is None:
                self._task = self._progress.add_task(what, total=total, figures="")
            self._progress.update(self._task, description=what, completed=done, total=total)
        elif self._enabled and (done == total or done * 10 // max(total, 1) != (done - 1) * 10 // max(total, 1)):
            log.info("%s: %d of %d", what, done, total)

    def start(self, step: int) -> None:
        """Preparation is over; training begins at `step`."""
        if self._progress is not None:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task = self._progress.add_task(f"step {step}", total=1.0, figures="")

    def update(self, *, step: int, share: float, seconds: float, samples: int, loss: float | None) -> None:
        """Move the line: `share` of the run is done, after `seconds` and `samples`, at a running mean `loss`."""
        if self._progress is not None and self._task is not None:
            words = "-" if loss is None else f"{loss:.4g}"
            rate = samples / max(seconds, 1e-9)
            figures = f"loss {words}  {rate:.3g} samples/s  {_time_left(share, seconds)} left"
            self._progress.update(self._task, description=f"step {step}", completed=min(share, 1.0), figures=figures)

    def line(self, step: int, share: float, seconds: float, loss: float, rate: float) -> None:
        """A plain line, where there is no moving one; `rate` in samples per second."""
        if self._progress is None:
            time_left = _time_left(share, seconds)
            log.info("step %d  loss %.5g  %.3g samples/s  %s left", step, loss, rate, time_left)


def _time_left(share: float, seconds: float) -> str:
    seconds_left = int(seconds * max(0.0, 1 - share) / max(share, 1e-9))
    return f"{seconds_left // 3600}:{seconds_left // 60 % 60:02d}:{seconds_left % 60:02d}"
