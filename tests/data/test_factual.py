"""FACTUAL's captions and graphs: the text form and its reading."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mov_ai.data.factual import parse_segments, parse_triples, read_factual
from mov_ai.errors import UsageError
from mov_ai.graph.convert import triples_to_text

HEADER = "image_id,region_id,caption,scene_graph\n"
WORD = st.text("abcdefgh'-. 0123456789", min_size=1).map(lambda text: " ".join(text.split())).filter(bool)
TRIPLE = st.one_of(st.tuples(WORD, WORD, WORD), WORD.map(lambda word: (word, "", "")))


@pytest.mark.parametrize(
    "text",
    [
        "( man , surf in , water ) , ( man , is , old ) , ( sky )",
        "(man,surf in,water),(man,is,old),(sky)",
        "  ( man ,surf   in , water ) ,\n( man , is , old ) ,(  sky )  ",
    ],
)
def test_spaces_do_not_matter(text: str) -> None:
    assert parse_triples(text) == [("man", "surf in", "water"), ("man", "is", "old"), ("sky", "", "")]


def test_parts_of_other_lengths() -> None:
    assert parse_triples("( man , old )") == [("man", "is", "old")]
    assert parse_triples("( man , walk , along , the , beach )") == [("man", "walk along the", "beach")]
    assert parse_triples("") == []


def test_segments_keep_order_and_repetition() -> None:
    assert parse_segments("(b , is,c) , (a),(b , is,c)") == ["b , is , c", "a", "b , is , c"]


@given(st.lists(TRIPLE, max_size=6))
def test_triples_come_back_from_their_text(triples: list[tuple[str, str, str]]) -> None:
    assert parse_triples(triples_to_text(triples)) == triples


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert all(len(triple) == 3 for triple in parse_triples(text))


def write(folder: Path, content: bytes) -> None:
    path = folder / "factual" / "random" / "dev.csv"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)


def test_a_part_is_read_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOV_AI_DATA", str(tmp_path))
    write(tmp_path, (HEADER + '1,2,a dog on a mat ,"( dog , on , mat )"\n1,3,sky,( sky )\n').encode())
    first, second = read_factual("random", "dev")
    assert (first.caption, first.graph, first.triples) == (
        "a dog on a mat",
        "( dog , on , mat )",
        (("dog", "on", "mat"),),
    )
    assert second.triples == (("sky", "", ""),)


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", (HEADER + "1,2,only a caption\n").encode(), b"\xff\xfe\x00"])
def test_a_file_that_is_not_factuals_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setenv("MOV_AI_DATA", str(tmp_path))
    write(tmp_path, content)
    with pytest.raises(UsageError, match=r"dev\.csv"):
        read_factual("random", "dev")


def test_unknown_splits_and_parts_are_named() -> None:
    with pytest.raises(UsageError, match="random, length"):
        read_factual("topic", "test")
    with pytest.raises(UsageError, match="train, dev, test"):
        read_factual("random", "validation")


@pytest.mark.skipif("MOV_AI_DATA" not in os.environ, reason="MOV_AI_DATA does not name a folder with FACTUAL")
def test_the_dataset_is_the_published_one() -> None:
    captions = read_factual("random", "test")
    assert len(captions) == 1508
    assert all(caption.caption and caption.triples for caption in captions)
    assert {triple[1] for caption in captions for triple in caption.triples} > {"", "is", "on"}
    for caption in captions:
        assert triples_to_text(list(caption.triples)) == caption.graph
