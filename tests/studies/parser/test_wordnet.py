"""Synonym sets and base forms."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mov_ai.errors import UsageError
from studies.parser.wordnet import WordNet, load_wordnet


@pytest.fixture
def wordnet() -> WordNet:
    synsets = {"sofa": "1", "couch": "1 2", "traffic_light": "3", "spoon": "4", "left": "5", "leave": "6", "glass": "7"}
    return WordNet(synsets, {"left": ("leave",)})


def test_synsets_of_words_phrases_and_forms(wordnet: WordNet) -> None:
    assert wordnet.synsets("couch") == {"1", "2"}
    assert wordnet.synsets("Sofas") == {"1"}
    assert wordnet.synsets("couches") == {"1", "2"}
    assert wordnet.synsets("traffic  lights") == {"3"}
    assert wordnet.synsets("spoonful") == {"4"}
    assert wordnet.synsets("left") == {"5", "6"}
    assert wordnet.synsets("glass") == {"7"}
    assert wordnet.synsets("zorp") == set()


def test_base_forms_are_known_words(wordnet: WordNet) -> None:
    assert wordnet.base_forms("sofas") == {"sofa"}
    assert wordnet.base_forms("left") == {"leave"}
    assert wordnet.base_forms("zorps") == set()


def test_noun_lemmas(wordnet: WordNet) -> None:
    words = ("sofas", "couches", "left", "glasses", "zorps", "glass")
    assert [wordnet.noun_lemma(word) for word in words] == ["sofa", "couch", "left", "glass", "zorps", "glass"]
    assert WordNet({"foot": "1"}, {"feet": ("foot",)}).noun_lemma("feet") == "foot"


def test_files_are_read_in_pairs_of_lines(tmp_path: Path) -> None:
    synsets, exceptions = tmp_path / "synsets", tmp_path / "exceptions"
    synsets.write_text("man\n01 02\nwoman\n03\n")
    exceptions.write_text("man\nmen\n")
    assert WordNet.read(synsets, exceptions).synsets("men") == {"01", "02"}
    exceptions.write_text("man\nmen\nwoman\n")
    with pytest.raises(UsageError, match="in pairs"):
        WordNet.read(synsets, exceptions)
    with pytest.raises(UsageError, match="cannot be read"):
        WordNet.read(synsets, tmp_path / "none")


@pytest.mark.skipif("MOV_AI_DATA" not in os.environ, reason="MOV_AI_DATA does not name a folder with WordNet")
def test_the_whole_of_wordnet() -> None:
    wordnet = load_wordnet()
    assert wordnet.synsets("sofa") & wordnet.synsets("couch")
    assert wordnet.synsets("women") == wordnet.synsets("woman")
    assert "child" in wordnet.base_forms("children")
