"""One file from a public address, block by block: complete and the known one under its name, or not there at all."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from mov_ai.errors import MovAIError
from mov_ai.graph.files import staged_folder

#: Called with the bytes that are here, and those of the whole file; None where the server does not say.
Progress = Callable[[int, int | None], None]

#: Where nothing tells how large a file may be, no more bytes than this are taken.
LARGEST = 4 * 2**30
_TIMEOUT_S = 60
_BLOCK = 1 << 18


def download(
    url: str,
    target: str | Path,
    sha256: str | None,
    remedy: str,
    size: int | None = None,
    progress: Progress | None = None,
    check: Callable[[Path], object] | None = None,
    most: int = LARGEST,
) -> None:
    """Fetch a file to `target`, replacing what is there; memory of one block.

    It is written into a temporary folder beside `target` and takes its name only when it is the right one, so that an
    error or an interrupt leaves what was there before.

    Args:
        url: http, https, ftp or file address.
        sha256: of the file, hexadecimal; None where it is not known.
        remedy: what to do instead; the end of every message.
        size: of the file in bytes, if known; what sends more is cut off there.
        progress: called before the first block and after each.
        check: called with the file at the end; if it raises, the file is not kept.
        most: bytes that are taken; more is another file, or a server without end.

    Raises MovAIError if the file cannot be fetched or written, or is not the one with this SHA-256 and size.
    """
    target, digest = Path(target), hashlib.sha256()
    with staged_folder(target.parent) as staging:
        with (staging / target.name).open("wb") as file:
            for block in _blocks(url, remedy, size, most, progress):
                file.write(block)
                digest.update(block)
        actual_sha256 = digest.hexdigest()
        if sha256 is not None and actual_sha256 != sha256:
            raise MovAIError(
                f"{url} now gives a file with SHA-256 {actual_sha256}, expected {sha256}; not kept: {remedy}"
            )
        if check is not None:
            check(staging / target.name)


def _blocks(url: str, remedy: str, size: int | None, most: int, progress: Progress | None) -> Iterator[bytes]:
    """The file's content; network errors become one line here, so that they are not taken for disk errors."""
    done, whole = 0, size
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:
            announced = response.headers.get("Content-Length", "")
            whole = int(announced) if announced.isdigit() else size
            if whole is not None and whole > most:
                raise _failure(url, f"it announces {whole} bytes, expected at most {most}", remedy)
            while True:
                if progress is not None:
                    progress(done, whole)
                block = response.read(_BLOCK)
                if not block:
                    break
                done += len(block)
                if size is not None and done > size:
                    raise _failure(url, f"it sends more than the {size} bytes of the published file", remedy)
                if done > most:
                    raise _failure(url, f"it sends more than {most} bytes", remedy)
                yield block
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _failure(url, _reason(error), remedy) from None
    # `read` does not tell a connection that broke from the end of the file.
    if whole is not None and done < whole:
        raise _failure(url, f"the connection ended after {done} of {whole} bytes", remedy)


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}".rstrip()
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    text = (cause.strerror if isinstance(cause, OSError) else None) or str(cause) or type(cause).__name__
    return " ".join(text.split())


def _failure(url: str, reason: str, remedy: str) -> MovAIError:
    return MovAIError(f"{url} could not be fetched ({reason}); {remedy}")
