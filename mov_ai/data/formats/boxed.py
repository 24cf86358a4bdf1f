"""Videos with boxes beside them: `.bbox` JSON, LVD layouts, MOT files and sequences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mov_ai.data.clips import Clip
from mov_ai.data.formats import bbox, lvd, mot
from mov_ai.data.formats.annotations import Annotations
from mov_ai.data.formats.finding import peek, read_text, stem
from mov_ai.data.formats.pairs import caption_file
from mov_ai.data.formats.place import Place
from mov_ai.data.formats.report import Report
from mov_ai.data.formats.timing import video_timing
from mov_ai.errors import UsageError

_UNREADABLE = "box files that cannot be read"
_UNOPENED = "videos that cannot be opened"


def has_bbox(place: Place) -> bool:
    """Whether any video has a `.bbox` file beside it."""
    return any(beside(place, video, bbox.SUFFIX) is not None for video in place.videos())


def bbox_clips(place: Place, report: Report) -> Iterator[Clip]:
    """Each video that has a `.bbox` file, with its text if there is one; `with_boxes` adds what the file says."""
    for video in place.videos():
        if beside(place, video, bbox.SUFFIX) is None:
            report.add(place.key(video), "no boxes")
        else:
            yield Clip(place.key(video), video, captions=_captions(place, video, report))


def with_boxes(place: Place, clips: Iterator[Clip], report: Report) -> Iterator[Clip]:
    """Clips of any format, with the boxes of a `.bbox` file beside the video where there is one."""
    for clip in clips:
        path = beside(place, clip.video, bbox.SUFFIX) if clip.member is None and not clip.tracks else None
        if path is None:
            yield clip
            continue
        annotations = None
        try:
            content = bbox.read_content(path)
            timing = video_timing(clip.video, clip.metadata.get("fps")) if content.timed else None
            if content.timed and timing is None:
                report.add(clip.key, _UNOPENED)
            else:
                annotations = bbox.gather(content, timing.frames if timing else 1, timing.fps if timing else 1.0)
        except UsageError:
            report.add(place.key(path), _UNREADABLE)
        yield annotated(clip, annotations) if annotations is not None else clip


def annotated(clip: Clip, annotations: Annotations) -> Clip:
    """A clip with boxes; with their graph too, if it says more than what there is, or there is no caption."""
    graph, tracks = annotations.result()
    is_whole = clip.start is None and clip.end is None
    needs_graph = clip.graph is None and is_whole and (annotations.says_more or not any(clip.captions))
    return replace(clip, tracks=tracks, graph=graph if needs_graph else clip.graph)


def has_lvd(place: Place) -> bool:
    """Whether any of the first videos has an LVD layout of its name beside it."""
    return any(_lvd_file(place, video) is not None for video in place.first_videos)


def lvd_clips(place: Place, report: Report) -> Iterator[Clip]:
    """Each video that has an LVD layout; its prompt is the caption unless there is a text."""
    for video in place.videos():
        path = _lvd_file(place, video)
        if path is None:
            report.add(place.key(video), "no boxes")
            continue
        timing = video_timing(video)
        if timing is None:
            report.add(place.key(video), _UNOPENED)
            continue
        try:
            prompt, annotations = next(iter(lvd.read_lvd(path, timing.seconds, 1 / timing.fps).items()))
        except UsageError:
            report.add(place.key(path), _UNREADABLE)
            continue
        captions = _captions(place, video, report) or ((prompt,) if prompt else ())
        yield annotated(Clip(place.key(video), video, captions=captions), annotations)


def has_mot(place: Place) -> bool:
    """Whether there is a MOT sequence, or any of the first videos has MOT rows beside it."""
    return next(_sequences(place), None) is not None or any(
        _mot_file(place, video) is not None for video in place.first_videos
    )


def mot_clips(place: Place, report: Report) -> Iterator[Clip]:
    """Sequences, then videos with MOT rows beside them."""
    for folder in _sequences(place):
        names, gt = place.files.names(folder), place.files.names(folder / "gt")
        try:
            sequence = mot.read_sequence(folder / "seqinfo.ini")
            labels = folder / "gt" / "labels.txt" if "labels.txt" in gt else None
            annotations = mot.read_mot(folder / "gt" / "gt.txt", sequence, labels)
        except UsageError:
            report.add(place.key(folder), _UNREADABLE)
            continue
        frames = folder / sequence.folder
        # Instead of frames there may be a video of the sequence's name, within the folder or beside it.
        video = frames if sequence.folder in names else place.files.video(folder.name, (folder, folder.parent))
        if video is None:
            report.add(place.key(frames), "no such file")
            continue
        captions = _captions(place, folder, report)
        yield annotated(Clip(place.key(video), video, captions=captions, metadata={"fps": sequence.fps}), annotations)
    for video in place.videos():
        path = _mot_file(place, video)
        if path is None:
            continue
        timing = video_timing(video)
        if timing is None:
            report.add(place.key(video), _UNOPENED)
            continue
        try:
            sequence = mot.Sequence(timing.fps, timing.frames, timing.height, timing.width)
            annotations = mot.read_mot(path, sequence)
        except UsageError:
            report.add(place.key(path), _UNREADABLE)
            continue
        captions = () if path.suffix == ".txt" else _captions(place, video, report)
        yield annotated(Clip(place.key(video), video, captions=captions), annotations)


def beside(place: Place, video: Path, suffix: str) -> Path | None:
    """The file of a video's name with another ending, in its folder."""
    name = f"{stem(video.name)}{suffix}"
    return video.parent / name if place.files.names(video.parent).get(name) is False else None


def _captions(place: Place, video: Path, report: Report) -> tuple[str, ...]:
    path = caption_file(place, video)
    if path is None:
        return ()
    try:
        return (read_text(path),)
    except UsageError:
        report.add(place.key(path), "captions that are not UTF-8 text")
        return ()


def _lvd_file(place: Place, video: Path) -> Path | None:
    paths = (beside(place, video, suffix) for suffix in (".lvd.json", ".json"))
    return next((path for path in paths if path is not None and b"Frame 1" in peek(path)), None)


def _mot_file(place: Place, video: Path) -> Path | None:
    paths = (beside(place, video, suffix) for suffix in (".mot.csv", ".csv", ".mot.txt", ".txt"))
    return next(
        (path for path in paths if path is not None and mot.is_mot(peek(path).decode("utf-8", "replace"))), None
    )


def _sequences(place: Place) -> Iterator[Path]:
    if place.path.is_file():
        return
    for folder, names in place.files.walk():
        if names.get("seqinfo.ini") is False and place.files.names(folder / "gt").get("gt.txt") is False:
            yield folder
