"""CSP's network: twelve layers of relational attention on the token graph, and heads for what a scene graph needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mov_ai.parser.token_graph import FEATURES, RELATIONS

ROLES = (
    "none",
    "entity",
    "event",
    "attribute:color",
    "attribute:size",
    "attribute:material",
    "attribute:shape",
    "attribute:texture",
    "attribute:state",
    "attribute:other",
    "setting",
    "light",
    "number",
    "manner",
)
DIRECTIONS = (None, "left", "right", "up", "down", "toward", "away", "around")
SPATIAL_LABELS = ("left of", "right of", "behind", "in front of", "next to", "on", "under", "above", "in")
#: What one token may be to another: source -> target. "result": the attribute that an event brings about.
LINKS = (
    "none",
    "agent",
    "patient",
    "instrument",
    "location",
    "has_attribute",
    "result",
    "number",
    "manner",
    "coref",
    "relation",
    *(f"spatial:{label}" for label in SPATIAL_LABELS),
)
#: The order of two events in time; "meets": the second starts because, or as soon as, the first ends.
ORDERS = ("equal", "before", "after", "meets", "met by")
#: Words of a node before its head word, at most.
MAX_LEFT = 3
#: Distances between tokens, in either direction, that pair scores tell apart.
_DISTANCES = 24


@dataclass(frozen=True)
class ParserConfig:
    """Sizes of the network.

    Attributes:
        dim: width of a token's state; a multiple of `heads`.
        layers: message passing layers.
        heads: attention heads per layer.
        embedding: width of each word feature's embedding.
        pair_dim: width of a token's state in pair scores.
        dropout: share of states dropped in training.
    """

    dim: int = 128
    layers: int = 12
    heads: int = 4
    embedding: int = 48
    pair_dim: int = 64
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise ValueError(f"dim: expected a multiple of heads ({self.heads}); found {self.dim}")


class TokenLogits(NamedTuple):
    """Logits of every token; N tokens."""

    role: Tensor  # (N, roles)
    direction: Tensor  # (N, directions)
    left: Tensor  # (N, MAX_LEFT + 1): words of the span before the head word
    negated: Tensor  # (N,)


class PairLogits(NamedTuple):
    """Logits of every ordered pair of chosen tokens; B texts, at most M chosen tokens in each."""

    link: Tensor  # (B, M, M, links)
    order: Tensor  # (B, M, M, orders)


class RelationalAttention(nn.Module):
    """One layer: each token attends to its neighbours, with keys and values shifted by the edge's relation.

    The same sum as a torch-geometric `MessagePassing` layer with softmax aggregation (a test compares the two),
    in plain torch: importing torch-geometric alone would double the start-up time of `mov-ai parse`.
    """

    def __init__(self, config: ParserConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm = nn.LayerNorm(config.dim)
        self.query_key_value = nn.Linear(config.dim, 3 * config.dim)
        self.relation_key = nn.Embedding(RELATIONS, config.dim)
        self.relation_value = nn.Embedding(RELATIONS, config.dim)
        self.out = nn.Linear(config.dim, config.dim)
        self.mlp = nn.Sequential(
            nn.LayerNorm(config.dim),
            nn.Linear(config.dim, 2 * config.dim),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(2 * config.dim, config.dim),
        )
        self.dropout = nn.Dropout(config.dropout)
        for embedding in (self.relation_key, self.relation_value):
            nn.init.normal_(embedding.weight, std=0.1)

    def attend(self, state: Tensor, edges: Tensor, relation: Tensor) -> Tensor:
        """The messages that reach each token, mixed over heads.

        Args:
            state: (N, dim), normalised.
            edges: (2, E).
            relation: (E,).

        Returns:
            (N, dim).
        """
        source, target = edges
        split = (-1, self.heads, state.shape[1] // self.heads)
        query, key, value = (part.view(split) for part in self.query_key_value(state).chunk(3, dim=-1))
        edge_key = key[source] + self.relation_key(relation).view(split)  # (E, heads, dim / heads)
        edge_value = value[source] + self.relation_value(relation).view(split)
        score = (query[target] * edge_key).sum(-1) / split[2] ** 0.5  # (E, heads)
        # Softmax over the edges that enter one token; every token has one, its own.
        to = target[:, None].expand(-1, self.heads)
        most = torch.zeros(len(state), self.heads, dtype=score.dtype, device=state.device)
        most = most.scatter_reduce(0, to, score.detach(), "amax", include_self=False)
        weight = (score - most[target]).exp()
        total = torch.zeros(len(state), self.heads, dtype=weight.dtype, device=state.device)
        total = total.index_add(0, target, weight)
        weight = weight / total[target]
        mixed = torch.zeros_like(query).index_add(0, target, (weight[..., None] * edge_value).to(query.dtype))
        return self.out(mixed.flatten(1))

    def forward(self, state: Tensor, edges: Tensor, relation: Tensor) -> Tensor:
        """(N, dim), (2, E), (E,) -> (N, dim)."""
        state = state + self.dropout(self.attend(self.norm(state), edges, relation))
        return state + self.dropout(self.mlp(state))


class CompositionalSceneParser(nn.Module):
    """Token graph -> logits; every token graph of a batch is a part of one large graph."""

    def __init__(self, config: ParserConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = nn.ModuleList(nn.Embedding(size, config.embedding) for size in FEATURES.values())
        self.enter = nn.Linear(config.embedding * len(FEATURES), config.dim)
        self.layers = nn.ModuleList(RelationalAttention(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.dim)
        self.role = nn.Linear(config.dim, len(ROLES))
        self.direction = nn.Linear(config.dim, len(DIRECTIONS))
        self.left = nn.Linear(config.dim, MAX_LEFT + 1)
        self.negated = nn.Linear(config.dim, 1)
        self.ends = nn.Sequential(nn.Linear(config.dim, 2 * config.pair_dim), nn.GELU(), nn.Dropout(config.dropout))
        outputs = len(LINKS) + len(ORDERS)
        self.bilinear = nn.Parameter(torch.randn(outputs, config.pair_dim, config.pair_dim) / config.pair_dim)
        self.from_source = nn.Linear(config.pair_dim, outputs)
        self.from_target = nn.Linear(config.pair_dim, outputs, bias=False)
        self.distance = nn.Embedding(2 * _DISTANCES + 1, outputs)
        for embedding in self.embeddings:
            assert isinstance(embedding, nn.Embedding)
            nn.init.normal_(embedding.weight, std=0.3)

    def encode(self, features: Tensor, edges: Tensor, relation: Tensor) -> Tensor:
        """Token states.

        Args:
            features: int64 (N, features).
            edges: int64 (2, E).
            relation: int64 (E,).

        Returns:
            (N, dim).
        """
        parts = [embedding(features[:, i]) for i, embedding in enumerate(self.embeddings)]
        state = self.enter(torch.cat(parts, dim=-1))
        for layer in self.layers:
            state = layer(state, edges, relation)
        return self.norm(state)

    def tokens(self, state: Tensor) -> TokenLogits:
        """Logits of single tokens from their states (N, dim)."""
        return TokenLogits(self.role(state), self.direction(state), self.left(state), self.negated(state).squeeze(-1))

    def pairs(self, state: Tensor, chosen: Tensor) -> PairLogits:
        """Logits of pairs.

        Args:
            state: (N, dim).
            chosen: int64 (B, M), token numbers; what stands where a text has fewer is up to the caller to ignore.
        """
        source, target = self.ends(state[chosen]).chunk(2, dim=-1)  # (B, M, pair_dim) each
        left = torch.einsum("bid,ode->bioe", source, self.bilinear)
        logits = torch.einsum("bioe,bje->bijo", left, target)
        apart = (chosen[:, None, :] - chosen[:, :, None]).clamp(-_DISTANCES, _DISTANCES) + _DISTANCES
        logits = logits + self.from_source(source)[:, :, None] + self.from_target(target)[:, None]
        logits = logits + self.distance(apart)
        return PairLogits(logits[..., : len(LINKS)], logits[..., len(LINKS) :])

    def forward(
        self, features: Tensor, edges: Tensor, relation: Tensor, chosen: Tensor
    ) -> tuple[TokenLogits, PairLogits]:
        """Logits of all tokens (N) and of the pairs of `chosen` tokens (B, M); arguments as `encode` and `pairs`."""
        state = self.encode(features, edges, relation)
        return self.tokens(state), self.pairs(state, chosen)
