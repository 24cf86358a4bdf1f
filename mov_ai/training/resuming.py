"""Going on from a checkpoint: which one, whether it fits this run, and what has changed since it was saved."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from mov_ai.errors import MovAIError, UsageError
from mov_ai.training.checkpoint import Checkpoint, DamagedCheckpoint, TrainingState, load_checkpoint, load_newest
from mov_ai.training.processes import on_main, rank
from mov_ai.training.settings import FREE_SETTINGS

log = logging.getLogger(__name__)

REMEDY = "use another output folder, or trainer.resume=never to begin anew"


def checkpoint_to_resume(resume: str, root: Path) -> tuple[Path, Checkpoint] | None:
    """The checkpoint that a run goes on from; None to begin at step 0. All processes have to ask, and get the same.

    Args:
        resume: auto (the newest under `root`, if any), never, or a checkpoint folder.
        root: the `checkpoints` folder of the run.

    Raises:
        UsageError: if `resume` names no checkpoint.
        MovAIError: if the checkpoint is damaged.
    """
    if resume == "never":
        return None
    verified: list[Checkpoint] = []

    def choose() -> Path | None:
        found = _verified(resume, root)
        if found is None:
            return None
        verified.append(found[1])
        return found[0]

    # One process looks and sets damaged ones aside, so that no two get different ones.
    folder = on_main(choose)
    if folder is None:
        return None
    if verified:
        return folder, verified[0]
    try:
        return folder, load_checkpoint(folder, join_parts=False, verify_parts=False)
    except UsageError:
        raise MovAIError(
            f"{folder}: process 0 sees this checkpoint, process {rank()} does not; the run's folder has to be on a "
            "file system that all nodes share"
        ) from None


def _verified(resume: str, root: Path) -> tuple[Path, Checkpoint] | None:
    if resume == "auto":
        return load_newest(root, log.warning)
    folder = Path(resume)
    try:
        return folder, load_checkpoint(folder, join_parts=False)
    except DamagedCheckpoint as error:
        raise MovAIError(f"{error}; give trainer.resume another checkpoint") from None


def check_objective(folder: Path, state: TrainingState, objective: Mapping[str, Any]) -> None:
    """Raises UsageError if a checkpoint is another objective's."""
    before, now = state.objective.get("objective"), objective.get("objective")
    if before != now:
        raise UsageError(f"{folder}: holds a {before}, this run trains a {now}; {REMEDY}")


def check_tensors(
    folder: Path, group: str, saved: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]
) -> None:
    """Raises UsageError if the tensors of `group`, such as "model", are not those of this network, name by name."""
    for name in [*expected, *saved]:
        expected_shape = tuple(expected[name].shape) if name in expected else "absent"
        theirs = tuple(saved[name].shape) if name in saved else "absent"
        if expected_shape != theirs:
            raise UsageError(
                f"{folder}/{group}.safetensors: holds another network ({name} is {theirs}, "
                f"expected {expected_shape}); {REMEDY}"
            )


#: What AdamW and Muon remember of a parameter.
_STATE_KINDS = ({"step", "exp_avg", "exp_avg_sq"}, {"momentum_buffer"})


def optimizer_states(
    folder: Path,
    saved: Mapping[str, torch.Tensor],
    names: Sequence[Sequence[str]],
    parameters: Mapping[str, torch.Tensor],
) -> list[dict[int, dict[str, torch.Tensor]]]:
    """Each optimiser's state by the number of the parameter, as torch wants it, from `<parameter>/<kind>`.

    Args:
        folder: the checkpoint's, for messages.
        saved: the content of `optimizer.safetensors`.
        names: of the parameters of AdamW, and of Muon if it is used, in the order in which each numbers them.
        parameters: of this network, by name.

    Raises:
        UsageError: if it fits another network, or is incomplete.
    """
    places = {name: (i, number) for i, own in enumerate(names) for number, name in enumerate(own)}
    states: list[dict[int, dict[str, torch.Tensor]]] = [{} for _ in names]
    for key, value in saved.items():
        name, _, kind = key.rpartition("/")
        if name not in places or (kind != "step" and value.shape != parameters[name].shape):
            raise UsageError(
                f"{folder}/optimizer.safetensors: {key} {tuple(value.shape)} fits no parameter of this network; "
                f"{REMEDY}"
            )
        optimizer, number = places[name]
        states[optimizer].setdefault(number, {})[kind] = value
    for own, kinds, by_number in zip(names, _STATE_KINDS, states, strict=False):
        for number, state in by_number.items():
            if state.keys() != kinds:
                raise UsageError(
                    f"{folder}/optimizer.safetensors: {own[number]} has {', '.join(sorted(state))}, "
                    f"expected {', '.join(sorted(kinds))}; begin anew with trainer.resume=never"
                )
    return states


def warn_of_changes(
    folder: Path, state: TrainingState, trainer: Mapping[str, Any], objective: Mapping[str, Any]
) -> None:
    """Other settings are allowed on resuming; each difference is reported."""
    for part, before, now in (
        ("trainer", state.trainer, trainer),
        ("objective", state.objective, json.loads(json.dumps(objective))),
    ):
        for name in sorted({*before, *now}):
            if before.get(name) != now.get(name) and not (part == "trainer" and name in FREE_SETTINGS):
                log.warning(
                    "%s.%s is %s, it was %s when %s was saved; going on with the new value",
                    *(part, name, now.get(name), before.get(name), folder),
                )
