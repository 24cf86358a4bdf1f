"""The embedded spaCy pipeline: it loads offline, reads captions, and its card tells the truth."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mov_ai.errors import UsageError
from mov_ai.parser.spacy_pipeline import EMBEDDED_PIPELINE, UNUSED_COMPONENTS, load_spacy
from tools.builders import spacy_pipeline

spacy = pytest.importorskip("spacy")

FIGURES = EMBEDDED_PIPELINE / "figures.json"


@pytest.fixture(scope="module")
def nlp() -> Any:
    return load_spacy()


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    return json.loads(FIGURES.read_text(encoding="utf-8"))


def words(nlp: Any, caption: str) -> dict[str, Any]:
    """Tokens by text; only for captions whose words differ."""
    tokens = {token.text: token for token in nlp(caption)}
    assert len(tokens) == len(nlp(caption))
    return tokens


def test_embedded_pipeline_gives_what_the_parser_reads(nlp: Any) -> None:
    doc = nlp("a red ball rolls left")
    assert [token.text for token in doc] == ["a", "red", "ball", "rolls", "left"]
    assert all(doc.has_annotation(name) for name in ("TAG", "POS", "LEMMA", "DEP", "HEAD"))
    assert not set(UNUSED_COMPONENTS) & set(nlp.pipe_names)


def test_present_tense_caption(nlp: Any) -> None:
    caption = words(nlp, "a red ball rolls left, then turns blue")
    assert [caption[w].pos_ for w in ("a", "red", "ball", "rolls", "turns", "blue")] == [
        "DET",
        "ADJ",
        "NOUN",
        "VERB",
        "VERB",
        "ADJ",
    ]
    assert (caption["rolls"].lemma_, caption["turns"].lemma_) == ("roll", "turn")
    assert caption["rolls"].dep_ == "ROOT"
    assert (caption["ball"].head.text, caption["ball"].dep_) == ("rolls", "nsubj")
    assert caption["turns"].head.text == "rolls"
    assert (caption["blue"].head.text, caption["blue"].dep_) == ("turns", "xcomp")
    assert (caption["red"].head.text, caption["red"].dep_) == ("ball", "amod")


def test_noun_phrase_with_compound_preposition(nlp: Any) -> None:
    caption = words(nlp, "man in front of a tree")
    assert caption["man"].dep_ == "ROOT"
    assert caption["front"].head.text == "man"
    assert (caption["in"].head.text, caption["in"].dep_) == ("front", "case")
    assert (caption["tree"].head.text, caption["tree"].dep_) == ("front", "nmod")


def test_participle_and_plural(nlp: Any) -> None:
    caption = words(nlp, "two children are playing with a yellow kite")
    assert caption["children"].lemma_ == "child"
    assert caption["playing"].lemma_ == "play"
    assert (caption["are"].pos_, caption["are"].dep_) == ("AUX", "aux")
    assert (caption["two"].pos_, caption["two"].head.text) == ("NUM", "children")
    assert (caption["kite"].head.text, caption["kite"].dep_) == ("playing", "obl")


def test_transitive_participle_after_noun(nlp: Any) -> None:
    caption = words(nlp, "girl riding a horse")
    assert (caption["riding"].dep_, caption["riding"].head.text) == ("acl", "girl")
    assert (caption["horse"].dep_, caption["horse"].head.text) == ("obj", "riding")


def test_capitals_and_final_stop_do_not_change_the_tree(nlp: Any) -> None:
    lower = nlp("a small dog jumps over the fence")
    upper = nlp("A small dog jumps over the fence.")
    assert [token.head.i for token in lower] == [token.head.i for token in upper][:-1]
    assert [token.lemma_ for token in lower] == [token.lemma_.lower() for token in upper][:-1]


def test_two_sentences_are_two_trees(nlp: Any) -> None:
    assert len(list(nlp("A red ball rolls left. Then it turns blue.").sents)) == 2


def test_loads_and_parses_fast() -> None:
    # Limits ten times the figures of the card, so that a busy machine does not fail the test.
    start = time.perf_counter()
    nlp = load_spacy()
    assert time.perf_counter() - start < 5.0
    nlp("warm up")
    start = time.perf_counter()
    for caption in spacy_pipeline.SAMPLE_CAPTIONS:
        nlp(caption)
    assert (time.perf_counter() - start) / len(spacy_pipeline.SAMPLE_CAPTIONS) < 0.1


def test_pipeline_is_small_and_names_no_machine() -> None:
    assert spacy_pipeline.size_mb(EMBEDDED_PIPELINE) <= 15.0
    config = (EMBEDDED_PIPELINE / "config.cfg").read_text(encoding="utf-8")
    assert "train = null" in config
    assert "/tmp" not in config


def test_card_figures_reach_the_targets(figures: dict[str, Any]) -> None:
    gold = figures["test"]["gold"]
    assert gold["upos"] >= 93.0
    assert gold["las"] >= 80.0
    card = (EMBEDDED_PIPELINE / "README.md").read_text(encoding="utf-8")
    assert f"| UPOS | {gold['upos']:.2f} | {figures['test']['spacy']['upos']:.2f} |" in card
    assert f"| LAS | {gold['las']:.2f} | {figures['test']['spacy']['las']:.2f} |" in card
    assert "CC BY-SA 4.0" in card


def test_unknown_pipeline_says_how_to_install_it() -> None:
    with pytest.raises(UsageError, match="python -m spacy download en_no_such_pipeline") as caught:
        load_spacy("en_no_such_pipeline")
    assert caught.value.exit_code == 2


def test_folder_that_is_no_pipeline_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="was not found"):
        load_spacy(tmp_path)


def test_pipeline_without_parser_is_a_usage_error(tmp_path: Path) -> None:
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(UsageError, match="has no dependency parser"):
        load_spacy(tmp_path / "blank")


def test_missing_embedded_pipeline_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mov_ai.parser.spacy_pipeline.EMBEDDED_PIPELINE", tmp_path / "gone")
    with pytest.raises(UsageError, match=r"recipes/spacy_pipeline\.sh"):
        load_spacy()


def test_missing_spacy_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without_spacy(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "spacy":
            raise ImportError("No module named 'spacy'")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_spacy)
    with pytest.raises(UsageError, match="pip install"):
        load_spacy()


def test_spacy_is_imported_without_its_command_line_which_can_still_be_imported() -> None:
    code = (
        "import sys; from mov_ai.parser.spacy_pipeline import load_spacy; load_spacy(); "
        "assert 'spacy.cli' not in sys.modules; from spacy.cli import download; assert download.__module__"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
