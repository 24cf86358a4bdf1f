from __future__ import annotations

from itertools import combinations, pairwise
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mov_ai.errors import UsageError
from tools.metrics.distortions import (
    COLOUR_SHIFT,
    DISTORTIONS,
    NOISE_SIGMA,
    Distortion,
    blur,
    colour_shift,
    drop,
    noise,
    shuffle,
)

VIDEOS = st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda size: arrays(np.uint8, (*size, 3))
)
STRENGTHS = st.floats(0, 1)
SEEDS = st.integers(0, 2**32 - 1)


def numbered(frames: int) -> np.ndarray:
    """Frame t is all t."""
    return np.tile(np.arange(frames, dtype=np.uint8)[:, None, None, None], (1, 2, 2, 3))


def numbers(video: np.ndarray) -> list[int]:
    return video[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("name", DISTORTIONS)
@settings(deadline=None)
@given(video=VIDEOS, strength=STRENGTHS, seed=SEEDS)
def test_shape_and_type_stay_and_a_seed_repeats(name: str, video: np.ndarray, strength: float, seed: int) -> None:
    distort: Distortion = DISTORTIONS[name]
    before = video.copy()
    spoilt = distort(video, strength, seed)
    assert (spoilt.shape, spoilt.dtype) == (video.shape, np.uint8)
    assert np.array_equal(spoilt, distort(video, strength, seed))
    assert np.array_equal(distort(video, 0.0, seed), video)
    assert np.array_equal(video, before)
    assert not np.shares_memory(spoilt, video)


@settings(deadline=None)
@given(frames=st.integers(1, 24), strengths=st.lists(st.integers(0, 20), min_size=2, max_size=2), seed=SEEDS)
def test_a_stronger_one_contains_the_weaker(frames: int, strengths: list[int], seed: int) -> None:
    video, (weak, strong) = numbered(frames), (s / 20 for s in sorted(strengths))
    lost = [{t for t, shown in enumerate(numbers(drop(video, s, seed))) if shown != t} for s in (weak, strong)]
    assert lost[0] <= lost[1]
    swapped = [set(inversions(numbers(shuffle(video, s, seed)))) for s in (weak, strong)]
    assert swapped[0] <= swapped[1]


def inversions(order: list[int]) -> list[tuple[int, int]]:
    return [(b, a) for a, b in combinations(order, 2) if a > b]


@pytest.mark.parametrize("strength", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_shuffling_keeps_every_frame_and_disorder_grows_evenly(strength: float) -> None:
    orders = [numbers(shuffle(numbered(16), strength, seed)) for seed in range(300)]
    assert all(sorted(order) == list(range(16)) for order in orders)
    # Of the 120 pairs of a random order 60 are the wrong way round; it stops at three quarters of that.
    assert np.mean([len(inversions(order)) for order in orders]) == pytest.approx(45 * strength, abs=5)


def test_dropping_holds_the_last_frame_that_came() -> None:
    for strength, kept in ((0.0, 16), (0.2, 13), (1.0, 1)):
        found = numbers(drop(numbered(16), strength, 5))
        assert len(set(found)) == kept
        assert found[0] == 0
        assert all(b in (a, place) for place, (a, b) in enumerate(pairwise(found), 1))


def test_noise_has_its_size_and_is_the_same_but_louder() -> None:
    grey = np.full((4, 64, 64, 3), 128, np.uint8)
    weak, strong = (noise(grey, strength, 7).astype(float) - 128 for strength in (0.2, 0.4))
    assert weak.std() == pytest.approx(0.2 * NOISE_SIGMA, rel=0.02)
    assert np.corrcoef(weak.ravel(), strong.ravel())[0, 1] > 0.99
    assert np.abs(np.diff(noise(grey, 0.2, 7).astype(int), axis=0)).mean() > 5


def test_blur_scales_with_the_frame_and_keeps_even_ones() -> None:
    for side in (32, 64):
        step = np.zeros((1, side, side, 3), np.uint8)
        step[:, :, side // 2 :] = 255
        edge = blur(step, 1.0)[0, 0, :, 0] / 255
        # A blurred step is the normal distribution's integral; the pixel's centre is half a pixel nearer.
        expected = NormalDist(0, side / 16).cdf(-side / 16 + 0.5)
        assert edge[side // 2 - side // 16] == pytest.approx(expected, abs=0.01)
        assert np.array_equal(blur(np.full_like(step, 77), 1.0), np.full_like(step, 77))


def test_colours_shift_by_the_levels_said_and_stop_at_the_ends() -> None:
    frame = np.array([[[[100, 100, 100], [250, 0, 20]]]], np.uint8)
    assert colour_shift(frame, 0.5).tolist() == [[[[140, 100, 60], [255, 0, 0]]]]
    assert COLOUR_SHIFT == 80


@pytest.mark.parametrize("name", DISTORTIONS)
def test_bad_input_is_refused(name: str) -> None:
    good = np.zeros((2, 4, 4, 3), np.uint8)
    for strength in (-0.1, 1.1, float("nan")):
        with pytest.raises(UsageError, match="strength from 0 to 1"):
            DISTORTIONS[name](good, strength, 0)
    with pytest.raises(UsageError, match="expected a numpy array uint8"):
        DISTORTIONS[name](good / 255, 0.5, 0)
