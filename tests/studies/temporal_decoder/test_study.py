"""The study of temporal decoders: its rows are the configured options, its figures mean what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mov_ai.graph.files import read_json
from mov_ai.hydra_entry import choices, config_directory
from studies.temporal_decoder import run as study
from studies.temporal_decoder.measure import against, change_error
from studies.temporal_decoder.options import BASE, CONTROL, OPTIONS, full_size
from studies.temporal_decoder.report import markdown


def test_the_rows_are_the_nine_options_and_a_control() -> None:
    assert {option.decoder for option in OPTIONS.values()} == set(choices(config_directory(), "decoder"))
    assert [name for name, option in OPTIONS.items() if option.million is None] == [CONTROL]
    assert round(full_size("conv3x1x1"), 1) == OPTIONS["conv3x1x1"].million


def test_the_change_error_sees_flicker_and_frozen_motion_and_no_constant_error() -> None:
    truth = np.zeros((4, 8, 8, 3), np.uint8)
    truth[2:] = 100
    assert change_error(truth, truth) == 0
    assert change_error(truth + 9, truth) == 0
    flickering = truth.copy()
    flickering[1::2] += 6
    assert change_error(flickering, truth) == pytest.approx(6)
    assert change_error(np.zeros_like(truth), truth) == pytest.approx(100 / 3)


def test_differences_are_paired() -> None:
    gain = against([21.0, 31.0, 11.0], [20.0, 30.0, 10.0])
    assert gain == {"value": 1.0, "ci95": [1.0, 1.0]}


def test_tables_say_what_was_measured() -> None:
    figures = {"psnr": [20.0, 22.0], "ssim": [0.5, 0.7], "mse": [0.01, 0.02], "features": [1.0, 1.0], "change": [2, 3]}
    one = {"by_video": figures, "parameters": 1234, "seconds_per_frame": 0.002}
    row = {**one, "million_at_full_size": 203.21, "against_control": {"psnr": {"value": 0.5, "ci95": [0.1, 0.9]}}}
    about = {"clips": 4, "frames": 16, "size": 32, "videos": ["a", "b"], "image_steps": 9, "steps": 3, "seed": 0}
    rows = {CONTROL: {**one, "million_at_full_size": 161.1}, "conv3x1x1": row}
    text = markdown({"real": {**about, "machine": "two cores", "rows": rows, "own_decoder": one}})
    assert "4 clips of 16 frames at 32×32 of 2 held-out videos; 9 steps of the image decoder, then 3" in text
    assert "| 3×1×1 | decoder | 21.00 | 0.6000 |" in text
    assert "| +0.50 (+0.10 to +0.90) |  | 1,234 | 203.2 | 2.0 | 33.51 |" in text
    # No network of the literature's LPIPS was there, so no such column.
    assert "LPIPS" not in text


@pytest.mark.slow
def test_the_study_runs_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command: list[str] = [
        *("--data", str(tmp_path), "--clips", "world", "--options", BASE, CONTROL, "resnet_attention"),
        *("--steps", "2", "--image-steps", "2", "--size", "32", "--runs", str(tmp_path / "runs")),
        *("--out", str(tmp_path / "out"), "--train", f"clips.cache={tmp_path}", "clips.clips=2", "clips.held_out=2"),
    ]
    assert study.main(command) == 0
    results = read_json(tmp_path / "out" / "results.json")
    assert set(results["world"]["rows"]) == {BASE, CONTROL, "resnet_attention"}
    assert results["world"]["own_decoder"]["by_video"]["psnr"][0] > 20

    def no_training(self: Any) -> None:
        raise AssertionError("what is trained is not trained again")

    monkeypatch.setattr(study.Trainer, "run", no_training)
    assert study.main(command) == 0
    assert read_json(tmp_path / "out" / "results.json")["world"]["rows"][CONTROL]["by_video"]["psnr"]
