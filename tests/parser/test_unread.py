"""What of a text its graph does not hold, and when that is worth a warning."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mov_ai.graph import CameraMove, Edge, Node, SceneGraph
from mov_ai.parser.assembly import Parse
from mov_ai.parser.spacy_pipeline import load_spacy
from mov_ai.parser.token_graph import TokenGraph, token_graph
from mov_ai.parser.unread import Unread, empty_warning, unread_warning, unread_words


@pytest.fixture(scope="module")
def nlp():
    return load_spacy()


def spoken(text: str, word: str) -> tuple[int, int]:
    return text.index(word), text.index(word) + len(word)


def unread(nlp, text: str, nodes=(), edges=(), mentions=None, **scene) -> dict[str, str]:
    """Word -> kind of what is unread. `nodes`: (type, label, word of the text, other fields)."""
    made = [
        Node(f"n{i}", kind, label, spoken(text, word), **dict(fields))
        for i, (kind, label, word, *rest) in enumerate(nodes, 1)
        for fields in (rest or [{}])
    ]
    graph = SceneGraph(text, [Node("n0", "scene", "scene", **scene), *made], list(edges))
    graph.validate()
    found = unread_words(text, token_graph(nlp(text)), Parse(graph, {}, mentions or {}))
    assert [one.word for one in found] == [text[slice(*one.span)] for one in found]
    return {one.word: one.kind for one in found}


def test_words_that_reached_a_node_are_read_and_others_are_not(nlp):
    text = "A red ball rolls left under three chairs."
    ball = ("entity", "ball", "ball")
    assert unread(nlp, text, [ball]) == {
        **{"red": "other", "rolls": "verb", "left": "other", "three": "number", "chairs": "noun"},
    }
    roll = ("event", "roll", "rolls", {"direction": "left"})
    chairs = ("entity", "chair", "chairs", {"count": 3})
    assert unread(nlp, text, [("attribute", "red", "red"), ball, roll, chairs]) == {}


def test_a_wrong_count_leaves_the_number_unread(nlp):
    text = "There are five bananas."
    assert unread(nlp, text, [("entity", "banana", "bananas", {"count": 3})]) == {"five": "number"}
    assert unread(nlp, text, [("entity", "banana", "bananas", {"count": 5})]) == {}


def test_a_number_that_begins_a_text_is_read_though_it_is_tagged_as_a_noun(nlp):
    text = "Nine penguins stand on the ice"
    nodes = [("event", "stand", "stand"), ("entity", "ice", "ice")]
    assert unread(nlp, text, [("entity", "penguin", "penguins", {"count": 9}), *nodes]) == {}
    assert set(unread(nlp, text, [("entity", "penguin", "penguins", {"count": 2}), *nodes])) == {"Nine"}


def test_what_is_mentioned_again_is_read(nlp):
    text = "A dog runs. The animal barks, then the dog sleeps."
    nodes = [
        ("entity", "dog", "dog"),
        ("event", "run", "runs"),
        ("event", "bark", "barks"),
        ("event", "sleep", "sleeps"),
    ]
    assert unread(nlp, text, nodes) == {"animal": "noun"}
    assert unread(nlp, text, nodes, mentions={"n1": [spoken(text, "animal")]}) == {}


def test_a_denial_is_read_where_something_of_its_sentence_is_negated(nlp):
    text = "No cars are on the road. A dog runs without a leash."
    road, dog, run = ("entity", "road", "road"), ("entity", "dog", "dog"), ("event", "run", "runs")
    car, leash = ("entity", "car", "cars", {"negated": True}), ("entity", "leash", "leash")
    assert unread(nlp, text, [car, road, dog, run, leash]) == {"without": "denial"}
    assert unread(nlp, text, [road, dog, run]) == {"No": "denial", "cars": "noun", "without": "denial", "leash": "noun"}


def test_the_looks_of_the_scene_and_written_text_are_read(nlp):
    text = 'A sign says "open", pan left, oil painting, at night'
    nodes = [("entity", "sign", "sign"), ("attribute", "open", "open", {"kind": "text"})]
    assert set(unread(nlp, text, nodes)) == {"pan", "left", "oil", "painting", "night"}
    camera = (CameraMove("pan left", (0.5, 1.0)),)
    assert unread(nlp, text, nodes, camera=camera, style=("oil painting",), light="night") == {}


def test_small_words_and_the_video_itself_need_not_be_read(nlp):
    text = "A video of a scene in which there is a dog that starts to run on one side of it, and then it stops."
    assert unread(nlp, text, [("entity", "dog", "dog"), ("event", "run", "run")]) == {}


def test_a_word_corrected_in_spelling_is_shown_as_it_was_written(nlp):
    text = "windmil"
    tokens = token_graph(nlp("windmill"))
    written = TokenGraph(
        **{**{name: getattr(tokens, name) for name in tokens.__dataclass_fields__}, "spans": np.array([[0, 7]])}
    )
    empty = Parse(SceneGraph(text, [Node("n0", "scene", "scene")], []), {}, {})
    assert unread_words(text, written, empty) == (Unread("windmil", (0, 7), "noun"),)


EMPTY = SceneGraph("", [Node("s", "scene", "scene")], [])
BALL = SceneGraph("", [Node("s", "scene", "scene"), Node("a", "entity", "ball")], [Edge("s", "a", "contains")])


def words(*kinds: str) -> list[Unread]:
    return [Unread(f"{kind}{i}", (i, i + 1), kind) for i, kind in enumerate(kinds)]  # type: ignore[arg-type]


def test_only_what_matters_is_warned_of():
    assert unread_warning(BALL, []) is None
    assert unread_warning(BALL, words("other")) is None
    said = unread_warning(BALL, words("other", "noun", "verb", "number", "denial"))
    assert said == "not understood, and so not in the graph: noun1, verb2, number3, denial4"


def test_an_empty_graph_is_warned_of_where_the_text_has_words_with_a_meaning():
    assert empty_warning(EMPTY, []) is None
    assert empty_warning(BALL, words("noun")) is None
    assert "nothing of the text was understood (other0)" in (empty_warning(EMPTY, words("other")) or "")
    assert unread_warning(EMPTY, words("noun")) == empty_warning(EMPTY, words("noun"))
    styled = SceneGraph("", [Node("s", "scene", "scene", style=("4k",))], [])
    assert empty_warning(styled, words("noun")) is None


def test_long_lists_and_long_words_are_cut():
    many = [Unread("x" * 500, (0, 1), "noun"), *words(*["noun"] * 30)]
    said = unread_warning(BALL, many) or ""
    assert len(said) < 300
    assert said.endswith("and 23 more")


STRANGE = ("a", "the", "red", "dog", "3", "°", "no", "runs", "4k,", ",", ".", "n't", "été", "🐶")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(STRANGE), max_size=12).map(" ".join))
def test_each_word_is_told_once_in_order_whatever_the_text(nlp, text):
    graph = SceneGraph(text, [Node("n0", "scene", "scene")], [])
    found = unread_words(text, token_graph(nlp(text)), Parse(graph, {}, {}))
    spans = [one.span for one in found]
    assert spans == sorted(set(spans))
    assert all(text[slice(*one.span)] == one.word for one in found)
    assert all(any(c.isalnum() for c in one.word) for one in found)
