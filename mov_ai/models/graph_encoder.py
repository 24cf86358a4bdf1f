"""The graph encoder: nodes of a scene graph as tokens that know their neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.checked_config import Channels, Heads, Layers
from mov_ai.graph import NODE_TYPES
from mov_ai.labels.coverage import SCENE_FIELDS
from mov_ai.models.attention import interval_bias
from mov_ai.models.conditioning import COUNTS_READ, EDGES, NODE_KINDS, Conditioning
from mov_ai.models.graph_layer import GraphLayer, spread_links
from mov_ai.models.label_projection import LabelProjection
from mov_ai.models.relational_layer import RelationalLayer, shared_out
from mov_ai.models.text_encoder import ABSENT

#: Channels of a link: of its type, and of its label in each direction.
_TYPE, _LABEL = 8, 12
#: Dimensions that directions and the scene's words are read in.
_RANK = 32
#: How nodes hear one another: "relations" along their edges (`RelationalLayer`), "attention" all of them.
MESSAGES = ("relations", "attention")


@dataclass(frozen=True)
class GraphEncoderConfig:
    """Sizes of the graph encoder.

    Attributes:
        dim, layers: width, and how far a node hears.
        heads: of attention.
        messages: one of `MESSAGES`.
    """

    dim: Channels = 192
    layers: Layers = 2
    heads: Heads = 4
    messages: str = "relations"

    def __post_init__(self) -> None:
        if self.messages not in MESSAGES:
            raise ValueError(f"graph_encoder: messages: expected one of {', '.join(MESSAGES)}, got {self.messages!r}")


class GraphEncoder(nn.Module):
    """Nodes hear one another along the edges, their types and labels; `width` of the label vectors."""

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
        self.edge_label = LabelProjection(width, 2 * _LABEL)
        self.edge_type: nn.Embedding | None = None
        if config.messages == "attention":
            self.edge_type = nn.Embedding(len(EDGES), _TYPE)
            links = _TYPE + 2 * _LABEL
            layers: list[nn.Module] = [GraphLayer(dim, config.heads, links, 2) for _ in range(config.layers)]
            self.norm = None
        else:
            # No link, the first of EDGES, carries nothing.
            layers = [RelationalLayer(dim, len(EDGES) - 1, 2 * _LABEL) for _ in range(config.layers)]
            self.norm = nn.LayerNorm(dim)
        self.layers = nn.ModuleList(layers)

    def forward(self, c: Conditioning) -> Tensor:
        """Node tokens, (B, N, dim)."""
        x = self.label(c.node_label) + self.direction(c.node_direction) + self.interval(c.node_interval)
        x = x + self.node_type(c.node_type) + self.kind(c.node_kind) + self.count(c.node_count)
        x = x + self.negated(c.node_negated)
        words = torch.stack([project(c.scene[:, i]) for i, project in enumerate(self.scene)]).sum(0)
        x = x + words[:, None] * (c.node_type == NODE_TYPES.index("scene"))[..., None]
        forward, backward = self.edge_label(c.link_label).chunk(2, -1)
        labels = spread_links(c.link_ends, forward, backward, x.shape[1])
        if self.edge_type is not None:
            links = torch.cat([_type_vectors(c, self.edge_type), labels], -1)
            for layer in self.layers:
                x = layer(x, links, c.node_mask)
            return x
        typed = shared_out(typed_links(c))
        for layer in self.layers:
            x = layer(x, typed, labels)
        assert self.norm is not None
        return self.norm(x)


def _type_vectors(c: Conditioning, edge_type: nn.Embedding) -> Tensor:
    """(B, N, N, channels): what the types of a link say, added up where it has several."""
    types, nodes = edge_type(c.edges), c.edges.shape[1]
    row, column, kind = c.more_edges.unbind(-1)
    further = edge_type(kind) * (kind > 0)[..., None]
    place = (row * nodes + column)[..., None].expand_as(further)
    return types.flatten(1, 2).scatter_add(1, place, further).view_as(types)


def typed_links(c: Conditioning) -> Tensor:
    """(B, types, N, N) float, 1 where a link of a type leads from row to column; types are `EDGES` but the first."""
    batch, nodes = c.edges.shape[:2]
    row, column, kind = c.more_edges.unbind(-1)
    typed = functional.one_hot(c.edges, len(EDGES)).permute(0, 3, 1, 2).reshape(batch, -1)
    typed = typed.scatter(1, (kind * nodes + row) * nodes + column, 1)
    return typed.view(batch, len(EDGES), nodes, nodes)[:, 1:].to(c.link_label)


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
