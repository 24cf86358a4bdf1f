"""What a parser can say whose nodes are words of the caption."""

from __future__ import annotations

import os

import pytest

from mov_ai.data.factual import FactualCaption, read_factual
from studies.parser.extractive_oracle import oracle_triples, predicate_labels, reachable_words
from studies.parser.wordnet import WordNet

WORDNET = WordNet({"dog": "1", "ride": "2", "man": "3"}, {"men": ("man",)})


def test_words_their_lemmas_bases_digits_and_possession_can_be_said() -> None:
    words = reachable_words(["Two", "dogs", "'s", "men", "rode"], ["two", "dog", "'s", "man", "ride"], WORDNET)
    assert words == {"two", "2", "dogs", "dog", "'s", "have", "men", "man", "rode", "ride"}
    assert "have" not in reachable_words(["with"], ["with"], WORDNET)


def test_labels_are_predicates_seen_often() -> None:
    caption = FactualCaption("", "", (("dog", "on", "mat"), ("dog", "is", "big"), ("sky", "", "")))
    other = FactualCaption("", "", (("dog", "near", "mat"),))
    assert predicate_labels([caption] * 5 + [other] * 4) == {"on"}


def test_what_cannot_be_said_leaves_its_objects() -> None:
    gold = [("man", "have", "hat"), ("hat", "is", "red"), ("guy", "on", "hat"), ("man", "is", "tall")]
    words = {"man", "hat", "red", "with", "on"}
    said = oracle_triples(gold, words)
    assert said == [("man", "", ""), ("hat", "", ""), ("hat", "is", "red")]
    assert oracle_triples(gold, words, {"have"})[:2] == [("man", "have", "hat"), ("hat", "is", "red")]
    assert oracle_triples([("sky", "", ""), ("sea", "", "")], {"sky"}) == [("sky", "", "")]


@pytest.mark.skipif("MOV_AI_DATA" not in os.environ, reason="MOV_AI_DATA does not name a folder with FACTUAL")
def test_factuals_labels() -> None:
    assert len(predicate_labels(read_factual("random", "train"))) == 410
