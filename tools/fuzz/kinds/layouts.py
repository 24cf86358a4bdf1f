"""Layouts: tracks of a shipped graph with values, keys and characters damaged; read, checked, resampled, drawn."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mov_ai.graph import Layout, SceneGraph, VideoShape
from mov_ai.graph.instances import drawn_entities
from mov_ai.pipeline import check_layout
from mov_ai.result import VideoResult
from tools.fuzz.case import Case, Kind
from tools.fuzz.damage import damaged_json, json_text
from tools.fuzz.kinds.graphs import shipped_graphs


@cache
def _graph() -> SceneGraph:
    return SceneGraph.from_dict(shipped_graphs()[-1])


def _whole(rng: random.Random) -> dict[str, Any]:
    """Tracks of the graph's things in a few frames, with holes and, half the time, a shape."""
    frames = rng.choice((1, 2, 16))
    tracks = []
    for entity, instance in drawn_entities(_graph()):
        boxes: list[Any] = [[rng.random(), rng.random(), 0.2, 0.3, 4.0, 1.0] for _ in range(frames)]
        if rng.random() < 0.3:
            boxes[rng.randrange(frames)] = None
        tracks.append({"entity": entity, "instance": instance, "label": "cube", "boxes": boxes})
    shape = {"fps": 8.0, "height": 128, "width": 256} if rng.random() < 0.5 else {}
    return {"version": 2, "frames": frames, **shape, "tracks": tracks}


def make(rng: random.Random, folder: Path) -> Case:
    """A damaged layout, or a whole one."""
    value, about, refusal = _whole(rng), "as it is", "never"
    if rng.random() > 0.03:
        value, about = damaged_json(value, rng)
        refusal = "may"
    path = folder / "layout.json"
    path.write_bytes(
        json_text(value, rng).encode("utf-8", "surrogatepass") if refusal == "may" else json.dumps(value).encode()
    )
    out = folder / "again.json"

    def run() -> Layout:
        layout = Layout.load(path)
        check_layout(_graph(), layout)
        return layout

    def wrong(layout: Layout) -> str | None:
        layout.save(out)
        if Layout.load(out).to_dict() != layout.to_dict():
            return "read again it is another layout"
        for frames in (1, 7, layout.frames):
            if layout.resampled(frames).frames != frames:
                return f"not resampled to {frames} frames"
        shape = layout.shape or VideoShape(frames=layout.frames)
        if shape.frames != layout.frames:
            return f"{shape.frames} frames in its shape and {layout.frames} boxes"
        empty = np.zeros((layout.frames, 32, 32, 3), np.uint8)
        VideoResult(empty, {}, {}, _graph(), layout.resampled(layout.frames)).sheet(32, boxes=layout.complete)
        return None

    return Case(about, run, wrong, refusal)


KIND = Kind("layouts", 2.0, make)
