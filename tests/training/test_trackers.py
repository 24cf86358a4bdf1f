"""Services that are told a run's figures beside TensorBoard."""

from __future__ import annotations

import dataclasses
import importlib.machinery
import importlib.util
from pathlib import Path
from typing import Any

import accelerate.tracking
import pytest

from mov_ai.errors import MovAIError, UsageError
from mov_ai.training.loop import Trainer
from mov_ai.training.objectives.debug import DebugObjective
from mov_ai.training.settings import TrainerConfig

CONFIG = TrainerConfig(
    max_steps=4, ema_decay=0.0, device="cpu", threads=1, log_every=2, validate_every=4, trackers=["wandb"]
)


class Service:
    """What accelerate has for each service, with everything kept in a list."""

    told: list[Any]
    down = False

    def __init__(self, project: str, **settings: Any) -> None:
        Service.told.append((project, settings["name"], settings["resume"]))

    def start(self) -> None:
        if Service.down:
            raise ConnectionError("no way\nthrough")

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        Service.told.append(values["trainer"]["max_steps"])

    def log(self, values: dict[str, float], step: int) -> None:
        Service.told.append((step, sorted(values)))

    def finish(self) -> None:
        Service.told.append("end")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> type[Service]:
    find = importlib.util.find_spec
    here = importlib.machinery.ModuleSpec("wandb", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: here if name == "wandb" else find(name, *rest))
    monkeypatch.setitem(accelerate.tracking.LOGGER_TYPE_TO_CLASS, "wandb", Service)
    monkeypatch.setattr(Service, "told", [], raising=False)
    return Service


def test_a_service_is_told_every_figure_and_a_resumed_run_goes_on_in_its_own(
    tmp_path: Path, service: type[Service]
) -> None:
    Trainer(DebugObjective(), CONFIG, tmp_path / "run").run()
    (project, name, resume), steps, first, *rest = service.told
    assert (project, resume, steps) == ("mov_ai", "allow", 4)
    assert first[0] == 2
    assert "train/loss" in first[1]
    assert (4, ["validation/mse"]) in rest
    assert rest[-1] == "end"
    service.told.clear()
    Trainer(DebugObjective(), dataclasses.replace(CONFIG, max_steps=6), tmp_path / "run").run()
    assert service.told[0][1] == name
    assert service.told[2][0] == 6


def test_a_service_that_does_not_start_is_said_before_training(
    tmp_path: Path, service: type[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Service, "down", True)
    with pytest.raises(MovAIError, match=r"trackers: wandb does not start \(ConnectionError: no way through\)"):
        Trainer(DebugObjective(), CONFIG, tmp_path).run()
    assert not (tmp_path / "checkpoints").exists()


def test_a_service_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "trackio" else find(name, *rest)
    )
    with pytest.raises(UsageError, match="trackio is not installed"):
        Trainer(DebugObjective(), dataclasses.replace(CONFIG, trackers=["trackio"]), tmp_path).run()
    with pytest.raises(UsageError, match="'elsewhere'; expected some of trackio, wandb"):
        dataclasses.replace(CONFIG, trackers=["elsewhere"])
