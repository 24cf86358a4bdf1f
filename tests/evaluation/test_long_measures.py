"""Long videos measured: on the world's own clips, on clips with something wrong, and on made-up frames."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from mov_ai.errors import UsageError
from mov_ai.evaluation.benchmark import load_prompts
from mov_ai.evaluation.benchmark.scenes import rendered
from mov_ai.evaluation.checker import Checker
from mov_ai.evaluation.given_pictures import Picture
from mov_ai.evaluation.long_measures import evenly, measure_segment, repetition, seam_error, segment_starts
from mov_ai.evaluation.long_suite import LongSuite


def flickering(frames: int, seed: int = 0) -> np.ndarray:
    """Frames that change by about as much from each to the next."""
    return np.random.default_rng(seed).integers(100, 110, (frames, 16, 16, 3), dtype=np.uint8)


def test_a_video_without_seams_has_none_and_a_jump_at_a_border_is_seen() -> None:
    video = flickering(24)
    assert seam_error(video, [8, 16]) == pytest.approx(1, abs=0.1)
    video[8:] += 40
    assert seam_error(video, [8, 16]) > 3
    # A jump elsewhere is no seam.
    assert seam_error(video, [4, 16]) < 1
    assert np.isnan(seam_error(video, []))


def test_the_same_changes_one_window_later_are_repetition() -> None:
    texture = flickering(12)
    again = np.concatenate([texture, texture])
    assert repetition(again, 12) > 0.9
    assert abs(repetition(flickering(24), 12)) < 0.2
    assert np.isnan(repetition(texture, 12))


def test_parts_of_a_video() -> None:
    assert segment_starts(16, 4) == [0]
    assert segment_starts(61, 4) == [0, 22, 45]
    assert segment_starts(121, 4) == [0, 35, 70, 105]
    assert [int(frame[0, 0, 0]) for frame in evenly(np.arange(64).reshape(-1, 1, 1, 1))] == list(range(2, 64, 4))


def test_things_are_looked_at_as_they_should_be_in_each_part() -> None:
    """A sphere expands, then a box leaps: both keep their looks; with red and blue exchanged none has."""
    prompt = next(prompt for prompt in load_prompts() if prompt.id == "event_order-000")
    video = rendered(prompt.scene, 128, 40)
    checker = Checker.from_pretrained()
    for first in (0, 34):
        part = video[first : first + 6]
        right = measure_segment(checker, prompt.graph, part, first, 40)
        assert (right.things, right.right) == (2, 1.0)
        assert min(right.color, right.shape) > 0.8
        wrong = measure_segment(checker, prompt.graph, part[..., ::-1].copy(), first, 40)
        assert wrong.right == 0
        assert wrong.color < 0.3


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"lengths": [1]}, "lengths: expected whole numbers from 2"),
        ({"ways": ["sideways"]}, "ways: expected some of windows, apart"),
        ({"stage": 100}, "stage: expected some of 128, 256, 512"),
    ],
)
def test_settings_that_are_wrong(setting: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        LongSuite(**setting)


def test_results_are_written_and_nothing_is_measured_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [Picture(f"p{number}", "rendered", np.zeros((8, 8, 3), np.uint8), "a ball") for number in range(2)]
    measured: list[str] = []

    def measure(pipeline: object, picture: Picture, stage: int) -> dict:
        measured.append(picture.name)
        row = {"name": picture.name, "kind": picture.kind, "psnr": 30.0, "psnr_codec": float("nan")}
        return {**row, "psnr_second": 20.0}

    monkeypatch.setattr("mov_ai.evaluation.long_suite.rendered_pictures", lambda *_: pictures)
    monkeypatch.setattr("mov_ai.evaluation.long_suite.measure_picture", measure)
    monkeypatch.setattr("mov_ai.evaluation.long_suite._LongRun.pipeline", None)
    suite = LongSuite(num_prompts=0, memory=False, pictures=2)
    for _ in range(2):
        results = suite.run(tmp_path, Console(quiet=True))
    assert measured == ["p0", "p1"]
    assert results["pictures"][1]["psnr_codec"] is None
    assert json.loads((tmp_path / "results.json").read_text())["pictures"] == results["pictures"]
