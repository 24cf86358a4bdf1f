"""What no input may ever make the program do: connect, start a program, read a pickle."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

_watched: list[str] | None = None
_installed = False
#: Python's own names of these acts, see `sys.audit`.
_EVENTS = {
    "socket.connect": "connects to the network",
    "socket.getaddrinfo": "asks for an address in the network",
    "subprocess.Popen": "starts a program",
    "os.system": "starts a program",
    "os.exec": "starts a program",
    "pickle.find_class": "reads a pickle",
}


def _hook(event: str, _arguments: Any) -> None:
    if _watched is not None and event in _EVENTS:
        _watched.append(_EVENTS[event])
        raise RuntimeError(f"forbidden: an input {_EVENTS[event]}")


@contextlib.contextmanager
def watched() -> Iterator[list[str]]:
    """While it lasts, forbidden acts fail and stand in the list."""
    global _watched, _installed
    if not _installed:
        # An audit hook cannot be taken away again.
        sys.addaudithook(_hook)
        _installed = True
    acts: list[str] = []
    _watched = acts
    try:
        yield acts
    finally:
        _watched = None
