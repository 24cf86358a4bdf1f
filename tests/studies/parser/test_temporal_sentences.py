import json
import re
from collections import Counter

import pytest

from mov_ai.errors import UsageError
from mov_ai.graph import SceneGraph, allen
from studies.parser.temporal_sentences import (
    PHENOMENA,
    PROMPT_PHENOMENA,
    PROMPTS,
    SENTENCES,
    SPLITS,
    TemporalSentence,
    build,
    temporal_sentences,
)


def entry(**changes) -> dict:
    """A small correct entry."""
    return {
        "id": "e1",
        "split": "development",
        "phenomena": ["then"],
        "text": "A green lamp flickers twice until it turns red.",
        "entities": {"lamp": ["lamp", "it"]},
        "events": {
            "flicker": {"word": "flickers", "agent": ["lamp"], "times": "twice"},
            "turn": {"word": "turns", "agent": ["lamp"]},
        },
        "order": [["flicker"], ["turn"]],
        "meets": [["flicker", "turn"]],
        "changes": [{"event": "turn", "entity": "lamp", "kind": "color", "from": "green", "to": "red"}],
    } | changes


def skeleton(sentence: TemporalSentence) -> str:
    """The wording without its nouns, verbs and adjectives."""
    letters = {"entity": "N", "event": "V", "attribute": "A"}
    text, last = "", 0
    for mention in sentence.mentions:
        text += sentence.text[last : mention.span[0]] + letters[sentence.graph.node(mention.node).type]
        last = mention.span[1]
    text += sentence.text[last:]
    return re.sub(r"\b(the|a|an|his|her|its|their)\b", "D", text, flags=re.IGNORECASE).lower().rstrip(".")


def test_every_entry_is_valid_and_survives_json():
    sentences = [*temporal_sentences(), *temporal_sentences(path=PROMPTS)]
    assert len(sentences) >= 140
    for sentence in sentences:
        sentence.graph.validate(sentence.id)
        assert SceneGraph.from_json(sentence.graph.to_json()) == sentence.graph
        assert 6 <= len(sentence.text.split()) <= 40


def test_prompts_are_held_out_and_show_what_prompts_show():
    prompts = temporal_sentences(path=PROMPTS)
    assert len(prompts) >= 30
    assert {prompt.split for prompt in prompts} == {"held_out"}
    assert {name for prompt in prompts for name in prompt.phenomena} >= set(PROMPT_PHENOMENA)
    assert not {prompt.text for prompt in prompts} & {sentence.text for sentence in temporal_sentences()}


def test_spans_point_at_the_words_of_their_nodes():
    for sentence in temporal_sentences():
        for node in sentence.graph.nodes[1:]:
            word = sentence.text[slice(*node.span)].lower()
            assert word[:1] == node.label[:1] or node.label in ("go", "be"), (sentence.id, word, node.label)
            if node.type == "attribute":
                assert word == node.label
        spans = [mention.span for mention in sentence.mentions]
        assert spans == sorted(set(spans))


def test_halves_are_balanced_and_every_phenomenon_has_eight():
    counts = Counter((s.split, name) for s in temporal_sentences() for name in s.phenomena)
    first = Counter((s.split, s.phenomena[0]) for s in temporal_sentences())
    for name in PHENOMENA:
        assert sum(counts[split, name] for split in SPLITS) >= 8
        assert first["development", name] == first["held_out", name]


def test_no_wording_is_in_both_halves():
    skeletons = {split: {skeleton(s) for s in temporal_sentences(split)} for split in SPLITS}
    assert not skeletons["development"] & skeletons["held_out"]


def test_a_change_ends_the_old_value_and_starts_the_new_one():
    sentence = build(entry())
    lamp = sentence.graph.of_type("entity")[0]
    assert [(n.label, e.interval) for n, e in sentence.graph.attributes(lamp.id)] == [
        ("green", (0.0, 0.5)),
        ("red", (0.5, 1.0)),
    ]
    assert [(n.label, n.manner, n.interval) for n in sentence.graph.of_type("event")] == [
        ("flicker", "twice", (0.0, 0.5)),
        ("turn", None, (0.5, 1.0)),
    ]
    assert [e.label for e in sentence.graph.edges if e.type == "temporal"] == ["meets"]
    assert [sentence.text[slice(*m.span)] for m in sentence.mentions if m.kind == "coref"] == ["it"]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0.0, 0.5), (0.5, 1.0), (False, "before")),
        ((0.5, 1.0), (0.0, 0.5), (True, "before")),
        ((0.0, 1.0), (0.0, 1.0), (False, "equal")),
        ((0.0, 1.0), (0.0, 0.5), (True, "starts")),
        ((0.0, 1.0), (0.5, 1.0), (True, "finishes")),
        ((0.25, 0.5), (0.0, 1.0), (False, "during")),
        ((0.0, 0.5), (0.25, 1.0), (False, "overlaps")),
    ],
)
def test_relations_in_time_are_allens(a, b, expected):
    assert allen(a, b) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"entities": {"lamp": ["torch"]}}, "'torch'"),
        ({"order": [["flicker"]]}, "order"),
        ({"phenomena": ["thereupon"]}, "phenomena"),
        ({"split": "train"}, "split"),
        ({"text": "too short"}, "6 to 40 words"),
        ({"negated": ["jump"]}, "'jump'"),
        ({"colour": "red"}, "'colour'"),
    ],
)
def test_errors_name_the_entry(changes, message):
    with pytest.raises(UsageError, match=f"e1: .*{re.escape(message)}"):
        build(entry(**changes))


def test_a_file_with_an_id_twice_is_refused(tmp_path):
    path = tmp_path / "sentences.jsonl"
    path.write_text("\n".join([json.dumps(entry())] * 2))
    with pytest.raises(UsageError, match="e1: expected ids used once"):
        temporal_sentences(path=path)
    with pytest.raises(UsageError, match="cannot be read"):
        temporal_sentences(path=tmp_path / "none.jsonl")
    with pytest.raises(UsageError, match="development, held_out"):
        temporal_sentences("train", SENTENCES)
