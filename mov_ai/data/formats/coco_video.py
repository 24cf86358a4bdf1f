"""COCO-video, as YouTube-VIS has it: one JSON of all videos, with a box of each thing in each frame, or null.

Source: youtube-vos.org/dataset/vis. Keys: videos[] (id, width, height, length, file_names: a picture for each frame
that is annotated), categories[] (id, name, supercategory), annotations[] (id, video_id, category_id, iscrowd, and for
each of these frames bboxes [x, y, width, height] in pixels, areas, segmentations; null where the thing is not there).
Two keys of a video are read and written besides: fps, which the format lacks, and caption.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from mov_ai.data.clips import Clip
from mov_ai.data.formats.annotations import Annotations
from mov_ai.data.formats.finding import peek
from mov_ai.data.formats.place import Place
from mov_ai.data.formats.report import Report
from mov_ai.data.frame_folder import frame_files
from mov_ai.data.video_decoding import DEFAULT_FPS
from mov_ai.errors import UsageError
from mov_ai.graph import Layout, SceneGraph, VideoShape
from mov_ai.graph.files import read_json

#: Where YouTube-VIS has its pictures.
_PICTURES = "JPEGImages"
_KEYS = (b'"videos"', b'"file_names"')
#: The video of an exported layout, and the pictures that a generator would make of it.
_NAME = "layout"


def has_coco_video(place: Place) -> bool:
    """Whether a JSON file in the root, or the one that was given, begins with a list of videos as pictures."""
    return any(all(key in peek(path) for key in _KEYS) for path in _json_files(place))


def coco_video_clips(place: Place, report: Report) -> Iterator[Clip]:
    """The annotated videos, folders of frames, in the order of the lists."""
    for path in _json_files(place):
        if not all(key in peek(path) for key in _KEYS):
            continue
        folders = (*place.folders_for(path), *(folder / _PICTURES for folder in place.folders_for(path)))
        try:
            for video, things in _videos(read_json(path)):
                yield from _clip(place, video, things, folders, report)
        except UsageError:
            report.add(place.key(path), "files that are no JSON")
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            report.add(place.key(path), "annotations that lack a key")


def _clip(
    place: Place, video: dict[str, Any], things: list[tuple[Any, str, Any]], folders: tuple[Path, ...], report: Report
) -> Iterator[Clip]:
    names = [PurePosixPath(str(name)) for name in video["file_names"]]
    folder = place.files.video(str(names[0].parent), folders) if names else None
    if folder is None or not folder.is_dir():
        report.add(str(names[0].parent if names else video["id"]), "no such file")
        return
    # Only some of the pictures may be annotated.
    place_of = {picture.name: i for i, picture in enumerate(frame_files(folder))}
    missing = [name for name in names if name.name not in place_of]
    if missing:
        report.add(f"{place.key(folder)}/{missing[0].name}", "no such file")
        return
    annotated = [place_of[name.name] for name in names]
    fps = float(video.get("fps") or DEFAULT_FPS)
    annotations = gather(video, things, annotated, len(place_of), fps)
    graph, tracks = annotations.result()
    caption = video.get("caption")
    captions = (caption,) if isinstance(caption, str) and caption.strip() else ()
    about = {"fps": fps, "width": video["width"], "height": video["height"]}
    yield Clip(
        place.key(folder), folder, captions=captions, graph=None if captions else graph, tracks=tracks, metadata=about
    )


def _videos(content: Any) -> Iterator[tuple[dict[str, Any], list[tuple[Any, str, Any]]]]:
    """Each video with its things: (key, label, a box or None for each frame)."""
    labels = {category["id"]: str(category["name"]) for category in content["categories"]}
    things: dict[Any, list[tuple[Any, str, Any]]] = {}
    for entry in content.get("annotations") or ():
        # A crowd is many things in one box.
        if not entry.get("iscrowd"):
            thing = (entry["id"], labels[entry["category_id"]], entry["bboxes"])
            things.setdefault(entry["video_id"], []).append(thing)
    for video in content["videos"]:
        yield video, things.get(video["id"], [])


def gather(
    video: dict[str, Any], things: list[tuple[Any, str, Any]], annotated: list[int], frames: int, fps: float
) -> Annotations:
    """The annotations of one video.

    Args:
        video: an entry of `videos`.
        things: key, label, and a box or None for each annotated frame.
        annotated: numbers of these frames, ascending, among all of the video.
        frames, fps: of the video.

    Raises KeyError, TypeError or ValueError if something is not there or is no number.
    """
    width, height = float(video["width"]), float(video["height"])
    annotations = Annotations(annotated, frames, fps)
    for key, label, boxes in things:
        annotations.thing(key, label)
        for frame, box in zip(annotated, boxes, strict=True):
            if box is not None:
                x, y, w, h = map(float, box)
                annotations.box(key, frame, (x / width, y / height, (x + w) / width, (y + h) / height))
    return annotations


def _json_files(place: Place) -> Iterator[Path]:
    if place.path.is_file():
        if place.path.suffix.lower() == ".json":
            yield place.path
        return
    for name, is_folder in place.names.items():
        if not is_folder and name.lower().endswith(".json"):
            yield place.root / name


def coco_from_layout(layout: Layout, graph: SceneGraph) -> dict[str, Any]:
    """A layout as COCO-video's JSON, of one video.

    Where a thing is not to be seen, or its box not given, it has null; a thing that is never to be seen has no entry.
    No masks are known, so `segmentations` are null; depth has no place in the format.
    """
    shape = layout.shape or VideoShape(layout.frames)
    labels = {node.id: node.label for node in graph.of_type("entity")}
    names = [labels.get(track.entity) or track.label or track.entity for track in layout.tracks]
    classes = list(dict.fromkeys(names))
    annotations = []
    for number, (track, name) in enumerate(zip(layout.tracks, names, strict=True), 1):
        boxes: list[list[float] | None] = []
        for frame in range(layout.frames):
            corners = track.corners(frame)
            if corners is None:
                boxes.append(None)
                continue
            left, top, right, bottom = (
                edge * side for edge, side in zip(corners, (shape.width, shape.height) * 2, strict=True)
            )
            boxes.append([round(value, 2) for value in (left, top, right - left, bottom - top)])
        if any(box is not None for box in boxes):
            annotations.append(
                {
                    **{"id": number, "video_id": 1, "category_id": classes.index(name) + 1, "iscrowd": 0},
                    **{"width": shape.width, "height": shape.height, "length": layout.frames, "bboxes": boxes},
                    "areas": [None if box is None else round(box[2] * box[3], 2) for box in boxes],
                    "segmentations": [None] * layout.frames,
                }
            )
    video = {
        **{"id": 1, "width": shape.width, "height": shape.height, "length": layout.frames, "fps": shape.fps},
        "file_names": [f"{_NAME}/{frame:05d}.jpg" for frame in range(layout.frames)],
        "caption": graph.caption,
    }
    categories = [{"id": i, "name": name, "supercategory": "object"} for i, name in enumerate(classes, 1)]
    info = {"description": "boxes of a layout, planned from its caption"}
    return {"info": info, "videos": [video], "categories": categories, "annotations": annotations}
