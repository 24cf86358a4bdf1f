"""The relational layer: PyTorch Geometric's convolution along typed edges, and labels that say what of their node."""

from __future__ import annotations

import torch
from torch.testing import assert_close

from mov_ai.models.relational_layer import RelationalLayer, shared_out

DIM, TYPES, LABELS, NODES = 8, 3, 5, 6


def _layer() -> RelationalLayer:
    torch.manual_seed(0)
    layer = RelationalLayer(DIM, TYPES, LABELS)
    # The perceptron is another part.
    torch.nn.init.zeros_(layer.hidden[-1].weight)
    torch.nn.init.zeros_(layer.hidden[-1].bias)
    return layer.requires_grad_(False)


def _typed() -> torch.Tensor:
    """(1, TYPES, NODES, NODES), each node with up to three neighbours of a type."""
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(1, TYPES, NODES, NODES, generator=generator) < 0.3).float()


def test_messages_are_those_of_a_relational_graph_convolution() -> None:
    from torch_geometric.nn import RGCNConv

    layer, typed, x = _layer(), _typed(), torch.randn(1, NODES, DIM)
    reference = RGCNConv(DIM, DIM, TYPES, num_bases=4, aggr="add", root_weight=False, bias=False)
    with torch.no_grad():
        reference.weight.copy_(layer.bases.weight.view(4, DIM, DIM).transpose(1, 2))
        reference.comp.copy_(layer.shares)
    kind, row, column = typed[0].nonzero(as_tuple=True)
    expected = reference(layer.norm_messages(x[0]), torch.stack([column, row]), kind)
    heard = layer(x, typed, torch.zeros(1, NODES, NODES, LABELS)) - x
    assert_close(heard[0], expected, atol=1e-5, rtol=1e-4)


def test_what_is_shared_out_has_the_same_power_for_any_number() -> None:
    shared = shared_out(_typed())
    power = shared.square().sum(-1)
    assert_close(power[power > 0], torch.ones_like(power[power > 0]))
    assert not shared_out(torch.zeros(1, 1, 2, 2)).any()


def test_a_label_tells_which_neighbour_it_is_of() -> None:
    # "left of the second, right of the third" and the other way round have the same sums of labels and of neighbours.
    layer, x, nothing = _layer(), torch.randn(1, NODES, DIM), torch.zeros(1, TYPES, NODES, NODES)
    left, right = torch.randn(2, LABELS)
    one, other = torch.zeros(2, 1, NODES, NODES, LABELS)
    one[0, 0, 1], one[0, 0, 2] = left, right
    other[0, 0, 1], other[0, 0, 2] = right, left
    difference = (layer(x, nothing, one) - layer(x, nothing, other)).abs().amax(-1)[0]
    assert difference[0] > 0.1
    assert not difference[1:].any()
