"""Training and sampling on another device than the CPU: nothing that stays on the CPU meets what is on the device."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import accelerate
import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mov_ai.graph import SceneGraph
from mov_ai.graph.video_shape import VideoShape
from mov_ai.models.codec import AnyCodec, CodecConfig
from mov_ai.models.codec_registry import save_codec
from mov_ai.models.component import save_component
from mov_ai.models.denoiser import DenoiserConfig
from mov_ai.models.graph_encoder import GraphEncoderConfig
from mov_ai.models.metric_networks.checker import CheckerConfig
from mov_ai.models.metric_networks.recognition import RecognitionConfig
from mov_ai.models.metric_networks.text_video import TextVideoConfig
from mov_ai.models.planner import PlannerConfig
from mov_ai.models.refiner import RefinerConfig
from mov_ai.models.temporal_decoder import TemporalDecoderConfig, TemporalParts
from mov_ai.models.text_to_image import TextToImage
from mov_ai.pipeline import MovAIPipeline
from mov_ai.result import SavedLatents
from mov_ai.training import latents, planner_scenes
from mov_ai.training.checkpoint import checkpoint_folder, load_checkpoint
from mov_ai.training.latents import TabletopClips
from mov_ai.training.loop import Trainer
from mov_ai.training.objective import Objective
from mov_ai.training.objectives import codec as codec_training
from mov_ai.training.objectives.codec import CodecObjective
from mov_ai.training.objectives.debug import DebugObjective
from mov_ai.training.objectives.denoiser import DenoiserObjective
from mov_ai.training.objectives.image_model import ImageModelObjective
from mov_ai.training.objectives.interpolation import InterpolationObjective
from mov_ai.training.objectives.parser import ParserObjective
from mov_ai.training.objectives.planner import PlannerObjective
from mov_ai.training.objectives.temporal_decoder import TemporalDecoderObjective
from mov_ai.training.settings import TrainerConfig
from mov_ai.worlds.tabletop import render as renderer
from tests.models.builders import CAPTION, LABELS, ball_and_cube
from tests.models.metric_networks.small import BACKBONE
from tests.models.test_codec import small_codec
from tests.pretended_device import pretended_device
from tests.training.objectives.here_pool import HerePool
from tests.training.objectives.test_image_model_objective import TINY, Two
from tests.training.objectives.test_interpolation_objective import SMALL, MovingBar
from tests.training.objectives.test_parser import CAPTIONS
from tests.training.objectives.test_temporal_decoder_objective import SIZES, Numbered
from tools.metrics.training import checker as checker_training
from tools.metrics.training import text_video as text_training
from tools.metrics.training.checker import CheckerObjective
from tools.metrics.training.recognition import RecognitionObjective
from tools.metrics.training.text_video import TextVideoObjective

# torch counts the devices that there are when it first computes a gradient.
pytestmark = pytest.mark.own_process

#: At its end a run validates, draws and exports.
SHORT: dict[str, Any] = {"max_steps": 2, "warmup_steps": 0, "ema_decay": 0.9, "threads": 1, "log_every": 1}


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    """The pretended device, on which accelerate trains and pipelines run."""
    with pretended_device() as device:
        monkeypatch.setattr(accelerate.Accelerator, "device", device)
        monkeypatch.setattr("mov_ai.pipeline.choose_device", lambda name: device)
        yield device


def _trained(objective: Objective, folder: Path, **changes: Any) -> dict[str, Any]:
    result = Trainer(objective, TrainerConfig(**{**SHORT, **changes}), folder).run()
    parameter = next(objective.module().parameters())
    assert parameter.device.type == "pretended"
    return result


def test_a_run_on_the_device_learns_what_one_on_the_cpu_learns(
    device: torch.device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _trained(DebugObjective(), tmp_path / "there")
    _trained(DebugObjective(), tmp_path / "there", max_steps=4)
    monkeypatch.undo()
    for steps in (2, 4):
        Trainer(DebugObjective(), TrainerConfig(**{**SHORT, "max_steps": steps}), tmp_path / "here").run()
    here, there = (load_checkpoint(checkpoint_folder(tmp_path / name / "checkpoints", 4)) for name in ("here", "there"))
    for group, tensors in here.tensors.items():
        for name, tensor in tensors.items():
            assert_close(there.tensors[group][name], tensor, msg=f"{group}: {name}")


def _small_render(scene: Any, height: int, width: int, *crop: Any, **more: Any) -> Any:
    """Windows as they are; the whole clips of validation and export in two small frames."""
    if crop:
        return renderer.render(scene, height, width, *crop, **more)
    return renderer.render(scene, 32, 32, frames=np.array([0, 8]))


def test_a_codec_is_trained_on_the_device(
    device: torch.device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codec_training, "render", _small_render)
    model = CodecConfig(widths=(8, 8, 8), blocks=(1, 1, 1))
    small = {"batch_size": 2, "scenes": 2, "window": 32, "frames": 2, "validation_clips": 1, "spread_clips": 2}
    result = _trained(CodecObjective(model=model, **small), tmp_path)
    assert set(result["validation"]) == {"psnr_128", "psnr_256"}
    assert (tmp_path / "sheets" / "step_00000002.png").exists()


class _ReadsOneGraph:
    """A parser that is made at once."""

    def parse_batch(self, texts: list[str]) -> list[SceneGraph]:
        return [ball_and_cube() for _ in texts]


@pytest.mark.parametrize("refines", [False, True], ids=["denoiser", "refiner"])
def test_a_denoiser_is_trained_on_the_device(
    refines: bool, device: torch.device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latents, "CHUNK", 2)
    monkeypatch.setattr(latents, "ProcessPoolExecutor", HerePool)
    save_component(small_codec(), tmp_path / "codec")
    graph = GraphEncoderConfig(16, 1, 2)
    sizes: dict[str, Any] = {"stages": (32, 64), "frames": 2, "labels": LABELS, "latent_channels": 4}
    model: Any = DenoiserConfig(dim=16, heads=2, depth=1, stem=8, stem_blocks=1, graph_encoder=graph, **sizes)
    if refines:
        model = RefinerConfig(widths=(8, 12), blocks=(1, 1), dim=8, **sizes)
    shares = (0.0, 1.0) if refines else (0.5, 0.5)
    data = TabletopClips(str(tmp_path / "cache"), clips=2, late=1.0, validation_clips=1)
    monkeypatch.setattr("mov_ai.parser.parser.SceneGraphParser.from_pretrained", lambda: _ReadsOneGraph())
    objective = DenoiserObjective(
        batch_size=2,
        codec=str(tmp_path / "codec"),
        data=data,
        stage_shares=shares,
        model=model,
        prompts=[CAPTION],
        recognizer_clips=4,
    )
    result = _trained(objective, tmp_path / "run")
    assert {"denoise_1", "temporal_1", "semantic_1", "perceptual_1"} <= set(result["validation"])


@pytest.mark.parametrize("drop", [0.0, 1.0], ids=["keyframes", "alone"])
def test_an_interpolation_network_is_trained_on_the_device(drop: float, device: torch.device, tmp_path: Path) -> None:
    save_component(small_codec(), tmp_path / "codec")
    source = str(tmp_path / "codec")
    # Errors of decoded frames are of samples at time 1 whose keyframes are as they are.
    shares: dict[str, Any] = {"drop": drop, "clean": 1 - drop, "noise_only": 1.0, "augment": 0.5, "pixels": 1.0}
    objective = InterpolationObjective(source, MovingBar(), batch_size=2, model=SMALL, keyframes=3, **shares)
    result = _trained(objective, tmp_path / "run")
    assert set(result["validation"]) == {"one_8", "four_8"}


@pytest.mark.parametrize("tuned", ["decoder", "temporal"])
def test_a_temporal_decoder_is_trained_on_the_device(tuned: str, device: torch.device, tmp_path: Path) -> None:
    save_codec(small_codec(), tmp_path / "codec")
    clips = Numbered(32, 4, str(tmp_path / "cache"))
    parts = TemporalParts("none" if tuned == "decoder" else "convolution")
    model = TemporalDecoderConfig(**SIZES, parts=parts)
    source = str(tmp_path / "codec")
    objective = TemporalDecoderObjective(clips, source, batch_size=2, model=model, tuned=tuned, frames=2, window=16)
    assert set(_trained(objective, tmp_path / "run")["validation"]) == {"psnr"}
    assert (tmp_path / "run" / "sheets" / "step_00000002.png").exists()


def test_an_image_model_is_trained_on_the_device(
    device: torch.device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = TextToImage.save

    def save_from_the_cpu(model: TextToImage, directory: Path, codec: AnyCodec) -> None:
        # transformers asks where in memory tensors are, which those of the pretended device do not know.
        copy = TextToImage(TINY, model.tokenizer, codec.config.latent_channels, 4)
        copy.load_state_dict({name: tensor.cpu() for name, tensor in model.state_dict().items()})
        save(copy, directory, codec)

    monkeypatch.setattr(TextToImage, "save", save_from_the_cpu)
    save_codec(small_codec(), tmp_path / "codec")
    sizes: dict[str, Any] = {"size": 32, "frames": 3, "model": TINY}
    objective = ImageModelObjective(batch_size=2, codec=str(tmp_path / "codec"), data=Two(), **sizes)
    assert set(_trained(objective, tmp_path / "run")["validation"]) == {"denoise"}
    assert (tmp_path / "run" / "sheets" / "step_00000002.png").exists()


def test_a_planner_is_trained_on_the_device(
    device: torch.device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner_scenes, "CHUNK", 4)
    counts = {"scenes": 4, "validation_scenes": 2, "test_scenes": 2}
    model = PlannerConfig(dim=16, layers=1, heads=2, expansion=1, labels=LABELS)
    result = _trained(PlannerObjective(batch_size=4, cache=str(tmp_path / "pool"), model=model, **counts), tmp_path)
    assert "one_events" in result["validation"]


def test_a_parser_is_trained_on_the_device_by_teachers(
    device: torch.device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part, times in (("train", 4), ("dev", 1)):
        path = tmp_path / "data" / "factual" / "random" / f"{part}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            rows = [(1, number, *caption) for number, caption in enumerate(CAPTIONS * times)]
            csv.writer(file).writerows([("image_id", "region_id", "caption", "scene_graph"), *rows])
    monkeypatch.setenv("MOV_AI_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MOV_AI_CACHE", str(tmp_path / "cache"))
    network = {"dim": 16, "heads": 2, "embedding": 8, "hidden": 16, "pair_dim": 8, "layers": 2}
    settings: dict[str, Any] = {"batch_size": 4, "captions": 6, "validation": 1, "network": network}
    _trained(ParserObjective(**settings), tmp_path / "teacher", max_steps=1)
    others = [str(tmp_path / "teacher" / "export")]
    result = _trained(ParserObjective(**settings, teachers=others, partners=others), tmp_path / "student")
    assert result["loss"] > 0


def test_the_networks_of_metrics_are_trained_on_the_device(
    device: torch.device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_training, "RETRIEVED_FROM", 2)
    monkeypatch.setattr(text_training, "FRAME_COUNTS", (8, 8, 8))
    drawn = checker_training._draw
    monkeypatch.setattr(checker_training, "range", lambda *bounds: range(min(*bounds, 2)), raising=False)
    # Of two frames no figure is sure enough to be written down.
    monkeypatch.setattr(checker_training, "_card", lambda *_: "")
    monkeypatch.setattr(checker_training, "_draw", lambda index, count, fine, place: drawn(index, 1, 0.0, place))
    some: dict[str, Any] = {"batch_size": 2, "clips": 2, "validation_clips": 2, "cache": str(tmp_path / "cache")}
    text = TextVideoConfig(backbone=BACKBONE, dim=16, text_width=32, text_layers=1)
    for number, objective in enumerate(
        (
            CheckerObjective(batch_size=2, scenes=2, frames=1, model=CheckerConfig(widths=(8, 8, 8, 8))),
            RecognitionObjective(model=RecognitionConfig(backbone=BACKBONE), **some),
            TextVideoObjective(model=text, **some),
        )
    ):
        assert _trained(objective, tmp_path / str(number), max_steps=1)["validation"]


def test_a_pipeline_makes_the_video_that_the_cpu_makes(
    tiny_pipeline_dir: Path, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"shape": VideoShape(2, height=256, width=256), "steps": 2, "guidance_text": 2.0}
    there = MovAIPipeline.from_pretrained(tiny_pipeline_dir)
    assert next(there.cascade.parameters()).device == device
    made = there(ball_and_cube(), **asked)
    again = there(ball_and_cube(), resume=SavedLatents({128: made.latents[128]}, made.graph, made.layout, 0), **asked)
    monkeypatch.undo()
    expected = MovAIPipeline.from_pretrained(tiny_pipeline_dir, device="cpu")(ball_and_cube(), **asked)
    assert set(expected.stages) == set(made.stages) == {128, 256}
    for size, frames in expected.stages.items():
        for other in (made.stages[size], again.stages[size]):
            assert np.abs(other.astype(int) - frames.astype(int)).max() <= 1
