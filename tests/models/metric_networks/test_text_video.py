"""The text-video network's face to the metrics: unit vectors, cosines, words known and unknown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mov_ai.errors import UsageError
from mov_ai.models.component import save_component
from mov_ai.models.metric_networks import stored
from mov_ai.models.metric_networks.text_video import TextVideo, TextVideoConfig, split_words
from tests.models.metric_networks.small import TEXT_VIDEO, text_video, video


def test_texts_and_videos_become_unit_vectors() -> None:
    network = text_video()
    texts = network.embed_text(["A red ball jumps.", "a blue cube"])
    assert texts.shape == (2, 12)
    assert texts.dtype == np.float32
    videos = np.stack([network.embed_video(frames) for frames in (video(16), video(5, 40, 70, seed=1), video(40))])
    assert videos.shape == (3, 12)
    assert np.allclose(np.linalg.norm(np.concatenate([texts, videos]), axis=1), 1, atol=1e-5)
    similarity = network.similarity("A red ball jumps.", video(16))
    assert similarity == pytest.approx(float(texts[0] @ videos[0]), abs=1e-5)
    assert -1 <= similarity <= 1
    assert similarity == network.similarity("A red ball jumps.", video(16))


def test_words_are_read_whatever_their_case_and_their_order_counts() -> None:
    network = text_video()
    one, same, other = network.embed_text(["A red ball, a blue cube.", "a RED ball , a blue cube.", "a blue ball"])
    assert np.array_equal(one, same)
    assert not np.allclose(one, other, atol=1e-4)
    exchanged = network.embed_text(["A blue ball, a red cube."])[0]
    assert not np.allclose(one, exchanged, atol=1e-6)
    assert split_words("Two balls: it's 23.") == ["two", "balls", "it", "s", "2", "3", "."]


def test_a_text_alone_and_among_longer_ones_is_the_same() -> None:
    network = text_video()
    words = network.text.encode(["a ball", "a red ball jumps . a blue cube jumps ."])
    assert words.shape == (2, 10)
    assert words[0, 2:].tolist() == [0] * 8
    with torch.no_grad():
        together = network.text(words)
        alone = network.text(words[:1, :2])
    assert torch.allclose(together[:1], alone, atol=1e-5)


def test_unknown_words_and_long_texts_are_borne() -> None:
    network = text_video()
    unknown = network.embed_text(["a zebra", "a giraffe"])
    assert np.array_equal(unknown[0], unknown[1])
    long = ["red " * TEXT_VIDEO.longest, "red " * TEXT_VIDEO.longest + "blue cube"]
    found = network.embed_text(long)
    assert np.array_equal(found[0], found[1])
    assert network.embed_text([]).shape == (0, 12)


def test_texts_that_cannot_be_read_are_refused() -> None:
    network = text_video()
    for wrong in ("", "  ", "?!"):
        with pytest.raises(UsageError, match="expected words"):
            network.embed_text([wrong])
    with pytest.raises(UsageError, match="put it into a list"):
        network.embed_text("a ball")
    with pytest.raises(UsageError, match="at least 2 frames"):
        network.embed_video(video(1))


def test_saved_and_loaded_it_keeps_its_words(tmp_path: Path) -> None:
    network = text_video()
    save_component(network, tmp_path, torch.float32)
    loaded = TextVideo.from_pretrained(tmp_path)
    assert loaded.config == network.config
    assert np.allclose(loaded.embed_text(["a red ball"]), network.embed_text(["a red ball"]), atol=1e-5)
    assert loaded.weights.startswith(f"{tmp_path}, sha256 ")
    assert loaded.network == "embedded text-video network (mov_ai), 12 dimensions"


def test_without_weights_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "EMBEDDED", tmp_path)
    with pytest.raises(UsageError, match=r"recipes/text_video\.sh"):
        TextVideo.from_pretrained()


def test_temperature_has_the_bounds_of_clip() -> None:
    network = text_video()
    assert network.scale.item() == pytest.approx(1 / 0.07)
    with torch.no_grad():
        network.log_scale.fill_(9)
    assert network.scale.item() == pytest.approx(100)
    with pytest.raises(ValueError, match="5 heads divide, got 16"):
        TextVideoConfig(text_width=16, text_heads=5)
