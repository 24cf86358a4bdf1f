"""Layouts: reading, writing, partial boxes, and messages that say what to mend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph import BOX_FIELDS, Layout, Track, VideoShape

BOX = [0.5, 0.5, 0.2, 0.2, 1.0, 1.0]


def layout_dict(**changes: Any) -> dict[str, Any]:
    return {"version": 1, "frames": 2, "tracks": [{"entity": "b", "boxes": [BOX, None]}]} | changes


def with_track(**changes: Any) -> dict[str, Any]:
    return layout_dict(tracks=[layout_dict()["tracks"][0] | changes])


def with_box(position: int, value: Any) -> dict[str, Any]:
    return with_track(boxes=[[*BOX[:position], value, *BOX[position + 1 :]], None])


BAD = {
    "not an object": ([], "layout", "an object"),
    "tracks missing": ({"version": 1, "frames": 2}, "layout", "'tracks'"),
    "unknown key": (layout_dict(fps=8), "layout", "only the keys"),
    "wrong version": (layout_dict(version=4), "version", "expected 1, 2, 3"),
    "fps alone": (layout_dict(version=2, fps=8), "layout", "all of fps, height, width or none; found only fps"),
    "fps of 0": (layout_dict(version=2, fps=0, height=64, width=64), "fps", "above 0"),
    "width of 8": (layout_dict(version=2, fps=8, height=64, width=8), "width", "from 16 to 4096"),
    "no frames": (layout_dict(frames=0), "frames", "1 to 16384"),
    "frames true": (layout_dict(frames=True), "frames", "1 to 16384"),
    "other fields": (layout_dict(fields=["x"]), "fields", "expected"),
    "track no object": (layout_dict(tracks=[3]), "tracks[0]", "an object"),
    "track without entity": (layout_dict(tracks=[{"boxes": []}]), "tracks[0]", "'entity'"),
    "unknown key of a track": (with_track(colour="red"), "tracks[0]", "only the keys"),
    "negative instance": (with_track(instance=-1), "tracks[0].instance", "a whole number from 0"),
    "label a number": (with_track(label=1), "tracks[0].label", "a string"),
    "label with half a pair": (with_track(label="\ud800"), "tracks[0].label", "whole Unicode"),
    "label of 20,001": (with_track(label="x" * 20_001), "tracks[0].label", "at most 20000"),
    "entity with half a pair": (with_track(entity="\udfff"), "tracks[0]", "'entity'"),
    "too few boxes": (with_track(boxes=[BOX]), "tracks[0].boxes", "expected 2 entries"),
    "boxes no list": (with_track(boxes="all"), "tracks[0].boxes", "expected 2 entries"),
    "box of four": (with_track(boxes=[BOX[:4], None]), "tracks[0].boxes[0]", "6 numbers"),
    "track twice": (layout_dict(tracks=layout_dict()["tracks"] * 2), "tracks", "one track per entity instance"),
    "30,000 tracks": (layout_dict(tracks=layout_dict()["tracks"] * 30_000), "tracks", "at most 640; found 30000"),
    "width below 0": (with_box(2, -0.1), "tracks[0].boxes[0].w", "from 0 to 4"),
    "visibility above 1": (with_box(5, 1.1), "tracks[0].boxes[0].visibility", "from 0 to 1"),
    "NaN": (with_box(0, float("nan")), "tracks[0].boxes[0].x", "from -2 to 3"),
    "huge whole number": (with_box(0, 10**400), "tracks[0].boxes[0].x", "from -2 to 3"),
    "truth": (with_box(0, True), "tracks[0].boxes[0].x", "a number"),
    "word": (with_box(0, "left"), "tracks[0].boxes[0].x", "a number"),
}


@pytest.mark.parametrize(("value", "path", "expected"), BAD.values(), ids=BAD.keys())
def test_bad_layout_is_refused_with_path_and_expectation(value: Any, path: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        Layout.from_dict(value)
    message = str(caught.value)
    assert path in message
    assert expected in message
    assert "\n" not in message


def test_boxes_not_given_are_nan_and_written_as_null() -> None:
    layout = Layout.from_dict(layout_dict())
    track = layout.track("b")
    assert track is not None
    assert track.boxes.shape == (2, len(BOX_FIELDS))
    assert track.boxes.dtype == np.float32
    assert np.isnan(track.boxes[1]).all()
    assert not layout.complete
    assert layout.to_dict()["tracks"][0]["boxes"] == [BOX, None]


def test_complete_when_every_box_is_given() -> None:
    assert Layout(1, [Track("b", np.array([BOX], dtype=np.float32))]).complete


def test_track_finds_an_instance_or_none() -> None:
    layout = Layout(1, [Track("b", np.zeros((1, 6), np.float32), instance=1)])
    assert layout.track("b") is None
    assert layout.track("b", 1) is layout.tracks[0]


def test_shape_of_the_video_is_kept_if_it_is_known() -> None:
    shape = VideoShape(2, 12.5, 320, 512)
    layout = Layout.from_dict(layout_dict(version=2, fps=12.5, height=320, width=512))
    assert layout.shape == shape
    assert Layout.from_dict(layout.to_dict()).shape == shape
    assert Layout.from_dict(layout_dict()).shape is None
    assert "fps" not in Layout.from_dict(layout_dict()).to_dict()


def moving(rows: list[list[float] | None]) -> Layout:
    boxes = np.array([[np.nan] * 6 if row is None else row for row in rows], dtype=np.float32)
    return Layout(len(rows), [Track("b", boxes)], VideoShape(len(rows)))


def test_resampled_boxes_move_linearly_and_visibility_is_the_nearest_frames() -> None:
    slow = moving([[x, 0.5, 0.2, 0.2, 1.0, float(x > 0.3)] for x in (0.1, 0.3, 0.5, 0.7)])
    fast = slow.resampled(8)
    assert fast.shape == VideoShape(8)
    boxes = fast.tracks[0].boxes
    np.testing.assert_allclose(boxes[:, 0], [0.1, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.7], atol=1e-6)
    assert boxes[:, 5].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    np.testing.assert_allclose(slow.resampled(2).tracks[0].boxes[:, 0], [0.2, 0.6], atol=1e-6)
    assert slow.resampled(1).tracks[0].boxes.shape == (1, 6)
    assert slow.resampled(4) is slow


def test_resampled_boxes_that_were_not_given_stay_so() -> None:
    boxes = moving([BOX, None, BOX]).resampled(6).tracks[0].boxes
    assert np.isnan(boxes).all(axis=1).tolist() == [False, False, True, True, False, False]
    assert np.isnan(moving([None, None]).resampled(5).tracks[0].boxes).all()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.none() | st.tuples(*[st.floats(0, 1, width=32)] * 6), min_size=1, max_size=5),
    st.integers(0, 3),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)
def test_written_layout_reads_back_to_five_decimals(rows: list[Any], instance: int, label: str) -> None:
    boxes = np.array([[np.nan] * 6 if row is None else row for row in rows], dtype=np.float32)
    layout = Layout(len(rows), [Track("b", boxes, instance, label)])
    read = Layout.from_json(json.dumps(layout.to_dict()))
    np.testing.assert_allclose(read.tracks[0].boxes, boxes, atol=1e-5)
    assert (read.tracks[0].instance, read.tracks[0].label) == (instance, label)
    # What was read once stays as it is.
    assert Layout.from_dict(read.to_dict()).to_dict() == read.to_dict()


def test_file_round_trip(tmp_path: Path) -> None:
    layout = Layout.from_dict(layout_dict())
    layout.save(tmp_path / "layout.json")
    assert Layout.load(tmp_path / "layout.json").to_dict() == layout.to_dict()


def test_infinite_boxes_are_not_written(tmp_path: Path) -> None:
    layout = Layout(1, [Track("b", np.full((1, 6), np.inf, np.float32))])
    with pytest.raises(MovAIError, match="finite numbers"):
        layout.save(tmp_path / "layout.json")
    assert list(tmp_path.iterdir()) == []
