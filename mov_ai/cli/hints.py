"""What `--sketch` and `--audio` name: drawings of things, and a sound whose onsets events begin at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mov_ai.cli.messages import say, tell
from mov_ai.errors import UsageError

if TYPE_CHECKING:
    from mov_ai.graph import VideoShape
    from mov_ai.graph.onsets import Onsets
    from mov_ai.graph.sketch import Sketch

#: Onsets that are listed.
_LISTED = 8


def parse_sketch(text: str) -> tuple[Path, str | None]:
    """A drawing's file, and the entity that it is of, if one is named. Raises UsageError if there is no such file."""
    name, mark, entity = text.rpartition("@")
    if Path(text).is_file() or not mark:
        path, of = Path(text), None
    else:
        path, of = Path(name), entity.strip()
    if not path.is_file():
        hint = "a thing is written FILE@ball" if mark else "give a picture's file"
        raise UsageError(f"--sketch: {text}: no such file; {hint}")
    if of == "":
        raise UsageError(f"--sketch: {text}: expected the name of a thing after '@', as {path}@ball")
    return path, of


def read_sketches(texts: Sequence[str], shape: VideoShape) -> tuple[Sketch, ...]:
    """Drawings, for a video of that shape; says so where one is cropped. Raises UsageError as `read_sketch`."""
    if not texts:
        return ()
    from mov_ai.data.sketch import read_sketch
    from mov_ai.long_video.beginning import is_cropped

    sketches = []
    for text in texts:
        path, entity = parse_sketch(text)
        sketch, (height, width) = read_sketch(path, entity, shape.height, shape.width)
        if is_cropped(height, width, shape):
            say(
                f"warning: {path}: {height}x{width} is cropped to the centre for frames of {shape.height}x{shape.width}"
            )
        sketches.append(sketch)
    return tuple(sketches)


def read_sound(path: Path | None) -> Onsets | None:
    """The onsets of a sound file, which are said, too; None for none. Raises UsageError as `read_onsets`."""
    if path is None:
        return None
    from mov_ai.data.onsets import read_onsets

    onsets, note = read_onsets(path)
    if note is not None:
        say(f"warning: {note}")
    return onsets


def tell_onsets(onsets: Onsets) -> None:
    """Say where the onsets of a sound are, and how loud."""
    listed = [f"{time:.2f} s ({loud:.0f} dB)" for time, loud in zip(onsets.times, onsets.decibels, strict=True)]
    more = f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    tell(f"  onsets of {onsets.file}, which lasts {onsets.duration:.2f} s: {', '.join(listed[:_LISTED])}{more}")


def check_hints(
    sketches: Sequence[str], audio: Path | None, others: dict[str, bool], has_length: bool, keeps_latents: bool
) -> None:
    """Raises UsageError for what contradicts itself, before anything is loaded.

    Args:
        others: options that say all frames, or where things are at first, and whether they are given.
        has_length: whether --frames or --seconds are given.
    """
    for option in [name for name, given in (("--sketch", bool(sketches)), ("--audio", audio is not None)) if given]:
        for other, is_given in others.items():
            if is_given:
                raise UsageError(f"{option}: not together with {other}, which says what begins where, and when")
    if audio is not None and keeps_latents and not has_length:
        raise UsageError("--audio: with --save-latents give --frames: the length of the sound may need several windows")
    for text in sketches:
        parse_sketch(text)
