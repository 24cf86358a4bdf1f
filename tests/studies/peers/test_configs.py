"""The peers' configurations: equal where a comparison needs it, and each one's loss falls in a real training."""

from __future__ import annotations

from dataclasses import replace
from functools import cache as kept
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from mov_ai.errors import UsageError
from mov_ai.graph.files import read_json
from mov_ai.hydra_entry import choices, config_directory
from mov_ai.labels.encoder import load_label_encoder
from mov_ai.models.cascade import CASCADE_FILE, CascadeConfig
from mov_ai.models.component import config_from_dict
from mov_ai.models.conditioning import condition
from mov_ai.models.denoiser import DenoiserConfig
from mov_ai.models.graph_encoder import GraphEncoderConfig
from mov_ai.models.presets import parameters
from mov_ai.models.registry import AnyConfig, build_denoiser, load_denoiser
from mov_ai.train import register_resolvers
from mov_ai.training.latents import TabletopClips
from mov_ai.training.loop import Trainer
from mov_ai.training.objectives.denoiser import DenoiserObjective
from mov_ai.training.settings import TrainerConfig
from mov_ai.worlds.tabletop.world import caption_and_layout
from studies.peers.factorised import FactorisedConfig
from studies.peers.flops import training_flops
from studies.peers.study import PEERS
from studies.peers.unet3d import UNet3DConfig
from tests.models.builders import LABELS
from tests.training.objectives import test_denoiser_objective

CONF = config_directory()
#: A folder for cached clips, six to a chunk.
cache = test_denoiser_objective.cache


@kept
def composed(name: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides=[f"experiment=peers/{name}"], return_hydra_config=True)


def _model(name: str) -> AnyConfig:
    return instantiate(composed(name).objective.model, _convert_="all")


def _cascade(name: str) -> CascadeConfig:
    return instantiate(composed(name).objective.cascade, _convert_="all")


def test_there_is_a_configuration_for_each_peer() -> None:
    assert sorted(PEERS) == [name.removeprefix("peers/") for name in choices(CONF, "experiment") if "peers/" in name]


@pytest.mark.parametrize("name", PEERS)
def test_peers_differ_only_where_they_say_so(name: str) -> None:
    free = {"model", "cascade", "experiment", "drop_text", "stage_shares"}
    own, ours = composed(name), composed("ours")
    said, wanted = (
        {k: v for k, v in OmegaConf.to_container(c.objective, resolve=True).items() if k not in free}
        for c in (own, ours)
    )
    assert said == wanted
    assert {**own.trainer, "max_steps": 0} == {**ours.trainer, "max_steps": 0}
    assert own.trainer.max_minutes is None
    assert own.hydra.run.dir == f"runs/peers/{name}"
    cascade, reference = _cascade(name), _cascade("ours")
    assert cascade.steps[cascade.first_stage] == reference.steps[0] == 8
    assert cascade.starts[cascade.first_stage] == 1.0
    assert (cascade.shift, cascade.shared_noise) == (reference.shift, reference.shared_noise)
    assert cascade.first == cascade.last == (512 if name == "single_stage" else 128)
    shares = list(own.objective.stage_shares)
    assert shares == ([0.0, 0.0, 1.0] if name == "single_stage" else [1.0, 0.0, 0.0])


@pytest.mark.slow
def test_peers_have_the_same_size_and_compute() -> None:
    _, caption, layout = caption_and_layout(0, "validation")
    given = condition(caption.graph, layout, load_label_encoder(_model("ours").labels))
    sizes, steps, compute = {}, {}, {}
    for name in PEERS:
        network = build_denoiser(_model(name))
        sizes[name], steps[name] = parameters(network), composed(name).trainer.max_steps
        compute[name] = training_flops(network, given) * steps[name]
    assert 2e6 < sizes["ours"] < 3e6
    for name in PEERS:
        assert sizes[name] == pytest.approx(sizes["ours"], rel=0.05), name
        assert compute[name] == pytest.approx(compute["ours"], rel=0.05), name
    # Equal compute rules over equal steps, and only one design needs that.
    assert {name for name in PEERS if steps[name] != steps["ours"]} == {"factorised"}


def test_each_peer_is_what_its_name_says() -> None:
    ours = _model("ours")
    assert isinstance(ours, DenoiserConfig)
    assert (ours.text, ours.graph, ours.layout, ours.interval_gating) == (True, True, True, True)
    assert _model("no_gating") == replace(ours, interval_gating=False)
    assert _model("single_stage") == ours
    assert replace(_model("no_layout"), mlp_ratio=ours.mlp_ratio) == replace(ours, layout=False)
    text = _model("text_only")
    assert (text.text, text.graph, text.layout) == (True, False, False)
    factorised, unet = _model("factorised"), _model("unet3d")
    assert isinstance(factorised, FactorisedConfig)
    assert isinstance(unet, UNet3DConfig)
    # Whoever reads the text alone has as many layers to read it with as ours has for the graph.
    assert text.text_layers == factorised.text_layers == unet.text_layers == ours.graph_encoder.layers


def _small(name: str) -> AnyConfig:
    """A peer's own configuration, its switches kept and its sizes made small."""
    model = _model(name)
    if isinstance(model, DenoiserConfig):
        layers = min(model.text_layers, 1)
        graph = GraphEncoderConfig(16, 1, 2)
        return replace(model, dim=32, heads=2, depth=1, stem=16, text_layers=layers, graph_encoder=graph, labels=LABELS)
    if isinstance(model, FactorisedConfig):
        return replace(model, dim=32, heads=2, depth=1, text_layers=1, labels=LABELS)
    return replace(
        model, channels=(8, 16), head_dim=4, groups=4, text_dim=16, text_layers=1, text_heads=2, labels=LABELS
    )


def _objective(folder: Path, name: str, **changes: Any) -> DenoiserObjective:
    shares = tuple(composed(name).objective.stage_shares)
    values: dict[str, Any] = {"batch_size": 4, "codec": str(test_denoiser_objective.CODEC)}
    values |= {"data": TabletopClips(str(folder), 6, 0.5, 6), "experiment": f"peers/{name}", "stage_shares": shares}
    values["recognizer_clips"] = 8
    objective = DenoiserObjective(**{**values, "model": _small(name), "cascade": _cascade(name), **changes})
    objective.prepare(torch.device("cpu"), lambda done, total, what: None)
    return objective


@pytest.mark.slow
@pytest.mark.parametrize("name", PEERS)
def test_training_lowers_the_loss_and_exports_what_a_pipeline_takes(name: str, cache: Path, tmp_path: Path) -> None:
    objective = _objective(cache, name)

    def judged(module: torch.nn.Module) -> float:
        module.eval()
        with torch.no_grad():
            losses = [
                objective.loss(module, objective.batch(step), torch.Generator().manual_seed(step))[0].item()
                for step in range(1000, 1004)
            ]
        return float(np.mean(losses))

    before = judged(objective.module())
    config = TrainerConfig(
        max_steps=14, learning_rate=1e-2, warmup_steps=4, ema_decay=0, device="cpu", threads=1, log_every=10
    )
    result = Trainer(objective, config, tmp_path).run()
    trained = load_denoiser(tmp_path / "export")
    assert trained.config == _small(name)
    assert judged(trained) < 0.95 * before
    only = "2" if name == "single_stage" else "0"
    assert {figure.split("_")[1] for figure in result["validation"]} == {only}
    written = config_from_dict(CascadeConfig, read_json(tmp_path / "export" / CASCADE_FILE), "here")
    assert written == _cascade(name)
    card = (tmp_path / "export" / "README.md").read_text()
    assert f"experiment=peers/{name}`" in card
    assert f"of the stages {'512' if name == 'single_stage' else '128'} from" in card


def test_a_single_stage_trains_on_crops_from_noise_alone(cache: Path) -> None:
    objective = _objective(cache, "single_stage")
    for step in range(4):
        batch = objective.batch(step)
        assert (batch["stage"] == 2).all()
        assert not batch["low"].any()
        assert (batch["window"][:, 2:] == 0.25).all()
    seen = []

    def noted(noisy: torch.Tensor, sigma: torch.Tensor, *others: Any) -> torch.Tensor:
        seen.append(sigma)
        return noisy

    for step in range(30):
        objective.loss(noted, objective.batch(step), torch.Generator().manual_seed(step))
    # The later stages of a cascade never see as much noise as this.
    assert torch.cat(seen).max() > 0.9


def test_stages_before_the_first_are_not_drawn(cache: Path) -> None:
    with pytest.raises(UsageError, match="expected 0 before the cascade's first stage 512"):
        _objective(cache, "single_stage", stage_shares=(0.5, 0.0, 0.5))
