"""The inputs of `python -m tools.chaos.large_videos` are what their names say, and too much memory is noticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mov_ai.evaluation.metrics.folders import scan
from tools.chaos import large_videos
from tools.chaos.large_videos import INPUTS, MOST, main


def test_the_inputs_are_videos_of_the_size_that_is_asked_for(tmp_path: Path) -> None:
    for number, (make, *_) in enumerate(INPUTS.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        make(folder / "video", 5, 36, 64)
        (file,) = scan(folder).files
        assert (file.frames, file.height, file.width) == (5, 36, 64)


@pytest.mark.parametrize(("peak", "code"), [(MOST // 10**6 - 1, 0), (MOST // 10**6 + 1, 1)])
def test_more_memory_than_promised_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, peak: int, code: int
) -> None:
    def measured(name: str, place: Path) -> dict[str, Any]:
        return {"MB of memory at the peak": peak}

    monkeypatch.setattr(large_videos, "measure", measured)
    assert main(["--out", str(tmp_path / "large.json")]) == code
    assert (tmp_path / "large.json").is_file()


def test_an_input_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "gif"]) == 2
    assert capsys.readouterr().err.startswith("large_videos: --only: expected the beginning of one of mp4")
