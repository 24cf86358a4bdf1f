"""The check of the embedded model: a perfect pipeline scores high, a bad one nothing, and intervals are honest."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from mov_ai.worlds.tabletop.world import sample_clip
from studies.check import tiny
from studies.check.tiny import held_out_prompts, scores


class Perfect:
    """Renders the world's own clip of each caption, and counts its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []

    def __call__(self, text: str, seed: int) -> np.ndarray:
        self.calls.append((text, seed))
        return sample_clip(seed, "test").video.numpy()


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_every_prompt_is_a_caption_of_the_world() -> None:
    prompts = held_out_prompts(5)
    assert [prompt.seed for prompt in prompts] == list(range(5))
    assert prompts == held_out_prompts(5)
    for prompt in prompts:
        assert prompt.graph.caption == prompt.text


def test_a_perfect_pipeline_scores_high_and_finished_videos_are_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = Perfect()
    monkeypatch.setattr(tiny, "load_pipeline", lambda model, stages: pipeline)
    console = Console(file=io.StringIO(), width=120)
    files = {"out": tmp_path / "out.json", "cache": tmp_path / "cache"}
    tiny.run(console, 2, **files)
    result = tiny.run(console, 3, **files)
    assert pipeline.calls == [(prompt.text, prompt.seed) for prompt in held_out_prompts(3)]
    written = json.loads((tmp_path / "out.json").read_text())
    assert written == json.loads(json.dumps(result))
    assert written["generated"] == written["real"]
    assert written["generated"]["objects"]["share"] >= 0.9
    assert written["generated"]["events"]["share"] >= 0.8
    assert "objects right" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_blank_pipeline_scores_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grey = np.full((16, 128, 128, 3), 140, dtype=np.uint8)
    monkeypatch.setattr(tiny, "load_pipeline", lambda model, stages: lambda text, seed: grey)
    result = tiny.run(Console(quiet=True), 2, cache=tmp_path / "cache")["generated"]
    assert result["objects"]["share"] == result["events"]["share"] == result["motions"]["share"] == 0


def test_intervals_hold_the_share_and_narrow_with_more_prompts() -> None:
    def rows(number: int) -> list[dict[str, list[bool]]]:
        return [{"objects": [i % 3 > 0, True]} for i in range(number)]

    few, many = scores(rows(9))["objects"], scores(rows(90))["objects"]
    assert few.low <= few.share <= few.high
    assert many.high - many.low < few.high - few.low
    assert few == scores(rows(9))["objects"]
    assert scores(rows(9))["events"].n == 0
    assert scores(rows(9))["events"].to_dict()["share"] is None
