import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc

from mov_ai.parser.network import RELATIONS, CompositionalSceneParser, ParserConfig, RelationalAttention
from mov_ai.parser.token_graph import FEATURES, join, token_graph

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
    # The same word has the same ids, but for its place.
    assert (graph.features[1, :5] == graph.features[5, :5]).all()


def test_edges_join_dependencies_neighbours_and_equal_lemmas(rolling):
    graph = token_graph(rolling)
    edges = set(zip(graph.edges[0].tolist(), graph.edges[1].tolist(), strict=True))
    assert {(i, i) for i in range(7)} <= edges
    assert {(1, 2), (2, 1), (2, 6), (6, 2)} <= edges
    assert {(1, 5), (5, 1)} <= edges
    assert graph.relation.max() < RELATIONS
    by_type = {(s, t): r for s, t, r in zip(*graph.edges.tolist(), graph.relation.tolist(), strict=True)}
    assert by_type[1, 5] != by_type[5, 1]


def test_blanks_are_no_tokens():
    assert token_graph(NLP("a   ball\n\n rolls")).words == ("a", "ball", "rolls")
    assert len(token_graph(NLP(" \n "))) == 0


def test_joined_graphs_keep_their_edges_apart(rolling):
    graph = token_graph(rolling)
    features, edges, relation, starts = join([graph, graph])
    assert features.shape[0] == 14
    assert starts.tolist() == [0, 7, 14]
    assert ((edges[0] < 7) == (edges[1] < 7)).all()
    assert relation.shape[0] == edges.shape[1]


def test_the_pyg_view_holds_the_same_graph(rolling):
    graph = token_graph(rolling)
    data = graph.to_pyg()
    assert data.num_nodes == 7
    assert torch.equal(data.edge_index, torch.from_numpy(graph.edges))
    assert torch.equal(data.edge_type, torch.from_numpy(graph.relation))


def test_a_layer_passes_messages_as_torch_geometric_does(rolling):
    from torch_geometric.nn import MessagePassing
    from torch_geometric.utils import softmax

    class Reference(MessagePassing):
        def __init__(self, layer: RelationalAttention) -> None:
            super().__init__(aggr="add", node_dim=0)
            self.layer = layer

        def forward(self, state, edge_index, edge_type):
            split = (-1, self.layer.heads, state.shape[1] // self.layer.heads)
            query, key, value = (part.view(split) for part in self.layer.query_key_value(state).chunk(3, dim=-1))
            mixed = self.propagate(edge_index, query=query, key=key, value=value, relation=edge_type)
            return self.layer.out(mixed.flatten(1))

        def message(self, query_i, key_j, value_j, relation, index):
            key = key_j + self.layer.relation_key(relation).view(key_j.shape)
            score = (query_i * key).sum(-1) / key.shape[-1] ** 0.5
            value = value_j + self.layer.relation_value(relation).view(value_j.shape)
            return softmax(score, index)[..., None] * value

    torch.manual_seed(0)
    layer = RelationalAttention(ParserConfig(dim=16, heads=2)).eval()
    data = token_graph(rolling).to_pyg()
    state = torch.randn(7, 16)
    ours = layer.attend(state, data.edge_index, data.edge_type)
    assert torch.allclose(ours, Reference(layer)(state, data.edge_index, data.edge_type), atol=1e-5)


def test_the_network_has_twelve_layers_and_at_most_four_million_parameters():
    network = CompositionalSceneParser(ParserConfig())
    assert len(network.layers) == 12
    assert sum(p.numel() for p in network.parameters()) <= 4_000_000


def test_a_token_feels_others_twelve_links_away():
    words = [f"w{i}" for i in range(40)]
    chain = doc(words, [max(i - 1, 0) for i in range(40)], ["dep"] * 40)
    graph = token_graph(chain)
    network = CompositionalSceneParser(ParserConfig(dim=16, heads=2)).eval().double()
    edges, relation = torch.from_numpy(graph.edges), torch.from_numpy(graph.relation)
    features = torch.from_numpy(graph.features)
    changed = features.clone()
    changed[0, 0] = 7
    difference = (network.encode(features, edges, relation) - network.encode(changed, edges, relation)).abs().sum(-1)
    # Twelve layers, two tokens a layer.
    assert difference[20] > 0
    assert difference[25:].max() == 0


def test_a_width_that_heads_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="multiple of heads"):
        ParserConfig(dim=30, heads=4)
