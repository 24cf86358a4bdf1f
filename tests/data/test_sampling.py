"""Which frames of a clip are taken."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mov_ai.data.sampling import Dropped, Sampling
from mov_ai.errors import UsageError


def frame_numbers(times: tuple[float, ...], fps: float) -> list[int]:
    """Of a video of constant rate: which of its frames is shown at each time."""
    return [int(time * fps) for time in times]


def test_frames_at_a_rate_are_the_nearest_of_the_video() -> None:
    (window,) = Sampling((4,), fps=8).choose(24, 0, 10 / 24, "a")
    assert (frame_numbers(window.times, 24), window.fps) == ([0, 3, 6, 9], 8)
    (window,) = Sampling((5,), fps=10).choose(24, 0, 0.4 + 1 / 24, "a")
    assert frame_numbers(window.times, 24) == [0, 2, 5, 7, 10]


def test_every_nth_frame() -> None:
    (window,) = Sampling((3,), fps=None, stride=2).choose(30, 0, 5 / 30, "a")
    assert (frame_numbers(window.times, 30), window.fps) == ([0, 2, 4], pytest.approx(15))


def test_frames_spread_over_the_whole_clip() -> None:
    (window,) = Sampling((4,), fps=None).choose(8, 1.0, 3.0, "a")
    assert (window.times, window.fps) == ((1.25, 1.75, 2.25, 2.75), 2.0)
    # Fewer frames than wanted: some are taken twice.
    (window,) = Sampling((16,), fps=None).choose(4, 0.0, 2.0, "a")
    assert frame_numbers(window.times, 4) == [n // 2 for n in range(16)]


def test_one_window_is_in_the_middle_and_several_reach_from_end_to_end() -> None:
    sampling = {"frames": (8,), "fps": 8}
    (middle,) = Sampling(**sampling).choose(8, 0, 3, "a")
    assert frame_numbers(middle.times, 8) == list(range(8, 16))
    windows = Sampling(**sampling, windows=3).choose(8, 0, 3, "a")
    assert [frame_numbers(window.times, 8)[0] for window in windows] == [0, 8, 16]
    assert len(Sampling(**sampling, windows=0).choose(8, 0, 3.5, "a")) == 3
    # Where there is room for one only, the others would be the same.
    assert len(Sampling(**sampling, windows=5).choose(8, 0, 1, "a")) == 1


def test_random_starts_depend_on_seed_and_clip_alone() -> None:
    def starts(seed: int, key: str) -> list[float]:
        sampling = Sampling((4,), 8, windows=3, starts="random", seed=seed)
        return [window.start for window in sampling.choose(24, 2, 9, key)]

    assert starts(0, "a") == starts(0, "a")
    assert len({tuple(starts(*choice)) for choice in ((0, "a"), (1, "a"), (0, "b"))}) == 3


def test_a_clip_gets_the_largest_number_of_frames_that_it_is_long_enough_for() -> None:
    sampling = Sampling((8, 16, 32), fps=8)
    lengths = [len(sampling.choose(24, 0, seconds, "a")[0].times) for seconds in (1.0, 2.0, 3.8, 4.0)]
    assert lengths == [8, 16, 16, 32]
    with pytest.raises(Dropped, match=r"shorter than 8 frames at 8 fps: 0\.50 s, and 0\.90 s are needed"):
        sampling.choose(24, 0, 0.5, "a")


@given(
    st.integers(1, 40),
    st.floats(1, 60),
    st.floats(1, 120),
    st.floats(0, 50),
    st.floats(0.05, 20),
    st.integers(0, 6),
    st.sampled_from(["even", "random"]),
)
def test_windows_stay_in_their_part_and_ascend(
    frames: int, fps: float, source_fps: float, start: float, length: float, windows: int, starts: str
) -> None:
    sampling = Sampling((frames,), fps, windows=windows, starts=starts)
    try:
        chosen = sampling.choose(source_fps, start, start + length, "clip")
    except Dropped:
        assert (frames - 1) / fps + 0.5 / source_fps > length
        return
    assert 1 <= len(chosen) <= max(windows, 1 + length * fps / frames)
    for window in chosen:
        assert len(window.times) == frames
        assert start <= window.times[0]
        assert window.times[-1] <= start + length + 1e-5
        np.testing.assert_allclose(np.diff(window.times), 1 / fps, atol=1e-9)
    assert all(a.start <= b.start for a, b in itertools.pairwise(chosen))


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"frames": ()}, "frames: expected"),
        ({"frames": (0,)}, "frames: expected"),
        ({"fps": 0.0}, "fps: expected"),
        ({"fps": 8.0, "stride": 2}, "give one of them"),
        ({"fps": None, "stride": 0}, "stride: expected"),
        ({"windows": -1}, "windows: expected"),
        ({"starts": "late"}, "starts: expected"),
        ({"fps": None, "windows": 2}, "one video of it"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        Sampling(**settings)  # type: ignore[arg-type]
