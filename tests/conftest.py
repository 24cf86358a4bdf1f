"""One thread for each process, and a small pipeline with random weights for tests of what is around the networks."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before torch is imported, and for what a test starts: several workers do not take each other's cores, and a test
# computes the same in one of them as alone.
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.hookimpl(hookwrapper=True)
def pytest_collection() -> Iterator[None]:
    """Tests are imported without looking for garbage: all that they import stays, and need not be looked at later."""
    gc.disable()
    yield
    gc.enable()
    gc.freeze()


@pytest.fixture(scope="session")
def tiny_pipeline_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `MovAIPipeline.save_pretrained` writes it: every part is there, small and untrained.

    Its parser takes every word for an entity, so that what it makes of a text can be foretold.
    """
    import torch

    from mov_ai.models.cascade import Cascade, CascadeConfig
    from mov_ai.models.codec import CodecConfig, VideoCodec
    from mov_ai.models.denoiser import DenoiserConfig, TSAMDenoiser
    from mov_ai.models.graph_encoder import GraphEncoderConfig
    from mov_ai.models.planner import LayoutPlanner, PlannerConfig
    from mov_ai.parser.network import LINKS, MAX_LEFT, ROLES, CompositionalSceneParser, ParserConfig
    from mov_ai.parser.parser import SceneGraphParser
    from mov_ai.parser.spacy_pipeline import load_spacy
    from mov_ai.parser.vocabulary import Vocabulary
    from mov_ai.pipeline import MovAIPipeline
    from mov_ai.plugins import load_world

    torch.manual_seed(0)
    codec = VideoCodec(CodecConfig(widths=(16, 16, 8), blocks=(1, 1, 1)))
    graph_encoder = GraphEncoderConfig(dim=64, layers=1, heads=4)
    denoiser = TSAMDenoiser(DenoiserConfig(dim=64, depth=1, mlp_ratio=1.0, stem=8, graph_encoder=graph_encoder))
    cascade = Cascade(CascadeConfig(steps=(2, 1, 1)), codec, [denoiser])
    planner = LayoutPlanner(PlannerConfig(dim=16, layers=1, heads=2, expansion=1))
    network = CompositionalSceneParser(
        ParserConfig(dim=16, layers=1, heads=2, embedding=4, hidden=16, pair_dim=4, labels=2)
    )
    with torch.no_grad():
        network.role.bias[ROLES.index("entity")] = 100
        network.left.bias[0] = network.left.bias[MAX_LEFT + 1] = 100
        # Nobody has an attribute, nothing is between any two, and all words are copied.
        network.attribute_bias.bias[:] = -100
        network.label.bias[0] = 100
        network.form.bias[0] = 100
        network.negated.bias[:] = -100
        network.from_source.bias[LINKS.index("none")] = 100
    parser = SceneGraphParser([network], load_spacy(), Vocabulary(labels=("", "on"), verbs=("", "")))
    folder = tmp_path_factory.mktemp("pipeline") / "small"
    MovAIPipeline(cascade, planner, parser, load_world("tabletop"), name="small").save_pretrained(folder)
    return folder
