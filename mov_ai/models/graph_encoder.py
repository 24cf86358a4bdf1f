"""The graph encoder: nodes of a scene graph as tokens that know their neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mov_ai.checked_config import Channels, Heads, Layers
from mov_ai.graph import NODE_TYPES
from mov_ai.labels.coverage import SCENE_FIELDS
from mov_ai.models.attention import interval_bias
from mov_ai.models.conditioning import COUNTS_READ, EDGES, NODE_KINDS, Conditioning
from mov_ai.models.graph_layer import GraphLayer, spread_links
from mov_ai.models.label_projection import LabelProjection
from mov_ai.models.text_encoder import ABSENT

#: Channels of a link: of its type, and of its label in each direction.
_TYPE, _LABEL = 8, 12
#: Dimensions that directions and the scene's words are read in.
_RANK = 32


@dataclass(frozen=True)
class GraphEncoderConfig:
    """Sizes of the graph encoder: width, layers, heads."""

    dim: Channels = 192
    layers: Layers = 2
    heads: Heads = 4


class GraphEncoder(nn.Module):
    """Nodes look at one another along the edges, whose types and labels they hear; `width` of the label vectors."""

    def __init__(self, config: GraphEncoderConfig, width: int) -> None:
        super().__init__()
        self.config = config
        dim = config.dim
        self.node_type = nn.Embedding(len(NODE_TYPES), dim)
        self.kind = nn.Embedding(len(NODE_KINDS), dim)
        self.count = nn.Embedding(COUNTS_READ + 1, dim)
        self.negated = nn.Embedding(2, dim)
        self.interval = nn.Linear(2, dim)
        self.label = LabelProjection(width, dim)
        self.direction = LabelProjection(width, dim, _RANK)
        self.scene = nn.ModuleList(LabelProjection(width, dim, _RANK) for _ in SCENE_FIELDS)
        self.edge_type = nn.Embedding(len(EDGES), _TYPE)
        self.edge_label = LabelProjection(width, 2 * _LABEL)
        self.layers = nn.ModuleList(
            GraphLayer(dim, config.heads, _TYPE + 2 * _LABEL, expansion=2) for _ in range(config.layers)
        )

    def forward(self, c: Conditioning) -> Tensor:
        """Node tokens, (B, N, dim)."""
        x = self.label(c.node_label) + self.direction(c.node_direction) + self.interval(c.node_interval)
        x = x + self.node_type(c.node_type) + self.kind(c.node_kind) + self.count(c.node_count)
        x = x + self.negated(c.node_negated)
        words = torch.stack([project(c.scene[:, i]) for i, project in enumerate(self.scene)]).sum(0)
        x = x + words[:, None] * (c.node_type == NODE_TYPES.index("scene"))[..., None]
        forward, backward = self.edge_label(c.link_label).chunk(2, -1)
        links = torch.cat([self._types(c), spread_links(c.link_ends, forward, backward, x.shape[1])], -1)
        for layer in self.layers:
            x = layer(x, links, c.node_mask)
        return x

    def _types(self, c: Conditioning) -> Tensor:
        """(B, N, N, channels): what the types of a link say, added up where it has several."""
        types, nodes = self.edge_type(c.edges), c.edges.shape[1]
        row, column, kind = c.more_edges.unbind(-1)
        further = self.edge_type(kind) * (kind > 0)[..., None]
        place = (row * nodes + column)[..., None].expand_as(further)
        return types.flatten(1, 2).scatter_add(1, place, further).view_as(types)


def node_bias(c: Conditioning, frames: int, softness: float | None) -> Tensor:
    """How strongly each node is attended to in each frame, (B, frames, N) logits; dropped and absent ones hardly.

    Args:
        softness: of the nodes' intervals, see `interval_bias`; None leaves the intervals out.
    """
    hidden = (~c.node_mask | ~c.keep_graph[:, None]).float() * ABSENT
    gates = torch.zeros(*c.node_mask.shape, device=hidden.device)[:, None].expand(-1, frames, -1)
    if softness is not None:
        gates = interval_bias(c.node_interval, frames, softness)
    return gates + hidden[:, None]
