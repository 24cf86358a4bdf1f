"""Where the windows of a long video lie, and which frames each of them brings."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from mov_ai.errors import UsageError

#: Frames that a window shares with the one before it, where nothing else is asked for; chosen by experiments/long.
OVERLAP = 4


@dataclass(frozen=True)
class Window:
    """A window of a video.

    Attributes:
        number: from 0.
        first: number of its first frame in the video.
        frames: in it.
        begin, end: the frames that are taken from it, `begin` to `end` - 1, numbered as in the video. The border to the
            next window lies in the middle of what they share, so that a codec that looks at neighbouring frames sees
            the same ones as if it decoded everything at once; and the frame after `end` - 1 is in the window, too.
    """

    number: int
    first: int
    frames: int
    begin: int
    end: int

    @property
    def brought(self) -> slice:
        """The frames that are taken from it, numbered as in the window."""
        return slice(self.begin - self.first, self.end - self.first)


def plan_windows(frames: int, window: int, overlap: int = OVERLAP, given: int = 0) -> list[Window]:
    """Windows that cover a video, all of the same length.

    The last one ends with the video, and shares more frames with the one before where it must.

    Args:
        frames: of the video.
        window: frames of a window: those that the networks were trained for. A shorter video is one window.
        overlap: frames that two windows share, 1 to `window` - 1.
        given: frames at the start that another video brought: no window brings them again.

    Raises:
        UsageError: for an overlap that is none.
    """
    if not 1 <= overlap < window:
        raise UsageError(
            f"--overlap: expected 1 to {window - 1} frames, fewer than the {window} of a window; found {overlap}"
        )
    window = min(window, frames)
    starts = [*(range(0, frames - window, window - overlap) if frames > window else ()), frames - window]
    borders = [given, *(max(given, border) for border in _borders(starts, window)), frames]
    return [Window(i, first, window, borders[i], borders[i + 1]) for i, first in enumerate(starts)]


def _borders(starts: Sequence[int], window: int) -> list[int]:
    return [(before + window + after) // 2 for before, after in itertools.pairwise(starts)]
