"""Errors that a user sees: one line each, with the exit code of the command line."""

from __future__ import annotations


class MovAIError(Exception):
    """The work failed (no disk space, a truncated checkpoint). The message names the input and the remedy."""

    exit_code = 1


class UsageError(MovAIError):
    """The request itself is wrong (a bad graph, an unknown device). The message names the input and the remedy."""

    exit_code = 2
