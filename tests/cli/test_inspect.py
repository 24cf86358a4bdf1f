"""`mov-ai inspect`: pages and maps of a run, and one clear line for what is no run."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mov_ai.data.video import read_video, write_video
from mov_ai.graph import SceneGraph
from mov_ai.pipeline import MovAIPipeline
from mov_ai.worlds.tabletop.world import caption_and_layout
from tests.cli.conftest import Command

HOSTILE = "<script>alert('&')</script>"


@pytest.fixture(scope="session")
def made(tiny_pipeline_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the first stage; a node's label tries to break out of the page."""
    _, caption, layout = caption_and_layout(3)
    graph = caption.graph
    colour = next(node for node in graph.of_type("attribute") if node.kind == "color")
    nodes = [replace(node, span=None) for node in graph.with_node(colour.id, label=HOSTILE).nodes]
    graph = SceneGraph(HOSTILE, nodes, graph.edges)
    pipeline = MovAIPipeline.from_pretrained(tiny_pipeline_dir, "cpu")
    result = pipeline(graph, seed=4, layout=layout, stages=128, guidance_text=2.0)
    return result.save(tmp_path_factory.mktemp("runs") / "made")


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy of the run, which a test may spoil."""
    return Path(shutil.copytree(made, tmp_path / "run"))


@pytest.fixture(scope="session")
def elsewhere(tiny_pipeline_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pipeline with other weights, as after more training."""
    pipeline = MovAIPipeline.from_pretrained(tiny_pipeline_dir, "cpu")
    torch.manual_seed(5)
    for parameter in pipeline.cascade.denoisers.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.1)
    folder = tmp_path_factory.mktemp("pipeline") / "other"
    pipeline.save_pretrained(folder)
    return folder


def test_attention_becomes_a_page_and_maps(command: Command, run: Path) -> None:
    result = command("inspect", "attention", run, "--device", "cpu")
    assert result.code == 0, result.err
    assert result.out.splitlines()[-1].endswith("attention.html and attention.npz")
    graph = SceneGraph.load(run / "graph.json")
    with np.load(run / "attention.npz", allow_pickle=False) as maps:
        context = len(maps["names"])
        assert maps["maps"].shape == maps["coverage"].shape == (context, 16, 8, 8)
        np.testing.assert_allclose(maps["maps"].sum(0), 1, atol=1e-5)
        assert maps["by_block"].shape == (1, context)
        np.testing.assert_allclose(maps["by_block"].sum(1), 1, atol=1e-5)
        assert list(maps["nodes"][-len(graph.nodes) :]) == [node.id for node in graph.nodes]
        assert list(maps["kinds"][: -len(graph.nodes)]) == ["null"] + ["text"] * (context - len(graph.nodes) - 1)
        assert list(maps["names"][1:5]) == ["<", "script", ">", "alert"]
        assert list(maps["steps"]) == [1, 2]
        settings = json.loads(str(maps["settings"]))
        assert (settings["seed"], settings["prompt"]) == (4, HOSTILE)


def test_page_stands_alone_and_is_escaped(command: Command, run: Path) -> None:
    assert command("inspect", "attention", run, "--device", "cpu", "--out", "looked.html").code == 0
    page = Path("looked.html").read_text(encoding="utf-8")
    assert Path("looked.npz").is_file()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("<figure>") == page.count("data:image/jpeg;base64,")
    # A colour that holds for half of the clip has a bar of half the width.
    assert 'style="left:0.00%;right:0.00%"' in page


def test_figures_as_json(command: Command, run: Path) -> None:
    result = command("inspect", "attention", run, "--device", "cpu", "--json", "--step", "2", "--block", "1")
    assert result.code == 0, result.err
    rows = json.loads(result.out)
    assert sum(row["attention"] for row in rows) == pytest.approx(1, abs=1e-3)
    assert {row["kind"] for row in rows} >= {"null", "text", "scene", "entity", "attribute"}
    for row in rows:
        assert 0 <= row["in_interval"] <= 1
        assert (row["in_boxes"] is None) == (row["kind"] in ("null", "text", "scene"))


def test_other_weights_are_said(command: Command, run: Path, elsewhere: Path) -> None:
    result = command("inspect", "attention", run, "--device", "cpu", "--checkpoint", elsewhere)
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert "the weights of small have changed since" in result.err
    assert not (run / "attention.html").exists()


def test_no_cross_attention_is_said(command: Command, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MovAIPipeline, "from_pretrained", lambda *_: _Blind())
    result = command("inspect", "attention", run, "--device", "cpu")
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert "its denoiser (Identity) has no cross-attention" in result.err


class _Blind:
    """A pipeline whose denoiser looks nowhere."""

    name = "blind"

    class cascade:
        """As much of a cascade as is asked for."""

        class config:
            """As much of its config."""

            first_stage = 0

        @staticmethod
        def denoiser(_: int) -> torch.nn.Module:
            return torch.nn.Identity()


@pytest.fixture
def two_stages(run: Path) -> Path:
    """The run as if a stage of 256 had followed, which only enlarges."""
    frames, fps = read_video(run / "video.mp4")
    write_video(run / "stages" / "128.mp4", frames, fps)
    write_video(run / "video.mp4", frames.repeat(2, 1).repeat(2, 2), fps)
    record = json.loads((run / "run.json").read_text())
    seconds = {**record["seconds"], "256": 2.5}
    (run / "run.json").write_text(json.dumps({**record, "stages": [128, 256], "seconds": seconds}))
    return run


def test_stages_become_a_page(command: Command, two_stages: Path) -> None:
    result = command("inspect", "stages", two_stages)
    assert result.code == 0, result.err
    assert result.out.splitlines()[-1] == f"wrote {two_stages / 'stages.html'}"
    page = (two_stages / "stages.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "256x256" in page
    # A cut-out and four frames of both stages, and one difference.
    assert page.count("data:image/jpeg;base64,") == 2 * 5 + 1
    rows = json.loads(command("inspect", "stages", two_stages, "--json", "--out", "page.html").out)
    assert [(row["size"], row["height"], row["to_previous"] is None) for row in rows] == [
        (128, 128, True),
        (256, 256, False),
    ]
    assert rows[1]["seconds"] == 2.5
    assert rows[1]["sharpness"] > 1
    assert Path("page.html").is_file()


def test_a_missing_stage_is_one_line(command: Command, two_stages: Path) -> None:
    (two_stages / "stages" / "128.mp4").unlink()
    result = command("inspect", "stages", two_stages)
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert "128.mp4" in result.err


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["empty"], "empty: expected an output folder of `mov-ai generate`, with graph.json"),
        (["run", "--block", "2"], "--block: expected one of 1; found 2"),
        (["run", "--step", "3"], "--step: expected one of 1, 2; found 3"),
        (["run", "--out", "picture.png"], "--out: picture.png: expected the name of a page"),
        (["run", "--checkpoint", "nothing"], "expected 'tiny' or a folder with pipeline.json"),
        (["broken"], "run.json: config.steps: not as `mov-ai generate` writes it"),
        (["moved"], "say where it is with --checkpoint"),
    ],
)
def test_mistakes_are_one_line(command: Command, run: Path, arguments: list[str], fault: str) -> None:
    Path("empty").mkdir()
    record = json.loads((run / "run.json").read_text())
    for name, change in (("broken", {"config": {**record["config"], "steps": "many"}}), ("moved", {"checkpoint": "x"})):
        shutil.copytree(run, name)
        Path(name, "run.json").write_text(json.dumps({**record, **change}))
    result = command("inspect", "attention", *arguments, "--device", "cpu")
    assert (result.code, len(result.err.splitlines())) == (2, 1), result.err
    assert fault in result.err
