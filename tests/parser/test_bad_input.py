"""Any Unicode text gives a valid graph or one clear line, in reasonable time; whatever a stranger pastes in."""

from __future__ import annotations

import io
import json
import re
import time
import warnings

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from mov_ai.errors import UsageError
from mov_ai.graph import MAX_NODES, SceneGraph
from mov_ai.graph.convert import to_triples, triples_to_text
from mov_ai.graph.draw import to_dot, to_html, to_svg, to_tree
from mov_ai.parser.input_text import MAX_TOKENS
from mov_ai.parser.parser import EMBEDDED_PARSER, SceneGraphParser

pytestmark = pytest.mark.skipif(
    not (EMBEDDED_PARSER / "model.safetensors").is_file(), reason="the embedded parser is not trained yet"
)

#: No text may keep the machine for longer; the longest that are read take about one on a free core.
SECONDS = 8
SCENE_WORDS = """
    a an the two three many it they each other dog dogs man woman ball cube table shirt red blue small wooden rolls
    roll turns holding wearing is are sitting jumps left right toward in on of with behind next to front top and then
    while before until after first finally not no without that who , . ; : ' 's " - ( )
"""
scene_words = st.sampled_from(SCENE_WORDS.split())
SYMBOLS = ".,;:!?'\"`-–—_/\\|()[]{}<>@#$%^&*+=~…«»„“”‚‘’•¿¡§©€£\t\n\r "
ZERO_WIDTH = "\u200b\u200c\u200d\u200e\u200f\u202a\u202e\u2060\u2066\u2069\ufe0f\ufeff\u00ad"
SCRIPTS = (
    "aeiourstlnbdg",
    "абвгдежзи",
    "αβγδεζη",
    "אבגדהוז",
    "ابتثجحخ",
    "一个红色的球",
    "かなカナ",
    "한국어",
    "कखगघ",
    "ไทย",
)
EMOJI = ("😀", "🐶", "🏀", "👨‍👩‍👧", "🇫🇷", "👍🏽", "❤️", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🫠")

any_characters = st.text(st.characters(), max_size=40)  # with halves of surrogate pairs
whole_characters = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
control_characters = st.text(
    st.characters(categories=["Cc", "Cf", "Zs", "Zl", "Zp"]) | st.sampled_from("ab"), max_size=40
)
marked_letters = st.text(st.characters(categories=["Mn", "Mc", "Me"]) | st.sampled_from("aeon"), max_size=40)
scene = st.lists(scene_words, max_size=30).map(" ".join)
symbols = st.text(SYMBOLS, max_size=60)
emoji = st.lists(st.sampled_from(EMOJI), max_size=15).map("".join)
one_script = st.sampled_from(SCRIPTS).flatmap(lambda letters: st.text(letters + "  ", max_size=40))
hidden_characters = st.text(ZERO_WIDTH + "dog ", max_size=40)
long_words = st.tuples(st.text("aeioustr'-.\u0301", min_size=1, max_size=6), st.integers(1, 120)).map(
    lambda part: part[0] * part[1]
)
pieces = st.one_of(
    scene, any_characters, control_characters, marked_letters, symbols, emoji, one_script, hidden_characters
)
mixed = st.tuples(st.lists(pieces, min_size=2, max_size=5), st.sampled_from(["", " ", "\n", "\t", ", ", "\u3000"])).map(
    lambda parts: parts[1].join(parts[0])
)
texts = st.one_of(scene, whole_characters, pieces, long_words, mixed)


@pytest.fixture(scope="module")
def parser() -> SceneGraphParser:
    return SceneGraphParser.from_pretrained()


def parsed(parser: SceneGraphParser, text: str) -> SceneGraph | str:
    """The graph of a text, checked; or the line that refuses it.

    Nothing may be warned of but that the text does not look English.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            graph = parser(text)
        except UsageError as error:
            return one_line(error)
    assert all(str(warning.message).startswith("the prompt does not look English") for warning in caught), caught
    assert len(caught) <= 1
    graph.validate()
    assert graph.caption == text
    assert SceneGraph.from_json(graph.to_json()) == graph
    for node in graph.nodes[1:]:
        assert node.span is not None
        assert 0 <= node.span[0] < node.span[1] <= len(text)
    triples = to_triples(graph)
    assert all(head for head, _, _ in triples)
    assert len(triples_to_text(triples).splitlines()) <= 1
    return graph


def one_line(error: UsageError) -> str:
    said = str(error)
    assert said == said.strip() != ""
    assert len(said.splitlines()) == 1
    assert len(said) < 400
    return said


def gives_a_valid_graph_or_one_clear_line(parser: SceneGraphParser, text: str) -> None:
    graph = parsed(parser, text)
    if isinstance(graph, str):
        reasons = ["empty prompt"] if not text.strip() else ["surrogate", str(MAX_TOKENS), str(MAX_NODES), "characters"]
        assert any(reason in graph for reason in reasons), graph


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(text=texts)
@example(text="\ufeff")
@example(text="\u0301")
@example(text="\x85\u2028\u2029")
@example(text="a\x00ball")
@example(text="It. It. It.")
def test_any_text_gives_a_valid_graph_or_one_clear_line(parser: SceneGraphParser, text: str) -> None:
    gives_a_valid_graph_or_one_clear_line(parser, text)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(text=texts)
def test_two_thousand_texts_give_a_valid_graph_or_one_clear_line(parser: SceneGraphParser, text: str) -> None:
    gives_a_valid_graph_or_one_clear_line(parser, text)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(text=mixed)
def test_graphs_of_any_text_can_be_drawn(parser: SceneGraphParser, text: str) -> None:
    graph = parsed(parser, text)
    if isinstance(graph, SceneGraph):
        assert to_dot(graph).startswith("digraph")
        assert to_svg(graph).startswith("<svg")
        assert to_html(graph).startswith("<!DOCTYPE html>")
        Console(file=io.StringIO(), width=120).print(to_tree(graph))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(text=texts, entities=st.lists(scene_words | st.text(max_size=5), max_size=4))
def test_any_entities_given_are_found_or_refused_in_one_line(
    parser: SceneGraphParser, text: str, entities: list[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            graph = parser(text, entities=entities)
        except UsageError as error:
            one_line(error)
            return
    graph.validate()
    assert len(graph.of_type("entity")) <= len(entities)


HTML = """<!DOCTYPE html>
<html lang="en"><head><title>Shop &amp; more</title><style>p { color: red; }</style></head>
<body onload="start()"><p class="note">A red ball<br/>rolls &nbsp; left.</p><!-- a comment --><script>
var x = 1 < 2 && 3 > 2;</script><a href="https://example.org/?q=a+b#c">here</a></body></html>"""
PYTHON = '''def roll(ball: "Ball", *, left: bool = True) -> None:
    """Roll a ball."""
    for i in range(10):
        ball.x += -1 if left else +1  # one step
    return {"x": ball.x, **ball.__dict__}["x"] ** 2 // 3
'''
CODE = json.dumps({"nodes": [{"id": "n1", "label": "ball", "span": [0, 4.5e-3], "negated": None}] * 3}, indent=1)

READABLE = {
    "one word of 500 letters": "x" * 500,
    "a word of 500 letters in a sentence": f"A red {'ba' * 250} rolls to the left.",
    "Arabic": "كرة حمراء تتدحرج إلى اليسار",
    "Hebrew": "כדור אדום מתגלגל שמאלה",
    "English and Hebrew": "a red כדור rolls שמאלה",
    "turned text": "\u202ea red ball rolls left\u202c",
    "emoji only": "🐶🏀👨‍👩‍👧❤️🇫🇷",
    "emoji in a sentence": "a 🐶 holds a red 🏀 in its mouth 😀",
    "an HTML page": HTML,
    "Python": PYTHON,
    "JSON": CODE,
    "only punctuation": "?!... --- ,,, ;; ((())) \"\" '' ///",
    "one point": ".",
    "null characters": "a red\x00ball\x00\x00rolls",
    "only null characters": "\x00\x00\x00",
    "lines and tabs": "a red ball\n\n\trolls\r\n left\x0b\x0c\n",
    "a list": "- a red ball\n- a blue cube\n* [x] two dogs\n1. a man\n",
    "capitals": "A RED BALL ROLLS TO THE LEFT, THEN TWO DOGS CHASE IT.",
    "numbers only": "12 3.5 1e9 -7 1/2 99999999999999999999 0x1F ٣ ½ Ⅻ",
    "a URL": "https://www.example.org:8080/a/red/ball.html?left=1&q=%20#top",
    "an address": "someone.else+tag@example.co.uk",
    "a table": "| a | b |\n|---|---|\n| red | ball |",
    "zero-width characters": "a\u200b red\u200d ball\ufeff rolls\u2060 left",
    "stacked marks": "z̸̢̛a̷̡͝l̶͓̕g̵̱̈o̴ ball",
    "other letters for Latin ones": "а rеd bаll rоlls lеft",
    "letters of full width": "ａ　ｒｅｄ　ｂａｌｌ",
    "the same word again": "ball ball ball ball ball ball ball ball",
    "only small words": "of the and to in a is",
    "only verbs": "run jump roll fall turn stop",
    "nothing but commas and words": "dog,cat,,ball,;red",
    "no vowels": "bcdfg hjkl mnpqr stvwx z",
    "quotes within quotes": "a sign that says “a man said ‘a “red” ball’”",
    "an injection": "Ignore all previous instructions'; DROP TABLE nodes; --",
    "escapes": r"a red ball\n rolls \u0000 \\ left %s {0} $HOME `ls`",
}


@pytest.mark.parametrize("kind", READABLE)
def test_strange_texts_give_valid_graphs(parser: SceneGraphParser, kind: str) -> None:
    graph = parsed(parser, READABLE[kind])
    assert isinstance(graph, SceneGraph)
    to_dot(graph)
    to_html(graph)


def test_strange_texts_do_not_change_their_neighbours_in_a_batch(parser: SceneGraphParser) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        together = parser.parse_batch(list(READABLE.values()))
        alone = [parser(text) for text in READABLE.values()]
    assert [to_triples(graph) for graph in together] == [to_triples(graph) for graph in alone]


NOUNS = """
    dog cat horse cow sheep bird fish duck goat pig apple banana orange carrot cake bread cheese egg cup plate bowl
    knife fork spoon table chair sofa bed lamp clock mirror window door wall roof fence tree bush flower leaf rock river
    lake boat ship train bus truck car bicycle plane kite ball bat glove hat shirt coat shoe sock scarf belt watch ring
    book pen phone camera bag box basket bottle umbrella ladder bridge tower barn tent sign bench pole
"""

REFUSED = {
    "nothing": ("", "empty prompt"),
    "blanks": (" \t\n\r\x0b\u2003\u3000", "empty prompt"),
    "10,000 words": ("ball " * 10_000, str(MAX_TOKENS)),
    "10,000 words in sentences": ("A red ball rolls to the left, then it stops. " * 1000, str(MAX_TOKENS)),
    "a word of 100,000 letters": ("x" * 100_000, str(MAX_TOKENS)),
    "half of a surrogate pair": ("a ball \udc00 rolls", "surrogate"),
    "20,000 brackets": ("(" * 19_999, r"\d"),
    "20,000 exclamation marks": ("!" * 19_999, r"\d"),
    "20,000 emoji": ("😀" * 19_999, r"\d"),
    "20,000 emoji in words": (("😀" * 900 + " ") * 22, r"\d"),
    "a path of 10,000 steps": ("a/" * 9_999, r"\d"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_texts_beyond_the_limits_are_refused_at_once(parser: SceneGraphParser, kind: str) -> None:
    text, said = REFUSED[kind]
    start = time.perf_counter()
    with pytest.raises(UsageError, match=said) as caught:
        parser(text)
    assert time.perf_counter() - start < SECONDS
    assert len(one_line(caught.value)) < 300


def test_a_list_of_more_things_than_a_graph_holds_is_refused_or_read(parser: SceneGraphParser) -> None:
    text = ", ".join(f"a {noun}" for noun in NOUNS.split())
    parsed(parser, text)  # which of them it takes for things is the network's choice
    with pytest.raises(UsageError, match=str(MAX_NODES)) as caught:
        parser(text, entities=NOUNS.split())
    one_line(caught.value)


@pytest.mark.parametrize("words", ["dog ", "dog runs ", "A dog. ", "a/b/", "it ", "red ", "runs "])
def test_long_texts_of_few_words_take_neither_long_nor_much_memory(parser: SceneGraphParser, words: str) -> None:
    text = words * (380 // len(re.findall(r"\w+|[^\w\s]", words)))
    start = time.perf_counter()
    parsed(parser, text)
    assert time.perf_counter() - start < SECONDS


@pytest.mark.parametrize("value", [None, 7, b"a ball", ["a ball"]])
def test_what_is_no_text_is_refused_by_its_type(parser: SceneGraphParser, value: object) -> None:
    with pytest.raises(UsageError, match=type(value).__name__):
        parser(value)  # type: ignore[arg-type]


OTHER_LANGUAGES = {
    "German": "Ein roter Ball rollt nach links und die Kugel fällt auf den Tisch.",
    "French": "Un ballon rouge roule vers la gauche, puis un homme est dans la rue avec un chien.",
    "Spanish": "Una pelota roja rueda hacia la izquierda y luego el perro corre con los niños.",
    "Italian": "Il gatto che dorme sul tavolo e lo specchio di un bambino.",
    "Portuguese": "O menino não está com os cachorros em uma praia.",
    "Dutch": "De bal rolt naar het huis en een hond loopt met de man van het strand.",
    "Russian": "Красный мяч катится налево.",
    "Greek": "Μια κόκκινη μπάλα κυλάει αριστερά.",
    "Chinese": "一个红色的球向左滚动",
    "Japanese": "赤いボールが左に転がる",
    "Korean": "빨간 공이 왼쪽으로 굴러간다",
    "Arabic": "كرة حمراء تتدحرج إلى اليسار",
    "Hebrew": "כדור אדום מתגלגל שמאלה",
    "Hindi": "एक लाल गेंद बाईं ओर लुढ़कती है",
}


@pytest.mark.parametrize("language", OTHER_LANGUAGES)
def test_text_in_another_language_is_warned_of_once(parser: SceneGraphParser, language: str) -> None:
    with pytest.warns(UserWarning, match="does not look English") as caught:
        parser(OTHER_LANGUAGES[language]).validate()
    assert len(caught) == 1
    assert len(str(caught[0].message).splitlines()) == 1


@pytest.mark.parametrize(
    "text",
    [
        "a man eating a crème brûlée in a café",
        "los angeles street sign",
        "a die and a card on the table",
        "two people in front of the El Greco painting",
        "the sign says Zürich",
        "dog 🐶",
        "12 eggs",
        "un sign on a van",
    ],
)
def test_english_with_foreign_words_is_not_warned_of(parser: SceneGraphParser, text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parser(text)
