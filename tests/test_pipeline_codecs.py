"""Pipelines on other codecs, end to end: assembled, saved, read and called, with and without boxes."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from mov_ai.assembly import assemble
from mov_ai.data.video import read_video
from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph import Layout, VideoShape
from mov_ai.models.cascade import CASCADE_FILE, CascadeConfig
from mov_ai.models.codec_registry import save_codec
from mov_ai.models.component import save_component
from mov_ai.models.temporal_codec import TemporalCodec
from mov_ai.models.temporal_decoder import TemporalDecoder, TemporalDecoderConfig, TemporalParts
from mov_ai.pipeline import MovAIPipeline
from mov_ai.pipeline_files import PIPELINE_FILE
from mov_ai.result import load_latents, save_latents
from tests.cli.conftest import Command, command  # noqa: F401
from tests.models.builders import ball_and_cube, small_denoiser, still_layout
from tests.models.test_codec import small_codec
from tests.models.test_diffusers_codec import saved
from tests.models.test_taef2 import random_taef2, write_published

GRAPH = ball_and_cube()
BOXES: list[tuple[float, ...]] = [(0.3, 0.5, 0.3, 0.4, 4.0, 1.0), (0.7, 0.5, 0.3, 0.4, 5.0, 1.0)]


def denoiser(folder: Path, channels: int = 4, stages: tuple[int, ...] = (32, 64)) -> Path:
    """A denoiser as a training exports it, with one step a stage."""
    network = small_denoiser(latent_channels=channels, dim=16, depth=1, stages=stages)
    save_component(network, folder)
    config = CascadeConfig((1,) * len(stages), (1.0,) * len(stages), stages=stages, first=stages[0], last=stages[-1])
    (folder / CASCADE_FILE).write_text(json.dumps(asdict(config)))
    return folder


def assembled(folder: Path, name: str) -> Path:
    assemble(saved(folder / "codec", name), denoiser(folder / "denoiser"), folder / "made")
    return folder / "made"


@pytest.mark.parametrize(
    ("name", "frames", "latent_frames"),
    [
        ("AutoencoderKLCogVideoX", 17, 5),
        ("AutoencoderKLCogVideoX", 16, 5),
        ("AutoencoderKLWan", 6, 3),
        ("AutoencoderKLWan", 1, 1),
        ("AutoencoderTiny", 3, 3),
    ],
)
def test_videos_have_the_frames_that_are_asked_for_whatever_the_codec(
    name: str, frames: int, latent_frames: int, tmp_path: Path
) -> None:
    pipe = MovAIPipeline.from_pretrained(assembled(tmp_path, name), device="cpu")
    shape = VideoShape(frames, height=32, width=64)
    videos = [pipe(GRAPH, shape=shape, layout=layout) for layout in (None, still_layout(GRAPH, BOXES, frames))]
    for video in videos:
        assert {size: stage.shape for size, stage in video.stages.items()} == {
            32: (frames, 16, 32, 3),
            64: (frames, 32, 64, 3),
        }
        assert {size: tuple(latents.shape) for size, latents in video.latents.items()} == {
            32: (1, latent_frames, 4, 2, 4),
            64: (1, latent_frames, 4, 4, 8),
        }
    assert not np.array_equal(videos[0].frames, videos[1].frames)
    # From the saved latents of the first stage on, and from a video.
    save_latents(tmp_path / "latents.safetensors", pipe(GRAPH, shape=shape, stages=32))
    resumed = pipe(GRAPH, shape=shape, resume=load_latents(tmp_path / "latents.safetensors"))
    assert np.array_equal(resumed.frames, videos[0].frames)
    assert pipe(GRAPH, shape=shape, video=videos[0].frames, stages=64).frames.shape == videos[0].frames.shape


def test_a_layout_moves_what_is_seen_when_it_moves(tmp_path: Path) -> None:
    """Boxes of a codec that compresses time: those of a latent frame's own frames, and of no others."""
    pipe = MovAIPipeline.from_pretrained(assembled(tmp_path, "AutoencoderKLWan"), device="cpu")
    layouts = [still_layout(GRAPH, BOXES, 9) for _ in range(2)]
    layouts[1].tracks[0].boxes[5:, 0] += 0.2
    boxes = [pipe.encode(GRAPH, layout, 9).boxes[0, 0, :, 0].tolist() for layout in layouts]
    assert boxes[0] == pytest.approx([0.3, 0.3, 0.3])
    assert boxes[1] == pytest.approx([0.3, 0.3, 0.5])


def test_a_codec_may_be_named_instead_of_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MOV_AI_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    (tmp_path / "weights").mkdir()
    write_published(random_taef2(), tmp_path / "weights")
    network = denoiser(tmp_path / "denoiser", 32, (32,))
    assemble("taef2", network, tmp_path / "named")
    assemble(tmp_path / "weights", network, tmp_path / "held")
    assert json.loads((tmp_path / "named" / PIPELINE_FILE).read_text())["codec"] == "taef2"
    assert not (tmp_path / "named" / "codec").exists()
    shape = VideoShape(2, height=32, width=32)
    videos = [MovAIPipeline.from_pretrained(tmp_path / f, "cpu")(GRAPH, shape=shape).frames for f in ("named", "held")]
    assert np.abs(videos[0].astype(int) - videos[1]).max() <= 2
    shutil.rmtree(tmp_path / "weights")
    with pytest.raises(UsageError, match=r"named/pipeline.json: codec: taef2: .*`mov-ai weights pull taef2`"):
        MovAIPipeline.from_pretrained(tmp_path / "named", "cpu")
    assert MovAIPipeline.from_pretrained(tmp_path / "held", "cpu").cascade.codec.config.latent_channels == 32
    about = json.loads((tmp_path / "named" / PIPELINE_FILE).read_text())
    (tmp_path / "named" / PIPELINE_FILE).write_text(json.dumps({**about, "codec": "/elsewhere"}))
    with pytest.raises(UsageError, match="codec: expected null or one of taef2; found '/elsewhere'"):
        MovAIPipeline.from_pretrained(tmp_path / "named", "cpu")


def test_a_temporal_decoder_takes_the_place_of_a_codecs_own(tmp_path: Path) -> None:
    encoder = small_codec()
    save_codec(encoder, tmp_path / "plain")
    parts = TemporalParts("convolution", attention=True)
    decoder = TemporalDecoder(TemporalDecoderConfig(4, (32, 32, 32, 32), 1, parts=parts))
    save_codec(TemporalCodec(decoder, encoder), tmp_path / "temporal")
    network = denoiser(tmp_path / "denoiser", stages=(32,))
    videos = []
    for name in ("plain", "temporal"):
        assemble(tmp_path / name, network, tmp_path / f"{name}_pipeline")
        pipe = MovAIPipeline.from_pretrained(tmp_path / f"{name}_pipeline", "cpu")
        videos.append(pipe(GRAPH, shape=VideoShape(3, height=32, width=32)))
    assert all(torch.equal(videos[0].latents[32], video.latents[32]) for video in videos)
    assert videos[1].frames.shape == (3, 32, 32, 3)
    assert not np.array_equal(videos[0].frames, videos[1].frames)


def test_a_size_that_the_codec_cannot_make_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    codec = saved(tmp_path / "codec", "AutoencoderKLLTXVideo")
    words = (
        r"the codec \(32 pixels a cell\) and the denoiser need sides that are multiples of 64; found 96x96: try 128x128"
    )
    with pytest.raises(MovAIError, match=words):
        assemble(codec, denoiser(tmp_path / "denoiser", stages=(96,)), tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_the_command_makes_a_video_without_a_planner(
    command: Command,  # noqa: F811
    tmp_path: Path,
    tiny_pipeline_dir: Path,
) -> None:
    folder = assembled(tmp_path, "AutoencoderKLCogVideoX")
    shutil.copytree(tiny_pipeline_dir / "parser", folder / "parser")
    GRAPH.save(tmp_path / "graph.json")
    Layout(6, still_layout(GRAPH, BOXES, 6).tracks).save(tmp_path / "layout.json")
    common = ["--checkpoint", folder, "--frames", "6", "--size", "32x64"]
    for name, source in (
        ("words", ["ball cube"]),
        ("boxes", ["--graph", tmp_path / "graph.json", "--layout", tmp_path / "layout.json"]),
    ):
        result = command("generate", *source, *common, "--out", name)
        assert result.code == 0, result.err
        assert read_video(Path(name) / "video.mp4")[0].shape == (6, 32, 64, 3)
    wrong = command("generate", "ball", *common[:4], "--size", "40x64", "--out", "wrong")
    assert (wrong.code, "multiples of 16; found 40x64: try 32x64" in wrong.err) == (2, True)
    planned = command("plan", "ball cube", "--checkpoint", folder)
    assert (planned.code, "has no planner; `mov-ai generate` takes a --layout" in planned.err) == (2, True)
