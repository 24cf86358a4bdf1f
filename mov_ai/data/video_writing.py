"""Video files written as their frames come, so that memory does not grow with the video."""

from __future__ import annotations

import io
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from mov_ai.errors import UsageError
from mov_ai.graph.video_shape import MAX_FPS
from mov_ai.hardware import has_avx512

if TYPE_CHECKING:
    from typing_extensions import Self


class VideoWriter:
    """A video file that frames are added to: H.264 in MP4 that plays in a browser, or one that keeps every bit.

    A context; the file is whole when it is left.

    Args:
        target: a path, or a buffer.
        height, width: of the frames.
        fps: frames per second, above 0 and up to 240.
        crf: x264's constant rate factor, 0 to 51; None for FFV1 in Matroska, which loses nothing.

    Raises:
        UsageError: for an odd side (padding would make a video of another size than asked for), or another fps.
    """

    def __init__(
        self, target: Path | io.BytesIO, height: int, width: int, fps: float = 8.0, crf: int | None = 18
    ) -> None:
        import av

        if crf is not None and (height % 2 or width % 2):
            raise UsageError(
                f"video: expected an even height and width; found {height}x{width}: crop or choose another"
            )
        if not 0 < fps <= MAX_FPS:
            raise UsageError(f"video: expected frames, at up to {MAX_FPS:g} fps; found some at {fps:g} fps")
        more: dict[str, Any] = {}
        if isinstance(target, io.BytesIO):
            # To put the index first, FFmpeg reads back what it wrote, by a second handle.
            more["io_open"] = lambda *_: _SecondHandle(target)
        # Matroska would get a number by chance, and the same frames are to be the same file.
        more["options"] = {"movflags": "faststart"} if crf is not None else {"fflags": "+bitexact"}
        file = target if isinstance(target, io.BytesIO) else str(target)
        self._container = av.open(file, "w", format="mp4" if crf is not None else "matroska", **more)
        rate = Fraction(fps).limit_denominator(1000)
        if crf is None:
            self._stream: Any = self._container.add_stream("ffv1", rate=rate, options={"threads": "1"})
        else:
            # One thread: x264's output depends on the number of threads, and the same seed must give the same file.
            options = {"crf": str(crf), "preset": "medium", "threads": "1"}
            if has_avx512():
                # x264's AVX-512 looks past the edge of small pictures, and what happens to be there decides.
                options["x264-params"] = "asm=avx2"
            self._stream = self._container.add_stream("libx264", rate=rate, options=options)
        self._stream.height, self._stream.width = height, width
        self._stream.pix_fmt = "bgr0" if crf is None else "yuv420p"

    def add(self, frames: Iterable[np.ndarray]) -> None:
        """Append frames, uint8 (height, width, 3) each, RGB; an array (frames, height, width, 3) is such."""
        import av

        for picture in frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            self._container.mux(self._stream.encode(frame))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._container.mux(self._stream.encode())
        finally:
            self._container.close()


class _SecondHandle(io.RawIOBase):
    """Reads a buffer that is being written, with a position of its own."""

    def __init__(self, buffer: io.BytesIO) -> None:
        self._buffer, self._place = buffer, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        with self._buffer.getbuffer() as view:
            end = len(view) if size < 0 else self._place + size
            content = bytes(view[self._place : end])
        self._place += len(content)
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._buffer.getbuffer().nbytes}[whence]
        self._place = base + offset
        return self._place

    def tell(self) -> int:
        return self._place
