"""The table of parts: errors are those of the network, differences are paired, unknown parts are one line."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch
from rich.console import Console

from mov_ai.errors import UsageError
from mov_ai.models.ablation import without
from mov_ai.pipeline import MovAIPipeline
from studies.stages import ablation
from studies.stages.ablation import LEVELS, NOTHING, clean_error, usable
from studies.stages.clips import gold_clips


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def pipeline(tiny_pipeline_dir: Path) -> MovAIPipeline:
    return MovAIPipeline.from_pretrained(tiny_pipeline_dir, device="cpu")


def test_the_error_without_noise_is_nearly_none_and_repeats(pipeline: MovAIPipeline) -> None:
    clip = gold_clips(1, "validation", "plain")[0]
    nearly_clean, noisy = clean_error(pipeline, clip, [1e-3, 1.0])
    assert nearly_clean < 1e-4 < noisy
    assert clean_error(pipeline, clip, [1.0]) == [noisy]


def test_the_table_has_the_whole_network_first_and_changes_below(
    pipeline: MovAIPipeline, tiny_pipeline_dir: Path, tmp_path: Path
) -> None:
    console, out = Console(file=io.StringIO(), width=200), tmp_path / "parts.json"
    result = ablation.run(console, 1, str(tiny_pipeline_dir), parts=["spatial", "text"], device="cpu", out=out)
    assert json.loads(out.read_text()) == json.loads(json.dumps(result))
    assert [row["without"] for row in result["rows"]] == [NOTHING, "spatial", "text"]
    assert len(result["rows"][0]["errors"]) == len(LEVELS)
    assert result["rows"][0]["object_psnr"]["value"] > 1
    clip, own = gold_clips(1, "validation", "plain")[0], result["rows"][0]["errors"][0]["value"]
    with without(pipeline.cascade.denoisers, "spatial"):
        lost = clean_error(pipeline, clip, LEVELS)[0]
    assert result["rows"][1]["errors"][0]["value"] == pytest.approx(lost - own, abs=2e-4)
    assert "without" in console.file.getvalue()  # type: ignore[attr-defined]


def test_unknown_parts_are_refused(pipeline: MovAIPipeline, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="expected parts of"):
        usable(pipeline, ["colour"])
    assert usable(pipeline, ["cross", "gating"]) == ["cross", "gating"]
    assert ablation.main(["--clips", "0"]) == 2
    assert "ablation: --clips" in capsys.readouterr().err
