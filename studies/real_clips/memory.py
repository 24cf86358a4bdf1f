"""Is what a pipeline generates a clip that it was trained on, and which: by pixels, at the best moment of each clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mov_ai.data.buckets import Buckets
from mov_ai.data.clips import Clip


@dataclass(frozen=True)
class RealClip:
    """A clip as training could see it.

    Attributes:
        name: of its file, without the ending.
        caption: what it was trained with.
        frames: uint8 (n, height, width, 3), the whole clip at the training's frame rate, n of at least one window.
    """

    name: str
    caption: str
    frames: np.ndarray


def load_clips(clips: Sequence[Clip], size: int, frames: int, fps: float) -> list[RealClip]:
    """Every clip, whole, at `fps` frames a second and `size` pixels a side, cut as `mov-ai data prepare` cuts it.

    Clips that are shorter than `frames` frames are left out, as they are there.
    """
    buckets = Buckets(((size, size),))
    loaded = []
    for clip in clips:
        with clip.open() as reader:
            shown = 1 / reader.info.fps
            count = int((reader.info.duration - shown / 2) * fps + 1e-6) + 1
            if count >= frames:
                times = [min(shown / 2 + i / fps, reader.info.duration - shown / 2) for i in range(count)]
                whole = reader.frames_at(times)
                loaded.append(RealClip(Path(clip.key).stem, clip.captions[0], buckets.resize(whole, (size, size))))
    return loaded


def best_error(video: np.ndarray, clip: np.ndarray) -> float:
    """The smallest mean squared error, in [0, 1], between a video and any stretch of a clip of its length.

    Args:
        video: uint8 (frames, height, width, 3).
        clip: uint8 (at least as many frames, height, width, 3).
    """
    wanted = video.astype(np.float32) / 255
    whole = clip.astype(np.float32) / 255
    starts = range(len(whole) - len(wanted) + 1)
    return min(float(np.square(whole[start : start + len(wanted)] - wanted).mean()) for start in starts)


def nearest(video: np.ndarray, clips: Sequence[RealClip]) -> tuple[str, dict[str, float]]:
    """The clip that a video is nearest to, and the PSNR in dB to the best moment of each clip."""
    psnr = {clip.name: -10 * float(np.log10(max(best_error(video, clip.frames), 1e-10))) for clip in clips}
    return max(psnr, key=lambda name: psnr[name]), psnr
