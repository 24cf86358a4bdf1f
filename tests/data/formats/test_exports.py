"""Layouts written for other programs, and read back."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mov_ai.data.box_tracks import layout_at
from mov_ai.data.formats import EXPORTS, export_layout
from mov_ai.data.formats.annotations import Annotations
from mov_ai.data.formats.bbox import gather, read_content
from mov_ai.data.formats.coco_video import gather as gather_coco
from mov_ai.data.formats.lvd import read_lvd
from mov_ai.data.formats.mot import read_mot, read_sequence
from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph import Edge, Layout, Node, SceneGraph, Track, VideoShape

GRAPH = SceneGraph(
    "Two red balls and a dog.",
    [
        *(Node("s", "scene", "scene", setting="garden"), Node("b", "entity", "ball", count=2)),
        *(Node("d", "entity", "dog"), Node("r", "attribute", "red"), Node("w", "attribute", "wet")),
    ],
    [
        *(Edge("b", "r", "has_attribute"), Edge("d", "w", "has_attribute", None, (0.5, 1.0))),
        *(Edge("d", "b", "spatial", "behind", (0.0, 0.5)), Edge("b", "d", "relation", "larger than")),
    ],
)


def boxes(*rows: tuple[float, float, float, float, float] | None) -> np.ndarray:
    """Rows of a layout from (x, y, w, h, visibility); None where the box is not given."""
    filled = [[np.nan] * 6 if row is None else [*row[:4], 1.0, row[4]] for row in rows]
    return np.array(filled, dtype=np.float32)


def two_frames() -> Layout:
    tracks = [
        Track("b", boxes((0.25, 0.5, 0.5, 0.5, 1), (0.5, 0.5, 0.5, 0.5, 1)), 0, "ball"),
        Track("b", boxes((0.75, 0.5, 0.25, 0.5, 1), (0.75, 0.5, 0.25, 0.5, 0)), 1, "ball"),
        Track("d", boxes(None, (0.5, 0.25, 0.5, 0.25, 0.5)), 0, "dog"),
    ]
    return Layout(2, tracks, VideoShape(2, 8, 128, 256))


def test_lvd_as_its_own_programs_take_it(tmp_path: Path) -> None:
    export_layout(two_frames(), GRAPH, "lvd", tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == {
        "Prompt": "Two red balls and a dog.",
        "Frame 1": [
            {"id": 0, "name": "red ball", "box": [0, 128, 256, 256]},
            {"id": 1, "name": "red ball", "box": [320, 128, 128, 256]},
        ],
        "Frame 2": [
            {"id": 0, "name": "red ball", "box": [128, 128, 256, 256]},
            {"id": 2, "name": "dog", "box": [128, 64, 256, 128]},
        ],
        "Background keyword": "garden",
    }


def test_bbox_with_what_the_graph_says_at_each_time(tmp_path: Path) -> None:
    export_layout(two_frames(), GRAPH, "bbox", tmp_path / "a.bbox")
    red = {"attributes": ["red"]}
    assert json.loads((tmp_path / "a.bbox").read_text()) == {
        "frames": 2,
        "objects": [
            {"id": 0, "frame": 0, "label": "ball", "bbox": [0, 0.25, 0.5, 0.75], **red, "relations": [LARGER]},
            {"id": 1, "frame": 0, "label": "ball", "bbox": [0.625, 0.25, 0.875, 0.75], **red, "relations": [LARGER]},
            {"id": 0, "frame": 1, "label": "ball", "bbox": [0.25, 0.25, 0.75, 0.75], **red, "relations": [LARGER]},
            {"id": 2, "frame": 1, "label": "dog", "bbox": [0.25, 0.125, 0.75, 0.375], "attributes": ["wet"]},
        ],
    }


LARGER = {"predicate": "larger than", "object": 2}


def test_mot_as_a_sequence(tmp_path: Path) -> None:
    export_layout(two_frames(), GRAPH, "mot", tmp_path / "seq")
    assert (tmp_path / "seq" / "gt" / "gt.txt").read_text().splitlines() == [
        "1,1,1.00,33.00,128.00,64.00,1,1,1.000",
        "1,2,161.00,33.00,64.00,64.00,1,1,1.000",
        "2,1,65.00,33.00,128.00,64.00,1,1,1.000",
        "2,3,65.00,17.00,128.00,32.00,1,2,0.500",
    ]
    assert (tmp_path / "seq" / "gt" / "labels.txt").read_text() == "ball\ndog\n"
    info = read_sequence(tmp_path / "seq" / "seqinfo.ini")
    assert (info.fps, info.frames, info.height, info.width) == (8, 2, 128, 256)


def test_coco_video_with_null_where_a_thing_is_absent(tmp_path: Path) -> None:
    export_layout(two_frames(), GRAPH, "coco", tmp_path / "a.json")
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["videos"] == [
        {
            **{"id": 1, "width": 256, "height": 128, "length": 2, "fps": 8, "caption": "Two red balls and a dog."},
            "file_names": ["layout/00000.jpg", "layout/00001.jpg"],
        }
    ]
    assert [(one["id"], one["name"]) for one in content["categories"]] == [(1, "ball"), (2, "dog")]
    whole, half, late = content["annotations"]
    assert whole["bboxes"] == [[0, 32, 128, 64], [64, 32, 128, 64]]
    assert (half["bboxes"], half["areas"]) == ([[160, 32, 64, 64], None], [4096, None])
    assert (late["category_id"], late["bboxes"]) == (2, [None, [64, 16, 128, 32]])
    # Every list of an annotation has an entry for each frame, as the readers of YouTube-VIS expect.
    assert all(len(one[name]) == 2 for one in (whole, half, late) for name in ("bboxes", "areas", "segmentations"))


def read_back(format: str, path: Path) -> Annotations:
    if format == "lvd":
        (annotations,) = read_lvd(path).values()
        return annotations
    if format == "bbox":
        content = read_content(path)
        return gather(content, content.frames or 1, 1.0)
    if format == "coco":
        written = json.loads(path.read_text())
        labels = {category["id"]: category["name"] for category in written["categories"]}
        things = [(one["id"], labels[one["category_id"]], one["bboxes"]) for one in written["annotations"]]
        (video,) = written["videos"]
        return gather_coco(video, things, list(range(video["length"])), video["length"], video["fps"])
    info = read_sequence(path / "seqinfo.ini")
    return read_mot(path / "gt" / "gt.txt", info, path / "gt" / "labels.txt")


_rows = st.none() | st.tuples(*[st.floats(0.2, 0.8)] * 2, *[st.floats(0.05, 0.4)] * 2, st.booleans())


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(EXPORTS), st.lists(st.lists(_rows, min_size=4, max_size=4), min_size=1, max_size=4), st.data())
def test_every_export_reads_back_as_the_same_boxes(format: str, rows: list[list], data: st.DataObject) -> None:
    labels = [data.draw(st.sampled_from(["dog", "traffic light", "ball"])) for _ in rows]
    nodes = [Node(f"e{i}", "entity", label) for i, label in enumerate(labels)]
    graph = SceneGraph("A caption", [Node("s", "scene", "scene"), *nodes])
    tracks = [Track(f"e{i}", boxes(*row), 0, label) for i, (row, label) in enumerate(zip(rows, labels, strict=True))]
    written = Layout(4, tracks, VideoShape(4, 8, 480, 640))
    with TemporaryDirectory() as folder:
        export_layout(written, graph, format, Path(folder) / "out")
        annotations = read_back(format, Path(folder) / "out")
    read_graph, read_tracks = annotations.result()
    middles = 0.0 if format == "lvd" else 0.5
    read = layout_at(read_tracks, read_graph, (np.arange(4) + middles) / annotations.fps)
    # In all of them, a box that is not given and a thing that is not to be seen are one: no entry.
    expected = [(track.label, shown(track)) for track in tracks if shown(track).any()]
    found = [(read_graph.node(track.entity).label, shown(track)) for track in read.tracks]
    assert len(found) == len(expected)
    for label, there in found:
        match = next(
            i for i, (other, seen) in enumerate(expected) if other == label and np.allclose(seen, there, atol=1e-3)
        )
        expected.pop(match)


def shown(track: Track) -> np.ndarray:
    """Boxes in the frames in which they are to be seen, zeros in the others."""
    there = np.isfinite(track.boxes).all(axis=1) & (track.boxes[:, 5] > 0)
    return np.where(there[:, None], track.boxes[:, [0, 1, 2, 3, 5]], 0)


def test_exports_are_written_wholly_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one of lvd, bbox, coco, mot; found 'yolo'"):
        export_layout(two_frames(), GRAPH, "yolo", tmp_path / "a")
    (tmp_path / "a").write_text("a file")
    with pytest.raises(MovAIError, match="is a file"):
        export_layout(two_frames(), GRAPH, "mot", tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
