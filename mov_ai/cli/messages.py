"""What the command says on standard error: always one line, whatever a user typed into it."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator

#: Longer messages lose their middle: what is wrong stands at the start, what to do at the end.
MAX_LENGTH = 600


def one_line(text: str) -> str:
    """Text with line ends, terminal controls and other invisible characters written as escapes."""
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    if len(escaped) > MAX_LENGTH:
        half = MAX_LENGTH // 2
        escaped = f"{escaped[:half]} ... {escaped[-half:]}"
    return escaped


def say(text: str) -> None:
    """One line on standard error."""
    print(f"mov-ai: {one_line(text)}", file=sys.stderr, flush=True)  # noqa: T201


@contextlib.contextmanager
def spoken_warnings() -> Iterator[None]:
    """Users' warnings raised inside become one line each on standard error, at the end."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in caught:
        say(f"warning: {warning.message}")
