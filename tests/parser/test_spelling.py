import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mov_ai.parser.parser import SceneGraphParser
from mov_ai.parser.spelling import Corrected, Spelling

WORDS = ("the", "a", "man", "white", "plate", "table", "chair", "on", "wearing", "shirt", "skateboard")
SPELLING = Spelling(WORDS)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("the white palte", "the white plate"),  # two exchanged
        ("a skatebord", "a skateboard"),  # one too few
        ("wearringg", "wearringg"),  # two slips
        ("a man weaaring a shirt", "a man wearing a shirt"),  # one too many
        ("a man wesring a shirt", "a man wearing a shirt"),  # another
        ("Palte on table", "Plate on table"),
        ("a man in Tabel", "a man in Tabel"),  # a name
        ("tables and dolphins", "tables and dolphins"),
        ("a skate-bord", "a skate-bord"),
        ("he could", "he could"),
        ("a chwir", "a chair"),  # the row above
        ("a pkate", "a plate"),  # a key beside it
        ("a pgate", "a pgate"),  # far from it on the keyboard, and of another sound
        ("the man isnt white", "the man isn't white"),
        ("Doesnt the man", "Doesn't the man"),
    ],
)
def test_slips_are_corrected_and_nothing_else(written, meant):
    assert SPELLING(written).text == meant


def test_without_words_nothing_is_corrected():
    assert Spelling(())("the white palte").text == "the white palte"


def test_the_commonest_of_the_near_words_is_taken():
    assert Spelling(("table", "cable"))("dable").text == "table"
    assert Spelling(("cable", "table"))("dable").text == "cable"


def test_ranges_lead_back_to_what_was_written():
    text = "the whitee palte, a skatebord and a chair"
    corrected = SPELLING(text)
    assert corrected.text == "the white plate, a skateboard and a chair"
    for word, written in (("white", "whitee"), ("plate", "palte"), ("skateboard", "skatebord"), ("chair", "chair")):
        start = corrected.text.index(word)
        assert text[slice(*corrected.original(start, start + len(word)))] == written


@given(st.text(alphabet="abcdehilmnprstw ,.-'", max_size=60))
def test_ranges_stay_in_order_and_in_the_text(text):
    corrected = SPELLING(text)
    places = [corrected.original(i, i + 1) for i in range(len(corrected.text))]
    assert all(0 <= start <= end <= len(text) for start, end in places)
    assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in itertools.pairwise(places))
    if not corrected.replaced:
        assert places == [(i, i + 1) for i in range(len(text))]


def test_an_untouched_text_keeps_its_ranges():
    assert Corrected("a man").original(2, 5) == (2, 5)


def test_the_parser_names_what_was_meant_and_points_at_what_was_written():
    parser = SceneGraphParser.from_pretrained()
    text = "a man holding a white palte"
    graph = parser(text)
    plates = [node for node in graph.of_type("entity") if node.label == "plate"]
    assert plates
    assert text[slice(*plates[0].span)].endswith("palte")
