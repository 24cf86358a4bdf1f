"""The whole suite on stand-in networks: what is generated once, measured, and written."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from mov_ai.data.video import read_video
from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.result import Absent, MetricResult
from mov_ai.evaluation.report.results import CategoryScore, Results
from mov_ai.evaluation.report.terminal import tables
from mov_ai.evaluation.variants import Variant
from mov_ai.evaluation.video_run import jobs
from mov_ai.evaluation.video_suite import VideoSuite
from mov_ai.graph import Layout, SceneGraph
from tests.evaluation.metrics.videos import sprites
from tests.evaluation.stand_ins import (
    CATEGORIES,
    StandInBenchmark,
    StandInClip,
    StandInPipeline,
    networks,
    parts,
)

METRICS = {
    *(prefix + name for prefix in ("", "embedded_") for name in ("fvd", "fvd_infinity", "kvd", "jedi_style_mmd")),
    *("lpips", "embedded_lpips", "lpips_truth", "embedded_lpips_truth", "psnr", "ssim", "clipsim", "embedded_clipsim"),
    *("is", "embedded_is", "temporal_flickering", "motion_smoothness", "warping_error", "dynamic_degree"),
    "embedded_subject_consistency",
    *("object_psnr", "edge_gradient"),
}
PAIRS = {"psnr", "ssim", "embedded_lpips_truth", "object_psnr", "edge_gradient"}
NEEDS_WEIGHTS = {"fvd", "fvd_infinity", "kvd", "jedi_style_mmd", "lpips", "lpips_truth", "clipsim", "is"}


def quiet() -> Console:
    return Console(file=io.StringIO(), width=160)


def suite(folder: Path, **others: Any) -> VideoSuite:
    settings = {"num_videos": 4, "layout_videos": 2, "reference_videos": 24, "cache": str(folder / "cache")}
    return VideoSuite(**{**settings, **others})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StandInPipeline, Results]:
    """A run of four videos, two of them from their layouts too."""
    folder = tmp_path_factory.mktemp("suite")
    pipeline = StandInPipeline()
    results = suite(folder).evaluate(parts(pipeline), folder / "run", quiet())
    return folder, pipeline, results


def test_results_hold_every_metric_or_why_it_is_absent(whole: tuple[Path, StandInPipeline, Results]) -> None:
    folder, _, _ = whole
    found = json.loads((folder / "run/results.json").read_text(encoding="utf-8"))
    assert set(found["metrics"]) == METRICS
    for name in NEEDS_WEIGHTS:
        assert set(found["metrics"][name]) == {"absent"}
    assert found["metrics"]["fvd"] == {"absent": "no such file; mov-ai weights pull it"}
    for name in METRICS - NEEDS_WEIGHTS - {"embedded_fvd_infinity"}:
        entry = found["metrics"][name]
        assert {"value", "ci95", "n", "higher_is_better", "network", "weights", "settings", "notes"} <= set(entry), name
        assert {"definition", "range", "better", "seconds_per_64_videos", "parameters", "reference"} <= set(entry)
        assert entry["n"] == (2 if name in PAIRS else 4)
        assert entry["settings"] == {"frames": 12, "fps": 8.0, "resolution": "32x32", "codec": "none"}
        assert entry["parameters"]["prompts"] == found["compositional_depends_on"]["prompts"]
        assert name in PAIRS or "real" in entry
    assert "expected at least 20 videos" in found["metrics"]["embedded_fvd_infinity"]["absent"]
    assert found["metrics"]["embedded_fvd"]["reference"]["n"] == 24
    assert "4 generated videos for 25 features" in found["metrics"]["embedded_fvd"]["notes"][0]
    assert found["metrics"]["psnr"]["parameters"]["made from"] == "gold layout"
    assert {"machine", "time", "seed", "versions", "settings", "seconds", "peak_memory_mb"} <= set(found)


def test_good_videos_look_better_than_bad_ones(whole: tuple[Path, StandInPipeline, Results]) -> None:
    """From the text, the stand-in pipeline gives other videos than the truth's; from the layout, nearly the truth."""
    metrics = whole[2].metrics
    for name in ("embedded_fvd", "embedded_kvd"):
        figure = metrics[name]
        assert isinstance(figure.result, MetricResult)
        assert figure.real is not None
        assert figure.result.n == figure.real.n == 4
    psnr, flicker = metrics["psnr"].result, metrics["temporal_flickering"]
    assert isinstance(psnr, MetricResult)
    assert 32 < psnr.value < 36  # noise of 5 grey levels is 34 dB
    objects, edges = metrics["object_psnr"].result, metrics["edge_gradient"].result
    assert isinstance(objects, MetricResult)
    assert 32 < objects.value < 36
    assert isinstance(edges, MetricResult)
    assert edges.value > 1  # noise has gradients too
    assert isinstance(flicker.result, MetricResult)
    assert flicker.real is not None
    assert flicker.result.value < flicker.real.value
    assert metrics["embedded_clipsim"].permuted is not None


def test_categories_have_score_ceiling_and_absence(whole: tuple[Path, StandInPipeline, Results]) -> None:
    found = json.loads((whole[0] / "run/results.json").read_text(encoding="utf-8"))["compositional"]
    assert list(found) == list(CATEGORIES)
    for name in ("motion", "counts"):
        assert found[name]["score"] == 0
        assert found[name]["ceiling"] == 1
        assert found[name]["n"] == 2
        assert found[name]["ci95"] == [0, 0]
    assert found["order"] == {"absent": "no prompt of this run belongs to it; raise eval.num_videos"}


def test_report_files_are_there_and_videos_play(whole: tuple[Path, StandInPipeline, Results]) -> None:
    run = whole[0] / "run"
    assert {p.name for p in run.iterdir()} == {
        *("results.json", "results.csv", "report.md", "report.html", "clips", "sheets"),
        *("generated", "generated_from_gold_layout"),
    }
    rows = json.loads((run / "results.json").read_text(encoding="utf-8"))["videos"]
    assert [row["category"] for row in rows] == ["motion", "motion", "counts", "counts"]
    for row in rows:
        frames, fps = read_video(run / row["clip"])
        assert frames.shape == (12, 32, 32, 3)
        assert fps == 8
        assert (run / row["sheet"]).stat().st_size > 500
        assert row["checks"] == {"shows <it>": False}
        assert row["prompt"].startswith("prompt <")
    lines = list(csv.DictReader(io.StringIO((run / "results.csv").read_text(encoding="utf-8"))))
    assert {line["name"] for line in lines} == METRICS | set(CATEGORIES)
    assert all(None not in line and None not in line.values() for line in lines)
    assert "mov-ai weights pull it" in (run / "report.md").read_text(encoding="utf-8")


def test_the_checkpoints_own_guidance_is_what_a_run_says(tmp_path: Path) -> None:
    few = {"num_videos": 1, "layout_videos": 0, "reference_videos": 2}
    own = replace(parts(StandInPipeline()), guidance=(2.0, 3.0))
    for asked, said in (({}, "text 2, graph 3"), ({"guidance_text": 1.0}, "text 1, graph 3")):
        results = suite(tmp_path, **few, **asked).evaluate(own, tmp_path / said, quiet())
        assert results.settings["guidance"] == said


def test_nothing_is_generated_or_measured_twice(
    whole: tuple[Path, StandInPipeline, Results], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, first, results = whole
    assert len(first.made) == 6
    pipeline = StandInPipeline()
    (folder / "run/generated/motion-0.npz").unlink()
    (folder / "run/generated/counts-1.npz").write_bytes(b"cut off")
    console = quiet()
    again = suite(folder).evaluate(parts(pipeline), folder / "run", console)
    assert [text for text, _ in pipeline.made] == ["prompt <0> & ", "prompt <1> & x"]
    assert any("2 of 4 videos are there already" in line for line in again.notices)
    for name, figure in results.metrics.items():
        same = again.metrics[name]
        assert figure.result == same.result, name
        assert figure.real == same.real, name


@pytest.mark.parametrize(
    ("changes", "digest", "said"),
    [
        ({"seed": 1}, "d0", "seed: 0 then, 1000003 now"),
        ({"stage": 256}, "d0", "stage: 128 then, 256 now"),
        ({"guidance_text": 2.0}, "d0", "guidance: [1.0, 1.0] then, [2.0, 1.0] now"),
        ({}, "d1", "checkpoint: d0 then, d1 now"),
    ],
)
def test_videos_of_other_settings_are_made_again_and_it_is_said(
    tmp_path: Path, changes: dict[str, Any], digest: str, said: str
) -> None:
    few = {"num_videos": 1, "layout_videos": 0, "reference_videos": 2}
    suite(tmp_path, **few).evaluate(parts(StandInPipeline()), tmp_path / "run", quiet())
    pipeline = StandInPipeline()
    results = suite(tmp_path, **few, **changes).evaluate(parts(pipeline, digest=digest), tmp_path / "run", quiet())
    assert len(pipeline.made) == 1
    assert any("made with other settings are made again" in line and said in line for line in results.notices)
    assert results.metrics["psnr"].result == Absent(
        "no video was generated from the gold layout", "set eval.layout_videos above 0"
    )
    # One video bears no distance and no spread, and says so instead of failing.
    distance = results.metrics["embedded_fvd"].result
    assert isinstance(distance, Absent)
    assert "at least 2 videos, got 1" in distance.reason
    flicker = results.metrics["temporal_flickering"].result
    assert isinstance(flicker, MetricResult)
    assert flicker.ci95 is None
    assert "one video: no interval" in flicker.notes


def test_more_videos_than_prompts_are_other_takes(tmp_path: Path) -> None:
    listed = jobs(suite(tmp_path, num_videos=9), StandInBenchmark().prompts)
    assert [job.name for job in listed[3:6]] == ["counts-3", "motion-0-take2", "counts-1-take2"]
    assert len({(job.prompt.id, job.seed) for job in listed}) == 9
    others = jobs(suite(tmp_path, num_videos=9, seed=1), StandInBenchmark().prompts)
    assert not {(job.prompt.id, job.seed) for job in listed} & {(job.prompt.id, job.seed) for job in others}


def test_a_metric_that_fails_costs_no_other(tmp_path: Path) -> None:
    class Blind:
        network, weights = "blind", "none"

        def similarity(self, text: str, frames: np.ndarray, /) -> float:
            raise UsageError("the text is too long; shorten it")

    made = parts(StandInPipeline())
    made = replace(made, networks=networks(text_video=Blind()))
    few = suite(tmp_path, num_videos=1, layout_videos=0, reference_videos=2)
    results = few.evaluate(made, tmp_path / "run", quiet())
    assert results.metrics["embedded_clipsim"].result == Absent("motion-0: the text is too long", "shorten it")
    assert isinstance(results.metrics["warping_error"].result, MetricResult)


def test_tables_are_printed(whole: tuple[Path, StandInPipeline, Results], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _, _ = whole
    monkeypatch.setattr(VideoSuite, "_parts", lambda self: parts(StandInPipeline()))
    console = quiet()
    suite(folder).run(folder / "run", console)
    assert isinstance(console.file, io.StringIO)
    printed = console.file.getvalue()
    assert "FVD, embedded" in printed
    assert "Compositional benchmark" in printed
    assert "absent: fvd, fvd_infinity, kvd, jedi_style_mmd, lpips, is, lpips_truth: no such file; mov-ai" in printed
    assert "report.html" in printed


def test_rows_beside_the_score_are_made_once_and_differ_by_what_is_left_out(tmp_path: Path) -> None:
    class FromTruth(StandInPipeline):
        """What the gold layout would give, whatever it is given."""

        def __call__(self, prompt: str | SceneGraph, /, *, seed: int, layout: Layout | None = None) -> StandInClip:
            self.made.append((str(prompt), seed))
            return StandInClip(sprites(seed), SceneGraph(str(prompt), [], []), Layout(12))

    def load(variant: Variant) -> StandInPipeline:
        if variant.name == "no_cross":
            raise UsageError("no network has the part 'cross'; leave it out")
        return good if variant.name == "no_gating" else bad

    good, bad = FromTruth(), StandInPipeline()
    given = replace(parts(StandInPipeline()), load_variant=load)
    asked = {"rows": ["no_gating", "no_cross"], "guidances": [[2.0, 1.0]], "row_videos": 3}
    rows = suite(tmp_path, **asked, reference_videos=2)
    results = rows.evaluate(given, tmp_path / "run", quiet())
    assert [(row.title, row.score, row.n) for row in results.standing] == [
        ("as measured above", 0, 3),
        ("interval gating off", 1, 3),
        ("guidance text 2, graph 1", 0, 3),
    ]
    assert results.standing[1].difference == 1
    assert set(results.standing[1].categories.values()) == {1}
    assert set(results.standing[0].categories) == set(results.standing[1].categories)
    assert results.standing[2].guidance == (2.0, 1.0)
    assert "row no_cross is left out: no network has the part 'cross'; leave it out" in results.notices
    assert len(good.made) == len(bad.made) == 3
    document = json.loads((tmp_path / "run/results.json").read_text(encoding="utf-8"))
    assert document["standing"] == json.loads(json.dumps([row.to_json() for row in results.standing]))
    for file in ("report.md", "report.html"):
        text = (tmp_path / "run" / file).read_text(encoding="utf-8")
        assert "interval gating off" in text
        assert "Best guidance of 2" in text
    assert rows.evaluate(given, tmp_path / "run", quiet()).standing == results.standing
    assert len(good.made) == len(bad.made) == 3
    printed = quiet()
    for table in tables(results):
        printed.print(table)
    assert "With one thing left out" in printed.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "settings",
    [
        {"rows": ["no_attention"]},
        {"guidances": [[1.0]]},
        {"guidances": [[1.0, 31.0]]},
        {"row_videos": 0},
        {"num_videos": 0},
        {"num_videos": 2.5},
        {"layout_videos": -1},
        {"reference_videos": 1},
        {"stage": 64},
        {"steps": 0},
        {"lpips": "resnet"},
        {"flow": "farneback"},
        {"batch": 0},
        {"seed": True},
    ],
)
def test_bad_settings_are_refused_by_name(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"^{next(iter(settings))}: expected"):
        VideoSuite(**settings)


def test_scores_keep_their_range() -> None:
    assert CategoryScore(0.5, (0.25, 0.75), 8, 1.0, (0.9, 1.0)).to_json()["ci95"] == [0.25, 0.75]
