"""Folders that a run is about to write into: a second run into one of them is refused before it computes anything."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

import filelock

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
            lock = _locked(folder)
            if lock is None:
                raise UsageError(f"--out: {folder}: another run is writing into it; choose another folder, or wait")
            held.callback(_release, lock)
        yield


def is_claimed(folder: Path) -> bool:
    """Whether another run writes into a folder."""
    lock = _locked(folder)
    if lock is not None:
        _release(lock)
    return lock is None


def _locked(folder: Path) -> filelock.BaseFileLock | None:
    """The folder's lock, held until it is released or the process ends, however it ends; None if it is taken.

    Where no lock can be made at all, one that is not held: then every folder counts as free.
    """
    # Among the temporary files, for the folder itself may not be there yet.
    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]
    path = Path(tempfile.gettempdir()) / f"mov-ai-{os.getuid()}" / name
    lock = filelock.FileLock(path)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        about = path.parent.lstat()
        # Whoever may write there too may have put links in place of locks.
        if stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid():
            lock.acquire(timeout=0)
    except filelock.Timeout:
        return None
    except OSError:
        pass
    return lock


def _release(lock: filelock.BaseFileLock) -> None:
    if lock.is_locked:
        # While it is held, so that the file is no other run's.
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()
