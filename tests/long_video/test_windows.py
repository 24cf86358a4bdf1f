"""Where windows lie: every frame is brought once, from a window that has its neighbours."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mov_ai.errors import UsageError
from mov_ai.long_video.windows import plan_windows


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 300), st.integers(2, 20), st.data())
def test_every_frame_is_brought_once_in_order(frames: int, window: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(1, window - 1))
    given_frames = data.draw(st.integers(0, min(overlap, frames - 1)))
    windows = plan_windows(frames, window, overlap, given_frames)
    brought = [frame for each in windows for frame in range(each.begin, each.end)]
    assert brought == list(range(given_frames, frames))
    assert all(each.frames == min(window, frames) for each in windows)
    assert all(0 <= each.first <= each.begin and each.end <= each.first + each.frames for each in windows)
    for before, after in itertools.pairwise(windows):
        shared = before.first + before.frames - after.first
        assert shared == overlap or (after is windows[-1] and shared > overlap)
        # What is between two frames can be made in one window.
        assert before.end < before.first + before.frames or overlap == 1 or before.end == given_frames


def test_a_short_video_is_one_window_and_sixty_one_frames_are_five() -> None:
    assert [(w.first, w.frames, w.brought) for w in plan_windows(10, 16, 4)] == [(0, 10, slice(0, 10))]
    windows = plan_windows(61, 16, 4)
    assert [w.first for w in windows] == [0, 12, 24, 36, 45]
    # Two frames on either side of a border, as many as the codec looks at.
    assert [(w.begin, w.end) for w in windows] == [(0, 14), (14, 26), (26, 38), (38, 48), (48, 61)]


@pytest.mark.parametrize("overlap", [0, 16, 20])
def test_an_overlap_that_is_none_is_refused(overlap: int) -> None:
    with pytest.raises(UsageError, match=f"--overlap: expected 1 to 15 frames.*found {overlap}"):
        plan_windows(61, 16, overlap)
