"""Folders of pictures, read as videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from mov_ai.data.video import VideoReader
from mov_ai.errors import MovAIError
from tests.data.videos import moving


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, frame in enumerate(moving()):
        PIL.Image.fromarray(frame).save(tmp_path / f"frame {number}%.png")
    (tmp_path / ".hidden.png").touch()
    return tmp_path


def test_pictures_are_frames_in_the_order_of_their_numbers(folder: Path) -> None:
    with VideoReader(folder, fps=5) as reader:
        assert (reader.info.frames, reader.info.fps, reader.info.duration) == (12, 5, 2.4)
        times, frames = zip(*reader.frames(), strict=True)
        assert (np.stack(frames) == moving()).all()
        assert np.allclose(times, np.arange(12) / 5)
        assert (reader.frames_at([0.4, 2.0, 9.0]) == moving()[[2, 10, 11]]).all()
        assert [seconds for seconds, _ in reader.frames(1.0, 1.5)] == pytest.approx([1.0, 1.2, 1.4])


def test_a_broken_picture_is_left_out_and_noticed(folder: Path) -> None:
    (folder / "frame 3%.png").write_bytes(b"")
    with VideoReader(folder) as reader:
        times = [seconds for seconds, _ in reader.frames()]
        assert times == [number / 8 for number in range(12) if number != 3]
        assert "1 damaged frame, the first at 0.38 s" in reader.notices[0]


def test_pictures_of_other_sizes_are_brought_to_the_first(folder: Path) -> None:
    PIL.Image.new("RGB", (20, 10)).save(folder / "frame 5%.png")
    with VideoReader(folder) as reader:
        assert {frame.shape for _, frame in reader.frames()} == {(32, 48, 3)}
        assert len(reader.notices) == 1
        assert "changes from 48x32 to 20x10 pixels at 0.62 s" in reader.notices[0]


def test_transparent_pictures_show_the_background(tmp_path: Path) -> None:
    PIL.Image.new("RGBA", (8, 8), (200, 100, 0, 128)).save(tmp_path / "0.png")
    with VideoReader(tmp_path, background=(0, 0, 200)) as reader:
        _, frame = next(reader.frames())
    assert np.abs(frame[0, 0].astype(int) - (100, 50, 100)).max() <= 1


def test_a_folder_without_pictures_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(MovAIError, match="holds no pictures"):
        VideoReader(tmp_path)
