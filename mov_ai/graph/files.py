"""Reading and writing JSON: strict on the way in, all-or-nothing on the way out."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from mov_ai.errors import MovAIError, UsageError


def _reject_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number that JSON allows")


def parse_json(text: str, source: str) -> Any:
    """Parse JSON text, refusing NaN and Infinity.

    Raises:
        UsageError: with `source`, line and column, if the text is not JSON.
    """
    try:
        return json.loads(text, parse_constant=_reject_constant)
    except json.JSONDecodeError as error:
        raise UsageError(f"{source}: line {error.lineno}, column {error.colno}: {error.msg}; expected JSON") from None
    except RecursionError:
        raise UsageError(f"{source}: brackets are nested too deeply; expected JSON of a few levels") from None
    except ValueError as error:
        raise UsageError(f"{source}: {error}; expected JSON with finite numbers") from None


def read_json(path: str | Path) -> Any:
    """Read a JSON file (UTF-8).

    Raises:
        UsageError: if the file cannot be read or does not hold JSON.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{path}: expected a UTF-8 JSON file, found other bytes") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give a JSON file that exists") from None
    return parse_json(text, str(path))


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file completely or not at all (temporary file in the same folder, then rename).

    Raises:
        MovAIError: if the place cannot be written or the disk is full; no partial file is left.
    """
    path = Path(path)
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        reason = error.strerror
        raise MovAIError(f"{path}: cannot be written ({reason}); choose another place or free disk space") from None


def write_json(path: str | Path, value: Any) -> None:
    """Write a value as indented UTF-8 JSON, all or nothing.

    Raises:
        MovAIError: as `write_bytes`, and for NaN, infinity or half a surrogate pair, which such a file cannot hold.
    """
    try:
        content = (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")
    except ValueError as error:
        raise MovAIError(f"{path}: not written ({error}); expected finite numbers and whole characters") from None
    write_bytes(path, content)
