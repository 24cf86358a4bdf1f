"""The checker's network, and what it takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mov_ai.errors import UsageError
from mov_ai.evaluation.checker import Checker
from mov_ai.evaluation.checker_tracks import to_planes
from mov_ai.models.metric_networks.checker import CheckerConfig, CheckerNetwork, targets_to_boxes
from tools.metrics.training.checker import boxes_to_targets


def test_the_network_is_small() -> None:
    assert sum(p.numel() for p in Checker.from_pretrained().network.parameters()) <= 500_000


@pytest.mark.parametrize(
    "video",
    [
        np.zeros((16, 128, 128), dtype=np.uint8),
        np.zeros((16, 128, 128, 3), dtype=np.float32),
        np.zeros((16, 64, 128, 3), dtype=np.uint8),
        np.zeros((1, 128, 128, 3), dtype=np.uint8),
        np.zeros((16, 16, 16, 3), dtype=np.uint8),
    ],
)
def test_what_is_not_a_video_is_a_usage_error(video: np.ndarray) -> None:
    with pytest.raises(UsageError, match="video: expected"):
        to_planes(video)


def test_boxes_survive_the_heads_units() -> None:
    boxes = torch.rand(64, 64, 4) * 0.5 + 0.1
    back = targets_to_boxes(boxes_to_targets(boxes)[None])[0].permute(1, 2, 0)
    torch.testing.assert_close(back, boxes, atol=1e-5, rtol=1e-5)


def test_the_network_takes_other_widths() -> None:
    network = CheckerNetwork(replace(CheckerConfig(), widths=(8, 8, 16, 16)))
    shape, color, box, turn = network(torch.zeros(2, 3, 128, 128))
    assert [t.shape for t in (shape, color, box, turn)] == [(2, c, 64, 64) for c in (5, 8, 4, 2)]
