"""Reading and writing files: JSON strict on the way in, everything all-or-nothing on the way out."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mov_ai.errors import MovAIError, UsageError

#: Temporary files and folders begin so.
_STAGING = ".mov-ai-"
#: Where a shell puts what it hands over, as in `--graph <(command)`.
_HANDED_OVER = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
#: No JSON file is read beyond so many bytes.
MAX_JSON_BYTES = 256 * 2**20


class _Refused(Exception):
    """What a user is told of JSON that Python would take."""


def _reject_constant(name: str) -> Any:
    raise _Refused(f"{name} is not a number that JSON allows; expected JSON with finite numbers")


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        repeated = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise _Refused(f"the key {repeated[:40]!r} is given twice in one object; keep one of them")
    return value


def parse_json(text: str, source: str) -> Any:
    """Parse JSON text, refusing NaN, Infinity and repeated keys. Raises UsageError with `source`, line and column."""
    try:
        return json.loads(text, parse_constant=_reject_constant, object_pairs_hook=_each_key_once)
    except _Refused as error:
        raise UsageError(f"{source}: {error}") from None
    except json.JSONDecodeError as error:
        raise UsageError(f"{source}: line {error.lineno}, column {error.colno}: {error.msg}; expected JSON") from None
    except RecursionError:
        raise UsageError(f"{source}: brackets are nested too deeply; expected JSON of a few levels") from None
    except ValueError as error:
        raise UsageError(f"{source}: {error}; expected JSON with finite numbers") from None


def read_json(path: str | Path) -> Any:
    """Read a JSON file (UTF-8), or what a shell hands over by `/dev/stdin` or `/dev/fd/N`.

    Raises UsageError if it cannot be read, is no regular file, is too large or does not hold JSON.
    """
    place = Path(path)
    if not str(place).startswith(_HANDED_OVER) and place.exists() and not (place.is_file() or place.is_dir()):
        # A pipe in somebody's folder would be waited for without end.
        raise UsageError(f"{path}: expected a JSON file, found a device or a pipe; give a file")
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_JSON_BYTES + 1)
        if len(content) > MAX_JSON_BYTES:
            raise UsageError(f"{path}: expected at most {MAX_JSON_BYTES // 2**20} MiB of JSON; give a smaller file")
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{path}: expected a UTF-8 JSON file, found other bytes") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give a JSON file that exists") from None
    return parse_json(text, str(path))


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file completely or not at all (a temporary file in its folder, then renamed); else MovAIError.

    What killed processes left in that folder of such files is removed, once a process.
    """
    path = Path(path)
    temporary: str | None = None
    try:
        with _folder_made(path.parent):
            try:
                _remove_stale_once(path.parent.absolute())
                handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=_staging_prefix())
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
def staged_folder(directory: str | Path, record: str | None = None, replaces: Sequence[str] = ()) -> Iterator[Path]:
    """A temporary folder that becomes `directory` at the end, or is removed if anything fails (MovAIError).

    If `directory` exists, the files are moved into it one by one, and other files in it stay. What a killed process
    left of such folders is removed.

    Args:
        directory: the folder to write.
        record: the file that says what the others are. Of an older result it goes first, and the new one comes last, so
            that it never stands beside files of another.
        replaces: patterns of an older result's files; those that are not written again go with its record.
    """
    directory = Path(directory)
    try:
        exists = directory.exists()
        if exists and not directory.is_dir():
            raise MovAIError(f"{directory}: is a file; choose a folder for the results")
        # Renaming works within one disk only: what exists may be a link to another disk, or a disk itself.
        place = directory if exists else directory.parent
        with _folder_made(place):
            _remove_stale(place)
            staging = Path(tempfile.mkdtemp(dir=place, prefix=_staging_prefix()))
            try:
                yield staging
                if exists:
                    _move_into(directory, staging, record, replaces)
                else:
                    # `mkdtemp` makes folders that only the owner may enter.
                    os.chmod(staging, 0o755)
                    os.rename(staging, directory)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise _unwritable(directory, error) from None


def _move_into(directory: Path, staging: Path, record: str | None, replaces: Sequence[str]) -> None:
    paths = {path.relative_to(staging): path for path in sorted(staging.rglob("*")) if path.is_file()}
    # Before anything of an older result goes.
    for relative in paths:
        target = directory / relative
        if target.is_dir() and not target.is_symlink():
            raise MovAIError(f"{target}: is a folder, where a file is to be; move it away")
        for place in (directory / parent for parent in relative.parents[:-1]):
            if place.exists() and not place.is_dir():
                raise MovAIError(f"{place}: is a file, where a folder is to be; move it away")
    if record is not None:
        (directory / record).unlink(missing_ok=True)
    for old in [path for pattern in replaces for path in directory.glob(pattern)]:
        if old.relative_to(directory) not in paths and (old.is_symlink() or not old.is_dir()):
            old.unlink()
            for place in old.relative_to(directory).parents[:-1]:
                with contextlib.suppress(OSError):
                    (directory / place).rmdir()
    for relative, path in sorted(paths.items(), key=lambda item: item[0] == Path(record or "")):
        target = directory / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)


def is_unfinished(directory: Path) -> bool:
    """Whether a process that is no more was killed while it wrote into a folder."""
    return any(is_stale(entry) for entry in directory.glob(f"{_STAGING}*"))


def _staging_prefix() -> str:
    """The names of temporary files and folders say whose they are: a machine and a process."""
    machine = re.sub(r"[^A-Za-z0-9]", "_", platform.node())[:40]
    return f"{_STAGING}{machine}-{os.getpid()}-"


def is_stale(entry: Path) -> bool:
    """Whether a temporary file or folder is one of this machine and user, and of a process that is no more."""
    name = re.fullmatch(rf"{re.escape(_STAGING)}([A-Za-z0-9_]*)-(\d+)-\w+", entry.name)
    # On Windows, signal 0 would end the process that is asked for.
    if name is None or os.name != "posix" or not _staging_prefix().startswith(f"{_STAGING}{name[1]}-"):
        return False
    try:
        if entry.is_symlink() or entry.stat().st_uid != os.getuid():
            return False
        os.kill(int(name[2]), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _remove_stale(place: Path) -> None:
    for entry in place.glob(f"{_STAGING}*"):
        if is_stale(entry):
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    entry.unlink()


@functools.lru_cache(maxsize=1024)
def _remove_stale_once(place: Path) -> None:
    """Once a process: in a folder of many thousand files, looking through it takes longer than writing one."""
    _remove_stale(place)


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
        os.rmdir(tempfile.mkdtemp(dir=existing, prefix=_staging_prefix()))
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
