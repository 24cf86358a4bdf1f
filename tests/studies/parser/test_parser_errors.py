"""The first guess at what is wrong with a graph, and the table for a person."""

from __future__ import annotations

import csv
import io

import pytest

from mov_ai.data.factual import FactualCaption, parse_triples
from studies.parser.parser_errors import (
    KINDS,
    count_kinds,
    error_kinds,
    errors_csv,
    errors_markdown,
    find_errors,
    sample_errors,
)


@pytest.mark.parametrize(
    ("predicted", "gold", "kinds"),
    [
        ("( dog , on , mat )", "( dog , on , mat )", ()),
        ("( dog , on , mat ) , ( dog , on , mat )", "( dog , on , mat )", ()),
        ("( dogs )", "( dogs , is , 2 )", ("count",)),
        ("( dogs , is , many )", "( dogs )", ("count",)),
        ("( dog , on , mat )", "( dogs , on , mat )", ("wording of a node",)),
        ("( dog , is , roll )", "( dog , is , rolling )", ("wording of a node",)),
        ("( phone )", "( cell phone )", ("wording of a node",)),
        ("( dog , near , mat )", "( dogs , on , mat )", ("wording of a node", "predicate wording")),
        ("( dog )", "( dog , on , mat )", ("missed object",)),
        ("( dog , on , mat )", "( dog )", ("extra object",)),
        ("( dog , on , mat )", "( dog , lie on , mat )", ("predicate wording",)),
        ("( mat , is , red ) , ( dog , on , mat )", "( dog , is , red ) , ( dog , on , mat )", ("wrong attachment",)),
        (
            "( dog , on , mat ) , ( cat , near , dog )",
            "( cat , on , mat ) , ( cat , near , dog )",
            ("wrong attachment",),
        ),
        ("( dog )", "( dog , is , red )", ("missed attribute",)),
        ("( dog , is , red )", "( dog )", ("extra attribute",)),
        ("( dog ) , ( mat )", "( dog , on , mat )", ("missed relation",)),
        ("( dog , on , mat )", "( dog ) , ( mat )", ("extra relation",)),
        ("( dog ) , ( dog , is , red )", "( dog , is , red )", ("other",)),
    ],
)
def test_kinds(predicted: str, gold: str, kinds: tuple[str, ...]) -> None:
    assert error_kinds(parse_triples(predicted), parse_triples(gold)) == kinds


def captions(number: int) -> list[FactualCaption]:
    return [FactualCaption(f"caption {i}", "( dog )", (("dog", "", ""),)) for i in range(number)]


def test_errors_are_counted_and_drawn_by_seed() -> None:
    found = find_errors(captions(20), [[("cat", "", "")], [("dog", "", "")]] * 10)
    assert len(found) == 10
    assert count_kinds(found) == {
        **dict.fromkeys(KINDS, 0),
        "missed object": 10,
        "extra object": 10,
    }
    drawn = sample_errors(found, 4, seed=1)
    assert len(drawn) == 4
    assert drawn == sample_errors(found, 4, seed=1)
    assert drawn != sample_errors(found, 4, seed=2)
    assert sample_errors(found, 99, seed=1) == found


def test_tables_show_what_differs_and_leave_room_for_the_person() -> None:
    found = find_errors(captions(1), [[("cat", "is", "red")]])
    (row,) = csv.DictReader(io.StringIO(errors_csv(found)))
    assert row["checked"] == ""
    assert (row["caption"], row["predicted"], row["gold"]) == ("caption 0", "( cat , is , red )", "( dog )")
    text = errors_markdown(found)
    assert "caption 0" in text
    assert "missing: `( dog )`" in text
    assert "extra: `( cat , is , red )`" in text
