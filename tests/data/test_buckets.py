"""Videos and boxes are brought to the size of nearest aspect."""

from __future__ import annotations

import numpy as np
import pytest

from mov_ai.data.buckets import Buckets
from mov_ai.data.sampling import Dropped
from mov_ai.errors import UsageError
from mov_ai.graph import Layout, Track

SIZES = ((64, 64), (36, 64), (64, 36))


@pytest.mark.parametrize(
    ("video", "size"),
    [((720, 1280), (36, 64)), ((1280, 720), (64, 36)), ((500, 480), (64, 64)), ((480, 640), (64, 64))],
)
def test_the_size_of_nearest_aspect_is_chosen(video: tuple[int, int], size: tuple[int, int]) -> None:
    assert Buckets(SIZES).choose(*video) == size


def test_what_is_too_small_is_dropped() -> None:
    assert Buckets(((64, 64),), enlarge=2).choose(32, 50) == (64, 64)
    with pytest.raises(Dropped, match=r"too small: 30x50 would be enlarged 2\.13 times to 64x64; at most 2"):
        Buckets(((64, 64),), enlarge=2).choose(30, 50)


def gradient(height: int, width: int) -> np.ndarray:
    """Red grows to the right, green downwards, both from 0 to 200 over the frame."""
    across = np.broadcast_to((np.arange(width) + 0.5) / width * 200, (height, width))
    down = np.broadcast_to(((np.arange(height) + 0.5) / height * 200)[:, None], (height, width))
    return np.stack([across, down, np.zeros_like(down)], -1).round().astype(np.uint8)[None]


def test_cropping_keeps_the_middle_and_proportions() -> None:
    small = Buckets(((64, 64),)).resize(gradient(128, 256), (64, 64))
    assert small.shape == (1, 64, 64, 3)
    # A quarter is cut off on both sides.
    assert int(small[0, 32, 0, 0]) == pytest.approx(50, abs=3)
    assert int(small[0, 32, -1, 0]) == pytest.approx(150, abs=3)
    assert int(small[0, -1, 32, 1]) == pytest.approx(200, abs=3)


def test_stretching_keeps_everything() -> None:
    small = Buckets(((64, 64),), fit="stretch").resize(gradient(128, 256), (64, 64))
    assert int(small[0, 32, 0, 0]) == pytest.approx(0, abs=3)
    assert int(small[0, 32, -1, 0]) == pytest.approx(200, abs=3)


def test_fine_stripes_become_grey() -> None:
    stripes = np.zeros((1, 256, 256, 3), np.uint8)
    stripes[:, :, ::2] = 255
    small = Buckets(((32, 32),)).resize(stripes, (32, 32))
    assert abs(small.astype(int) - 127).max() < 12


def test_a_video_of_the_size_is_left_as_it_is() -> None:
    frames = gradient(64, 64)
    assert Buckets(((64, 64),)).resize(frames, (64, 64)) is frames


def boxes(x: float, width: float, visibility: float = 1.0) -> np.ndarray:
    return np.array([[x, 0.5, width, 0.4, 1.0, visibility]] * 2, np.float32)


def test_boxes_are_cropped_with_their_video() -> None:
    tracks = [Track("in", boxes(0.5, 0.2)), Track("cut", boxes(0.25, 0.2)), Track("out", boxes(0.1, 0.1))]
    layout = Buckets(((64, 64),)).crop_layout(Layout(2, tracks), 128, 256, (64, 64))
    assert [track.entity for track in layout.tracks] == ["in", "cut"]
    np.testing.assert_allclose(layout.tracks[0].boxes[0], [0.5, 0.5, 0.4, 0.4, 1, 1], atol=1e-6)
    np.testing.assert_allclose(layout.tracks[1].boxes[0], [0.0, 0.5, 0.4, 0.4, 1, 0.5], atol=1e-6)
    stretched = Buckets(((64, 64),), fit="stretch").crop_layout(Layout(2, tracks), 128, 256, (64, 64))
    np.testing.assert_allclose(stretched.tracks[2].boxes, tracks[2].boxes, atol=1e-6)


def test_boxes_not_given_stay_so() -> None:
    rows = boxes(0.5, 0.2)
    rows[1] = np.nan
    layout = Buckets(((64, 64),)).crop_layout(Layout(2, [Track("a", rows)]), 128, 256, (64, 64))
    assert np.isnan(layout.tracks[0].boxes[1]).all()


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"sizes": ()}, "size: expected"),
        ({"sizes": ((64, 64), (64, 64))}, "different sizes"),
        ({"sizes": ((8, 64),)}, "height: expected"),
        ({"fit": "pad"}, "fit: expected crop or stretch"),
        ({"enlarge": 0.0}, "enlarge: expected"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        Buckets(**settings)  # type: ignore[arg-type]
