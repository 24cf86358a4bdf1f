"""The controls of the parser's network: what of the token graph each kind may know."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mov_ai.checked_config import config_from_dict
from mov_ai.errors import UsageError
from mov_ai.parser.network import CompositionalSceneParser, ParserConfig, TokenBatch
from mov_ai.parser.token_graph import FEATURES

TOKENS = 6


def small(edges: str) -> CompositionalSceneParser:
    torch.manual_seed(0)
    config = ParserConfig(dim=24, layers=2, heads=2, embedding=8, hidden=32, pair_dim=8, edges=edges)  # type: ignore[arg-type]
    return CompositionalSceneParser(config).eval()


def text(relation: Tensor, word: int = 3, at: int = 0) -> TokenBatch:
    features = torch.ones(1, TOKENS, len(FEATURES), dtype=torch.long)
    features[0, at] = word
    return TokenBatch(features, relation, torch.ones(1, TOKENS, dtype=torch.bool))


def chain(kind: int) -> Tensor:
    """Each token linked to the next one, both ways."""
    relation = torch.zeros(1, TOKENS, TOKENS, dtype=torch.long)
    for token in range(TOKENS - 1):
        relation[0, token, token + 1] = relation[0, token + 1, token] = kind
    return relation


@pytest.mark.parametrize(("edges", "heeds"), [("typed", True), ("sparse", True), ("untyped", False)])
@torch.no_grad()
def test_only_a_network_without_types_does_not_heed_them(edges: str, heeds: bool) -> None:
    network = small(edges)
    same = torch.allclose(network.encode(text(chain(5))), network.encode(text(chain(9))), atol=1e-6)
    assert same is not heeds


@torch.no_grad()
def test_messages_of_a_sparse_network_go_one_edge_a_layer() -> None:
    # Two layers: the word of token 0 reaches tokens 1 and 2 of a chain, and no other.
    changed = {}
    for edges in ("sparse", "typed"):
        network = small(edges)
        before, after = (network.encode(text(chain(5), word)) for word in (3, 7))
        changed[edges] = (before - after).abs().amax(-1)[0] > 1e-6
    assert changed["sparse"].tolist() == [True, True, True, False, False, False]
    assert changed["typed"].all()


def test_kinds_of_edges_have_names() -> None:
    with pytest.raises(UsageError, match=r"edges: expected .*typed.*; found 'none'"):
        config_from_dict(ParserConfig, {"edges": "none"}, "config.json")
