"""Many texts at once: each gets its graph or what is wrong with it, and thresholds hold for what is told of it."""

from __future__ import annotations

import warnings

import pytest

from mov_ai.errors import UsageError
from mov_ai.parser.assembly import Parse
from mov_ai.parser.parser import EMBEDDED_PARSER, SceneGraphParser
from mov_ai.parser.unread import empty_warning, is_empty

pytestmark = pytest.mark.skipif(
    not (EMBEDDED_PARSER / "model.safetensors").is_file(), reason="the embedded parser is not trained yet"
)
BAD = ["", "a ball \udc00", "ball " * 10_000, "a, " * 300, None]
GOOD = ["a red ball rolls left", "Ein roter Ball rollt nach links und die Kugel.", "two dogs chase a cat"]


@pytest.fixture(scope="module")
def parser() -> SceneGraphParser:
    return SceneGraphParser.from_pretrained()


def test_each_text_gets_its_answer_and_none_stops_the_rest(parser: SceneGraphParser) -> None:
    texts = [BAD[0], GOOD[0], BAD[1], BAD[2], GOOD[1], BAD[3], BAD[4], GOOD[2]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answers = parser.parse_each(texts)  # type: ignore[arg-type]
    assert [isinstance(answer, UsageError) for answer in answers] == [text in BAD for text in texts]
    parses = [answer for answer in answers if isinstance(answer, Parse)]
    assert [parse.graph.caption for parse in parses] == GOOD
    assert [parse.foreign for parse in parses] == [False, True, False]
    with pytest.raises(UsageError, match="400") as caught:
        parser.parse_batch(["a ball", BAD[2], ""])  # type: ignore[list-item]
    assert str(caught.value) == str(answers[3])


def test_entities_that_are_not_there_are_an_answer_for_their_text_alone(parser: SceneGraphParser) -> None:
    many = [str(number) for number in range(70)]
    texts = ["a red ball", "a red ball", " ".join(many)]
    cube, ball, too_many = parser.parse_each(texts, [["cube"], ["ball"], many])
    assert "'cube' is not in the text" in str(cube)
    assert isinstance(ball, Parse)
    assert "at most 64 nodes" in str(too_many)


@pytest.mark.parametrize(
    "text", ["A red ball rolls left, then two dogs chase it.", "a small wooden boat with no sails"]
)
def test_a_threshold_leaves_out_what_is_less_sure_and_tells_of_it(parser: SceneGraphParser, text: str) -> None:
    whole = parser.explain(text)
    assert parser.explain(text, threshold=0) == whole
    surest = max(node.confidence for node in whole.graph.nodes[1:])
    for threshold in (0.5, 0.9, 0.99, surest):
        parse = parser.explain(text, threshold=threshold)
        parse.graph.validate()
        assert all(part.confidence >= threshold for part in [*parse.graph.nodes, *parse.graph.edges])
        assert {one.word for one in whole.unread} <= {one.word for one in parse.unread}
        for number, span in parse.edge_words.items():
            old = whole.graph.edges.index(parse.graph.edges[number])
            assert whole.edge_words[old] == span
    nothing = parser.explain(text, threshold=1.0)
    assert len(nothing.graph.nodes) > 1 or nothing.unread


@pytest.mark.parametrize("threshold", [-1, 2, float("nan")])
def test_a_threshold_that_is_no_confidence_is_refused(parser: SceneGraphParser, threshold: float) -> None:
    for parse in (parser, parser.explain):
        with pytest.raises(UsageError, match="threshold"):
            parse("a ball", threshold=threshold)


@pytest.mark.parametrize("text", ["Van Gogh's selfie, Van Gogh style", "the El Greco painting in La Paz, El Salvador"])
def test_names_do_not_make_a_text_foreign(parser: SceneGraphParser, text: str) -> None:
    assert not parser.explain(text).foreign


def test_capitals_do_not_make_a_text_english(parser: SceneGraphParser) -> None:
    with pytest.warns(UserWarning, match="does not look English"):
        parser("EIN ROTER BALL ROLLT NACH LINKS UND DIE KUGEL FÄLLT")


@pytest.mark.parametrize(
    "text", ["4k, masterpiece", "pan left", "windmill", "/home/me/cat.txt", "zoom in", "beautiful"]
)
def test_no_graph_is_empty_without_a_word(parser: SceneGraphParser, text: str) -> None:
    parse = parser.explain(text)
    assert is_empty(parse.graph) == (empty_warning(parse.graph, parse.unread) is not None)
