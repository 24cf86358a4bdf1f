"""Arrays and samples that take long to make, kept in a file."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import numpy as np

from mov_ai.graph.files import write_bytes

_T = TypeVar("_T")


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


def cached_samples(path: Path, kind: type[_T], build: Callable[[], Iterable[_T]]) -> list[_T]:
    """Samples of a dataclass of arrays, kept as `cached_arrays` are; fields that are no arrays come back as ()."""
    return unpack(cached_arrays(path, lambda: pack(list(build()))), kind)


def fingerprint(folder: Path, facts: Any) -> str:
    """16 hexadecimal digits that change with every file of a folder and with the facts, which are JSON values."""
    digest = hashlib.sha256(json.dumps(facts).encode())
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def pack(samples: Sequence[Any], prefix: str = "") -> dict[str, np.ndarray]:
    """Samples, one or more, as a few flat arrays: of each field its values side by side, and their shapes."""
    packed: dict[str, np.ndarray] = {}
    for part in fields(samples[0]):
        values, name = [getattr(sample, part.name) for sample in samples], f"{prefix}{part.name}"
        if is_dataclass(values[0]):
            packed |= pack(values, f"{name} ")
        elif isinstance(values[0], np.ndarray):
            packed[name] = np.concatenate([array.ravel() for array in values])
            packed[f"{name} shape"] = np.array([array.shape for array in values])
    return packed


def unpack(packed: dict[str, np.ndarray], kind: type[_T], prefix: str = "") -> list[_T]:
    """The samples that `pack` packed."""
    columns: list[Iterable[Any]] = []
    for part, hint in get_type_hints(kind).items():
        name = f"{prefix}{part}"
        if isinstance(hint, type) and is_dataclass(hint):
            columns.append(unpack(packed, hint, f"{name} "))
        elif name in packed:
            shapes = packed[f"{name} shape"]
            pieces = np.split(packed[name], np.cumsum(shapes.prod(axis=1))[:-1])
            columns.append([piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)])
        else:
            columns.append(itertools.repeat(()))
    return [kind(*values) for values in zip(*columns)]  # noqa: B905 (a field without arrays repeats without end)
