"""The table of stages: a perfect video has perfect figures, rows are complete, bad options are one line."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from mov_ai.errors import UsageError
from mov_ai.evaluation.enlarging import enlarged
from mov_ai.worlds.tabletop.variation import PLAIN
from mov_ai.worlds.tabletop.world import sample_clip
from studies.stages import measure
from studies.stages.clips import gold_clips, named_variation
from studies.stages.figures import Figures, figures, means
from studies.stages.measure import CODEC, ENLARGED, STAGE, summary


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_clips_are_those_of_the_split_with_complete_graphs_and_boxes() -> None:
    clips = gold_clips(2, "validation", "plain")
    assert [clip.seed for clip in clips] == [0, 1]
    for clip in clips:
        video, masks = clip.render(64)
        assert np.array_equal(video, sample_clip(clip.seed, "validation", 64).video.numpy())
        assert masks.max() == len(clip.layout.tracks)
        colors = [node for node in clip.graph.of_type("attribute") if node.kind == "color"]
        assert len(colors) >= len(clip.graph.of_type("entity"))


def test_varied_clips_are_those_that_training_on_varied_data_sees() -> None:
    assert named_variation("plain") == PLAIN
    varied = named_variation("varied")
    assert varied.interactions > 0
    assert varied.soft_shadows
    assert gold_clips(1, "validation", "varied")[0].variation == varied


def test_figures_of_the_truth_are_perfect_and_an_enlarged_video_is_soft() -> None:
    clip = gold_clips(1, "validation", "plain")[0]
    small, large = clip.render(64), clip.render(128)
    perfect = figures(large[0], *large)
    assert perfect == Figures(object_psnr=100.0, frame_psnr=100.0, edge_gradient=1.0, flicker=0.0)
    soft = figures(enlarged(small[0], 128, 128), *large)
    assert soft.object_psnr < soft.frame_psnr < 60
    assert soft.edge_gradient < 0.9


def test_a_clip_without_still_floor_has_no_share_in_the_flicker() -> None:
    rows = [Figures(20, 30, 0.8, 0.4), Figures(22, 30, 0.9, None)]
    codec = [Figures(40, 50, 1.0, 0.1), Figures(40, 50, 1.0, None)]
    result = means(rows, codec)
    assert result["object_psnr"].value == 21
    assert result["flicker"].value == 0.4
    assert result["flicker_to_codec"].value == pytest.approx(4)
    assert "flicker" not in means(rows[1:], codec[1:])
    assert "flicker_to_codec" not in means(rows, [Figures(40, 50, 1.0, 0.0)] * 2)


def test_the_study_has_a_row_for_each_size_and_kind(tiny_pipeline_dir: Path, tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=200)
    out = tmp_path / "stages.json"
    result = measure.run(console, 2, str(tiny_pipeline_dir), stage=256, device="cpu", out=out)
    assert json.loads(out.read_text()) == json.loads(json.dumps(result))
    assert [(row["size"], row["row"]) for row in result["rows"]] == [
        *((128, STAGE), (128, CODEC)),
        *((256, STAGE), (256, ENLARGED), (256, CODEC)),
    ]
    later = result["rows"][2]
    assert later["gain"]["value"] == pytest.approx(
        later["object_psnr"]["value"] - result["rows"][3]["object_psnr"]["value"], abs=2e-4
    )
    assert later["object_psnr"]["ci95"][0] <= later["object_psnr"]["value"] <= later["object_psnr"]["ci95"][1]
    # Networks without training make noise of one kind; what is measured is that the codec's row is its own measure.
    assert result["rows"][4]["flicker_to_codec"]["value"] == 1
    assert "first stage enlarged" in console.file.getvalue()  # type: ignore[attr-defined]


def test_one_clip_has_figures_without_intervals() -> None:
    measured = measure.Measured()
    video, masks = gold_clips(1, "validation", "plain")[0].render(64)
    for kind in (STAGE, CODEC):
        measured.add(64, kind, video, (video, masks))
    measured.seconds["64"] = [1.5]
    row = summary(measured)[0]
    assert row["seconds"].value == 1.5
    assert row["object_psnr"].interval is None


def test_bad_options_are_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for clips, split, variation, message in (
        (0, "validation", "plain", "--clips: expected 1 or more"),
        (1, "valid", "plain", "--split: expected one of train, validation, test"),
        (1, "test", "wild", "--variation: expected one of plain, varied"),
    ):
        with pytest.raises(UsageError, match=message):
            gold_clips(clips, split, variation)
    assert measure.main(["--checkpoint", "nowhere", "--clips", "1"]) == 2
    assert capsys.readouterr().err.startswith("stages: checkpoint: nowhere")
