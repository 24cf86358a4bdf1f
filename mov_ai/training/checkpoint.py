"""The checkpoint format: a folder of safetensors and one JSON file, complete or absent, without pickles.

`checkpoints/step_00001234/` holds

- `model.safetensors`: the module's parameters and buffers by name;
- `optimizer.safetensors`: the optimiser's state as `<parameter>/exp_avg`, `<parameter>/exp_avg_sq`, `<parameter>/step`;
- `ema.safetensors`: the averaged parameters by name, if averaging is on;
- `state.json`: a `TrainingState`, size and CRC-32 of each of the files above, and a CRC-32 of all that itself.

Where the network is shared out among processes, each writes a part of all tensors instead of the three files, see
`mov_ai.training.checkpoint_parts`. `state.json` is then the index of the parts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import math
import os
import re
import shutil
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import pydantic
import pydantic.dataclasses
import safetensors
import safetensors.torch
import torch

from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import read_json
from mov_ai.training.random_states import parse_random_states

log = logging.getLogger(__name__)

FORMAT = 1
FORMAT_OF_PARTS = 2
TENSOR_FILES = ("model", "optimizer", "ema")
_STEP_FOLDER = re.compile(r"step_(\d{8,})")
#: Of a part: as torch.distributed.checkpoint names them.
PART_FILE = re.compile(r"shard-\d+-model-\d+-of-\d+\.safetensors")
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
        batches: batches taken by all processes together; None in checkpoints of older versions.
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
    batches: _Count | None = None


@dataclasses.dataclass
class Checkpoint:
    """A checkpoint in memory; tensors live on the CPU.

    Attributes:
        state: see `TrainingState`.
        tensors: for "model", "optimizer" and, if averaging is on, "ema": tensors by name.
        in_parts: whether it lies on disk in the parts of several processes.
    """

    state: TrainingState
    tensors: dict[str, dict[str, torch.Tensor]]
    in_parts: bool = False


def finite_or_none(value: float) -> float | None:
    """A float that JSON can hold: NaN and infinities become None."""
    return float(value) if math.isfinite(value) else None


def checkpoint_steps(root: Path) -> list[int]:
    """Steps of the complete checkpoints in a `checkpoints` folder, ascending; empty if there is no such folder."""
    if not root.is_dir():
        return []
    matches = (_STEP_FOLDER.fullmatch(entry.name) for entry in root.iterdir() if entry.is_dir())
    return sorted(int(match.group(1)) for match in matches if match)


def checkpoint_folder(root: Path, step: int) -> Path:
    """Where the checkpoint of a step lives."""
    return root / f"step_{step:08d}"


def flush_to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def checksum(path: Path) -> dict[str, int]:
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


def write_state(folder: Path, state: TrainingState, files: Mapping[str, Mapping[str, int]], format_: int) -> None:
    """Write `state.json` beside the files that it lists. Raises OSError if it cannot be written."""
    content = {"format": format_, **dataclasses.asdict(state), "files": files}
    content["checksum"] = _state_checksum(json.loads(json.dumps(content)))
    path = folder / "state.json"
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    flush_to_disk(path)


def publish(root: Path, temporary: Path, step: int, keep: int) -> None:
    """Make a temporary folder the checkpoint of its step, then remove all but the newest `keep`. Raises OSError."""
    folder = checkpoint_folder(root, step)
    flush_to_disk(temporary)
    replaced = root / f".{folder.name}.{os.getpid()}{_REPLACED}"
    if folder.exists():
        folder.rename(replaced)
    temporary.rename(folder)
    flush_to_disk(root)
    shutil.rmtree(replaced, ignore_errors=True)
    for old in checkpoint_steps(root)[:-keep]:
        # Renamed first: a removal that is cut short must not leave a folder that looks like a checkpoint.
        doomed = root / f".step_{old:08d}.{os.getpid()}.old.tmp"
        checkpoint_folder(root, old).rename(doomed)
        shutil.rmtree(doomed)


def unwritable(folder: Path, error: BaseException) -> MovAIError:
    """What is said of a checkpoint that cannot be written."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return MovAIError(f"{folder}: the checkpoint cannot be written ({reason}); free disk space or choose another place")


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
                flush_to_disk(path)
                files[path.name] = checksum(path)
        write_state(temporary, checkpoint.state, files, FORMAT)
        publish(root, temporary, checkpoint.state.step, keep)
    except (OSError, safetensors.SafetensorError) as error:
        raise unwritable(folder, error) from None
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
    parts = sum(1 for path in folder.iterdir() if PART_FILE.fullmatch(path.name))
    if parts and not (folder / "state.json").exists():
        raise DamagedCheckpoint(
            f"{folder}: holds {parts} {'part' if parts == 1 else 'parts'} of a checkpoint without state.json, which "
            "says how they belong together; copy the whole folder"
        )
    try:
        content = read_json(folder / "state.json")
    except UsageError as error:
        raise DamagedCheckpoint(str(error)) from None
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        raise DamagedCheckpoint(f"{folder}/state.json: expected an object with a format number")
    if content["format"] not in (FORMAT, FORMAT_OF_PARTS):
        raise UsageError(
            f"{folder}: checkpoint format {content['format']}, this version reads {FORMAT} and {FORMAT_OF_PARTS}; "
            "use the version of mov_ai that wrote it, or start with trainer.resume=never"
        )
    try:
        state = TrainingState(**content)
        for states in state.random:
            parse_random_states(states)
    except pydantic.ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        expected = fault["msg"].replace("Input should be", "expected")
        raise DamagedCheckpoint(f"{folder}/state.json: {place}: {expected}, found {fault['input']!r:.40}") from None
    except ValueError as error:
        raise DamagedCheckpoint(f"{folder}/state.json: {error}") from None
    files = content.get("files")
    if content["format"] == FORMAT_OF_PARTS:
        if not isinstance(files, dict) or not files or not all(PART_FILE.fullmatch(name) for name in files):
            raise DamagedCheckpoint(f"{folder}/state.json: files: expected the parts that processes wrote")
    elif not isinstance(files, dict) or not {"model.safetensors", "optimizer.safetensors"} <= files.keys():
        raise DamagedCheckpoint(f"{folder}/state.json: files: expected model.safetensors and optimizer.safetensors")
    if "checksum" not in content:
        log.warning("%s/state.json: has no checksum, as older versions wrote it; changes would not be noticed", folder)
    elif content["checksum"] != _state_checksum(content):
        raise DamagedCheckpoint(f"{folder}/state.json: does not match its checksum; it is altered")
    named = _STEP_FOLDER.fullmatch(folder.name)
    if named is not None and int(named[1]) != state.step:
        raise DamagedCheckpoint(f"{folder}/state.json: step: expected {int(named[1])}, found {state.step}")
    return state, files


def _verify(path: Path, expected: Any) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(9)
        # Zip archives and pickle protocols 2-5 are named, and never opened. Safetensors have a brace at the ninth byte.
        if head[8:] != b"{" and head[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
            raise DamagedCheckpoint(f"{path}: holds a pickle, which can run code and is not read; expected safetensors")
        actual = checksum(path)
    except OSError as error:
        raise DamagedCheckpoint(f"{path}: cannot be read ({error.strerror})") from None
    if actual != expected:
        raise DamagedCheckpoint(f"{path}: found {actual}, state.json says {expected}; it is truncated or altered")


def _read_tensors(path: Path, expected: Any) -> dict[str, torch.Tensor]:
    _verify(path, expected)
    try:
        return safetensors.torch.load_file(path)
    except OSError as error:
        raise DamagedCheckpoint(f"{path}: cannot be read ({error.strerror})") from None
    except safetensors.SafetensorError as error:
        raise DamagedCheckpoint(f"{path}: not a safetensors file ({error})") from None


def _verify_parts(folder: Path, files: Mapping[str, Any]) -> None:
    unknown = {path.name for path in folder.iterdir() if path.suffix == ".safetensors"} - files.keys()
    if unknown:
        raise DamagedCheckpoint(f"{folder}: {min(unknown)} is of another checkpoint; state.json does not name it")
    with ThreadPoolExecutor(8) as pool:  # a CRC leaves the interpreter to others
        for _ in pool.map(lambda name: _verify(folder / name, files[name]), files):
            pass


def load_checkpoint(folder: Path, join_parts: bool = True, verify_parts: bool = True) -> Checkpoint:
    """Read and verify one checkpoint folder.

    Args:
        folder: `step_00001234`.
        join_parts: bring tensors that lie in parts together; False leaves them on disk, and `tensors` empty.
        verify_parts: read every byte of the parts; False where another process has done so.

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
    if PART_FILE.fullmatch(next(iter(files))):
        if verify_parts:
            _verify_parts(folder, files)
        tensors: dict[str, dict[str, torch.Tensor]] = {}
        if join_parts:
            # Imported when wanted: torch.distributed.checkpoint takes a second to load.
            from mov_ai.training.checkpoint_parts import joined_parts

            tensors = joined_parts(folder)
        return Checkpoint(state, tensors, in_parts=True)
    names = [group for group in TENSOR_FILES if f"{group}.safetensors" in files]
    return Checkpoint(
        state, {name: _read_tensors(folder / f"{name}.safetensors", files[f"{name}.safetensors"]) for name in names}
    )


def load_newest(root: Path, warn: Callable[[str], None]) -> tuple[Path, Checkpoint] | None:
    """The newest good checkpoint under `root`, or None if there is none at all; parts are verified and left on disk.

    A damaged one is renamed to `damaged_step_...` with a warning, and the one before it is tried.

    Raises:
        MovAIError: if there are checkpoints and all are damaged, now or when they were tried before.
        UsageError: as `load_checkpoint`.
    """
    steps = checkpoint_steps(root)
    for step in reversed(steps):
        folder = checkpoint_folder(root, step)
        try:
            return folder, load_checkpoint(folder, join_parts=False)
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
