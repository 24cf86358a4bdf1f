"""A sweep: every job in its own folder, one table of all at the end, failed jobs included."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

from mov_ai.training.sweep import job_folder, read_runs


def test_a_sweep_prints_and_saves_all_its_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mov_ai.train", "-m", "experiment=debug", "objective.width=6,12,0"]
    settings = [
        "trainer=cpu",
        "trainer.threads=1",
        "trainer.max_steps=20",
        "trainer.ema_decay=0",
        "trainer.sheet_every=0",
    ]
    done = subprocess.run(
        [*command, *settings],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 1, "a failed run must show in the exit code"
    table, _, errors = done.stdout[done.stdout.index("3 runs in") :].partition("└")
    assert "objective.width" in table
    assert "trainer.max_steps" not in table, "only what differs is shown"
    assert table.count("finished") == 2
    assert table.count("failed") == 1
    assert "expected 1 or more" in errors

    directory = tmp_path / "runs" / "sweeps" / "debug"
    runs = json.loads((directory / "results.json").read_text())
    assert [run["overrides"]["objective.width"] for run in runs] == ["6", "12", "0"]
    assert [run["status"] for run in runs] == ["finished", "finished", "failed"]
    for run in runs[:2]:
        assert run["validation"]["mse"] > 0
        assert run["samples_per_second"] > 0
        assert run["minutes"] is not None
        assert (directory / run["folder"] / "export" / "model.safetensors").exists()
    with (directory / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["objective.width"] for row in rows] == ["6", "12", "0"]
    assert float(rows[0]["loss"]) == runs[0]["loss"]


def test_a_run_without_a_result_is_unfinished(tmp_path: Path) -> None:
    for name, result in (("killed", None), ("torn", "{"), ("odd", "[]")):
        (tmp_path / name / ".hydra").mkdir(parents=True)
        (tmp_path / name / ".hydra" / "overrides.yaml").write_text("- experiment=debug\n- seed=1\n")
        if result is not None:
            (tmp_path / name / "result.json").write_text(result)
    runs = {run["folder"]: run for run in read_runs(tmp_path)}
    assert {run["status"] for run in runs.values()} == {"unfinished"}
    assert runs["killed"]["overrides"] == {"experiment": "debug", "seed": "1"}
    assert "expected JSON" in runs["torn"]["error"]


def test_job_folders_are_plain_names_that_differ() -> None:
    assert job_folder("experiment=tiny/codec,seed=1") == "experiment=tiny-codec,seed=1"
    assert job_folder("") == "job"
    assert "/" not in job_folder("data.root=../../etc")
    long, longer = job_folder("a=" + "x" * 300), job_folder("a=" + "x" * 301)
    assert len(long) < 130
    assert long != longer
