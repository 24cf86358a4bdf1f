"""CSP's network: twelve layers of relational attention on the token graph, and heads for what a scene graph needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from mov_ai.checked_config import Channels, Heads, Layers, Share
from mov_ai.parser.lexicon import load_lexicon
from mov_ai.parser.timeline import TimelineHead, TimelineLogits
from mov_ai.parser.token_graph import FEATURES, RELATIONS

ROLES = (
    *("none", "entity", "event"),
    *(f"attribute:{kind}" for kind in ("color", "size", "material", "shape", "texture", "state", "other")),
    *("setting", "light", "number", "manner"),
    # What is written on a thing; camera moves, styles and places on the screen, all words of each.
    *("attribute:text", "camera", "style", "place"),
)
#: Roles of words that are linked to no other.
UNLINKED = ("none", "setting", "light", "camera", "style")
#: Of which part of the video something holds; of steps, "middle" is neither the first nor the last.
PARTS = ("whole", "first", "middle", "last")
#: The last four came later than the first parsers.
DIRECTIONS = (
    *(None, "left", "right", "up", "down", "toward", "away", "around"),
    *("across", "back and forth", "zigzag", "up and down", "apart"),
)
SPATIAL_LABELS = ("left of", "right of", "behind", "in front of", "next to", "on", "under", "above", "in")
#: What one token may be to another: source -> target. "result": the attribute that an event brings about; "member":
#: the group that a thing is told apart from ("two women. One ..."); "place": where on the screen it is.
LINKS = (
    *("none", "agent", "patient", "instrument", "location", "has_attribute", "result", "number", "manner", "coref"),
    *("relation", *(f"spatial:{label}" for label in SPATIAL_LABELS)),
    *("receiver", "member", "place"),
)
#: The order of two events in time; "meets": the second starts because, or as soon as, the first ends.
ORDERS = ("equal", "before", "after", "meets", "met by")
#: Words of a node before its head word, at most.
MAX_LEFT = 3
#: Distances between tokens, in either direction, that are told apart.
MAX_DISTANCE = 16


@dataclass(frozen=True)
class ParserConfig:
    """Sizes of the network.

    Attributes:
        dim: width of a token's state; a multiple of `heads`.
        layers: message passing layers.
        heads: attention heads per layer.
        embedding: width of each word feature's embedding.
        hidden: width of a layer's feed-forward part.
        pair_dim: width of a token's state in scores of links, orders and attributes.
        dropout: share of channels dropped in training.
        forms: ways to word a node, `Vocabulary.forms`.
        labels: predicates, `Vocabulary.labels`.
        endings: what may follow a verb in a predicate, `Vocabulary.endings`.
        edges: how messages pass between tokens. "typed": between all, the types of edges shift how much; "untyped":
            between all, no edge is told from none; "sparse": along the edges of the token graph only. The last two
            are controls of what the graph is worth (experiments/parser).
    """

    dim: Channels = 192
    layers: Layers = 12
    heads: Heads = 6
    embedding: Channels = 48
    hidden: Channels = 512
    pair_dim: Channels = 96
    dropout: Share = 0.15
    forms: Channels = 3
    labels: Channels = 1
    endings: Channels = 1
    edges: Literal["typed", "untyped", "sparse"] = "typed"

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise ValueError(f"dim: expected a multiple of heads ({self.heads}); found {self.dim}")


class TokenBatch(NamedTuple):
    """Token graphs side by side; B texts, at most N tokens in each, F features."""

    features: Tensor  # int64 (B, N, F)
    relation: Tensor  # int64 (B, N, N): of the edge to the token of the row from the token of the column
    mask: Tensor  # bool (B, N): where there is a token


class TokenLogits(NamedTuple):
    """Logits of every token."""

    role: Tensor  # (B, N, roles)
    direction: Tensor  # (B, N, directions)
    left: Tensor  # (B, N, 2, MAX_LEFT + 1): words of the span before the head word; of entities, of attributes
    form: Tensor  # (B, N, 2, forms): how the node is worded; of entities, of attributes
    negated: Tensor  # (B, N)
    part: Tensor  # (B, N, parts): of entities, attributes, camera moves and places on the screen


class PairLogits(NamedTuple):
    """Logits of every ordered pair of chosen tokens; at most M chosen tokens in each text."""

    link: Tensor  # (B, M, M, links)
    order: Tensor  # (B, M, M, orders)


class Wording(NamedTuple):
    """Which of a text's tokens can be the verb of which predicate; T verbs at most, K endings."""

    label_verb: Tensor  # int64 (B, labels): the token that a label's verb is the lemma of; -1: not in the text
    verbs: Tensor  # int64 (B, T): tokens whose lemmas can be put before an ending; -1 where a text has fewer
    label_ending: Tensor  # int64 (labels,): the ending of each label
    labels: Tensor  # bool (B, labels): the labels that the text can have
    endings: Tensor  # bool (B, K): the endings that it can have


class ParseLogits(NamedTuple):
    """Logits of all that a scene graph needs."""

    tokens: TokenLogits
    pairs: PairLogits
    attributes: Tensor  # (B, N, N)
    predicates: Tensor  # (P, choices)
    log_duration: Tensor  # (S,), of the sentences whose shares of the clip are known


class ChannelDropout(nn.Module):
    """Dropout with one mask for all tokens of a text: as good here as one mask each, and far cheaper to draw."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, value: Tensor) -> Tensor:
        """(B, ..., channels) -> the same."""
        if not self.training or self.share == 0:
            return value
        shape = (len(value),) + (1,) * (value.dim() - 2) + (value.shape[-1],)
        is_kept = torch.rand(shape, device=value.device) >= self.share
        return value * (is_kept.to(value.dtype) / (1 - self.share))


class RelationalAttention(nn.Module):
    """One layer of message passing on the complete graph of a text's tokens, whose edges are typed.

    A token attends to all others; the type of the edge between them (dependency label and direction, same lemma) and
    their distance in the text shift each head's score. It is the sum that a torch-geometric `MessagePassing` layer
    with softmax aggregation gives, in plain torch: see `docs/parsing.md`.
    """

    def __init__(self, config: ParserConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm = nn.LayerNorm(config.dim)
        self.query_key_value = nn.Linear(config.dim, 3 * config.dim)
        self.out = nn.Linear(config.dim, config.dim)
        self.norm_mlp = nn.LayerNorm(config.dim)
        self.mlp_in = nn.Linear(config.dim, config.hidden)
        self.mlp_out = nn.Linear(config.hidden, config.dim)
        self.dropout = ChannelDropout(config.dropout)

    def attend(self, state: Tensor, bias: Tensor) -> Tensor:
        """The messages that reach each token, mixed over heads: (B, N, dim).

        Args:
            state: (B, N, dim), normalised.
            bias: (B, heads, N, N), added to the score of the edge to the row's token from the column's.
        """
        batch, count, dim = state.shape
        split = (batch, count, 3, self.heads, dim // self.heads)
        query, key, value = self.query_key_value(state).view(split).permute(2, 0, 3, 1, 4)
        score = query @ key.transpose(-1, -2) * split[-1] ** -0.5 + bias
        mixed = score.softmax(-1) @ value  # (B, heads, N, dim / heads)
        return self.out(mixed.transpose(1, 2).reshape(batch, count, dim))

    def forward(self, state: Tensor, bias: Tensor) -> Tensor:
        """(B, N, dim), (B, heads, N, N) -> (B, N, dim)."""
        state = state + self.dropout(self.attend(self.norm(state), bias))
        hidden = nn.functional.gelu(self.mlp_in(self.norm_mlp(state)))
        return state + self.dropout(self.mlp_out(hidden))


class CompositionalSceneParser(nn.Module):
    """Token graphs -> logits."""

    def __init__(self, config: ParserConfig) -> None:
        super().__init__()
        self.config = config
        dim, pair_dim = config.dim, config.pair_dim
        learnt = [size for name, size in FEATURES.items() if name != "meaning"]
        self.embeddings = nn.ModuleList(nn.Embedding(size, config.embedding) for size in learnt)
        # The same for every parser, so it is not stored with the weights.
        self.meanings: Tensor
        self.register_buffer("meanings", torch.from_numpy(load_lexicon().vectors), persistent=False)
        self.meaning = nn.Linear(self.meanings.shape[1], config.embedding)
        self.enter = nn.Linear(config.embedding * len(FEATURES), dim)
        self.layers = nn.ModuleList(RelationalAttention(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(dim)
        # The shift of each head of each layer.
        self.relation = nn.Embedding(RELATIONS, config.layers * config.heads)
        self.distance = nn.Embedding(2 * MAX_DISTANCE + 1, config.layers * config.heads)
        self.dropout = ChannelDropout(config.dropout)

        # Guesses hidden words in training, by what their lemmas are embedded as.
        self.guess = nn.Linear(dim, config.embedding)

        self.role = nn.Linear(dim, len(ROLES))
        self.direction = nn.Linear(dim, len(DIRECTIONS))
        self.left = nn.Linear(dim, 2 * (MAX_LEFT + 1))
        self.form = nn.Linear(dim, 2 * config.forms)
        self.negated = nn.Linear(dim, 1)
        self.part = nn.Linear(dim, len(PARTS))
        self.timeline = TimelineHead(dim)

        self.ends = nn.Sequential(nn.Linear(dim, 2 * pair_dim), nn.GELU())
        outputs = len(LINKS) + len(ORDERS)
        self.bilinear = nn.Parameter(torch.randn(outputs, pair_dim, pair_dim) / pair_dim)
        self.from_source = nn.Linear(pair_dim, outputs)
        self.from_target = nn.Linear(pair_dim, outputs, bias=False)
        self.pair_distance = nn.Embedding(2 * MAX_DISTANCE + 1, outputs)

        self.owner = nn.Linear(dim, pair_dim)
        self.owned = nn.Linear(dim, pair_dim)
        self.attribute_bilinear = nn.Parameter(torch.randn(pair_dim, pair_dim) / pair_dim)
        self.attribute_bias = nn.Linear(dim, 2)
        self.attribute_distance = nn.Embedding(2 * MAX_DISTANCE + 1, 1)

        self.head = nn.Linear(dim, dim)
        self.tail = nn.Linear(dim, dim)
        self.predicate_relation = nn.Embedding(RELATIONS, dim)
        self.predicate_distance = nn.Embedding(2 * MAX_DISTANCE + 1, dim)
        self.mix = nn.Linear(3 * dim, dim)
        self.point = nn.Linear(dim, dim)
        self.point_key = nn.Linear(dim, dim)
        self.point_value = nn.Linear(dim, dim)
        self.mix_context = nn.Linear(2 * dim, dim)
        self.label = nn.Linear(dim, config.labels)
        self.ending = nn.Linear(dim, config.endings)
        self.made_up = nn.Parameter(torch.tensor(-4.0))

        for table in self.embeddings:
            assert isinstance(table, nn.Embedding)
            nn.init.normal_(table.weight, std=0.3)
        for table in (self.relation, self.distance):
            nn.init.normal_(table.weight, std=0.1)
        for table in (self.pair_distance, self.attribute_distance):
            nn.init.zeros_(table.weight)

    def encode(self, batch: TokenBatch) -> Tensor:
        """Token states (B, N, dim); what stands where there is no token means nothing."""
        parts = [table(batch.features[..., i]) for i, table in enumerate(self.embeddings)]
        parts.append(self.meaning(self.meanings[batch.features[..., -1]]))
        state = self.enter(self.dropout(torch.cat(parts, dim=-1)))
        count = state.shape[1]
        layers, heads = self.config.layers, self.config.heads
        relation = self._relation(batch)
        shift = self.relation(relation) + self.distance(_distances(torch.arange(count, device=state.device)))
        # (B, N, N, layers * heads) -> (layers, B, heads, N, N)
        shift = shift.view(len(state), count, count, layers, heads).permute(3, 0, 4, 1, 2)
        open_to = batch.mask[:, None, :]
        if self.config.edges == "sparse":
            open_to = open_to & ((relation > 0) | torch.eye(count, dtype=torch.bool, device=relation.device))
        shift = shift.masked_fill(~open_to[None, :, None], -1e4)
        for layer, bias in zip(self.layers, shift, strict=True):
            state = layer(state, bias)
        return self.dropout(self.norm(state))

    def _relation(self, batch: TokenBatch) -> Tensor:
        """The types of the edges, (B, N, N), as far as this network may know them."""
        return torch.zeros_like(batch.relation) if self.config.edges == "untyped" else batch.relation

    def tokens(self, state: Tensor) -> TokenLogits:
        """Logits of single tokens from their states (B, N, dim)."""
        shape = (*state.shape[:2], 2, -1)
        return TokenLogits(
            self.role(state),
            self.direction(state),
            self.left(state).view(shape),
            self.form(state).view(shape),
            self.negated(state).squeeze(-1),
            self.part(state),
        )

    def guesses(self, state: Tensor) -> Tensor:
        """Logits (..., lemma ids) of what a hidden word is, from token states (..., dim)."""
        table = self.embeddings[list(FEATURES).index("lemma")].weight
        assert isinstance(table, Tensor)
        return self.guess(state) @ table.T

    def pairs(self, state: Tensor, chosen: Tensor) -> PairLogits:
        """Logits of pairs; state (B, N, dim), chosen int64 (B, M) token numbers.

        What stands where a text has fewer is up to the caller to ignore.
        """
        picked = state.gather(1, chosen[..., None].expand(-1, -1, state.shape[-1]))
        source, target = self.dropout(self.ends(picked)).chunk(2, dim=-1)  # (B, M, pair_dim) each
        left = torch.einsum("bid,ode->bioe", source, self.bilinear)
        logits = torch.einsum("bioe,bje->bijo", left, target)
        logits = logits + self.from_source(source)[:, :, None] + self.from_target(target)[:, None]
        logits = logits + self.pair_distance(_distances(chosen))
        return PairLogits(logits[..., : len(LINKS)], logits[..., len(LINKS) :])

    def attributes(self, state: Tensor) -> Tensor:
        """Logits (B, N, N) that the row's token, an entity, has the column's as an attribute; state (B, N, dim)."""
        owner = self.dropout(nn.functional.gelu(self.owner(state)))
        owned = self.dropout(nn.functional.gelu(self.owned(state)))
        of_owner, of_owned = self.attribute_bias(state).unbind(-1)
        logits = owner @ self.attribute_bilinear @ owned.transpose(1, 2)
        distance_bias = self.attribute_distance(_distances(torch.arange(state.shape[1], device=state.device)))
        return logits + of_owner[:, :, None] + of_owned[:, None, :] + distance_bias[..., 0]

    def predicates(self, state: Tensor, batch: TokenBatch, pairs: Tensor, wording: Wording) -> tuple[Tensor, Tensor]:
        """How likely each predicate is to hold between two entities.

        A predicate is one of the labels, or made up of a verb of the text and an ending ("graze" + "near"); the score
        of either grows with how strongly the pair points at the verb's token.

        Args:
            state: (B, N, dim), made of `batch`.
            pairs: int64 (P, 3): text, head token, tail token.
            wording: which tokens can be verbs.

        Returns:
            Logits (P, labels + T * K), label 0 means no predicate, then verb by verb the endings; and where in the
            text the predicate is said, logits (P, N).
        """
        text, head, tail = pairs.unbind(1)
        first, second = state[text, head], state[text, tail]
        relation = self._relation(batch)[text, head, tail]
        distance = (tail - head).clamp(-MAX_DISTANCE, MAX_DISTANCE) + MAX_DISTANCE
        a, b = self.head(first), self.tail(second)
        edge = self.predicate_relation(relation) + self.predicate_distance(distance)
        pair = nn.functional.gelu(self.mix(torch.cat([a + b + edge, a * b, (first - second).abs()], dim=-1)))
        pair = self.dropout(pair)
        key, value, pointing = self.point_key(state), self.point_value(state), self.point(pair)
        # Of one text all pairs look at the same tokens: nothing has to be copied for each of them.
        is_one = len(state) == 1
        pointer = pointing @ key[0].T if is_one else torch.einsum("pd,pnd->pn", pointing, key[text])
        pointer = (pointer * state.shape[-1] ** -0.5).masked_fill(~batch.mask[text], -1e4).float()
        weight = pointer.softmax(-1).to(state.dtype)
        context = weight @ value[0] if is_one else torch.einsum("pn,pnd->pd", weight, value[text])
        pair = nn.functional.gelu(self.mix_context(torch.cat([pair, context], dim=-1)))
        pair = self.dropout(pair)
        ending = self.ending(pair).float()
        shared = ending[:, wording.label_ending]
        # Label 0 says nothing, so it has no ending.
        labels = self.label(pair).float() + torch.cat([torch.zeros_like(shared[:, :1]), shared[:, 1:]], dim=1)
        verb = wording.label_verb[text]  # (P, labels)
        labels = labels + pointer.gather(1, verb.clamp(min=0)) * (verb >= 0)
        labels = labels.masked_fill(~wording.labels[text], -1e4)
        verbs = wording.verbs[text]  # (P, T)
        made_up = pointer.gather(1, verbs.clamp(min=0)).masked_fill(verbs < 0, -1e4) + self.made_up
        ending = ending.masked_fill(~wording.endings[text], -1e4)
        return torch.cat([labels, (made_up[:, :, None] + ending[:, None, :]).flatten(1)], dim=1), pointer

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, ParseLogits | TimelineLogits]:
        """All logits of a batch in training: of the lemmas of G hidden tokens, and of all that it has targets for.

        Args:
            batch: what `mov_ai.training.parser_samples.collate` or `mov_ai.training.timelines.collate_timelines`
                returns, and `hidden`, int64 (B, N), at least 0 for the tokens to guess.
        """
        tokens = TokenBatch(batch["features"], batch["relation"], batch["mask"])
        state = self.encode(tokens)
        guesses = self.guesses(state[batch["hidden"] >= 0])
        if "piece" in batch:
            pieces = len(batch["shares"])
            return guesses, self.timeline(state.flatten(0, 1), batch["token"], batch["piece"], pieces, batch["pairs"])
        wording = Wording(*(batch[name] for name in Wording._fields))
        predicates, _ = self.predicates(state, tokens, batch["pairs"], wording)
        pairs = self.pairs(state, batch["chosen"])
        log_duration = self.log_durations(state, batch["told_token"], batch["told_piece"], len(batch["told_text"]))
        return guesses, ParseLogits(self.tokens(state), pairs, self.attributes(state), predicates, log_duration)

    def log_durations(self, state: Tensor, token: Tensor, piece: Tensor, count: int) -> Tensor:
        """(S,) how long pieces of texts last, see `TimelineHead`; state (B, N, dim), tokens numbered through B * N."""
        no_pairs = token.new_zeros((2, 0))
        return self.timeline(state.flatten(0, 1), token, piece, count, no_pairs).log_duration


def _distances(places: Tensor) -> Tensor:
    """(..., N) -> (..., N, N): how far the column's token stands behind the row's, as a row of an embedding."""
    return (places[..., None, :] - places[..., :, None]).clamp(-MAX_DISTANCE, MAX_DISTANCE) + MAX_DISTANCE
