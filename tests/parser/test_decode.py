import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from mov_ai.captions.caption import Mention
from mov_ai.graph import Edge, Interval, Node, SceneGraph
from mov_ai.parser.assembly import decode
from mov_ai.parser.event_times import step_lengths
from mov_ai.parser.spacy_pipeline import load_spacy
from mov_ai.parser.token_graph import TokenGraph, token_graph
from mov_ai.parser.vocabulary import Vocabulary
from mov_ai.training.graph_alignment import make_sample
from tests.parser.builders import certain_scores

VOCABULARY = Vocabulary()


@pytest.fixture(scope="module")
def nlp():
    return load_spacy()


def doing(
    text: str, *events: tuple[str, str, str], together: bool = False, intervals: Sequence[Interval] | None = None
) -> tuple[SceneGraph, list[Mention]]:
    """A graph of things that do one thing each, given as (noun, verb as said, lemma), in order or all together."""
    nodes, edges, mentions = [Node("n0", "scene", "scene")], [], []
    for i, (noun, said, lemma) in enumerate(events):
        interval = (0.0, 1.0) if together else (i / len(events), (i + 1) / len(events))
        interval = intervals[i] if intervals else interval
        spans = [(text.index(word), text.index(word) + len(word)) for word in (noun, said)]
        nodes += [Node(f"a{i}", "entity", noun, spans[0]), Node(f"e{i}", "event", lemma, spans[1], interval=interval)]
        edges += [Edge("n0", f"a{i}", "contains"), Edge("n0", f"e{i}", "contains"), Edge(f"e{i}", f"a{i}", "agent")]
        mentions += [Mention(spans[0], f"a{i}", "node"), Mention(spans[1], f"e{i}", "node")]
    return SceneGraph(text, nodes, edges), mentions


def decoded(nlp, text: str, *events: tuple[str, str, str], together=False, intervals=None, **changed) -> SceneGraph:
    tokens = token_graph(nlp(text))
    graph, mentions = doing(text, *events, together=together, intervals=intervals)
    scores = certain_scores(make_sample(tokens, graph, mentions, VOCABULARY), tokens, VOCABULARY)
    scores = dataclasses.replace(scores, **changed)
    return decode(text, tokens, scores, VOCABULARY).graph


def times(graph: SceneGraph) -> dict[str, tuple[float, float]]:
    return {node.label: node.interval for node in graph.of_type("event")}


DOG, CAT = ("dog", "runs", "run"), ("cat", "jumps", "jump")


def test_one_sentence_follows_another_whatever_the_network_says(nlp):
    graph = decoded(nlp, "A dog runs. A cat jumps.", DOG, CAT, together=True)
    assert times(graph) == {"run": (0.0, 0.5), "jump": (0.5, 1.0)}


def test_a_word_for_the_same_time_leaves_it_to_the_network(nlp):
    graph = decoded(nlp, "A dog runs. Meanwhile, a cat jumps.", DOG, CAT, together=True)
    assert times(graph) == {"run": (0.0, 1.0), "jump": (0.0, 1.0)}


@pytest.mark.parametrize("lasting", [0, 1, 2])
def test_an_event_lasts_as_long_as_all_that_it_is_beside(nlp, lasting):
    intervals = [(0.0, 0.5), (0.5, 1.0)]
    intervals.insert(lasting, (0.0, 1.0))
    text = "While a dog runs, a cat jumps and then a bird sings."
    graph = decoded(nlp, text, DOG, CAT, ("bird", "sings", "sing"), intervals=intervals)
    assert list(times(graph).values()) == intervals
    named = {(graph.node(e.source).interval, e.label) for e in graph.edges if e.type == "temporal"}
    assert named <= {((0.0, 0.5), "starts"), ((0.5, 1.0), "finishes"), ((0.0, 0.5), "before")}


def test_sentences_last_as_long_as_the_network_says(nlp):
    graph = decoded(nlp, "A dog runs. A cat jumps.", DOG, CAT, log_duration=np.log([3.0, 1.0]))
    assert times(graph) == {"run": (0.0, 0.75), "jump": (0.75, 1.0)}


def test_nearly_even_shares_are_even():
    assert step_lengths(np.log([1.1, 0.9]), np.array([1, 1])) == pytest.approx([0.5, 0.5])
    assert step_lengths(np.log([2.0, 1.0]), np.array([2, 1])) == pytest.approx([1 / 3, 1 / 3])
    assert step_lengths(np.log([3.0, 1.0]), np.array([1, 1])) == pytest.approx([0.75, 0.25])


def test_nothing_is_negated_without_a_word_of_negation(nlp):
    for text, negated in (("A dog runs.", False), ("A dog never runs.", True)):
        tokens: TokenGraph = token_graph(nlp(text))
        graph = decoded(nlp, text, DOG, negated=np.ones(len(tokens)))
        assert graph.of_type("event")[0].negated is negated


def test_each_edge_knows_the_words_that_tell_of_it(nlp):
    text = "A dog runs."
    tokens = token_graph(nlp(text))
    graph, mentions = doing(text, DOG)
    scores = certain_scores(make_sample(tokens, graph, mentions, VOCABULARY), tokens, VOCABULARY)
    parse = decode(text, tokens, scores, VOCABULARY)
    said = {parse.graph.edges[i].type: text[slice(*span)] for i, span in parse.edge_words.items()}
    assert said == {"agent": "runs"}


@pytest.mark.parametrize(
    ("text", "noun", "count"),
    [
        ("12 eggs roll.", "eggs", 12),
        ("There are 120 small birds.", "birds", 120),
        ("The 1950 cars roll.", "cars", 2),  # a year
        ("Size 12 shoes fall.", "shoes", 2),
        ("Bus 12 stops.", "Bus", 1),
        ("12 is big, eggs roll.", "eggs", 2),
    ],
)
def test_digits_before_a_plural_count_it_whatever_the_network_says(nlp, text, noun, count):
    start = text.index(noun)
    node = Node("a", "entity", noun.lower(), (start, start + len(noun)))
    graph = SceneGraph(text, [Node("s", "scene", "scene"), node], [Edge("s", "a", "contains")])
    tokens = token_graph(nlp(text))
    sample = make_sample(tokens, graph, [Mention(node.span, "a", "node")], VOCABULARY)
    parsed = decode(text, tokens, certain_scores(sample, tokens, VOCABULARY), VOCABULARY).graph
    assert [entity.count for entity in parsed.of_type("entity")] == [count]


def test_no_name_begins_inside_a_word(nlp):
    graph = decoded(nlp, "A beach-ball rolls.", ("ball", "rolls", "roll"))
    assert [(node.label, node.span) for node in graph.of_type("entity")] == [("beach-ball", (2, 12))]
    graph = decoded(nlp, "A beach - ball rolls.", ("ball", "rolls", "roll"))
    assert [node.label for node in graph.of_type("entity")] == ["ball"]


@pytest.mark.parametrize(
    ("text", "agents"),
    [
        ("A dog runs, a cat jumps, then both hide.", {"dog", "cat"}),
        ("A dog runs, a cat jumps, then they both hide.", {"dog", "cat"}),
        ("A dog runs, a cat jumps, then it hides.", {"cat"}),
        ("A dog runs, and both a cat jumps and hides.", {"cat"}),
    ],
)
def test_both_tells_of_the_one_before_too(nlp, text, agents):
    told = "hides" if "hides" in text else "hide"
    tokens = token_graph(nlp(text))
    graph, mentions = doing(text, DOG, CAT, ("cat", told, "hide"))
    # The third event's agent is the second's: one cat.
    nodes = [node for node in graph.nodes if node.id != "a2"]
    edges = [dataclasses.replace(e, target="a1") if e.target == "a2" else e for e in graph.edges if e.source != "a2"]
    edges = [edge for i, edge in enumerate(edges) if edge not in edges[:i]]
    mentions = [mention for mention in mentions if mention.node != "a2"]
    graph = SceneGraph(text, nodes, edges)
    scores = certain_scores(make_sample(tokens, graph, mentions, VOCABULARY), tokens, VOCABULARY)
    parsed = decode(text, tokens, scores, VOCABULARY).graph
    hide = next(node.id for node in parsed.of_type("event") if node.label == "hide")
    assert {parsed.node(e.target).label for e in parsed.edges_from(hide) if e.type == "agent"} == agents


@pytest.mark.parametrize(
    ("text", "agents"),
    [
        ("A dog, a black cat and two birds rest.", {"dog", "cat", "birds"}),
        ("Next a fox, a dog, a black cat and two birds rest.", {"fox", "dog", "cat", "birds"}),
        ("A man sees a dog, a black cat and two birds rest.", {"cat", "birds"}),
        ("A dog, while a black cat and two birds rest.", {"cat", "birds"}),
    ],
)
def test_a_list_of_subjects_is_whole(nlp, text, agents):
    words = ("man", "fox", "dog", "cat", "birds")
    nouns = {word: (text.index(word), text.index(word) + len(word)) for word in words if word in text}
    verbs = {word: (text.index(word), text.index(word) + len(word)) for word in ("sees", "rest") if word in text}
    nodes = [Node("s", "scene", "scene"), *(Node(word, "entity", word, span) for word, span in nouns.items())]
    nodes += [Node(word, "event", word, span) for word, span in verbs.items()]
    edges = [Edge("s", node.id, "contains") for node in nodes[1:]]
    edges += [Edge("rest", "cat", "agent"), Edge("rest", "birds", "agent")]
    edges += [Edge("sees", "man", "agent"), Edge("sees", "dog", "patient")] if "sees" in text else []
    mentions = sorted((Mention(node.span, node.id, "node") for node in nodes[1:]), key=lambda mention: mention.span)
    tokens = token_graph(nlp(text))
    sample = make_sample(tokens, SceneGraph(text, nodes, edges), mentions, VOCABULARY)
    parsed = decode(text, tokens, certain_scores(sample, tokens, VOCABULARY), VOCABULARY).graph
    rest = next(node.id for node in parsed.of_type("event") if node.label == "rest")
    said = {text[slice(*parsed.node(e.target).span)].split()[-1] for e in parsed.edges_from(rest) if e.type == "agent"}
    assert said == agents
