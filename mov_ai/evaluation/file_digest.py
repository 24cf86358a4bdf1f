"""One SHA-256 of the content of files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from mov_ai.errors import MovAIError


def sha256_of(paths: Iterable[Path]) -> str:
    """Hexadecimal, of the files' content one after the other, in blocks: memory does not grow with their size.

    Raises:
        MovAIError: if a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                for block in iter(lambda: file.read(1 << 20), b""):
                    digest.update(block)
        except OSError as error:
            raise MovAIError(f"{path}: cannot be read ({error.strerror}); check the file") from None
    return digest.hexdigest()
