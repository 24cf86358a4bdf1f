"""Which blocks a network computes twice to save memory, and that its gradients are the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from mov_ai.models.codec import CodecConfig, VideoCodec
from mov_ai.models.interpolation import InterpolationConfig, InterpolationNetwork
from mov_ai.models.planner import LayoutPlanner, PlannerConfig
from mov_ai.models.refiner import RefinerConfig, VideoRefiner
from mov_ai.training.trained_network import recomputable_blocks, recompute_blocks


@pytest.mark.parametrize(
    "network",
    [
        lambda: VideoCodec(CodecConfig()),
        lambda: VideoRefiner(RefinerConfig()),
        lambda: InterpolationNetwork(InterpolationConfig()),
        lambda: LayoutPlanner(PlannerConfig()),
    ],
    ids=["codec", "refiner", "interpolation", "planner"],
)
def test_every_network_has_something_to_compute_again(network: Callable[[], torch.nn.Module]) -> None:
    blocks = recomputable_blocks(network())
    assert len(blocks) >= 2
    inner = [part for block in blocks for part in block.modules() if part is not block]
    assert not any(block is part for block in blocks for part in inner)


def test_a_network_without_a_stack_of_blocks_has_the_same_gradients() -> None:
    torch.manual_seed(0)
    codec = VideoCodec(CodecConfig(widths=(16, 8, 8), blocks=(2, 2, 1)))
    video, gradients, calls = torch.randn(1, 2, 3, 16, 16), [], []
    codec.deep[0].register_forward_hook(lambda *_: calls.append(1))
    for again in (False, True):
        if again:
            recompute_blocks(codec)
        codec.zero_grad()
        codec.decode(codec.encode(video)).square().mean().backward()
        gradients.append([p.grad.clone() for p in codec.parameters() if p.grad is not None])
    assert len(gradients[0]) == len(gradients[1]) > 0
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)
