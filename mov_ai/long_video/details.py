"""What a codec cannot hold of a given picture, put back into the frames that still show the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch.nn import functional

from mov_ai.long_video.beginning import encoded, fitted
from mov_ai.models.codec import to_bytes
from mov_ai.pipeline import MovAIPipeline, Request

#: Side in pixels of the squares in which a frame is compared with a picture, a cell of `tiny`'s codec and a pixel more;
#: and the root mean square difference, of 255, at which exp(-1/2) of a picture's details are put back. Chosen on eight
#: clips of the validation split (experiments/long).
SIDE, ALIKE = 9, 12.0
#: How much it counts that a square has another structure, as a share of the picture's own variance there: without this,
#: edges of what has moved on would show on what is as plain as their surroundings. The deviation is of noise.
STRUCTURE, NOISE = 2.0, 3.0


@dataclass(frozen=True)
class KnownPicture:
    """A picture that a frame is to be.

    Attributes:
        number: of the frame.
        pixels: uint8 (height, width, 3), of the video's size.
        coded: the same after the codec, which is as near as latents can come.
    """

    number: int
    pixels: np.ndarray
    coded: np.ndarray

    def details(self, frame: np.ndarray) -> np.ndarray:
        """What to add to a frame, float32 (height, width, 3): the less, the less it looks like the coded picture."""
        apart = frame.astype(np.float32) - self.coded
        square = _means(apart**2).mean(-1, keepdims=True)
        unlike = square / (2 * ALIKE**2) + STRUCTURE * _variance(apart) / (self._own + NOISE**2)
        return np.asarray(np.exp(-unlike) * self._lost)

    @cached_property
    def _lost(self) -> np.ndarray:
        """What the codec cannot hold, float32 (height, width, 3)."""
        return self.pixels.astype(np.float32) - self.coded

    @cached_property
    def _own(self) -> np.ndarray:
        """Variance of the coded picture in the square around each pixel, float32 (height, width, 1)."""
        return _variance(self.coded.astype(np.float32))


def _variance(values: np.ndarray) -> np.ndarray:
    """In the square around each pixel, the mean over channels: float32 (height, width, 1)."""
    return (_means(values**2) - _means(values) ** 2).mean(-1, keepdims=True).clip(0)


def _means(values: np.ndarray) -> np.ndarray:
    """Over the square around each pixel, as far as it lies inside: float32 (height, width, channels)."""
    planes = torch.from_numpy(values).permute(2, 0, 1)[None]
    return functional.avg_pool2d(planes, SIDE, 1, SIDE // 2, count_include_pad=False)[0].permute(1, 2, 0).numpy()


def known_picture(pipeline: MovAIPipeline, request: Request, number: int, picture: np.ndarray) -> KnownPicture:
    """A picture, uint8 (h, w, 3) of any size, in a video's size, and what the pipeline's codec makes of it.

    Raises:
        UsageError: if the codec's latents stand for several frames each.
    """
    height, width = request.shape.height, request.shape.width
    latents = encoded(pipeline, request, picture[None], [0]).latents
    with torch.no_grad():
        coded = to_bytes(pipeline.cascade.decode(latents[max(latents)].to(pipeline.device)))[0].cpu().numpy()
    return KnownPicture(number, fitted(picture[None], height, width)[0], fitted(coded, height, width)[0])


def with_details(
    frames: Iterable[np.ndarray], pictures: Sequence[KnownPicture], first: int = 0
) -> Iterator[np.ndarray]:
    """Frames with the details of the pictures before and after them; those that were given are the pictures themselves.

    Between two pictures, each counts the more, the nearer it is. What moved or changed is left as it was made: there
    are no details for it.

    Args:
        frames: uint8 (height, width, 3), numbered from `first`; each is yielded before the next one is asked for.
        pictures: of some of them, ascending; a number below 0 is of a frame before the first.
    """
    for number, frame in enumerate(frames, first):
        before = next((known for known in reversed(pictures) if known.number <= number), None)
        after = next((known for known in pictures if known.number >= number), None)
        if before is not None and before is after:
            yield before.pixels
        elif before is None and after is None:
            yield frame
        else:
            share = 1.0 if before is None else 0.0
            if before is not None and after is not None:
                share = (number - before.number) / (after.number - before.number)
            both = ((before, 1 - share), (after, share))
            details = sum(weight * known.details(frame) for known, weight in both if known is not None)
            yield (frame + details).round().clip(0, 255).astype(np.uint8)


def with_own_frames(frames: Iterable[np.ndarray], own: Iterable[np.ndarray], distance: int) -> Iterator[np.ndarray]:
    """An interpolated video in which the frames that were there are themselves, and those between have their details.

    A few frames are held at a time, whatever the length.

    Args:
        frames: of the interpolated video, uint8 (height, width, 3), as its codec makes them; the first is one of those
            that were there.
        own: those that were there, of the same size.
        distance: from one of them to the next, in frames of the interpolated video.
    """
    last: KnownPicture | None = None
    between: list[np.ndarray] = []
    pictures = iter(own)
    for number, frame in enumerate(frames):
        if number % distance:
            between.append(frame)
            continue
        here = KnownPicture(number, next(pictures), frame)
        if last is not None:
            yield from with_details([last.coded, *between], [last, here], last.number)
        last, between = here, []
    if last is not None:
        yield last.pixels
