"""Boxes as `.bbox` JSON beside each video: `label`, `bbox` [x1, y1, x2, y2] in 0-1; `id, frame, attributes, relations`.

A file is a list of such objects, or an object that holds the list as `objects`, with `frames`, how many the video has,
if that is known. Without `frame` a box holds for the whole video; without `id` things of one label are told apart by
their order within a frame. `relations` of an object are `{"predicate": ..., "object": ID}`, or such pairs as lists.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mov_ai.data.formats.annotations import MAX_ANNOTATED, Annotations
from mov_ai.data.formats.predicates import read_predicate
from mov_ai.errors import UsageError
from mov_ai.graph import Edge, Layout, SceneGraph, Track
from mov_ai.graph.files import read_json
from mov_ai.graph.time import frame_times

SUFFIX = ".bbox"


@dataclass(frozen=True)
class Content:
    """What a `.bbox` file says: its objects, and how many frames it speaks of, if it says so."""

    objects: list[dict[str, Any]]
    frames: int | None

    @property
    def timed(self) -> bool:
        """Whether any box is of one frame."""
        return any("frame" in entry for entry in self.objects)


def read_content(path: Path) -> Content:
    """Read and check a `.bbox` file. Raises UsageError if it is none."""
    value = read_json(path)
    objects = value.get("objects") if isinstance(value, dict) else value
    frames = value.get("frames") if isinstance(value, dict) else None
    if not isinstance(objects, list) or not all(map(_is_object, objects)):
        raise UsageError(f'{path}: expected a list of objects with "label" and "bbox" [x1, y1, x2, y2] in 0-1')
    return Content(objects, frames if isinstance(frames, int) and 0 < frames <= MAX_ANNOTATED else None)


def gather(content: Content, frames: int, fps: float) -> Annotations:
    """The annotations of a `.bbox` file.

    Args:
        frames, fps: of the video. If the file speaks of another number of frames, those are spread over the video.
    """
    if content.frames is not None:
        frames, fps = content.frames, fps * content.frames / frames
    named = sorted({entry["frame"] for entry in content.objects if "frame" in entry})
    frames = max([frames, *(frame + 1 for frame in named[-1:])])
    # With a number of frames of its own the file speaks of each of them, else of those that it names.
    annotated = range(frames) if content.frames is not None else named or [0]
    gathered = Annotations(annotated, frames, fps)
    order: dict[tuple[str, int | None], int] = {}
    keyed = []
    for entry in content.objects:
        label, frame = entry["label"], entry.get("frame")
        nth = order[label, frame] = order.get((label, frame), -1) + 1
        key = ("id", entry["id"]) if entry.get("id") is not None else (label, nth)
        gathered.thing(key, label)
        keyed.append((key, entry))
    for key, entry in keyed:
        moments = [entry["frame"]] if "frame" in entry else annotated
        for frame in moments:
            left, top, right, bottom = map(float, entry["bbox"])
            gathered.box(key, frame, (left, top, right, bottom))
            when = gathered.around(frame)
            for value in entry.get("attributes") or ():
                gathered.attribute(key, str(value), when)
            for predicate, other in _relations(entry.get("relations") or ()):
                gathered.relate(key, read_predicate(predicate), ("id", other), when)
    return gathered


def _is_object(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("label"), str) or not entry["label"].strip():
        return False
    box, frame = entry.get("bbox"), entry.get("frame", 0)
    is_box = isinstance(box, list) and len(box) == 4 and all(map(_is_number, box))
    is_frame = isinstance(frame, int) and not isinstance(frame, bool) and frame >= 0
    return is_box and is_frame and isinstance(entry.get("id", 0), (int, str))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -10 <= value <= 10


def _relations(entries: Any) -> Iterator[tuple[str, Any]]:
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            predicate = entry.get("predicate") or entry.get("relation") or entry.get("label")
            other = entry.get("object", entry.get("target", entry.get("id")))
        else:
            predicate, other = entry if isinstance(entry, list) and len(entry) == 2 else (None, None)
        if isinstance(predicate, str) and isinstance(other, (int, str)):
            yield predicate, other


def bbox_from_layout(layout: Layout, graph: SceneGraph) -> dict[str, Any]:
    """A layout as the content of a `.bbox` file, with the graph's attributes and relations that hold in each frame.

    Where a thing is not to be seen, or its box not given, it has no entry; depth has no place in the format.
    """
    ids = {(track.entity, track.instance): i for i, track in enumerate(layout.tracks)}
    entities = {node.id: node for node in graph.of_type("entity")}
    objects = []
    for frame, time in enumerate(frame_times(layout.frames)):
        for track in layout.tracks:
            corners = track.corners(frame)
            if corners is None:
                continue
            node = entities.get(track.entity)
            entry: dict[str, Any] = {"id": ids[track.entity, track.instance], "frame": frame}
            entry |= {"label": node.label if node else track.label or track.entity, "bbox": corners}
            held = [edge for edge in graph.edges if edge.interval[0] <= time < edge.interval[1]] if node else []
            values = [graph.node(edge.target).label for edge in held if _has(edge, track, "has_attribute")]
            related = [
                {"predicate": edge.label, "object": ids[edge.target, 0]}
                for edge in held
                if (_has(edge, track, "spatial") or _has(edge, track, "relation")) and (edge.target, 0) in ids
            ]
            objects.append(
                entry | ({"attributes": values} if values else {}) | ({"relations": related} if related else {})
            )
    return {"frames": layout.frames, "objects": objects}


def _has(edge: Edge, track: Track, edge_type: str) -> bool:
    return edge.type == edge_type and edge.source == track.entity
