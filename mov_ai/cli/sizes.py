"""What `--frames`, `--fps`, `--size` and `--stages` say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mov_ai.cli.messages import say
from mov_ai.errors import UsageError

if TYPE_CHECKING:
    from mov_ai.graph import Layout, VideoShape


def chosen_shape(frames: int | None, fps: float | None, size: str | None, base: VideoShape | None = None) -> VideoShape:
    """The shape that the options ask for; what they leave open is as in `base`, or the default. Raises UsageError."""
    from mov_ai.graph import VideoShape, parse_size

    shape = base or VideoShape()
    height, width = parse_size(size) if size is not None else (shape.height, shape.width)
    return replace(
        shape,
        frames=shape.frames if frames is None else frames,
        fps=shape.fps if fps is None else fps,
        height=height,
        width=width,
    )


def parse_stages(stages: str | None) -> int | tuple[int, ...] | None:
    """One size as 256, or several as 128,256,512; None for None. UsageError if written otherwise or not ascending."""
    if stages is None:
        return None
    try:
        sizes = tuple(int(word) for word in stages.split(","))
    except ValueError:
        sizes = ()
    if not sizes or sizes[0] < 1 or sizes[-1] > 4096 or list(sizes) != sorted(set(sizes)):
        raise UsageError(
            "--stages: expected the size of the last stage, as 256, or of all from small to large, as 128,256,512; "
            f"found {stages[:40]!r}"
        )
    return sizes[0] if len(sizes) == 1 else sizes


def resampled(layout: Layout, frames: int | None) -> Layout:
    """A given layout in the number of frames that is asked for, if one is; says so where that changes it."""
    if frames is None or frames == layout.frames:
        return layout
    say(f"warning: the layout has {layout.frames} frames and {frames} are asked for: its boxes are interpolated")
    return layout.resampled(frames)
