"""Stopping a run between two steps: Ctrl-C and SIGTERM become a request that the loop sees."""

from __future__ import annotations

import contextlib
import signal
from typing import Any

from mov_ai.errors import MovAIError


class TrainingInterrupted(MovAIError):
    """The run was asked to stop (Ctrl-C or SIGTERM), saved a checkpoint and can be resumed."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


class StopSignals:
    """Turns the first Ctrl-C or SIGTERM into a request that the loop sees between steps; a second one acts at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        # Only the main thread may set handlers; elsewhere signals stay as they are.
        with contextlib.suppress(ValueError):
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
