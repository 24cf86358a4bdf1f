"""Messages along the edges of a graph, by their types."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RelationalLayer(nn.Module):
    """A relational graph convolution (R-GCN, arXiv 1703.06103, equations 2 and 3), then a perceptron.

    Every link carries its column's node to its row through a matrix of its type, a mixture of a few that all types
    share; a link's label says what of it, and something by itself. Fresh messages are as loud as the nodes: a node
    belongs to its neighbours from the first step on. Attention over all nodes, which has to find that out, leaves it be
    (`studies.graph_vs_text`).

    Args:
        dim: channels of a node.
        types: of links.
        labels: channels of a link's label.
        bases: matrices that the types share.
        expansion: width of the perceptron's hidden layer in units of `dim`.
    """

    def __init__(self, dim: int, types: int, labels: int, bases: int = 4, expansion: int = 2) -> None:
        super().__init__()
        self.norm_messages, self.norm_hidden = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.bases = nn.Linear(dim, bases * dim, bias=False)
        self.shares = nn.Parameter(torch.empty(types, bases))
        self.label = nn.Linear(labels, dim, bias=False)
        self.labelled = nn.Linear(dim, dim)
        self.hidden = nn.Sequential(nn.Linear(dim, expansion * dim), nn.GELU(), nn.Linear(expansion * dim, dim))
        nn.init.normal_(self.bases.weight, std=dim**-0.5)
        nn.init.normal_(self.shares, std=bases**-0.5)

    def forward(self, x: Tensor, typed: Tensor, labels: Tensor) -> Tensor:
        """One layer, (B, N, dim).

        Args:
            x: (B, N, dim).
            typed: (B, types, N, N), from row to column, as `shared_out`; zeros where there is no link.
            labels: (B, N, N, labels), of labelled links; zeros where there is none.
        """
        y = self.norm_messages(x)
        carried = torch.einsum("btij,tm->bmij", typed, self.shares)
        heard = torch.einsum("bmij,bjmd->bid", carried, self.bases(y).unflatten(-1, (-1, x.shape[-1])))
        heard = heard + torch.einsum("bijd,bjd->bid", self.label(labels), 1 + self.labelled(y))
        x = x + heard
        return x + self.hidden(self.norm_hidden(x))


def shared_out(typed: Tensor) -> Tensor:
    """Links (..., N, N), 1 or 0, over the root of how many a row has: what a node hears is as loud for any number."""
    return typed / typed.sum(-1, keepdim=True).clamp(min=1).sqrt()
