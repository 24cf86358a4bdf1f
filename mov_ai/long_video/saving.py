"""What a long run leaves after each window, so that one that is killed goes on from there to the same bits."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mov_ai.data.video_writing import VideoWriter
from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import check_writable, read_json, write_bytes, write_json
from mov_ai.long_video.making import Carried
from mov_ai.weight_files import load_weights, tensor_bytes

#: Of the carried latents' file; changes when they can no longer be read.
SCHEMA = 1
#: In a result's folder: what a run has so far, and the latents that another run can go on from.
UNFINISHED, CARRIED = "unfinished", "carried.safetensors"
_REQUEST = "request.json"


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
    write_bytes(
        path, tensor_bytes(tensors, {"schema": str(SCHEMA), "frames": json.dumps(list(carried.frames)), **about})
    )


def load_carried(path: Path) -> tuple[Carried, dict[str, str]]:
    """What `save_carried` wrote. Raises UsageError for another schema, MovAIError if it is damaged."""
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            # Copied, for what is read lies in memory as in the file: kernels may add up in another order there, and a
            # run that goes on is to give the same bits.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise MovAIError(f"{path}: not a whole safetensors file ({error}); make the video again") from None
    if about.get("schema") != str(SCHEMA):
        raise UsageError(f"{path}: expected latents of schema {SCHEMA}, found {about.get('schema')!r}; make them again")
    frames = tuple(json.loads(about["frames"]))
    latents = {int(name.removeprefix("stage_")): tensor for name, tensor in tensors.items()}
    if any(made.ndim != 5 or made.shape[1] != len(frames) for made in latents.values()):
        raise MovAIError(f"{path}: its latents are not of {len(frames)} frames; make the video again")
    return Carried(frames, latents), about


class UnfinishedRun:
    """The folder `unfinished` of a result: the request, the frames of each window that is done, what is carried on.

    Args:
        folder: of the result.
        request: JSON values that decide every bit of the video.
    """

    def __init__(self, folder: Path, request: dict[str, Any]) -> None:
        self.folder, self._request = folder / UNFINISHED, request

    @staticmethod
    def request_in(folder: Path) -> Any:
        """The request of an unfinished run in a result's folder; None if there is none."""
        path = folder / UNFINISHED / _REQUEST
        return read_json(path) if path.is_file() else None

    def progress(self) -> Progress:
        """How far the run has come, from the beginning if nothing is there."""
        path = self.folder / CARRIED
        if not path.is_file():
            return Progress()
        carried, about = load_carried(path)
        scene, window = int(about["scene"]), int(about["window"])
        return Progress(scene, window, carried)

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
        if not self.folder.is_dir():
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
            if latents is not None:
                write_bytes(path.with_suffix(".safetensors"), tensor_bytes({"latents": latents.contiguous()}, {}))
        save_carried(self.folder / CARRIED, following.carried, scene=str(following.scene), window=str(following.window))

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
        """Once the video is whole."""
        with contextlib.suppress(OSError):
            shutil.rmtree(self.folder)

    def _frames(self, scene: int, window: int) -> Path:
        return self.folder / f"scene-{scene:03d}-window-{window:05d}.mkv"
