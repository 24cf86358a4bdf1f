"""The training as people start it: by torchrun, submitit's local executor, Hydra's launchers and sweepers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mov_ai.training.checkpoint import checkpoint_folder, checkpoint_steps, load_checkpoint

pytestmark = pytest.mark.slow

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
RUN = ["-m", "mov_ai.train", "experiment=debug", "hydra.run.dir=run"]
SWEEP = [sys.executable, "-m", "mov_ai.train", "-m", "experiment=debug"]
QUICK = [
    *("trainer=cpu", "trainer.threads=1", "trainer.max_steps=30", "trainer.ema_decay=0", "trainer.sheet_every=0"),
    "trainer.validate_every=0",
]


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=400)


def environment() -> dict[str, str]:
    # As the root of the checkout, so that what is started in another folder finds it.
    root = str(Path(__file__).parents[2])
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": root, "HYDRA_FULL_ERROR": "1"}


def told(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("mov_ai.train: ")]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["trainer.global_batch=65"], "trainer.global_batch: 65 samples cannot be shared out among 2 processes"),
        (["trainer.precision=fp16"], "trainer.precision: fp16 needs a GPU"),
        (["trainer.resume=nowhere"], "nowhere: no such checkpoint folder"),
        (["trainer.recompute=true"], "trainer.recompute: Sequential has no blocks"),
    ],
)
def test_a_mistake_is_told_by_one_process(settings: list[str], words: str, tmp_path: Path) -> None:
    done = run([*TORCHRUN, *RUN, *QUICK, *settings], tmp_path)
    assert done.returncode != 0
    (line,) = told(done.stderr)
    assert words in line
    assert not (tmp_path / "run" / "checkpoints").exists()
    assert not (tmp_path / "run" / "result.json").exists()


def test_sharing_out_is_left_to_the_trainer(tmp_path: Path) -> None:
    command = [*TORCHRUN, *RUN, *QUICK]
    done = subprocess.run(
        command, cwd=tmp_path, env={**environment(), "ACCELERATE_USE_FSDP": "true"}, capture_output=True, text=True
    )
    (line,) = told(done.stderr)
    assert "accelerate launch: asks for FSDP; start it with --multi_gpu alone" in line


def test_torchrun_starts_a_killed_worker_again_and_the_run_goes_on(tmp_path: Path) -> None:
    settings = ["trainer.max_steps=300", "trainer.checkpoint_every_steps=20", "trainer.shard=true", "trainer=cpu"]
    command = [*TORCHRUN, "--max_restarts", "1", *RUN, "trainer.threads=1", "trainer.sheet_every=0", *settings]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        checkpoints = tmp_path / "run" / "checkpoints"
        deadline = time.monotonic() + 200
        while not checkpoint_steps(checkpoints):
            assert process.poll() is None
            assert time.monotonic() < deadline, "no checkpoint"
            time.sleep(0.05)
        workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_text() for pid in workers}
        training = [pid for pid, line in commands.items() if "mov_ai.train" in line]
        assert len(training) == 2
        os.kill(training[1], signal.SIGKILL)
        said, _ = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert "resumed from" in said
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["status"], result["steps"], result["processes"]) == ("finished", 300, 2)
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    steps = [row["step"] for row in rows if "loss" in row]
    assert steps == sorted(set(steps))
    assert load_checkpoint(checkpoint_folder(checkpoints, 300)).in_parts
    assert not list(checkpoints.glob(".*"))


def test_submitit_starts_processes_that_train_together(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    launcher = ["hydra/launcher=submitit_local", "hydra.launcher.tasks_per_node=2", "hydra.launcher.timeout_min=5"]
    settings = ["objective.batch_size=32", "trainer.global_batch=64", "trainer.shard=true", "objective.width=6,12"]
    done = run([*SWEEP, *QUICK, *settings, *launcher], tmp_path)
    assert done.returncode == 0, done.stderr
    runs = json.loads((tmp_path / "runs" / "sweeps" / "debug" / "results.json").read_text())
    assert [run["status"] for run in runs] == ["finished", "finished"]
    for place in (tmp_path / "runs" / "sweeps" / "debug").glob("*/result.json"):
        assert json.loads(place.read_text())["processes"] == 2
        assert load_checkpoint(checkpoint_folder(place.parent / "checkpoints", 30)).in_parts


def test_joblib_starts_runs_side_by_side(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    done = run([*SWEEP, *QUICK, "objective.width=6,12", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"], tmp_path)
    assert done.returncode == 0, done.stderr
    runs = json.loads((tmp_path / "runs" / "sweeps" / "debug" / "results.json").read_text())
    assert [run["status"] for run in runs] == ["finished", "finished"]


def test_optuna_chooses_settings_and_a_report_plots_them(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    sweeper = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", "hydra.sweeper.n_jobs=1"]
    space = ["trainer.learning_rate=tag(log,interval(1e-3,1e-1))", "hydra.sweeper.sampler.seed=0"]
    done = run([*SWEEP, *QUICK, *sweeper, *space], tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "runs" / "sweeps" / "debug"
    runs = json.loads((folder / "results.json").read_text())
    assert len({run["overrides"]["trainer.learning_rate"] for run in runs}) == 3
    best = min(run["loss"] for run in runs)
    assert f"{best:.6f}"[:8] in (folder / "optimization_results.yaml").read_text()
    report = run([sys.executable, "-m", "mov_ai.cli.main", "sweep", "report", str(folder)], tmp_path)
    assert report.returncode == 0, report.stderr
    assert "3 runs in" in report.stdout
    assert (folder / "report.svg").exists()
