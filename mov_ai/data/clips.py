"""Clips: stretches of real videos with what a data set says of them, as every format gives them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from mov_ai.errors import UsageError
from mov_ai.graph import SceneGraph

if TYPE_CHECKING:
    from mov_ai.data.box_tracks import BoxTrack
    from mov_ai.data.video import VideoReader

#: Examples that are named beside the number of problems of one kind.
EXAMPLES = 3


@dataclass(frozen=True)
class Clip:
    """A stretch of a video and what its data set says of it.

    Attributes:
        key: unique in its source and the same at every reading: the video's relative path, with the stretch if it is
            not the whole, as "videos/a.mp4" or "videos/a.mp4[2.500-7.000]".
        video: a video file, a folder of frames, or the tar file that holds the video.
        member: name of the video within the tar file.
        captions: one text or more that say the same; of what is annotated only, its graph in plain words.
        start, end: of the stretch, seconds from the video's first frame; None for the beginning and the end.
        graph: what was annotated, with intervals on [0, 1] of the stretch.
        tracks: annotated boxes, with their times in seconds from the video's first frame.
        metadata: whatever else the data set says, by its own names.
        span: first byte and number of bytes of `member`, so that the tar file need not be searched.
    """

    key: str
    video: Path
    member: str | None = None
    captions: tuple[str, ...] = ()
    start: float | None = None
    end: float | None = None
    graph: SceneGraph | None = None
    tracks: tuple[BoxTrack, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    span: tuple[int, int] | None = None

    def open(self) -> VideoReader:
        """A reader of the whole video. Raises UsageError or MovAIError as `VideoReader`."""
        from mov_ai.data.video import VideoReader

        if self.member is None:
            fps = self.metadata.get("fps")
            # A folder of frames does not say how fast they are shown.
            return VideoReader(self.video, fps=float(fps) if isinstance(fps, (int, float)) and fps > 0 else None)
        return VideoReader(self.open_member(), name=f"{self.video}/{self.member}")

    def open_member(self) -> BinaryIO:
        """The bytes of `member`, to be closed by the caller. Raises UsageError if the tar file cannot be read."""
        if self.span is None:
            raise ValueError(f"{self.key}: expected a clip with the byte range of its member")
        try:
            return io.BufferedReader(_FilePart(self.video, *self.span))
        except OSError as error:
            raise UsageError(f"{self.video}: cannot be read ({error.strerror}); check the file") from None


class _FilePart(io.RawIOBase):
    """A stretch of a file, as a file of its own."""

    def __init__(self, path: Path, first: int, size: int) -> None:
        self._file = path.open("rb", buffering=0)
        self._first, self._size, self._place = first, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = max(0, min(len(buffer), self._size - self._place))
        self._file.seek(self._first + self._place)
        content = self._file.read(wanted) or b""
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def tell(self) -> int:
        return self._place

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


@dataclass(frozen=True)
class Problem:
    """Something of a data set that is left out.

    Attributes:
        where: the file, or the list and its line.
        reason: a short phrase, the same for all problems of one kind.
    """

    where: str
    reason: str


def problem_lines(problems: Sequence[Problem]) -> list[str]:
    """One line for each reason, most frequent first: how many, and the first three of them."""
    grouped: dict[str, list[str]] = {}
    for problem in problems:
        grouped.setdefault(problem.reason, []).append(problem.where)
    lines = []
    for reason, places in sorted(grouped.items(), key=lambda item: -len(item[1])):
        more = f" and {len(places) - EXAMPLES:,} more" if len(places) > EXAMPLES else ""
        lines.append(f"{reason}: {len(places):,} ({', '.join(places[:EXAMPLES])}{more})")
    return lines
