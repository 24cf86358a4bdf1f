"""The layout: one box track per entity instance, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mov_ai.errors import UsageError, shown
from mov_ai.graph.files import parse_json, read_json, write_json
from mov_ai.graph.instances import MAX_COUNT
from mov_ai.graph.outline import Outline, outline_from_list, outline_to_list
from mov_ai.graph.schema import MAX_NODES, MAX_WORD, is_text
from mov_ai.graph.time import frame_times
from mov_ai.graph.video_shape import MAX_FRAMES, VideoShape

#: The version that is written, that of a layout with outlines, and those that are read; version 1 has neither `fps` nor
#: `height` and `width`, and 2 no outlines.
VERSION, WITH_OUTLINES, READABLE = 2, 3, (1, 2, 3)
#: As many as a graph has instances that can be drawn.
MAX_TRACKS = MAX_NODES * MAX_COUNT
#: What the six numbers of a box mean. x, y: centre; w, h: size (fractions of the frame, y down); depth: 0 is
#: nearest, larger is farther; visibility: 0 absent or out of the frame, 1 wholly there (occlusion not counted).
BOX_FIELDS = ("x", "y", "w", "h", "depth", "visibility")
#: Keys that a layout has beside `frames` if it was made for videos of one shape: all three or none.
_SIZE = ("fps", "height", "width")
_RANGES = {
    "x": (-2.0, 3.0),
    "y": (-2.0, 3.0),
    "w": (0.0, 4.0),
    "h": (0.0, 4.0),
    "depth": (0.0, 100.0),
    "visibility": (0.0, 1.0),
}


@dataclass
class Track:
    """The boxes of one instance of an entity.

    Attributes:
        entity: id of the entity node.
        boxes: float32 (frames, 6), columns as `BOX_FIELDS`; a row of NaN is a box not given, to be filled in.
        instance: 0 ... count-1 for entities with a count.
        label: for readers only.
        outline: of the thing within its box, in all frames; None if nothing but the box is known.
    """

    entity: str
    boxes: np.ndarray
    instance: int = 0
    label: str = ""
    outline: Outline | None = None

    def corners(self, frame: int) -> list[float] | None:
        """Left, top, right, bottom of a box as fractions; None if it is not given, or the thing is not to be seen."""
        x, y, w, h, _, seen = (float(value) for value in self.boxes[frame])
        if not np.isfinite(self.boxes[frame]).all() or seen <= 0 or w <= 0 or h <= 0:
            return None
        return [round(edge, 5) for edge in (x - w / 2, y - h / 2, x + w / 2, y + h / 2)]


@dataclass
class Layout:
    """Box tracks for the entities of a scene graph.

    Attributes:
        frames: how many boxes each track has.
        tracks: one for each entity instance, in any order.
        shape: of the video that the boxes were made for, with as many frames; None if that is not known.
    """

    frames: int
    tracks: list[Track] = field(default_factory=list)
    shape: VideoShape | None = None

    @property
    def complete(self) -> bool:
        """Whether every box is given."""
        return all(np.isfinite(track.boxes).all() for track in self.tracks)

    def track(self, entity: str, instance: int = 0) -> Track | None:
        """The track of an entity's instance, or None."""
        for track in self.tracks:
            if track.entity == entity and track.instance == instance:
                return track
        return None

    def with_given(self, given: Layout | None) -> Layout:
        """A copy in which what another layout of as many frames gives, boxes and outlines, is as it is there."""
        tracks = []
        for track in self.tracks:
            other = None if given is None else given.track(track.entity, track.instance)
            if other is not None:
                rows = np.isfinite(other.boxes).all(axis=1, keepdims=True)
                boxes = np.where(rows, other.boxes, track.boxes)
                outline = other.outline or track.outline
                track = replace(track, boxes=boxes, label=other.label or track.label, outline=outline)
            tracks.append(track)
        return Layout(self.frames, tracks, self.shape)

    def resampled(self, frames: int) -> Layout:
        """The same motion in another number of frames, 1 to 16384.

        Boxes and depth are interpolated linearly between the middles of frames; visibility, and whether a box is given,
        are the nearest frame's.
        """
        if frames == self.frames:
            return self
        tracks = self.sampled(frame_times(frames)).tracks
        return Layout(frames, tracks, replace(self.shape, frames=frames) if self.shape else None)

    def sampled(self, times: np.ndarray) -> Layout:
        """The boxes at other times, as `resampled` finds them.

        Args:
            times: ascending, on [0, 1]; one box of each track is made for each.
        """
        known_times = frame_times(self.frames)
        nearest = np.minimum((times * self.frames).astype(int), self.frames - 1)
        tracks = []
        for track in self.tracks:
            boxes = track.boxes[nearest].copy()
            is_given = np.isfinite(track.boxes).all(axis=1)
            for column in range(BOX_FIELDS.index("visibility") if is_given.any() else 0):
                boxes[:, column] = np.interp(times, known_times[is_given], track.boxes[is_given, column])
            boxes[~is_given[nearest]] = np.nan
            tracks.append(replace(track, boxes=boxes))
        return Layout(len(times), tracks)

    def in_aspect(self, aspect: float) -> Layout:
        """Boxes of a square frame in one of another width over height, where things keep their proportions.

        The square stands in its middle, as high or as wide as it.
        """
        return self._stretched(min(1.0, 1 / aspect), min(1.0, aspect))

    def as_square(self, aspect: float) -> Layout:
        """The inverse of `in_aspect`."""
        return self._stretched(max(1.0, aspect), max(1.0, 1 / aspect))

    def _stretched(self, across: float, down: float) -> Layout:
        if across == down == 1:
            return self
        scale = np.array([across, down, across, down, 1, 1], dtype=np.float32)
        middle = np.array([0.5, 0.5, 0, 0, 0, 0], dtype=np.float32)
        tracks = [replace(track, boxes=(track.boxes - middle) * scale + middle) for track in self.tracks]
        return Layout(self.frames, tracks)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; boxes not given are null."""
        tracks = []
        for track in self.tracks:
            boxes = [None if np.isnan(row).any() else [round(float(v), 5) for v in row] for row in track.boxes]
            entry: dict[str, Any] = {"entity": track.entity}
            if track.instance:
                entry["instance"] = track.instance
            if track.label:
                entry["label"] = track.label
            if track.outline is not None:
                entry["outline"] = outline_to_list(track.outline)
            tracks.append({**entry, "boxes": boxes})
        size = {name: getattr(self.shape, name) for name in _SIZE} if self.shape else {}
        version = VERSION if all(track.outline is None for track in self.tracks) else WITH_OUTLINES
        return {"version": version, "frames": self.frames, **size, "fields": list(BOX_FIELDS), "tracks": tracks}

    def save(self, path: str | Path) -> None:
        """Write the layout as a JSON file, all or nothing. Raises MovAIError if it cannot be written."""
        write_json(path, self.to_dict())

    @classmethod
    def from_dict(cls, value: Any, source: str = "layout") -> Layout:
        """Build and validate a layout from parsed JSON. Raises UsageError `source: path: expected; found`."""
        if not isinstance(value, dict) or not isinstance(value.get("tracks"), list):
            raise UsageError(f"{source}: expected an object with 'version', 'frames' and 'tracks'")
        version = value.get("version")
        if version not in READABLE or isinstance(version, bool):
            raise UsageError(f"{source}: version: expected {', '.join(map(str, READABLE))}; found {shown(version)}")
        keys = ("version", "frames", *(_SIZE if version != 1 else ()), "fields", "tracks")
        for key in value:
            if key not in keys:
                raise UsageError(f"{source}: expected only the keys {', '.join(keys)}; found {shown(key)}")
        frames = value.get("frames")
        if not isinstance(frames, int) or isinstance(frames, bool) or not 1 <= frames <= MAX_FRAMES:
            raise UsageError(f"{source}: frames: expected a whole number from 1 to {MAX_FRAMES}; found {shown(frames)}")
        shape = _shape_from_dict(value, frames, source)
        if value.get("fields", list(BOX_FIELDS)) != list(BOX_FIELDS):
            raise UsageError(f"{source}: fields: expected {list(BOX_FIELDS)}; found {shown(value['fields'])}")
        if len(value["tracks"]) > MAX_TRACKS:
            raise UsageError(f"{source}: tracks: expected at most {MAX_TRACKS}; found {len(value['tracks'])}")
        tracks = [
            _track_from_dict(raw, frames, version, f"{source}: tracks[{i}]") for i, raw in enumerate(value["tracks"])
        ]
        instances = set()
        for track in tracks:
            instance = (track.entity, track.instance)
            if instance in instances:
                raise UsageError(
                    f"{source}: tracks: expected one track per entity instance; found {shown(instance)} twice"
                )
            instances.add(instance)
        return cls(frames, tracks, shape)

    @classmethod
    def from_json(cls, text: str, source: str = "layout") -> Layout:
        """Read a layout from JSON text. Raises UsageError as `from_dict`."""
        return cls.from_dict(parse_json(text, source), source)

    @classmethod
    def load(cls, path: str | Path) -> Layout:
        """Read a layout file. Raises UsageError as `from_dict`, and if the file cannot be read."""
        return cls.from_dict(read_json(path), str(path))


def _shape_from_dict(value: dict[str, Any], frames: int, source: str) -> VideoShape | None:
    present = [name for name in _SIZE if name in value]
    if not present:
        return None
    if len(present) < len(_SIZE):
        raise UsageError(f"{source}: expected all of {', '.join(_SIZE)} or none; found only {', '.join(present)}")
    try:
        return VideoShape(frames, *(value[name] for name in _SIZE))
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from None


def _track_from_dict(raw: Any, frames: int, version: int, path: str) -> Track:
    entity = raw.get("entity") if isinstance(raw, dict) else None
    if not isinstance(entity, str) or not is_text(entity) or not 0 < len(entity) <= MAX_WORD:
        raise UsageError(f"{path}: expected an object with 'entity' (a node id) and 'boxes'")
    keys = ("entity", "instance", "label", *(("outline",) if version >= WITH_OUTLINES else ()), "boxes")
    for key in raw:
        if key not in keys:
            raise UsageError(f"{path}: expected only the keys {', '.join(keys)}; found {shown(key)}")
    instance, label, rows = raw.get("instance", 0), raw.get("label", ""), raw.get("boxes")
    if not isinstance(instance, int) or isinstance(instance, bool) or instance < 0:
        raise UsageError(f"{path}.instance: expected a whole number from 0; found {shown(instance)}")
    if not is_text(label) or len(label) > MAX_WORD:
        raise UsageError(
            f"{path}.label: expected a string of at most {MAX_WORD} whole Unicode characters; found {shown(label)}"
        )
    if not isinstance(rows, list) or len(rows) != frames:
        what = f"{len(rows)} entries" if isinstance(rows, list) else shown(rows)
        raise UsageError(f"{path}.boxes: expected {frames} entries, one a frame (null where not given); found {what}")
    boxes = np.full((frames, len(BOX_FIELDS)), np.nan, dtype=np.float32)
    for f, row in enumerate(rows):
        if row is not None:
            boxes[f] = _box_from_list(row, f"{path}.boxes[{f}]")
    outline = outline_from_list(raw["outline"], f"{path}.outline") if "outline" in raw else None
    return Track(entity, boxes, instance, label, outline)


def _box_from_list(row: Any, path: str) -> list[float]:
    if not isinstance(row, list) or len(row) != len(BOX_FIELDS):
        raise UsageError(
            f"{path}: expected {len(BOX_FIELDS)} numbers [{', '.join(BOX_FIELDS)}] or null; found {shown(row)}"
        )
    for name, value in zip(BOX_FIELDS, row, strict=True):
        low, high = _RANGES[name]
        # NaN fails the comparison, and so do numbers of any size (math.isfinite would overflow on a huge whole number).
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not low <= value <= high:
            raise UsageError(f"{path}.{name}: expected a number from {low:g} to {high:g}; found {shown(value)}")
    return [float(v) for v in row]
