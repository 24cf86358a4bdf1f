"""Labels for prompts: what a sure network says of camera, style, groups and places becomes the graph that is meant."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mov_ai.captions.caption import Caption
from mov_ai.captions.prompts import PromptCaptions, prompt_words
from mov_ai.errors import MovAIError
from mov_ai.graph import SceneGraph
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
from studies.parser.prompt_facts import counts, judge_prompt
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


def test_what_the_network_is_taught_is_what_prompts_mean(vocabulary: Vocabulary) -> None:
    captions = [PromptCaptions("validation").prompt(number) for number in range(CAPTIONS)]
    judged = [
        judge_prompt(GoldPrompt("", caption.pattern, "development", caption.text, ("own", 1), caption.graph), graph)
        for caption, graph in zip(captions, certain(captions, vocabulary), strict=True)
    ]
    right, missing, invented = counts(judged).sum(0)
    assert right / (right + missing) > 0.97
    assert right / (right + invented) > 0.97
    for kind in ("camera", "style", "negation", "direction"):
        right, missing, invented = counts(judged, kind).sum(0)
        assert right >= 5, kind
        assert (missing, invented) == (0, 0), kind


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
    for name in ("role.weight", "role.bias"):
        tensors[name] = tensors[name][:14]
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
    assert torch.allclose(pairs.order, now[1].order, atol=1e-6)
    assert torch.allclose(pairs.link[..., :20], now[1].link[..., :20], atol=1e-6)
    assert (tokens.part == 0).all()


@pytest.mark.parametrize("lacking", ["role.weight", "from_source.bias", "bilinear", "pair_distance.weight"])
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
