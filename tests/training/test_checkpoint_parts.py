"""Checkpoints in parts: written while training goes on, read by any number of processes, complete or absent.

Here one process writes; `test_several_processes` has two and three.
"""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed

from mov_ai.errors import MovAIError
from mov_ai.training import checkpoint_parts
from mov_ai.training.checkpoint import DamagedCheckpoint, checkpoint_steps, load_checkpoint, load_newest
from mov_ai.training.checkpoint_parts import PartsInWriting, part_sizes, read_parts
from tests.training.test_checkpoint import make


@pytest.fixture
def group() -> Iterator[distributed.ProcessGroup]:
    """Of this process alone."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    group = distributed.new_group(backend="gloo")
    assert isinstance(group, distributed.ProcessGroup)
    yield group
    distributed.destroy_process_group()


def save(root: Path, group: distributed.ProcessGroup, step: int = 3, keep: int = 2) -> Path:
    checkpoint = make(step)
    PartsInWriting(root, checkpoint.state, checkpoint.tensors, keep, group).wait()
    return root / f"step_{step:08d}"


def test_what_is_saved_is_read_back_whatever_changes_meanwhile(tmp_path: Path, group: distributed.ProcessGroup) -> None:
    saved, again = make(), make()
    writing = PartsInWriting(tmp_path, saved.state, saved.tensors, 2, group)
    for tensors in saved.tensors.values():
        for tensor in tensors.values():
            tensor.zero_()
    writing.wait()
    found = load_checkpoint(tmp_path / "step_00000003")
    assert found.in_parts
    assert found.state == again.state
    for name, tensors in again.tensors.items():
        assert found.tensors[name].keys() == tensors.keys()
        for part, tensor in tensors.items():
            assert found.tensors[name][part].dtype == tensor.dtype
            assert torch.equal(found.tensors[name][part], tensor)
    assert sorted(path.suffix for path in (tmp_path / "step_00000003").iterdir()) == [".json", ".safetensors"]


def test_parts_are_read_into_what_is_there(tmp_path: Path, group: distributed.ProcessGroup) -> None:
    folder = save(tmp_path, group)
    assert part_sizes(folder)["model"]["weight"].size == (4, 3)
    present = {"model": {"weight": torch.zeros(4, 3)}}
    read_parts(folder, present)
    assert torch.equal(present["model"]["weight"], make().tensors["model"]["weight"])
    with pytest.raises(DamagedCheckpoint, match="do not fit together"):
        read_parts(folder, {"model": {"other": torch.zeros(4, 3)}})


def test_only_the_newest_are_kept(tmp_path: Path, group: distributed.ProcessGroup) -> None:
    for step in (1, 2, 3, 3):
        save(tmp_path, group, step)
    assert checkpoint_steps(tmp_path) == [2, 3]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_full_disk_leaves_the_earlier_checkpoint(
    tmp_path: Path, group: distributed.ProcessGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, group, 1)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_parts, "write_state", full)
        with pytest.raises(MovAIError, match=r"step_00000002: .* be written \(No space left on device"):
            save(tmp_path, group, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["step_00000001"]
    load_checkpoint(tmp_path / "step_00000001")


def test_damaged_parts_fall_back_to_the_checkpoint_before(tmp_path: Path, group: distributed.ProcessGroup) -> None:
    for step in (1, 2):
        save(tmp_path, group, step)
    (part,) = (tmp_path / "step_00000002").glob("*.safetensors")
    part.write_bytes(part.read_bytes()[:-1])
    warnings: list[str] = []
    found = load_newest(tmp_path, warnings.append)
    assert found is not None
    assert found[1].state.step == 1
    assert found[1].tensors == {}
    assert "truncated or altered" in warnings[0]


def test_parts_without_their_index_are_refused(tmp_path: Path, group: distributed.ProcessGroup) -> None:
    folder = save(tmp_path, group)
    index = (folder / "state.json").read_text()
    (folder / "state.json").unlink()
    with pytest.raises(DamagedCheckpoint, match=r"1 part of a checkpoint without state\.json.*copy the whole folder"):
        load_checkpoint(folder)
    # With the index, but a part of another checkpoint beside its own, or none of its own.
    (folder / "state.json").write_text(index)
    (part,) = folder.glob("*.safetensors")
    shutil.copy(part, folder / "shard-00009-model-00001-of-00001.safetensors")
    with pytest.raises(DamagedCheckpoint, match=r"shard-00009.* is of another checkpoint"):
        load_checkpoint(folder)
    for path in folder.glob("*.safetensors"):
        path.unlink()
    with pytest.raises(DamagedCheckpoint, match="cannot be read"):
        load_checkpoint(folder)
    (folder / "state.json").write_text(json.dumps({**json.loads(index), "files": {}}))
    with pytest.raises(DamagedCheckpoint, match="expected the parts that processes wrote"):
        load_checkpoint(folder)


def test_a_part_that_is_a_pickle_is_refused_unread(tmp_path: Path, group: distributed.ProcessGroup) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    folder = save(tmp_path, group)
    (part,) = folder.glob("*.safetensors")
    part.write_bytes(pickle.dumps(Trap()))
    # What torch.distributed.checkpoint's other storage calls its index.
    (folder / ".metadata").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DamagedCheckpoint, match="pickle"):
        load_checkpoint(folder)
    assert not (tmp_path / "ran").exists()
