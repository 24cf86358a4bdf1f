"""One pass over a stream of videos in which everything is measured; only what was measured is kept."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike
from rich.console import Console
from rich.progress import Progress

from mov_ai.errors import MovAIError
from mov_ai.evaluation.metrics.folders import Video
from mov_ai.evaluation.metrics.result import Absent, Settings

_Thing = TypeVar("_Thing")
#: What is measured together: one video, or a video and its reference; the first one's name is the name of both.
Item = tuple[Video, ...]


@dataclass(frozen=True)
class Quantity:
    """Something that is measured on each video, or pair of videos.

    Attributes:
        name: unique in a pass.
        measure: takes a few items, gives a number or an array for each; None where there is nothing to measure.
        parameters: what else the values depend on, in words; part of the name under which they may be kept.
    """

    name: str
    measure: Callable[[Sequence[Item]], Sequence[ArrayLike | None]]
    network: str | None = None
    weights: str | None = None
    parameters: str = ""


@dataclass
class Values:
    """What a pass found.

    Attributes:
        names: of all videos, in the order in which they came.
        of: quantity -> name of the video -> value.
        seconds: quantity -> wall seconds of the whole pass.
        absent: quantities that could not be measured on some video, and so are not there at all.
    """

    settings: Settings
    names: list[str] = field(default_factory=list)
    of: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    absent: dict[str, Absent] = field(default_factory=dict)

    def stack(self, quantity: str) -> np.ndarray:
        """(N, ...) float64 in the order of the names; N counts only the videos that have a value."""
        values = self.of.get(quantity, {})
        return np.asarray([values[name] for name in self.names if name in values], dtype=np.float64)

    def seconds_per(self, number: int, quantity: str) -> float:
        """Wall seconds for so many videos."""
        measured = len(self.of.get(quantity, {}))
        return self.seconds.get(quantity, 0.0) / measured * number if measured else 0.0


def each(measure: Callable[..., ArrayLike | None]) -> Callable[[Sequence[Item]], list[ArrayLike | None]]:
    """A `Quantity.measure` from a function of one item's videos; an error names the video."""

    def of_all(items: Sequence[Item]) -> list[ArrayLike | None]:
        values = []
        for item in items:
            try:
                values.append(measure(*item))
            except MovAIError as error:
                raise type(error)(f"{item[0].name}: {error}") from None
        return values

    return of_all


def measure(items: Iterable[Item], quantities: Sequence[Quantity], settings: Settings, batch: int = 4) -> Values:
    """Measure all quantities on every item, `batch` at a time, which is all that memory holds; names differ."""
    values = Values(settings, of={quantity.name: {} for quantity in quantities})
    stream = iter(items)
    while chunk := list(itertools.islice(stream, batch)):
        names = [item[0].name for item in chunk]
        values.names += names
        for quantity in quantities:
            if quantity.name in values.absent:
                continue
            started = time.perf_counter()
            try:
                measured = quantity.measure(chunk)
            except MovAIError as error:
                # One figure less, not no report: the others do not depend on it.
                values.absent[quantity.name] = because(error)
                values.of.pop(quantity.name)
                continue
            spent = time.perf_counter() - started
            values.seconds[quantity.name] = values.seconds.get(quantity.name, 0.0) + spent
            for name, value in zip(names, measured, strict=True):
                if value is not None:
                    values.of[quantity.name][name] = np.asarray(value)
        # Before the next are read: videos are the largest thing in memory.
        del chunk
    return values


def alone(videos: Iterable[Video]) -> Iterator[Item]:
    """Each video as an item of its own; none is held here while the next is read."""
    return map(_alone, videos)


def _alone(video: Video) -> Item:
    return (video,)


def because(error: MovAIError) -> Absent:
    """A metric's absence from the error that stopped it: what is wrong, and what to do."""
    reason, _, remedy = str(error).rpartition("; ")
    return Absent(reason or remedy, remedy if reason else "give other videos")


def shown(stream: Iterable[_Thing], title: str, console: Console, total: int | None = None) -> Iterator[_Thing]:
    """The stream, on a terminal with a bar that is gone when it ends; `total` is its length if not given."""
    if total is None and isinstance(stream, Sized):
        total = len(stream)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task, things = progress.add_task(title, total=total), iter(stream)
        while True:
            # Never in a variable: it would hold a video while the next is read.
            try:
                yield next(things)
            except StopIteration:
                return
            progress.advance(task)
