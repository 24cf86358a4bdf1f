"""The composite loss: every term is zero at equality, grows with what it measures, and has a gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from mov_ai.errors import UsageError
from mov_ai.models.conditioning import Conditioning, collate, condition
from mov_ai.training.losses import (
    LossWeights,
    box_loss,
    denoise_loss,
    object_weight,
    perceptual_loss,
    temporal_loss,
)
from tests.models.builders import ENCODER, ball_and_cube, given, still_layout
from tests.models.test_codec import small_codec

FULL = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
CODEC = small_codec().requires_grad_(False)
CONDITION = given(frames=6)
WEIGHT = object_weight(CONDITION.boxes, 8, 8, FULL, 4.0)

TERMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "denoise": lambda x, y: denoise_loss(x, y, torch.tensor([0.5]), WEIGHT),
    "temporal": lambda x, y: temporal_loss(x, y, WEIGHT),
    "boxes": lambda x, y: box_loss(x, y, CONDITION, FULL),
    "perceptual": lambda x, y: perceptual_loss(x, y, CODEC, torch.tensor([0, 3])),
}


def _latents(seed: int = 0) -> Tensor:
    return torch.randn(1, 6, 4, 8, 8, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", TERMS)
def test_a_term_is_zero_at_equality_and_grows_with_the_error(name: str) -> None:
    clean, error = _latents(), _latents(1)
    values = [TERMS[name](clean + scale * error, clean).item() for scale in (0.0, 0.1, 0.5, 1.0)]
    assert values[0] == 0
    assert values == sorted(values)
    assert values[1] > 0


@pytest.mark.parametrize("name", TERMS)
def test_following_the_gradient_lowers_the_term(name: str) -> None:
    clean = _latents()
    predicted = (clean + 0.5 * _latents(1)).requires_grad_()
    before = TERMS[name](predicted, clean)
    before.backward()
    assert predicted.grad is not None
    assert predicted.grad.isfinite().all()
    step = 0.1 * before.detach() / predicted.grad.square().sum()
    assert TERMS[name](predicted.detach() - step * predicted.grad, clean) < before


def test_the_denoising_error_is_in_units_of_the_networks_output() -> None:
    clean, error = _latents(), _latents(1)
    ones = torch.ones(1, 6, 1, 8, 8)
    for scale in (0.15, 0.5, 1.0):
        loss = denoise_loss(clean + scale * error, clean, torch.tensor([scale]), ones)
        assert_close(loss, error.square().mean())


def test_a_constant_offset_is_no_flicker() -> None:
    clean = _latents()
    assert_close(temporal_loss(clean + 3, clean, WEIGHT), torch.tensor(0.0), atol=1e-6, rtol=0)
    flicker = torch.tensor([1.0, -1.0] * 3).view(1, 6, 1, 1, 1)
    ones = torch.ones_like(WEIGHT)
    assert_close(temporal_loss(clean + flicker, clean, ones), torch.tensor(4.0))


def test_the_box_term_looks_at_means_of_visible_boxes_only() -> None:
    graph = ball_and_cube()
    boxes = [(0.25, 0.25, 0.5, 0.5, 3.0, 1.0), (0.75, 0.75, 0.5, 0.5, 3.0, 0.0)]
    c = condition(graph, still_layout(graph, boxes, 6), ENCODER, 6)
    clean = _latents()

    def term(change: Tensor) -> float:
        return box_loss(clean + change, clean, c, FULL).item()

    inside, hidden = torch.zeros(1, 6, 4, 8, 8), torch.zeros(1, 6, 4, 8, 8)
    inside[..., :4, :4] = 1
    hidden[..., 4:, 4:] = 1
    assert term(inside) == pytest.approx(1, abs=1e-5)
    assert term(hidden) == 0
    # What leaves the mean of the box as it is does not count.
    stripes = inside.clone()
    stripes[..., ::2] *= -1
    assert term(stripes) == pytest.approx(0, abs=1e-6)


def test_without_visible_entities_the_box_term_is_zero() -> None:
    c = replace(CONDITION, boxes=CONDITION.boxes * 0)
    assert box_loss(_latents(), _latents(1), c, FULL) == 0


def _batch() -> Conditioning:
    graph = ball_and_cube()
    boxes = [(0.3, 0.3, 0.2, 0.2, 3.0, 1.0), (0.7, 0.7, 0.2, 0.2, 3.0, 1.0)]
    other = condition(graph, still_layout(graph, boxes, 6), ENCODER, 6)
    return collate([CONDITION, other])


@pytest.mark.parametrize("extra", [0.0, 1.0, 4.0, 20.0])
def test_weights_have_a_mean_of_one_in_every_sample(extra: float) -> None:
    weight = object_weight(_batch().boxes, 8, 8, FULL.expand(2, 4), extra)
    assert weight.shape == (2, 6, 1, 8, 8)
    assert_close(weight.mean((1, 2, 3, 4)), torch.ones(2))
    assert weight.min() > 0


def test_objects_weigh_more_than_the_floor() -> None:
    weight = object_weight(_batch().boxes, 16, 16, FULL.expand(2, 4), 4.0)[1, 0, 0]
    assert (weight[5, 5] / weight[0, 15]).item() == pytest.approx(5, abs=1e-4)
    flat = object_weight(_batch().boxes, 16, 16, FULL.expand(2, 4), 0.0)
    assert_close(flat, torch.ones_like(flat))


def test_the_perceptual_term_looks_at_the_chosen_frames_only() -> None:
    clean = _latents()
    other = clean.clone()
    other[:, 1] += 1
    assert perceptual_loss(other, clean, CODEC, torch.tensor([0, 3])) == 0
    assert perceptual_loss(other, clean, CODEC, torch.tensor([1])) > 0


@pytest.mark.parametrize("name", ["temporal", "semantic", "perceptual", "objects"])
@pytest.mark.parametrize("value", [-1.0, -1e-9, float("nan"), float("inf"), "0.5"])
def test_weights_that_mean_nothing_are_refused(name: str, value: object) -> None:
    with pytest.raises(UsageError) as refused:
        LossWeights(**{name: value})  # type: ignore[arg-type]
    assert str(refused.value) == f"loss.{name}: expected a weight from 0 up, 0 for off; found {value!r}"
    assert getattr(LossWeights(**{name: 0}), name) == 0
