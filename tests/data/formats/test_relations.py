"""Gold graphs and boxes: VidVRD, VidOR, Action Genome."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mov_ai.data.box_tracks import layout_at
from mov_ai.data.formats import find_format
from mov_ai.data.formats.annotations import Annotations
from mov_ai.data.formats.predicates import Predicate, read_predicate
from mov_ai.data.formats.vidvrd import annotated
from mov_ai.data.formats.wording import caption_of
from mov_ai.graph import MAX_NODES
from mov_ai.graph.instances import MAX_INSTANCES
from tests.data.formats.builders import read, reasons, videos, write

WIDTH, HEIGHT, FPS, FRAMES = 200, 100, 10, 8


def box(tid: int, left: float, generated: int = 0) -> dict[str, Any]:
    corners = {"xmin": left, "ymin": 20, "xmax": left + 40, "ymax": 60}
    return {"tid": tid, "bbox": corners, "generated": generated, "tracker": "none"}


def relation(subject: int, predicate: str, target: int, begin: int, end: int) -> dict[str, Any]:
    return {
        **{"subject_tid": subject, "predicate": predicate, "object_tid": target},
        **{"begin_fid": begin, "end_fid": end},
    }


def vidor() -> dict[str, Any]:
    """A dog (tid 0) walks right all the time; a person (tid 3) comes in frame 4 and has gone in frame 7."""
    return {
        **{"version": "VERSION 1.0", "video_id": "2401075277", "video_hash": "0", "video_path": "0000/2401075277.mp4"},
        **{"frame_count": FRAMES, "fps": FPS, "width": WIDTH, "height": HEIGHT},
        "subject/objects": [
            {"tid": 0, "category": "dog"},
            {"tid": 3, "category": "adult"},
            {"tid": 9, "category": "ball"},
        ],
        "trajectories": [[box(0, 10 * f, f % 2)] + ([box(3, 100)] if 4 <= f < 7 else []) for f in range(FRAMES)],
        "relation_instances": [
            relation(0, "walk_left", 3, 4, 6),
            relation(0, "walk_left", 3, 5, 7),
            relation(3, "watch", 0, 4, 7),
            relation(3, "wave_hand_to", 0, 6, 7),
            relation(0, "in_front_of", 3, 4, 6),
            relation(0, "larger", 3, 0, FRAMES),
            relation(0, "chase", 0, 0, 4),
        ],
    }


@pytest.mark.parametrize(
    ("annotation", "video"),
    [
        ("annotation/training/0000/2401075277.json", "video/0000/2401075277.mp4"),
        ("train/2401075277.json", "videos/2401075277.mp4"),
    ],
)
def test_relations_over_time_become_a_graph_and_a_layout(tmp_path: Path, annotation: str, video: str) -> None:
    videos(tmp_path, video)
    write(tmp_path / annotation, vidor())
    assert find_format(tmp_path) == "vidvrd"
    (clip,), source = read(tmp_path)
    assert source.problems == []
    assert clip.key == video
    graph = clip.graph
    assert graph is not None
    assert clip.captions == (graph.caption,)
    assert graph.caption == (
        "A dog walks left of an adult. The adult watches the dog. The adult waves hand to the dog. "
        "The dog is larger than the adult. The dog is in front of the adult. There is a ball."
    )
    assert [(n.label, n.interval) for n in graph.of_type("event")] == [
        ("walk", (0.5, 0.875)),
        ("watch", (0.5, 0.875)),
        ("wave hand", (0.75, 0.875)),
    ]
    assert {n.id: n.label for n in graph.of_type("entity")} == {"dog_1": "dog", "adult_1": "adult", "ball_1": "ball"}
    walk, watch, wave = (n.id for n in graph.of_type("event"))
    ties = [(e.source, e.target, e.type, e.label) for e in graph.edges if e.type != "contains"]
    assert ties == [
        ("dog_1", "adult_1", "relation", "larger than"),
        *((walk, "dog_1", "agent", None), (walk, "adult_1", "location", "left of")),
        *((watch, "adult_1", "agent", None), (watch, "dog_1", "patient", None)),
        ("dog_1", "adult_1", "spatial", "in front of"),
        *((wave, "adult_1", "agent", None), (wave, "dog_1", "location", "to")),
    ]
    assert next(e.interval for e in graph.edges if e.type == "spatial") == (0.5, 0.75)
    layout = layout_at(clip.tracks, graph, (np.arange(FRAMES) + 0.5) / FPS)
    assert [track.entity for track in layout.tracks] == ["dog_1", "adult_1"]
    assert layout.complete
    dog, adult = (track.boxes for track in layout.tracks)
    np.testing.assert_allclose(dog[:, 0], (10 * np.arange(FRAMES) + 20) / WIDTH, atol=1e-6)
    np.testing.assert_allclose(dog[:, 1:4], [[0.4, 0.2, 0.4]] * FRAMES, atol=1e-6)
    assert dog[:, 5].tolist() == [1] * FRAMES
    assert adult[:, 5].tolist() == [0, 0, 0, 0, 1, 1, 1, 0]


def test_annotations_that_cannot_be_used_are_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    videos(tmp_path, "videos/0000/2401075277.mp4", "videos/b.mp4")
    write(tmp_path / "train" / "a.json", vidor())
    write(tmp_path / "train" / "b.json", {**vidor(), "video_path": "b.mp4", "subject/objects": [{"tid": 0}]})
    write(tmp_path / "train" / "c.json", '{"trajectories": [')
    write(tmp_path / "train" / "d.json", {**vidor(), "video_path": "d.mp4"})
    clips, source = read(tmp_path)
    assert [clip.key for clip in clips] == ["videos/0000/2401075277.mp4"]
    assert reasons(source) == {
        "annotations that lack a key": ["train/b.json"],
        "files that are no JSON": ["train/c.json"],
        "no such file": ["d.mp4"],
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("next_to", Predicate("next to", "spatial")),
        ("front", Predicate("in front of", "spatial")),
        ("left", Predicate("left of", "spatial")),
        ("in_front_of", Predicate("in front of", "spatial")),
        ("taller", Predicate("taller than", "relation")),
        ("chase", Predicate("chase", "event")),
        ("play(instrument)", Predicate("play", "event")),
        ("towards", Predicate("move", "event", "toward")),
        ("past", Predicate("move", "event", "past")),
        ("creep_away", Predicate("creep", "event", "away from")),
        ("sit_next_to", Predicate("sit", "event", "next to")),
        ("stand_front", Predicate("stand", "event", "in front of")),
        ("get_on", Predicate("get", "event", "on")),
        ("hold_hand_of", Predicate("hold hand", "event", "of")),
        ("shake_hand_with", Predicate("shake hand", "event", "with")),
    ],
)
def test_predicates_in_the_graphs_words(text: str, expected: Predicate) -> None:
    assert read_predicate(text) == expected


def test_things_of_one_label_stay_in_the_order_of_the_annotation() -> None:
    annotations = Annotations(range(4), 4, 2.0)
    for key, shown in (("first", 1), ("second", 4)):
        annotations.thing(key, "ball")
        for frame in range(shown):
            annotations.box(key, frame, (0.1, 0.1, 0.2, 0.2))
    graph, tracks = annotations.result()
    assert [track.entity for track in tracks] == [node.id for node in graph.of_type("entity")] == ["ball_1", "ball_2"]
    assert [track.visibility.sum() for track in tracks] == [1, 4]
    # A box is exact in the middle of the time for which its frame is shown.
    assert tracks[0].times.tolist() == [0.25, 0.75, 1.25, 1.75]


def test_crowds_keep_within_the_graphs_room() -> None:
    annotations = Annotations(range(100), 100, 10.0)
    for key in range(80):
        annotations.thing(key, "person")
        annotations.box(key, key, (0.1, 0.1, 0.2, 0.2))
    for key in range(60, 79):
        annotations.relate(key, read_predicate("follow"), key + 1, (0.0, (key - 50) / 100))
        annotations.relate(key, read_predicate("hold"), key + 1, (0.0, 0.05))
    graph, tracks = annotations.result()
    assert len(graph.nodes) == MAX_NODES
    # Those who do something come first, and what lasts longest.
    assert sum(node.label == "follow" for node in graph.of_type("event")) == 19
    assert len(layout_at(tracks, graph, (np.arange(100) + 0.5) / 10).tracks) == MAX_INSTANCES


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(["left", "chase", "walk_toward", "larger"]), st.integers(0, 4),
                  st.integers(0, 11), st.integers(0, 12)),
        max_size=60,
    ),
    st.lists(st.lists(st.integers(0, 4), max_size=5, unique=True), min_size=12, max_size=12),
)  # fmt: skip
def test_whatever_is_annotated_makes_a_valid_graph_and_layout(relations: list[Any], present: list[list[int]]) -> None:
    content = {
        **{"frame_count": 12, "fps": 6, "width": WIDTH, "height": HEIGHT},
        "subject/objects": [{"tid": tid, "category": "domestic_cat" if tid else "dog"} for tid in range(5)],
        "trajectories": [[box(tid, 10 * tid) for tid in tids] for tids in present],
        "relation_instances": [relation(*values) for values in relations],
    }
    graph, tracks = annotated(content).result()
    graph.validate()
    assert caption_of(graph).endswith(".")
    layout = layout_at(tracks, graph, (np.arange(12) + 0.5) / 6)
    assert layout.complete
    seen = {track.entity: track.boxes[:, 5].tolist() for track in layout.tracks}
    by_label = {"dog": [0], "domestic cat": [1, 2, 3, 4]}
    for label, tids in by_label.items():
        expected = sorted([float(tid in tids_of_frame) for tids_of_frame in present] for tid in tids)
        found = sorted(seen.get(n.id, [0.0] * 12) for n in graph.of_type("entity") if n.label == label)
        assert found == expected
