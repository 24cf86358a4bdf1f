"""Errors that a user sees: one line each, with the exit code of the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable


class MovAIError(Exception):
    """The work failed (no disk space, a truncated checkpoint). The message names the input and the remedy."""

    exit_code = 1


class UsageError(MovAIError):
    """The request itself is wrong (a bad graph, an unknown device). The message names the input and the remedy."""

    exit_code = 2


def shown(value: object, most: int = 60) -> str:
    """A value as a message shows it: in one line, cut off after so many characters."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        # A whole number of thousands of digits has no text either.
        text = f"{type(value).__name__}, too large to show"
    return text if len(text) <= most else text[: most - 3] + "..."


def run_script(name: str, work: Callable[[], object], interrupted: str = "stopped") -> int:
    """Do a script's work.

    Args:
        name: of the script, put before its messages.
        work: what it does.
        interrupted: what is said after Ctrl-C.

    Returns:
        Exit code: 0 done, an expected error's own with one line on stderr, 130 interrupted.
    """
    try:
        work()
    except MovAIError as error:
        sys.stderr.write(f"{name}: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write(f"{name}: {interrupted}\n")
        return 130
    return 0
