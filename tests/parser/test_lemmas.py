"""Labels are words: lemmas of what taggers get wrong."""

import pytest

from mov_ai.parser.lemmas import noun_lemma, verb_lemma


@pytest.mark.parametrize(
    ("word", "lemma", "tag", "expected"),
    [
        ("rolls", "roll", "NNS", "roll"),
        ("left", "leave", "VBD", "leave"),
        ("hopping", "hopping", "NN", "hop"),
        ("zooms", "zooms", "NN", "zoom"),
        ("hurried", "hurri", "VBD", "hurry"),
        ("blorping", "blorping", "NN", "blorp"),
        ("lies", "lie", "VBZ", "lie"),
    ],
)
def test_verbs_find_their_lemma_whatever_the_tag(word, lemma, tag, expected):
    assert verb_lemma(word, lemma, tag) == expected


@pytest.mark.parametrize(
    ("word", "lemma", "tag", "expected"),
    [
        ("boxes", "box", "VBZ", "box"),
        ("glass", "glass", "NN", "glass"),
        ("puppies", "puppies", "NNS", "puppy"),
        ("shelves", "shelve", "NNS", "shelf"),
        ("gloves", "glove", "NNS", "glove"),
        ("leaves", "leave", "NNS", "leaf"),
        ("matchboxes", "matchboxe", "NNS", "matchbox"),
        ("compasses", "compasse", "NNS", "compass"),
        ("basketballs", "basketballs", "NN", "basketball"),
        ("sunglasses", "sunglass", "NNS", "sunglasses"),
        ("trousers", "trouser", "NNS", "trousers"),
    ],
)
def test_nouns_find_their_lemma(word, lemma, tag, expected):
    assert noun_lemma(word, lemma, tag) == expected


@pytest.mark.parametrize(
    ("word", "lemma", "expected"),
    [
        ("controlling", "controll", "control"),
        ("taming", "tam", "tame"),
        ("lining", "lin", "line"),
        ("decorated", "decorat", "decorate"),
        ("overlooking", "overlooke", "overlook"),
        ("visiting", "visit", "visit"),
        ("cooking", "cooke", "cook"),
        ("peeling", "peele", "peel"),
        ("hoping", "hope", "hope"),
        ("guiding", "guide", "guide"),
        ("creating", "creat", "create"),
    ],
)
def test_a_tagger_s_lemma_is_checked_against_the_lexicon(word, lemma, expected):
    assert verb_lemma(word, lemma, "VBG" if word.endswith("g") else "VBD") == expected
