"""An output folder of `mov-ai generate`, read back: graph, layout, the stages' videos, and how they were made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import pydantic.dataclasses

from mov_ai.data.video import read_video
from mov_ai.errors import UsageError
from mov_ai.graph import Layout, SceneGraph, VideoShape
from mov_ai.graph.files import read_json

#: What every such folder holds.
FILES = ("graph.json", "layout.json", "run.json", "video.mp4")


@pydantic.dataclasses.dataclass(config=pydantic.ConfigDict(extra="ignore"))
class Settings:
    """What of a run's settings decides the video beside graph, layout and seed."""

    steps: tuple[int, ...]
    guidance_text: float
    guidance_graph: float
    shape: VideoShape
    guidance_interval: tuple[float, float] = (0.0, 1.0)


@pydantic.dataclasses.dataclass(config=pydantic.ConfigDict(extra="ignore"))
class Record:
    """What run.json says, as far as it is used here; see `mov_ai.run_record.run_record`."""

    seed: int
    pipeline: str
    dtype: str
    config: Settings
    stages: tuple[int, ...]
    seconds: dict[str, float]
    checkpoint: str | None = None


@dataclass(frozen=True)
class RunFolder:
    """A run and its files.

    Attributes:
        folder: of the run.
        graph, layout: what the video was made from.
        record: how.
    """

    folder: Path
    graph: SceneGraph
    layout: Layout
    record: Record

    @property
    def stages(self) -> list[int]:
        """Sizes of the stages whose videos are there, first to last."""
        return sorted(self.record.stages)

    def video(self, size: int) -> np.ndarray:
        """The video of a stage, uint8 (frames, height, width, 3). Raises as `read_video`."""
        name = "video.mp4" if size == self.stages[-1] else f"stages/{size}.mp4"
        frames, _ = read_video(self.folder / name)
        return frames


def read_run(folder: Path) -> RunFolder:
    """Read a run.

    Raises:
        UsageError: if the folder is not there, is no run, or a file in it is damaged.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; give an output folder of `mov-ai generate`")
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise UsageError(
            f"{folder}: expected an output folder of `mov-ai generate`, with {', '.join(FILES)}; there is no "
            f"{missing[0]}"
        )
    source = folder / "run.json"
    record = _record(read_json(source), str(source))
    return RunFolder(folder, SceneGraph.load(folder / "graph.json"), Layout.load(folder / "layout.json"), record)


def _record(value: Any, source: str) -> Record:
    try:
        record = pydantic.TypeAdapter(Record).validate_python(value)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole file"
        raise UsageError(
            f"{source}: {place}: not as `mov-ai generate` writes it ({first['msg']}); generate the video again"
        ) from None
    if not record.stages:
        raise UsageError(f"{source}: stages: expected one size or more, found none; generate the video again")
    return record
