"""Reading and writing video files with PyAV."""

from __future__ import annotations

import io
import itertools
import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from mov_ai.data.frame_folder import FrameFolder
from mov_ai.data.video_decoding import TOLERANCE, Decoder, Timeline, check_pixels, timeline_of
from mov_ai.data.video_pixels import Converter, Timed, deinterlaced
from mov_ai.data.video_writing import VideoWriter
from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import write_bytes
from mov_ai.graph.video_shape import MAX_FPS

if TYPE_CHECKING:
    import av

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv"),
    *(".flv", ".3gp", ".ogv"),
)
#: A jump in the file costs about as much as decoding so many seconds.
JUMP_SECONDS = 2.0


@dataclass(frozen=True)
class VideoInfo:
    """What a video is, without decoding more than its first frame.

    Attributes:
        height, width: in pixels, as shown: upright, with square pixels.
        fps: frames a second; the mean where the rate varies.
        duration: seconds.
        frames: None if only reading the whole file would tell.
        variable_rate: some frame is more than half a frame from where a constant rate would have it.
        codec: in words, such as "h264 yuv420p crf 18".
    """

    height: int
    width: int
    fps: float
    duration: float
    frames: int | None
    variable_rate: bool
    codec: str


class VideoReader:
    """A video as it is shown: upright, square pixels, by its timestamps, over a background, whole frames.

    Memory is that of a few frames, whatever the length. One iteration at a time: another ends the earlier one.

    Attributes:
        info: what the video is.
        tolerance: seconds by which two times may differ and still be the same.
    """

    def __init__(
        self,
        source: str | Path | BinaryIO,
        name: str | None = None,
        background: tuple[int, int, int] = (0, 0, 0),
        fps: float | None = None,
        threads: int = 1,
    ) -> None:
        """Open a video and decode its first frame.

        Args:
            source: a file in any container and codec that FFmpeg reads, a folder of pictures, or an open file that can
                seek.
            name: for messages; the path if not given.
            background: RGB, 0 to 255, seen where a frame is transparent.
            fps: of a folder of pictures, which tells none; 8 if not given.
            threads: that decode.

        Raises:
            UsageError: if there is no such file. MovAIError: if it is not a video, or nothing of it can be decoded.
        """
        path = Path(source) if isinstance(source, (str, Path)) else None
        self.name: str = name or str(path or getattr(source, "name", None) or "an open file")
        self._decoder: Decoder | FrameFolder
        if path is not None and path.is_dir():
            self._decoder = FrameFolder(path, self.name, fps)
        elif path is not None and not path.is_file():
            raise UsageError(f"{self.name}: no such file; give a video file")
        else:
            self._decoder = Decoder(path or source, self.name, threads)  # type: ignore[arg-type]
        self._other_sizes = ""
        self._begun: Iterator[Timed] | None = deinterlaced(self._decoder.frames())
        try:
            first = next(self._begun, None)
            if first is None:
                raise MovAIError(f"{self.name}: holds no frames; the file is damaged or not a video")
            self._pixels = Converter(first[1], self._decoder.aspect, background)
            # With square pixels a frame may be ten times as large as it is stored.
            check_pixels(self.name, self._pixels.height, self._pixels.width)
        except MovAIError:
            self.close()
            raise
        self._first = first
        self._origin = first[0]
        self._stored = (first[1].height, first[1].width)
        self._transfer = first[1].color_trc
        self.info = self._info(self._decoder.timeline)
        # At a thousand frames a second the usual tolerance is longer than a frame.
        self.tolerance = min(TOLERANCE, 0.25 / self.info.fps)

    def _info(self, timeline: Timeline) -> VideoInfo:
        return VideoInfo(
            self._pixels.height,
            self._pixels.width,
            timeline.fps,
            timeline.duration or 1 / timeline.fps,
            None if timeline.times is None else len(timeline.times),
            timeline.variable,
            self._decoder.codec_words,
        )

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; an open file that was given stays open."""
        self._begun = None
        self._decoder.close()

    @property
    def damage(self) -> str | None:
        """What of the video is damaged, as far as it was read; None if nothing."""
        decoder, parts = self._decoder, []
        if decoder.damaged:
            many = f"{len(decoder.damaged)} damaged frame{'s' * (len(decoder.damaged) != 1)}"
            parts.append(f"{many}, the first at {max(min(decoder.damaged) - self._origin, 0):.2f} s")
        if decoder.missing:
            parts.append(f"ends early, {decoder.missing} of its frames are missing")
        return "; ".join(parts) or None

    @property
    def notices(self) -> list[str]:
        """What is amiss with the video, as far as it was read: one line each, with its name."""
        lines = [self.damage, self._other_sizes]
        # BT.2100's two curves, PQ and HLG.
        if self._transfer in (16, 18):
            lines.append("has a high dynamic range, which is read as it is and looks pale")
        return [f"{self.name}: {line}" for line in lines if line]

    def read_through(self) -> tuple[VideoInfo, np.ndarray]:
        """Decode everything and keep nothing: what the video really is, and all damage as `damage`.

        Returns:
            The info, from the times of the frames themselves, and those: (N,) seconds from the first.
        """
        times = [seconds for seconds, _ in self._timed(0.0)]
        return self._info(timeline_of(times, self._decoder.timeline.fps)), np.array(times)

    def frames(self, start: float = 0.0, end: float | None = None) -> Iterator[tuple[float, np.ndarray]]:
        """Frames that are shown from `start` until before `end`, one at a time.

        Yields:
            Seconds from the first frame of the video, rising; uint8 (height, width, 3) RGB. The frame that is being
            shown at `start` has a time before it.
        """
        waiting: Timed | None = None
        seconds = 0.0
        for seconds, frame in self._timed(start):
            if end is not None and seconds >= end - self.tolerance:
                break
            if waiting is not None and seconds > start + self.tolerance:
                yield waiting[0], self._pixels(waiting[1])
            waiting = (seconds, frame)
        else:
            # Nothing follows the last frame: it is shown for as long as the others.
            seconds += 1 / self.info.fps
        if waiting is not None and seconds > start + self.tolerance:
            yield waiting[0], self._pixels(waiting[1])

    def frames_at(self, times: Sequence[float]) -> np.ndarray:
        """The frames that are shown at some times; before the first frame that one, after the last the last.

        Args:
            times: (N,) ascending seconds from the first frame.

        Returns:
            uint8 (N, height, width, 3) RGB.

        Raises:
            ValueError: if the times do not ascend.
        """
        if any(later < earlier for earlier, later in itertools.pairwise(times)):
            raise ValueError("frames_at: expected ascending times")
        result = np.empty((len(times), self.info.height, self.info.width, 3), dtype=np.uint8)
        done = 0
        while done < len(times):
            done = self._fill(result, times, done)
        return result

    def _fill(self, result: np.ndarray, times: Sequence[float], done: int) -> int:
        """Fill in frames from number `done` on, up to the next jump; returns the number of the next one."""
        shown: Timed | None = None
        began = done
        for seconds, frame in self._timed(times[done]):
            last = done
            while shown is not None and done < len(times) and times[done] < seconds - self.tolerance:
                result[done] = result[done - 1] if done > last else self._pixels(shown[1])
                done += 1
            if done == len(times) or (done > began and self._jumps and times[done] > seconds + JUMP_SECONDS):
                return done
            shown = (seconds, frame)
        if shown is not None:
            result[done:] = self._pixels(shown[1])
        return len(times)

    @property
    def _jumps(self) -> bool:
        return isinstance(self._decoder, FrameFolder) or self._decoder.indexed

    def _timed(self, start: float) -> Iterator[Timed]:
        """Decoded frames from one that is shown at `start` or before it; seconds from the first frame of the video."""
        if start <= JUMP_SECONDS and self._begun is not None:
            frames, self._begun = self._begun, None
            yield self._checked(*self._first)
        else:
            self._begun = None
            frames = deinterlaced(self._decoder.frames(start + self._origin if start > JUMP_SECONDS else None))
        for seconds, frame in frames:
            yield self._checked(seconds, frame)

    def _checked(self, seconds: float, frame: av.VideoFrame) -> Timed:
        if (frame.height, frame.width) != self._stored and not self._other_sizes:
            self._other_sizes = (
                f"changes from {self._stored[1]}x{self._stored[0]} to {frame.width}x{frame.height} pixels at "
                f"{seconds - self._origin:.2f} s; all frames are brought to the first size"
            )
        return seconds - self._origin, frame


def open_video(path: Path, option: str) -> VideoReader:
    """A reader of a video, to be used as a context.

    Args:
        option: that names it, for the message.

    Raises:
        UsageError: if there is no such file, or it is no video that can be read.
    """
    try:
        return VideoReader(path)
    except UsageError:
        raise
    except MovAIError as error:
        raise UsageError(f"{option}: {error}") from None


def read_video(path: str | Path, max_frames: int | None = None) -> tuple[np.ndarray, float]:
    """A whole video; one of variable rate is brought to its mean rate by its timestamps.

    Args:
        max_frames: stop after so many.

    Returns:
        uint8 (frames, height, width, 3) RGB, and frames per second.

    Raises:
        UsageError, MovAIError: as `VideoReader`.
    """
    frames = []
    with VideoReader(path) as reader:
        for _, frame in at_constant_rate(reader):
            frames.append(frame)
            if max_frames is not None and len(frames) >= max_frames:
                break
        return np.stack(frames), reader.info.fps


def at_constant_rate(reader: VideoReader) -> Iterator[tuple[float, np.ndarray]]:
    """All frames; where the rate varies, the one that is shown at each of the times 0, 1 / fps, ... up to the last."""
    if not reader.info.variable_rate:
        yield from reader.frames()
        return
    number, fps = 0, reader.info.fps
    shown: np.ndarray | None = None
    for seconds, frame in reader.frames():
        while shown is not None and number / fps < seconds - reader.tolerance:
            yield number / fps, shown
            number += 1
        shown = frame
    if shown is not None:
        yield number / fps, shown


def files_below(folder: str | Path) -> list[Path]:
    """All files of a folder and of its sub-folders, each folder once, sorted.

    Hidden files and folders are passed over; links to folders are followed.

    Raises:
        UsageError: if there is no such folder.
    """
    if not Path(folder).is_dir():
        raise UsageError(f"{folder}: no such folder; give a folder of videos")
    paths: list[Path] = []
    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        folders[:] = [] if real in seen else sorted(name for name in folders if not name.startswith("."))
        if real not in seen:
            paths += [Path(parent, name) for name in names if not name.startswith(".")]
        seen.add(real)
    return sorted(paths)


def video_key(path: Path, folder: str | Path) -> str:
    """A video's name: its path in a folder without suffix, with / and in NFC, the same on every system."""
    return unicodedata.normalize("NFC", path.relative_to(folder).with_suffix("").as_posix())


def encode_video(frames: np.ndarray, fps: float = 8.0, crf: int = 18) -> bytes:
    """An MP4 file that plays in a browser, see `encode_frames`.

    Args:
        frames: uint8 (frames, height, width, 3), RGB; sides even.
        fps, crf: as `encode_frames`.

    Raises:
        ValueError: for another type or number of dimensions.
        UsageError: as `encode_frames`, or for no frames.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
        raise ValueError(f"video: expected uint8 (frames, height, width, 3), got {frames.dtype} {frames.shape}")
    if not len(frames) or not 0 < fps <= MAX_FPS:
        raise UsageError(f"video: expected frames, at up to {MAX_FPS:g} fps; found {len(frames)} at {fps:g} fps")
    return encode_frames(frames, frames.shape[1], frames.shape[2], fps, crf)


def encode_frames(frames: Iterable[np.ndarray], height: int, width: int, fps: float = 8.0, crf: int = 18) -> bytes:
    """An MP4 file that plays in a browser: H.264, yuv420p, index first (faststart).

    Args:
        frames: uint8 (height, width, 3) each, RGB, taken one at a time; sides even, as yuv420p keeps colour for two by
            two pixels.
        fps: frames per second, above 0 and up to 240.
        crf: x264's constant rate factor, 0 (lossless) to 51.

    Raises:
        UsageError: for an odd side (padding would make a video of another size than asked for), or for another fps.
    """
    buffer = io.BytesIO()
    with VideoWriter(buffer, height, width, fps, crf) as writer:
        writer.add(frames)
    return buffer.getvalue()


def write_video(path: str | Path, frames: np.ndarray, fps: float = 8.0, crf: int = 18) -> None:
    """Write `encode_video`'s file, all or nothing.

    Raises:
        MovAIError: if the file cannot be written. ValueError, UsageError: as `encode_video`.
    """
    write_bytes(path, encode_video(frames, fps, crf))
