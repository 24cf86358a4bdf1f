"""The embedded spaCy pipeline: it loads offline, reads captions, and its card tells the truth."""

from __future__ import annotations

import builtins
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from mov_ai.captions.treebank import written_captions
from mov_ai.errors import UsageError
from mov_ai.parser.spacy_pipeline import EMBEDDED_PIPELINE, UNUSED_COMPONENTS, load_spacy
from mov_ai.training import spacy_ewt

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
    for caption in spacy_ewt.SAMPLE_CAPTIONS:
        nlp(caption)
    assert (time.perf_counter() - start) / len(spacy_ewt.SAMPLE_CAPTIONS) < 0.1


def test_pipeline_is_small_and_names_no_machine() -> None:
    assert spacy_ewt.size_mb(EMBEDDED_PIPELINE) <= 15.0
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


@pytest.mark.parametrize("tokenization", ["gold", "spacy"])
def test_figures_can_be_measured_again(nlp: Any, figures: dict[str, Any], tokenization: str) -> None:
    data = os.environ.get("MOV_AI_DATA")
    if not data or not (Path(data) / "ud_english_ewt" / "test.conllu").is_file():
        pytest.skip("MOV_AI_DATA does not hold ud_english_ewt/test.conllu")
    count = spacy_ewt.HEAD_SENTENCES
    sentences = spacy_ewt.read_conllu(Path(data) / "ud_english_ewt" / "test.conllu")[:count]
    measured = spacy_ewt.evaluate(nlp, sentences, tokenization=tokenization)
    for name in ("upos", "las"):
        assert measured[name] == pytest.approx(figures[f"test_first_{count}"][tokenization][name], abs=1.5)


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
    with pytest.raises(UsageError, match="mov-ai build spacy-pipeline"):
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


CONLLU = """\
# text = The dogs didn't jump.
1\tThe\tthe\tDET\tDT\tDefinite=Def|PronType=Art\t2\tdet\t_\t_
2\tdogs\tdog\tNOUN\tNNS\tNumber=Plur\t5\tnsubj\t_\t_
3-4\tdidn't\t_\t_\t_\t_\t_\t_\t_\t_
3\tdid\tdo\tAUX\tVBD\tTense=Past\t5\taux\t_\t_
4\tn't\tnot\tPART\tRB\tPolarity=Neg\t5\tadvmod\t_\t_
5\tjump\tjump\tVERB\tVB\tVerbForm=Inf\t0\troot\t_\tSpaceAfter=No
5.1\tjump\tjump\tVERB\tVB\t_\t_\t_\t5:conj\t_
6\t.\t.\tPUNCT\t.\t_\t5\tpunct\t_\t_

"""


def test_multiword_tokens_and_empty_nodes(tmp_path: Path) -> None:
    path = tmp_path / "one.conllu"
    path.write_text(CONLLU, encoding="utf-8")
    (doc,) = spacy_ewt.read_conllu(path)
    assert doc.text.strip() == "The dogs didn't jump."
    assert [token.text for token in doc] == ["The", "dogs", "did", "n't", "jump", "."]
    assert doc[4].dep_ == "ROOT"
    variant = spacy_ewt.caption_variant(doc)
    assert [token.text for token in variant] == ["the", "dogs", "did", "n't", "jump"]
    assert [token.head.i for token in variant] == [1, 4, 4, 4, 4]


def test_evaluation_counts_words_cut_differently(nlp: Any, tmp_path: Path) -> None:
    path = tmp_path / "one.conllu"
    path.write_text(CONLLU.replace("3-4\tdidn't", "3-4\tdidnt").replace("n't", "nt"), encoding="utf-8")
    sentences = spacy_ewt.read_conllu(path)
    assert spacy_ewt.evaluate(nlp, sentences, tokenization="gold")["tokens"] == 100.0
    assert spacy_ewt.evaluate(nlp, sentences, tokenization="spacy")["tokens"] <= 100.0
    with pytest.raises(ValueError, match="expected 'gold' or 'spacy'"):
        spacy_ewt.evaluate(nlp, sentences, tokenization="words")


def test_written_captions_are_trees_and_repeat_with_the_seed(tmp_path: Path) -> None:
    path = tmp_path / "one.conllu"
    # Four times the same sentence: a noun needs that frequency to be used.
    path.write_text(CONLLU.replace("dogs\tdog\tNOUN\tNNS", "pond\tpond\tNOUN\tNN") * 4, encoding="utf-8")
    sentences = spacy_ewt.read_conllu(path)
    captions = written_captions(sentences, 200, seed=3)
    assert [doc.text for doc in captions] == [doc.text for doc in written_captions(sentences, 200, seed=3)]
    assert [doc.text for doc in captions] != [doc.text for doc in written_captions(sentences, 200, seed=4)]
    tokenizer = spacy.blank("en").tokenizer
    for doc in captions:
        assert sum(token.head.i == token.i for token in doc) == 1
        assert [token.text for token in tokenizer(doc.text)] == [token.text for token in doc]
        # Projective: every subtree covers a contiguous stretch of words.
        assert all(len(list(t.subtree)) == t.right_edge.i - t.left_edge.i + 1 for t in doc)


def test_treebank_is_the_given_folder_or_the_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "data" / "ud_english_ewt", tmp_path / "other"
    for folder in (first, second):
        folder.mkdir(parents=True)
        for split in spacy_ewt.SPLITS:
            (folder / f"{split}.conllu").write_text("", encoding="utf-8")
    monkeypatch.setenv("MOV_AI_DATA", str(tmp_path / "data"))
    assert spacy_ewt.locate_treebank(second) == second
    assert spacy_ewt.locate_treebank() == first
    with pytest.raises(UsageError, match="lacks one of"):
        spacy_ewt.locate_treebank(tmp_path)
