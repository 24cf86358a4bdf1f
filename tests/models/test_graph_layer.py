"""The block of the graph networks: links carry messages, padding carries none."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from mov_ai.models.graph_layer import GraphLayer, spread_links
from tests.models.builders import awake

DIM, LINKS = 8, 3


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _layer(modulated: bool = False, fresh: bool = False) -> GraphLayer:
    torch.manual_seed(0)
    layer = GraphLayer(DIM, 2, LINKS, expansion=2, modulated=modulated)
    return layer.eval() if fresh else awake(layer)


def _given(nodes: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    return _random(2, nodes, DIM), _random(2, nodes, nodes, LINKS, seed=1), torch.ones(2, nodes, dtype=torch.bool)


@pytest.mark.parametrize("modulated", [False, True])
@torch.no_grad()
def test_a_fresh_layer_changes_nothing(modulated: bool) -> None:
    x, links, mask = _given()
    vector = _random(2, 1, DIM, seed=2) if modulated else None
    assert torch.equal(_layer(modulated, fresh=True)(x, links, mask, vector), x)


@torch.no_grad()
def test_absent_nodes_are_not_heard() -> None:
    layer = _layer()
    x, links, mask = _given()
    mask[:, 3] = False
    out = layer(x, links, mask)[:, :3]
    x[:, 3] += 5
    links[:, :, 3] += 5
    assert_close(layer(x, links, mask)[:, :3], out)
    assert_close(layer(x[:, :3], links[:, :3, :3], mask[:, :3]), out)


@torch.no_grad()
def test_a_link_reaches_the_node_of_its_row() -> None:
    layer = _layer()
    x, links, mask = _given()
    other = links.clone()
    other[0, 1, 2] += 1
    change = (layer(x, other, mask) - layer(x, links, mask)).abs().amax(-1)
    assert change[0, 1] > 1e-4
    assert not change[0, [0, 2, 3]].any()
    assert not change[1].any()


@torch.no_grad()
def test_the_vector_of_a_modulated_layer_matters() -> None:
    layer = _layer(modulated=True)
    x, links, mask = _given()
    outs = [layer(x, links, mask, _random(2, 1, DIM, seed=seed)) for seed in (2, 3)]
    assert (outs[0] - outs[1]).abs().max() > 1e-4


def test_links_are_spread_to_both_ends_and_add_up() -> None:
    ends = torch.tensor([[[0, 2], [0, 2], [1, 0]]])
    forward, backward = _random(1, 3, 2), _random(1, 3, 2, seed=1)
    table = spread_links(ends, forward, backward, 3)
    assert table.shape == (1, 3, 3, 4)
    assert_close(table[0, 0, 2], torch.cat([forward[0, :2].sum(0), torch.zeros(2)]))
    assert_close(table[0, 2, 0], torch.cat([torch.zeros(2), backward[0, :2].sum(0)]))
    assert_close(table[0, 1, 0, :2], forward[0, 2])
    assert_close(table[0, 0, 1, 2:], backward[0, 2])
    assert not table[0, 1, 2].any()
    assert not spread_links(torch.zeros(1, 0, 2).long(), forward[:, :0], backward[:, :0], 3).any()


def test_padded_links_of_nothing_add_nothing() -> None:
    # Padding repeats the pair (0, 0) with zeros.
    ends = torch.tensor([[[0, 1], [0, 0]]])
    forward = torch.cat([_random(1, 1, 2), torch.zeros(1, 1, 2)], 1)
    assert torch.equal(spread_links(ends, forward, forward, 2), spread_links(ends[:, :1], *[forward[:, :1]] * 2, 2))


def test_gradients_reach_every_parameter() -> None:
    layer = _layer(modulated=True)
    x, links, mask = _given()
    out = layer(x, links, mask, _random(2, 1, DIM, seed=2))
    (out * _random(*out.shape, seed=3)).sum().backward()
    assert [name for name, p in layer.named_parameters() if p.grad is None or not p.grad.any()] == []
