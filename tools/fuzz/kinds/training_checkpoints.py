"""Training checkpoints with bytes of a file, or values of their state, damaged: read again."""

from __future__ import annotations

import json
import logging
import random
import shutil
import tempfile
from functools import cache
from pathlib import Path

import torch

from mov_ai.training.checkpoint import (
    TENSOR_FILES,
    Checkpoint,
    TrainingState,
    load_checkpoint,
    save_checkpoint,
)
from mov_ai.training.random_states import random_states
from tools.fuzz.case import Case, Kind
from tools.fuzz.damage import damaged_bytes, damaged_json, json_text

_STEP = 3


@cache
def _whole() -> Checkpoint:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 3, generator=generator)
    state = TrainingState(
        step=_STEP,
        seconds=1.5,
        samples=24,
        skipped=0,
        skipped_in_a_row=0,
        running_loss=0.25,
        random=[random_states(generator)],
        objective={"objective": "x"},
        trainer={"learning_rate": 0.01},
        validation={"psnr": 30.5},
        best={"psnr": {"highest": 30.5, "at": 3}},
        ema_updates=_STEP,
        scaler=None,
    )
    moments = {f"weight/{name}": weight.abs() for name in ("exp_avg", "exp_avg_sq")}
    optimizer = {"weight/step": torch.tensor(3.0), **moments}
    return Checkpoint(state, {"model": {"weight": weight}, "optimizer": optimizer, "ema": {"weight": weight}})


@cache
def _place() -> tempfile.TemporaryDirectory[str]:
    """Is removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="mov-ai-fuzz-checkpoint-")


@cache
def _saved() -> Path:
    return save_checkpoint(Path(_place().name), _whole())


def make(rng: random.Random, folder: Path) -> Case:
    """A checkpoint of which one file is damaged."""
    place = folder / _saved().name
    shutil.copytree(_saved(), place)
    if rng.random() < 0.5:
        path = place / "state.json"
        value, about = damaged_json(json.loads(path.read_text(encoding="utf-8")), rng)
        path.write_bytes(json_text(value, rng).encode("utf-8", "surrogatepass"))
        has_checksum = not isinstance(value, dict) or "checksum" in value
    else:
        path = place / f"{rng.choice(TENSOR_FILES)}.safetensors"
        content, about = damaged_bytes(path.read_bytes(), rng)
        path.write_bytes(content)
        has_checksum = True

    def run() -> Checkpoint:
        # That an older version's state has no checksum is said in the log.
        logging.disable(logging.WARNING)
        try:
            return load_checkpoint(place)
        finally:
            logging.disable(logging.NOTSET)

    def wrong(found: Checkpoint) -> str | None:
        if has_checksum and found.state != _whole().state:
            return "a changed state is taken"
        for group, tensors in _whole().tensors.items():
            for name, tensor in tensors.items():
                if not torch.equal(found.tensors[group][name], tensor):
                    return f"changed tensors of {group} are taken"
        return None

    return Case(f"{path.name}: {about}", run, wrong)


KIND = Kind("training_checkpoints", 1.0, make)
