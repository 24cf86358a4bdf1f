"""How far a measurement has come: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track

_Thing = TypeVar("_Thing")


def shown(stream: Iterable[_Thing], title: str, console: Console, total: int | None = None) -> Iterable[_Thing]:
    """The stream, with a bar that is gone when it ends.

    Args:
        total: how many things it holds; its length if None.
    """
    return track(stream, title, total=total, console=console, transient=True, disable=not console.is_terminal)
