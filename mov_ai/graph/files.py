"""Reading and writing files: JSON strict on the way in, everything all-or-nothing on the way out."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mov_ai.errors import MovAIError, UsageError


def _reject_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number that JSON allows")


def parse_json(text: str, source: str) -> Any:
    """Parse JSON text, refusing NaN and Infinity. Raises UsageError with `source`, line and column."""
    try:
        return json.loads(text, parse_constant=_reject_constant)
    except json.JSONDecodeError as error:
        raise UsageError(f"{source}: line {error.lineno}, column {error.colno}: {error.msg}; expected JSON") from None
    except RecursionError:
        raise UsageError(f"{source}: brackets are nested too deeply; expected JSON of a few levels") from None
    except ValueError as error:
        raise UsageError(f"{source}: {error}; expected JSON with finite numbers") from None


def read_json(path: str | Path) -> Any:
    """Read a JSON file (UTF-8). Raises UsageError if it cannot be read or does not hold JSON."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{path}: expected a UTF-8 JSON file, found other bytes") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give a JSON file that exists") from None
    return parse_json(text, str(path))


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file completely or not at all (a temporary file in its folder, then renamed); else MovAIError."""
    path = Path(path)
    temporary: str | None = None
    try:
        with _folder_made(path.parent):
            try:
                handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                os.chmod(temporary, 0o644)
                os.replace(temporary, path)
            except BaseException:
                if temporary is not None and os.path.exists(temporary):
                    os.unlink(temporary)
                raise
    except OSError as error:
        raise _unwritable(path, error) from None


def write_json(path: str | Path, value: Any) -> None:
    """Write a value as indented UTF-8 JSON, all or nothing.

    Raises MovAIError as `write_bytes`, and for NaN, infinity or half a surrogate pair, which such a file cannot hold.
    """
    try:
        content = (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")
    except ValueError as error:
        raise MovAIError(f"{path}: not written ({error}); expected finite numbers and whole characters") from None
    write_bytes(path, content)


@contextlib.contextmanager
def staged_folder(directory: str | Path) -> Iterator[Path]:
    """A temporary folder that becomes `directory` at the end, or is removed if anything fails (MovAIError).

    If `directory` exists, the files are moved into it one by one, and other files in it stay.
    """
    directory = Path(directory)
    try:
        exists = directory.exists()
        if exists and not directory.is_dir():
            raise MovAIError(f"{directory}: is a file; choose a folder for the results")
        # Renaming works within one disk only: what exists may be a link to another disk, or a disk itself.
        place = directory if exists else directory.parent
        with _folder_made(place):
            staging = Path(tempfile.mkdtemp(dir=place, prefix=".mov-ai-"))
            try:
                yield staging
                if exists:
                    for path in sorted(p for p in staging.rglob("*") if p.is_file()):
                        target = directory / path.relative_to(staging)
                        target.parent.mkdir(parents=True, exist_ok=True)
                        os.replace(path, target)
                else:
                    # `mkdtemp` makes folders that only the owner may enter.
                    os.chmod(staging, 0o755)
                    os.rename(staging, directory)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise _unwritable(directory, error) from None


def sha256_of(paths: Iterable[Path]) -> str:
    """Hexadecimal, of the files' content one after the other, in blocks. Raises MovAIError if one cannot be read."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                for block in iter(lambda: file.read(1 << 20), b""):
                    digest.update(block)
        except OSError as error:
            raise MovAIError(f"{path}: cannot be read ({error.strerror}); check the file") from None
    return digest.hexdigest()


def check_writable(directory: str | Path) -> None:
    """Raises MovAIError now rather than after the work if a folder cannot be made or written; leaves nothing behind."""
    directory = Path(directory)
    try:
        existing = next((p for p in (directory, *directory.parents) if p.exists()), Path())
        if not existing.is_dir():
            raise MovAIError(f"{existing}: is a file; choose a folder for the results")
        # A folder, as that is what will be made: some places (/proc) take neither, and say so only when asked.
        os.rmdir(tempfile.mkdtemp(dir=existing, prefix=".mov-ai-"))
    except OSError as error:
        raise _unwritable(directory, error) from None


@contextlib.contextmanager
def _folder_made(folder: Path) -> Iterator[None]:
    """Make a folder and its parents; those made here are removed again if the body fails and they are empty."""
    missing = []
    for place in (folder, *folder.parents):
        if place.exists():
            break
        missing.append(place)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for place in missing:
            with contextlib.suppress(OSError):
                place.rmdir()
        raise


def _unwritable(place: Path, error: OSError) -> MovAIError:
    reason = error.strerror or str(error)
    return MovAIError(f"{place}: cannot be written ({reason}); choose another place or free disk space")
