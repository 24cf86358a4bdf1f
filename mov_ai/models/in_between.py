"""Sampling the interpolation network: n latent frames become 4n - 3, a stretch at a time, however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor

from mov_ai.diffusion.cosine import follow
from mov_ai.errors import UsageError
from mov_ai.models.codec import AnyCodec
from mov_ai.models.interpolation import BETWEEN, MAX_SKIP, RATE, InterpolationNetwork

#: Keyframes that are worked on together, and those on each side that are looked at as well.
WINDOW, BESIDE = 16, 3
#: Latent frames that are decoded together, and those on each side of them that our decoder sees.
DECODED, SEEN = 8, 2
_T = TypeVar("_T")


def frames_after(frames: int, times: int = 1) -> int:
    """How many frames come of so many when they are interpolated `times` times: 4n - 3 each time."""
    for _ in range(times):
        frames = (BETWEEN + 1) * frames - BETWEEN
    return frames


def skip_for(fps: float) -> float:
    """The skip of a video that is to have `fps` frames a second, see `InterpolationNetwork.forward`."""
    return min(max(RATE / fps, 1.0), MAX_SKIP)


def interpolate(
    latents: Tensor,
    network: InterpolationNetwork,
    fps: float,
    seed: int = 0,
    steps: int | None = None,
    guidance: float | None = None,
    perturbation: int | None = None,
) -> Tensor:
    """Three frames between each two; apply it again for three more between each of those.

    Args:
        latents: (batch, n, channels, h, w) of frames that follow one another evenly, n at least 2.
        network: in evaluation mode, on the latents' device.
        fps: frames a second that the result will be shown at: four times those of the latents.
        seed: of the noise. Each pair has its own, whatever else there is in the video.
        steps, guidance, perturbation: as `InterpolationConfig`, which decides where they are None.

    Returns:
        (batch, 4n - 3, channels, h, w); every fourth frame is one of `latents`, bit for bit.

    Raises:
        UsageError: for fewer than two frames, or latents of another codec.
    """
    return torch.stack(list(in_between(latents.unbind(1), network, fps, seed, steps, guidance, perturbation)), 1)


def in_between(
    keyframes: Iterable[Tensor],
    network: InterpolationNetwork,
    fps: float,
    seed: int = 0,
    steps: int | None = None,
    guidance: float | None = None,
    perturbation: int | None = None,
) -> Iterator[Tensor]:
    """`interpolate`, frame by frame: keyframes and results are (batch, channels, h, w), and few are held at a time.

    Raises:
        UsageError: as `interpolate`, when the first frame is asked for.
    """
    config = network.config
    steps = config.steps if steps is None else steps
    guidance = config.guidance if guidance is None else guidance
    told = config.perturbation if perturbation is None else perturbation
    number = 0
    for window, first, last in neighbourhoods(keyframes, WINDOW, BESIDE):
        if len(window) < 2 and number == 0:
            raise UsageError("interpolation: expected two frames or more, to find others between; found 1")
        if window[0].shape[1] != config.latent_channels:
            raise UsageError(
                f"interpolation: expected latents of {config.latent_channels} channels, as the network was trained "
                f"on; found {window[0].shape[1]}: use it with the codec that it was trained with"
            )
        between = _between(torch.stack(window, 1), network, fps, seed, number - first, steps, guidance, told)
        for place in range(first, last):
            yield window[place]
            if place + 1 < len(window):
                yield from between[:, place].to(window[place]).unbind(1)
        number += last - first


@torch.no_grad()
def _between(
    keyframes: Tensor,
    network: InterpolationNetwork,
    fps: float,
    seed: int,
    number: int,
    steps: int,
    guidance: float,
    told: int,
) -> Tensor:
    """The frames between keyframes (batch, n, ...), the first being the video's `number`-th; (batch, n - 1, 3, ...)."""
    batch, count, *rest = keyframes.shape
    one = torch.ones(batch, device=keyframes.device)
    skip, known = one * skip_for(fps), keyframes.float()

    def predict(noisy: Tensor, time: Tensor) -> Tensor:
        v = network(noisy, time, known, skip, one * told, one)
        if guidance:
            # What it would say of any frames at that skip, less of which there shall be.
            v = (1 + guidance) * v - guidance * network(noisy, time, known, skip, 0 * one, 0 * one)
        return v

    noise = [
        torch.randn((batch, BETWEEN, *rest), generator=torch.Generator().manual_seed(seed * 2**20 + pair))
        for pair in range(number, number + count - 1)
    ]
    if not noise:
        return keyframes.new_zeros(batch, 0, BETWEEN, *rest)
    return follow(predict, torch.stack(noise, 1).to(keyframes.device), steps)


def decoded(codec: AnyCodec, latents: Iterable[Tensor]) -> Iterator[Tensor]:
    """Decode a long video: pieces (batch, a few frames, 3, height, width) in [-1, 1] that follow one another.

    Each is decoded with the latent frames beside it, so that it is what the whole would have been.

    Args:
        codec: of one latent for each frame.
        latents: (batch, channels, h, w) each.

    Raises:
        UsageError: if several frames share a latent.
    """
    require_one_latent_a_frame(codec)
    for window, first, last in neighbourhoods(latents, DECODED, SEEN):
        with torch.no_grad():
            yield codec.decode(torch.stack(window, 1)).float().clamp(-1, 1)[:, first:last]


def require_one_latent_a_frame(codec: AnyCodec) -> None:
    """Raises UsageError for a codec whose latents stand for several frames: between them there is no place for more."""
    if codec.frame_factor > 1:
        raise UsageError(
            f"interpolation: expected a codec with one latent for each frame; found one for {codec.frame_factor}: "
            "use the pipeline `tiny`, or one with an image codec"
        )


def neighbourhoods(items: Iterable[_T], size: int, beside: int) -> Iterator[tuple[list[_T], int, int]]:
    """Items in runs of `size`, each with up to `beside` of those before and after it.

    Yields:
        The items, and where the run itself begins and ends among them.
    """
    source = iter(items)
    held: list[_T] = []
    # Where the next run begins in `held`.
    first = 0
    while True:
        held += islice(source, first + size + beside - len(held))
        last = min(first + size, len(held))
        if first >= last:
            return
        yield list(held), first, last
        dropped = max(last - beside, 0)
        held, first = held[dropped:], last - dropped


def split(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Keyframes (batch, K + 1, ...) and the frames between them (batch, K, 3, ...) of frames (batch, 4K + 1, ...)."""
    between = [frames[:, 1 + i :: BETWEEN + 1] for i in range(BETWEEN)]
    return frames[:, :: BETWEEN + 1], torch.stack(between, 2)


def blend(keyframes: Tensor) -> Tensor:
    """The frames between by linear blending: (batch, K + 1, ...) to (batch, K, 3, ...)."""
    left, right = keyframes[:, :-1, None], keyframes[:, 1:, None]
    share = torch.arange(1, BETWEEN + 1, device=keyframes.device) / (BETWEEN + 1)
    share = share.view(1, 1, -1, *[1] * (keyframes.ndim - 2)).to(keyframes)
    return (1 - share) * left + share * right
