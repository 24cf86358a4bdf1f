"""The compositional benchmark: a perfect pipeline scores high, a bad one low, and intervals are honest."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from mov_ai.errors import UsageError
from mov_ai.evaluation import check_tiny
from mov_ai.evaluation.compositional import (
    OVERALL,
    RealPipeline,
    RealVideo,
    Row,
    evaluate_generated,
    evaluate_real,
    held_out_prompts,
    scores,
    with_other_colors,
    with_other_motions,
    with_other_shapes,
)
from mov_ai.graph import SceneGraph
from mov_ai.worlds.tabletop import lexicon


class Counting(RealPipeline):
    """Counts its calls, and whether it ever got a graph instead of text."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[object, int]] = []

    def __call__(self, prompt: str | SceneGraph, /, *, seed: int) -> RealVideo:
        self.calls.append((prompt, seed))
        return super().__call__(prompt, seed=seed)


class Blank(RealPipeline):
    def __call__(self, prompt: str | SceneGraph, /, *, seed: int) -> RealVideo:
        video = super().__call__(prompt, seed=seed)
        return RealVideo(np.full_like(video.frames, 140), video.graph, video.layout)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def options(tmp_path: Path, **changes: object) -> argparse.Namespace:
    given = {"prompts": 3, "stages": 128, "model": None, "out": tmp_path / "out.json", "sheets": None}
    return argparse.Namespace(**{**given, "cache": tmp_path / "cache", **changes})


def test_a_perfect_pipeline_scores_high_and_gets_text_only() -> None:
    pipeline = Counting()
    result = evaluate_generated(pipeline, held_out_prompts(5))
    assert result["objects"].share >= 0.9
    assert result["events"].share >= 0.8
    assert all(isinstance(prompt, str) for prompt, _ in pipeline.calls)
    assert [seed for _, seed in pipeline.calls] == list(range(5))


def test_a_blank_pipeline_scores_nothing() -> None:
    result = evaluate_generated(Blank(), held_out_prompts(2))
    assert result["objects"].share == result["events"].share == result["motions"].share == 0


def test_the_checkers_own_score_collapses_on_wrong_graphs() -> None:
    result = evaluate_real("validation", 8, start=800_000)
    assert result["true"]["objects"].share >= 0.9
    assert result["true"]["events"].share >= 0.9
    assert result["permuted"]["objects"].share <= 0.25
    assert result["colors"]["objects"].share <= 0.15
    assert result["shapes"]["objects"].share <= 0.15
    assert result["motions"]["motions"].share <= 0.15


def test_every_prompt_shows_a_pair_that_was_held_out() -> None:
    prompts = held_out_prompts(5)
    assert [prompt.seed for prompt in prompts] == list(range(5))
    assert prompts == held_out_prompts(5)
    for prompt in prompts:
        assert prompt.graph.caption == prompt.text


@pytest.mark.parametrize("change", [with_other_colors, with_other_shapes, with_other_motions])
def test_changed_graphs_are_valid_and_differ_everywhere(change) -> None:  # type: ignore[no-untyped-def]
    for prompt in held_out_prompts(8):
        changed = change(prompt.graph, np.random.default_rng(0))
        changed.validate()
        assert len(changed.nodes) == len(prompt.graph.nodes)
        for old, new in zip(prompt.graph.nodes, changed.nodes, strict=True):
            if change is with_other_motions and old.type == "event":
                assert lexicon.motion_of(old.label, old.direction) != lexicon.motion_of(new.label, new.direction)
            elif change is with_other_shapes and old.type == "entity":
                assert lexicon.concept("shape", old.label) != lexicon.concept("shape", new.label)
            elif change is with_other_colors and lexicon.concept("color", old.label):
                assert lexicon.concept("color", old.label) != lexicon.concept("color", new.label)
            else:
                assert old == new


def test_intervals_hold_the_share_and_narrow_with_more_prompts() -> None:
    def rows(number: int) -> list[Row]:
        return [Row({"objects": [i % 3 > 0, True]}) for i in range(number)]

    few, many = scores(rows(9))["objects"], scores(rows(90))["objects"]
    assert few.low <= few.share <= few.high
    assert many.high - many.low < few.high - few.low
    assert scores(rows(9)) == scores(rows(9)) or np.isnan(scores(rows(9))["events"].share)
    assert scores(rows(9))["events"].n == 0
    assert scores(rows(9))["events"].to_dict()["share"] is None


def test_the_command_resumes_from_finished_prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = Counting()
    monkeypatch.setattr(check_tiny, "load_pipeline", lambda model, stages: pipeline)
    console = Console(file=io.StringIO(), width=120)
    first = check_tiny.run(options(tmp_path, prompts=2, sheets=tmp_path / "sheets"), console)
    again = check_tiny.run(options(tmp_path, prompts=3), console)
    assert [seed for _, seed in pipeline.calls] == [0, 1, 2]
    assert len(list((tmp_path / "sheets").glob("*.png"))) == 2
    assert first["digest"] == again["digest"]
    written = json.loads((tmp_path / "out.json").read_text())
    assert written == json.loads(json.dumps(again))
    assert set(OVERALL) <= set(written["generated"])
    assert written["generated"] == written["real"]
    # A row that was cut off is made again.
    place = next((tmp_path / "cache").rglob("generated-00001.json"))
    place.write_text(place.read_text()[:40])
    check_tiny.run(options(tmp_path, prompts=2), console)
    assert [seed for _, seed in pipeline.calls] == [0, 1, 2, 1]
    assert "objects right" in console.file.getvalue()  # type: ignore[attr-defined]


def test_other_stages_are_other_rows() -> None:
    assert check_tiny.digest([], 128) != check_tiny.digest([], 256)


def test_mistakes_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_tiny.main(["--prompts", "0"]) == UsageError.exit_code
    assert capsys.readouterr().err == "check_tiny: --prompts: expected 1 or more; found 0\n"
