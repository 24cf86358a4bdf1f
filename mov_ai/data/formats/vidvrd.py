"""VidVRD and VidOR: JSON with trajectories and relation instances over time, one file a video.

Keys: video_id, frame_count, fps, width, height, subject/objects[] (tid, category), trajectories (a list for each frame:
tid, bbox xmin ymin xmax ymax, generated), relation_instances[] (subject_tid, predicate, object_tid, begin_fid, and
end_fid, which is excluded); VidOR has video_path too. Boxes that were generated between two labelled ones count as
labelled.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mov_ai.data.clips import Clip
from mov_ai.data.formats.annotations import Annotations
from mov_ai.data.formats.finding import peek
from mov_ai.data.formats.place import Place
from mov_ai.data.formats.predicates import read_predicate
from mov_ai.data.formats.report import Report
from mov_ai.errors import UsageError
from mov_ai.graph.files import read_json

_KEYS = (b'"subject/objects"', b'"trajectories"', b'"relation_instances"')
#: JSON files that are looked into to tell the format.
FIRST_FILES = 5


def has_relations(place: Place) -> bool:
    """Whether any of the first JSON files has trajectories and relations."""
    for i, path in enumerate(_json_files(place)):
        if i == FIRST_FILES:
            return False
        beginning = peek(path)
        if any(key in beginning for key in _KEYS):
            return True
    return False


def related_clips(place: Place, report: Report) -> Iterator[Clip]:
    """The annotated videos in the order of their annotation files."""
    for path in _json_files(place):
        where = place.key(path)
        try:
            content = read_json(path)
        except UsageError:
            report.add(where, "files that are no JSON")
            continue
        if not isinstance(content, dict) or "trajectories" not in content:
            continue
        name = str(content.get("video_path") or f"{content.get('video_id') or path.stem}.mp4")
        video = place.files.video(name, (*place.folders_for(path), *_video_folders(place)))
        if video is None:
            report.add(name, "no such file")
            continue
        try:
            graph, tracks = annotated(content).result()
        except (KeyError, TypeError, ValueError, AttributeError):
            report.add(where, "annotations that lack a key")
            continue
        about = {
            name: content[name] for name in ("video_id", "fps", "frame_count", "width", "height") if name in content
        }
        yield Clip(place.key(video), video, graph=graph, tracks=tracks, metadata=about)


def annotated(content: dict[str, Any]) -> Annotations:
    """What one file says. Raises KeyError, TypeError or ValueError if something is not there."""
    trajectories = content["trajectories"]
    frames = max(int(content.get("frame_count") or 0), len(trajectories))
    width, height = float(content["width"]), float(content["height"])
    annotations = Annotations(range(len(trajectories)), frames, float(content["fps"]))
    for thing in content["subject/objects"]:
        annotations.thing(thing["tid"], str(thing["category"]))
    for frame, things in enumerate(trajectories):
        for thing in things:
            box = thing["bbox"]
            corners = (box["xmin"] / width, box["ymin"] / height, box["xmax"] / width, box["ymax"] / height)
            annotations.box(thing["tid"], frame, corners)
    for relation in content.get("relation_instances", ()):
        interval = (max(0.0, relation["begin_fid"] / frames), min(1.0, relation["end_fid"] / frames))
        predicate = read_predicate(str(relation["predicate"]))
        annotations.relate(relation["subject_tid"], predicate, relation["object_tid"], interval)
    return annotations


def _json_files(place: Place) -> Iterator[Path]:
    if place.path.is_file():
        if place.path.suffix.lower() == ".json":
            yield place.path
        return
    for folder, names in place.files.walk():
        yield from (
            folder / name for name, is_folder in names.items() if not is_folder and name.lower().endswith(".json")
        )


def _video_folders(place: Place) -> tuple[Path, ...]:
    root = place.root
    return (*(root.parent / name for name in ("videos", "video")), root / "Data" / "VID" / "snippets")
