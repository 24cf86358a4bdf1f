"""What a long run leaves after each window, so that one that is killed goes on from there to the same bits."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mov_ai.data.video_writing import VideoWriter
from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import check_writable, is_stale, read_json, sha256_of, write_bytes, write_json
from mov_ai.long_video.making import Carried
from mov_ai.long_video.windows import OVERLAP
from mov_ai.result import VideoResult
from mov_ai.weight_files import load_weights, require_finite, tensor_bytes

#: Of the carried latents' file; changes when they can no longer be read.
SCHEMA = 1
#: In a result's folder: what a run has so far, and the latents that another run can go on from.
UNFINISHED, CARRIED = "unfinished", "carried.safetensors"
_REQUEST = "request.json"
#: Other files of an unfinished run.
_OWN = ("scene-*-window-*.mkv", "scene-*-window-*.safetensors", "scene-*-window-*.part")


@dataclass(frozen=True)
class Progress:
    """How far a run has come: the next window that is to be made, and what it begins with.

    Attributes:
        scene, window: numbers from 0.
        carried: numbered as frames of that scene.
    """

    scene: int = 0
    window: int = 0
    carried: Carried = field(default_factory=Carried)


def save_carried(path: Path, carried: Carried, **about: str) -> None:
    """Write latents that a video goes on from, all or nothing; `about` goes into the header."""
    tensors: dict[str, Tensor] = {f"stage_{size}": made.contiguous() for size, made in carried.latents.items()}
    notes = {"schema": str(SCHEMA), "frames": json.dumps(list(carried.frames)), **about}
    write_bytes(path, tensor_bytes(tensors, {**notes, "checksum": _checksum(tensors, notes)}))


def save_last_frames(result: VideoResult, folder: Path) -> None:
    """Write the latents of a result's last frames, which another video can go on from, where each frame has its own."""
    count = result.layout.frames
    whole = all(made.shape[1] == count for made in result.latents.values())
    # Of an interpolated video these are other frames, and further apart, than its last ones.
    if result.latents and whole and result.keyframe_fps is None:
        last = range(-min(OVERLAP, count), 0)
        save_carried(folder / CARRIED, Carried(tuple(last), {k: v[:, last[0] :] for k, v in result.latents.items()}))


def _checksum(tensors: dict[str, Tensor], notes: dict[str, str]) -> str:
    """SHA-256 of tensors and of what the header says of them."""
    digest = hashlib.sha256(json.dumps(sorted(notes.items())).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def load_carried(path: Path) -> tuple[Carried, dict[str, str]]:
    """What `save_carried` wrote. Raises UsageError for another schema, MovAIError if it is damaged."""
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            # Copied, for what is read lies in memory as in the file: kernels may add up in another order there, and a
            # run that goes on is to give the same bits.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, RuntimeError) as error:
        raise MovAIError(f"{path}: not a whole safetensors file ({error}); make the video again") from None
    if about.get("schema") != str(SCHEMA):
        raise UsageError(f"{path}: expected latents of schema {SCHEMA}, found {about.get('schema')!r}; make them again")
    # Earlier versions wrote none.
    checksum = about.pop("checksum", None)
    if checksum is not None and checksum != _checksum(tensors, about):
        raise MovAIError(f"{path}: does not match its checksum, so it is damaged; make the video again")
    require_finite(tensors, str(path))
    frames = _frame_numbers(about.get("frames", ""))
    sizes = {name: name.removeprefix("stage_") for name in tensors}
    if frames is None or not all(size.isascii() and size.isdecimal() for size in sizes.values()):
        raise MovAIError(f"{path}: does not say which frames and stages its latents are of; make the video again")
    latents = {int(sizes[name]): tensor for name, tensor in tensors.items()}
    if any(
        made.ndim != 5 or len(made) != 1 or made.shape[1] != len(frames) or not made.is_floating_point()
        for made in latents.values()
    ):
        raise MovAIError(f"{path}: its latents are not of {len(frames)} frames; make the video again")
    return Carried(frames, latents), about


def _frame_numbers(text: str) -> tuple[int, ...] | None:
    """Ascending whole numbers that a header lists, None if it lists something else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, list) or any(type(number) is not int for number in value):
        return None
    return tuple(value) if value == sorted(set(value)) else None


class UnfinishedRun:
    """The folder `unfinished` of a result: the request, the frames of each window that is done, what is carried on.

    Args:
        folder: of the result.
        request: JSON values that decide every bit of the video.
    """

    def __init__(self, folder: Path, request: dict[str, Any]) -> None:
        self.folder, self._request = folder / UNFINISHED, request
        #: SHA-256 of each window's files, by their names.
        self._written: dict[str, str] = {}

    @staticmethod
    def request_in(folder: Path) -> Any:
        """The request of an unfinished run in a result's folder; None if there is none, nobody's if it is damaged."""
        path = folder / UNFINISHED / _REQUEST
        try:
            return read_json(path) if path.is_file() else None
        except UsageError:
            return {}

    def progress(self) -> Progress:
        """How far the run has come, from the beginning if nothing is there.

        Raises:
            MovAIError: if what is there is damaged: that is known before any work, and not only at its end.
        """
        path = self.folder / CARRIED
        if not path.exists() or not (self.folder / _REQUEST).is_file():
            return Progress()
        try:
            carried, about = load_carried(path)
            progress = Progress(int(about["scene"]), int(about["window"]), carried)
            written = json.loads(about["windows"])
            damaged = [name for name, known in written.items() if sha256_of([self.folder / name]) != known]
        except (MovAIError, LookupError, ValueError, AttributeError, RecursionError) as error:
            reason = str(error).split(";")[0] if isinstance(error, MovAIError) else f"{path}: is damaged"
            raise MovAIError(f"{reason}; remove {self.folder} and start again") from None
        if damaged:
            raise MovAIError(f"{self.folder / damaged[0]}: is damaged; remove {self.folder} and start again")
        self._written = written
        return progress

    def put(
        self,
        scene: int,
        window: int,
        frames: np.ndarray,
        fps: float,
        following: Progress,
        latents: Tensor | None = None,
    ) -> None:
        """Keep a window's frames, without loss, and then what follows; a run that is killed between makes it again.

        Args:
            frames: uint8 (n, height, width, 3). latents: (1, n, channels, h, w) of them, if they are to be kept, too.
            following: what comes next.
        """
        if not (self.folder / _REQUEST).is_file():
            # What is left of another run, if anything, is not this one's.
            self.remove()
            check_writable(self.folder)
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(self.folder / _REQUEST, self._request)
        if len(frames):
            path = self._frames(scene, window)
            # The process's own name, so that what is half written is never taken for whole.
            part = path.with_suffix(f".{os.getpid()}.part")
            try:
                with VideoWriter(part, frames.shape[1], frames.shape[2], fps, None) as writer:
                    writer.add(frames)
                os.replace(part, path)
            finally:
                part.unlink(missing_ok=True)
            self._written[path.name] = sha256_of([path])
            if latents is not None:
                kept = path.with_suffix(".safetensors")
                write_bytes(kept, tensor_bytes({"latents": latents.contiguous()}, {}))
                self._written[kept.name] = sha256_of([kept])
        about = {"scene": str(following.scene), "window": str(following.window), "windows": json.dumps(self._written)}
        save_carried(self.folder / CARRIED, following.carried, **about)

    def frames(self, scene: int, window: int) -> Iterator[np.ndarray]:
        """The frames of a window, uint8 (height, width, 3), one by one; MovAIError if they cannot be read."""
        import av

        path = self._frames(scene, window)
        try:
            with av.open(str(path)) as container:
                for frame in container.decode(video=0):
                    yield frame.to_ndarray(format="rgb24")
        except (av.FFmpegError, OSError) as error:
            raise MovAIError(f"{path}: cannot be read ({error}); remove {self.folder} and start again") from None

    def latents(self, scene: int, window: int) -> Tensor:
        """The latents of a window's frames, where they were kept. Raises as `load_weights`."""
        return load_weights(self._frames(scene, window).with_suffix(".safetensors"))["latents"].clone()

    def remove(self) -> None:
        """Once the video is whole. What the user has put there stays."""
        own = [path for pattern in (_REQUEST, CARRIED, *_OWN) for path in self.folder.glob(pattern)]
        with contextlib.suppress(OSError):
            for path in [*own, *filter(is_stale, self.folder.glob(".*"))]:
                path.unlink()
            self.folder.rmdir()

    def _frames(self, scene: int, window: int) -> Path:
        return self.folder / f"scene-{scene:03d}-window-{window:05d}.mkv"
