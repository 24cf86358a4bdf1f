from __future__ import annotations

import warnings
from pathlib import Path

import lpips
import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor, nn

from mov_ai.errors import MovAIError, UsageError
from mov_ai.evaluation.metrics import image_quality
from mov_ai.evaluation.metrics.image_quality import (
    between_consecutive_frames,
    feature_distance,
    load_lpips,
    psnr,
    ssim,
    to_network,
    to_reference_frames,
)
from mov_ai.evaluation.metrics.result import Absent
from tests.evaluation.metrics.videos import sprites
from tools.metrics.distortions import noise


@pytest.fixture(scope="module")
def package_network() -> nn.Module:
    """The `lpips` package's own, on a backbone with random weights: nothing is downloaded."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network: nn.Module = lpips.LPIPS(net="squeeze", pnet_rand=True, verbose=False)
    return network.requires_grad_(False)


def backbone_file(network: nn.Module, path: Path) -> Path:
    """The backbone's weights as torchvision publishes them."""
    state: dict[str, Tensor] = {}
    backbone = network.net
    assert isinstance(backbone, nn.Module)
    for name, module in backbone.named_children():
        if name.startswith("slice"):
            state |= {f"features.{key}": value for key, value in module.state_dict().items()}
    torch.save(state, path)
    return path


def test_psnr_equals_scikit_image() -> None:
    video, reference = noise(sprites(0, side=48), 0.7, 1), sprites(0, side=48)
    for found, a, b in zip(psnr(video, reference), video, reference, strict=True):
        assert found == pytest.approx(peak_signal_noise_ratio(b, a, data_range=255), abs=1e-6)


def test_ssim_is_what_was_published_with() -> None:
    rows, columns, channels = (
        np.arange(n).reshape(shape) for n, shape in ((48, (-1, 1, 1)), (64, (1, -1, 1)), (3, -1))
    )
    frame = (128 + 60 * np.sin(rows / 5 + columns / 7 + channels)).astype(np.uint8)
    noise_levels = np.array([4, 12, 40]).reshape(3, 1, 1, 1)
    reference = frame[None].repeat(3, 0)
    noisy = np.clip(reference + np.random.default_rng(1).normal(0, noise_levels, reference.shape), 0, 255)
    expected = [0.9559064518832465, 0.7367696009929574, 0.24461769763384789]
    assert ssim(reference, noisy.astype(np.uint8)) == pytest.approx(expected, abs=1e-9)
    assert ssim(reference, reference) == pytest.approx([1, 1, 1], abs=1e-12)


def test_psnr_and_ssim_equal_torchmetrics() -> None:
    from torchmetrics.functional import image

    video, reference = noise(sprites(0, side=48), 0.4, 1), sprites(0, side=48)
    for frame, (a, b) in enumerate(zip(video, reference, strict=True)):
        one, other = (torch.from_numpy(x).permute(2, 0, 1)[None].double() for x in (a, b))
        assert psnr(video, reference)[frame] == float(image.peak_signal_noise_ratio(one, other, data_range=255.0))
        _, similarity = image.structural_similarity_index_measure(one, other, data_range=255.0, return_full_image=True)
        assert isinstance(similarity, Tensor)
        # Less the border, where torchmetrics reflects the frame.
        inside = float(similarity[..., 5:-5, 5:-5].mean())
        assert ssim(video, reference)[frame] == pytest.approx(inside, abs=1e-9)


def test_identical_frames_have_100_db_and_similarity_1() -> None:
    video = sprites(1)
    assert (psnr(video, video) == 100).all()
    np.testing.assert_allclose(ssim(video, video), 1, atol=1e-12)


def test_lpips_equals_the_package(package_network: nn.Module, tmp_path: Path) -> None:
    network = load_lpips("squeeze", backbone_file(package_network, tmp_path / "squeeze.pth"))
    assert isinstance(network, nn.Module)
    video, reference = noise(sprites(2), 0.5), sprites(2)
    tensors = [torch.from_numpy(v).permute(0, 3, 1, 2) / 127.5 - 1 for v in (video, reference)]
    expected = package_network(*tensors).flatten().double().numpy()
    np.testing.assert_allclose(to_reference_frames(video, reference, network), expected, rtol=1e-5, atol=1e-7)
    expected = package_network(tensors[0][:-1], tensors[0][1:]).flatten().double().numpy()
    np.testing.assert_allclose(between_consecutive_frames(video, network), expected, rtol=1e-5, atol=1e-7)
    assert (to_reference_frames(video, video, network) == 0).all()


def test_feature_distance_equals_the_packages_baseline(package_network: nn.Module) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        baseline = lpips.LPIPS(net="squeeze", pnet_rand=True, lpips=False, verbose=False)
    baseline.load_state_dict(package_network.state_dict(), strict=False)
    video, reference = noise(sprites(3), 0.5), sprites(3)

    def features(frames: Tensor) -> list[Tensor]:
        return list(baseline.net(baseline.scaling_layer(frames)))

    expected = baseline(to_network(video), to_network(reference)).flatten().detach().double().numpy()
    found = to_reference_frames(video, reference, feature_distance(features))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_lpips_without_weights_is_absent_with_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MOV_AI_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    missing = load_lpips("alex")
    assert isinstance(missing, Absent)
    assert "alexnet-owt-7be5be79.pth is not on this machine" in missing.reason
    assert "mov-ai weights pull alex" in missing.command


def test_a_file_that_is_another_backbone_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MOV_AI_WEIGHTS", str(tmp_path))
    (tmp_path / "squeezenet1_1-b8a52dc0.pth").write_bytes(b"not weights")
    with pytest.raises(MovAIError, match="expected b8a52dc0"):
        load_lpips("squeeze")
    with pytest.raises(MovAIError, match="is not torchvision's squeeze"):
        load_lpips("squeeze", tmp_path / "squeezenet1_1-b8a52dc0.pth")
    with pytest.raises(UsageError, match="alex, vgg or squeeze"):
        load_lpips("resnet")


def test_bad_videos_are_refused() -> None:
    video = sprites(4)
    with pytest.raises(UsageError, match="float64"):
        psnr(video / 255, video)
    with pytest.raises(UsageError, match="expected the same"):
        psnr(video[1:], video)
    with pytest.raises(UsageError, match="11×11"):
        ssim(video[:, :10, :10], video[:, :10, :10])
    with pytest.raises(UsageError, match="32×32"):
        between_consecutive_frames(video[:, :20], lambda a, b: a.mean((1, 2, 3)))
    with pytest.raises(UsageError, match="at least 2 frames, got 1"):
        between_consecutive_frames(video[:1], lambda a, b: a.mean((1, 2, 3)))
    with pytest.raises(UsageError, match="of each layer"):
        to_reference_frames(video, video, feature_distance(lambda frames: [frames.mean(1)]))


def test_long_videos_go_through_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    video, reference = sprites(5), sprites(6)

    def distance(a: Tensor, b: Tensor) -> Tensor:
        assert len(a) <= 5
        return (a - b).abs().mean((1, 2, 3))

    monkeypatch.setattr(image_quality, "_FRAMES_AT_ONCE", 5)
    found = to_reference_frames(video, reference, distance)
    expected = np.abs(video.astype(float) - reference).mean((1, 2, 3)) / 127.5
    np.testing.assert_allclose(found, expected, rtol=1e-5)
