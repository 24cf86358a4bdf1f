"""From a video's latents to a smoother one: three frames between each two, once or twice, decoded a few at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from mov_ai.errors import UsageError
from mov_ai.graph.video_shape import MAX_FPS
from mov_ai.models.codec import AnyCodec, to_bytes
from mov_ai.models.in_between import decoded, frames_after, in_between
from mov_ai.models.interpolation import BETWEEN, InterpolationNetwork

#: How often interpolation is applied at most; the network knows frames as near as those of 128 a second.
MAX_TIMES = 2


def check_smooth(times: int, frames: int, fps: float) -> None:
    """Raises UsageError if a video cannot be made smoother so many times: it is too fast then, or has one frame."""
    if isinstance(times, bool) or not isinstance(times, int) or not 0 <= times <= MAX_TIMES:
        raise UsageError(f"smooth: expected a whole number from 0 to {MAX_TIMES}; found {times!r}")
    if times and frames < 2:
        raise UsageError("smooth: expected a video of two frames or more, to find others between; found 1 frame")
    rate = smooth_fps(fps, times)
    if times and rate > MAX_FPS:
        raise UsageError(
            f"smooth: {fps:g} frames a second become {rate:g}, and a video has at most {MAX_FPS:g}: make it smoother "
            "fewer times, or begin with fewer frames a second"
        )


def smooth_fps(fps: float, times: int) -> float:
    """Frames a second once a video was made smoother so many times: it lasts as long as before."""
    return fps * (BETWEEN + 1) ** times


def times_for(fps: float, known: float) -> int:
    """How often a video is made smoother to have a rate at the end, so that its own frames are made at the rate that is
    nearest to the one that networks know, by their ratio; the fewest times where two are as near."""
    return min(range(MAX_TIMES + 1), key=lambda times: round(abs(math.log(fps / smooth_fps(known, times))), 6))


def frames_before(frames: int, times: int, stretches: int = 1) -> int:
    """How few frames become so many or more, in so many stretches that follow one another by cuts."""
    return -(-max(frames - stretches, 0) // (BETWEEN + 1) ** times) + stretches


def smooth_frames(
    latents: Iterable[Tensor],
    codec: AnyCodec,
    network: InterpolationNetwork,
    fps: float,
    times: int = 1,
    seed: int = 0,
) -> Iterator[Tensor]:
    """Frames of a smoother video, a few at a time: uint8 (a few, height, width, 3) on the CPU.

    Memory does not grow with the video's length: latents are taken, and frames made, as they are asked for.

    Args:
        latents: (1, channels, h, w) each, of frames that follow one another evenly.
        codec: that they are of; one latent for each frame.
        network: trained on latents of that codec.
        fps: frames a second of the video as it is.
        times: how often three frames are put between each two, 1 or 2.
        seed: of the noise.

    Raises:
        UsageError: for one frame alone, latents of another codec, or one whose latents stand for several frames.
    """
    for time in range(1, times + 1):
        latents = in_between(latents, network, smooth_fps(fps, time), seed)
    for piece in decoded(codec, latents):
        yield to_bytes(piece[0]).cpu()


@dataclass(frozen=True)
class Smoother:
    """What makes a long video smoother: `mov_ai.long_video.running.Between`; see `smooth_frames`."""

    codec: AnyCodec
    network: InterpolationNetwork
    times: int
    seed: int

    def frames_after(self, frames: int) -> int:
        """How many frames come of so many that follow one another without a cut."""
        return frames_after(frames, self.times)

    def fps_after(self, fps: float) -> float:
        """Frames a second of the result; it lasts as long."""
        return smooth_fps(fps, self.times)

    def __call__(self, latents: Iterable[Tensor], fps: float) -> Iterator[Tensor]:
        """Frames uint8 (a few, height, width, 3) of latents (1, channels, h, w), one a frame."""
        device = next(self.network.parameters()).device
        moved = (latent.to(device) for latent in latents)
        return smooth_frames(moved, self.codec, self.network, fps, self.times, self.seed)


def encoded(codec: AnyCodec, frames: Iterable[Tensor]) -> Iterator[Tensor]:
    """Latents (1, channels, h, w) of frames (3, height, width) in [-1, 1], one at a time."""
    with torch.no_grad():
        for frame in frames:
            yield codec.encode(frame[None, None])[:, 0]
