"""The experiments of the networks that measure: found beside the shipped ones, settings that the objectives take."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_class
from omegaconf import OmegaConf

import tools.metrics
from mov_ai.hydra_entry import choices, config_directory
from mov_ai.train import register_resolvers
from mov_ai.training.objective import Objective

CONF = Path(tools.metrics.__file__).parent / "conf"


@pytest.mark.parametrize("name", choices(CONF, "experiment"))
def test_every_experiment_names_an_objective_and_settings_that_it_takes(name: str) -> None:
    register_resolvers()
    with initialize_config_dir(str(config_directory()), version_base="1.3"):
        config = compose("train", [f"experiment={name}", f"hydra.searchpath=[file://{CONF}]"], return_hydra_config=True)
    assert config.experiment_name == name
    # What else the machine does decides no result.
    assert config.trainer.max_steps > 0
    assert config.trainer.max_minutes is None
    kind = get_class(config.objective._target_)
    assert issubclass(kind, Objective)
    settings = OmegaConf.to_container(config.objective, resolve=True, throw_on_missing=True)
    assert set(settings) - {"_target_"} <= set(inspect.signature(kind).parameters)
