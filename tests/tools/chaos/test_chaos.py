"""Whether `make chaos` and the soak would notice what they look for."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

from mov_ai.errors import UsageError
from mov_ai.graph import Layout, SceneGraph
from mov_ai.hydra_entry import config_directory
from mov_ai.result import VideoResult
from mov_ai.train import register_resolvers, trainer_config
from tools.chaos.__main__ import main, table, try_job
from tools.chaos.jobs import Job, jobs, leftovers
from tools.chaos.soak import Requests, Usage
from tools.chaos.soak import main as soak


def _content(folder: Path) -> str:
    return " ".join(path.read_text(encoding="utf-8") for path in sorted(folder.iterdir()) if path.is_file())


def _standing(folder: Path, whole: set[str]) -> str | None:
    return "of another" if (folder / "run.json").exists() and _content(folder) not in whole else None


def _job(how: str) -> Job:
    module = "tests.tools.chaos.writer"
    return Job(how, module, (how, "2", "{out}"), _content, (how, "1", "{out}"), _standing)


@pytest.mark.parametrize(("how", "is_lost"), [("staged", False), ("one by one", True)])
def test_what_a_kill_loses_is_noticed(tmp_path: Path, how: str, is_lost: bool) -> None:
    outcomes = try_job(_job(how), 6, 1, tmp_path, tmp_path / "inputs")
    assert len(outcomes) == 6
    assert any(outcome == "lost" for outcome, _ in outcomes) == is_lost, outcomes
    assert table({how: outcomes})[2].startswith(f"| {how} | ")


def test_what_is_left_behind_is_named(tmp_path: Path) -> None:
    (tmp_path / "out" / ".hydra" / ".x").mkdir(parents=True)
    (tmp_path / "out" / ".lock").touch()
    assert leftovers(tmp_path / "out") == []
    (tmp_path / "out" / ".step_1.tmp").mkdir()
    (tmp_path / ".mov-ai-here-1-abc").mkdir()
    assert leftovers(tmp_path / "out") == [".mov-ai-here-1-abc", ".step_1.tmp"]


def test_every_trainable_network_and_every_command_that_writes_is_killed(tmp_path: Path) -> None:
    names = {job.name for job in jobs(tmp_path)}
    networks = {f"train {name}" for name in ("codec", "planner", "denoiser", "parser")}
    assert {*networks, "generate", "eval", "data prepare"} <= names


def test_mistakes_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "nothing"]) == 2
    assert soak(["--generations", "3"]) == 2
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == ["chaos", "soak"]


@pytest.mark.parametrize(
    ("memory", "files", "faults"),
    [
        ([200, 101, 100, 99, 100] * 20, [9] * 100, 0),
        (list(range(1000, 1100)), [9] * 100, 1),
        ([100] * 100, list(range(100)), 1),
    ],
    ids=["flat", "memory grows", "files stay open"],
)
def test_what_grows_is_told_from_what_does_not(memory: list[int], files: list[int], faults: int) -> None:
    assert len(Usage(memory, files).faults()) == faults


def test_requests_of_every_kind_are_made(tmp_path: Path) -> None:
    asked: list[set[str]] = []

    def pipeline(prompt: str | SceneGraph, *, seed: int, **settings: object) -> VideoResult:
        if seed < 0:
            raise UsageError("seed: expected 0 or more")
        asked.append({type(prompt).__name__, *settings})
        graph = SceneGraph.from_dict({"version": 2, "nodes": [{"id": "a", "type": "entity", "label": "ball"}]})
        frames = np.zeros((2, 32, 32, 3), np.uint8)
        return VideoResult(frames, {32: frames}, {32: torch.zeros(1, 2, 8, 4, 4)}, graph, Layout(2), {"seed": seed})

    requests = Requests(pipeline, 32, 1, random.Random(0), tmp_path)  # type: ignore[arg-type]
    for _ in range(40):
        requests.one()
    assert {"str", "SceneGraph", "layout", "resume", "video"} <= set().union(*asked)


def test_every_training_that_is_killed_can_be_composed(tmp_path: Path) -> None:
    register_resolvers()
    for job in jobs(tmp_path):
        if job.module == "mov_ai.train":
            options = dict(zip(job.arguments, job.arguments[1:], strict=False))
            overrides = [argument for argument in job.arguments if "=" in argument and argument[:6] != "hydra."]
            if "--config-dir" in options:
                overrides.append(f"hydra.searchpath=[{Path(options['--config-dir']).resolve()}]")
            with initialize_config_dir(str(config_directory()), version_base="1.3"):
                config = compose("train", overrides)
            assert config.trainer.max_steps == 12
            # What is prepared once lies among the inputs, not in the folder that the command is given in.
            caches = [config.objective.get("cache"), config.objective.get("data", {}).get("cache")]
            assert all(str(cache).startswith(str(tmp_path)) for cache in caches if cache is not None)
            assert trainer_config(config.trainer).checkpoint_every_steps == 3
