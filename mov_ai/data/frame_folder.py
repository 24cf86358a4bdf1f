"""A folder of numbered pictures, read as a video."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mov_ai.data.video_decoding import DEFAULT_FPS, Timeline
from mov_ai.errors import MovAIError

if TYPE_CHECKING:
    import av

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def frame_files(folder: Path) -> list[Path]:
    """The pictures of a folder, 2 before 10; hidden files and sub-folders are passed over."""
    pictures = (p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))
    return sorted(pictures, key=lambda path: natural_order(path.name))


def natural_order(name: str) -> list[tuple[int, str]]:
    """A key that sorts names with their numbers as numbers."""
    words = re.findall(r"\d+|\D+", name)
    return [(int(word), "") if word.isdecimal() else (-1, word) for word in words]


class FrameFolder:
    """Stands for a `Decoder`: the same attributes, each frame from a file of its own.

    A file that cannot be decoded is left out and counted as damaged; the others keep their times.
    """

    aspect = 1.0
    missing = 0

    def __init__(self, folder: Path, name: str, fps: float | None = None) -> None:
        """List the pictures.

        Args:
            fps: of the frames; 8 if not given.

        Raises:
            MovAIError: if there are none.
        """
        self.name, self.files = name, frame_files(folder)
        if not self.files:
            raise MovAIError(f"{name}: holds no pictures ({', '.join(IMAGE_SUFFIXES)}); give a folder of frames")
        self.damaged: set[float] = set()
        self._fps = fps or DEFAULT_FPS
        count = len(self.files)
        self.timeline = Timeline(np.arange(count) / self._fps, self._fps, count / self._fps, variable=False)
        self.codec_words = f"{self.files[0].suffix.lower()[1:]} frames"

    def close(self) -> None:
        """Nothing is kept open."""

    def frames(self, start: float | None = None) -> Iterator[tuple[float, av.VideoFrame]]:
        """As `Decoder.frames`."""
        import av

        first = max(int((start or 0.0) * self._fps), 0)
        for number in range(min(first, len(self.files) - 1), len(self.files)):
            try:
                yield number / self._fps, _picture(self.files[number])
            except (av.FFmpegError, OSError, ValueError):
                self.damaged.add(number / self._fps)


def _picture(path: Path) -> av.VideoFrame:
    import av

    # An open file: a name with a % in it would be taken for the pattern of a series.
    with path.open("rb") as file, av.open(file) as container:
        return next(container.decode(container.streams.video[0]))
