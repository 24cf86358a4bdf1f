"""The spaCy pipeline's builder: treebank sentences are read, varied, written and measured."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mov_ai.errors import UsageError
from mov_ai.parser.spacy_pipeline import EMBEDDED_PIPELINE, load_spacy
from tools.builders import spacy_pipeline
from tools.builders.written_captions import written_captions

spacy = pytest.importorskip("spacy")


@pytest.fixture(scope="module")
def nlp() -> Any:
    return load_spacy()


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    return json.loads((EMBEDDED_PIPELINE / "figures.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("tokenization", ["gold", "spacy"])
def test_figures_can_be_measured_again(nlp: Any, figures: dict[str, Any], tokenization: str) -> None:
    data = os.environ.get("MOV_AI_DATA")
    if not data or not (Path(data) / "ud_english_ewt" / "test.conllu").is_file():
        pytest.skip("MOV_AI_DATA does not hold ud_english_ewt/test.conllu")
    count = spacy_pipeline.HEAD_SENTENCES
    sentences = spacy_pipeline.read_conllu(Path(data) / "ud_english_ewt" / "test.conllu")[:count]
    measured = spacy_pipeline.evaluate(nlp, sentences, tokenization=tokenization)
    for name in ("upos", "las"):
        assert measured[name] == pytest.approx(figures[f"test_first_{count}"][tokenization][name], abs=1.5)


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
    (doc,) = spacy_pipeline.read_conllu(path)
    assert doc.text.strip() == "The dogs didn't jump."
    assert [token.text for token in doc] == ["The", "dogs", "did", "n't", "jump", "."]
    assert doc[4].dep_ == "ROOT"
    variant = spacy_pipeline.caption_variant(doc)
    assert [token.text for token in variant] == ["the", "dogs", "did", "n't", "jump"]
    assert [token.head.i for token in variant] == [1, 4, 4, 4, 4]


def test_evaluation_counts_words_cut_differently(nlp: Any, tmp_path: Path) -> None:
    path = tmp_path / "one.conllu"
    path.write_text(CONLLU.replace("3-4\tdidn't", "3-4\tdidnt").replace("n't", "nt"), encoding="utf-8")
    sentences = spacy_pipeline.read_conllu(path)
    assert spacy_pipeline.evaluate(nlp, sentences, tokenization="gold")["tokens"] == 100.0
    assert spacy_pipeline.evaluate(nlp, sentences, tokenization="spacy")["tokens"] <= 100.0
    with pytest.raises(ValueError, match="expected 'gold' or 'spacy'"):
        spacy_pipeline.evaluate(nlp, sentences, tokenization="words")


def test_written_captions_are_trees_and_repeat_with_the_seed(tmp_path: Path) -> None:
    path = tmp_path / "one.conllu"
    # Four times the same sentence: a noun needs that frequency to be used.
    path.write_text(CONLLU.replace("dogs\tdog\tNOUN\tNNS", "pond\tpond\tNOUN\tNN") * 4, encoding="utf-8")
    sentences = spacy_pipeline.read_conllu(path)
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
        for split in spacy_pipeline.SPLITS:
            (folder / f"{split}.conllu").write_text("", encoding="utf-8")
    monkeypatch.setenv("MOV_AI_DATA", str(tmp_path / "data"))
    assert spacy_pipeline.locate_treebank(second) == second
    assert spacy_pipeline.locate_treebank() == first
    with pytest.raises(UsageError, match="lacks one of"):
        spacy_pipeline.locate_treebank(tmp_path)
