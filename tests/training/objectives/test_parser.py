import csv
import json

import numpy as np
import pytest
import torch

from mov_ai.captions.caption import HELD_OUT_PATTERNS, SPLITS
from mov_ai.data.factual import FactualCaption
from mov_ai.errors import UsageError
from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.parser.assembly import decode
from mov_ai.parser.parser import SceneGraphParser
from mov_ai.parser.scoring import score
from mov_ai.parser.spacy_pipeline import load_spacy
from mov_ai.parser.token_graph import FEATURES, token_graph
from mov_ai.parser.vocabulary import Vocabulary
from mov_ai.training.array_cache import pack, unpack
from mov_ai.training.factual_alignment import known_words
from mov_ai.training.graph_alignment import make_sample
from mov_ai.training.objectives.parser import ParserObjective
from mov_ai.training.parser_figures import figures, triple_figures
from mov_ai.training.parser_samples import Sample, collate
from mov_ai.worlds.tabletop.world_captions import WorldCaptions
from tests.parser.builders import certain_scores

#: Captions in FACTUAL's form, made up for these tests.
CAPTIONS = [
    ("a tall man holding a red cup", "( man , hold , cup ) , ( man , is , tall ) , ( cup , is , red )"),
    ("two dogs sitting on the grass", "( dogs , is , 2 ) , ( dogs , sit on , grass )"),
    ("white plate on a table", "( plate , is , white ) , ( plate , on , table )"),
    ("a woman in a blue hat", "( woman , wear , hat ) , ( hat , is , blue )"),
    ("someone riding a horse", "( person , ride , horse )"),
    ("the cat is sleeping", "( cat , is , sleeping )"),
    ("two zebras next to each other", "( zebra , next to , zebra )"),
    ("a clock", "( clock )"),
]
SMALL = {"dim": 32, "heads": 2, "embedding": 8, "hidden": 32, "pair_dim": 16, "layers": 12}


@pytest.fixture
def factual(tmp_path, monkeypatch):
    """A folder with FACTUAL files of a few captions, each often enough to make labels and forms known."""
    for part, times in (("train", 4), ("dev", 1)):
        path = tmp_path / "data" / "factual" / "random" / f"{part}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["image_id", "region_id", "caption", "scene_graph"])
            writer.writerows((1, i, *row) for i, row in enumerate(CAPTIONS * times))
    monkeypatch.setenv("MOV_AI_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MOV_AI_CACHE", str(tmp_path / "cache"))
    return tmp_path


def objective(**settings) -> ParserObjective:
    settings = {"batch_size": 8, "captions": 6, "validation": 1, "network": SMALL} | settings
    return ParserObjective(**settings)


def prepared(**settings) -> ParserObjective:
    result = objective(**settings)
    result.prepare(torch.device("cpu"), lambda done, total, what: None)
    return result


@pytest.fixture(scope="module")
def told() -> list[tuple[SceneGraph, Sample]]:
    source, nlp = WorldCaptions("train", substituted=0.4), load_spacy()
    captions = [source.caption(i) for i in range(60)]
    docs = nlp.pipe([text for text, _, _ in captions])
    return [
        (g, make_sample(token_graph(doc), g, m, Vocabulary())) for doc, (_, g, m) in zip(docs, captions, strict=True)
    ]


def test_targets_decode_to_the_gold_graphs():
    source, nlp = WorldCaptions("test", substituted=0.0), load_spacy()
    captions = [source.caption(i) for i in range(60)]
    vocabulary = Vocabulary()
    predicted = []
    for doc, (text, graph, mentions) in zip(nlp.pipe([c[0] for c in captions]), captions, strict=True):
        tokens = token_graph(doc)
        sample = make_sample(tokens, graph, mentions, vocabulary)
        predicted.append(decode(text, tokens, certain_scores(sample, tokens, vocabulary), vocabulary).graph)
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


def test_batches_depend_on_seed_and_step_only(factual):
    first, second = (prepared(shares={"factual": 0.5, "world": 0.5}) for _ in range(2))
    first.batch(0)
    for name, tensor in first.batch(7).items():
        assert torch.equal(tensor, second.batch(7)[name])
    assert any(not torch.equal(first.batch(7)["features"], first.batch(step)["features"]) for step in (8, 9))


def test_samples_survive_the_cache(factual):
    steps = []
    built, read = (objective(shares={"world": 1.0}) for _ in range(2))
    built.prepare(torch.device("cpu"), lambda done, total, what: steps.append(done))
    read.prepare(torch.device("cpu"), lambda done, total, what: pytest.fail("built again"))
    assert steps == [6]
    for name, tensor in built.batch(0).items():
        assert torch.equal(tensor, read.batch(0)[name]), name


def test_packed_samples_are_the_same(told):
    samples = [sample for _, sample in told[:5]]
    for one, other in zip(samples, unpack(pack(samples), Sample), strict=True):
        for name in ("features", "edges", "role", "attribute", "link", "pairs", "shares"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name


@pytest.mark.parametrize("source", ["factual", "world", "temporal", "prompts", "staged"])
def test_training_lowers_the_loss(factual, source):
    trained = prepared(shares={source: 1.0}, network=SMALL | {"dropout": 0.0}, hidden_words=0.0, hidden_syntax=0.0)
    module = trained.module()
    optimizer = torch.optim.AdamW(module.parameters(), 3e-3)
    losses = []
    for step in range(20):
        loss, _ = trained.loss(module, trained.batch(step), torch.Generator())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3])


def test_a_network_learns_captions_by_heart_and_prints_their_triples(factual):
    trained = prepared(network=SMALL | {"dropout": 0.0, "dim": 48}, hidden_words=0.0, hidden_syntax=0.0)
    module = trained.module()
    optimizer = torch.optim.AdamW(module.parameters(), 3e-3)
    for step in range(260):
        loss, _ = trained.loss(module, trained.batch(step), torch.Generator())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    # Negation, times and order are not in these captions, so only the triples are looked at.
    with torch.no_grad():
        module.negated.bias.fill_(-20.0)
    assert trained.validate(module.eval())["factual_set_match"] >= 0.85


def test_an_exported_parser_is_read_back(factual, tmp_path):
    trained = prepared()
    trained.export(trained.module(), tmp_path, {"seed": 0})
    parser = SceneGraphParser.from_pretrained(tmp_path)
    assert parser.vocabulary == trained.vocabulary
    parser("a red cup on a table").validate()
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "schema": 1}))
    with pytest.raises(UsageError, match="train it again"):
        SceneGraphParser.from_pretrained(tmp_path)


def test_a_student_starts_from_its_first_teacher_and_imitates_both(factual, tmp_path):
    folders = []
    for seed in (0, 1):
        teacher = prepared(seed=seed)
        folders.append(tmp_path / f"teacher-{seed}" / "export")
        folders[-1].mkdir(parents=True)
        teacher.export(teacher.module(), folders[-1], {})
    student = prepared(seed=2, teachers=[str(folder) for folder in folders], made_up=0.5, imitation=1.0)
    first = SceneGraphParser.from_pretrained(folders[0]).networks[0].state_dict()
    assert all(torch.equal(tensor, first[name]) for name, tensor in student.module().state_dict().items())
    losses = []
    optimizer = torch.optim.AdamW(student.module().parameters(), 2e-3)
    for step in range(30):
        loss, terms = student.loss(student.module(), student.batch(step), torch.Generator())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(sum(float(value) for name, value in terms.items() if name.endswith("imitated")))
    assert np.mean(losses[-8:]) < np.mean(losses[:8])


def test_students_of_other_seeds_start_from_other_teachers_and_share_the_word(factual, tmp_path):
    folders = []
    for seed in (0, 1):
        teacher = prepared(seed=seed)
        folders.append(str(tmp_path / f"teacher-{seed}" / "export"))
        teacher.export(teacher.module(), tmp_path / f"teacher-{seed}" / "export", {})
    partner = prepared(seed=1, teachers=folders)
    second = SceneGraphParser.from_pretrained(folders[1]).networks[0].state_dict()
    assert all(torch.equal(tensor, second[name]) for name, tensor in partner.module().state_dict().items())
    partner.export(partner.module(), tmp_path / "partner" / "export", {})
    student = prepared(seed=0, teachers=folders, partners=[str(tmp_path / "partner" / "export")])
    assert student.vocabulary.words == partner.vocabulary.words
    student.export(student.module(), tmp_path / "both", {})
    both = SceneGraphParser.from_pretrained(tmp_path / "both")
    assert len(both.networks) == 2
    tokens = token_graph(both.spacy("two dogs sitting on the grass"), both.vocabulary.known)
    mean, one, other = (
        score(networks, both.vocabulary, [tokens])[0]
        for networks in (both.networks, both.networks[:1], both.networks[1:])
    )
    product = np.sqrt(one.role * other.role)
    assert np.allclose(mean.role, product / product.sum(-1, keepdims=True), atol=1e-5)
    odds = np.sqrt(one.attribute * other.attribute / ((1 - one.attribute) * (1 - other.attribute)))
    assert np.allclose(mean.attribute, odds / (1 + odds), atol=1e-5)
    # Of a parser of two networks one alone may be the partner.
    again = prepared(seed=0, teachers=folders, partners=[f"{tmp_path / 'both'}@1"])
    again.export(again.module(), tmp_path / "again", {})
    found = [network.state_dict() for network in SceneGraphParser.from_pretrained(tmp_path / "again").networks]
    assert len(found) == 2
    expected = both.networks[1].state_dict()
    assert all(torch.allclose(tensor, expected[name], atol=0.02) for name, tensor in found[1].items())
    more = prepared(seed=0, teachers=folders, partners=[f"{tmp_path / 'both'}@2"])
    with pytest.raises(UsageError, match="expected a network from 0 to 1; found 2"):
        more.export(more.module(), tmp_path / "more", {})


@pytest.mark.parametrize("kind", ["teachers", "partners"])
def test_a_parser_that_is_not_there_is_named_with_the_recipe(tmp_path, kind):
    with pytest.raises(UsageError, match=r"run.export: .*recipes/parser\.sh"):
        ParserObjective(**{kind: [str(tmp_path / "run" / "export")]})


def test_known_words_are_those_seen_twice_that_are_no_slips():
    hoodie = FactualCaption("a hoodie on a chiar", "( hoodie , on , chair )", (("hoodie", "on", "chair"),))
    captions = [hoodie, hoodie, FactualCaption("a chair", "( chair )", (("chair", "", ""),))]
    words = known_words(captions, ["the ball then rolls", "the ball stops"])
    assert {"hoodie", "on", "a", "the", "ball"} <= set(words)
    assert not {"chiar", "rolls", "chair"} & set(words)
    assert words[0] == "a"


def test_made_up_captions_have_no_targets_left(factual, tmp_path):
    teacher = prepared()
    teacher.export(teacher.module(), tmp_path, {})
    student = prepared(teachers=[str(tmp_path)], made_up=1.0, hidden_words=0.0, hidden_syntax=0.0)
    batch = student.batch(0)
    assert (batch["role"] == -100).all()
    assert (batch["predicate"] == -100).all()
    place = list(FEATURES).index("tag")
    plain = prepared(hidden_words=0.0, hidden_syntax=0.0).batch(0)
    assert batch["features"].shape[-1] == plain["features"].shape[-1] > place


def test_unknown_sources_are_refused():
    with pytest.raises(UsageError, match="timelines"):
        ParserObjective(shares={"films": 1.0})


def test_collated_texts_stay_apart(told):
    samples = [sample for _, sample in told[:3]]
    batch = collate(samples, Vocabulary())
    assert batch["mask"].sum().item() == sum(len(s) for s in samples)
    last = len(samples[-1].chosen)
    assert (batch["link"][2, last:] == -100).all()
    for i, sample in enumerate(samples):
        assert (batch["relation"][i, len(sample) :] == 0).all()
        assert (batch["role"][i, len(sample) :] == -100).all()


def test_figures_count_what_agrees():
    nodes = [Node("n0", "scene", "scene"), Node("n1", "entity", "ball", span=(0, 4))]
    gold = SceneGraph("ball", nodes, [Edge("n0", "n1", "contains")])
    wrong = SceneGraph("ball", [nodes[0], Node("n1", "entity", "cube", span=(0, 4))], gold.edges)
    assert figures([gold], [gold])["exact"] == 1
    result = figures([wrong], [gold])
    assert (result["exact"], result["node_f1"], result["edge_f1"]) == (0, 0.5, 1)


def test_triple_figures_count_what_agrees():
    gold = [[("ball", "is", "red")], [("man", "hold", "cup"), ("cup", "is", "red")]]
    assert triple_figures(gold, gold) == {"set_match": 1.0, "triple_f1": 1.0}
    result = triple_figures([gold[0], gold[1][:1]], gold)
    assert result["set_match"] == 0.5
    assert result["triple_f1"] == pytest.approx(4 / 5)


def test_held_out_patterns_are_told_in_the_worlds_test_captions_only():
    assert len(HELD_OUT_PATTERNS) >= 2
    train = [WorldCaptions("train", 0.0).caption(i)[0].lower() for i in range(600)]
    assert not any(text.startswith("until ") or ". until " in text for text in train)
