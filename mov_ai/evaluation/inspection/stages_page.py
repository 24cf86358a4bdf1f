"""The page of `mov-ai inspect stages`: the stages side by side at one size, and their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import PIL.Image

from mov_ai.evaluation.enlarging import enlarged
from mov_ai.evaluation.inspection.page import page
from mov_ai.evaluation.inspection.pictures import as_jpeg, chosen_frames, data_address
from mov_ai.evaluation.inspection.run_folder import RunFolder
from mov_ai.evaluation.inspection.stages import MARGIN, StageFigures

#: Frames that are shown, and the longest side of a picture in pixels.
_FRAMES, _SIDE = 4, 512
#: How much differences are strengthened.
_GAIN = 4


@dataclass(frozen=True)
class PictureRow:
    """One moment as all stages have it.

    Attributes:
        title: what is shown.
        pictures: addresses, one for each stage; "" where there is none.
    """

    title: str
    pictures: list[str]


def stages_page(run: RunFolder, videos: Mapping[int, np.ndarray], figures: Sequence[StageFigures]) -> bytes:
    """The whole file, UTF-8.

    Args:
        videos: size -> uint8 (frames, height, width, 3), first to last. figures: of the same stages.
    """
    frames = len(next(iter(videos.values())))
    middle = frames // 2
    rows = []
    crop = _largest_box(run, middle)
    if crop is not None:
        rows.append(_row(videos, middle, f"The largest object in frame {middle + 1}", crop))
    for f in chosen_frames(frames, _FRAMES):
        rows.append(_row(videos, int(f), f"Frame {f + 1}", (0.0, 0.0, 1.0, 1.0)))
    if len(videos) > 1:
        rows.append(
            PictureRow(f"Difference to the stage before in frame {middle + 1}, × {_GAIN}", _differences(videos, middle))
        )
    return page(
        "stages.html",
        title="The stages of a run",
        caption=run.graph.caption,
        facts=f"{run.folder.resolve().name}: {run.record.pipeline}, seed {run.record.seed}",
        figures=figures,
        margin=MARGIN,
        rows=rows,
    )


def _row(
    videos: Mapping[int, np.ndarray], frame: int, title: str, crop: tuple[float, float, float, float]
) -> PictureRow:
    """A frame of all stages, cut out at (left, top, right, bottom) on [0, 1], all at one size."""
    pictures = []
    for video in videos.values():
        height, width = video.shape[1:3]
        box = (crop[0] * width, crop[1] * height, crop[2] * width, crop[3] * height)
        scale = _SIDE / max(box[2] - box[0], box[3] - box[1])
        sides = (max(1, round((box[2] - box[0]) * scale)), max(1, round((box[3] - box[1]) * scale)))
        picture = PIL.Image.fromarray(video[frame]).resize(sides, PIL.Image.Resampling.BILINEAR, box)
        pictures.append(data_address(as_jpeg(picture, 88)))
    return PictureRow(title, pictures)


def _differences(videos: Mapping[int, np.ndarray], frame: int) -> list[str]:
    pictures = [""]
    shown = [video[frame : frame + 1] for video in videos.values()]
    for before, after in pairwise(shown):
        other = enlarged(before, *after.shape[1:3])
        difference = np.abs(after[0].astype(np.int16) - other[0]).mean(-1)
        picture = PIL.Image.fromarray(np.clip(_GAIN * difference, 0, 255).astype(np.uint8))
        picture.thumbnail((_SIDE, _SIDE))
        pictures.append(data_address(as_jpeg(picture.convert("RGB"), 88)))
    return pictures


def _largest_box(run: RunFolder, frame: int) -> tuple[float, float, float, float] | None:
    """Left, top, right, bottom of a cut-out around the largest box that is seen in a frame; None if there is none."""
    boxes = [track.boxes[frame] for track in run.layout.tracks if track.boxes[frame][5] > 0]
    if not boxes:
        return None
    x, y, w, h = max(boxes, key=lambda box: box[2] * box[3])[:4]
    left, top, right, bottom = (float(np.clip(v, 0, 1)) for v in (x - 0.6 * w, y - 0.6 * h, x + 0.6 * w, y + 0.6 * h))
    return (left, top, right, bottom) if right - left > 0.01 and bottom - top > 0.01 else None
