"""Reading and writing video files with PyAV."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import numpy as np

from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import write_bytes
from mov_ai.graph.video_shape import MAX_FPS


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


def encode_video(frames: np.ndarray, fps: float = 8.0, crf: int = 18) -> bytes:
    """An MP4 file that plays in a browser: H.264, yuv420p, index first (faststart).

    Args:
        frames: uint8 (frames, height, width, 3), RGB; sides even, as yuv420p keeps colour for two by two pixels.
        fps: frames per second, above 0 and up to 240.
        crf: x264's constant rate factor, 0 (lossless) to 51.

    Raises:
        ValueError: for another type or number of dimensions.
        UsageError: for an odd side (padding would make a video of another size than asked for), for no frames, or
            for another fps.
    """
    import av

    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
        raise ValueError(f"video: expected uint8 (frames, height, width, 3), got {frames.dtype} {frames.shape}")
    count, height, width, _ = frames.shape
    if height % 2 or width % 2:
        raise UsageError(f"video: expected an even height and width; found {height}x{width}: crop or choose another")
    if not count or not 0 < fps <= MAX_FPS:
        raise UsageError(f"video: expected frames, at up to {MAX_FPS:g} fps; found {count} at {fps:g} fps")
    buffer = io.BytesIO()
    # To put the index first, FFmpeg reads back what it wrote, by a second handle.
    options = {"movflags": "faststart"}
    with av.open(buffer, "w", format="mp4", options=options, io_open=lambda *_: _SecondHandle(buffer)) as container:
        rate = Fraction(fps).limit_denominator(1000)
        # One thread: x264's output depends on the number of threads, and the same seed must give the same file.
        options = {"crf": str(crf), "preset": "medium", "threads": "1"}
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for picture in frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def write_video(path: str | Path, frames: np.ndarray, fps: float = 8.0, crf: int = 18) -> None:
    """Write `encode_video`'s file, all or nothing.

    Raises:
        MovAIError: if the file cannot be written. ValueError, UsageError: as `encode_video`.
    """
    write_bytes(path, encode_video(frames, fps, crf))


def read_video(path: str | Path, max_frames: int | None = None) -> tuple[np.ndarray, float]:
    """Decode a video file.

    Args:
        path: any container and codec that FFmpeg reads.
        max_frames: stop after so many.

    Returns:
        uint8 (frames, height, width, 3) RGB, and frames per second.

    Raises:
        UsageError: if there is no such file. MovAIError: if it is not a video, or damaged.
    """
    import av

    if not Path(path).is_file():
        raise UsageError(f"{path}: no such file; give a video file")
    frames: list[np.ndarray] = []
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise MovAIError(f"{path}: holds no video stream; give a video file")
            stream = container.streams.video[0]
            fps = float(stream.average_rate or 0) or 8.0
            for frame in container.decode(stream):
                frames.append(frame.to_ndarray(format="rgb24"))
                if max_frames is not None and len(frames) >= max_frames:
                    break
    except av.FFmpegError as error:
        raise MovAIError(f"{path}: cannot be decoded ({error}); the file is damaged or not a video") from None
    if not frames:
        raise MovAIError(f"{path}: holds no frames; the file is damaged or not a video")
    return np.stack(frames), fps
