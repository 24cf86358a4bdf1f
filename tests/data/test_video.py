"""Video files: sizes and rates come back as written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mov_ai.data.video import encode_video, read_video, write_video
from mov_ai.errors import UsageError


@pytest.mark.parametrize(("height", "width", "fps"), [(34, 60, 12.0), (64, 36, 23.976), (32, 32, 8.0)])
def test_a_video_of_any_even_size_and_rate_reads_back(tmp_path: Path, height: int, width: int, fps: float) -> None:
    frames = np.full((5, height, width, 3), 90, dtype=np.uint8)
    write_video(tmp_path / "video.mp4", frames, fps)
    read, rate = read_video(tmp_path / "video.mp4")
    assert read.shape == frames.shape
    assert abs(read.astype(int) - 90).max() <= 3
    assert rate == pytest.approx(fps, abs=1e-3)


@pytest.mark.parametrize(
    ("size", "fps", "message"),
    [
        ((4, 33, 32, 3), 8, "even height and width; found 33x32"),
        ((4, 32, 31, 3), 8, "even height and width; found 32x31"),
        ((0, 32, 32, 3), 8, "expected frames"),
        ((4, 32, 32, 3), 0, "found 4 at 0 fps"),
        ((4, 32, 32, 3), float("nan"), "found 4 at nan fps"),
    ],
)
def test_a_size_that_cannot_be_written_is_refused(size: tuple[int, ...], fps: float, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        encode_video(np.zeros(size, dtype=np.uint8), fps)


def test_other_arrays_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="uint8"):
        encode_video(np.zeros((4, 32, 32, 3), dtype=np.float32))
