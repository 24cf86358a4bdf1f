"""MOT boxes: CSV rows `frame,id,bb_left,bb_top,bb_width,bb_height,conf,class,visibility`, all counted from 1.

Source: motchallenge.net/instructions. A sequence is a folder with gt/gt.txt, seqinfo.ini (frameRate, seqLength,
imWidth, imHeight, imDir) and the frames in img1; gt/labels.txt, one class a line, is what annotation tools add. A file
of such rows may also lie beside a video, with or without a header; results of trackers have x, y, z after conf.
"""

from __future__ import annotations

import configparser
import csv
import io
from dataclasses import dataclass
from pathlib import Path

from mov_ai.data.formats.annotations import Annotations
from mov_ai.data.formats.finding import read_text
from mov_ai.errors import UsageError
from mov_ai.graph import Layout, SceneGraph, VideoShape

COLUMNS = ("frame", "id", "bb_left", "bb_top", "bb_width", "bb_height", "conf", "class", "visibility")
#: Of MOT16, MOT17 and MOT20, from 1.
CLASSES = (
    *("pedestrian", "person on vehicle", "car", "bicycle", "motorbike", "non motorized vehicle", "static person"),
    *("distractor", "occluder", "occluder on the ground", "occluder full", "reflection"),
)


@dataclass(frozen=True)
class Sequence:
    """What seqinfo.ini says."""

    fps: float
    frames: int
    height: int
    width: int
    folder: str = "img1"


def read_sequence(path: Path) -> Sequence:
    """Read a seqinfo.ini. Raises UsageError if it lacks something."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(read_text(path))
        info = parser["Sequence"]
        frames, height, width = (int(info[name]) for name in ("seqLength", "imHeight", "imWidth"))
        sequence = Sequence(float(info["frameRate"]), frames, height, width, info.get("imDir", "img1"))
    except (configparser.Error, KeyError, ValueError):
        sequence = Sequence(0, 0, 0, 0)
    if min(sequence.fps, sequence.frames, sequence.height, sequence.width) <= 0:
        raise UsageError(f"{path}: expected [Sequence] with frameRate, seqLength, imWidth and imHeight above 0")
    return sequence


def is_mot(beginning: str) -> bool:
    """Whether a text begins with a row or a header as MOT's."""
    fields = [field.strip() for field in beginning.split("\n", 1)[0].split(",")]
    if {"frame", "id", "bb_left"} <= set(fields):
        return True
    return 7 <= len(fields) <= 10 and all(map(_is_number, fields))


def read_mot(path: Path, sequence: Sequence, labels: Path | None = None) -> Annotations:
    """The annotations of a file of MOT rows; rows whose conf is 0 are to be ignored, and are.

    Args:
        sequence: of the video.
        labels: names of the classes, one a line; MOT's own if None.

    Raises:
        UsageError: if a row is not MOT's.
    """
    names = read_text(labels).splitlines() if labels is not None else list(CLASSES)
    rows = list(csv.reader(io.StringIO(read_text(path)), skipinitialspace=True))
    columns: tuple[str, ...] = COLUMNS if rows and len(rows[0]) < 10 else COLUMNS[:7]
    if rows and not _is_number(rows[0][0] if rows[0] else ""):
        columns = tuple(name.strip() for name in rows.pop(0))
    last = 0
    entries = []
    for number, fields in enumerate(rows, 1):
        if not any(fields):
            continue
        row = dict(zip(columns, fields, strict=False))
        try:
            frame, key = int(float(row["frame"])), int(float(row["id"]))
            left, top, width, height = (float(row[name]) for name in COLUMNS[2:6])
            conf, seen = float(row.get("conf") or 1), float(row.get("visibility") or 1)
            kind = int(float(row["class"])) if row.get("class") else 0
        except (KeyError, ValueError):
            raise UsageError(
                f"{path}: row {number}: expected {','.join(COLUMNS)}; found {','.join(fields)[:60]}"
            ) from None
        if conf == 0 or frame < 1:
            continue
        label = row.get("label") or (names[kind - 1] if 1 <= kind <= len(names) else "object")
        corners = (left - 1, top - 1, left - 1 + width, top - 1 + height)
        sides = (sequence.width, sequence.height) * 2
        entries.append((frame - 1, key, label, tuple(c / s for c, s in zip(corners, sides, strict=True)), seen))
        last = max(last, frame)
    frames = max(sequence.frames, last)
    annotations = Annotations(range(frames), frames, sequence.fps)
    for frame, key, label, box, seen in entries:
        annotations.thing(key, label)
        annotations.box(key, frame, box, seen if seen > 0 else 0.0)  # type: ignore[arg-type]
    return annotations


def mot_from_layout(layout: Layout, graph: SceneGraph) -> dict[str, str]:
    """A layout as a MOT sequence: file name -> content of seqinfo.ini, gt/gt.txt and gt/labels.txt.

    Where a thing is not to be seen, or its box not given, it has no row; depth has no place in the format.
    """
    shape = layout.shape or VideoShape(layout.frames)
    labels = {node.id: node.label for node in graph.of_type("entity")}
    names = [labels.get(track.entity) or track.label or track.entity for track in layout.tracks]
    classes = list(dict.fromkeys(names))
    rows = []
    for frame in range(layout.frames):
        for number, track in enumerate(layout.tracks):
            corners = track.corners(frame)
            if corners is not None:
                left, top, right, bottom = (
                    edge * side for edge, side in zip(corners, (shape.width, shape.height) * 2, strict=True)
                )
                box = (left + 1, top + 1, right - left, bottom - top)
                numbers = ",".join(f"{value:.2f}" for value in box)
                kind, seen = classes.index(names[number]) + 1, track.boxes[frame, 5]
                rows.append(f"{frame + 1},{number + 1},{numbers},1,{kind},{seen:.3f}\n")
    info = {
        **{"name": "layout", "imDir": "img1", "frameRate": f"{shape.fps:g}", "seqLength": layout.frames},
        **{"imWidth": shape.width, "imHeight": shape.height, "imExt": ".png"},
    }
    seqinfo = "[Sequence]\n" + "".join(f"{name}={value}\n" for name, value in info.items())
    return {"seqinfo.ini": seqinfo, "gt/gt.txt": "".join(rows), "gt/labels.txt": "".join(f"{n}\n" for n in classes)}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
