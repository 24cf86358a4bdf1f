import pytest

from mov_ai.data.factual import parse_triples
from mov_ai.graph.convert import to_triples
from mov_ai.parser.assembly import decode
from mov_ai.parser.network import LINKS, ROLES
from mov_ai.parser.spacy_pipeline import load_spacy
from mov_ai.parser.token_graph import token_graph
from mov_ai.training.factual_alignment import Aligner, Captioned, build_vocabulary, factual_sample
from tests.parser.builders import certain_scores

#: Made up for these tests, in FACTUAL's form.
TEXTS = {
    "a tall man holding a red cup": "( man , hold , cup ) , ( man , is , tall ) , ( cup , is , red )",
    "two dogs sitting on the grass": "( dogs , is , 2 ) , ( dogs , sit on , grass )",
    "a woman in a blue hat": "( woman , wear , hat ) , ( hat , is , blue )",
    "someone riding a horse": "( person , ride , horse )",
    "the cat is sleeping": "( cat , is , sleeping )",
    "two zebras next to each other": "( zebra , next to , zebra )",
    "a cup to the left of a plate": "( cup , at the left of , plate )",
    "a clock": "( clock )",
    "men with surf boards": "( men , with , surf boards )",
    "a white plate near a blue plate": "( plate , near , plate ) , ( plate , is , white ) , ( plate , is , blue )",
    "cars parked on the street": "( cars , park on , street )",
}


@pytest.fixture(scope="module")
def captions() -> list[Captioned]:
    nlp = load_spacy()
    found = [
        Captioned(text, token_graph(doc), tuple(parse_triples(TEXTS[text])))
        for text, doc in zip(TEXTS, nlp.pipe(TEXTS), strict=True)
    ]
    # Often enough for labels and forms to be kept.
    return found * 3


@pytest.fixture(scope="module")
def aligner(captions) -> Aligner:
    return Aligner(captions)


def one(captions: list[Captioned], text: str) -> Captioned:
    return next(caption for caption in captions if caption.text == text)


def test_names_are_found_as_they_stand_in_the_singular_or_by_the_word_that_goes_with_them(captions, aligner):
    aligned = aligner.align(one(captions, "someone riding a horse"))
    assert aligned.entities == {0: (0, "=person"), 3: (0, "copy")}
    assert aligned.predicates == {(0, 3): "ride"}
    assert aligner.align(one(captions, "two zebras next to each other")).entities == {1: (0, "singular")}
    assert aligner.align(one(captions, "men with surf boards")).entities[3] == (1, "copy")


def test_two_things_of_one_name_get_the_attributes_beside_them(captions, aligner):
    aligned = aligner.align(one(captions, "a white plate near a blue plate"))
    assert set(aligned.attributes) == {(2, 1), (6, 5)}
    assert list(aligned.predicates) == [(2, 6)]


def test_names_that_nothing_gives_are_lost(captions, aligner):
    caption = one(captions, "a clock")
    lost = aligner.align(Captioned(caption.text, caption.tokens, (("clock", "on", "moon"),)))
    assert not lost.predicates
    assert not lost.entities


def test_targets_decode_to_the_gold_triples(captions, aligner):
    aligned = [aligner.align(caption) for caption in captions]
    vocabulary = build_vocabulary(captions, aligned)
    for caption, places in zip(captions[: len(TEXTS)], aligned, strict=False):
        sample = factual_sample(caption, places, vocabulary)
        parse = decode(caption.text, caption.tokens, certain_scores(sample, caption.tokens, vocabulary), vocabulary)
        assert set(to_triples(parse.graph)) == set(caption.triples), caption.text


def test_verbs_of_predicates_are_events_with_their_participants(captions, aligner):
    aligned = [aligner.align(caption) for caption in captions]
    vocabulary = build_vocabulary(captions, aligned)
    caption = one(captions, "cars parked on the street")
    sample = factual_sample(caption, aligner.align(caption), vocabulary)
    names = [ROLES[role] for role in sample.role]
    assert names[:2] == ["entity", "event"]
    place = {int(token): row for row, token in enumerate(sample.chosen)}
    assert LINKS[sample.link[place[1], place[0]]] == "patient"
    assert LINKS[sample.link[place[1], place[4]]] == "location"
