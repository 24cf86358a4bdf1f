from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from mov_ai.errors import MovAIError, UsageError
from mov_ai.evaluation.metrics.optical_flow import LucasKanade, Raft, load_raft, visible, warp
from mov_ai.evaluation.metrics.result import Absent
from mov_ai.evaluation.metrics.temporal import (
    dynamic_degree,
    motion_smoothness,
    subject_consistency,
    temporal_flickering,
    warping_error,
)
from tests.evaluation.metrics.videos import shifting, sprites
from tools.metrics.distortions import noise, shuffle

FLOW = LucasKanade()
STILL = np.repeat(sprites(0)[:1], 6, 0)


def unit(video: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(video).permute(0, 3, 1, 2).float() / 255


@pytest.mark.parametrize(("shift", "error"), [((0, 0), 1e-5), ((1, 0), 0.1), ((2.5, -1.5), 0.25), ((-5, 3), 0.8)])
def test_flow_finds_a_known_shift(shift: tuple[float, float], error: float) -> None:
    frames = unit(shifting(*shift))
    found = FLOW(frames[:-1], frames[1:])[:, :, 8:-8, 8:-8]
    off = (found - torch.tensor(shift).view(1, 2, 1, 1)).pow(2).sum(1).sqrt().mean()
    assert float(off) < error


def test_warp_takes_pixels_from_where_the_flow_points() -> None:
    image = torch.arange(12.0).view(1, 1, 3, 4)
    flow = torch.zeros(1, 2, 3, 4)
    flow[:, 0] = 1
    assert warp(image, flow)[0, 0, 0].tolist() == pytest.approx([1, 2, 3, 3])
    assert visible(flow, -flow)[0, 0, 0].tolist() == [1, 1, 1, 0]
    assert visible(2 * flow, flow).sum() == 0


def test_a_frozen_video_is_at_the_best_end_of_each() -> None:
    assert temporal_flickering(STILL) == 1
    assert motion_smoothness(STILL, FLOW) == pytest.approx(1, abs=1e-6)
    assert warping_error(STILL, FLOW) == pytest.approx(0, abs=1e-9)
    assert subject_consistency(np.ones((6, 4))) == pytest.approx(1)
    assert dynamic_degree(STILL, 8, FLOW) is False


def test_flickering_is_vbenchs_formula() -> None:
    video = sprites(1)
    expected = (255 - np.mean([np.abs(a.astype(float) - b).mean() for a, b in zip(video[:-1], video[1:])])) / 255  # noqa: B905, RUF007
    assert temporal_flickering(video) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(3, 5), st.just(16), st.integers(16, 20), st.just(3))))
def test_any_video_stays_in_range(video: np.ndarray) -> None:
    assert 0 <= temporal_flickering(video) <= 1
    assert 0 <= motion_smoothness(video, FLOW) <= 1
    assert 0 <= warping_error(video, FLOW) <= 1
    assert dynamic_degree(video, 8, FLOW) in (True, False)


@pytest.mark.parametrize("spoil", [noise, shuffle])
def test_noise_and_shuffled_frames_make_each_worse(spoil: object) -> None:
    videos = [sprites(seed, frames=9) for seed in range(3)]
    rows = []
    for strength in (0.0, 0.4, 1.0):
        spoilt = [spoil(video, strength, seed) for seed, video in enumerate(videos)]  # type: ignore[operator]
        rows.append(
            [
                np.mean([temporal_flickering(v) for v in spoilt]),
                np.mean([motion_smoothness(v, FLOW) for v in spoilt]),
                -np.mean([warping_error(v, FLOW) for v in spoilt]),
            ]
        )
    assert (np.diff(rows, axis=0) < 0).all(), rows


def test_smooth_motion_is_forgiven_by_flow_metrics() -> None:
    moving = shifting(2, 1)
    shaken = shuffle(moving, 1.0, 1)
    assert warping_error(moving, FLOW) < 0.1 * warping_error(shaken, FLOW)
    assert motion_smoothness(moving, FLOW) > motion_smoothness(shaken, FLOW)


def test_subject_consistency_is_vbenchs_formula() -> None:
    features = np.random.default_rng(0).normal(size=(5, 8))
    unit_ = features / np.linalg.norm(features, axis=1, keepdims=True)
    expected = [(max(0, unit_[t] @ unit_[t - 1]) + max(0, unit_[t] @ unit_[0])) / 2 for t in range(1, 5)]
    assert subject_consistency(features) == pytest.approx(np.mean(expected), rel=1e-12)
    assert subject_consistency(7 * features) == pytest.approx(subject_consistency(features), rel=1e-12)


def test_dynamic_degree_follows_speed_and_frame_rate() -> None:
    # 48 pixels high: the threshold is 1.125 pixels a frame at 8 frames a second.
    assert not dynamic_degree(shifting(0.5), 8, FLOW)
    assert dynamic_degree(shifting(2), 8, FLOW)
    # At 24 frames a second every third frame is taken, so that the same shift per frame is three times the motion.
    assert dynamic_degree(shifting(0.6, frames=12), 24, FLOW)
    # At 2 frames a second more may move between frames.
    assert not dynamic_degree(shifting(2), 2, FLOW)


@pytest.mark.parametrize(
    ("step", "strength", "moves"), [(0, 0, False), (0, 3, False), (2, 3, False), (5, 0, True), (5, 3, True)]
)
def test_shimmer_on_a_plain_ground_is_no_motion(step: int, strength: float, moves: bool) -> None:
    # Generated videos shimmer; the flow of flat places must not be made of that. 128 pixels high: 3 pixels a frame.
    y, x = np.mgrid[0:128, 0:128]
    rng = np.random.default_rng(0)
    frames = []
    for t in range(16):
        frame = np.where((x - 30 - step * t) ** 2 + (y - 70) ** 2 < 22**2, 120.0, 205.0)
        shimmer = ndimage.gaussian_filter(rng.normal(size=frame.shape), 2)
        frame = ndimage.gaussian_filter(frame, 1) + strength * shimmer / shimmer.std()
        frames.append(np.repeat(frame.clip(0, 255).astype(np.uint8)[..., None], 3, -1))
    assert dynamic_degree(np.stack(frames), 8, FLOW) == moves


def test_raft_takes_any_size_and_is_absent_without_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class ByOnePixel(torch.nn.Module):
        def forward(self, first: torch.Tensor, second: torch.Tensor, num_flow_updates: int) -> list[torch.Tensor]:
            assert first.shape[-2:] == (128, 144)
            assert first.min() >= -1
            return [torch.ones(len(first), 2, *first.shape[-2:])]

    frames = unit(shifting(1, side=48))[..., :36, :]
    frames = torch.nn.functional.interpolate(frames, (64, 144))
    flow = Raft(ByOnePixel(), "none")(frames[:-1], frames[1:])
    assert flow.shape == (5, 2, 64, 144)
    assert flow[:, 0].unique().item() == pytest.approx(1)
    assert flow[:, 1].unique().item() == pytest.approx(0.5)
    monkeypatch.setenv("MOV_AI_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert isinstance(load_raft(), Absent)
    (tmp_path / "raft.pth").write_bytes(b"?")
    with pytest.raises(MovAIError, match="is not torchvision's RAFT"):
        load_raft(tmp_path / "raft.pth")


def test_bad_videos_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 2 frames, got 1"):
        temporal_flickering(STILL[:1])
    with pytest.raises(UsageError, match="at least 3 frames, got 2"):
        motion_smoothness(STILL[:2], FLOW)
    with pytest.raises(UsageError, match="16×16"):
        warping_error(STILL[:, :8], FLOW)
    with pytest.raises(UsageError, match="above 0"):
        dynamic_degree(STILL, 0, FLOW)
    with pytest.raises(UsageError, match="too short"):
        dynamic_degree(STILL[:3], 30, FLOW)
    with pytest.raises(UsageError, match="all 0; use another"):
        subject_consistency(np.zeros((3, 2)))
    with pytest.raises(UsageError, match="2 or more frames"):
        subject_consistency(np.ones((1, 2)))
