"""Muon in float32 takes the steps of torch's, up to the rounding of bfloat16."""

from __future__ import annotations

import pytest
import torch

from mov_ai.training import muon


def _trained(optimizer: type[torch.optim.Muon], steps: int, rule: str | None) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    matrices = [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((24, 8), (8, 24), (16, 16))]
    targets = [torch.randn(matrix.shape, generator=generator) for matrix in matrices]
    steps_of = optimizer(matrices, 0.05, weight_decay=0.1, adjust_lr_fn=rule)
    for _ in range(steps):
        loss = sum((m - t).square().sum() for m, t in zip(matrices, targets, strict=True))
        assert isinstance(loss, torch.Tensor)
        loss.backward()
        steps_of.step()
        steps_of.zero_grad()
    return [matrix.detach() for matrix in matrices]


@pytest.mark.parametrize("rule", ["match_rms_adamw", "original", None])
def test_it_is_torchs_but_for_rounding(monkeypatch: pytest.MonkeyPatch, rule: str | None) -> None:
    monkeypatch.setattr(muon, "multiplies_bfloat16", lambda: False)
    # bfloat16 keeps eight bits, and five iterations multiply its errors.
    for ours, theirs in zip(_trained(muon.Muon, 4, rule), _trained(torch.optim.Muon, 4, rule), strict=True):
        assert (ours - theirs).norm() < 0.02 * theirs.norm()


def test_where_the_processor_has_bfloat16_it_is_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(muon, "multiplies_bfloat16", lambda: True)
    pairs = zip(_trained(muon.Muon, 3, None), _trained(torch.optim.Muon, 3, None), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in pairs)


@pytest.mark.parametrize("shape", [(12, 30), (30, 12)])
def test_orthogonal_steps_have_singular_values_about_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(muon.orthogonal(matrix, (3.4445, -4.775, 2.0315), 5, 1e-7))
    assert values.min() > 0.5
    assert values.max() < 1.5


def test_an_unknown_rule_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(muon, "multiplies_bfloat16", lambda: False)
    with pytest.raises(ValueError, match="adjust_lr_fn"):
        _trained(muon.Muon, 1, "spectral_unclamped")
