from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from studies.interpolation.flow_warping import FLOWS, frames_between, lucas_kanade
from studies.interpolation.measure import BLEND, NETWORK, TRUTH, Measured, summary
from studies.interpolation.regions import KEYFRAMES, LARGE, OBJECTS, UNCOVERED, true_clip

BETWEEN_ALL = 3 * (KEYFRAMES - 1)


def shifted(pixels: int) -> torch.Tensor:
    """A soft texture on an even floor, moved to the right; (3, 48, 48)."""
    noise = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    patch = functional.interpolate(noise, size=(20, 20), mode="bicubic").clamp(0, 1)
    return functional.pad(patch, (12 + pixels, 16 - pixels, 14, 14), value=0.5)[0]


def test_flow_finds_the_frames_between_where_blending_shows_things_twice() -> None:
    first, middle, last = shifted(0), shifted(2), shifted(4)
    found = frames_between(first, last, lucas_kanade)
    assert found.shape == (3, 3, 48, 48)
    blended = (first + last) / 2
    assert (found[1] - middle).square().mean() < 0.25 * (blended - middle).square().mean()


@pytest.mark.parametrize("name", list(FLOWS))
def test_every_flow_says_where_things_go(name: str) -> None:
    flow = FLOWS[name](shifted(0), shifted(2))
    assert flow.shape == (2, 48, 48)
    right = flow[0, 20:28, 18:24].median()
    assert 1.0 < float(right) < 3.0


def test_what_stands_still_stays() -> None:
    assert torch.equal(frames_between(shifted(0), shifted(0), lucas_kanade), shifted(0).expand(3, -1, -1, -1))


def test_regions_are_of_the_frames_between_and_of_the_things_in_them() -> None:
    clip = true_clip(0, "test", 16)
    assert clip.video.shape == (4 * KEYFRAMES - 3, 16, 16, 3)
    assert {region.shape for region in clip.regions.values()} == {(BETWEEN_ALL, 16, 16)}
    assert clip.regions[OBJECTS].any()
    assert not (clip.regions[LARGE] & ~clip.regions[OBJECTS]).any()
    assert not (clip.regions[UNCOVERED] & clip.regions[OBJECTS]).any()


def test_gains_are_of_the_same_clips_and_of_the_first_ones_only() -> None:
    true = np.zeros((5, 4, 4, 3), np.uint8)
    region = {"objects": np.ones((3, 4, 4), bool), "never": np.zeros((3, 4, 4), bool)}
    measured = Measured()
    for clip, (network, blended) in enumerate(((2, 20), (2, 2), (50, 2))):
        for method, value in ((NETWORK, network), (BLEND, blended)):
            measured.add(clip, TRUTH, method, np.full_like(true, value), true, region)
            measured.seconds.setdefault(method, {})[str(clip)] = 1.0
    rows = {row["method"]: row for row in summary(measured.of_first(2))}
    assert set(rows[BLEND]["psnr"]) == {"objects"}
    assert rows[BLEND]["psnr"]["objects"]["clips"] == 2
    assert rows[BLEND]["gain_of_network"]["objects"]["value"] == pytest.approx(10)
    assert rows[NETWORK]["gain_of_network"] == {}
