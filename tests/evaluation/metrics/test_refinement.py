"""Figures of refinement see what they are named after: objects, their edges, the still floor, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.image_quality import psnr
from mov_ai.evaluation.metrics.refinement import edge_gradient, flicker, object_edges, object_psnr, still_floor


def square_on_floor(side: int = 40, frames: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """A red square on a grey floor that moves by a pixel a frame, with its masks."""
    video = np.full((frames, side, side, 3), 120, np.uint8)
    masks = np.zeros((frames, side, side), np.uint8)
    for t in range(frames):
        place = (t, slice(12, 26), slice(10 + t, 24 + t))
        video[place], masks[place] = (200, 40, 40), 1
    return video, masks


def blurred(video: np.ndarray, sigma: float) -> np.ndarray:
    smooth: np.ndarray = gaussian_filter(video.astype(float), (0, sigma, sigma, 0)).round().astype(np.uint8)
    return smooth


def test_object_psnr_is_psnr_where_everything_is_object_and_blind_to_the_floor() -> None:
    video, masks = square_on_floor()
    noisy = (video + np.random.default_rng(0).integers(0, 9, video.shape)).astype(np.uint8)
    whole = object_psnr(noisy[:1], video[:1], np.ones_like(masks[:1]))
    assert whole == pytest.approx(float(psnr(noisy[:1], video[:1])[0]), abs=1e-5)
    floor_only = np.where(masks[..., None] > 0, video, noisy)
    assert object_psnr(floor_only, video, masks) == 100
    assert object_psnr(np.where(masks[..., None] > 0, noisy, video), video, masks) == object_psnr(noisy, video, masks)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60))
def test_object_psnr_of_an_even_difference_is_the_formula(levels: int) -> None:
    video, masks = square_on_floor(frames=2)
    assert object_psnr(video + np.uint8(levels % 50), video, masks) == pytest.approx(
        min(100, 20 * np.log10(255 / (levels % 50))) if levels % 50 else 100
    )


def test_edges_are_as_many_pixels_on_each_side_as_asked_for_also_between_two_objects() -> None:
    masks = np.zeros((1, 20, 20), np.int64)
    masks[0, :, 10:] = 1
    assert np.flatnonzero(object_edges(masks, 2)[0, 5]).tolist() == [8, 9, 10, 11]
    touching = np.full((1, 20, 20), 1)
    touching[0, :, 10:] = 2
    assert np.array_equal(object_edges(touching, 3), object_edges(masks, 3))
    assert not object_edges(np.ones((2, 9, 9), np.uint8)).any()


def test_edge_gradient_is_one_for_the_truth_and_falls_as_the_blur_grows() -> None:
    video, masks = square_on_floor()
    shares = [edge_gradient(blurred(video, sigma), video, masks) for sigma in (0.5, 1.0, 2.0, 4.0)]
    assert edge_gradient(video, video, masks) == 1
    assert shares == sorted(shares, reverse=True)
    assert shares[1] < 0.97
    assert shares[-1] < 0.6


def test_edge_gradient_rises_with_ringing_and_does_not_see_what_is_far_from_edges() -> None:
    video, masks = square_on_floor()
    sharpened = video + 0.8 * (video.astype(float) - blurred(video, 1.5))
    assert edge_gradient(sharpened.clip(0, 255).astype(np.uint8), video, masks) > 1.2
    far = video.copy()
    far[:, 32:, :8] = np.random.default_rng(0).integers(0, 255, far[:, 32:, :8].shape)
    assert edge_gradient(far, video, masks) == 1


def test_edge_gradient_of_an_object_elsewhere_is_low() -> None:
    video, masks = square_on_floor()
    assert edge_gradient(np.roll(video, 9, 1), video, masks) < 0.7


def test_the_still_floor_has_no_object_no_moving_shadow_and_no_flicker() -> None:
    video, masks = square_on_floor()
    video[2, 30:, 30:] -= 5
    still = still_floor(video, masks)
    assert not still[30:, 30:].any()
    assert not still[12:26, 10:27].any()
    assert still[:12].all()
    assert flicker(video, still) == 0


def test_flicker_is_in_grey_levels_and_only_where_asked() -> None:
    video, masks = square_on_floor()
    still = still_floor(video, masks)
    shaken = video.copy()
    shaken[1::2] += 3
    assert flicker(shaken, still) == 3
    one = video.copy()
    one[1, 0, 0, 0] += 1
    # One channel of one pixel changes there and back: two of three pairs.
    assert flicker(one, still) == pytest.approx(2 / (3 * 3 * still.sum()))


def test_what_cannot_be_measured_is_refused_in_one_line() -> None:
    video, masks = square_on_floor()
    with pytest.raises(UsageError, match=r"expected \(frames, height, width\) \(4, 40, 40\)"):
        object_psnr(video, video, masks[:2])
    with pytest.raises(UsageError, match="show no object"):
        object_psnr(video, video, np.zeros_like(masks))
    with pytest.raises(UsageError, match="flat around every object"):
        edge_gradient(video, np.full_like(video, 9), masks)
    with pytest.raises(UsageError, match="one pixel or more"):
        flicker(video, np.zeros((40, 40), bool))
    with pytest.raises(UsageError, match="reach of 1"):
        object_edges(masks, 0)
