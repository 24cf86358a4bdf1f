"""Small data sets that the tests of formats make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mov_ai.data.clips import Clip
from mov_ai.data.formats import ClipSource, find_format, read_clips

#: What stands for a video where nothing decodes it.
NO_VIDEO = b"not decoded"


def videos(folder: Path, *names: str) -> None:
    """Files that stand for videos."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(NO_VIDEO)


def real_video(path: Path, frames: int = 8, fps: float = 4.0, height: int = 32, width: int = 64) -> None:
    """A video that can be decoded."""
    from mov_ai.data.video import write_video

    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, np.zeros((frames, height, width, 3), np.uint8), fps)


def write(path: Path, content: str | list[Any] | dict[str, Any]) -> Path:
    """A text file, or a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def read(path: Path, format: str | None = None) -> tuple[list[Clip], ClipSource]:
    """The clips of a data set, and what was left out; the same when read again."""
    source = read_clips(path, format)
    clips = list(source)
    problems = source.problems
    assert [clip.key for clip in source] == [clip.key for clip in clips]
    assert source.problems == problems
    assert len({clip.key for clip in clips}) == len(clips)
    return clips, source


def captions(path: Path, expected_format: str) -> dict[str, tuple[str, ...]]:
    """Key -> captions of a data set that tells its format itself and is read without problems."""
    assert find_format(path) == expected_format
    clips, source = read(path)
    assert source.problems == []
    return {clip.key: clip.captions for clip in clips}


def reasons(source: ClipSource) -> dict[str, list[str]]:
    """Reason -> places of what was left out."""
    grouped: dict[str, list[str]] = {}
    for problem in source.problems:
        grouped.setdefault(problem.reason, []).append(problem.where)
    return grouped
