"""How long and how large a video is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from mov_ai.errors import UsageError, shown

#: Ten minutes at 24 frames a second, and some more.
MAX_FRAMES, MAX_FPS = 16_384, 240.0
MIN_SIDE, MAX_SIDE = 16, 4096


@dataclass(frozen=True)
class VideoShape:
    """The size of a video in time and space. Raises UsageError if a value is out of its range or of another type.

    Attributes:
        frames: 1 to 16384.
        fps: frames a second, above 0 and up to 240.
        height, width: pixels, 16 to 4096 each.
    """

    frames: int = 16
    fps: float = 8.0
    height: int = 512
    width: int = 512

    def __post_init__(self) -> None:
        _check_whole("frames", self.frames, 1, MAX_FRAMES)
        number = isinstance(self.fps, (int, float)) and not isinstance(self.fps, bool)
        # NaN fails the comparison.
        if not number or not 0 < self.fps <= MAX_FPS:
            raise UsageError(f"fps: expected a number above 0 and up to {MAX_FPS:g}; found {shown(self.fps)}")
        _check_whole("height", self.height, MIN_SIDE, MAX_SIDE)
        _check_whole("width", self.width, MIN_SIDE, MAX_SIDE)

    def __str__(self) -> str:
        """In words: "16 frames of 512x512 at 8 fps", height before width."""
        frames = "1 frame" if self.frames == 1 else f"{self.frames} frames"
        return f"{frames} of {self.height}x{self.width} at {self.fps:g} fps"

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.width / self.height

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return self.frames / self.fps


def parse_size(text: str) -> tuple[int, int]:
    """(height, width) in pixels of a size written HEIGHTxWIDTH, as "320x512"; or of a square's side, as "512".

    Raises UsageError if it is written in another way, or a side is out of range.
    """
    match = re.fullmatch(r"([0-9]{1,9})(?:[xX×]([0-9]{1,9}))?", text.strip())
    if match is None:
        raise UsageError(f"size: expected HEIGHTxWIDTH, as 320x512, or one number for a square; found {text[:40]!r}")
    height = int(match[1])
    width = int(match[2] or height)
    _check_whole("size: height", height, MIN_SIDE, MAX_SIDE)
    _check_whole("size: width", width, MIN_SIDE, MAX_SIDE)
    return height, width


def _check_whole(name: str, value: Any, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise UsageError(f"{name}: expected a whole number from {low} to {high}; found {shown(value)}")
