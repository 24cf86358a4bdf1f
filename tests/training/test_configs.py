"""Every shipped configuration composes, and mistakes on the command line are answered in one line."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from functools import cache
from itertools import product
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf

from mov_ai.errors import UsageError
from mov_ai.hydra_entry import check_choice, choices, config_directory
from mov_ai.models.codec import CodecConfig, VideoCodec
from mov_ai.models.component import save_component
from mov_ai.models.denoiser import DenoiserConfig
from mov_ai.models.presets import parameters, preset_names
from mov_ai.train import build_objective, register_resolvers, trainer_config
from mov_ai.training.latents import TabletopClips
from mov_ai.training.losses import LossWeights
from mov_ai.training.objective import Objective
from mov_ai.training.objectives.debug import DebugObjective
from mov_ai.training.settings import TrainerConfig
from mov_ai.worlds.tabletop.variation import PLAIN
from tests.forked_command import Run, forked_runs
from tests.models.preset_networks import load_preset

CONF = config_directory()


@cache
def composed(*overrides: str) -> DictConfig:
    """A configuration; kept, and not to be written to, as Hydra takes a quarter of a second for each."""
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides=list(overrides), return_hydra_config=True)


#: Every experiment is composed with the default trainer, and these with every trainer; `make test-slow` has the rest.
WITH_EVERY_TRAINER = ("debug", "tiny/denoiser")


@pytest.mark.parametrize(
    ("trainer", "name"),
    [
        pytest.param(
            *both,
            marks=() if both[0] == "default" or both[1] in WITH_EVERY_TRAINER else pytest.mark.slow,
            id="-".join(both),
        )
        for both in product(["default", "cpu", "gpu", "ddp", "fsdp2"], choices(CONF, "experiment"))
    ],
)
def test_every_experiment_composes(trainer: str, name: str) -> None:
    config = composed(f"experiment={name}", *([f"trainer={trainer}"] if trainer != "default" else []))
    assert config.experiment_name == name
    assert isinstance(trainer_config(config.trainer), TrainerConfig)
    assert "." in config.objective._target_
    assert config.objective.seed == 0
    OmegaConf.to_container(config.objective, resolve=True, throw_on_missing=True)


@pytest.mark.parametrize("name", choices(CONF, "experiment"))
def test_every_experiment_names_an_objective_and_settings_that_it_takes(name: str) -> None:
    objective = composed(f"experiment={name}").objective
    kind = get_class(objective._target_)
    assert issubclass(kind, Objective)
    taken = inspect.signature(kind).parameters
    assert set(objective) - {"_target_"} <= set(taken)


@pytest.mark.parametrize("name", choices(CONF, "experiment"))
def test_what_else_the_machine_does_decides_no_result(name: str) -> None:
    trainer = composed(f"experiment={name}").trainer
    assert trainer.max_steps > 0
    assert trainer.max_minutes is None


def test_the_default_groups_say_what_the_code_says() -> None:
    config = composed("experiment=tiny/denoiser")
    assert instantiate(config.objective.loss, _convert_="all") == LossWeights()
    assert instantiate(config.objective.model, _convert_="all") == DenoiserConfig()
    coded = inspect.signature(TabletopClips).parameters
    clips = composed("experiment=tiny/codec").data
    for name in ("clips", "late", "validation_clips", "cache"):
        assert clips[name] == coded[name].default


def test_groups_choose_model_and_loss() -> None:
    config = composed("experiment=tiny/denoiser", "model=base", "loss=denoise_only", "data.clips=7")
    assert instantiate(config.objective.model, _convert_="all") == load_preset("base").denoiser
    weights = instantiate(config.objective.loss, _convert_="all")
    assert (weights.temporal, weights.semantic, weights.perceptual) == (0, 0, 0)
    assert config.objective.data.clips == 7
    assert composed("experiment=tiny/codec", "model=base").objective.model.latent_channels == 16


def test_a_negative_weight_of_the_loss_is_one_line() -> None:
    config = composed("experiment=tiny/denoiser", "loss.temporal=-0.5")
    with pytest.raises(UsageError, match=r"^loss\.temporal: expected a weight from 0 up, 0 for off; found -0\.5$"):
        build_objective(config.objective, 0)


@pytest.mark.parametrize("name", preset_names())
@pytest.mark.parametrize("part", ["codec", "planner", "denoiser"])
def test_the_chosen_model_is_what_an_experiment_trains(name: str, part: str, tmp_path: Path) -> None:
    preset = load_preset(name)
    channels = preset.codec.latent_channels
    small = CodecConfig(channels, (8, 8, 8), (1, 1, 1), (0.0,) * channels, (1.0,) * channels)
    save_component(VideoCodec(small), tmp_path)
    codec = [f"objective.codec={tmp_path}"] if part == "denoiser" else []
    config = composed(f"experiment=tiny/{part}", f"model={name}", *codec)
    assert config.hydra.run.dir == f"runs/{name}/{part}"
    # Nothing is allocated there: the largest is 2.8 billion parameters.
    with torch.device("meta"):
        network = build_objective(config.objective, 0).module()
    networks = preset.build("meta")
    cascade = networks["cascade"]
    expected = {"codec": cascade.codec, "planner": networks["planner"], "denoiser": cascade.denoiser(0)}[part]
    assert network.config == getattr(preset, part)
    assert parameters(network) == parameters(expected)


@pytest.mark.parametrize("name", choices(CONF, "experiment"))
@pytest.mark.parametrize("model", preset_names())
def test_every_experiment_composes_with_every_model(name: str, model: str) -> None:
    config = composed(f"experiment={name}", f"model={model}")
    OmegaConf.to_container(config.objective, resolve=True, throw_on_missing=True)
    # No experiment leaves the choice unused without a word.
    if config.objective._target_.split(".")[-2] in ("codec", "planner", "denoiser"):
        assert "model" in config.objective


@pytest.mark.parametrize("group", ["loss", "data", "model", "trainer"])
def test_every_option_of_a_group_composes(group: str) -> None:
    for path in sorted((CONF / group).glob("*.yaml")):
        config = composed("experiment=tiny/denoiser", f"{group}={path.stem}")
        OmegaConf.to_container(config[group], resolve=True, throw_on_missing=True)


def test_the_varied_world_differs_from_the_plain_one() -> None:
    plain, varied = (
        instantiate(composed("experiment=tiny/denoiser", f"data={name}").data)
        for name in ("tabletop", "tabletop_varied")
    )
    assert plain.variation == PLAIN
    assert varied.variation.interactions > 0
    assert varied.variation.camera_moves == varied.variation.light_changes == 0


def test_a_larger_denoiser_needs_a_codec_of_its_size() -> None:
    small = ["model.denoiser.dim=64", "model.denoiser.depth=1", "model.denoiser.graph_encoder.dim=32"]
    config = composed("experiment=tiny/denoiser", "model=base", *small)
    with pytest.raises(UsageError, match="latent_channels: expected the codec's 8"):
        build_objective(config.objective, 0)


def test_debug_instantiates() -> None:
    config = composed("experiment=debug", "seed=5")
    objective = build_objective(config.objective, config.seed)
    assert isinstance(objective, DebugObjective)
    assert objective.seed == 5


def test_the_default_trainer_file_says_what_the_code_says() -> None:
    written = OmegaConf.to_container(OmegaConf.load(CONF / "trainer" / "default.yaml"))
    coded = dataclasses.asdict(TrainerConfig(max_steps=1))
    assert written == {**coded, "max_steps": None, "betas": list(coded["betas"])}


def test_a_named_experiment_decides_the_folder() -> None:
    config = composed("experiment=debug", "experiment_name=study/a")
    assert config.hydra.run.dir == "runs/study/a"
    assert config.hydra.sweep.dir == "runs/sweeps/study/a"


@pytest.mark.parametrize("setting", ["learning_rate=much", "betas=[0.9]", "+no_such=1", "schedule=sawtooth"])
def test_wrong_trainer_settings_are_usage_errors(setting: str) -> None:
    name = setting.lstrip("+").split("=")[0]
    prefix = "+" if setting.startswith("+") else ""
    config = composed("experiment=debug", f"{prefix}trainer.{setting.lstrip('+')}")
    with pytest.raises(UsageError, match=name):
        trainer_config(config.trainer)


@pytest.mark.parametrize(
    ("override", "words"),
    [("objective.width=0", "width 0"), ("+objective.no_such=1", "no_such"), ("objective._target_=mov_ai.Nope", "Nope")],
)
def test_wrong_objective_settings_are_usage_errors(override: str, words: str) -> None:
    config = composed("experiment=debug", override)
    with pytest.raises(UsageError, match=words):
        build_objective(config.objective, 0)


def test_experiments_are_checked_by_name() -> None:
    check_choice(["experiment=debug"], CONF, "experiment")
    check_choice(["-m", "experiment=debug,debug"], CONF, "experiment")
    check_choice(["--help"], CONF, "experiment")
    check_choice(["experiment=choice(a, b)"], CONF, "experiment")
    for arguments in (["experiment=nope"], ["experiment=debug,nope"], []):
        with pytest.raises(UsageError, match=r"available: .*debug"):
            check_choice(arguments, CONF, "experiment")


def test_the_configuration_folder_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOV_AI_CONF", str(tmp_path))
    with pytest.raises(UsageError, match="MOV_AI_CONF"):
        config_directory()
    (tmp_path / "train.yaml").touch()
    assert config_directory() == tmp_path


#: Arguments, exit code, and words of the one line.
MISTAKES = [
    (["experiment=nope"], 2, "available: "),
    (["experiment=debug", "trainer.no_such=1"], 2, "no_such"),
    (["experiment=debug", "hydra.run.dir={tmp}/file/run"], 1, "Not a directory"),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("mistakes")
    return forked_runs("mov_ai.train", [arguments for arguments, _, _ in MISTAKES], folder, timeout=60)


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_mistakes_are_one_line(runs: list[Run], number: int) -> None:
    (_, code, words), done = MISTAKES[number], runs[number]
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_module_is_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mov_ai.train", "experiment=nope"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert "available: " in done.stderr
    assert len(done.stderr.splitlines()) == 1
