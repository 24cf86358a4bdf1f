"""The stages of a run: what each of them costs, and what it adds to the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mov_ai.evaluation.enlarging import enlarged
from mov_ai.evaluation.inspection.run_folder import RunFolder
from mov_ai.evaluation.metrics.image_quality import psnr
from mov_ai.evaluation.metrics.refinement import flicker, gradient_length

#: How far around a box things and their shadows may be seen, as a share of its sides.
MARGIN = 0.5
#: A floor that is smaller than this share of the frame is not measured.
LEAST_FLOOR = 0.02


@dataclass(frozen=True)
class StageFigures:
    """One stage; measured on the saved MP4s, so with the little that H.264 takes away and adds.

    Attributes:
        size, height, width: of its video in pixels.
        seconds: of its sampling; None where the run does not say.
        sharpness: gradient energy (the squared length of luma's Sobel gradient, summed over all pixels and frames) as a
            multiple of the first stage's, enlarged bilinearly to the same size; 1 adds nothing.
        floor_flicker: mean |frame - next frame| of the still floor, in grey levels; None where none is known.
        to_previous: PSNR to the stage before, enlarged bilinearly, in dB; None for the first.
    """

    size: int
    height: int
    width: int
    seconds: float | None
    sharpness: float
    floor_flicker: float | None
    to_previous: float | None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


def gradient_energy(video: np.ndarray) -> float:
    """The squared length of luma's Sobel gradient, summed over all pixels of a uint8 video (frames, h, w, 3)."""
    # A frame at a time: the gradients of a large video would fill the memory.
    return sum(float(np.square(gradient_length(frame[None])).sum()) for frame in video)


def stage_figures(run: RunFolder, videos: Mapping[int, np.ndarray]) -> list[StageFigures]:
    """The figures of every stage.

    Args:
        videos: size -> uint8 (frames, height, width, 3), first to last.
    """
    result = []
    first = previous = None
    for size, video in videos.items():
        height, width = video.shape[1:3]
        first = video if first is None else first
        plain = gradient_energy(enlarged(first, height, width))
        floor = still_floor_of(run, height, width) if len(video) > 1 else None
        result.append(
            StageFigures(
                size=size,
                height=height,
                width=width,
                seconds=run.record.seconds.get(str(size)),
                sharpness=gradient_energy(video) / max(plain, 1e-9),
                floor_flicker=None if floor is None else flicker(video, floor),
                to_previous=None if previous is None else float(psnr(video, enlarged(previous, height, width)).mean()),
            )
        )
        previous = video
    return result


def still_floor_of(run: RunFolder, height: int, width: int) -> np.ndarray | None:
    """Pixels that no box comes near in any frame, bool (height, width); None if there are few, or the camera may move.

    There is no truth beside a generated video, so what is still is what the layout leaves alone.
    """
    if any(scene.camera for scene in run.graph.of_type("scene")):
        return None
    floor = np.ones((height, width), bool)
    for track in run.layout.tracks:
        for x, y, w, h, _, visible in track.boxes:
            if visible > 0:
                reach_x, reach_y = w * (0.5 + MARGIN), h * (0.5 + MARGIN)
                rows = slice(max(0, int((y - reach_y) * height)), max(0, int(np.ceil((y + reach_y) * height))))
                columns = slice(max(0, int((x - reach_x) * width)), max(0, int(np.ceil((x + reach_x) * width))))
                floor[rows, columns] = False
    return floor if floor.mean() >= LEAST_FLOOR else None
