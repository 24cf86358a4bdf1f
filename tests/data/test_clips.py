"""Clips of tar files, annotated boxes sampled in time, graphs of a part of a clip."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from mov_ai.data.box_tracks import BoxTrack, graph_within, layout_at
from mov_ai.data.clips import Clip
from mov_ai.errors import UsageError
from mov_ai.graph import Edge, Node, SceneGraph


def graph(*entities: tuple[str, str, int]) -> SceneGraph:
    nodes = [Node(node_id, "entity", label, count=count) for node_id, label, count in entities]
    return SceneGraph("", [Node("s", "scene", "scene"), *nodes])


def track(label: str, rows: dict[float, list[float] | None], entity: str = "", visibility: float = 1.0) -> BoxTrack:
    boxes = np.array([[np.nan] * 4 if box is None else box for box in rows.values()], dtype=np.float32)
    seen = np.array([0 if box is None else visibility for box in rows.values()], dtype=np.float32)
    return BoxTrack(label, np.array(list(rows), dtype=np.float64), boxes, seen, entity)


def test_a_member_of_a_tar_is_read_as_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "shard.tar"
    with tarfile.open(path, "w") as tar:
        for name, content in (("a.mp4", b"0123456789"), ("b.mp4", b"other")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    with tarfile.open(path) as tar:
        first = tar.getmember("a.mp4")
    clip = Clip("shard/a", path, "a.mp4", ("A",), span=(first.offset_data, first.size))
    with clip.open_member() as file:
        assert file.read() == b"0123456789"
        assert file.seek(-3, io.SEEK_END) == 7
        assert (file.read(2), file.tell()) == (b"78", 9)
        assert file.seek(2) == 2
        assert file.read(100) == b"23456789"
    path.unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        clip.open_member()


def test_boxes_move_linearly_and_are_there_as_at_the_nearest_moment() -> None:
    ball = track("ball", {0: [0.2, 0.5, 0.1, 0.2], 1: [0.4, 0.5, 0.1, 0.2], 2: None, 3: [0.8, 0.5, 0.1, 0.2]})
    rows = ball.at([-1, 0.5, 1.4, 1.6, 2.5, 2.6, 9])
    assert rows is not None
    np.testing.assert_allclose(rows[:, 0], [0.2, 0.3, 0.48, 0.52, 0.7, 0.72, 0.8], atol=1e-6)
    assert rows[:, 5].tolist() == [1, 1, 1, 0, 0, 1, 1]
    np.testing.assert_allclose(rows[:, 4], 4.0, atol=1e-5)
    assert track("ball", {0: None, 1: None}).at([0.5]) is None
    assert track("ball", {4: [0.5] * 4}, visibility=0.25).at([0, 9]).tolist()[0][5] == 0.25


def test_what_is_lower_in_the_frame_is_nearer() -> None:
    near, far = (track("x", {0: [0.5, y, 0.1, 0.2]}).at([0]) for y in (0.9, 0.3))
    assert near is not None
    assert far is not None
    assert near[0, 4] < far[0, 4]


def test_tracks_go_to_their_own_nodes_or_to_those_of_their_label() -> None:
    boxes = {0: [0.5, 0.5, 0.1, 0.1], 1: [0.5, 0.5, 0.1, 0.1]}
    tracks = [
        track("red ball", boxes),
        track("dog", boxes, "d2"),
        track("dog", boxes),
        track("ball", boxes),
        track("cat", boxes),
        track("cow", {0: None, 1: None}),
    ]
    known = graph(("b", "ball", 2), ("d1", "dog", 1), ("d2", "dog", 1), ("w", "cow", 1), ("p", "person", 1))
    layout = layout_at(tracks, known, [0.0, 0.5, 1.0])
    assert layout.frames == 3
    assert layout.complete
    placed = [(t.entity, t.instance, t.label) for t in layout.tracks]
    assert placed == [("b", 0, "red ball"), ("b", 1, "ball"), ("d1", 0, "dog"), ("d2", 0, "dog")]
    # What a track's label says beside the thing decides between things of one label.
    balls = graph(("a", "ball", 1), ("b", "ball", 1))
    red = [Node("r", "attribute", "red"), Node("u", "attribute", "blue")]
    ties = [Edge("a", "u", "has_attribute"), Edge("b", "r", "has_attribute")]
    balls = SceneGraph(balls.caption, [*balls.nodes, *red], [*balls.edges, *ties])
    for names in (("red ball", "blue ball"), ("ball", "blue ball")):
        placed = [(t.entity, t.label) for t in layout_at([track(n, boxes) for n in names], balls, [0.5]).tracks]
        assert placed == [("a", "blue ball"), ("b", names[0])]
    # An id that another graph uses for something else does not count.
    other = graph(("d2", "cat", 1), ("b", "dog", 1))
    placed = [(t.entity, t.instance, t.label) for t in layout_at(tracks, other, [0.5]).tracks]
    assert placed == [("d2", 0, "cat"), ("b", 0, "dog")]


def test_a_part_of_a_clip_has_its_own_intervals() -> None:
    nodes = [
        *(Node("s", "scene", "scene"), Node("d", "entity", "dog"), Node("c", "entity", "cat")),
        *(Node("r", "event", "run", interval=(0.0, 0.5)), Node("j", "event", "jump", interval=(0.25, 0.5))),
        *(
            Node("e", "event", "eat", interval=(0.75, 1.0)),
            Node("w", "attribute", "wet"),
            Node("b", "attribute", "big"),
        ),
    ]
    edges = [
        *(Edge("r", "d", "agent"), Edge("e", "d", "agent"), Edge("r", "j", "temporal", "finishes")),
        *(Edge("d", "w", "has_attribute", None, (0.5, 1.0)), Edge("d", "b", "has_attribute")),
        *(Edge("d", "c", "spatial", "behind", (0.0, 0.3)), Edge("r", "e", "temporal", "before")),
    ]
    whole = SceneGraph("", nodes, edges)
    whole.validate()
    assert graph_within(whole, 0.0, 1.0) is whole
    part = graph_within(whole, 0.25, 0.5)
    part.validate()
    assert [node.id for node in part.nodes] == ["s", "d", "c", "r", "j", "b"]
    assert [(n.id, n.interval) for n in part.of_type("event")] == [("r", (0.0, 1.0)), ("j", (0.0, 1.0))]
    spatial = next(edge for edge in part.edges if edge.type == "spatial")
    assert spatial.interval == (0.0, pytest.approx(0.2))
    assert next(edge.label for edge in part.edges if edge.type == "temporal") == "equal"
