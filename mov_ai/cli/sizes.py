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
    sizes = parse_numbers(stages, 4096)
    if sizes == () or (isinstance(sizes, tuple) and list(sizes) != sorted(set(sizes))):
        raise UsageError(
            "--stages: expected the size of the last stage, as 256, or of all from small to large, as 128,256,512; "
            f"found {str(stages)[:40]!r}"
        )
    return sizes


def parse_numbers(text: str | None, most: int) -> int | tuple[int, ...] | None:
    """One number from 1 to `most`, or several with commas; () if that is not what is written, None for None."""
    if text is None:
        return None
    try:
        numbers = tuple(int(word) for word in text.split(","))
    except ValueError:
        return ()
    if any(not 1 <= number <= most for number in numbers):
        return ()
    return numbers[0] if len(numbers) == 1 else numbers


def resampled(layout: Layout, frames: int | None) -> Layout:
    """A given layout in the number of frames that is asked for, if one is; says so where that changes it."""
    if frames is None or frames == layout.frames:
        return layout
    say(f"warning: the layout has {layout.frames} frames and {frames} are asked for: its boxes are interpolated")
    return layout.resampled(frames)
