"""The checkpoint format: what is written is read back, and nothing else is."""

from __future__ import annotations

import json
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mov_ai.errors import MovAIError, UsageError
from mov_ai.training import checkpoint as format_
from mov_ai.training.checkpoint import (
    Checkpoint,
    DamagedCheckpoint,
    TrainingState,
    checkpoint_steps,
    load_checkpoint,
    load_newest,
    remove_leftovers,
    save_checkpoint,
)
from mov_ai.training.random_states import random_states, set_random_states


def make(step: int = 3) -> Checkpoint:
    generator = torch.Generator().manual_seed(step)
    weight = torch.randn(4, 3, generator=generator)
    state = TrainingState(
        step=step,
        seconds=1.5,
        samples=step * 8,
        skipped=0,
        skipped_in_a_row=0,
        running_loss=0.25,
        random=[random_states(generator)],
        objective={"objective": "x"},
        trainer={},
        validation={"psnr": 30.5, "broken": None},
        best={},
        ema_updates=step,
        scaler=None,
    )
    tensors = {
        # two names for one tensor, as tied weights are
        "model": {"weight": weight, "tied": weight, "count": torch.tensor(7), "empty": torch.zeros(0, 2)},
        "optimizer": {"weight/step": torch.tensor(3.0), "weight/exp_avg": weight.t()},
        "ema": {"weight": weight.bfloat16()},
    }
    return Checkpoint(state, tensors)


def rewrite_state(folder: Path, **changes: Any) -> None:
    path = folder / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    saved = make()
    found = load_checkpoint(save_checkpoint(tmp_path, saved))
    assert found.state == saved.state
    for group, tensors in saved.tensors.items():
        assert found.tensors[group].keys() == tensors.keys()
        for name, tensor in tensors.items():
            assert found.tensors[group][name].dtype == tensor.dtype
            assert torch.equal(found.tensors[group][name], tensor)


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 10, 100_000_000):
        save_checkpoint(tmp_path, make(step), keep=2)
    assert checkpoint_steps(tmp_path) == [10, 100_000_000]
    assert len(list(tmp_path.iterdir())) == 2


def test_random_states_are_put_back() -> None:
    generator = torch.Generator().manual_seed(1)
    random.gauss(0, 1)  # leaves a cached second value, which is part of the state
    np.random.standard_normal()

    def draw() -> list[float]:
        values = [random.gauss(0, 1), random.random(), float(np.random.standard_normal()), torch.rand(1).item()]
        return [*values, torch.rand(1, generator=generator).item()]

    states = json.loads(json.dumps(random_states(generator)))
    first = draw()
    set_random_states(states, generator)
    assert draw() == first


def test_a_full_disk_leaves_the_earlier_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path, make(1))

    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(format_.safetensors.torch, "save_file", full)
    with pytest.raises(MovAIError, match=r"No space left.*free disk space"):
        save_checkpoint(tmp_path, make(2))
    assert [path.name for path in tmp_path.iterdir()] == ["step_00000001"]


def test_leftovers_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, make(1))
    (tmp_path / ".step_00000002.77.tmp").mkdir()
    (tmp_path / ".step_00000002.77.tmp" / "model.safetensors").write_bytes(b"half")
    assert checkpoint_steps(tmp_path) == [1]
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["step_00000001"]


@pytest.mark.parametrize("name", ["model", "optimizer", "ema"])
def test_truncated_altered_and_missing_tensors_are_refused(tmp_path: Path, name: str) -> None:
    folder = save_checkpoint(tmp_path, make())
    path = folder / f"{name}.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(DamagedCheckpoint, match="truncated or altered"):
        load_checkpoint(folder)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DamagedCheckpoint, match="truncated or altered"):
        load_checkpoint(folder)
    path.unlink()
    with pytest.raises(DamagedCheckpoint, match=f"{name}.safetensors: cannot be read"):
        load_checkpoint(folder)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_pickles_are_refused_unread(tmp_path: Path, protocol: int) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    folder = save_checkpoint(tmp_path, make())
    (folder / "model.safetensors").write_bytes(pickle.dumps(Trap(), protocol=protocol))
    with pytest.raises(DamagedCheckpoint, match="pickle"):
        load_checkpoint(folder)
    torch.save({"weight": torch.zeros(2)}, folder / "model.safetensors")
    with pytest.raises(DamagedCheckpoint, match="pickle"):
        load_checkpoint(folder)
    torch.save({"weight": torch.zeros(2)}, tmp_path / "model.pt")
    with pytest.raises(UsageError, match="pickles"):
        load_checkpoint(tmp_path / "model.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"step": "3"}, "step: expected a valid integer, found '3'"),
        ({"step": True}, "step: expected a valid integer, found True"),
        ({"step": -1}, "step: expected greater than or equal to 0, found -1"),
        ({"random": None}, "random: expected a valid list"),
        ({"random": [{}]}, "random states"),
        ({"random": [3]}, "random states"),
        ({"files": {}}, "files: expected model.safetensors"),
        ({"format": None}, "format number"),
    ],
)
def test_a_wrong_state_is_named(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    folder = save_checkpoint(tmp_path, make())
    rewrite_state(folder, **changes)
    with pytest.raises(DamagedCheckpoint, match=words):
        load_checkpoint(folder)


def test_a_state_that_is_not_whole_json_is_damaged(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path, make())
    (folder / "state.json").write_text((folder / "state.json").read_text()[:100])
    with pytest.raises(DamagedCheckpoint, match="expected JSON"):
        load_checkpoint(folder)


def test_another_format_version_is_not_damage(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path, make())
    rewrite_state(folder, format=99)
    with pytest.raises(UsageError, match="format 99"):
        load_newest(tmp_path, lambda message: None)
    assert folder.exists()


def test_the_newest_good_checkpoint_is_found(tmp_path: Path) -> None:
    assert load_newest(tmp_path / "none", lambda message: None) is None
    for step in (1, 2):
        save_checkpoint(tmp_path, make(step))
    (tmp_path / "step_00000002" / "model.safetensors").write_bytes(b"")
    warnings: list[str] = []
    found = load_newest(tmp_path, warnings.append)
    assert found is not None
    assert found[1].state.step == 1
    assert len(warnings) == 1
    (tmp_path / "step_00000001" / "state.json").unlink()
    with pytest.raises(MovAIError, match="every checkpoint is damaged"):
        load_newest(tmp_path, warnings.append)
    # The same command again must not begin anew as if there had been nothing.
    with pytest.raises(MovAIError, match=r"every checkpoint is damaged.*trainer.resume=never"):
        load_newest(tmp_path, warnings.append)
    save_checkpoint(tmp_path, make(3))
    assert load_newest(tmp_path, warnings.append) is not None


@pytest.mark.parametrize(
    "changes",
    [{"step": 4}, {"seconds": 0.0}, {"validation": {}}, {"files": None}, {"checksum": 1}, {"more": 1}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_state_that_was_changed_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    folder = save_checkpoint(tmp_path, make())
    if changes == {"files": None}:
        files = json.loads((folder / "state.json").read_text())["files"]
        files["model.safetensors"]["crc32"] += 1
        changes = {"files": files}
    rewrite_state(folder, **changes)
    with pytest.raises(DamagedCheckpoint, match="does not match its checksum"):
        load_checkpoint(folder)


def test_a_state_may_be_laid_out_anew(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path, make())
    rewrite_state(folder)
    assert load_checkpoint(folder).state == make().state


def test_older_checkpoints_without_a_checksum_are_read_with_a_notice(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = save_checkpoint(tmp_path, make())
    content = json.loads((folder / "state.json").read_text())
    del content["checksum"]
    (folder / "state.json").write_text(json.dumps(content))
    assert load_checkpoint(folder).state == make().state
    assert "has no checksum" in caplog.text
    (folder / "state.json").write_text(json.dumps({**content, "step": 4}))
    with pytest.raises(DamagedCheckpoint, match="step: expected 3, found 4"):
        load_checkpoint(folder)


def test_a_kill_while_a_checkpoint_is_replaced_loses_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path, make())
    rename, done = Path.rename, []

    def killed(self: Path, target: Path) -> Path:
        if done:
            raise KeyboardInterrupt
        done.append(target)
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(tmp_path, make())
    assert checkpoint_steps(tmp_path) == []
    remove_leftovers(tmp_path)
    assert checkpoint_steps(tmp_path) == [3]
    assert load_checkpoint(tmp_path / "step_00000003").state == make().state
    save_checkpoint(tmp_path, make())
    assert [path.name for path in tmp_path.iterdir()] == ["step_00000003"]
