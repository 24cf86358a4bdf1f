"""The check of a device, in small and on the CPU: every part runs, is written down, and says so when it fails."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch
from rich.console import Console

from mov_ai.errors import MovAIError
from mov_ai.models.attention import attend
from mov_ai.training import latents
from mov_ai.training import planner_scenes as planner_training
from mov_ai.training.objectives import codec as codec_training
from tests.training.objectives.here_pool import HerePool
from tests.training.test_devices import _small_render
from tools.check_gpu import __main__ as command
from tools.check_gpu import attention

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few clips and scenes in a file, made in this process."""
    monkeypatch.setattr(latents, "CHUNK", 2)
    monkeypatch.setattr(planner_training, "CHUNK", 4)
    monkeypatch.setattr(latents, "ProcessPoolExecutor", HerePool)
    monkeypatch.setattr(codec_training, "render", _small_render)
    torch.set_num_threads(1)


def test_every_part_runs_on_a_cpu(tmp_path: Path) -> None:
    said = io.StringIO()
    out = tmp_path / "check.json"
    command.run(CPU, 5.0, True, out, Console(file=said, width=200))
    result = json.loads(out.read_text())
    assert result["failures"] == []
    # Four shapes, two backends, two types.
    assert len(result["attention"]) == 16
    assert all(row["handed_to_xformers"]["aligned"] for row in result["attention"])
    assert [row["network"] for row in result["training"]] == ["codec", "denoiser", "planner", "pipeline"]
    assert [row["resumed_at"] for row in result["training"][:3]] == [1, 1, 1]
    (step,) = result["training step"]
    assert step["flops"] > 1e6
    assert step["share_of_peak"] > 0
    assert result["video"][0]["size"] == [16, 32, 32, 3]
    assert "training codec to pipeline planner yes" in " ".join(said.getvalue().replace("│", " ").split())


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
