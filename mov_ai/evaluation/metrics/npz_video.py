"""Videos in .npz files: the header is read first, then one frame at a time, whatever the archive claims or holds."""

from __future__ import annotations

import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from mov_ai.data.video_decoding import check_pixels, reason
from mov_ai.errors import MovAIError

#: What reading a damaged, cut or made-up archive raises, from zipfile, its decompressors and numpy's header.
BROKEN_ARCHIVE = (
    *(OSError, ValueError, KeyError, TypeError, EOFError, NotImplementedError, RuntimeError, OverflowError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, tokenize.TokenError, SyntaxError),
)


class NpzVideo:
    """`video` uint8 (T, H, W, 3) and `fps` of an .npz file; memory is that of one frame.

    Attributes:
        frames, height, width, fps: as the header says.
    """

    def __init__(self, path: Path) -> None:
        """Read the header.

        Raises:
            MovAIError: if it is none of a video, or of frames larger than can be read.
        """
        self.path = path
        if not path.is_file():
            raise MovAIError(f"{path}: no such file; a folder, a device or a pipe is no archive")
        with self._opened() as archive:
            with archive.open("fps.npy") as member:
                shape, _, dtype = _header(member)
                if shape not in ((), (1,)) or dtype.kind not in "fiu":
                    raise ValueError(f"`fps` is {dtype} {shape}")
                self.fps = float(np.frombuffer(_exactly(member, dtype.itemsize), dtype)[0])
            with archive.open("video.npy") as member:
                shape, by_columns, dtype = _header(member)
        good = dtype == np.uint8 and len(shape) == 4 and shape[-1] == 3 and min(shape) > 0 and 0 < self.fps < np.inf
        if not good:
            raise MovAIError(
                f"{path}: expected `video` uint8 (frames, height, width, 3) and `fps` above 0, got {dtype} {shape}, "
                f"{self.fps:g}"
            )
        if by_columns:
            raise MovAIError(f"{path}: is stored by columns; save numpy.ascontiguousarray of it")
        self.frames, self.height, self.width = shape[:3]
        check_pixels(str(path), self.height, self.width)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Each frame, uint8 (H, W, 3). MovAIError where the content is damaged or ends early."""
        size = self.height * self.width * 3
        with self._opened() as archive, archive.open("video.npy") as member:
            _header(member)
            for _ in range(self.frames):
                yield np.frombuffer(_exactly(member, size), np.uint8).reshape(self.height, self.width, 3)
            # Only at the end of the content is its checksum compared.
            if member.read(1):
                raise ValueError("`video` is longer than its header says")

    @contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except BROKEN_ARCHIVE as error:
            raise MovAIError(f"{self.path}: expected arrays `video` and `fps` ({reason(error)})") from None


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether it is stored by columns, and type; ValueError for objects, which only a pickle could hold."""
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    version = npy.read_magic(member)
    if version not in read:
        raise ValueError(f"an array of version {version[0]}.{version[1]}")
    shape, by_columns, dtype = read[version](member)
    if dtype.hasobject:
        raise ValueError("an array of objects, which is not read")
    return shape, by_columns and len(shape) > 1, dtype


def _exactly(member: IO[bytes], size: int) -> bytes:
    content = member.read(size)
    if len(content) < size:
        raise EOFError("ends early")
    return content
