"""Which moments of a clip are taken: frames at a rate, windows that start evenly or at random."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mov_ai.errors import UsageError
from mov_ai.graph.video_shape import MAX_FPS, MAX_FRAMES

#: Seconds that times may be off by rounding.
_TOLERANCE = 1e-6


class Dropped(Exception):
    """A clip, or a part of it, cannot be used.

    Args:
        reason: a short phrase, the same for all clips that one filter drops.
        detail: what was expected and what was there.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Window:
    """Moments of a clip that become one video.

    Attributes:
        start: seconds from the video's first frame.
        times: also from there, ascending, each in the middle of the time that a frame is shown.
        fps: frames a second of the new video.
    """

    start: float
    times: tuple[float, ...]
    fps: float

    @property
    def end(self) -> float:
        """When the last frame is over."""
        return self.start + len(self.times) / self.fps


@dataclass(frozen=True)
class Sampling:
    """How frames are taken.

    Attributes:
        frames: of a video; of several numbers, a clip gets the largest that it is long enough for.
        fps: frames a second; None for every `stride`-th frame, or, without one, frames spread over the whole clip.
        stride: in frames of the clip, at its mean rate; not with fps.
        windows: videos from a clip, or from each of its scenes; 0 for as many as lie in it one after the other.
        starts: "even", one window in the middle, more from the beginning to the end; or "random".
        seed: of random starts, which also depend on the clip's key.

    Raises:
        UsageError: if a value is out of its range, or two exclude each other.
    """

    frames: tuple[int, ...] = (16,)
    fps: float | None = 8.0
    stride: int | None = None
    windows: int = 1
    starts: str = "even"
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.frames or any(not 1 <= count <= MAX_FRAMES for count in self.frames):
            raise UsageError(f"frames: expected whole numbers from 1 to {MAX_FRAMES}; found {list(self.frames)}")
        if self.fps is not None and not 0 < self.fps <= MAX_FPS:
            raise UsageError(f"fps: expected a number above 0 and up to {MAX_FPS:g}; found {self.fps!r}")
        if self.fps is not None and self.stride is not None:
            raise UsageError("fps and stride: each says which frames are taken; give one of them")
        if self.stride is not None and self.stride < 1:
            raise UsageError(f"stride: expected a whole number from 1 up; found {self.stride}")
        if self.windows < 0:
            raise UsageError(f"windows: expected a whole number, 0 for as many as fit; found {self.windows}")
        if self.starts not in ("even", "random"):
            raise UsageError(f"starts: expected even or random; found {self.starts!r}")
        if self._is_spread and self.windows > 1:
            raise UsageError(f"windows: frames spread over a whole clip make one video of it; found {self.windows}")

    @property
    def _is_spread(self) -> bool:
        return self.fps is None and self.stride is None

    def choose(self, source_fps: float, start: float, end: float, key: str) -> list[Window]:
        """The windows of a part of a clip.

        Args:
            source_fps: mean frames a second of the clip.
            start, end: of the part, seconds from the video's first frame.
            key: of the part; random starts depend on it.

        Raises:
            Dropped: if the part is too short for any of the lengths.
        """
        shown = 1 / source_fps
        if self._is_spread:
            return [self._spread(shown, start, end)]
        step = self.stride * shown if self.stride is not None else 1 / (self.fps or 1)
        rate = 1 / step
        if rate > MAX_FPS:
            raise Dropped("too fast", f"{rate:g} frames a second; a video has up to {MAX_FPS:g}")
        length = end - start
        fitting = [count for count in self.frames if (count - 1) * step + shown / 2 <= length + _TOLERANCE]
        if not fitting:
            least = min(self.frames)
            raise Dropped(
                f"shorter than {least} frames at {self._pace}",
                f"{length:.2f} s, and {(least - 1) * step + shown / 2:.2f} s are needed",
            )
        count = max(fitting)
        # Where the first frame may be, so that the last is still of this part.
        span = max(0.0, length - (count - 1) * step - shown)
        offsets = np.arange(count) * step + shown / 2
        return [
            Window(float(start + first), tuple(float(time) for time in start + first + offsets), rate)
            for first in self._starts(span, shown, length, count * step, key)
        ]

    @property
    def _pace(self) -> str:
        return f"{self.fps:g} fps" if self.fps is not None else f"every {_ordinal(self.stride or 1)} frame"

    def _spread(self, shown: float, start: float, end: float) -> Window:
        count = max(self.frames)
        length = max(end - start, shown)
        if count / length > MAX_FPS:
            raise Dropped(f"shorter than {count} frames at {MAX_FPS:g} fps", f"{length:.3f} s")
        times = start + (np.arange(count) + 0.5) * length / count
        return Window(start, tuple(float(time) for time in times), count / length)

    def _starts(self, span: float, shown: float, length: float, duration: float, key: str) -> Sequence[float]:
        count = self.windows or max(1, math.floor(length / duration + _TOLERANCE))
        # Starts nearer than a frame would give the same video twice.
        count = min(count, 1 + math.floor(span / shown + _TOLERANCE))
        if self.starts == "random":
            return sorted(_generator(self.seed, key).uniform(0, span, count))
        return [span / 2] if count == 1 else list(np.linspace(0, span, count))


def _generator(seed: int, key: str) -> np.random.Generator:
    digest = hashlib.sha256(key.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])


def _ordinal(number: int) -> str:
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ends.get(number % 10, 'th')}"
