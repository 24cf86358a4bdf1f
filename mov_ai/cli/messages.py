"""What the command says: one line at a time, whatever stands in the files that it read or was typed into it."""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from collections.abc import Iterator

#: Longer messages lose their middle: what is wrong stands at the start, what to do at the end.
MAX_LENGTH = 600


def escaped_text(text: str) -> str:
    """Text with line ends, terminal controls and other invisible characters written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def one_line(text: str) -> str:
    """The same, without its middle where it is long."""
    escaped = escaped_text(text)
    if len(escaped) > MAX_LENGTH:
        half = MAX_LENGTH // 2
        escaped = f"{escaped[:half]} ... {escaped[-half:]}"
    return escaped


def say(text: str) -> None:
    """One line on standard error."""
    print(f"mov-ai: {one_line(text)}", file=sys.stderr, flush=True)  # noqa: T201


def tell(text: str) -> None:
    """Lines on standard output, with words of files in them that may be no words."""
    for line in text.split("\n"):
        print(one_line(line))  # noqa: T201


def tell_json(value: object) -> None:
    """A value as JSON on standard output; what steers a terminal stands in it as JSON's own escapes."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    # Only inside strings is there anything that cannot be printed, but for the ends of lines.
    print("".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text))  # noqa: T201


@contextlib.contextmanager
def spoken_warnings() -> Iterator[None]:
    """Users' warnings raised inside become one line each on standard error, at the end."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in caught:
        say(f"warning: {warning.message}")
