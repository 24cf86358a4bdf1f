"""The recognition network's face to the metrics: shapes, ranges, determinism, weights with a name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.image_quality import feature_distance, to_reference_frames
from mov_ai.evaluation.metrics.inception_score import inception_score
from mov_ai.evaluation.metrics.temporal import subject_consistency
from mov_ai.models.component import save_component
from mov_ai.models.metric_networks import stored
from mov_ai.models.metric_networks.pixels import to_network
from mov_ai.models.metric_networks.recognition import RecognitionConfig, VideoRecognition
from tests.models.metric_networks.small import recognition, video
from tools.metrics.training.labels import CLASSES


@pytest.mark.parametrize("shape", [(2, 64, 64), (7, 33, 80), (16, 128, 128), (40, 64, 64)])
def test_any_video_gives_features_and_probabilities(shape: tuple[int, int, int]) -> None:
    network, frames = recognition(), video(*shape)
    features = network.features(frames)
    assert features.shape == (24,)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert np.array_equal(features, network.features(frames))
    probabilities = network.probabilities(frames)
    assert probabilities.shape == (len(CLASSES),)
    assert probabilities.sum() == pytest.approx(1)


def test_probabilities_fit_the_score_that_uses_them() -> None:
    network = recognition()
    videos = [video(length, seed=seed) for seed, length in enumerate((16, 16, 9, 16, 32, 2))]
    probabilities = np.stack([network.probabilities(frames) for frames in videos])
    assert 1 <= inception_score(probabilities, splits=1) <= len(CLASSES)


def test_features_fit_the_metrics_that_use_them() -> None:
    network, frames = recognition(), video(4, 48, 51)
    maps = network.feature_maps(to_network(frames))
    assert [tuple(m.shape) for m in maps] == [(4, 8, 24, 26), (4, 8, 12, 13), (4, 16, 6, 7)]
    distance = feature_distance(network.feature_maps)
    assert to_reference_frames(frames, frames, distance).max() < 1e-6
    assert to_reference_frames(frames, 255 - frames, distance).min() > 1e-4
    assert network.frame_features(frames).shape == (4, 16)
    assert 0 <= subject_consistency(network.frame_features(frames)) <= 1
    frozen = frames[:1].repeat(4, 0)
    assert subject_consistency(network.frame_features(frozen)) == pytest.approx(1, abs=1e-5)


def test_saved_and_loaded_it_says_the_same_and_names_its_weights(tmp_path: Path) -> None:
    network, frames = recognition(), video()
    assert network.weights == "none: untrained"
    assert network.network == "embedded recognition network (mov_ai), 24 features"
    save_component(network, tmp_path / "saved", torch.float32)
    loaded = VideoRecognition.from_pretrained(tmp_path / "saved")
    assert np.allclose(loaded.features(frames), network.features(frames), atol=1e-5)
    assert loaded.weights.startswith(f"{tmp_path / 'saved'}, sha256 ")
    assert len(loaded.weights.rsplit(" ", 1)[1]) == 64
    save_component(network, tmp_path / "half")
    half = VideoRecognition.from_pretrained(tmp_path / "half")
    assert half.weights != loaded.weights
    assert np.allclose(half.features(frames), network.features(frames), atol=0.05)


def test_embedded_weights_are_named_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "EMBEDDED", tmp_path)
    save_component(recognition(), tmp_path / "recognition")
    assert VideoRecognition.from_pretrained().weights.startswith("embedded, sha256 ")


def test_a_folder_without_weights_names_the_command_that_makes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"no_such: .*train .*recipes/recognition\.sh"):
        VideoRecognition.from_pretrained(tmp_path / "no_such")
    monkeypatch.setattr(stored, "EMBEDDED", tmp_path / "assets")
    with pytest.raises(UsageError, match=r"recognition: .*recipes/recognition\.sh"):
        VideoRecognition.from_pretrained()
    (tmp_path / "model.pt").touch()
    with pytest.raises(UsageError, match="pickle"):
        VideoRecognition.from_pretrained(tmp_path)


def test_the_shipped_size_is_small() -> None:
    with torch.device("meta"):
        network = VideoRecognition(RecognitionConfig())
    assert sum(p.numel() for p in network.parameters()) < 2.2e6
