import pytest
from hypothesis import given
from hypothesis import strategies as st

from mov_ai.errors import UsageError
from mov_ai.labels.word_forms import stems, word_key
from mov_ai.parser.lexicon import DIM, ROWS, load_lexicon, read_lexicon


def nearest(word, words):
    lexicon = load_lexicon()
    rows = [lexicon.row([other]) for other in words]
    assert all(rows)
    similar = lexicon.vectors[rows] @ lexicon.vectors[lexicon.row([word])]
    return words[int(similar.argmax())]


@pytest.mark.parametrize(
    ("word", "kin"),
    [
        ("broccoli", "cauliflower"),
        ("hamster", "squirrel"),
        ("spoon", "fork"),
        ("jog", "walk"),
        ("elbow", "knee"),
        ("farmer", "fireman"),
    ],
)
def test_words_of_one_kind_are_near(word, kin):
    assert nearest(word, ["cauliflower", "squirrel", "fork", "walk", "knee", "fireman"]) == kin


def test_the_embedded_lexicon_has_the_size_that_features_count_on():
    assert load_lexicon().vectors.shape == (ROWS, DIM)
    assert not load_lexicon().vectors[0].any()


@pytest.mark.parametrize("word", ["dolphins", "avocado", "boxes", "carried", "stopped", "biking", "threw", "bigger"])
def test_forms_of_words_are_known(word):
    assert load_lexicon().knows(word)


@pytest.mark.parametrize("word", ["refridgerator", "palte", "zzzz", ""])
def test_what_is_no_word_is_not_known(word):
    assert not load_lexicon().knows(word)
    assert load_lexicon().row([word]) == 0


@given(st.text(max_size=30))
def test_any_text_has_a_key_and_stems(text):
    assert 0 <= word_key(text) < 2**31
    assert all(isinstance(stem, str) for stem in stems(text))


def test_a_missing_or_broken_file_is_one_clear_line(tmp_path):
    with pytest.raises(UsageError, match=r"recipes/word_vectors\.sh"):
        read_lexicon(tmp_path / "none.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    with pytest.raises(UsageError, match="broken"):
        read_lexicon(tmp_path / "broken.safetensors")
