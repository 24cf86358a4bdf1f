"""Folders that a run is about to write into: a second run into one of them is refused before it computes anything."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

from mov_ai.errors import UsageError

#: Each claimed folder takes an open file, of which a process has a thousand or so.
_MOST_CLAIMED = 256


@contextlib.contextmanager
def claimed(folders: Collection[Path]) -> Iterator[None]:
    """While it lasts, no other run of this user writes into these folders, which need not be there yet.

    Raises:
        UsageError: if another run does: said before anything is computed.
    """
    with contextlib.ExitStack() as held:
        for folder in list(folders)[:_MOST_CLAIMED]:
            handle = _locked(folder)
            if handle is None:
                raise UsageError(f"--out: {folder}: another run is writing into it; choose another folder, or wait")
            held.callback(_release, folder, handle)
        yield


def is_claimed(folder: Path) -> bool:
    """Whether another run writes into a folder."""
    handle = _locked(folder)
    if handle is not None:
        _release(folder, handle)
    return handle is None


def _lock_file(folder: Path) -> Path:
    """Among the temporary files, for the folder itself may not be there yet."""
    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]
    return Path(tempfile.gettempdir()) / f"mov-ai-{os.getuid()}" / name


def _locked(folder: Path) -> int | None:
    """An open file that holds the folder's lock, which ends with the process, however it ends; None if it is taken.

    -1 where no lock can be made at all: then every folder counts as free.
    """
    path = _lock_file(folder)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        while True:
            handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                return None
            # Whoever held it may have removed the file in between.
            if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                return handle
            os.close(handle)
    except OSError:
        return -1


def _release(folder: Path, handle: int) -> None:
    if handle >= 0:
        _lock_file(folder).unlink(missing_ok=True)
        os.close(handle)
