"""Ways to spoil a video by degrees, to see whether a metric notices: blur, noise, shuffle, drop, colour shift.

Each takes uint8 (T, H, W, 3), RGB, and a strength in [0, 1], and gives a new array of the same shape and type; strength
0 changes nothing. What a seed draws is drawn once for all strengths, and a stronger distortion contains the weaker one:
the same noise louder, the same frames lost and more. So a metric that falls and rises again does so by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

from mov_ai.errors import UsageError
from mov_ai.models.metric_networks.pixels import check_video

#: Video, strength in [0, 1], seed -> video.
Distortion = Callable[[np.ndarray, float, int], np.ndarray]

#: At strength 1: blur's σ as a share of the shorter side, noise's and the colour shift's size in grey levels.
BLUR_SIGMA, NOISE_SIGMA, COLOUR_SHIFT = 1 / 16, 51.0, 80.0
#: At strength 1, between the true order (0) and a random one (π / 2).
SHUFFLE_ANGLE = 3 * math.pi / 8


def blur(video: np.ndarray, strength: float, seed: int = 0) -> np.ndarray:
    """Gaussian blur of each frame, σ up to 1/16 of the shorter side; `seed` is not used.

    Raises:
        UsageError: as `check_video`, or for a strength outside [0, 1].
    """
    _check(video, strength)
    sigma = strength * BLUR_SIGMA * min(video.shape[1:3])
    blurred: np.ndarray = gaussian_filter(video.astype(np.float32), (0, sigma, sigma, 0), mode="nearest")
    return _to_uint8(blurred)


def noise(video: np.ndarray, strength: float, seed: int = 0) -> np.ndarray:
    """White Gaussian noise, other in each frame and channel, σ up to 51 grey levels (0.2 of the range).

    Raises:
        UsageError: as `blur`.
    """
    _check(video, strength)
    drawn = np.random.default_rng(seed).standard_normal(video.shape, np.float32)
    return _to_uint8(video + np.float32(NOISE_SIGMA * strength) * drawn)


def shuffle(video: np.ndarray, strength: float, seed: int = 0) -> np.ndarray:
    """Frames leave their order for a random one: sorted by cos(a) t + sin(a) p(t), p a drawn permutation, a = 3π/8 s.

    Two frames change sides at one strength s and never change back, so that disorder only grows, and about evenly: the
    share of pairs in the wrong order (Kendall's distance) is about 3 s / 8. A random order has a half; but from 3/8 on
    neighbours are as far apart as there, and what compares neighbours could not see more.

    Raises:
        UsageError: as `blur`.
    """
    _check(video, strength)
    places, angle = np.random.default_rng(seed).permutation(len(video)), SHUFFLE_ANGLE * strength
    keys = math.cos(angle) * np.arange(len(video)) + math.sin(angle) * places
    return video[np.argsort(keys, kind="stable")]


def drop(video: np.ndarray, strength: float, seed: int = 0) -> np.ndarray:
    """A share of the frames after the first, drawn at random, is lost: the last one before stands in, as a player does.

    round(strength × (T - 1)) of them; at strength 1 the first frame stands still.

    Raises:
        UsageError: as `blur`.
    """
    _check(video, strength)
    lost = np.random.default_rng(seed).permutation(len(video) - 1)[: round(strength * (len(video) - 1))] + 1
    shown = np.arange(len(video))
    shown[lost] = 0
    return video[np.maximum.accumulate(shown)]


def colour_shift(video: np.ndarray, strength: float, seed: int = 0) -> np.ndarray:
    """Red up and blue down, by up to 80 grey levels each; `seed` is not used.

    Raises:
        UsageError: as `blur`.
    """
    _check(video, strength)
    return _to_uint8(video + np.array([COLOUR_SHIFT, 0, -COLOUR_SHIFT], np.float32) * np.float32(strength))


DISTORTIONS: dict[str, Distortion] = {
    "blur": blur,
    "noise": noise,
    "shuffle": shuffle,
    "drop": drop,
    "colour shift": colour_shift,
}


def _check(video: np.ndarray, strength: float) -> None:
    check_video(video)
    if not 0 <= strength <= 1:
        raise UsageError(f"distortion: expected a strength from 0 to 1, got {strength:g}")


def _to_uint8(frames: np.ndarray) -> np.ndarray:
    return frames.round().clip(0, 255).astype(np.uint8)
