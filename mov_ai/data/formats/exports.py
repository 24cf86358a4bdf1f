"""Layouts written for other programs: LVD's JSON, `.bbox` JSON, COCO-video's JSON, a MOT sequence."""

from __future__ import annotations

from pathlib import Path

from mov_ai.data.formats.bbox import bbox_from_layout
from mov_ai.data.formats.coco_video import coco_from_layout
from mov_ai.data.formats.lvd import lvd_from_layout
from mov_ai.data.formats.mot import mot_from_layout
from mov_ai.errors import UsageError
from mov_ai.graph import Layout, SceneGraph
from mov_ai.graph.files import staged_folder, write_bytes, write_json

#: What a layout can be written as; the last is a folder.
EXPORTS = ("lvd", "bbox", "coco", "mot")


def export_layout(layout: Layout, graph: SceneGraph, format: str, path: str | Path) -> None:
    """Write a layout in another program's format, all or nothing.

    Args:
        graph: says what things are called, and what they are like.
        format: one of `EXPORTS`.
        path: a file; for "mot" a folder, the sequence.

    Raises:
        UsageError: for another format. MovAIError: if the place cannot be written.
    """
    if format == "lvd":
        write_json(path, lvd_from_layout(layout, graph))
    elif format == "bbox":
        write_json(path, bbox_from_layout(layout, graph))
    elif format == "coco":
        write_json(path, coco_from_layout(layout, graph))
    elif format == "mot":
        with staged_folder(path) as folder:
            for name, content in mot_from_layout(layout, graph).items():
                write_bytes(folder / name, content.encode("utf-8"))
    else:
        raise UsageError(f"export: expected one of {', '.join(EXPORTS)}; found {format!r}")
