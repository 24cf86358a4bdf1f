"""A pipeline with every part, small and untrained, whose files are damaged."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import torch

from mov_ai.graph.video_shape import VideoShape
from mov_ai.labels.encoder import LabelEncoderConfig
from mov_ai.models.cascade import Cascade, CascadeConfig
from mov_ai.models.codec import CodecConfig, VideoCodec
from mov_ai.models.denoiser import DenoiserConfig, TSAMDenoiser
from mov_ai.models.graph_encoder import GraphEncoderConfig
from mov_ai.models.interpolation import InterpolationConfig, InterpolationNetwork
from mov_ai.models.planner import LayoutPlanner, PlannerConfig
from mov_ai.parser.network import CompositionalSceneParser, ParserConfig
from mov_ai.parser.parser import SceneGraphParser
from mov_ai.parser.spacy_pipeline import load_spacy
from mov_ai.parser.vocabulary import Vocabulary
from mov_ai.pipeline import MovAIPipeline
from mov_ai.plugins import load_world

#: What its videos have where nothing is said.
SHAPE = VideoShape(frames=2, height=32, width=32)


@cache
def small_pipeline() -> Path:
    """Its folder, made once a process and gone with it."""
    torch.manual_seed(0)
    labels = LabelEncoderConfig(width=32)
    codec = VideoCodec(CodecConfig(widths=(8, 8, 8), blocks=(1, 1, 1)))
    denoiser = TSAMDenoiser(
        DenoiserConfig(
            dim=16, heads=2, depth=1, mlp_ratio=1.0, stem=8, labels=labels, stages=(16, 32), frames=2,
            graph_encoder=GraphEncoderConfig(dim=16, layers=1, heads=2),
        )
    )  # fmt: skip
    config = CascadeConfig(steps=(1, 1), starts=(1.0, 0.5), stages=(16, 32), first=16, last=32)
    planner = LayoutPlanner(PlannerConfig(dim=16, layers=1, heads=2, expansion=1, labels=labels, frames=2))
    network = CompositionalSceneParser(
        ParserConfig(dim=16, layers=1, heads=2, embedding=4, hidden=16, pair_dim=4, labels=2)
    )
    parser = SceneGraphParser([network], load_spacy(), Vocabulary(labels=("", "on"), verbs=("", "")))
    folder = Path(tempfile.mkdtemp(prefix="mov-ai-fuzz-pipeline-"))
    atexit.register(shutil.rmtree, folder, True)
    world = load_world("tabletop")
    pipeline = MovAIPipeline(Cascade(config, codec, [denoiser]), planner, parser, world, shape=SHAPE, name="small")
    pipeline.interpolation = InterpolationNetwork(
        InterpolationConfig(widths=(8, 12), blocks=(1, 1), dim=8, steps=1, guidance=0)
    )
    pipeline.save_pretrained(folder / "small")
    return folder / "small"
