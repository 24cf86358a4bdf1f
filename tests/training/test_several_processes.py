"""Several processes train as one does at the same global batch, with copies of the network or with shares of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from mov_ai.errors import UsageError
from mov_ai.training.checkpoint import checkpoint_folder, checkpoint_steps, load_checkpoint
from mov_ai.training.settings import TrainerConfig, batches_of_a_step
from mov_ai.training.trained_network import recompute_blocks
from tests.models.builders import given, small_denoiser
from tests.training.several_processes import AS_SHIPPED, CURVE, as_shipped, curve, note, started, train


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left, and one beside them: `copies`, `shares` and `alone`, of three steps each."""
    folder = tmp_path_factory.mktemp("several")
    with started(2, "take_part", folder) as processes:
        train(folder / "alone", 3)
        curve(folder / "1")
        note(folder / "order" / "1", 9)
        for process in processes:
            _, said = process.communicate(timeout=900)
            assert process.returncode == 0, said
    # Shares were judged whole, as copies are.
    (folder / "before.json").write_text((folder / "shares" / "result.json").read_text())
    # One process goes on where two ended, and three where one ended.
    train(folder / "shares", 4)
    train(folder / "alone", 4)
    for name in ("2_copies", "2_shares"):
        note(folder / "order" / name, 6)
    with started(3, "go_on", folder) as processes:
        for process in processes:
            _, said = process.communicate(timeout=600)
            assert process.returncode == 0, said
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["copies", "shares"])
def test_two_processes_train_as_one_does(name: str, folder: Path) -> None:
    alone, together = (load_checkpoint(checkpoint_folder(folder / part / "checkpoints", 3)) for part in ("alone", name))
    assert together.in_parts == (name == "shares")
    assert together.state.samples == alone.state.samples == 12
    assert alone.tensors.keys() == together.tensors.keys() == {"model", "optimizer", "ema"}
    for group, tensors in alone.tensors.items():
        assert tensors.keys() == together.tensors[group].keys()
        for part, tensor in tensors.items():
            assert_close(together.tensors[group][part], tensor, atol=2e-5, rtol=1e-3, msg=f"{group}: {part}")


def losses(folder: Path) -> list[float]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["2_copies", "2_shares"])
def test_the_losses_of_two_processes_are_those_of_one(name: str, folder: Path) -> None:
    alone, together = losses(folder / "1"), losses(folder / name)
    assert len(alone) == len(together) == CURVE
    assert alone[-1] < alone[0] / 10
    assert together == pytest.approx(alone, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["2_copies", "2_shares"])
def test_two_then_one_then_three_processes_take_every_batch_once_and_learn_as_one_does(name: str, folder: Path) -> None:
    place = folder / "order" / name
    notes = [[int(number) for number in path.read_text().split()] for path in place.glob("order_*")]
    # Two, one and three processes, each with a file of its own.
    assert len(notes) == 2 + 1 + 3
    assert sorted(number for numbers in notes for number in numbers) == list(range(9 * 6))
    alone, together = losses(folder / "order" / "1"), losses(place)
    assert len(alone) == len(together) == 9
    assert together == pytest.approx(alone, rel=1e-4)


@pytest.mark.slow
def test_each_process_has_half_of_what_is_shared_out(folder: Path) -> None:
    own = [json.loads((folder / f"shares_{rank}.json").read_text()) for rank in range(2)]
    assert own[0][1] == own[1][1] > 10_000
    assert own[0][0] + own[1][0] == own[0][1]
    assert 0.4 < own[0][0] / own[0][1] < 0.6


@pytest.mark.slow
def test_what_is_shared_out_trains_in_bf16(folder: Path) -> None:
    full, half = losses(folder / "shares"), losses(folder / "half")
    assert half == pytest.approx(full[:3], rel=0.05)
    assert half != full[:3]
    tensors = load_checkpoint(checkpoint_folder(folder / "half" / "checkpoints", 3)).tensors
    assert {tensor.dtype for tensor in tensors["model"].values() if tensor.is_floating_point()} == {torch.float32}


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of what two processes left that shared out, and of what one left that kept all: three steps each."""
    together, alone = tmp_path_factory.mktemp("together"), tmp_path_factory.mktemp("alone")
    with started(2, "take_part_as_shipped", together) as processes:
        for name in AS_SHIPPED:
            as_shipped(alone, name, recompute=False)
        for process in processes:
            _, said = process.communicate(timeout=600)
            assert process.returncode == 0, said
    return together, alone


# In float32 nothing but the order of sums differs. Rounding to bf16 makes more of it: Muon's rounded steps differ by up
# to 1 %.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "most", "most_of_losses"),
    [("recompute", 2e-5, 1e-5), ("muon", 2e-5, 1e-5), ("recompute_half", 2e-3, 1e-3), ("gpu", 5e-2, 1e-2)],
)
def test_shares_train_as_shipped_as_one_process_does(
    name: str, most: float, most_of_losses: float, shipped: tuple[Path, Path]
) -> None:
    together, alone = (folder / name for folder in shipped)
    assert losses(together) == pytest.approx(losses(alone), rel=most_of_losses)
    ours, theirs = (load_checkpoint(checkpoint_folder(place / "checkpoints", 3)) for place in (together, alone))
    assert ours.in_parts
    assert not theirs.in_parts
    for group, tensors in theirs.tensors.items():
        assert tensors.keys() == ours.tensors[group].keys()
        for part, tensor in tensors.items():
            assert ours.tensors[group][part].dtype == tensor.dtype == torch.float32
            assert_close(ours.tensors[group][part], tensor, atol=most, rtol=1e-3, msg=f"{group}: {part}")


@pytest.mark.slow
def test_what_is_shipped_changes_what_is_computed(shipped: tuple[Path, Path]) -> None:
    together, alone = shipped
    ends = {name: losses(alone / name)[-1] for name in AS_SHIPPED}
    assert len(set(ends.values())) == len(ends)
    for name, settings in AS_SHIPPED.items():
        # Only the first process judges. The other one calls a block once a step, and once more to compute it again.
        assert int((together / name / "calls_1").read_text()) == 3 * (1 + settings.get("recompute", False))


@pytest.mark.slow
def test_one_process_goes_on_where_two_ended_and_judges_the_same_network(folder: Path) -> None:
    results = [json.loads((folder / name / "result.json").read_text()) for name in ("alone", "shares", "copies")]
    errors = [result["validation"]["error"] for result in results]
    assert results[1]["steps"] == 4
    assert errors[1] == pytest.approx(errors[0], rel=1e-4)
    before = json.loads((folder / "before.json").read_text())["validation"]["error"]
    assert errors[2] == pytest.approx(before, rel=1e-4)
    sums = [json.loads((folder / name / "export" / "sum.json").read_text()) for name in ("alone", "shares")]
    assert sums[1] == pytest.approx(sums[0], rel=1e-4)


@pytest.mark.slow
def test_caches_are_made_once_by_all_processes_together(folder: Path) -> None:
    made = sorted((folder / "copies" / "made").read_text().splitlines())
    assert made == ["cache by 0", *(f"chunk_{chunk} by {chunk % 2}" for chunk in range(5))]


@pytest.mark.slow
def test_a_killed_process_ends_the_others_with_one_line_and_the_run_goes_on(tmp_path: Path) -> None:
    with started(2, "lose_one", tmp_path) as processes:
        said = [process.communicate(timeout=300)[1] for process in processes]
    assert sorted(process.returncode for process in processes) == [-9, 1]
    survivor = next(text for text, process in zip(said, processes, strict=True) if process.returncode == 1)
    lines = [line for line in survivor.splitlines() if line.startswith("ERROR")]
    assert len(lines) == 1
    assert "another process of this run has ended" in lines[0]
    # That of step 4 may have been on its way to the disk.
    assert re.search(r"last checkpoint, of step [24]$", lines[0])
    assert "Traceback" not in survivor
    note(tmp_path, 6, global_batch=4)
    notes = [[int(number) for number in path.read_text().split()] for path in tmp_path.glob("order_*")]
    # Batches may have been taken twice: what they taught was lost with the process.
    assert {number for numbers in notes for number in numbers} == set(range(6 * 2))
    assert not list(tmp_path.glob("checkpoints/.*"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "words", "steps"),
    [("differ", "process 1 on .* has .* None, process 0", []), ("fail_to_write", "No space left on device", [2])],
)
def test_what_is_wrong_in_one_process_is_said_by_all(what: str, words: str, steps: list[int], tmp_path: Path) -> None:
    with started(2, what, tmp_path) as processes:
        said = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [1, 1]
    for text in said:
        (line,) = [line for line in text.splitlines() if line.startswith("ERROR")]
        assert re.search(words, line)
        assert "Traceback" not in text
    assert checkpoint_steps(tmp_path / "checkpoints") == steps
    for step in steps:
        load_checkpoint(checkpoint_folder(tmp_path / "checkpoints", step))
    assert not list(tmp_path.glob("checkpoints/.*"))


@pytest.mark.slow
def test_what_is_computed_again_gives_the_same_gradients(folder: Path, tmp_path: Path) -> None:
    train(tmp_path, 3, recompute=True)
    kept, again = (
        load_checkpoint(checkpoint_folder(place / "checkpoints", 3)) for place in (folder / "alone", tmp_path)
    )
    for group, tensors in kept.tensors.items():
        assert tensors.keys() == again.tensors[group].keys()
        assert all(torch.equal(again.tensors[group][part], tensor) for part, tensor in tensors.items())


def test_the_batches_of_a_step_follow_from_its_samples() -> None:
    config = TrainerConfig(max_steps=1, global_batch=12)
    assert [batches_of_a_step(config, 2, processes) for processes in (1, 2, 3, 6)] == [6, 3, 2, 1]
    assert batches_of_a_step(TrainerConfig(max_steps=1, accumulate=3), 2, 2) == 3
    with pytest.raises(UsageError, match=r"12 samples cannot be .* 4 processes in batches of 2; use 8 or 16"):
        batches_of_a_step(config, 2, 4)
    with pytest.raises(UsageError, match=r"12 samples cannot be .* 1 process in batches of 16; use 16"):
        batches_of_a_step(config, 16, 1)
    with pytest.raises(UsageError, match=r"accumulate: follows from trainer\.global_batch"):
        TrainerConfig(max_steps=1, global_batch=12, accumulate=2)


def test_a_network_without_blocks_has_nothing_to_compute_again() -> None:
    module = torch.nn.Linear(2, 2)
    with pytest.raises(UsageError, match=r"trainer\.recompute: Linear has no blocks"):
        recompute_blocks(module)


def test_blocks_are_computed_twice_for_a_step() -> None:
    network = small_denoiser(backend="math")
    calls = []
    network.blocks[0].cross.register_forward_hook(lambda *_: calls.append(1))
    recompute_blocks(network)
    noisy = torch.randn(1, 2, 4, 8, 8)
    one, window = torch.ones(1), torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    out = network(noisy, one, one.long() * 0, noisy, window, given(frames=2))
    assert len(calls) == 1
    out.sum().backward()
    assert len(calls) == 2
