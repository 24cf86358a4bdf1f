"""The presets: how large they are, and that trainings compose the same."""

from __future__ import annotations

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from mov_ai.errors import UsageError
from mov_ai.hydra_entry import config_directory
from mov_ai.models.cascade import CascadeConfig
from mov_ai.models.codec import CodecConfig
from mov_ai.models.denoiser import STAGES, DenoiserConfig
from mov_ai.models.planner import PlannerConfig
from mov_ai.models.presets import parameters, preset_names
from mov_ai.models.refiner import RefinerConfig
from mov_ai.parser.network import CompositionalSceneParser, ParserConfig, RelationalAttention
from mov_ai.train import register_resolvers
from tests.models.preset_networks import Preset, load_preset


def _total(chosen: Preset) -> int:
    """Parameters of a whole pipeline: codec, planner, denoiser and the scene-graph parser."""
    with torch.device("meta"):
        parser = CompositionalSceneParser(ParserConfig())
    return parameters(chosen.build("meta")) + parameters(parser)


def test_movai_has_the_papers_size() -> None:
    total = _total(load_preset("movai"))
    assert 0.98 * 2.8e9 <= total <= 1.02 * 2.8e9, total


def test_movai_is_built_as_the_paper_says() -> None:
    networks = load_preset("movai").build("meta")
    assert all(parameter.is_meta for parameter in networks.parameters())
    denoiser = networks["cascade"].denoiser(0)
    heads = {part.heads for block in denoiser.blocks for part in (block.spatial, block.temporal, block.cross)}
    assert heads == {16}
    assert STAGES == (128, 256, 512)
    assert len(load_preset("movai").cascade.steps) == len(STAGES)
    assert denoiser.stage.num_embeddings == len(STAGES)


def test_the_parser_has_twelve_layers() -> None:
    assert ParserConfig().layers == 12
    with torch.device("meta"):
        parser = CompositionalSceneParser(ParserConfig())
    assert sum(isinstance(module, RelationalAttention) for module in parser.modules()) == 12


def test_base_has_about_a_third_of_a_billion() -> None:
    total = _total(load_preset("base"))
    assert 0.25e9 <= total <= 0.35e9, total


def test_tiny_is_tiny() -> None:
    total = _total(load_preset("tiny"))
    assert total <= 25e6, total


@pytest.mark.parametrize("name", preset_names())
def test_the_parts_fit_together(name: str) -> None:
    chosen = load_preset(name)
    assert chosen.name == name
    assert chosen.codec.latent_channels == chosen.denoiser.latent_channels
    assert chosen.denoiser.heads == 16
    # Weights in the repository must work offline; the larger presets read captions with a pretrained encoder.
    assert (chosen.denoiser.text_encoder is None) == (name == "tiny")


def test_tiny_can_be_built_for_real() -> None:
    networks = load_preset("tiny").build()
    assert parameters(networks) == parameters(load_preset("tiny").build("meta"))
    assert not any(parameter.is_meta for parameter in networks.parameters())


def test_an_unknown_preset_is_answered_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="expected one of base, movai, tiny; found 'huge'"):
        load_preset("huge")


def test_the_embedded_presets_numbers_are_the_networks_own_defaults() -> None:
    tiny = load_preset("tiny")
    assert (tiny.codec, tiny.planner, tiny.denoiser) == (CodecConfig(), PlannerConfig(), DenoiserConfig())
    assert (tiny.refiner, tiny.cascade) == (
        RefinerConfig(),
        CascadeConfig(steps=(4, 1, 1), shift=2.0, networks="refined", low_noise=0.0, default_guidance=(2.0, 2.0)),
    )


@pytest.mark.parametrize("name", preset_names())
def test_a_training_composes_the_same_preset(name: str) -> None:
    register_resolvers()
    with initialize_config_dir(str(config_directory()), version_base="1.3"):
        config = compose("train", overrides=["experiment=debug", f"model={name}"])
    made = instantiate(config.model, _convert_="all")
    assert Preset(name, **made) == load_preset(name)
