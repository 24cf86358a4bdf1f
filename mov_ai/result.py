"""What comes out of a pipeline, and the files it becomes: video, stages, graph, layout, latents, record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from mov_ai.data.video import encode_video
from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph import Layout, SceneGraph
from mov_ai.graph.files import staged_folder, write_bytes, write_json
from mov_ai.graph.sketch import drawn_picture

if TYPE_CHECKING:
    import PIL.Image

#: Of latents files; changes when they can no longer be read.
LATENTS_SCHEMA = 2
#: In a result's folder: the outlines that its layout has, as pictures.
SKETCHES = "sketch*.png"
#: What goes with an older result, of one piece or of windows, where a new one takes its place.
REPLACED = (
    *("stages/*.mp4", "latents.safetensors", "carried.safetensors", SKETCHES),
    *("scenes/*/graph.json", "scenes/*/layout.json", f"scenes/*/{SKETCHES}"),
)
#: Characters of a label that a sheet shows: more would not fit, and drawing takes time for each.
SHEET_LABEL = 40


@dataclass
class VideoResult:
    """One generated video and everything on the way to it.

    Attributes:
        frames: uint8 (frames, height, width, 3), the last stage; of a smoother video, with the frames between.
        stages: every stage's frames, by longer side; of a pipeline without the stage asked for, the smaller copy.
        latents: every stage's latents, (1, latent frames, channels, h, w), by longer side.
        graph, layout: what it was made from; what was assumed is marked in the graph.
        run: seed, config, versions, timings, warnings; JSON values.
        fps: frames a second of `frames`.
        keyframe_fps: of the stages, where `frames` has more between theirs; None where it has not.
    """

    frames: np.ndarray
    stages: dict[int, np.ndarray]
    latents: dict[int, Tensor]
    graph: SceneGraph
    layout: Layout
    run: dict[str, Any] = field(default_factory=dict)
    fps: float = 8.0
    keyframe_fps: float | None = None

    @property
    def stage_fps(self) -> float:
        """Frames a second of the stages, and of layout and latents."""
        return self.fps if self.keyframe_fps is None else self.keyframe_fps

    def sheet(self, size: int = 192, boxes: bool = False) -> PIL.Image.Image:
        """Frames of the stage in rows of eight, each `size` pixels on its longer side, with boxes if asked for."""
        import PIL.Image
        import PIL.ImageDraw

        pictures = self.frames if self.keyframe_fps is None else self.stages[max(self.stages)]
        frames, height, width = pictures.shape[:3]
        rows = -(-frames // 8)
        wide, high = (max(1, round(side * size / max(height, width))) for side in (width, height))
        sheet = PIL.Image.new("RGB", (min(8, frames) * wide, rows * high))
        for f, frame in enumerate(pictures):
            picture = PIL.Image.fromarray(frame).resize((wide, high), PIL.Image.Resampling.LANCZOS)
            if boxes:
                draw = PIL.ImageDraw.Draw(picture)
                for track in self.layout.tracks:
                    x, y, w, h, _, visible = track.boxes[f] * [wide, high, wide, high, 1, 1]
                    if visible > 0:
                        draw.rectangle((x - w / 2, y - h / 2, x + w / 2, y + h / 2), outline=(255, 0, 90))
                        draw.text(
                            (x - w / 2, y - h / 2 - 11), (track.label or track.entity)[:SHEET_LABEL], fill=(255, 0, 90)
                        )
            sheet.paste(picture, (f % 8 * wide, f // 8 * high))
        return sheet

    def save(
        self,
        directory: str | Path,
        boxes: bool = False,
        latents: bool = False,
        also: Callable[[Path], None] | None = None,
    ) -> Path:
        """Write video.mp4, the earlier stages, graph.json, layout.json, sheet.png and run.json, and sketch.png where a
        thing has an outline.

        Everything is written beside the folder first and moved into place at the end: a failure leaves nothing behind.
        Of an older result in the folder, run.json goes first, and the new one comes last: what is there without it was
        not finished. Other files stay.

        Args:
            directory: made if absent.
            boxes: draw the layout's boxes on the sheet.
            latents: write latents.safetensors too, to resume from.
            also: called with the folder that becomes the result's, to write more into it.

        Raises:
            MovAIError: if it cannot be written.
        """
        directory = Path(directory)
        with staged_folder(directory, "run.json", REPLACED) as folder:
            last = max(self.stages)
            for size, frames in self.stages.items():
                if size == last and self.keyframe_fps is not None:
                    frames = self.frames
                name, fps = ("video.mp4", self.fps) if size == last else (f"stages/{size}.mp4", self.stage_fps)
                write_bytes(folder / name, encode_video(frames, fps))
            self.graph.save(folder / "graph.json")
            self.layout.save(folder / "layout.json")
            save_outlines(folder, self.layout, *self.stages[last].shape[1:3])
            self.sheet(boxes=boxes).save(folder / "sheet.png")
            if latents:
                save_latents(folder / "latents.safetensors", self)
            if also is not None:
                also(folder)
            write_json(folder / "run.json", self.run)
        return directory


def save_outlines(folder: Path, layout: Layout, height: int, width: int) -> None:
    """Write each outline of a layout as it lies in the first frame, to look at, to edit and to give to `--sketch`.

    The first is sketch.png, others are sketch-2.png and so on, in the order of the tracks; nothing where none is known.
    """
    import PIL.Image

    outlined = [track for track in layout.tracks if track.outline is not None]
    for number, track in enumerate(outlined, 1):
        name = "sketch.png" if number == 1 else f"sketch-{number}.png"
        PIL.Image.fromarray(drawn_picture(track, height, width)).save(folder / name)


def save_latents(path: Path, result: VideoResult) -> None:
    """Write every stage's latents as safetensors, with graph and layout, so that the file alone can be resumed from."""
    import json

    from mov_ai.weight_files import tensor_bytes

    tensors = {f"stage_{size}": latents.contiguous() for size, latents in result.latents.items()}
    about = {
        "schema": str(LATENTS_SCHEMA),
        "fps": repr(result.stage_fps),
        "seed": str(result.run.get("seed", 0)),
        "graph": result.graph.to_json(None),
        "layout": json.dumps(result.layout.to_dict()),
    }
    write_bytes(path, tensor_bytes(tensors, about))


@dataclass
class SavedLatents:
    """What `save_latents` wrote."""

    latents: dict[int, Tensor]
    graph: SceneGraph
    layout: Layout
    seed: int
    fps: float = 8.0


def load_latents(path: str | Path) -> SavedLatents:
    """Read a latents file.

    Raises:
        UsageError: if it is no such file or of another schema. MovAIError: if it is truncated.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise UsageError(
            f"{path}: no such file; give a latents.safetensors that `mov-ai generate --save-latents` wrote"
        )
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise MovAIError(f"{path}: not a whole safetensors file ({error}); save the latents again") from None
    if about.get("schema") != str(LATENTS_SCHEMA):
        raise UsageError(
            f"{path}: expected latents of schema {LATENTS_SCHEMA}, found {about.get('schema')!r}; save them again"
        )
    latents = {
        int(n.removeprefix("stage_")): t.float() for n, t in tensors.items() if n.removeprefix("stage_").isdecimal()
    }
    if not latents or any(t.ndim != 5 or len(t) != 1 or not torch.isfinite(t).all() for t in latents.values()):
        raise UsageError(
            f"{path}: expected finite latents (1, frames, channels, h, w) of a stage or more; found {sorted(latents)}: "
            "save them again"
        )
    graph = SceneGraph.from_json(about.get("graph", ""), f"{path}: graph")
    try:
        seed, fps = int(about.get("seed", "")), float(about.get("fps", ""))
    except ValueError:
        raise UsageError(f"{path}: expected a seed and frames a second in its header; save the latents again") from None
    layout = Layout.from_json(about.get("layout", ""), f"{path}: layout")
    return SavedLatents(latents, graph, layout, seed, fps)
