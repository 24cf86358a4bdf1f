"""`python -m mov_ai.evaluate`: configurations compose, mistakes are one line."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_class
from omegaconf import OmegaConf

from mov_ai.hydra_entry import build, choices, config_directory
from tests.forked_command import Run, forked_runs

CONF = config_directory()


@pytest.mark.parametrize("name", choices(CONF, "suite"))
def test_every_suite_composes_and_builds(name: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("evaluate", overrides=[f"suite={name}", "seed=3"])
    OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert config.output == f"runs/evaluate/{name}"
    kind = get_class(config.suite._target_)
    assert set(config.suite) - {"_target_"} == set(inspect.signature(kind).parameters)
    assert build(config.suite, "suite").seed == 3


#: Arguments, exit code, and words of the one line.
MISTAKES = [
    ([], 2, "available: layout, long, prompts, video"),
    (["suite=nope"], 2, "available: layout, long, prompts, video"),
    (["suite=video", "eval.num_videos=0", "output={tmp}/run"], 2, "num_videos"),
    (["suite=video", "checkpoint={tmp}/nowhere", "output={tmp}/run"], 2, "nowhere"),
    (["suite=video", "output={tmp}/file/run"], 1, "Not a directory"),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("mistakes")
    suites = ["mov_ai.evaluation.video_suite"]
    return forked_runs("mov_ai.evaluate", [arguments for arguments, _, _ in MISTAKES], folder, before=suites)


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_mistakes_are_one_line(runs: list[Run], number: int) -> None:
    (_, code, words), done = MISTAKES[number], runs[number]
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_module_is_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mov_ai.evaluate"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert "available: layout, long, prompts, video" in done.stderr
    assert len(done.stderr.splitlines()) == 1
