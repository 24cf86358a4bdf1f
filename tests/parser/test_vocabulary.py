import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc

from mov_ai.checked_config import config_from_dict
from mov_ai.errors import UsageError
from mov_ai.parser.token_graph import TokenGraph, token_graph
from mov_ai.parser.vocabulary import COPY, JOINED, SINGULAR, Vocabulary, node_words

NLP = spacy.blank("en")
VOCABULARY = Vocabulary(
    forms=(COPY, SINGULAR, JOINED, "=person"),
    labels=("", "wear", "sit on", "on", "in front of", "have"),
    verbs=("", "wear", "sit", "", "", "have"),
    endings=("", "on", "in front of", "near"),
    free_labels=(0, 1, 5),
    free_endings=(0,),
)


def tagged(text: str, **tags: str) -> TokenGraph:
    """Tokens of a text; `tags` gives the Penn tag of some words, and their lemma after a slash."""
    words = text.split()
    told = [tags.get(word, "NN").split("/") for word in words]
    pos = ["VERB" if tag[0].startswith("V") else "ADP" if tag[0] == "IN" else "NOUN" for tag in told]
    lemmas = [tag[1] if len(tag) > 1 else word for tag, word in zip(told, words, strict=True)]
    doc = Doc(NLP.vocab, words=words, tags=[tag[0] for tag in told], pos=pos, lemmas=lemmas)
    return token_graph(doc)


def allowed(tokens: TokenGraph) -> set[str]:
    return {VOCABULARY.labels[i] for i in VOCABULARY.wording(tokens).labels}


def test_labels_are_allowed_by_their_words_or_because_annotators_add_them():
    tokens = tagged("man sitting on chair", sitting="VBG/sit", on="IN")
    assert allowed(tokens) == {"", "wear", "have", "sit on", "on"}
    assert allowed(tagged("man in front of wall", **{"in": "IN", "of": "IN"})) == {"", "wear", "have", "in front of"}


def test_a_label_knows_the_token_of_its_verb():
    wording = VOCABULARY.wording(tagged("man sitting on chair", sitting="VBG/sit", on="IN"))
    assert wording.label_verb.tolist() == [-1, -1, 1, -1, -1, -1]
    assert wording.verbs.tolist() == [1]


def test_predicates_that_are_no_label_are_made_up_of_a_verb_and_an_ending():
    tokens = tagged("sheep grazing near fence", grazing="VBG/graze", near="IN")
    wording = VOCABULARY.wording(tokens)
    choice = VOCABULARY.choice(tokens, wording, "graze near")
    assert choice is not None
    assert choice >= len(VOCABULARY.labels)
    assert VOCABULARY.predicate(tokens, wording.verbs.tolist(), choice) == ("graze near", 1)
    assert VOCABULARY.choice(tokens, wording, "graze on") is None
    assert VOCABULARY.choice(tokens, wording, "sit on") is None


@settings(deadline=None)
@given(st.lists(st.sampled_from(["man", "sitting", "grazing", "on", "near", "wearing", "hat"]), min_size=1, max_size=9))
def test_every_allowed_choice_and_its_words_lead_to_each_other(words):
    tags = {"sitting": "VBG/sit", "grazing": "VBG/graze", "wearing": "VBG/wear", "on": "IN", "near": "IN"}
    tokens = tagged(" ".join(words), **tags)
    wording = VOCABULARY.wording(tokens)
    made_up = [
        len(VOCABULARY.labels) + i * len(VOCABULARY.endings) + int(ending)
        for i in range(len(wording.verbs))
        for ending in wording.endings
    ]
    for choice in [*wording.labels.tolist(), *made_up]:
        predicate, _ = VOCABULARY.predicate(tokens, wording.verbs.tolist(), choice)
        found = VOCABULARY.choice(tokens, wording, predicate)
        assert found is not None
        assert VOCABULARY.predicate(tokens, wording.verbs.tolist(), found)[0] == predicate


@pytest.mark.parametrize(
    ("text", "head", "left", "form", "words"),
    [
        ("Two Red Boats", 2, 1, COPY, "red boats"),
        ("two boats", 1, 0, SINGULAR, "boat"),
        ("a surf board", 2, 1, JOINED, "surfboard"),
        ("someone smiles", 0, 0, "=person", "person"),
    ],
)
def test_nodes_are_worded_by_their_form(text, head, left, form, words):
    tokens = tagged(text, boats="NNS/boat", Boats="NNS/boat")
    assert node_words(text, tokens, head, left, form) == words


def test_a_vocabulary_survives_json():
    assert config_from_dict(Vocabulary, VOCABULARY.to_dict(), "x") == VOCABULARY


def test_labels_and_verbs_must_match():
    with pytest.raises(UsageError, match="2 labels, but 1 verbs"):
        Vocabulary(labels=("", "on"), verbs=("",))


@pytest.mark.parametrize("text", ["a t shirt", "a tshirt", "a t-shirt"])
def test_words_that_factual_hyphenates_get_their_hyphen(text):
    tokens = tagged(text)
    assert node_words(text, tokens, len(tokens) - 1, len(tokens) - 2, COPY) == "t-shirt"


@pytest.mark.parametrize(
    ("text", "noun", "expected"),
    [
        ("man stands in front of wall", "wall", "in front of"),
        ("man stands on wall", "wall", "on"),
        ("man stands of wall", "wall", "of"),
        ("man stands up on wall", "wall", "on"),
        ("man pats dog on wall", "wall", "on"),
        ("man stands wall", "wall", None),
        ("man pats dog on wall", "dog", None),
    ],
)
def test_a_preposition_is_said_in_all_its_words(text: str, noun: str, expected: str | None) -> None:
    tokens = tagged(text, stands="VBZ/stand", pats="VBZ/pat", **dict.fromkeys(("in", "of", "on", "up"), "IN"))
    assert VOCABULARY.preposition(tokens, 1, tokens.words.index(noun)) == expected
