import numpy as np
import pytest

from mov_ai.errors import UsageError
from mov_ai.parser.input_text import check_text, given_heads
from mov_ai.parser.spacy_pipeline import load_spacy
from mov_ai.parser.token_graph import TokenGraph, token_graph

TEXT = "The old man gives the dog a bone, and the dog runs."


@pytest.fixture(scope="module")
def tokens() -> TokenGraph:
    return token_graph(load_spacy()(TEXT))


def words(tokens: TokenGraph, heads: list[tuple[int, int]]) -> list[str]:
    return [" ".join(tokens.words[head - before : head + 1]) for head, before in heads]


def test_phrases_are_found_whatever_their_case_and_article(tokens):
    assert words(tokens, given_heads(TEXT, tokens, ["the OLD man", "Bone"])) == ["old man", "bone"]


def test_the_same_phrase_again_is_its_next_occurrence(tokens):
    first, second = given_heads(TEXT, tokens, ["dog", "dog"])
    assert first[0] < second[0]
    with pytest.raises(UsageError, match="'dog' is not in the text"):
        given_heads(TEXT, tokens, ["dog", "dog", "dog"])


def test_character_ranges_are_taken_as_they_are(tokens):
    start = TEXT.index("bone")
    assert words(tokens, given_heads(TEXT, tokens, [(start, start + 4)])) == ["bone"]
    for wrong in ((5, 5), (0, 1000), (-3, 2)):
        with pytest.raises(UsageError, match="is not in the text"):
            given_heads(TEXT, tokens, [wrong])


def test_parts_of_words_are_not_phrases(tokens):
    with pytest.raises(UsageError, match="'bon' is not in the text"):
        given_heads(TEXT, tokens, ["bon"])


def test_endless_words_are_refused():
    check_text("x" * 500)
    with pytest.raises(UsageError, match="1000"):
        check_text("a ball " + "(" * 1500)


def test_spans_are_plain_numbers(tokens):
    head, before = given_heads(TEXT, tokens, ["old man"])[0]
    assert isinstance(head, int)
    assert not isinstance(head, np.integer)
    assert before == 1
