"""Arrays that take long to make, kept in a file."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mov_ai.graph.files import write_bytes


def cached_arrays(path: Path, build: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The arrays of an .npz file; where it is not there they are built, and it is written, whole or not at all.

    Args:
        path: its name must change with whatever the arrays depend on.
        build: called without a file only.

    Raises:
        MovAIError: if the file cannot be written.
    """
    if path.is_file():
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    arrays = build()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue())
    return arrays
