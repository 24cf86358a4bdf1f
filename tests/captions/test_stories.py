import itertools
import re

import pytest

from mov_ai.captions import english
from mov_ai.captions.caption import HELD_OUT_PATTERNS, Caption
from mov_ai.captions.lexicon import StoryWords, load
from mov_ai.captions.stories import TemporalCaptions
from mov_ai.captions.unmarked_words import spatial_words
from mov_ai.graph import allen
from mov_ai.graph.inflection import VERB_FORMS, inflect, pluralize
from mov_ai.graph.time import change_time
from mov_ai.parser.spacy_pipeline import load_spacy
from studies.parser.temporal_sentences import temporal_sentences

WORDS = load("stories", StoryWords)
PRONOUNS = {word for forms in english.PRONOUNS.values() for word in forms[:2]}
COUNT = 2500


@pytest.fixture(scope="module")
def told() -> list[Caption]:
    source = TemporalCaptions("train", every_pattern=True)
    return [Caption(*source.caption(i)) for i in range(COUNT)]


def test_graphs_are_valid_and_captions_distinct(told):
    for caption in told:
        caption.graph.validate(caption.text)
        assert caption.graph.caption == caption.text
    texts = {caption.text for caption in told}
    assert len(texts) > 0.99 * COUNT
    held = {sentence.text.lower().rstrip(".") for sentence in temporal_sentences()}
    assert not held & {text.lower().rstrip(".") for text in texts}


def test_captions_depend_on_split_and_index_only():
    train, again, test = TemporalCaptions("train"), TemporalCaptions("train"), TemporalCaptions("test")
    assert train.caption(5) == again.caption(5)
    assert len({train.caption(i)[0] for i in range(50)} & {test.caption(i)[0] for i in range(50)}) == 0
    with pytest.raises(ValueError, match="train, validation, test"):
        TemporalCaptions("held_out")


def test_spans_point_at_the_words_of_their_nodes(told):
    for caption in told:
        nodes = {node.id: node for node in caption.graph.nodes}
        for mention in caption.mentions:
            node, word = nodes[mention.node], caption.text[slice(*mention.span)].lower()
            if node.type == "entity":
                assert word in (node.label, pluralize(node.label)) or word in PRONOUNS, caption.text
            elif node.type == "attribute":
                assert word == node.label
            else:
                forms = {inflect(node.label, form) for form in VERB_FORMS}
                assert word in forms, caption.text
            assert (mention.kind == "node") == (mention.span == node.span)
        spans = [mention.span for mention in caption.mentions]
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
        assert {mention.node for mention in caption.mentions} == {
            n.id for n in caption.graph.nodes if n.type != "scene"
        }


def test_entities_are_named_by_nouns_and_every_event_has_someone(told):
    for caption in told:
        graph = caption.graph
        for node in graph.of_type("entity"):
            assert caption.text[slice(*node.span)].lower() not in PRONOUNS
        for event in graph.of_type("event"):
            assert {e.type for e in graph.edges_from(event.id)} & {"agent", "patient"}, caption.text


def test_steps_are_equal_parts_and_told_by_temporal_edges(told):
    for caption in told:
        events = caption.graph.of_type("event")
        starts = sorted({event.interval[0] for event in events})
        assert starts == [round(i / len(starts), 4) for i in range(len(starts))]
        edges = [edge for edge in caption.graph.edges if edge.type == "temporal"]
        assert len(edges) == len(events) - 1
        for edge in edges:
            a, b = (caption.graph.node(node).interval for node in (edge.source, edge.target))
            assert allen(a, b, edge.label == "meets") == (False, edge.label)


def test_some_things_last_through_two_steps(told):
    lasting = [c for c in told if {"starts", "finishes"} <= {e.label for e in c.graph.edges if e.type == "temporal"}]
    assert len(lasting) > 0.02 * COUNT
    for caption in lasting:
        first = next(e for e in caption.graph.edges if e.label == "starts")
        last = next(e for e in caption.graph.edges if e.label == "finishes")
        assert first.target == last.target
        text = caption.text.lower()
        assert " then " in text or " afterwards " in text or " after that " in text


def test_values_of_one_kind_follow_each_other(told):
    changes = 0
    for caption in told:
        graph = caption.graph
        times = {change_time(event.interval) for event in graph.of_type("event")}
        for entity in graph.of_type("entity"):
            held: dict[str, list] = {}
            for node, edge in graph.attributes(entity.id):
                held.setdefault(node.kind, []).append(edge.interval)
            for intervals in held.values():
                intervals.sort()
                starts = [start for start, _ in intervals if start > 0]
                changes += len(starts)
                assert set(starts) <= times
                assert all(a[1] == b[0] for a, b in itertools.pairwise(intervals)), caption.text
    assert changes > 0.1 * COUNT


def test_every_phenomenon_is_told(told):
    text = "\n".join(caption.text.lower() for caption in told)
    words = ("then", "before", "after", "while", "as", "until", "once", "as soon as", "first", "next", "finally")
    words += (
        "meanwhile",
        "at the same time",
        "twice",
        "three times",
        "again and again",
        "without",
        "never",
        "no longer",
    )
    words += ("doesn't", "does not", "he", "she", "it", "they", "is being", "from", "becomes", "turns", "at first")
    for word in words:
        assert f" {word} " in text or f"\n{word} " in text, word
    labels = {node.label for caption in told for node in caption.graph.nodes}
    assert len(labels) > 500


def test_held_out_patterns_are_left_out_unless_asked_for():
    told = [TemporalCaptions("train").caption(i)[0].lower() for i in range(700)]
    assert not any(text.startswith(("until ", "till ")) or ". until " in text for text in told)
    asked = [TemporalCaptions("train", every_pattern=True).caption(i)[0].lower() for i in range(700)]
    assert any(text.startswith(("until ", "till ")) for text in asked)
    assert len(HELD_OUT_PATTERNS) == 2


def test_every_mention_has_a_head_token_of_its_own(told):
    docs = load_spacy().pipe([caption.text for caption in told[:60]])
    for doc, caption in zip(docs, told[:60], strict=True):
        heads = [doc.char_span(*mention.span, alignment_mode="expand")[-1].i for mention in caption.mentions]
        assert len(set(heads)) == len(heads), caption.text


def _agents(caption: Caption, event: str) -> list[str]:
    return [e.target for e in caption.graph.edges_from(event) if e.type == "agent"]


def test_a_relative_clause_tells_of_the_noun_before_it_and_of_the_same_time(told):
    found = 0
    for caption in told:
        for match in re.finditer(r"(\w+),? (?:who|that|which) (?:is |are )?(\w+)", caption.text):
            nodes = {m.span: m.node for m in caption.mentions}
            noun, verb = (nodes.get(match.span(group)) for group in (1, 2))
            if noun is None or verb is None or caption.graph.node(verb).type != "event":
                continue
            found += 1
            assert _agents(caption, verb) == [noun], caption.text
            others = [e for e in caption.graph.of_type("event") if e.id != verb]
            assert any(e.interval == caption.graph.node(verb).interval for e in others), caption.text
    assert found > 0.04 * COUNT


def test_both_stands_for_two(told):
    captions = [c for c in told if re.search(r"(?<!while )\bboth (?:of them )?(?!the|an?\b|of)\w+", c.text)]
    shared = [c for c in captions if any(len(_agents(c, e.id)) == 2 for e in c.graph.of_type("event"))]
    assert len(shared) > 0.8 * len(captions) > 0.005 * COUNT


def test_what_a_caption_opens_with_is_not_seen(told):
    captions = [c for c in told if c.text.lower().startswith(WORDS.openings)]
    assert len(captions) > 0.005 * COUNT
    for caption in captions:
        start = max(len(o) for o in WORDS.openings if caption.text.lower().startswith(o))
        assert all(mention.span[0] > start for mention in caption.mentions)


def test_where_somebody_is_said_to_be_stands_beside_the_noun(told):
    edges = [(c, e) for c in told for e in c.graph.edges if e.type == "spatial"]
    assert len(edges) > 0.04 * COUNT
    for caption, edge in edges:
        spans = {node: [m.span for m in caption.mentions if m.node == node] for node in (edge.source, edge.target)}
        words = spatial_words(caption.text, spans[edge.source], spans[edge.target], edge.label)
        assert words is not None
        assert caption.text[slice(*words[2])] == edge.label
