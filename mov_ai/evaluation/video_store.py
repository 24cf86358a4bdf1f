"""A folder of videos that are made once: each file says what it was made from, and is made again if that changes."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mov_ai.errors import MovAIError
from mov_ai.evaluation.metrics.folders import VideoFolder, scan
from mov_ai.evaluation.metrics.npz_video import BROKEN_ARCHIVE
from mov_ai.graph.files import write_bytes


def weights_digest(checkpoint: str) -> str:
    """Of every weight and setting of a pipeline: of its folder, and of what is embedded, such as the parser."""
    from mov_ai.pipeline_files import ASSETS, pipeline_folder

    digest = hashlib.sha256()
    for folder in (ASSETS, pipeline_folder(checkpoint)):
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in (".json", ".safetensors")):
            digest.update(str(path.relative_to(folder)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Recipe:
    """What a video is made from: the name of its file, and everything that decides the frames, as plain values."""

    name: str
    settings: Mapping[str, Any]


class VideoStore:
    """A folder of .npz files: `video` uint8 (T, H, W, 3), `fps`, and `settings`, JSON.

    Frames are kept as they are, without video compression, so that no figure carries its traces.
    """

    def __init__(self, folder: Path) -> None:
        """The store in a folder, which is made when the first video is."""
        self.folder = folder

    def changed(self, recipe: Recipe) -> list[str] | None:
        """In what the stored video differs from the recipe: [] if in nothing, None if there is no whole file of it."""
        stored_settings = self._settings(recipe.name)
        if stored_settings is None:
            return None
        wanted = json.loads(json.dumps(dict(recipe.settings)))
        return [
            f"{key}: {stored_settings.get(key, 'not given')} then, {wanted.get(key, 'not given')} now"
            for key in dict.fromkeys([*stored_settings, *wanted])
            if stored_settings.get(key) != wanted.get(key)
        ]

    def keep(self, recipe: Recipe, frames: np.ndarray, fps: float) -> None:
        """Write a video uint8 (T, H, W, 3), all or nothing; MovAIError if it cannot be written."""
        buffer = io.BytesIO()
        settings = np.array(json.dumps(dict(recipe.settings)))
        np.savez_compressed(buffer, allow_pickle=False, video=frames, fps=np.float64(fps), settings=settings)
        write_bytes(self._path(recipe.name), buffer.getvalue())

    def files(self, names: Iterable[str]) -> VideoFolder:
        """The stored videos of these names, as the metrics read them; others in the folder are passed over."""
        wanted, stored = set(names), scan(self.folder)
        return replace(stored, files=tuple(file for file in stored.files if file.name in wanted), notices=())

    def frames(self, name: str) -> np.ndarray:
        """One stored video, uint8 (T, H, W, 3); MovAIError if it is not there, or broken."""
        try:
            with np.load(self._path(name), allow_pickle=False) as archive:
                frames: np.ndarray = archive["video"]
        except BROKEN_ARCHIVE as error:
            raise MovAIError(f"{self._path(name)}: cannot be read ({error}); run again to make it again") from None
        return frames

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npz"

    def _settings(self, name: str) -> dict[str, Any] | None:
        try:
            with np.load(self._path(name), allow_pickle=False) as archive:
                if not {"video", "fps", "settings"} <= set(archive.files):
                    return None
                settings = json.loads(str(archive["settings"]))
        except BROKEN_ARCHIVE:
            return None
        return settings if isinstance(settings, dict) else None


def make_missing(
    store: VideoStore,
    recipes: Iterable[Recipe],
    make: Callable[[Recipe], tuple[np.ndarray, float]],
    say: Callable[[str], None],
    what: str,
) -> float:
    """Make the videos that are not there yet, or were made from something else.

    Args:
        make: gives frames and frames per second.
        say: takes a line of videos that are made again and why, and one of those that are used again.
        what: the videos in words.

    Returns:
        Wall seconds for each video that was made; 0 if none was.
    """
    seconds, made, used, reported = 0.0, 0, 0, False
    for recipe in recipes:
        differences = store.changed(recipe)
        if differences == []:
            used += 1
            continue
        if differences and not reported:
            say(f"{store.folder}: {what} made with other settings are made again ({'; '.join(differences)})")
            reported = True
        started = time.perf_counter()
        frames, fps = make(recipe)
        store.keep(recipe, frames, fps)
        seconds, made = seconds + time.perf_counter() - started, made + 1
    if used:
        say(f"{store.folder}: {used} of {used + made} {what} are there already and are used again")
    return seconds / made if made else 0.0
