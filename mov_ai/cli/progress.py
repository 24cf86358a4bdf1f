"""How far a generation has come: a bar per stage with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

#: Without a terminal, a stage that goes on says so this often, in seconds.
LINE_EVERY = 10.0


def seconds_left(done: int, total: int, elapsed: float) -> float | None:
    """Seconds until `total` at the pace so far; None before the first step is done."""
    return elapsed / done * (total - done) if done else None


class _TimeLeft(ProgressColumn):
    """Rich's own estimate needs several steps, and a stage may have two; this one starts with the first."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        if task.finished:
            return Text(f"{task.finished_time or 0:.1f} s", "green")
        if task.total is None or not task.started:
            return Text("waiting", "dim")
        # As told when the last step was done, less the time since.
        spent = task.fields.get("spent", 0.0)
        left = seconds_left(int(task.completed), int(task.total), spent)
        if left is None:
            return Text("...", "cyan")
        return Text(f"{max(left + spent - (task.elapsed or 0), 0):.0f} s left", "cyan")


class StageProgress:
    """A context whose `report` is the pipeline's `callback`, for the stages that will run.

    `name` stands before each stage, such as "2/4", where several videos are made; `note` is said before the first one.
    """

    def __init__(
        self, stages: Sequence[int | str], name: str = "", clock: Callable[[], float] = time.monotonic, note: str = ""
    ) -> None:
        self._note = note
        self._prefix = f"{name} " if name else ""
        self._stages = [str(size) for size in stages]
        self._console = Console(stderr=True)
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._clock = clock
        self._began = self._said = clock()
        self._running = ""

    def __enter__(self) -> StageProgress:
        if self._console.is_terminal:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                _TimeLeft(),
                console=self._console,
                get_time=self._clock,
            )
            for stage in self._stages:
                label = f"{self._prefix}stage {stage}"
                self._tasks[stage] = self._progress.add_task(label, total=None, start=False)
            self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def report(self, part: str, done: int, total: int) -> None:
        """Take note of `done` of `total` steps of a part; see `mov_ai.pipeline.ProgressCallback`."""
        now = self._clock()
        if part == "plan" and done == total and self._note:
            self._console.print(self._note, highlight=False, markup=False, soft_wrap=True)
        if part == "decode" or (part == "plan" and done == total):
            # The next stage's first step has begun; its end is the first that is heard of the stage itself.
            later = self._stages[self._stages.index(self._running) + 1 :] if self._running else self._stages
            self._start(later[0] if later else "", now)
        elif part in self._stages:
            self._advance(part, done, total, now)

    def _start(self, stage: str, now: float) -> None:
        self._began = self._said = now
        if stage and self._progress is not None:
            self._progress.start_task(self._tasks[stage])

    def _advance(self, stage: str, done: int, total: int, now: float) -> None:
        self._running = stage
        spent = now - self._began
        if self._progress is not None:
            self._progress.update(self._tasks[stage], completed=done, total=total, spent=spent)
        elif done == total:
            word = "step" if total == 1 else "steps"
            self._console.print(f"{self._prefix}stage {stage}: {total} {word} in {spent:.1f} s", highlight=False)
        elif now - self._said >= LINE_EVERY:
            left = seconds_left(done, total, spent) or 0
            line = f"{self._prefix}stage {stage}: {done} of {total} steps, {left:.0f} s left"
            self._console.print(line, highlight=False)
            self._said = now


class FrameProgress:
    """A context whose `report_frames` is told how many frames of a long video are done.

    `name` stands before each line, such as "2/4", where several videos are made; `note` is said first.
    """

    def __init__(self, name: str = "", clock: Callable[[], float] = time.monotonic, note: str = "") -> None:
        self._prefix, self._note, self._clock = f"{name} " if name else "", note, clock
        self._console = Console(stderr=True)
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._began = self._said = clock()

    def __enter__(self) -> FrameProgress:
        if self._note:
            self._console.print(self._note, highlight=False, markup=False, soft_wrap=True)
        if self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _TimeLeft())
            self._progress = Progress(*columns, console=self._console, get_time=self._clock)
            self._task = self._progress.add_task(f"{self._prefix}frames", total=None)
            self._progress.start()
        self._began = self._said = self._clock()
        return self

    def __exit__(self, *error: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def report_frames(self, done: int, total: int) -> None:
        """Take note of frames that are done."""
        now = self._clock()
        spent = now - self._began
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, total=total, spent=spent)
        elif done == total or now - self._said >= LINE_EVERY:
            left = seconds_left(done, total, spent) or 0
            rest = "" if done == total else f", about {left:.0f} s left"
            self._console.print(f"{self._prefix}{done} of {total} frames in {spent:.1f} s{rest}", highlight=False)
            self._said = now
