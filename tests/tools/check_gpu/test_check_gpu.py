"""The check of a device, in small and on the CPU: every part runs, is written down, and says so when it fails."""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from mov_ai.errors import MovAIError
from mov_ai.models.attention import attend
from mov_ai.pipeline import MovAIPipeline
from mov_ai.training import latents
from mov_ai.training import planner_scenes as planner_training
from mov_ai.training.objectives import codec as codec_training
from mov_ai.training.objectives.debug import DebugObjective
from mov_ai.training.settings import TrainerConfig
from tests.training.objectives.here_pool import HerePool
from tests.training.test_devices import _small_render
from tools.check_gpu import __main__ as command
from tools.check_gpu import attention, device, runs, steps

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few clips and scenes in a file, made in this process."""
    monkeypatch.setattr(latents, "CHUNK", 2)
    monkeypatch.setattr(planner_training, "CHUNK", 4)
    monkeypatch.setattr(latents, "ProcessPoolExecutor", HerePool)
    monkeypatch.setattr(codec_training, "render", _small_render)
    torch.set_num_threads(1)


def test_every_part_runs_on_a_cpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    said = io.StringIO()
    out = tmp_path / "check.json"
    command.run(CPU, 5.0, True, out, Console(file=said, width=200))
    result = json.loads(out.read_text())
    assert result["failures"] == []
    *attentions, missing = result["attention"]
    # Four shapes, two backends, two types.
    assert len(attentions) == 16
    assert all(row["handed_to_xformers"]["aligned"] for row in attentions)
    assert missing == {"name": "xformers", "skipped": "not installed"}
    assert [row["network"] for row in result["training"]] == ["codec", "denoiser", "planner", "pipeline"]
    assert [row["resumed_at"] for row in result["training"][:3]] == [1, 1, 1]
    (step,) = result["training step"]
    assert step["flops"] > 1e6
    assert step["share_of_peak"] > 0
    assert result["video"][0]["size"] == [16, 32, 32, 3]
    table = " ".join(said.getvalue().replace("│", " ").split())
    assert "training codec to pipeline planner yes" in table
    assert "attention xformers not installed" in table


def test_a_wrong_backend_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = attention.shapes(command.small(command.preset("tiny"))["denoiser"], 1, 4, 4)[3]
    assert shape.bias is not None
    assert attention.check(shape, "sdpa", "fp32", CPU, 1)["ok"]
    monkeypatch.setattr(
        attention, "attend", lambda q, k, v, bias, backend: attend(q, k, v, None if backend == "sdpa" else bias, "math")
    )
    assert not attention.check(shape, "sdpa", "fp32", CPU, 1)["ok"]


def test_what_fails_is_named_and_the_rest_goes_on() -> None:
    def fail() -> list[dict[str, object]]:
        raise RuntimeError("no kernel image\nfor this device")

    check = command.Check(1.0)
    check.part("attention", "tiny", fail)
    check.part("attention", "base", lambda: [{"ok": True}])
    assert check.rows["attention"][0]["failed"] == "RuntimeError: no kernel image"
    assert check.failures == ["attention: tiny"]
    late = command.Check(-1.0)
    late.part("video", "base", fail)
    assert late.rows["video"] == [{"name": "base", "skipped": "no time was left"}]
    assert late.failures == []


def test_failures_end_the_command_with_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command.attention, "checks", lambda *_: [{"ok": False, "shape": "cross"}])
    for module, name in ((command, "_step"), (command, "_video")):
        monkeypatch.setattr(module, name, lambda *_: [{"ok": True}])
    monkeypatch.setattr(command.runs, "chain", lambda *_: [])
    with pytest.raises(MovAIError, match="1 failed: attention: tiny"):
        command.run(CPU, 1.0, True, tmp_path / "out.json", Console(file=io.StringIO()))
    assert json.loads((tmp_path / "out.json").read_text())["failures"] == ["attention: tiny"]


@pytest.mark.slow
def test_compiled_networks_train_and_make_a_video(monkeypatch: pytest.MonkeyPatch) -> None:
    # What is traced is the same on every device; code is not made of it here, which would take minutes and a compiler.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    parts = command.small(command.preset("tiny"))
    (step,) = command._step(parts["denoiser"], steps.Work(1, 4, 1, True), CPU, True, 1e12)
    (video,) = command._video(parts, CPU, True, 32)
    for row in (step, video):
        assert row["compiled"]
        assert row["ok"]
    assert video["size"] == [16, 32, 32, 3]


def test_a_device_that_makes_another_video_than_the_cpu_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = command.small(command.preset("tiny"))
    monkeypatch.setattr(
        MovAIPipeline, "from_pretrained", lambda *_: steps.untrained(parts["denoiser"], parts["codec"], CPU)
    )
    (row,) = command._against_cpu(CPU)
    assert row["ok"]
    assert row["size"] == [16, 32, 32, 3]
    assert row["differences"]["fp32"] == 0
    assert 0 < row["differences"]["bf16"] < 4
    sampled_video, names = steps.sampled_video, []

    def with_fault(pipeline: MovAIPipeline, name: str, *rest: Any) -> dict[str, Any]:
        made = sampled_video(pipeline, name, *rest)
        names.append(name)
        # In the device's video, the second in fp32, one frame is another one.
        if names == ["fp32", "fp32"]:
            made["frames"][-1] = 255 - made["frames"][-1]
        return made

    monkeypatch.setattr(steps, "sampled_video", with_fault)
    (row,) = command._against_cpu(CPU)
    assert row["differences"]["bf16"] < 4
    assert not row["ok"]


def test_networks_are_trained_on_the_gpu_that_was_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now: list[torch.device] = []
    seen: list[torch.device] = []

    class Current:
        def __init__(self, chosen: torch.device) -> None:
            self._chosen = chosen

        def __enter__(self) -> None:
            now.append(self._chosen)

        def __exit__(self, *_: object) -> None:
            now.pop()

    class Seeing(DebugObjective):
        def validate(self, module: torch.nn.Module) -> dict[str, float]:
            seen.extend(now)
            return super().validate(module)

    monkeypatch.setattr(torch.cuda, "device", Current)
    for name in ("forget_memory", "most_memory"):
        monkeypatch.setattr(runs, name, lambda device: None)
    config = TrainerConfig(max_steps=2, warmup_steps=0, device="cpu", threads=1)
    assert runs.trained("debug", Seeing, tmp_path, config, torch.device("cuda:1"), 2)["ok"]
    assert seen == [torch.device("cuda:1")] * 2
    assert now == []
    with device.current(CPU):
        assert now == []
