"""The graph encoder: nodes of a scene graph as tokens that know their neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mov_ai.checked_config import Channels, ChannelsOrNone, Heads, Layers
from mov_ai.graph import NODE_TYPES
from mov_ai.labels.coverage import SCENE_FIELDS
from mov_ai.models.attention import interval_bias
from mov_ai.models.conditioning import COUNTS_READ, EDGES, NODE_KINDS, Conditioning
from mov_ai.models.graph_layer import GraphLayer, spread_links
from mov_ai.models.label_projection import LabelProjection
from mov_ai.models.text_encoder import ABSENT

#: Channels of a link: of its type, and of its label in each direction.
_TYPE, _LABEL = 8, 12
#: From what belongs to an entity to it: attributes, and events that it does.
_BELONGING = (EDGES.index("has_attribute^"), EDGES.index("agent"))
#: Dimensions that directions and the scene's words are read in.
_RANK = 32


@dataclass(frozen=True)
class GraphEncoderConfig:
    """Sizes of the graph encoder.

    Attributes:
        dim, layers, heads: of its attention along links.
        numbers: how many entities have a number of their own, in the order of the graph, which their attributes and
            events carry as well; more begin again with the first. Without boxes a video's places can agree on who of
            two stands where only by what tells them apart: text has its order, a graph has none. 0 for no numbers.
    """

    dim: Channels = 192
    layers: Layers = 2
    heads: Heads = 4
    numbers: ChannelsOrNone = 0


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
        self.number = nn.Embedding(config.numbers, dim) if config.numbers else None
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
        if self.number is not None:
            x = x + self._numbers(c, self.number)
        forward, backward = self.edge_label(c.link_label).chunk(2, -1)
        links = torch.cat([self._types(c), spread_links(c.link_ends, forward, backward, x.shape[1])], -1)
        for layer in self.layers:
            x = layer(x, links, c.node_mask)
        return x

    def _numbers(self, c: Conditioning, number: nn.Embedding) -> Tensor:
        """(B, N, dim): the number of each entity, at the entity and at all that it has and does."""
        is_entity = (c.node_type == NODE_TYPES.index("entity")) & c.node_mask
        own = number((is_entity.cumsum(1) - 1).clamp(min=0) % number.num_embeddings) * is_entity[..., None]
        belongs = torch.stack([c.edges == link for link in _BELONGING]).any(0)
        row, column, kind = c.more_edges.unbind(-1)
        further = torch.stack([kind == link for link in _BELONGING]).any(0)
        place = row * belongs.shape[1] + column
        belongs = belongs.flatten(1).to(own).scatter_add(1, place, further.to(own)).view_as(belongs).clamp(max=1)
        return own + belongs @ own

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
