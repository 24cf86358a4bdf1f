"""Every metric gets worse, step by step, as videos are spoilt more and more. `pytest -s` shows the table."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mov_ai.evaluation.metrics.frechet import frechet_distance
from mov_ai.evaluation.metrics.image_quality import feature_distance, psnr, ssim, to_reference_frames
from mov_ai.evaluation.metrics.kernel_distance import JEDI_KERNEL, KID_KERNEL, mmd2
from tests.evaluation.metrics.videos import simple_features, sprites
from tools.metrics.distortions import DISTORTIONS

STRENGTHS = (0.0, 0.25, 0.5, 1.0)
VIDEOS = [sprites(seed) for seed in range(40)]
#: Of the pairs' metrics, which need fewer videos.
PAIRS = 6


def features(videos: list[np.ndarray]) -> np.ndarray:
    return np.stack([simple_features(video) for video in videos])


@pytest.fixture(scope="module")
def backbone() -> nn.Sequential:
    """Random convolutions: a perceptual distance needs no training to see that two frames differ."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 16, 5, 2), nn.ReLU(), nn.Conv2d(16, 32, 3, 2))


@pytest.mark.parametrize("name", DISTORTIONS)
def test_metrics_get_worse_as_videos_are_spoilt(name: str, backbone: nn.Sequential) -> None:
    def maps(frames: Tensor) -> list[Tensor]:
        return [backbone[:2](frames), backbone(frames)]

    distance = feature_distance(maps)
    clean = features(VIDEOS)
    table: dict[str, list[float]] = {}
    for strength in STRENGTHS:
        spoilt = [DISTORTIONS[name](video, strength, seed) for seed, video in enumerate(VIDEOS)]
        found, pairs = features(spoilt), list(zip(spoilt[:PAIRS], VIDEOS[:PAIRS], strict=True))
        row = {
            "Fréchet distance": frechet_distance(found, clean),
            "kernel distance": mmd2(found, clean, KID_KERNEL),
            "JEDi's kernel": mmd2(found, clean, JEDI_KERNEL),
            "minus PSNR": -np.mean([psnr(a, b) for a, b in pairs]),
            "minus SSIM": -np.mean([ssim(a, b) for a, b in pairs]),
            "feature distance": np.mean([to_reference_frames(a, b, distance) for a, b in pairs]),
        }
        for key, value in row.items():
            table.setdefault(key, []).append(float(value))
    for key, values in table.items():
        print(f"{name:12s} {key:18s}" + "".join(f"{value:12.6f}" for value in values))  # noqa: T201
    assert table["Fréchet distance"][0] == 0
    assert table["feature distance"][0] == 0
    assert all((np.diff(values) > 0).all() for values in table.values()), table


def test_sets_of_other_content_are_further_apart_than_two_draws_of_the_same() -> None:
    first, second = features(VIDEOS[:20]), features(VIDEOS[20:])
    faster = features([sprites(seed, speed=2.0) for seed in range(20, 40)])
    for distance in (frechet_distance, mmd2):
        assert distance(first, second) < distance(first, faster)
