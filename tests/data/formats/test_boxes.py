"""Boxes beside videos: .bbox JSON, LVD layouts, MOT sequences and rows; and Action Genome."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mov_ai.data.box_tracks import layout_at
from mov_ai.data.clips import Clip
from mov_ai.data.formats import export_layout, find_format, read_clips
from mov_ai.errors import UsageError
from mov_ai.graph import Layout, Node, SceneGraph, Track, VideoShape
from tests.data.formats.builders import read, real_video, reasons, write

#: Of `real_video`: the middles of 8 frames at 4 a second, which is when samples are taken.
TIMES = (np.arange(8) + 0.5) / 4


def boxes(clip: Clip, times: Any = TIMES, graph: SceneGraph | None = None) -> dict[tuple[str, int], np.ndarray]:
    """(label of the entity, instance) -> boxes at moments."""
    graph = graph or clip.graph
    assert graph is not None
    layout = layout_at(clip.tracks, graph, times)
    assert layout.complete
    return {(graph.node(t.entity).label, t.instance): t.boxes for t in layout.tracks}


def entities(*labels: str) -> SceneGraph:
    return SceneGraph("", [Node("s", "scene", "scene"), *(Node(label, "entity", label) for label in labels)])


def thing(label: str, left: float, **more: Any) -> dict[str, Any]:
    return {"label": label, "bbox": [left, 0.2, left + 0.2, 0.6], **more}


def test_bbox_with_frames_attributes_and_relations(tmp_path: Path) -> None:
    real_video(tmp_path / "a.mp4")
    objects = [
        *(thing("ball", 0.1 * f, id=1, frame=f, attributes=["red"] if f < 4 else ["blue"]) for f in range(8)),
        *(thing("dog", 0.7, id="d", frame=f, relations=[{"predicate": "chase", "object": 1}]) for f in range(2, 6)),
        thing("dog", 0.7, id="d", frame=6, relations=[["left_of", 1], "nonsense", {"predicate": 3}]),
    ]
    write(tmp_path / "a.bbox", objects)
    write(tmp_path / "a.txt", "A ball.")
    assert find_format(tmp_path) == "pairs"
    (clip,), source = read(tmp_path)
    assert source.problems == []
    assert clip.captions == ("A ball.",)
    graph = clip.graph
    assert graph is not None
    held = {graph.node(e.target).label: e.interval for e in graph.edges if e.type == "has_attribute"}
    assert held == {"red": (0.0, 0.5), "blue": (0.5, 1.0)}
    assert [(n.label, n.interval) for n in graph.of_type("event")] == [("chase", (0.25, 0.75))]
    assert [(e.label, e.interval) for e in graph.edges if e.type == "spatial"] == [("left of", (0.75, 0.875))]
    found = boxes(clip)
    np.testing.assert_allclose(found["ball", 0][:, 0], 0.1 * np.arange(8) + 0.1, atol=1e-6)
    assert found["dog", 0][:, 5].tolist() == [0, 0, 1, 1, 1, 1, 1, 0]


def test_bbox_without_frames_ids_or_text(tmp_path: Path) -> None:
    real_video(tmp_path / "a.mp4")
    real_video(tmp_path / "b.mp4")
    write(tmp_path / "a.bbox", [thing("dog", 0.1), thing("dog", 0.6), thing("cat", 0.3)])
    write(tmp_path / "b.bbox", [{"label": "dog", "bbox": [1, 2, 3]}])
    assert find_format(tmp_path) == "bbox"
    (clip,), source = read(tmp_path)
    assert clip.captions == ("There are 2 dogs and a cat.",)
    assert clip.graph is not None
    layout = layout_at(clip.tracks, clip.graph, [0.0, 1.9])
    places = {(clip.graph.node(t.entity).label, round(float(t.boxes[1, 0]), 3)) for t in layout.tracks}
    assert places == {("dog", 0.2), ("dog", 0.7), ("cat", 0.4)}
    assert reasons(source) == {"box files that cannot be read": ["b.bbox"], "no caption": ["b.mp4"]}


def test_bbox_beside_listed_videos_belong_to_what_the_caption_names(tmp_path: Path) -> None:
    real_video(tmp_path / "a.mp4")
    write(tmp_path / "captions.csv", "file_name,caption\na.mp4,Two dogs and a cat.\n")
    write(tmp_path / "a.bbox", {"frames": 2, "objects": [thing("dog", 0.1, frame=0), thing("dog", 0.5, frame=1)]})
    (clip,), _ = read(tmp_path)
    # Nothing but boxes is annotated: the graph is the caption's.
    assert clip.graph is None
    found = boxes(clip, graph=entities("dog", "cat"))
    assert list(found) == [("dog", 0)]
    # Two frames are spread over the two seconds of the video: each is shown for one, in whose middle its box is exact.
    halves = boxes(clip, [0.5, 0.75, 1.0, 1.25, 1.5], entities("dog", "cat"))["dog", 0]
    np.testing.assert_allclose(halves[:, 0], [0.2, 0.3, 0.4, 0.5, 0.6], atol=1e-6)


def lvd(prompt: str = "A bear walks") -> dict[str, Any]:
    frames = {
        f"Frame {i + 1}": [{"id": 0, "name": "brown bear", "box": [51.2 * i, 256, 102.4, 128]}]
        + ([{"id": 1, "name": "bird", "box": [0, 0, 51.2, 51.2]}] if i in (1, 2) else [])
        for i in range(6)
    }
    return {"Prompt": prompt, **frames, "Background keyword": "forest"}


@pytest.mark.parametrize("name", ["a.json", "a.lvd.json"])
@pytest.mark.parametrize("text", ["", "In my words."])
def test_lvd_layouts_beside_videos(tmp_path: Path, name: str, text: str) -> None:
    real_video(tmp_path / "a.mp4")
    write(tmp_path / name, lvd())
    if text:
        write(tmp_path / "a.txt", text)
    assert find_format(tmp_path) == "lvd"
    (clip,), source = read(tmp_path)
    assert source.problems == []
    assert clip.captions == (text or "A bear walks",)
    # Six frames, from the first of the video to its last.
    found = boxes(clip, 0.125 + np.arange(6) * 1.75 / 5, entities("bear", "bird"))
    np.testing.assert_allclose(found["bear", 0][:, 0], 0.1 * np.arange(6) + 0.1, atol=1e-6)
    np.testing.assert_allclose(found["bear", 0][:, 1:4], [[0.625, 0.2, 0.25]] * 6, atol=1e-6)
    assert found["bird", 0][:, 5].tolist() == [0, 1, 1, 0, 0, 0]


def test_lvd_answers_of_a_language_model(tmp_path: Path) -> None:
    lines = "\n".join(f"Frame {i}: [{{'id': 0, 'name': 'bear', 'box': [{85 * i}, 256, 100, 100]}}]" for i in (1, 2))
    real_video(tmp_path / "a.mp4")
    write(tmp_path / "a.json", {"A bear walks": [f"Reasoning: it walks.\n\n{lines}\nBackground keyword: forest"]})
    (clip,), _ = read(tmp_path)
    assert clip.captions == ("A bear walks",)
    assert boxes(clip, [0.125, 1.875], entities("bear"))["bear", 0][:, 0].tolist() == pytest.approx(
        [135 / 512, 220 / 512]
    )
    write(tmp_path / "a.json", {"Prompt": "x", "Frame 1": [{"id": 0, "name": "bear"}]})
    _, source = read(tmp_path, "lvd")
    assert reasons(source) == {"box files that cannot be read": ["a.json"]}


SEQINFO = "[Sequence]\nname=S\nimDir=img1\nframeRate=4\nseqLength=4\nimWidth=100\nimHeight=50\nimExt=.jpg\n"


def sequence(folder: Path, rows: list[str], labels: str = "") -> None:
    for i in range(1, 5):
        path = folder / "img1" / f"{i:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (100, 50)).save(path)
    write(folder / "seqinfo.ini", SEQINFO)
    write(folder / "gt" / "gt.txt", "\n".join(rows))
    if labels:
        write(folder / "gt" / "labels.txt", labels)


def test_mot_sequences(tmp_path: Path) -> None:
    rows = [
        *(f"{f},1,{10 * f + 1},11,20,20,1,1,{0.5 if f == 3 else 1}" for f in range(1, 5)),
        *("1,2,1,1,10,10,1,3,1", "2,2,1,1,10,10,1,3,0", "3,9,1,1,10,10,0,8,1"),
    ]
    sequence(tmp_path / "MOT17-02", rows)
    assert find_format(tmp_path) == "mot"
    (clip,), source = read(tmp_path)
    assert source.problems == []
    assert (clip.key, clip.metadata) == ("MOT17-02/img1", {"fps": 4.0})
    assert clip.captions == ("There is a pedestrian and a car.",)
    found = boxes(clip, (np.arange(4) + 0.5) / 4)
    assert sorted(found) == [("car", 0), ("pedestrian", 0)]
    np.testing.assert_allclose(found["pedestrian", 0][:, 0], [0.2, 0.3, 0.4, 0.5], atol=1e-6)
    np.testing.assert_allclose(found["pedestrian", 0][:, 1:4], [[0.4, 0.2, 0.4]] * 4, atol=1e-6)
    assert found["pedestrian", 0][:, 5].tolist() == [1, 1, 0.5, 1]
    assert found["car", 0][:, 5].tolist() == [1, 0, 0, 0]
    # With a text the graph is that of the text, and boxes go by its words.
    sequence(tmp_path / "MOT17-02", rows, "woman\nman\nbus\n")
    write(tmp_path / "MOT17-02" / "caption.txt", "A woman passes a bus.")
    (clip,), _ = read(tmp_path)
    assert (clip.graph, clip.captions) == (None, ("A woman passes a bus.",))
    assert sorted(boxes(clip, [0.0], entities("woman", "bus"))) == [("bus", 0), ("woman", 0)]
    write(tmp_path / "MOT17-02" / "gt" / "gt.txt", "1,1,left")
    assert reasons(read(tmp_path)[1]) == {"box files that cannot be read": ["MOT17-02"]}


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        (
            "a.csv",
            ["frame,id,bb_left,bb_top,bb_width,bb_height,conf,label", "1,1,1,1,32,16,1,dog", "8,1,33,1,32,16,1,dog"],
        ),
        ("a.txt", ["1, 1, 1, 1, 32, 16, 1, -1, -1, -1", "8, 1, 33, 1, 32, 16, 0.7, -1, -1, -1"]),
    ],
)
def test_mot_rows_beside_a_video(tmp_path: Path, name: str, rows: list[str]) -> None:
    real_video(tmp_path / "a.mp4")
    write(tmp_path / name, "\n".join(rows))
    assert find_format(tmp_path) == "mot"
    (clip,), source = read(tmp_path)
    assert source.problems == []
    ((_, found),) = boxes(clip).items()
    np.testing.assert_allclose(found[[0, 7], :4], [[0.25, 0.25, 0.5, 0.5], [0.75, 0.25, 0.5, 0.5]], atol=1e-6)
    assert found[:, 5].tolist() == [1, 0, 0, 0, 0, 0, 0, 1]


def test_a_video_that_cannot_be_opened_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    write(tmp_path / "a.json", lvd())
    assert reasons(read(tmp_path)[1]) == {"videos that cannot be opened": ["a.mp4"]}


def action_genome(tmp_path: Path) -> None:
    real_video(tmp_path / "videos" / "50N4E.mp4")
    empty = {"attention_relationship": None, "spatial_relationship": None, "contacting_relationship": None}
    book = {
        **{"class": "book", "bbox": [32, 8, 16, 8], "visible": True, "attention_relationship": ["looking_at"]},
        **{"spatial_relationship": ["in_front_of"], "contacting_relationship": ["holding", "touching"]},
    }
    blanket = {
        **book,
        "class": "blanket",
        "contacting_relationship": ["covered_by"],
        "spatial_relationship": ["behind"],
    }
    frames = {
        "000003": [book, {**empty, "class": "cup/glass/bottle", "bbox": None, "visible": False}],
        "000005": [{**book, "attention_relationship": ["unsure"], "contacting_relationship": ["not_contacting"]}],
        "000007": [{**book, "bbox": [40, 8, 16, 8]}, {**blanket, "attention_relationship": []}],
    }
    person = {"bbox": [[0, 0, 32, 32]], "bbox_size": [64, 32], "bbox_mode": "xyxy", "bbox_score": [0.99]}
    tags = {frame: f"50N4E.mp4/{frame}.png" for frame in frames}
    write(tmp_path / "annotations" / "object_bbox_and_relationship.json", {tags[f]: o for f, o in frames.items()})
    write(tmp_path / "annotations" / "person_bbox.json", dict.fromkeys(tags.values(), person))
    header = "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length\n"
    row = '50N4E,X,Bedroom,6,7,Yes,"A person reads.",book,A person is reading;He holds a book,,2.0\n'
    write(tmp_path / "Charades" / "Charades_v1_train.csv", header + row)


def test_action_genome(tmp_path: Path) -> None:
    action_genome(tmp_path)
    assert find_format(tmp_path) == "action_genome"
    (clip,), source = read(tmp_path)
    assert source.problems == []
    assert (clip.key, clip.start, clip.end) == ("videos/50N4E.mp4[0.500-1.750]", 0.5, 1.75)
    assert clip.captions == ("A person reads.", "A person is reading", "He holds a book")
    graph = clip.graph
    assert graph is not None
    # The stretch has five frames; its first, third and fifth are annotated, and speak for 1.5, 2 and 1.5 of them.
    events = sorted((n.label, *(round(t, 2) for t in n.interval)) for n in graph.of_type("event"))
    assert events == [
        *(("cover", 0.7, 1.0), ("hold", 0.0, 0.3), ("hold", 0.7, 1.0), ("look", 0.0, 0.3), ("look", 0.7, 1.0)),
        *(("touch", 0.0, 0.3), ("touch", 0.7, 1.0)),
    ]
    cover = next(node for node in graph.of_type("event") if node.label == "cover")
    ends = {edge.type: graph.node(edge.target).label for edge in graph.edges_from(cover.id)}
    assert ends == {"agent": "blanket", "patient": "person"}
    spatial = {
        (graph.node(e.source).label, e.label, graph.node(e.target).label): e.interval
        for e in graph.edges
        if e.type == "spatial"
    }
    assert spatial["book", "in front of", "person"] == (0.0, 1.0)
    assert spatial["blanket", "behind", "person"][1] == 1.0
    found = boxes(clip)
    assert "cup" not in {label for label, _ in found}
    np.testing.assert_allclose(found["book", 0][[2, 4, 5, 6], 0], [0.625, 0.625, 0.6875, 0.75], atol=1e-6)
    np.testing.assert_allclose(found["person", 0][3, :4], [0.25, 0.5, 0.5, 1.0], atol=1e-6)


def test_action_genomes_pickles_are_not_opened(tmp_path: Path) -> None:
    action_genome(tmp_path)
    path = tmp_path / "annotations" / "object_bbox_and_relationship.json"
    path.rename(path.with_suffix(".pkl"))
    assert find_format(tmp_path) == "action_genome"
    with pytest.raises(UsageError, match=r"pickles are not opened .* python -c") as caught:
        list(read_clips(tmp_path))
    assert "\n" not in str(caught.value)


def frames(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True)
    for name in names:
        Image.new("RGB", (64, 32)).save(folder / name)


def coco(**changes: Any) -> dict[str, Any]:
    """Two videos as YouTube-VIS has them; of the first only every other picture is annotated."""
    videos = [
        {"id": 7, "width": 64, "height": 32, "length": 2, "file_names": ["v7/0.jpg", "v7/2.jpg"]},
        {"id": 9, "width": 64, "height": 32, "length": 1, "file_names": ["v9/0.jpg"]},
    ]
    lists = {"segmentations": [None, None], "areas": [64, None]}
    things = [
        {"id": 1, "video_id": 7, "category_id": 3, "iscrowd": 0, "bboxes": [[0, 0, 16, 16], [32, 0, 16, 16]], **lists},
        {"id": 2, "video_id": 7, "category_id": 4, "iscrowd": 0, "bboxes": [[8, 8, 16, 16], None], **lists},
        {"id": 3, "video_id": 7, "category_id": 4, "iscrowd": 1, "bboxes": [[0, 0, 64, 32], None], **lists},
    ]
    categories = [{"id": 3, "name": "giant_panda"}, {"id": 4, "name": "dog"}]
    return {"info": {}, "videos": videos, "categories": categories, "annotations": things, **changes}


def test_coco_video_with_pictures_that_are_not_annotated(tmp_path: Path) -> None:
    frames(tmp_path / "JPEGImages" / "v7", "0.jpg", "1.jpg", "2.jpg", "3.jpg")
    write(tmp_path / "instances.json", coco())
    assert find_format(tmp_path) == "coco_video"
    (clip,), source = read(tmp_path)
    assert reasons(source) == {"no such file": ["v9"]}
    assert clip.captions == ("There is a giant panda and a dog.",)
    found = boxes(clip, (np.arange(4) + 0.5) / 8)
    assert set(found) == {("giant panda", 0), ("dog", 0)}
    # Between annotated frames boxes are interpolated.
    np.testing.assert_allclose(found["giant panda", 0][:, 0], [0.125, 0.375, 0.625, 0.625])
    assert found["dog", 0][:, 5].tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize(
    "changes",
    [{"categories": [{}]}, {"annotations": [{"id": 1}]}, {"videos": [{"id": 7, "file_names": ["v7/0.jpg"]}]}],
)
def test_coco_video_that_lacks_something_is_reported(tmp_path: Path, changes: dict[str, Any]) -> None:
    frames(tmp_path / "v7", "0.jpg", "2.jpg")
    write(tmp_path / "instances.json", coco(**changes))
    clips, source = read(tmp_path, "coco_video")
    assert clips == []
    assert reasons(source) == {"annotations that lack a key": ["instances.json"]}


def test_an_exported_layout_is_read_with_the_frames_made_from_it(tmp_path: Path) -> None:
    graph = entities("dog")
    graph.caption = "A dog walks."
    rows = np.array([[0.3, 0.5, 0.2, 0.4, 1, 1], [0.5, 0.5, 0.2, 0.4, 1, 0], [0.7, 0.5, 0.2, 0.4, 1, 1]], np.float32)
    layout = Layout(3, [Track("dog", rows)], VideoShape(3, 4, 32, 64))
    export_layout(layout, graph, "coco", tmp_path / "a.json")
    frames(tmp_path / "layout", "00000.jpg", "00001.jpg", "00002.jpg")
    (clip,), source = read(tmp_path)
    assert source.problems == []
    assert (clip.captions, clip.metadata["fps"]) == (("A dog walks.",), 4)
    read_rows = boxes(clip, (np.arange(3) + 0.5) / 4, graph)["dog", 0]
    assert read_rows[:, 5].tolist() == [1, 0, 1]
    np.testing.assert_allclose(read_rows[[0, 2], :4], rows[[0, 2], :4], atol=1e-4)
