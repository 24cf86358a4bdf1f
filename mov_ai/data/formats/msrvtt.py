"""MSR-VTT: JSON with `videos` (video_id, category, split, ...) and `sentences` (video_id, caption), twenty for each.

Files {video_id}.mp4 are the clips themselves; `start time` and `end time` are of the videos that they were cut from.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mov_ai.data.clips import Clip
from mov_ai.data.formats.finding import peek
from mov_ai.data.formats.place import Place
from mov_ai.data.formats.report import Report
from mov_ai.data.formats.tables import plain_name
from mov_ai.errors import UsageError
from mov_ai.graph.files import read_json

#: Where the videos lie, in the copies that go round.
FOLDERS = ("TrainValVideo", "TestVideo", "videos/all", "all")


def has_msrvtt(place: Place) -> bool:
    """Whether there is an annotation file as MSR-VTT's."""
    return next(_annotations(place), None) is not None


def msrvtt_clips(place: Place, report: Report) -> Iterator[Clip]:
    """The videos in the order of their lists, with all captions of each.

    Raises:
        UsageError: if a list is not JSON, or not MSR-VTT's.
    """
    for path in _annotations(place):
        content = read_json(path)
        videos, sentences = (
            content.get(name) if isinstance(content, dict) else None for name in ("videos", "sentences")
        )
        if not isinstance(videos, list) or not isinstance(sentences, list):
            raise UsageError(
                f"{path}: expected an object with lists 'videos' and 'sentences', as MSR-VTT's; fetch it again"
            )
        captions: dict[str, list[str]] = {}
        for i, sentence in enumerate(sentences):
            try:
                captions.setdefault(str(sentence["video_id"]), []).append(str(sentence["caption"]))
            except (KeyError, TypeError):
                report.add(f"{path.name} sentence {i}", "sentences without video_id or caption")
        folders = (
            *place.folders_for(path),
            *(root / name for root in (place.root, path.parent.parent) for name in FOLDERS),
        )
        for i, entry in enumerate(videos):
            video_id = entry.get("video_id") if isinstance(entry, dict) else None
            if not isinstance(video_id, str):
                report.add(f"{path.name} video {i}", "rows that name no video")
                continue
            video = place.files.video(f"{video_id}.mp4", folders) or place.files.video(video_id, folders)
            if video is None:
                report.add(f"{video_id}.mp4", "no such file")
                continue
            about = {plain_name(name): value for name, value in entry.items() if name != "video_id"}
            yield Clip(place.key(video), video, captions=tuple(captions.get(video_id, ())), metadata=about)


def _annotations(place: Place) -> Iterator[Path]:
    if place.path.is_file():
        paths = [place.path]
    else:
        folders = [place.root, *(place.root / name for name in place.names if "annotation" in name.lower())]
        paths = [folder / name for folder in folders for name in place.files.names(folder)]
        # Among thousands of files of other formats, only those with usual names are looked into.
        paths = [path for path in paths if "videodatainfo" in path.name.lower() or "vtt" in path.name.lower()]
    for path in paths:
        if path.suffix.lower() == ".json":
            beginning = peek(path)
            if b'"videos"' in beginning or b'"sentences"' in beginning:
                yield path
