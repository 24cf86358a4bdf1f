"""The arms: equal but for what they are told, each trains end to end, and a stopped training goes on to the same."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache as kept
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from torch.testing import assert_close

from mov_ai.hydra_entry import choices, config_directory
from mov_ai.models.registry import load_denoiser
from mov_ai.train import build_objective, register_resolvers, trainer_config
from mov_ai.training import latents
from mov_ai.training.loop import Trainer
from studies.graph_vs_text.evaluate import Judges, embedded_codec, sampled
from studies.graph_vs_text.projection import projection, seconds_per_step
from studies.graph_vs_text.study import ARMS
from studies.graph_vs_text.world import FRAMES, SIZE
from tests.training.objectives.here_pool import HerePool

CONF = config_directory()
SMALL = [
    *("model.denoiser.dim=16", "model.denoiser.heads=2", "model.denoiser.depth=1", "model.denoiser.stem=8"),
    *("model.denoiser.graph_encoder.dim=16", "model.denoiser.graph_encoder.layers=1", "model.denoiser.labels.width=64"),
    *("objective.batch_size=2", "clips.clips=4", "clips.validation_clips=4", "trainer.warmup_steps=1"),
]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A setting for a folder of cached clips, four to a chunk."""
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latents, "CHUNK", 4)
        patch.setattr(latents, "ProcessPoolExecutor", HerePool)
        yield f"clips.cache={tmp_path_factory.mktemp('clips')}"
    torch.set_num_threads(threads)


@kept
def composed(arm: str, *overrides: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides=[f"experiment=graph_vs_text/{arm}", *overrides], return_hydra_config=True)


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _trained(arm: str, folder: Path, steps: int, clips: str) -> dict[str, Any]:
    config = composed(arm, *SMALL, clips, f"trainer.max_steps={steps}")
    return Trainer(build_objective(config.objective, 0), trainer_config(config.trainer), folder).run()


def test_there_is_a_configuration_for_each_arm() -> None:
    assert sorted(ARMS) == sorted(n.partition("/")[2] for n in choices(CONF, "experiment") if "graph_vs_text/" in n)


@pytest.mark.parametrize("arm", ARMS)
def test_arms_differ_in_what_they_are_told_or_lack_only(arm: str) -> None:
    parts = ("model", "objective", "trainer", "clips", "seed")
    own, full = ({part: _plain(composed(name)[part]) for part in parts} for name in (arm, "full"))
    for config in (own, full):
        for name in ("text", "text_layers", "graph", "layout", "looks", "interval_gating", "attentions"):
            config["model"]["denoiser"].pop(name, None)
            config["objective"]["model"].pop(name, None)
        for model in (config["model"]["denoiser"], config["objective"]["model"]):
            model["graph_encoder"].pop("messages")
        config["objective"].pop("experiment")
    for part in parts:
        assert own[part] == full[part]
    assert composed(arm).trainer.schedule == "constant"


@pytest.fixture(scope="module")
def judges() -> Judges:
    return Judges(2)


@pytest.mark.parametrize("arm", ARMS)
def test_an_arm_trains_and_is_judged(arm: str, clips: str, judges: Judges, tmp_path: Path) -> None:
    trained = _trained(arm, tmp_path, 2, clips)
    assert trained["status"] == "finished"
    assert torch.isfinite(torch.tensor(trained["loss"]))
    videos, seconds = sampled(tmp_path / "export", embedded_codec(), judges.told)
    assert [video.shape for video in videos] == [(FRAMES, SIZE, SIZE, 3)] * 2
    figures = judges.figures(videos)
    assert seconds > 0
    assert figures["fvd"] > 0
    assert all(len(rows) == 2 for rows in figures["answers"].values())
    assert sum(asked for rows in figures["answers"].values() for _, asked in rows) >= 4


def test_a_training_that_goes_on_is_the_one_that_was_never_stopped(clips: str, tmp_path: Path) -> None:
    _trained("graph", tmp_path / "stopped", 2, clips)
    _trained("graph", tmp_path / "stopped", 4, clips)
    _trained("graph", tmp_path / "whole", 4, clips)
    one, other = (load_denoiser(tmp_path / name / "export").state_dict() for name in ("stopped", "whole"))
    for name, values in one.items():
        assert_close(values, other[name], rtol=0, atol=0)


def test_how_long_it_takes_is_projected_from_steps(clips: str) -> None:
    assert 0 < seconds_per_step("graph_vs_text/boxes", [*SMALL, clips]) < 60
    text = projection({"text": 0.5, "full": 1.5}, 0.1, 3, (100, 3600), 120)
    # 3 x (3,600 steps of 0.5 and of 1.5 s, and twice 240 videos of 0.1 s).
    assert text.splitlines() == [
        "text: 0.500 s a step, 30.4 minutes a training",
        "full: 1.500 s a step, 90.4 minutes a training",
        "all, 3 seeds, 3,600 steps, judged 2 times: 6.0 core-hours",
    ]
