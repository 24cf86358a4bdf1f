"""Blurred label vectors: of unit length, near the label, as often as asked for, and nothing stays nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from mov_ai.training.label_noise import blur_labels


def _vectors(count: int = 2000, width: int = 64) -> Tensor:
    return functional.normalize(torch.randn(count, width, generator=torch.Generator().manual_seed(0)), dim=-1)


def _blur(vectors: Tensor, share: float, seed: int = 1) -> Tensor:
    return blur_labels(vectors, share, torch.Generator().manual_seed(seed))


def test_cosines_are_uniform_from_their_least_to_one() -> None:
    vectors = _vectors()
    blurred = _blur(vectors, 1.0)
    assert_close(blurred.norm(dim=-1), torch.ones(len(vectors)))
    cosines = (vectors * blurred).sum(-1)
    assert cosines.min() >= 0.45 - 1e-4
    assert cosines.max() <= 1 + 1e-4
    assert cosines.mean().item() == pytest.approx(0.725, abs=0.015)
    assert cosines.std().item() == pytest.approx(0.55 / 12**0.5, abs=0.015)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_as_many_are_blurred_as_asked_for(share: float) -> None:
    vectors = _vectors()
    same = torch.isclose(_blur(vectors, share), vectors, atol=1e-6).all(-1)
    assert same.float().mean().item() == pytest.approx(1 - share, abs=0.03)


def test_directions_are_random_and_the_generators_own() -> None:
    vectors = _vectors(1).expand(500, -1)
    rests = functional.normalize(_blur(vectors, 1.0) - vectors * (vectors * _blur(vectors, 1.0)).sum(-1, True), dim=-1)
    assert rests.mean(0).norm() < 0.15
    assert torch.equal(_blur(vectors, 0.5), _blur(vectors, 0.5))
    assert not torch.equal(_blur(vectors, 0.5), _blur(vectors, 0.5, seed=2))


@pytest.mark.parametrize("shape", [(3, 0, 64), (2, 5, 64), (2, 3, 4, 64)])
def test_no_label_stays_no_label_in_any_shape(shape: tuple[int, ...]) -> None:
    vectors = torch.zeros(shape)
    assert torch.equal(_blur(vectors, 1.0), vectors)
    if vectors.numel():
        vectors[0, 0] = _vectors(1)[0]
        blurred = _blur(vectors, 1.0)
        there = (vectors != 0).any(-1)
        assert not blurred[~there].any()
        assert_close(blurred[there].norm(dim=-1), torch.ones(int(there.sum())))
