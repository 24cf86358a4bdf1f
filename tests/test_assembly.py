"""Trained networks become a pipeline, or nothing is written."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from mov_ai.assembly import assemble
from mov_ai.diffusion.sampling import Guidance
from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph import VideoShape
from mov_ai.labels.coverage import LabelCoverage
from mov_ai.models.cascade import CASCADE_FILE
from mov_ai.models.codec import CodecConfig, VideoCodec
from mov_ai.models.component import save_component
from mov_ai.models.trained_on import TRAINED_ON_FILE, TrainedOn
from mov_ai.pipeline import MovAIPipeline
from tests.cli.conftest import Command, command  # noqa: F401
from tests.models.builders import small_refiner


@pytest.fixture
def runs(tiny_pipeline_dir: Path, tmp_path: Path) -> Path:
    """Folders as trainings export them: codec, a denoiser with its sampling and its labels, planner."""
    for part in ("codec", "planner"):
        shutil.copytree(tiny_pipeline_dir / part, tmp_path / "runs" / part)
    shutil.copytree(tiny_pipeline_dir / "denoiser", tmp_path / "runs" / "denoiser" / "export")
    export = tmp_path / "runs" / "denoiser" / "export"
    (export / CASCADE_FILE).write_text(json.dumps({"last": 256, "steps": [3, 2, 1]}))
    LabelCoverage({"entity": Counter(ball=3)}).save(export)
    return tmp_path / "runs"


def test_networks_become_a_pipeline_that_loads(runs: Path, tmp_path: Path) -> None:
    made = assemble(runs / "codec", runs / "denoiser", tmp_path / "mine", runs / "planner", "tabletop")
    read = MovAIPipeline.from_pretrained(tmp_path / "mine", "cpu")
    assert read.shape == made.shape == VideoShape(16, 8.0, 256, 256)
    assert read.cascade.config == made.cascade.config
    assert read.cascade.config.steps == (3, 2, 1)
    assert read.name == "mine"
    assert read.world is not None
    assert read.coverage is not None
    assert read.coverage.counts["entity"]["ball"] == 3
    assert read.cascade.codec.config == made.cascade.codec.config


def test_a_pipeline_needs_neither_planner_nor_world(runs: Path, tmp_path: Path) -> None:
    assemble(runs / "codec", runs / "denoiser", tmp_path / "mine", frames=24)
    read = MovAIPipeline.from_pretrained(tmp_path / "mine", "cpu")
    assert (read.planner, read.world, read.shape.frames) == (None, None, 24)


def test_what_the_denoiser_was_trained_on_decides_what_is_not_said(runs: Path, tmp_path: Path) -> None:
    TrainedOn(VideoShape(12, 15.0, 144, 256), "tabletop").save(runs / "denoiser" / "export")
    made = assemble(runs / "codec", runs / "denoiser", tmp_path / "mine")
    assert made.shape == VideoShape(12, 15.0, 144, 256)
    assert made.world is not None
    assert assemble(runs / "codec", runs / "denoiser", tmp_path / "bare", world="none").world is None
    (runs / "denoiser" / "export" / TRAINED_ON_FILE).write_text('{"shape": {"frames": "many"}, "world": null}')
    with pytest.raises(UsageError, match=TRAINED_ON_FILE):
        assemble(runs / "codec", runs / "denoiser", tmp_path / "other")


def other_channels(runs: Path) -> None:
    save_component(VideoCodec(CodecConfig(4, (16, 16, 8), (1, 1, 1), mean=(0.0,) * 4, std=(1.0,) * 4)), runs / "codec")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (other_channels, "denoiser/export: expected latents of 4 channels"),
        (lambda runs: shutil.rmtree(runs / "planner"), "planner: expected a folder"),
        (lambda runs: shutil.copytree(runs / "codec", runs / "planner", dirs_exist_ok=True), "planner/config.json"),
        (lambda runs: (runs / "denoiser/export" / CASCADE_FILE).write_text("{}}"), CASCADE_FILE),
        (lambda runs: (runs / "denoiser/export" / CASCADE_FILE).write_text('{"steps": [1]}'), CASCADE_FILE),
        (
            lambda runs: (runs / "denoiser/export" / CASCADE_FILE).write_text('{"networks": "separate"}'),
            "networks: expected 'shared', as one denoiser is given; found 'separate'",
        ),
        (
            lambda runs: (runs / "codec/model.safetensors").write_bytes(b"1234567890123456789"),
            "codec/model.safetensors",
        ),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(runs: Path, tmp_path: Path, spoil, message: str) -> None:  # type: ignore[no-untyped-def]
    spoil(runs)
    with pytest.raises(MovAIError) as caught:
        assemble(runs / "codec", runs / "denoiser", tmp_path / "mine", runs / "planner")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "mine").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_a_folder_that_holds_files_is_kept(runs: Path) -> None:
    with pytest.raises(UsageError, match="new or an empty folder"):
        assemble(runs / "codec", runs / "denoiser", runs)


def test_the_command_says_what_it_made(command: Command, runs: Path) -> None:  # noqa: F811
    parts = ["--codec", runs / "codec", "--denoiser", runs / "denoiser", "--planner", runs / "planner"]
    result = command("assemble", *parts, "--out", "mine")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("wrote mine: 16 frames of 256x256 at 8 fps, stages 128, 256\n")
    again = command("assemble", *parts, "--out", "mine")
    assert (again.code, "holds files" in again.err) == (2, True)
    unknown = command("assemble", *parts, "--world", "moon", "--out", "other")
    assert (unknown.code, "world: expected one of tabletop" in unknown.err) == (2, True)
    assert not Path("other").exists()


# -- with a refiner ----------------------------------------------------------------------------------------------------


@pytest.fixture
def refiner(runs: Path) -> Path:
    """A refiner as its training exports it, beside the other networks."""
    export = runs / "refiner" / "export"
    codec = json.loads((runs / "codec" / "config.json").read_text())["config"]
    network = small_refiner(latent_channels=codec["latent_channels"])
    save_component(network, export)
    TrainedOn(VideoShape(16, 8.0, 512, 512), "tabletop").save(export)
    (export / CASCADE_FILE).write_text(json.dumps({"networks": "refined", "steps": [2, 1, 1], "guidance": 5}))
    return runs / "refiner"


def test_a_refiner_makes_the_later_stages(runs: Path, refiner: Path, tmp_path: Path) -> None:
    (runs / "denoiser/export" / CASCADE_FILE).write_text(
        json.dumps({"last": 128, "guidance": 3, "default_guidance": [2, 1.5]})
    )
    assemble(runs / "codec", runs / "denoiser", tmp_path / "mine", refiner=refiner)
    read = MovAIPipeline.from_pretrained(tmp_path / "mine", "cpu")
    assert read.shape == VideoShape(16, 8.0, 512, 512)
    assert [type(network).__name__ for network in read.cascade.denoisers] == ["TSAMDenoiser", "VideoRefiner"]
    # What either was not trained for is not done.
    assert read.cascade.config.guidance == 3
    # The first stage's network is the one that is guided.
    assert read.guidance() == Guidance(2.0, 1.5)
    assert (tmp_path / "mine" / "refiner" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("denoiser", "own", "message"),
    [
        ({"shared_noise": 0.2}, {}, "shared_noise: expected 0.5, as the refiner was trained with; found 0.2"),
        ({"first": 256}, {}, "first: expected 128, as the refiner was trained with; found 256"),
        ({}, {"networks": "shared"}, "networks: expected 'refined', as a refiner is given; found 'shared'"),
        ({"guidance": 0.5}, {}, "guidance: expected a number from 1 to 100"),
    ],
)
def test_stages_that_were_trained_on_other_noise_are_not_joined(
    runs: Path, refiner: Path, tmp_path: Path, denoiser: dict, own: dict, message: str
) -> None:
    (runs / "denoiser/export" / CASCADE_FILE).write_text(json.dumps(denoiser))
    (refiner / "export" / CASCADE_FILE).write_text(json.dumps({"networks": "refined", **own}))
    with pytest.raises(UsageError, match=message):
        assemble(runs / "codec", runs / "denoiser", tmp_path / "mine", refiner=refiner)
    assert not (tmp_path / "mine").exists()


def test_a_refiner_is_no_first_stage(runs: Path, refiner: Path, tmp_path: Path) -> None:
    (refiner / "export" / CASCADE_FILE).write_text("{}")
    with pytest.raises(UsageError, match="a refiner cannot make the first stage"):
        assemble(runs / "codec", refiner, tmp_path / "mine")
