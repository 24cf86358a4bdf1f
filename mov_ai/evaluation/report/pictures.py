"""What a report shows of a video: a small mp4, and a contact sheet."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import torch

from mov_ai.data.video import encode_video
from mov_ai.graph.files import write_bytes
from mov_ai.worlds.tabletop.world import contact_sheet

CLIPS, SHEETS = "clips", "sheets"
#: Longest side of a clip and of a frame on a sheet, in pixels; frames on a sheet.
_CLIP_SIDE, _FRAME_SIDE, _COLUMNS = 256, 128, 8


def write_pictures(
    folder: Path, name: str, frames: np.ndarray, fps: float, truth: np.ndarray | None = None
) -> tuple[str, str]:
    """Write the clip and the sheet of a video uint8 (T, H, W, 3); returns both files, relative to the report's folder.

    Args:
        truth: a real video of as many frames to show below it on the sheet.

    Raises:
        MovAIError: if they cannot be written.
    """
    clip, sheet = f"{CLIPS}/{name}.mp4", f"{SHEETS}/{name}.jpg"
    write_bytes(folder / clip, encode_video(_at_most(frames, _CLIP_SIDE, even=True), fps, crf=20))
    chosen = np.round(np.linspace(0, len(frames) - 1, min(_COLUMNS, len(frames)))).astype(int)
    rows = [_at_most(frames[chosen], _FRAME_SIDE)]
    if truth is not None:
        height, width = rows[0].shape[1:3]
        below = np.round(np.linspace(0, len(truth) - 1, len(chosen))).astype(int)
        rows.append(_resized(truth[below], width, height))
    buffer = io.BytesIO()
    picture = contact_sheet(torch.from_numpy(np.concatenate(rows)), columns=len(chosen))
    picture.save(buffer, format="JPEG", quality=90, subsampling=0)
    write_bytes(folder / sheet, buffer.getvalue())
    return clip, sheet


def _at_most(frames: np.ndarray, side: int, even: bool = False) -> np.ndarray:
    height, width = frames.shape[1:3]
    scale = min(1.0, side / max(height, width))
    height, width = (max(2, round(length * scale)) for length in (height, width))
    if even:  # as H.264 needs
        height, width = height + height % 2, width + width % 2
    return _resized(frames, width, height)


def _resized(frames: np.ndarray, width: int, height: int) -> np.ndarray:
    if frames.shape[1:3] == (height, width):
        return np.ascontiguousarray(frames)
    resample = PIL.Image.Resampling.LANCZOS
    return np.stack([np.asarray(PIL.Image.fromarray(frame).resize((width, height), resample)) for frame in frames])
