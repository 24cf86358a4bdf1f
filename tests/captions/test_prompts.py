import math
import os
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from mov_ai.captions.english import PRONOUNS
from mov_ai.captions.lexicon import PromptWords, load
from mov_ai.captions.prompt_plot import NOUNS
from mov_ai.captions.prompt_wording import PromptWording
from mov_ai.captions.prompts import TEMPLATES, PromptCaptions, content_hash
from mov_ai.graph.inflection import VERB_FORMS, inflect, pluralize
from mov_ai.parser.network import DIRECTIONS
from mov_ai.parser.spacy_pipeline import load_spacy
from mov_ai.parser.spelling import Corrected
from mov_ai.parser.token_graph import token_graphs
from mov_ai.parser.vocabulary import Vocabulary
from mov_ai.training.graph_alignment import make_sample
from studies.parser.prompt_gold import gold_prompts

WORDS = load("prompts", PromptWords)
SOURCE = PromptCaptions()


@pytest.fixture(scope="module")
def prompts():
    return [SOURCE.prompt(i) for i in range(3000)]


@pytest.fixture(scope="module", params=[3000, pytest.param(20_000, marks=pytest.mark.slow)])
def many(prompts, request):
    return [prompt.text for prompt in prompts] + [SOURCE.prompt(i).text for i in range(3000, request.param)]


def told(template, seed=0):
    teller = PromptWording(np.random.default_rng(seed))
    teller.tense, teller.bare, teller.article, teller.lower = "present", False, "a", True
    return teller.prompt(teller.told(template), "plain")


def test_every_template_gives_valid_graphs():
    for kind, templates in TEMPLATES.items():
        for template in templates:
            for seed in range(3):
                teller = PromptWording(np.random.default_rng(seed))
                prompt = teller.prompt(teller.told(template), kind)
                prompt.graph.validate(template)
                assert not set("<>{}|$") & set(prompt.text), prompt.text


def test_every_direction_of_the_words_is_one_that_the_parser_can_say():
    told = {way.rsplit("=", 1)[1] for ways in WORDS.ways.values() for way in ways}
    assert told <= set(DIRECTIONS)


def test_graphs_are_valid_and_of_some_sentences(prompts):
    for prompt in prompts:
        prompt.graph.validate(prompt.text)
        assert prompt.text.strip()
        assert "  " not in prompt.text
    assert max(prompt.text.count(". ") for prompt in prompts) >= 4


def test_every_mention_carries_its_label(prompts):
    pronouns = {word for forms in PRONOUNS.values() for word in forms} | {"one", "another"}
    for prompt in prompts:
        nodes = {node.id: node for node in prompt.graph.nodes}
        mentioned = {m.node for m in prompt.mentions if m.kind == "node"}
        assert mentioned == set(nodes) - {"n0"}, prompt.text
        for mention in prompt.mentions:
            node, words = nodes[mention.node], prompt.text[slice(*mention.span)].lower()
            if mention.kind not in ("node", "coref"):
                continue
            if node.type == "entity":
                label = node.label.lower()
                spoken = words in (label, pluralize(label)) or words in pronouns or words.startswith("the ")
                assert spoken, (prompt.text, words, node)
                assert mention.kind == "coref" or words in (label, pluralize(label)), (prompt.text, words, node)
            elif node.type == "event":
                forms = {inflect(node.label, form, plural) for form in VERB_FORMS for plural in (False, True)}
                assert words in forms, (prompt.text, words, node)
            else:
                assert words.strip("\"'“”‘’") == node.label.lower(), (prompt.text, words, node)


def test_words_without_a_node_are_marked(prompts):
    for prompt in prompts:
        scene = prompt.graph.node("n0")
        kinds = Counter(mention.kind for mention in prompt.mentions)
        assert kinds["camera"] == len(scene.camera)
        assert kinds["style"] >= len(scene.style)
        for mention in prompt.mentions:
            words = prompt.text[slice(*mention.span)].lower()
            if mention.kind == "style":
                assert words in scene.style
            elif mention.kind == "denial":
                assert prompt.graph.node(mention.node).negated, prompt.text


def test_kinds_come_as_often_as_their_shares_say(prompts):
    counts, total = Counter(prompt.pattern for prompt in prompts), sum(WORDS.shares.values())
    assert set(counts) == set(WORDS.shares) == set(TEMPLATES)
    for kind, share in WORDS.shares.items():
        expected = share / total
        spread = math.sqrt(expected * (1 - expected) / len(prompts))
        assert abs(counts[kind] / len(prompts) - expected) < 4 * spread, kind


def test_one_index_gives_one_caption_and_splits_share_none():
    other = PromptCaptions("test")
    for i in range(50):
        assert SOURCE.caption(i)[0] == PromptCaptions().caption(i)[0]
        assert SOURCE.prompt(i).graph.to_dict() == PromptCaptions().prompt(i).graph.to_dict()
    assert not {SOURCE.caption(i)[0] for i in range(50)} & {other.caption(i)[0] for i in range(50)}
    with pytest.raises(ValueError, match="expected one of train"):
        PromptCaptions("dev")


def _plain(text):
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def _content(text):
    return frozenset(_plain(text).split()) - frozenset(WORDS.small_words)


def test_no_held_out_prompt_is_a_caption_nor_are_its_words(many):
    held_out = [prompt.text for prompt in gold_prompts("held_out")]
    assert WORDS.held_out == {content_hash(text) for text in held_out}
    assert not {_plain(text) for text in many} & {_plain(text) for text in held_out}
    assert not {_content(text) for text in many} & {_content(text) for text in held_out}


def test_no_template_is_a_prompt_with_gold(many):
    development = [prompt.text for prompt in gold_prompts("development")]
    assert WORDS.development == {content_hash(text) for text in development if len(_content(text)) > 2}
    long = {_plain(prompt.text) for prompt in gold_prompts() if len(_content(prompt.text)) > 2}
    assert not {_plain(text) for text in many} & long


def test_captions_are_varied(many):
    assert len(set(many)) > 0.97 * len(many)
    assert len({noun for nouns in NOUNS.values() for noun in nouns}) > 1200
    assert len({word for text in many for word in _plain(text).split()}) > 2000


def test_counts_belong_to_their_nouns():
    for seed in range(20):
        graph = told("a: thing*3 plain; b: food*5 plain :: <a> and <b>", seed).graph
        for node in graph.of_type("entity"):
            assert node.count == (3 if node.id == "n1" else 5) or node.label in WORDS.mass


@pytest.mark.parametrize(
    ("template", "negated"),
    [
        ("a: furniture plain; !b: thing*s plain :: <a> <b deny:without>", {"entity"}),
        ("a: animal*s plain; ~e= act(a) :: <deny:none of e> <a the> <e go>", {"event"}),
        ("a: animal plain; !e= act(a) :: <e>", {"event"}),
        ("a: thing plain; x/ a !color :: <a> that is <deny:not x> <x>", {"attribute"}),
    ],
)
def test_what_is_denied_is_negated(template, negated):
    for seed in range(10):
        prompt = told(template, seed)
        assert {node.type for node in prompt.graph.nodes if node.negated} == negated, prompt.text


def test_a_change_has_an_old_value_until_the_new_one():
    prompt = told("a: thing plain; x>y/ a material @1; e= morph(a) @1 :: <e> from <x> to <y>")
    (old, before), (new, after) = prompt.graph.attributes("n1")
    assert re.search(f"morphs from {old.label} to {new.label}$", prompt.text)
    assert (before.interval, after.interval, old.kind) == ((0.0, 0.5), (0.5, 1.0), "material")


def test_of_three_values_each_holds_for_a_third():
    prompt = told("a: thing plain; x>y>z/ a color; e= change(a) :: <e> from <x> to <y> to <z>")
    intervals = [edge.interval for _, edge in prompt.graph.attributes("n1")]
    assert intervals == [(0.0, 0.3333), (0.3333, 0.6667), (0.6667, 1.0)]


def test_one_colour_may_be_denied_where_another_is_said():
    prompt = told("a: 'ball' plain; x/ a color; y/ a !color :: <a> is <x> <deny:, not y> <y>")
    (said, _), (denied, _) = prompt.graph.attributes("n1")
    assert (said.negated, denied.negated) == (False, True)
    assert prompt.text == f"a ball is {said.label}, not {denied.label}"


def test_denial_takes_the_article_that_fits_and_needs_no_doer():
    template = "a: 'owl' plain; !b: 'apple' plain; !d: 'egg' plain :: <a> with <b deny:neither a> <d deny:nor a>"
    assert told(template).text == "an owl with neither an apple nor an egg"
    prompt = told("~e= sing() :: <deny:nobody e> <e go>")
    (event,) = prompt.graph.of_type("event")
    assert (prompt.text, event.negated) == ("nobody sings", True)


def test_two_told_of_together_are_two_with_their_own():
    prompt = told("a+b: animal; e= act(a); f= act(b) :: <a> : <a say:one> <e go> , <b say:the other> <f go>")
    first, second = prompt.graph.of_type("entity")
    assert (first.label, first.count, first.span) == (second.label, second.count, second.span)
    assert {edge.target for edge in prompt.graph.edges if edge.type == "agent"} == {first.id, second.id}
    later = [prompt.text[slice(*m.span)] for m in prompt.mentions if m.kind == "coref"]
    assert later == ["one", "the other"]


def test_camera_and_style_are_the_scenes():
    prompt = told(
        "a: animal; e= act(a) @1; f= act(a) @2 :: <e>, then <f go>; the camera <camera moves present @2>, <style tags>"
    )
    scene = prompt.graph.node("n0")
    assert scene.camera[0].interval == (0.5, 1.0)
    assert len(scene.style) == 1
    assert {node.type for node in prompt.graph.nodes} <= {"scene", "entity", "event", "attribute"}
    assert len(prompt.graph.of_type("entity")) == 1


def test_receivers_owners_and_places_on_the_screen():
    graph = told("a: person plain; r: animal plain; b: thing plain; e= give(a, b, r) :: <e>").graph
    (event,) = graph.of_type("event")
    label = {edge.type: graph.node(edge.target).label for edge in graph.edges_from(event.id)}
    assert label["receiver"] in NOUNS["animal"]
    assert label["agent"] in NOUNS["person"]
    graph = told("f: person plain; h: 'hat' plain; h 's f; a: person; e= hold(a, h) :: <e>").graph
    (owned,) = (edge for edge in graph.edges if edge.type == "relation")
    assert (graph.node(owned.source).label, owned.label) == ("hat", "of")
    graph = told("a: animal; s[ a lower_left @1; t[ e top @2; e= move(a) @2 :: <a> at the <s> <e go> to the <t>").graph
    places = [(edge.label, edge.interval) for edge in graph.edges if edge.type == "location" and edge.target == "n0"]
    assert places == [("lower left", (0.0, 0.5)), ("top", (0.5, 1.0))]


def test_captions_become_samples(prompts):
    some = prompts[:80]
    graphs = token_graphs([Corrected(prompt.text) for prompt in some], load_spacy())
    for tokens, prompt in zip(graphs, some, strict=True):
        sample = make_sample(tokens, prompt.graph, prompt.mentions, Vocabulary())
        assert len(sample) == len(tokens)
        # Two that are told of together share one word.
        assert (sample.role > 0).sum() > 0 or not prompt.graph.of_type("entity")


def test_words_come_in_one_order_in_every_process():
    code = "from mov_ai.captions.prompts import *; print(prompt_words(PromptCaptions(), 60))"
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert len(said.pop()) > 500
