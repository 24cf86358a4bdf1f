"""The training loop: it learns, stops, resumes to the bit, and fails with one clear line."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from mov_ai.errors import MovAIError, UsageError
from mov_ai.training.checkpoint import checkpoint_folder, checkpoint_steps, load_checkpoint
from mov_ai.training.loop import Trainer
from mov_ai.training.objectives.debug import DebugObjective
from mov_ai.training.settings import TrainerConfig, learning_rate_factor

FAST = TrainerConfig(
    max_steps=20, learning_rate=1e-2, warmup_steps=5, ema_decay=0.0, device="cpu", threads=1, log_every=5
)

# All that a resumed run must carry over: averaging, accumulation, dropout (torch's generator), noise (the loop's).
FULL: dict[str, Any] = {
    **{"max_steps": 40, "learning_rate": 1e-2, "warmup_steps": 10, "ema_decay": 0.95, "accumulate": 2},
    **{"checkpoint_every_steps": 7, "validate_every": 10, "sheet_every": 20, "log_every": 5},
    **{"device": "cpu", "threads": 1},
}

SLOW_RUN = """
import json, sys, time
from mov_ai.training.objectives.debug import DebugObjective
from mov_ai.training.loop import Trainer
from mov_ai.training.settings import TrainerConfig
quick = DebugObjective.batch
def slow(self, step):
    time.sleep(0.03)
    return quick(self, step)
DebugObjective.batch = slow
Trainer(DebugObjective(dropout=0.2), TrainerConfig(**json.loads(sys.argv[2])), sys.argv[1]).run()
"""


def wait_for_checkpoint(directory: Path, process: subprocess.Popen, step: int) -> None:
    deadline = time.monotonic() + 60
    while not any(found >= step for found in checkpoint_steps(directory / "checkpoints")):
        assert process.poll() is None, "the run ended before it could be stopped"
        assert time.monotonic() < deadline, "no checkpoint within a minute"
        time.sleep(0.01)


def one_thread() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


class NotFinite(DebugObjective):
    """The loss is NaN at the given batches."""

    def __init__(self, bad: range) -> None:
        super().__init__()
        self.bad = bad
        self.seen = -1

    def batch(self, step: int) -> torch.Tensor:
        self.seen = step
        return super().batch(step)

    def loss(self, module: Any, batch: Any, generator: torch.Generator) -> tuple[torch.Tensor, dict[str, Any]]:
        loss, terms = super().loss(module, batch, generator)
        return loss * (math.nan if self.seen in self.bad else 1.0), terms


def test_the_loss_falls_and_the_run_leaves_its_files(tmp_path: Path) -> None:
    config = dataclasses.replace(FAST, max_steps=150, log_every=50, validate_every=75, sheet_every=75)
    result = Trainer(DebugObjective(), config, tmp_path).run()
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows if "loss" in row]
    assert losses[-1] < 0.25 * losses[0]
    assert result["validation"]["mse"] < 0.05
    assert result["steps"] == 150
    assert result["samples"] == 150 * 64
    assert json.loads((tmp_path / "result.json").read_text()) == result
    card = json.loads((tmp_path / "export" / "card.json").read_text())
    assert card["seed"] == 0
    assert card["versions"]["torch"] == torch.__version__
    assert sorted(path.name for path in (tmp_path / "sheets").iterdir()) == ["step_00000075.png", "step_00000150.png"]
    assert any((tmp_path / "tensorboard").iterdir())
    assert not list(tmp_path.rglob("*.tmp*"))


def test_a_killed_run_resumes_bit_identical(tmp_path: Path) -> None:
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    process = subprocess.Popen([sys.executable, "-c", SLOW_RUN, str(broken), json.dumps(FULL)], env=one_thread())
    try:
        wait_for_checkpoint(broken, process, 14)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (broken / "result.json").exists()

    torch.manual_seed(99)  # what random state the resuming process was in must not matter
    resumed = Trainer(DebugObjective(dropout=0.2), TrainerConfig(**FULL), broken).run()
    unbroken = Trainer(DebugObjective(dropout=0.2), TrainerConfig(**FULL), whole).run()

    assert resumed["validation"] == unbroken["validation"]
    assert resumed["loss"] == unbroken["loss"]
    ours, theirs = (load_checkpoint(checkpoint_folder(place / "checkpoints", 40)) for place in (broken, whole))
    assert ours.tensors.keys() == {"model", "optimizer", "ema"}
    for group, tensors in theirs.tensors.items():
        assert ours.tensors[group].keys() == tensors.keys()
        for name, tensor in tensors.items():
            assert torch.equal(ours.tensors[group][name], tensor), f"{group}: {name}"
    assert ours.state.random == theirs.state.random
    assert ours.state.ema_updates == theirs.state.ema_updates == 40
    exported = [safetensors.torch.load_file(place / "export" / "model.safetensors") for place in (broken, whole)]
    assert all(torch.equal(exported[0][name], tensor) for name, tensor in exported[1].items())
    logged = [
        [
            {name: value for name, value in json.loads(line).items() if "second" not in name}
            for line in (place / "metrics.jsonl").read_text().splitlines()
        ]
        for place in (broken, whole)
    ]
    # The first window after the resume may hold fewer steps; the steps logged, once each, are the same.
    assert [row["step"] for row in logged[0]] == [row["step"] for row in logged[1]]
    assert logged[0][-1] == logged[1][-1]


def test_averaged_weights_are_exported_and_training_goes_on_from_the_others(tmp_path: Path) -> None:
    objective = DebugObjective()
    Trainer(objective, dataclasses.replace(FAST, ema_decay=0.9), tmp_path).run()
    checkpoint = load_checkpoint(checkpoint_folder(tmp_path / "checkpoints", 20))
    exported = safetensors.torch.load_file(tmp_path / "export" / "model.safetensors")
    for name, tensor in objective.module().state_dict().items():
        assert torch.equal(exported[name], checkpoint.tensors["ema"][name])
        assert torch.equal(tensor, checkpoint.tensors["model"][name])
        assert not torch.equal(exported[name], tensor)


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    settings = ["trainer.max_steps=1000000", "trainer.checkpoint_every_steps=50", "trainer.ema_decay=0", "trainer=cpu"]
    process = subprocess.Popen(
        [sys.executable, "-m", "mov_ai.train", "experiment=debug", f"hydra.run.dir={directory}", *settings],
        env=one_thread(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for_checkpoint(directory, process, 50)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "run the same command again" in errors
    assert "Traceback" not in errors
    newest = checkpoint_steps(directory / "checkpoints")[-1]
    assert f"step {newest}" in errors
    load_checkpoint(checkpoint_folder(directory / "checkpoints", newest))


def test_a_finished_run_is_not_trained_again_and_a_longer_one_goes_on(tmp_path: Path) -> None:
    first = Trainer(DebugObjective(), FAST, tmp_path).run()
    again = Trainer(DebugObjective(), FAST, tmp_path).run()
    assert (again["steps"], again["validation"], again["loss"]) == (20, first["validation"], first["loss"])
    longer = Trainer(DebugObjective(), dataclasses.replace(FAST, max_steps=30), tmp_path).run()
    assert longer["steps"] == 30
    assert longer["seconds"] >= first["seconds"]


def test_resume_never_sets_the_earlier_run_aside(tmp_path: Path) -> None:
    Trainer(DebugObjective(), FAST, tmp_path).run()
    Trainer(DebugObjective(), dataclasses.replace(FAST, max_steps=10, resume="never"), tmp_path).run()
    assert checkpoint_steps(tmp_path / "checkpoints") == [10]
    assert checkpoint_steps(tmp_path / "previous" / "1" / "checkpoints") == [20]


def test_resume_from_a_named_checkpoint(tmp_path: Path) -> None:
    Trainer(DebugObjective(), FAST, tmp_path / "a").run()
    start = checkpoint_folder(tmp_path / "a" / "checkpoints", 20)
    config = dataclasses.replace(FAST, max_steps=25, resume=str(start))
    assert Trainer(DebugObjective(), config, tmp_path / "b").run()["steps"] == 25
    with pytest.raises(UsageError, match="no such checkpoint"):
        Trainer(DebugObjective(), dataclasses.replace(FAST, resume="nowhere"), tmp_path / "c").run()


def test_a_damaged_newest_checkpoint_falls_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = dataclasses.replace(FAST, checkpoint_every_steps=10)
    Trainer(DebugObjective(), config, tmp_path).run()
    newest = checkpoint_folder(tmp_path / "checkpoints", 20)
    content = (newest / "model.safetensors").read_bytes()
    (newest / "model.safetensors").write_bytes(content[: len(content) // 2])
    before = (tmp_path / "export" / "model.safetensors").read_bytes()
    with caplog.at_level(logging.INFO):
        Trainer(DebugObjective(), config, tmp_path).run()
    assert "truncated" in caplog.text
    assert "step 10" in caplog.text
    assert (tmp_path / "export" / "model.safetensors").read_bytes() == before
    assert checkpoint_steps(tmp_path / "checkpoints") == [10, 20]
    load_checkpoint(newest)


def test_another_network_or_objective_is_refused(tmp_path: Path) -> None:
    Trainer(DebugObjective(), FAST, tmp_path).run()
    with pytest.raises(UsageError, match=r"\(32, 2\).*\(16, 2\).*another output folder"):
        Trainer(DebugObjective(width=16), FAST, tmp_path).run()
    with pytest.raises(UsageError, match="NotFinite"):
        Trainer(NotFinite(range(0)), FAST, tmp_path).run()


def test_changed_settings_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Trainer(DebugObjective(), FAST, tmp_path).run()
    Trainer(DebugObjective(noise=0.5), dataclasses.replace(FAST, learning_rate=1e-4, max_steps=21), tmp_path).run()
    assert "trainer.learning_rate is 0.0001, it was 0.01" in caplog.text
    assert "objective.noise is 0.5, it was 0.01" in caplog.text
    assert "max_steps" not in caplog.text


def test_the_time_bound_holds_over_sessions(tmp_path: Path) -> None:
    config = dataclasses.replace(FAST, max_steps=None, max_minutes=0.3 / 60, log_every=0)
    first = Trainer(DebugObjective(), config, tmp_path).run()
    assert 0.3 <= first["seconds"] < 1.5
    longer = dataclasses.replace(config, max_minutes=0.6 / 60)
    second = Trainer(DebugObjective(), longer, tmp_path).run()
    assert second["steps"] > first["steps"]
    assert 0.6 <= second["seconds"] < 1.8


def test_a_few_losses_that_are_not_finite_are_skipped(tmp_path: Path) -> None:
    objective = NotFinite(range(5, 8))
    result = Trainer(objective, FAST, tmp_path).run()
    assert result["skipped"] == 3
    assert result["steps"] == 20
    assert all(parameter.isfinite().all() for parameter in objective.module().parameters())


def test_many_losses_that_are_not_finite_end_the_run(tmp_path: Path) -> None:
    config = dataclasses.replace(FAST, checkpoint_every_steps=4)
    with pytest.raises(MovAIError, match=r"not finite 10 times in a row at step 16.*learning_rate"):
        Trainer(NotFinite(range(6, 1000)), config, tmp_path).run()
    newest = checkpoint_steps(tmp_path / "checkpoints")[-1]
    model = load_checkpoint(checkpoint_folder(tmp_path / "checkpoints", newest)).tensors["model"]
    assert all(tensor.isfinite().all() for tensor in model.values())
    assert not (tmp_path / "export").exists()
    assert not (tmp_path / "result.json").exists()


def test_an_unwritable_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(MovAIError, match="cannot be written"):
        Trainer(DebugObjective(), FAST, tmp_path / "file" / "run").run()


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    class StartsAnother(DebugObjective):
        def prepare(self, device: torch.device, progress: Any) -> None:
            Trainer(DebugObjective(), FAST, tmp_path).run()

    with pytest.raises(UsageError, match="another run is training"):
        Trainer(StartsAnother(), FAST, tmp_path).run()
    assert Trainer(DebugObjective(), FAST, tmp_path).run()["steps"] == 20


def test_building_caches_does_not_change_the_numbers_drawn(tmp_path: Path) -> None:
    class Draws(DebugObjective):
        def prepare(self, device: torch.device, progress: Any) -> None:
            progress(1, 1, "caches")
            torch.rand(7)

    drawing, plain = Draws(dropout=0.2), DebugObjective(dropout=0.2)
    Trainer(drawing, FAST, tmp_path / "a").run()
    Trainer(plain, FAST, tmp_path / "b").run()
    for ours, theirs in zip(drawing.module().parameters(), plain.module().parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_failed_export_leaves_the_earlier_one(tmp_path: Path) -> None:
    class FailingExport(DebugObjective):
        def export(self, module: Any, directory: Path, card: dict[str, Any]) -> None:
            (directory / "half").write_text("half")
            if card["steps"] > 20:
                raise MovAIError("no export today")

    Trainer(FailingExport(), FAST, tmp_path).run()
    with pytest.raises(MovAIError, match="today"):
        Trainer(FailingExport(), dataclasses.replace(FAST, max_steps=21), tmp_path).run()
    assert [path.name for path in (tmp_path / "export").iterdir()] == ["half"]
    assert not list(tmp_path.glob(".export*"))


def test_accumulated_batches_equal_one_large_batch(tmp_path: Path) -> None:
    class Halves(DebugObjective):
        """Two batches of 32 that are the halves of one batch of 64."""

        def batch(self, step: int) -> torch.Tensor:
            return super().batch(step // 2).view(2, 32, 2)[step % 2]

    sgd_like = dataclasses.replace(FAST, max_steps=3)
    large, halves = DebugObjective(noise=0.0), Halves(noise=0.0)
    Trainer(large, sgd_like, tmp_path / "large").run()
    Trainer(halves, dataclasses.replace(sgd_like, accumulate=2), tmp_path / "halves").run()
    for ours, theirs in zip(halves.module().parameters(), large.module().parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("has_instructions", [False, True])
def test_bf16_is_warned_of_on_processors_without_it(
    has_instructions: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mov_ai.training.loop.multiplies_bfloat16", lambda: has_instructions)
    Trainer(DebugObjective(), dataclasses.replace(FAST, precision="bf16"), tmp_path)
    assert ("trainer.precision=no trains in float32" in caplog.text) is not has_instructions


def test_bf16_trains_on_the_cpu(tmp_path: Path) -> None:
    result = Trainer(DebugObjective(), dataclasses.replace(FAST, max_steps=60, precision="bf16"), tmp_path).run()
    assert result["validation"]["mse"] < 0.3
    with pytest.raises(UsageError, match="fp16"):
        Trainer(DebugObjective(), dataclasses.replace(FAST, precision="fp16"), tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_steps": None}, "needs an end"),
        ({"max_steps": 0}, "max_steps"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"learning_rate": math.nan}, "learning_rate"),
        ({"schedule": "sawtooth"}, "constant, cosine, linear"),
        ({"ema_decay": 1.0}, "ema_decay"),
        ({"betas": (0.9, 1.5)}, "betas"),
        ({"keep": 0}, "keep"),
        ({"log_every": -1}, "log_every"),
    ],
)
def test_settings_out_of_range_are_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        dataclasses.replace(FAST, **changes)


def test_the_schedule_follows_steps_and_time() -> None:
    config = TrainerConfig(max_steps=100, max_minutes=1.0, warmup_steps=0, schedule="linear")
    assert learning_rate_factor(config, 25, 0.0) == pytest.approx(0.75)
    assert learning_rate_factor(config, 25, 30.0) == pytest.approx(0.5)
    assert learning_rate_factor(config, 200, 0.0) == 0.0
    cosine = dataclasses.replace(config, schedule="cosine", warmup_steps=10)
    assert learning_rate_factor(cosine, 0, 0.0) == pytest.approx(0.1)
    assert learning_rate_factor(cosine, 50, 0.0) == pytest.approx(0.5)
    assert learning_rate_factor(dataclasses.replace(config, schedule="constant"), 99, 59.0) == 1.0
