import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc

from mov_ai.parser.network import RELATIONS, CompositionalSceneParser, ParserConfig, RelationalAttention, TokenBatch
from mov_ai.parser.token_graph import FEATURES, pad, token_graph

NLP = spacy.blank("en")


def doc(words: list[str], heads: list[int], deps: list[str], lemmas: list[str] | None = None) -> Doc:
    return Doc(NLP.vocab, words=words, heads=heads, deps=deps, lemmas=lemmas or words)


@pytest.fixture
def rolling() -> Doc:
    words = ["a", "ball", "rolls", ",", "the", "ball", "jumps"]
    heads, deps = [1, 2, 2, 6, 5, 6, 2], ["det", "nsubj", "ROOT", "punct", "det", "nsubj", "parataxis"]
    return doc(words, heads, deps, ["a", "ball", "roll", ",", "the", "ball", "jump"])


def test_features_and_spans_are_per_token(rolling):
    graph = token_graph(rolling)
    assert graph.features.shape == (7, len(FEATURES))
    assert (graph.features >= 0).all()
    assert (graph.features < np.array(list(FEATURES.values()))).all()
    assert [rolling.text[a:b] for a, b in graph.spans] == list(graph.words)
    # The same word has the same ids.
    assert (graph.features[1, :8] == graph.features[5, :8]).all()


def test_edges_join_dependencies_and_equal_lemmas(rolling):
    graph = token_graph(rolling)
    edges = set(zip(graph.edges[0].tolist(), graph.edges[1].tolist(), strict=True))
    assert {(1, 2), (2, 1), (2, 6), (6, 2)} <= edges
    assert {(1, 5), (5, 1)} <= edges
    assert graph.relation.max() < RELATIONS
    by_type = {(s, t): r for s, t, r in zip(*graph.edges.tolist(), graph.relation.tolist(), strict=True)}
    assert by_type[1, 5] != by_type[5, 1]


def test_blanks_are_no_tokens():
    assert token_graph(NLP("a   ball\n\n rolls")).words == ("a", "ball", "rolls")
    assert len(token_graph(NLP(" \n "))) == 0


def test_padded_graphs_are_what_torch_geometric_makes_dense(rolling):
    from torch_geometric.data import Batch, Data
    from torch_geometric.utils import to_dense_adj, to_dense_batch

    graphs = [token_graph(rolling), token_graph(doc(["a", "cup"], [1, 1], ["det", "ROOT"]))]
    features, relation, mask = (torch.from_numpy(array) for array in pad(graphs))
    arrays = [[torch.from_numpy(array) for array in (graph.features, graph.edges, graph.relation)] for graph in graphs]
    batch = Batch.from_data_list([Data(x=x, edge_index=edges, edge_type=kinds) for x, edges, kinds in arrays])
    dense, there = to_dense_batch(batch.x, batch.batch)
    assert torch.equal(dense, features)
    assert torch.equal(there, mask)
    # Rows of PyG's matrix are sources; ours are the tokens that the messages reach.
    adjacency = to_dense_adj(batch.edge_index, batch.batch, batch.edge_type.float())
    assert torch.equal(adjacency.transpose(1, 2).long(), relation)


def test_sentences_begin_where_the_pipeline_says():
    words = ["a", "dog", "runs", ".", "it", "stops"]
    text = Doc(NLP.vocab, words=words, heads=[1, 2, 2, 2, 5, 5], deps=["dep"] * 6, sent_starts=[1, 0, 0, 0, 1, 0])
    assert token_graph(text).sentences == (0, 4)


def test_a_layer_passes_messages_as_torch_geometric_does(rolling):
    from torch_geometric.nn import MessagePassing
    from torch_geometric.utils import softmax

    class Reference(MessagePassing):
        def __init__(self, layer: RelationalAttention) -> None:
            super().__init__(aggr="add", node_dim=0)
            self.layer = layer

        def forward(self, state, edge_index, edge_bias):
            split = (-1, self.layer.heads, state.shape[1] // self.layer.heads)
            query, key, value = (part.view(split) for part in self.layer.query_key_value(state).chunk(3, dim=-1))
            mixed = self.propagate(edge_index, query=query, key=key, value=value, bias=edge_bias)
            return self.layer.out(mixed.flatten(1))

        def message(self, query_i, key_j, value_j, bias, index):
            score = (query_i * key_j).sum(-1) / key_j.shape[-1] ** 0.5 + bias
            return softmax(score, index)[..., None] * value_j

    torch.manual_seed(0)
    layer = RelationalAttention(ParserConfig(dim=16, heads=2)).eval()
    state, bias = torch.randn(7, 16), torch.randn(2, 7, 7)
    target, source = torch.cartesian_prod(torch.arange(7), torch.arange(7)).T
    reference = Reference(layer)(state, torch.stack([source, target]), bias[:, target, source].T)
    assert torch.allclose(layer.attend(state[None], bias[None])[0], reference, atol=1e-5)


def test_the_network_has_twelve_layers_and_at_most_eight_million_parameters():
    network = CompositionalSceneParser(ParserConfig(forms=80, labels=600, endings=80))
    assert len(network.layers) == 12
    assert sum(p.numel() for p in network.parameters()) <= 8_000_000


def test_padding_changes_nothing(rolling):
    network = CompositionalSceneParser(ParserConfig(dim=16, heads=2)).eval().double()
    short, long = token_graph(rolling), token_graph(doc(["w"] * 12, [0] * 12, ["dep"] * 12))
    alone, both = ([torch.from_numpy(array) for array in pad(graphs)] for graphs in ([short], [short, long]))
    first, second = (network.encode(TokenBatch(*arrays))[0, : len(short)] for arrays in (alone, both))
    assert torch.allclose(first, second, atol=1e-9)


def test_relations_are_felt(rolling):
    network = CompositionalSceneParser(ParserConfig(dim=16, heads=2)).eval().double()
    features, relation, mask = (torch.from_numpy(array) for array in pad([token_graph(rolling)]))
    plain = network.encode(TokenBatch(features, relation, mask))
    without = network.encode(TokenBatch(features, torch.zeros_like(relation), mask))
    assert (plain - without).abs().max() > 1e-4


def test_a_width_that_heads_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="multiple of heads"):
        ParserConfig(dim=30, heads=4)
