"""Commands that a study runs one after another until its minutes are over; the same command goes on where it was."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mov_ai.errors import MovAIError

#: Runs a command; its exit code, or None if it had to be stopped after the seconds given.
Runner = Callable[[list[str], float | None], int | None]


def call(command: list[str], seconds: float | None) -> int | None:
    """Run a command with this process's output; after `seconds` it is asked to end, and waited for."""
    with subprocess.Popen(command) as process:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()
            return None


class TimeUp(MovAIError):
    """The minutes are over."""

    exit_code = 0


def deadline_in(minutes: float | None) -> float | None:
    """The moment of `time.monotonic` that is so many minutes from now; None for none."""
    return None if minutes is None else time.monotonic() + 60 * minutes


@dataclass(kw_only=True)
class BoundedStudy:
    """What runs commands until a deadline.

    Attributes:
        run: runs a command.
        deadline: of `time.monotonic`; None for none.
    """

    run: Runner = call
    deadline: float | None = None

    def check_time(self) -> None:
        """Raises TimeUp if the minutes are over."""
        if self._left() == 0:
            raise TimeUp("time is up; the same command goes on")

    def run_module(self, module: str, given: Sequence[str], what: str) -> None:
        """Run `python -m module` with arguments.

        Args:
            what: names the work in messages.

        Raises:
            TimeUp: if the deadline came first. MovAIError: if the command fails.
        """
        self.check_time()
        code = self.run([sys.executable, "-m", module, *given], self._left())
        if code is None:
            raise TimeUp(f"{what} was stopped, for time is up; the same command goes on")
        if code:
            raise MovAIError(f"{what} ended with exit code {code}; the same command goes on")

    def _left(self) -> float | None:
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
