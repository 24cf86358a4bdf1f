import numpy as np
import pytest
import torch

from mov_ai.data.tabletop.grammar import HELD_OUT_PATTERNS
from mov_ai.data.tabletop.scene import SPLITS
from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.parser.decode import Scores, decode
from mov_ai.parser.network import DIRECTIONS, LINKS, MAX_LEFT, ORDERS, ROLES
from mov_ai.parser.spacy_pipeline import load_spacy
from mov_ai.parser.token_graph import token_graph
from mov_ai.training.parser import ParserObjective, Sample, collate, figures, make_sample
from mov_ai.training.parser_captions import WorldCaptions


@pytest.fixture(scope="module")
def told() -> list[tuple[SceneGraph, Sample]]:
    source, nlp = WorldCaptions("train", substituted=0.4), load_spacy()
    captions = [source.caption(i) for i in range(60)]
    docs = nlp.pipe([text for text, _, _ in captions])
    return [(g, make_sample(token_graph(doc), g, m)) for doc, (_, g, m) in zip(docs, captions, strict=True)]


def certain(index: np.ndarray, size: int) -> np.ndarray:
    """Probabilities that are sure of an index."""
    return np.eye(size)[np.maximum(index, 0)]


def test_targets_decode_to_the_gold_graphs():
    source, nlp = WorldCaptions("test", substituted=0.0), load_spacy()
    captions = [source.caption(i) for i in range(60)]
    predicted = []
    for doc, (text, graph, mentions) in zip(nlp.pipe([c[0] for c in captions]), captions, strict=True):
        sample = make_sample(token_graph(doc), graph, mentions)
        scores = Scores(
            certain(sample.role, len(ROLES)),
            certain(sample.direction, len(DIRECTIONS)),
            certain(sample.left, MAX_LEFT + 1),
            (sample.negated == 1).astype(float),
            sample.chosen,
            certain(sample.link, len(LINKS)),
            certain(sample.order, len(ORDERS)),
        )
        predicted.append(decode(text, sample.tokens, scores))
    result = figures(predicted, [graph for _, graph, _ in captions])
    assert result["intervals"] == 1
    assert result["exact"] > 0.95


def test_captions_are_the_same_each_time_and_their_graphs_are_valid():
    for split in SPLITS:
        source = WorldCaptions(split, substituted=0.6)
        for index in range(80):
            text, graph, mentions = source.caption(index)
            graph.validate()
            assert graph.caption == text
            assert all(0 <= m.span[0] < m.span[1] <= len(text) for m in mentions)
        assert source.caption(3)[0] == source.caption(3)[0]


def test_batches_depend_on_seed_and_step_only(told):
    first, second = (ParserObjective(batch_size=8, captions=60, network={"dim": 16}) for _ in range(2))
    first.samples = second.samples = [sample for _, sample in told]
    first.batch(0)
    for name, tensor in first.batch(7).items():
        assert torch.equal(tensor, second.batch(7)[name])
    assert not torch.equal(first.batch(7)["features"], first.batch(8)["features"])


def test_samples_survive_the_cache(told, tmp_path, monkeypatch):
    monkeypatch.setenv("MOV_AI_DATA", str(tmp_path))
    steps = []
    built, read = (ParserObjective(batch_size=4, captions=6, validation=1, network={"dim": 16}) for _ in range(2))
    built.prepare(torch.device("cpu"), lambda done, total, what: steps.append(done))
    read.prepare(torch.device("cpu"), lambda done, total, what: pytest.fail("built again"))
    assert steps == [6]
    for name, tensor in built.batch(0).items():
        assert torch.equal(tensor, read.batch(0)[name]), name


def test_a_few_steps_lower_the_loss(told):
    objective = ParserObjective(batch_size=8, captions=60, network={"dim": 32, "dropout": 0.0})
    objective.samples = [sample for _, sample in told]
    module = objective.module()
    optimizer = torch.optim.AdamW(module.parameters(), 2e-3)
    losses = []
    for step in range(12):
        loss, terms = objective.loss(module, objective.batch(step), torch.Generator())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert set(terms) == {"role", "direction", "left", "negated", "link", "order"}
    assert losses[-1] < 0.7 * losses[0]


def test_collated_texts_stay_apart(told):
    samples = [sample for _, sample in told[:3]]
    batch = collate(samples)
    assert batch["features"].shape[0] == sum(len(s.tokens) for s in samples)
    last = len(samples[-1].chosen)
    assert (batch["chosen"][2, :last] >= len(samples[0].tokens) + len(samples[1].tokens)).all()
    assert (batch["link"][2, last:] == -100).all()


def test_figures_count_what_agrees():
    nodes = [Node("n0", "scene", "scene"), Node("n1", "entity", "ball", span=(0, 4))]
    gold = SceneGraph("ball", nodes, [Edge("n0", "n1", "contains")])
    wrong = SceneGraph("ball", [nodes[0], Node("n1", "entity", "cube", span=(0, 4))], gold.edges)
    assert figures([gold], [gold])["exact"] == 1
    result = figures([wrong], [gold])
    assert (result["exact"], result["node_f1"], result["edge_f1"]) == (0, 0.5, 1)


def test_held_out_patterns_are_told_in_test_captions_only():
    assert len(HELD_OUT_PATTERNS) >= 2
    train = [WorldCaptions("train", 0.0).caption(i)[0].lower() for i in range(600)]
    assert not any(text.startswith("until ") or ". until " in text for text in train)
