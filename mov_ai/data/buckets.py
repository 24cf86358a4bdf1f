"""Sizes that videos are brought to: the bucket of nearest aspect, by cropping or stretching; boxes go along."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import PIL.Image

from mov_ai.data.sampling import Dropped
from mov_ai.errors import UsageError
from mov_ai.graph import Layout, VideoShape


@dataclass(frozen=True)
class Buckets:
    """The sizes there are, and how a video gets into one.

    Attributes:
        sizes: (height, width) in pixels of each.
        fit: "crop" keeps proportions and cuts off what is too much on two sides; "stretch" keeps everything.
        enlarge: a video that would have to be made larger more than so many times is dropped.

    Raises:
        UsageError: if a value is out of its range.
    """

    sizes: tuple[tuple[int, int], ...] = ((256, 256),)
    fit: str = "crop"
    enlarge: float = 2.0

    def __post_init__(self) -> None:
        if not self.sizes or len(set(self.sizes)) != len(self.sizes):
            raise UsageError("size: expected one or several different sizes, as 256x256,144x256")
        for height, width in self.sizes:
            VideoShape(height=height, width=width)
        if self.fit not in ("crop", "stretch"):
            raise UsageError(f"fit: expected crop or stretch; found {self.fit!r}")
        if not self.enlarge > 0:
            raise UsageError(f"enlarge: expected a number above 0; found {self.enlarge!r}")

    def choose(self, height: int, width: int) -> tuple[int, int]:
        """The (height, width) of nearest aspect.

        Raises:
            Dropped: if the video is too small for it.
        """

        def distance(size: tuple[int, int]) -> float:
            # Rounded, so that of two sizes that are equally near the first is taken: 4:3 lies between 1:1 and 16:9.
            return round(abs(math.log((size[1] / size[0]) / (width / height))), 9)

        chosen = min(self.sizes, key=distance)
        times = max(chosen[0] / height, chosen[1] / width)
        if times > self.enlarge * (1 + 1e-6):
            raise Dropped(
                "too small",
                f"{height}x{width} would be enlarged {times:.2f} times to {chosen[0]}x{chosen[1]}; at most "
                f"{self.enlarge:g} is allowed",
            )
        return chosen

    def kept_part(self, height: int, width: int, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Left, top, right and bottom, in pixels of the video, of what is kept of it for a size."""
        if self.fit == "stretch":
            return 0.0, 0.0, float(width), float(height)
        scale = min(height / size[0], width / size[1])
        kept_height, kept_width = size[0] * scale, size[1] * scale
        left, top = (width - kept_width) / 2, (height - kept_height) / 2
        return left, top, left + kept_width, top + kept_height

    def resize(self, frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Bicubic, without aliasing: uint8 (frames, h, w, 3) to (frames, height, width, 3)."""
        height, width = frames.shape[1:3]
        if (height, width) == size:
            return frames
        part = self.kept_part(height, width, size)
        result = np.empty((len(frames), *size, 3), np.uint8)
        for i, frame in enumerate(frames):
            picture = PIL.Image.fromarray(frame)
            # Shrinks by whole numbers first, which is much faster and at twice the size no worse.
            shrunk = picture.resize((size[1], size[0]), PIL.Image.Resampling.BICUBIC, part, reducing_gap=2.0)
            result[i] = np.asarray(shrunk)
        return result

    def crop_layout(self, layout: Layout, height: int, width: int, size: tuple[int, int]) -> Layout:
        """Boxes of the whole video as boxes of what is kept of it; visibility falls with what is cut off."""
        left, top, right, bottom = self.kept_part(height, width, size)
        scale = np.array([width / (right - left), height / (bottom - top)], np.float32)
        offset = np.array([left / width, top / height], np.float32)
        tracks = []
        for track in layout.tracks:
            boxes = track.boxes.copy()
            boxes[:, :2] = (boxes[:, :2] - offset) * scale
            boxes[:, 2:4] *= scale
            low, high = boxes[:, :2] - boxes[:, 2:4] / 2, boxes[:, :2] + boxes[:, 2:4] / 2
            inside = (high.clip(0, 1) - low.clip(0, 1)).prod(axis=1)
            share = inside / np.maximum(boxes[:, 2:4].prod(axis=1), 1e-9)
            # Rounding takes something off boxes that are wholly inside.
            boxes[:, 5] = np.where(share > 0.999, boxes[:, 5], np.minimum(boxes[:, 5], share))
            boxes[:, :2], boxes[:, 2:4] = boxes[:, :2].clip(-2, 3), boxes[:, 2:4].clip(0, 4)
            if not (np.nan_to_num(boxes[:, 5]) == 0).all():
                tracks.append(replace(track, boxes=boxes))
        return replace(layout, tracks=tracks)
