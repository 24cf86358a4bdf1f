"""Labels for prompts: what a sure network says of camera, style, groups and places becomes the graph that is meant."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mov_ai.captions.caption import Caption
from mov_ai.captions.prompt_wording import PromptWording
from mov_ai.captions.prompts import PromptCaptions, prompt_words
from mov_ai.errors import MovAIError
from mov_ai.graph import Interval, SceneGraph
from mov_ai.graph.convert import relation_label
from mov_ai.parser.assembly import decode
from mov_ai.parser.loading import load_networks, save_parser
from mov_ai.parser.network import CompositionalSceneParser, ParserConfig
from mov_ai.parser.parser import EMBEDDED_PARSER
from mov_ai.parser.spacy_pipeline import load_spacy
from mov_ai.parser.spelling import Corrected
from mov_ai.parser.token_graph import token_graphs
from mov_ai.parser.vocabulary import Vocabulary
from mov_ai.training.distillation import load_members
from mov_ai.training.graph_alignment import make_sample
from mov_ai.worlds.stage.world import StagedCaptions, sample_scene
from studies.parser.prompt_facts import Judged, counts, judge_prompt
from studies.parser.prompt_gold import GoldPrompt
from tests.parser.builders import certain_scores

CAPTIONS = 120


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return load_networks(EMBEDDED_PARSER)[1].vocabulary.extended(*prompt_words(PromptCaptions("train"), 1000))


def certain(captions: list[Caption], vocabulary: Vocabulary) -> list[SceneGraph]:
    """The graphs that a network gives that says of these captions what it is taught."""
    graphs = token_graphs([Corrected(caption.text) for caption in captions], load_spacy(), vocabulary.known)
    result = []
    for caption, tokens in zip(captions, graphs, strict=True):
        sample = make_sample(tokens, caption.graph, caption.mentions, vocabulary)
        scores = certain_scores(sample, tokens, vocabulary)
        result.append(decode(caption.text, tokens, scores, vocabulary).graph)
    return result


def judge(captions: list[Caption], vocabulary: Vocabulary) -> list[Judged]:
    """What is right in the graphs of a network that says what it is taught."""
    return [
        judge_prompt(GoldPrompt("", caption.pattern, "development", caption.text, ("own", 1), caption.graph), graph)
        for caption, graph in zip(captions, certain(captions, vocabulary), strict=True)
    ]


def test_what_the_network_is_taught_is_what_prompts_mean(vocabulary: Vocabulary) -> None:
    judged = judge([PromptCaptions("validation").prompt(number) for number in range(CAPTIONS)], vocabulary)
    right, missing, invented = counts(judged).sum(0)
    assert right / (right + missing) > 0.97
    assert right / (right + invented) > 0.97
    for kind in ("camera", "style", "negation", "direction"):
        right, missing, invented = counts(judged, kind).sum(0)
        assert right >= 5, kind
        assert (missing, invented) == (0, 0), kind


def test_what_the_network_is_taught_is_what_staged_scenes_mean(vocabulary: Vocabulary) -> None:
    larger = vocabulary.extended(*prompt_words(StagedCaptions("train"), 1000))
    judged = judge([sample_scene(number, "validation").caption for number in range(2 * CAPTIONS)], larger)
    right, missing, invented = counts(judged).sum(0)
    assert right / (right + missing) > 0.97
    assert right / (right + invented) > 0.98
    for kind in ("direction", "change", "order"):
        right, missing, invented = counts(judged, kind).sum(0)
        assert right >= 5, kind
        assert missing + invented <= 1, kind


def told(template: str) -> Caption:
    teller = PromptWording(np.random.default_rng(0))
    teller.tense, teller.bare, teller.article, teller.lower = "present", False, "a", True
    return teller.prompt(teller.told(template), "plain")


def screen_places(graph: SceneGraph) -> list[tuple[str, str | None, Interval]]:
    """Where on the screen something is, in the order of time, and when."""
    places = []
    for edge in graph.edges_to("n0", "location"):
        source = graph.node(edge.source)
        places.append((source.label, edge.label, source.interval if source.type == "event" else edge.interval))
    return sorted(places, key=lambda place: place[2])


def test_one_verb_may_lead_to_several_places_and_what_is_so_at_first_lasts_a_step(vocabulary: Vocabulary) -> None:
    caption = told(
        "a: 'cat' plain; s[ a left @1; t[ e top; u[ f right; e= go(a) @2; f= go(a) @3 "
        ":: <a> is on the <s> at first , then <a it> <e present> to the <t> and from there to the <u> <f same>"
    )
    assert caption.text == "a cat is on the left at first, then it goes to the top and from there to the right"
    places = [("cat", "left", (0.0, 0.3333)), ("go", "top", (0.3333, 0.6667)), ("go", "right", (0.6667, 1.0))]
    (graph,) = certain([caption], vocabulary)
    assert screen_places(caption.graph) == screen_places(graph) == places


def test_a_place_that_is_left_takes_no_step_of_its_own(vocabulary: Vocabulary) -> None:
    caption = told("a: 'cat' plain; s[ a left @1; t[ e right; e= go(a) @1-2 :: <e> from the <s> to the <t>")
    (graph,) = certain([caption], vocabulary)
    assert screen_places(graph) == [("cat", "left", (0.0, 0.5)), ("go", "right", (0.0, 1.0))]


def test_what_comes_later_is_there_from_then_on(vocabulary: Vocabulary) -> None:
    template = "a: 'cat' plain; b: 'dog' plain; t@ a @2; e= appear(a) @2 :: <b> . after a while <e>"
    (graph,) = certain([told(template)], vocabulary)
    (event,) = graph.of_type("event")
    times = {graph.node(edge.target).label: edge.interval for edge in graph.edges_from("n0", "contains")}
    assert event.interval == times["cat"] == (0.5, 1.0)
    assert times["dog"] == (0.0, 1.0)


def test_members_of_a_group_are_told_apart(vocabulary: Vocabulary) -> None:
    source = PromptCaptions("train")
    numbers = (number for number in range(2000) if source.prompt(number).pattern == "one_other")
    prompts = [source.prompt(next(numbers)) for _ in range(12)]
    for prompt, graph in zip(prompts, certain(prompts, vocabulary), strict=True):
        told = [(node.label, node.count) for node in graph.of_type("entity")]
        assert sorted(told) == sorted((n.label, n.count) for n in prompt.graph.of_type("entity")), prompt.text


@pytest.mark.parametrize(
    ("words", "label"),
    [
        ("to the left of", "left of"),
        ("on the left-hand side of", "left of"),
        ("on its right", "right of"),
        ("from the left side of", "from left of"),
        ("at the left of", "left of"),
        ("right", "right of"),
        ("left behind", "left behind"),
        ("on top of", "on top of"),
        ("bigger than", "bigger than"),
    ],
)
def test_sides_have_one_label(words: str, label: str) -> None:
    assert relation_label(words) == label


def test_camera_moves_are_named_by_their_verb(vocabulary: Vocabulary) -> None:
    source = PromptCaptions("train")
    prompts = [prompt for prompt in map(source.prompt, range(1500)) if re.search(r" camera \w+s ", prompt.text)][:15]
    assert len(prompts) == 15
    for prompt, graph in zip(prompts, certain(prompts, vocabulary), strict=True):
        told, meant = ([move.label for move in g.nodes[0].camera] for g in (graph, prompt.graph))
        assert set(told) == set(meant), prompt.text


def earlier_network(folder: Path, lacking: str = "") -> CompositionalSceneParser:
    """A network, whose weights are written as a parser's of earlier days, without the lacking one."""
    torch.manual_seed(0)
    network = CompositionalSceneParser(ParserConfig(dim=24, layers=1, heads=2, embedding=8, hidden=16, pair_dim=8))
    tensors = network.state_dict()
    outputs = [name for name in tensors if name.startswith(("bilinear", "from_", "pair_distance"))]
    for name, count in (("role", 14), ("direction", 8)):
        for part in ("weight", "bias"):
            tensors[f"{name}.{part}"] = tensors[f"{name}.{part}"][:count]
    for name in outputs:
        axis = 1 if name.startswith("pair_distance") else 0
        links, _, orders = tensors[name].split([20, 3, 5], dim=axis)
        tensors[name] = torch.cat([links, orders], dim=axis)
    earlier = {name: part for name, part in tensors.items() if not name.startswith("part.") and name != lacking}
    save_parser([network], Vocabulary(), folder)
    save_file({f"0.{name}": tensor.contiguous() for name, tensor in earlier.items()}, folder / "model.safetensors")
    return network.eval()


def test_a_network_of_earlier_days_says_what_it_said(tmp_path: Path) -> None:
    """It gets the later labels, and says none of them."""
    network = earlier_network(tmp_path)
    state = torch.randn(1, 5, 24)
    now = network.tokens(state), network.pairs(state, torch.arange(4)[None])
    (loaded,), _ = load_networks(tmp_path)
    loaded.eval()
    tokens, pairs = loaded.tokens(state), loaded.pairs(state, torch.arange(4)[None])
    assert torch.allclose(tokens.role[..., :14], now[0].role[..., :14])
    assert (tokens.role[..., 14:] < tokens.role[..., :14].amax(-1, keepdim=True)).all()
    assert torch.allclose(tokens.direction[..., :8], now[0].direction[..., :8])
    assert (tokens.direction[..., 8:] < tokens.direction[..., :8].amax(-1, keepdim=True)).all()
    assert torch.allclose(pairs.order, now[1].order, atol=1e-6)
    assert torch.allclose(pairs.link[..., :20], now[1].link[..., :20], atol=1e-6)
    assert (tokens.part == 0).all()


@pytest.mark.parametrize(
    "lacking", ["role.weight", "direction.weight", "from_source.bias", "bilinear", "pair_distance.weight"]
)
def test_a_network_of_earlier_days_that_lacks_a_weight_is_refused(tmp_path: Path, lacking: str) -> None:
    earlier_network(tmp_path, lacking)
    with pytest.raises(MovAIError, match=lacking):
        load_networks(tmp_path)


def test_a_larger_vocabulary_changes_nothing_of_what_was_said() -> None:
    own = load_networks(EMBEDDED_PARSER)[1].vocabulary
    larger = own.extended(["a phrase of ours than"], ["brandnewword"])
    old, new = load_members([EMBEDDED_PARSER], own)[0], load_members([EMBEDDED_PARSER], larger)[0]
    state = torch.randn(3, old.config.dim)
    assert torch.allclose(old.label(state), new.label(state)[:, :-1])
    assert (new.label(state)[:, -1] == -8).all()
    assert np.array_equal(larger.label_endings[: len(own.labels)], own.label_endings)
