"""The checkpoint format: a folder of safetensors and one JSON file, complete or absent, without pickles.

`checkpoints/step_00001234/` holds

- `model.safetensors`: the module's parameters and buffers by name;
- `optimizer.safetensors`: the optimiser's state as `<parameter>/exp_avg`, `<parameter>/exp_avg_sq`, `<parameter>/step`;
- `ema.safetensors`: the averaged parameters by name, if averaging is on;
- `state.json`: a `TrainingState`, size and CRC-32 of each of the files above, and a CRC-32 of all that itself.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import logging
import math
import os
import random
import re
import shutil
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pydantic
import pydantic.dataclasses
import safetensors
import safetensors.torch
import torch

from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import read_json

log = logging.getLogger(__name__)

FORMAT = 1
TENSOR_FILES = ("model", "optimizer", "ema")
_STEP_FOLDER = re.compile(r"step_(\d{8,})")
#: What damaged checkpoints are renamed to begin with.
_DAMAGED = "damaged_"
#: What a checkpoint ends with while another one of its step takes its place.
_REPLACED = ".replaced.tmp"


class DamagedCheckpoint(MovAIError):
    """A checkpoint that is incomplete, altered or not of this format. An earlier one may be good."""


_Count = Annotated[int, pydantic.Field(ge=0)]


@pydantic.dataclasses.dataclass(config=pydantic.ConfigDict(strict=True))
class TrainingState:
    """Everything a run needs besides tensors to go on as if it had never stopped.

    Attributes:
        step: optimiser steps done (skipped ones included).
        seconds: time trained so far, over all sessions.
        samples: samples seen.
        skipped: steps skipped because the loss was not finite; `skipped_in_a_row` counts the latest streak.
        running_loss: running mean of the loss, None before the first step.
        random: one `random_states(...)` per process.
        objective: `Objective.config()` at the time of saving.
        trainer: the trainer's settings at the time of saving.
        validation: the latest validation figures.
        best: per validation figure, its lowest and highest value so far and the steps they were seen at.
        ema_updates: updates of the averaged weights, None if averaging is off.
        scaler: state of the fp16 gradient scaler, None in other precisions.
    """

    step: _Count
    seconds: Annotated[float, pydantic.Field(ge=0)]
    samples: _Count
    skipped: _Count
    skipped_in_a_row: _Count
    running_loss: float | None
    random: list[Any]
    objective: dict[str, Any]
    trainer: dict[str, Any]
    validation: dict[str, float | None]
    best: dict[str, Any]
    ema_updates: int | None
    scaler: dict[str, Any] | None


@dataclasses.dataclass
class Checkpoint:
    """A checkpoint in memory; tensors live on the CPU.

    Attributes:
        state: see `TrainingState`.
        tensors: for "model", "optimizer" and, if averaging is on, "ema": tensors by name.
    """

    state: TrainingState
    tensors: dict[str, dict[str, torch.Tensor]]


def finite_or_none(value: float) -> float | None:
    """A float that JSON can hold: NaN and infinities become None."""
    return float(value) if math.isfinite(value) else None


def _encode(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _decode(text: Any, size: int | None = None) -> bytes:
    content = base64.b64decode(text, validate=True)
    if size is not None and len(content) != size:
        raise ValueError(f"a random state of {len(content)} bytes, expected {size}")
    return content


def random_states(generator: torch.Generator) -> dict[str, Any]:
    """The random states of python, numpy, torch (CPU, and the GPU if in use) and `generator`, as JSON values."""
    version, words, gauss = random.getstate()
    _, numpy_words, position, has_gauss, cached = np.random.get_state(legacy=True)
    cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() and torch.cuda.is_initialized() else None
    return {
        "python": {"version": version, "words": _encode(np.asarray(words, "<u4").tobytes()), "gauss": gauss},
        "numpy": {
            "words": _encode(np.asarray(numpy_words, "<u4").tobytes()),
            "position": int(position),
            "has_gauss": int(has_gauss),
            "gauss": float(cached),
        },
        "torch": _encode(torch.get_rng_state().numpy().tobytes()),
        "cuda": None if cuda is None else _encode(cuda.numpy().tobytes()),
        "generator": _encode(generator.get_state().numpy().tobytes()),
    }


def _parse_random_states(states: Any) -> dict[str, Any]:
    """The arguments of each library's own setter."""
    try:
        python, legacy = states["python"], states["numpy"]
        python_words = np.frombuffer(_decode(python["words"], 625 * 4), "<u4")
        python_state = (int(python["version"]), tuple(int(word) for word in python_words), python["gauss"])
        random.Random().setstate(python_state)
        numpy_words = np.frombuffer(_decode(legacy["words"], 624 * 4), "<u4")
        numpy_state = (
            "MT19937",
            numpy_words,
            int(legacy["position"]),
            int(legacy["has_gauss"]),
            float(legacy["gauss"]),
        )
        np.random.RandomState().set_state(numpy_state)
        size = torch.get_rng_state().numel()
        parsed: dict[str, Any] = {"python": python_state, "numpy": numpy_state, "cuda": None}
        for name in ("torch", "generator"):
            parsed[name] = torch.frombuffer(bytearray(_decode(states[name], size)), dtype=torch.uint8)
            torch.Generator().set_state(parsed[name])
        if states["cuda"] is not None:
            parsed["cuda"] = torch.frombuffer(bytearray(_decode(states["cuda"])), dtype=torch.uint8)
    except (KeyError, TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise DamagedCheckpoint(f"random states that cannot be read ({type(error).__name__}: {error})") from None
    return parsed


def set_random_states(states: Mapping[str, Any], generator: torch.Generator) -> None:
    """Put back what `random_states` returned.

    Raises:
        DamagedCheckpoint: if `states` is not of that form. Nothing is changed then.
    """
    parsed = _parse_random_states(states)
    random.setstate(parsed["python"])
    np.random.set_state(parsed["numpy"])
    torch.set_rng_state(parsed["torch"])
    generator.set_state(parsed["generator"])
    if parsed["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(parsed["cuda"])


def checkpoint_steps(root: Path) -> list[int]:
    """Steps of the complete checkpoints in a `checkpoints` folder, ascending; empty if there is no such folder."""
    if not root.is_dir():
        return []
    matches = (_STEP_FOLDER.fullmatch(entry.name) for entry in root.iterdir() if entry.is_dir())
    return sorted(int(match.group(1)) for match in matches if match)


def checkpoint_folder(root: Path, step: int) -> Path:
    """Where the checkpoint of a step lives."""
    return root / f"step_{step:08d}"


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _checksum(path: Path) -> dict[str, int]:
    """Size in bytes and CRC-32 of a file."""
    size, crc = 0, 0
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            size += len(block)
            crc = zlib.crc32(block, crc)
    return {"bytes": size, "crc32": crc}


def _state_checksum(state: Mapping[str, Any]) -> int:
    """CRC-32 of everything that `state.json` says, however it is laid out."""
    content = {name: value for name, value in state.items() if name != "checksum"}
    return zlib.crc32(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())


def _portable(name: str, value: Any) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        raise MovAIError(f"{name} is a {type(value).__name__}; a checkpoint holds tensors only, make it a buffer")
    # A copy of its own: safetensors refuses tensors that share memory, as tied weights do.
    return value.detach().to("cpu", copy=True).contiguous()


def save_checkpoint(root: Path, checkpoint: Checkpoint, keep: int = 2) -> Path:
    """Write a checkpoint under `root`, then remove all but the newest `keep`.

    The folder is written under a temporary name, flushed to the disk and renamed, so a crash at any moment leaves
    either the whole checkpoint or none.

    Raises:
        MovAIError: if it cannot be written. Earlier checkpoints stay, and nothing partial is left.
    """
    folder = checkpoint_folder(root, checkpoint.state.step)
    temporary = root / f".{folder.name}.{os.getpid()}.tmp"
    try:
        temporary.mkdir(parents=True)
        files = {}
        for group in TENSOR_FILES:
            if group in checkpoint.tensors:
                path = temporary / f"{group}.safetensors"
                tensors = {name: _portable(name, value) for name, value in checkpoint.tensors[group].items()}
                safetensors.torch.save_file(tensors, path)
                os.chmod(path, 0o644)
                _sync(path)
                files[path.name] = _checksum(path)
        state = {"format": FORMAT, **dataclasses.asdict(checkpoint.state), "files": files}
        state["checksum"] = _state_checksum(json.loads(json.dumps(state)))
        path = temporary / "state.json"
        path.write_text(json.dumps(state, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        _sync(path)
        _sync(temporary)
        replaced = root / f".{folder.name}.{os.getpid()}{_REPLACED}"
        if folder.exists():
            folder.rename(replaced)
        temporary.rename(folder)
        _sync(root)
        shutil.rmtree(replaced, ignore_errors=True)
        for step in checkpoint_steps(root)[:-keep]:
            # Renamed first: a removal that is cut short must not leave a folder that looks like a checkpoint.
            doomed = root / f".step_{step:08d}.{os.getpid()}.old.tmp"
            checkpoint_folder(root, step).rename(doomed)
            shutil.rmtree(doomed)
    except (OSError, safetensors.SafetensorError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise MovAIError(
            f"{folder}: the checkpoint cannot be written ({reason}); free disk space or choose another place"
        ) from None
    finally:
        if temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def remove_leftovers(root: Path) -> None:
    """Remove temporary folders that a killed run left behind; a checkpoint that was being replaced comes back."""
    if root.is_dir():
        for entry in root.glob(f".step_*{_REPLACED}"):
            folder = root / entry.name.split(".")[1]
            if not folder.exists():
                entry.rename(folder)
        for entry in root.glob(".step_*.tmp"):
            shutil.rmtree(entry, ignore_errors=True)


def _read_state(folder: Path) -> tuple[TrainingState, dict[str, Any]]:
    try:
        content = read_json(folder / "state.json")
    except UsageError as error:
        raise DamagedCheckpoint(str(error)) from None
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        raise DamagedCheckpoint(f"{folder}/state.json: expected an object with a format number")
    if content["format"] != FORMAT:
        raise UsageError(
            f"{folder}: checkpoint format {content['format']}, this version reads {FORMAT}; "
            "use the version of mov_ai that wrote it, or start with trainer.resume=never"
        )
    try:
        state = TrainingState(**content)
        for states in state.random:
            _parse_random_states(states)
    except pydantic.ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        expected = fault["msg"].replace("Input should be", "expected")
        raise DamagedCheckpoint(f"{folder}/state.json: {place}: {expected}, found {fault['input']!r:.40}") from None
    except DamagedCheckpoint as error:
        raise DamagedCheckpoint(f"{folder}/state.json: {error}") from None
    files = content.get("files")
    if not isinstance(files, dict) or not {"model.safetensors", "optimizer.safetensors"} <= files.keys():
        raise DamagedCheckpoint(f"{folder}/state.json: files: expected model.safetensors and optimizer.safetensors")
    if "checksum" not in content:
        log.warning("%s/state.json: has no checksum, as older versions wrote it; changes would not be noticed", folder)
    elif content["checksum"] != _state_checksum(content):
        raise DamagedCheckpoint(f"{folder}/state.json: does not match its checksum; it is altered")
    named = _STEP_FOLDER.fullmatch(folder.name)
    if named is not None and int(named[1]) != state.step:
        raise DamagedCheckpoint(f"{folder}/state.json: step: expected {int(named[1])}, found {state.step}")
    return state, files


def _read_tensors(path: Path, expected: Any) -> dict[str, torch.Tensor]:
    try:
        with path.open("rb") as file:
            head = file.read(9)
        # Zip archives and pickle protocols 2-5 are named, and never opened. Safetensors have a brace at the ninth byte.
        if head[8:] != b"{" and head[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
            raise DamagedCheckpoint(f"{path}: holds a pickle, which can run code and is not read; expected safetensors")
        actual = _checksum(path)
        if actual != expected:
            raise DamagedCheckpoint(f"{path}: found {actual}, state.json says {expected}; it is truncated or altered")
        return safetensors.torch.load_file(path)
    except OSError as error:
        raise DamagedCheckpoint(f"{path}: cannot be read ({error.strerror})") from None
    except safetensors.SafetensorError as error:
        raise DamagedCheckpoint(f"{path}: not a safetensors file ({error})") from None


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read and verify one checkpoint folder.

    Raises:
        DamagedCheckpoint: if a file is missing, truncated, altered, a pickle, or not of this format.
        UsageError: if `folder` is not a checkpoint folder, or of another format version.
    """
    if folder.is_file():
        raise UsageError(
            f"{folder}: expected a checkpoint folder (step_00001234 with state.json); "
            "single files such as .pt or .ckpt are pickles, which can run code and are not read"
        )
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such checkpoint folder")
    state, files = _read_state(folder)
    names = [group for group in TENSOR_FILES if f"{group}.safetensors" in files]
    return Checkpoint(
        state, {name: _read_tensors(folder / f"{name}.safetensors", files[f"{name}.safetensors"]) for name in names}
    )


def load_newest(root: Path, warn: Callable[[str], None]) -> tuple[Path, Checkpoint] | None:
    """The newest good checkpoint under `root`, or None if there is none at all.

    A damaged one is renamed to `damaged_step_...` with a warning, and the one before it is tried.

    Raises:
        MovAIError: if there are checkpoints and all are damaged, now or when they were tried before.
        UsageError: as `load_checkpoint`.
    """
    steps = checkpoint_steps(root)
    for step in reversed(steps):
        folder = checkpoint_folder(root, step)
        try:
            return folder, load_checkpoint(folder)
        except DamagedCheckpoint as error:
            warn(f"{error}; going back to the checkpoint before it")
            aside = root / f"{_DAMAGED}{folder.name}"
            with contextlib.suppress(OSError):
                shutil.rmtree(aside, ignore_errors=True)
                folder.rename(aside)
    # Also those that an earlier try renamed: the same command again must not begin anew without a word.
    if steps or any(root.glob(f"{_DAMAGED}step_*")):
        raise MovAIError(f"{root}: every checkpoint is damaged; start again with trainer.resume=never")
    return None
