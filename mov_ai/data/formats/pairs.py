"""Captions as plain text: one text file beside each video, or one file of captions and one of videos, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mov_ai.data.clips import Clip
from mov_ai.data.formats.finding import read_text, stem
from mov_ai.data.formats.place import Place
from mov_ai.data.formats.report import Report
from mov_ai.errors import UsageError

#: As diffusers' CogVideoX scripts and finetrainers name the two files.
PROMPT_FILES = ("prompts.txt", "prompt.txt", "captions.txt", "caption.txt")
VIDEO_FILES = ("videos.txt", "video.txt")


def has_prompts(place: Place) -> bool:
    """Whether there is a file of captions and one of videos."""
    return _two_files(place) is not None


def prompted_clips(place: Place, report: Report) -> Iterator[Clip]:
    """The clips of prompts.txt and videos.txt, paired by line.

    Raises:
        UsageError: if the files have not as many lines, or are not UTF-8.
    """
    files = _two_files(place)
    if files is None:
        raise UsageError(f"{place.path}: expected {PROMPT_FILES[0]} and {VIDEO_FILES[0]}; add them")
    # Not splitlines: a caption may hold a separator of another kind.
    prompts, videos = (read_text(path).replace("\r\n", "\n").rstrip("\n").split("\n") for path in files)
    if len(prompts) != len(videos):
        raise UsageError(
            f"{place.path}: expected as many lines in {files[0].name} as in {files[1].name}; found {len(prompts)} and "
            f"{len(videos)}: each caption is one line"
        )
    folders = place.folders_for(files[1])
    for prompt, name in zip(prompts, videos, strict=True):
        video = place.files.video(name, folders) if name.strip() else None
        if video is None:
            report.add(name, "no such file")
        else:
            yield Clip(place.key(video), video, captions=(prompt,))


def has_pairs(place: Place) -> bool:
    """Whether any video has a text of its name beside it."""
    return any(caption_file(place, video) is not None for video in place.videos())


def has_frame_pairs(place: Place) -> bool:
    """Whether the first video is a folder of frames that has a text."""
    first = next(iter(place.first_videos), None)
    return first is not None and place.files.has_frames(first) and caption_file(place, first) is not None


def paired_clips(place: Place, report: Report) -> Iterator[Clip]:
    """Each video, or folder of frames, with the text of its name beside it."""
    for video in place.videos():
        file = caption_file(place, video)
        if file is None:
            report.add(place.key(video), "no caption")
            continue
        try:
            text = read_text(file)
        except UsageError:
            report.add(place.key(file), "captions that are not UTF-8 text")
            continue
        yield Clip(place.key(video), video, captions=(text,))


def caption_file(place: Place, video: Path) -> Path | None:
    """The text of a video's name beside it; for folders of frames also `caption.txt` within."""
    names = place.files.names(video.parent)
    is_folder = names.get(video.name, False)
    name = f"{video.name if is_folder else stem(video.name)}.txt"
    if names.get(name) is False:
        return video.parent / name
    if is_folder and place.files.names(video).get("caption.txt") is False:
        return video / "caption.txt"
    return None


def _two_files(place: Place) -> tuple[Path, Path] | None:
    prompts = next((name for name in PROMPT_FILES if place.names.get(name) is False), None)
    videos = next((name for name in VIDEO_FILES if place.names.get(name) is False), None)
    return (place.root / prompts, place.root / videos) if prompts and videos else None
