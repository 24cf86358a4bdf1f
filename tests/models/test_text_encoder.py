"""The caption's tokens: order, padding, layers of attention."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given as supposing
from hypothesis import settings
from torch import Tensor
from torch.testing import assert_close

from mov_ai.models.conditioning import word_vectors
from mov_ai.models.text_encoder import TextProjection
from tests.models.builders import CAPTION, ENCODER, LABELS, awake
from tests.strategies import any_text


def _reader(layers: int) -> TextProjection:
    torch.manual_seed(0)
    return awake(TextProjection(LABELS.width, 16, layers, 2))


def _read(layers: int, features: Tensor) -> Tensor:
    with torch.no_grad():
        return _reader(layers)(features)[0]


@settings(max_examples=30, deadline=None)
@supposing(any_text)
def test_any_caption_is_read(caption: str) -> None:
    features = word_vectors(caption, ENCODER)
    with torch.no_grad():
        tokens, missing = _reader(1)(features)
    assert tokens.shape == (1, features.shape[1], 16)
    assert tokens.isfinite().all()
    assert missing.shape == (1, features.shape[1])


@pytest.mark.parametrize("layers", [0, 2])
def test_padding_is_said_and_does_not_change_the_tokens(layers: int) -> None:
    features = word_vectors(CAPTION, ENCODER)
    count = features.shape[1]
    padded = torch.cat([features, torch.zeros(1, 4, LABELS.width)], 1)
    with torch.no_grad():
        tokens, missing = _reader(layers)(padded)
    assert missing[0].tolist() == [False] * count + [True] * 4
    assert_close(tokens[:, :count], _read(layers, features), atol=1e-5, rtol=1e-4)


def test_the_order_of_words_matters() -> None:
    features = word_vectors(CAPTION, ENCODER)
    assert (_read(0, features.flip(1)).flip(1) - _read(0, features)).abs().max() > 1e-4


def test_words_look_at_one_another_only_in_layers() -> None:
    features = word_vectors(CAPTION, ENCODER)
    other = features.clone()
    other[:, 0] = ENCODER([("word", "seven")])
    change = [(_read(layers, other) - _read(layers, features)).abs().amax(-1)[0] for layers in (0, 1)]
    assert not change[0][1:].any()
    assert change[1][1:].min() > 1e-6


def test_gradients_reach_every_parameter() -> None:
    reader = _reader(1)
    # Rows of the position table beyond the caption have none, which is no fault: the table as a whole has.
    tokens, _ = reader(word_vectors(CAPTION, ENCODER))
    (tokens * torch.randn(tokens.shape, generator=torch.Generator().manual_seed(0))).sum().backward()
    assert [name for name, p in reader.named_parameters() if p.grad is None or not p.grad.any()] == []
