"""Set Match and SPICE: the values of FACTUAL's own evaluator, and what must hold for any graphs.

`factual_evaluator_pairs.json` says how its values were made. Beyond it, 30,032 pairs were compared once (FACTUAL's gold
graphs of random/test and of 6,000 captions of random/train with disturbed copies, two hash seeds): no difference.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mov_ai.graph.convert import triples_to_text
from studies.parser.scene_graph_metrics import graph_tuples, lemmatized, set_match, spice
from studies.parser.wordnet import WordNet, load_wordnet

TABLE: dict[str, Any] = json.loads((Path(__file__).parent / "factual_evaluator_pairs.json").read_text(encoding="utf-8"))
EXCERPT = WordNet(TABLE["synsets"], {form: tuple(bases) for form, bases in TABLE["bases"].items()})
WORD = st.sampled_from(
    ["man", "men", "sofa", "couch", "road", "street", "way", "path", "is", "old", "hold", "big", "large"]
)
TRIPLES = st.lists(
    st.one_of(st.tuples(WORD, WORD, WORD), WORD.map(lambda word: (word, "", ""))), min_size=1, max_size=6
)


@pytest.mark.parametrize("pair", TABLE["pairs"], ids=lambda pair: f"{pair['candidate']} / {pair['reference']}")
def test_values_are_those_of_the_evaluator(pair: dict[str, Any]) -> None:
    assert set_match(pair["candidate"], pair["reference"]) == pair["set_match"]
    assert spice(pair["candidate"], pair["reference"], EXCERPT) == pair["spice"]


@pytest.mark.skipif("MOV_AI_DATA" not in os.environ, reason="MOV_AI_DATA does not name a folder with WordNet")
def test_the_whole_of_wordnet_gives_the_same_values() -> None:
    for pair in TABLE["pairs"]:
        assert spice(pair["candidate"], pair["reference"], load_wordnet()) == pair["spice"]


@given(TRIPLES)
def test_a_graph_matches_itself_in_any_order_with_repetitions(triples: list[tuple[str, str, str]]) -> None:
    graph = triples_to_text(triples)
    mixed = triples + triples[:2]
    random.Random(0).shuffle(mixed)
    other = triples_to_text(mixed)
    assert set_match(graph, other)
    assert spice(graph, other, EXCERPT) == 1
    assert graph_tuples(graph) == graph_tuples(other)


@given(TRIPLES, TRIPLES)
def test_scores_have_their_range_and_set_match_is_the_stricter(
    a: list[tuple[str, str, str]], b: list[tuple[str, str, str]]
) -> None:
    first, second = triples_to_text(a), triples_to_text(b)
    score = spice(first, second, EXCERPT)
    assert 0 <= score <= 1
    assert set_match(first, second) == set_match(second, first)
    if set_match(first, second):
        assert score == 1


def test_noun_lemmas_make_graphs_alike_that_differ_in_number() -> None:
    gold, found = "( dogs , is , running ) , ( sky )", "(dog,is,running),(sky)"
    assert not set_match(found, gold)
    assert set_match(lemmatized(found, EXCERPT), lemmatized(gold, EXCERPT))
    assert lemmatized(gold, EXCERPT) == "( dog , is , running ) , ( sky )"


def test_tuples_that_read_the_same_are_one() -> None:
    # The package keeps either, by its hash seed.
    assert graph_tuples("( tree , is , trunk ) , ( trunk tree )") == [("tree",), ("tree", "trunk"), ("trunk tree",)]
    assert graph_tuples("( tree trunk ) , ( tree , is , trunk )") == [("tree",), ("tree", "trunk")]
