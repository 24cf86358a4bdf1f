"""The network under the metric networks: what it takes of a video, and what each of its features depends on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mov_ai.errors import UsageError
from mov_ai.models.metric_networks.video_network import VideoNetwork, VideoNetworkConfig, network_input
from tests.models.metric_networks.small import BACKBONE, video


@pytest.mark.parametrize(
    ("frames", "picked"),
    [
        (16, list(range(16))),
        (9, list(range(9))),
        (2, [0, 0, 0, 0, 1, 1, 1, 1]),
        (32, list(range(1, 32, 2))),
    ],
)
def test_up_to_16_frames_are_picked_over_the_whole_video(frames: int, picked: list[int]) -> None:
    numbered = np.arange(frames, dtype=np.uint8)[:, None, None, None] + np.zeros((1, 64, 64, 3), np.uint8)
    seen = network_input(numbered)
    assert seen.shape == (1, len(picked), 3, 64, 64)
    assert ((seen[0, :, 0, 0, 0] + 1) * 127.5).round().int().tolist() == picked


def test_larger_frames_are_averaged_over_areas() -> None:
    small = video(8)
    large = small.repeat(4, 1).repeat(4, 2)
    assert torch.allclose(network_input(large), network_input(small), atol=1e-5)
    assert network_input(video(8, 90, 50)).shape == (1, 8, 3, 64, 64)
    assert network_input(video(8, 40, 32)).abs().max() <= 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (video()[:1], "at least 2 frames"),
        (video().astype(np.float32), "uint8"),
        (video()[..., :1], "frames, height, width, 3"),
    ],
)
def test_other_input_is_refused(wrong: np.ndarray, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        network_input(wrong)


def test_features_of_frames_and_cells_know_only_what_they_should() -> None:
    torch.manual_seed(0)
    network = VideoNetwork(BACKBONE).eval()
    one = network_input(video())
    other = one.clone()
    other[:, 8] = -other[:, 8]
    with torch.no_grad():
        a, b = network(one), network(other)
    unchanged = [f for f in range(16) if f != 8]
    assert torch.allclose(a.frames[:, unchanged], b.frames[:, unchanged], atol=1e-6)
    assert torch.allclose(a.cells[:, unchanged], b.cells[:, unchanged], atol=1e-6)
    # Dilations 1 and 2: three frames to either side.
    far = [0, 1, 2, 3, 4, 12, 13, 14, 15]
    assert torch.allclose(a.moving[:, far], b.moving[:, far], atol=1e-6)
    for near in (5, 7, 9, 11):
        assert not torch.allclose(a.moving[:, near], b.moving[:, near], atol=1e-6)
    assert not torch.allclose(a.video, b.video, atol=1e-6)
    assert (a.video.shape, a.frames.shape) == ((1, 24), (1, 16, 16))
    assert a.cells.shape == a.moving.shape == (1, 16, 64, 16)


def test_the_order_of_frames_matters_even_to_two_of_them() -> None:
    torch.manual_seed(0)
    network = VideoNetwork(BACKBONE).eval()
    forward = network_input(video())
    with torch.no_grad():
        assert not torch.allclose(network(forward).video, network(forward.flip(1)).video, atol=1e-6)
        assert network(forward[:, :1]).video.shape == (1, 24)


def test_features_of_single_frames_take_any_number_of_them() -> None:
    torch.manual_seed(0)
    network = VideoNetwork(BACKBONE).eval()
    frames = video(20)
    found = network.frame_features(frames)
    assert found.shape == (20, 16)
    assert np.allclose(found[7:8], network.frame_features(frames[7:8]), atol=1e-5)
    with torch.no_grad():
        seen = network(network_input(frames[:16])).frames[0].numpy()
    assert np.allclose(found[:16], seen, atol=1e-5)


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="3 heads divide, got 160"):
        VideoNetworkConfig(heads=3)
