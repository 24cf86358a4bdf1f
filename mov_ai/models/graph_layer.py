"""Attention among the nodes of a graph, to which what links them is told: the planner's block."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GraphLayer(nn.Module):
    """Attention among nodes with what links them in its logits and its messages, then a perceptron.

    A link is a message of its own: "left of that" must move the receiver, whatever the sender is. It comes as a sum
    over links as well as within attention's average, so that other nodes do not thin it out.

    Args:
        dim, heads: of the attention.
        links: channels of a link.
        expansion: width of the perceptron's hidden layer in units of `dim`.
        modulated: whether `forward` is given a vector that shifts and scales the normalised nodes.
    """

    def __init__(self, dim: int, heads: int, links: int, expansion: int, modulated: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_hidden = (nn.LayerNorm(dim, elementwise_affine=not modulated) for _ in range(2))
        self.modulate = nn.Linear(dim, 4 * dim) if modulated else None
        self.qkv = nn.Linear(dim, 3 * dim)
        self.link_bias = nn.Linear(links, heads, bias=False)
        self.link_message = nn.Parameter(torch.zeros(heads, links, dim // heads))
        self.out = nn.Linear(dim, dim)
        self.hidden = nn.Sequential(nn.Linear(dim, expansion * dim), nn.GELU(), nn.Linear(expansion * dim, dim))
        # Fresh layers change nothing.
        for last in (self.out, self.hidden[-1], self.modulate):
            if isinstance(last, nn.Linear):
                nn.init.zeros_(last.weight)
                nn.init.zeros_(last.bias)

    def forward(self, x: Tensor, links: Tensor, mask: Tensor, vector: Tensor | None = None) -> Tensor:
        """One layer, (B, N, dim).

        Args:
            x: (B, N, dim).
            links: (B, N, N, links), from row to column.
            mask: (B, N) bool, whether there is such a node.
            vector: (B, 1, dim), of a modulated layer.
        """
        batch, nodes, dim = x.shape
        y, z = self.norm_attention, self.norm_hidden
        if self.modulate is not None and vector is not None:
            scale, shift, scale_hidden, shift_hidden = self.modulate(vector).chunk(4, -1)
        else:
            scale = shift = scale_hidden = shift_hidden = x.new_zeros(1)
        q, k, v = self.qkv(y(x) * (1 + scale) + shift).view(batch, nodes, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        absent = x.new_zeros(mask.shape).masked_fill(~mask, -1e4)[:, None, None, :]
        logits = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5 + self.link_bias(links).permute(0, 3, 1, 2) + absent
        weight = logits.softmax(-1)
        summed = (links * mask[:, None, :, None]).sum(2)  # (B, N, links)
        message = weight @ v + torch.einsum("bhij,bijl,hld->bhid", weight, links, self.link_message)
        message = message + 0.5 * torch.einsum("bil,hld->bhid", summed, self.link_message)
        x = x + self.out(message.transpose(1, 2).reshape(batch, nodes, dim))
        return x + self.hidden(z(x) * (1 + scale_hidden) + shift_hidden)


def spread_links(ends: Tensor, forward: Tensor, backward: Tensor, nodes: int) -> Tensor:
    """Vectors of labelled links as a table (B, N, N, 2 * channels); several links of a pair add up.

    Args:
        ends: (B, E, 2) source and target.
        forward, backward: (B, E, channels) what the link says from source to target, and back.
    """
    batch, _, channels = forward.shape
    table = forward.new_zeros(batch, nodes * nodes, 2 * channels)
    source, target = ends.unbind(-1)
    for row, column, vectors, first in ((source, target, forward, 0), (target, source, backward, channels)):
        place = (row * nodes + column)[..., None].expand(-1, -1, channels)
        table[..., first : first + channels] = table[..., first : first + channels].scatter_add(1, place, vectors)
    return table.view(batch, nodes, nodes, 2 * channels)
