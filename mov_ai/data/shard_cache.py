"""Shards on object storage: whole files are copied to a folder of bounded size when they are first read."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import check_writable, sha256_of

#: Under it, a folder for each address.
DEFAULT_CACHE = Path("cache") / "shards"
_COPY_BYTES = 1 << 20


def is_remote(path: str) -> bool:
    """Whether it is an address rather than a folder."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", path) is not None


class RemoteShards:
    """Files below an address of fsspec.

    Args:
        url: as "s3://bucket/shards".
        cache: folder for the copies; processes may share it.
        cache_bytes: what copies take at most, apart from the one that was fetched last.

    Raises:
        UsageError: if fsspec or its part for this kind of storage is not installed.
    """

    def __init__(self, url: str, cache: str | Path | None, cache_bytes: int) -> None:
        self.url, self.cache_bytes = url.rstrip("/"), cache_bytes
        self.cache = Path(cache or DEFAULT_CACHE) / hashlib.sha256(self.url.encode()).hexdigest()[:16]
        self._connect()

    def _connect(self) -> tuple[Any, str]:
        try:
            import fsspec

            return fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise UsageError(f"{self.url}: cannot be reached ({error}); install what it names, or copy it") from None

    def read_text(self, name: str) -> str:
        """A small file, straight from its place. Raises UsageError if it is not there or is no text."""
        system, root = self._connect()
        try:
            return str(system.cat_file(f"{root}/{name}").decode("utf-8"))
        # Every kind of storage has errors of its own.
        except Exception as error:
            raise UsageError(
                f"{self.url}/{name}: cannot be read ({_first_line(error)}); give the address of finished shards"
            ) from None

    def open(self, name: str, size: int, sha256: str) -> int:
        """A file descriptor of the local copy; arguments and errors as `fetch`."""
        while True:
            # Another process may remove the copy before this one has opened it.
            with contextlib.suppress(FileNotFoundError):
                return os.open(self.fetch(name, size, sha256), os.O_RDONLY)

    def fetch(self, name: str, size: int, sha256: str) -> Path:
        """The local copy of a shard, made if it is not there.

        Raises:
            MovAIError: if the shard cannot be fetched, or is not the one that was written.
        """
        target = self.cache / name
        if target.is_file() and target.stat().st_size == size:
            with contextlib.suppress(OSError):
                os.utime(target)  # the copies used longest ago go first
            return target
        check_writable(self.cache)
        self.cache.mkdir(parents=True, exist_ok=True)
        self._make_room(size)
        handle, temporary = tempfile.mkstemp(dir=self.cache, prefix=f".{name}.")
        copy = Path(temporary)
        try:
            system, root = self._connect()
            with os.fdopen(handle, "wb") as local, system.open(f"{root}/{name}", "rb") as remote:
                while block := remote.read(_COPY_BYTES):
                    local.write(block)
            present = copy.stat().st_size
            if present != size:
                raise MovAIError(
                    f"{self.url}/{name}: is cut short: expected {size} bytes, found {present}; copy it there again"
                )
            if sha256_of([copy]) != sha256:
                raise MovAIError(f"{self.url}/{name}: is not the shard that was written; copy it there again")
            os.replace(copy, target)
        except MovAIError:
            raise
        except OSError as error:
            if error.errno is not None and error.filename is None and error.strerror:
                raise MovAIError(f"{self.cache}: cannot be written ({error.strerror}); free disk space") from None
            raise MovAIError(f"{self.url}/{name}: cannot be fetched ({_first_line(error)}); check the place") from None
        except Exception as error:
            raise MovAIError(f"{self.url}/{name}: cannot be fetched ({_first_line(error)}); check the place") from None
        finally:
            copy.unlink(missing_ok=True)
        return target

    def _make_room(self, size: int) -> None:
        """Remove the copies used longest ago until one of `size` fits. Who has one open can go on reading it."""
        copies = []
        for path in self.cache.glob("shard-*.tar"):
            with contextlib.suppress(OSError):
                status = path.stat()
                copies.append((status.st_mtime_ns, status.st_size, path))
        taken = sum(length for _, length, _ in copies)
        for _, length, path in sorted(copies):
            if taken + size <= self.cache_bytes:
                break
            path.unlink(missing_ok=True)
            taken -= length


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
