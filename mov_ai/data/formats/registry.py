"""The formats by name, how a data set's format is told, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mov_ai.data.clips import Clip, Problem
from mov_ai.data.formats import (
    action_genome,
    boxed,
    coco_video,
    lists,
    msrvtt,
    pairs,
    panda70m,
    tars,
    ucf101,
    vidvrd,
    webvid,
)
from mov_ai.data.formats.place import Place
from mov_ai.data.formats.report import Report, distinct
from mov_ai.data.formats.tables import Table
from mov_ai.data.video import VIDEO_SUFFIXES
from mov_ai.errors import UsageError


@dataclass(frozen=True)
class Format:
    """A way in which data sets of captioned videos are laid out.

    Attributes:
        about: what it looks like, in a few words, for messages.
        matches: whether a place looks like it. Reads no more than it must.
        read: the clips, in a fixed order; what is left out goes to the report.
    """

    about: str
    matches: Callable[[Place], bool]
    read: Callable[[Place, Report], Iterator[Clip]]


def _of_list(
    about: str, is_it: Callable[[Table], bool], read: Callable[[Place, Table, Report], Iterator[Clip]]
) -> Format:
    """The format of a list that is known by its columns."""

    def chosen(place: Place) -> Table:
        fitting = [table for table in place.tables if is_it(table)]
        if not fitting:
            if place.tables:
                raise lists.unknown_columns(place.tables)
            raise UsageError(f"{place.path}: holds no list; expected {about}")
        if len(fitting) > 1 and fitting[0].path.stem.lower() not in ("captions", "metadata", "videos2caption"):
            names = ", ".join(table.path.name for table in fitting[:5])
            raise UsageError(f"{place.path}: holds {len(fitting)} lists ({names}); give one of them as the path")
        return fitting[0]

    return Format(
        about, lambda place: any(map(is_it, place.tables)), lambda place, report: read(place, chosen(place), report)
    )


#: In the order in which they are tried: the more special first.
FORMATS: dict[str, Format] = {
    "msrvtt": Format("MSR-VTT's JSON with videos and sentences", msrvtt.has_msrvtt, msrvtt.msrvtt_clips),
    "action_genome": Format(
        "Action Genome's annotations as JSON, with Charades' videos",
        action_genome.has_action_genome,
        action_genome.action_genome_clips,
    ),
    "lvd": Format("an LVD layout of its name beside each video", boxed.has_lvd, boxed.lvd_clips),
    "mot": Format(
        "MOT sequences (seqinfo.ini, gt/gt.txt, img1), or MOT rows beside each video", boxed.has_mot, boxed.mot_clips
    ),
    "coco_video": Format(
        "COCO-video's JSON (YouTube-VIS) with folders of frames", coco_video.has_coco_video, coco_video.coco_video_clips
    ),
    "vidvrd": Format(
        "VidVRD's and VidOR's JSON with trajectories and relation_instances", vidvrd.has_relations, vidvrd.related_clips
    ),
    "webvid": _of_list("WebVid's CSV: videoid, name, page_dir, ...", webvid.is_webvid, webvid.webvid_clips),
    "panda70m": _of_list("Panda-70M's CSV: videoID, timestamp, caption", panda70m.is_panda70m, panda70m.panda70m_clips),
    "openvid": _of_list(
        "OpenVid-1M's CSV: video, caption, aesthetic score, motion score, ...", lists.is_openvid, lists.listed_clips
    ),
    "opensora": _of_list(
        "Open-Sora's CSV or Parquet: path, text, num_frames, height, width, ...", lists.is_opensora, lists.listed_clips
    ),
    "videos2caption": _of_list(
        "videos2caption.json: path, cap; or a mapping of videos to captions",
        lists.is_videos2caption,
        lists.listed_clips,
    ),
    "metadata": _of_list(
        "captions.csv, or metadata.csv, .json, .jsonl, .parquet: a column for the video, one for its caption",
        lists.is_list,
        lists.listed_clips,
    ),
    "prompts": Format("prompts.txt and videos.txt, line by line", pairs.has_prompts, pairs.prompted_clips),
    "webdataset": Format("tar files with KEY.mp4 and KEY.txt or KEY.json", tars.has_tars, tars.tar_clips),
    "frames": Format(
        "folders of frames, each with a text of its name beside it", pairs.has_frame_pairs, pairs.paired_clips
    ),
    "pairs": Format("a text of its name beside each video, as a.mp4 and a.txt", pairs.has_pairs, pairs.paired_clips),
    "bbox": Format(".bbox JSON of its name beside each video", boxed.has_bbox, boxed.bbox_clips),
    "ucf101": Format("UCF-101's class folders", ucf101.has_classes, ucf101.class_clips),
}


class ClipSource:
    """The clips of a data set, read anew at each iteration, one by one.

    Attributes:
        path: of the data set.
        format: name of its format.
        problems: what the last iteration left out; complete when it has come to its end.
    """

    def __init__(self, path: str | Path, name: str | None = None) -> None:
        self.path = Path(path)
        self.format = _checked(name) if name is not None else find_format(path)
        self.problems: list[Problem] = []

    def __iter__(self) -> Iterator[Clip]:
        report = Report()
        self.problems = report.problems
        place = Place(self.path)
        clips = FORMATS[self.format].read(place, report)
        yield from distinct(boxed.with_boxes(place, clips, report), report)


def read_clips(path: str | Path, format: str | None = None) -> ClipSource:
    """The clips of a data set.

    Args:
        path: its folder, or one list of it.
        format: a name of `FORMATS`; told from the files if None.

    Raises:
        UsageError: as `find_format`; while iterating, if a list cannot be read on.
    """
    return ClipSource(path, format)


def find_format(path: str | Path) -> str:
    """The name of a data set's format.

    Raises:
        UsageError: if there is no such place, it holds no videos, or nothing says what they show.
    """
    place = Place(Path(path))
    for name, candidate in FORMATS.items():
        if candidate.matches(place):
            return name
    if place.tables:
        raise lists.unknown_columns(place.tables)
    if place.unreadable:
        raise place.unreadable[0]
    if not place.first_videos:
        raise UsageError(
            f"{place.path}: holds no videos; expected files such as {', '.join(VIDEO_SUFFIXES[:6])}, or folders of "
            "frames"
        )
    raise UsageError(
        f"{place.path}: holds videos, but nothing that says what they show; add captions.csv with the columns "
        "file_name and caption, or a text of its name beside each video"
    )


def _checked(name: str) -> str:
    if name not in FORMATS:
        raise UsageError(f"data.format: expected one of {', '.join(FORMATS)}; found {name!r}")
    return name
