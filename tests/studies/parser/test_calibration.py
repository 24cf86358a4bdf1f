"""Calibration error against values worked out by hand; which nodes and edges count as right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mov_ai.graph import SceneGraph
from mov_ai.parser.confidence import Judged, judge
from studies.parser.calibration import BINS, expected_calibration_error, reliability


def test_error_is_the_weighted_gap_of_the_bins() -> None:
    judged = Judged((0.95, 0.95, 0.95, 0.15), (True, True, False, False))
    table = [row for row in reliability(judged, bins=10) if row.n]
    assert [(row.n, row.accuracy) for row in table] == [(1, 0.0), (3, pytest.approx(2 / 3))]
    assert expected_calibration_error(judged, bins=10) == pytest.approx((0.15 + 3 * (0.95 - 2 / 3)) / 4)


def test_the_ends_of_the_range_belong_to_the_outer_bins() -> None:
    table = reliability(Judged((0.0, 1.0), (True, True)))
    assert (len(table), table[0].n, table[-1].n) == (BINS, 1, 1)
    assert expected_calibration_error(Judged((0.0, 1.0), (True, True))) == pytest.approx(0.5)


def test_confidences_that_are_true_have_no_error() -> None:
    rng = np.random.default_rng(0)
    confidences = rng.random(200_000)
    right = rng.random(200_000) < confidences
    assert expected_calibration_error(Judged(tuple(confidences.tolist()), tuple(right.tolist()))) < 0.01


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=50))
def test_error_has_its_range(pairs: list[tuple[float, bool]]) -> None:
    judged = Judged(tuple(c for c, _ in pairs), tuple(r for _, r in pairs))
    assert 0 <= expected_calibration_error(judged) <= 1
    assert sum(row.n for row in reliability(judged)) == len(pairs)


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="as many"):
        reliability(Judged((0.5,), ()))
    with pytest.raises(ValueError, match="0 to 1"):
        reliability(Judged((1.5,), (True,)))


def test_nodes_are_judged_by_their_names_and_edges_by_the_triples_that_need_them() -> None:
    graph = SceneGraph.from_dict(
        {
            "version": 1,
            "nodes": [
                {"id": "m", "type": "entity", "label": "man", "confidence": 0.9},
                {"id": "c", "type": "entity", "label": "cup", "confidence": 0.8},
                {"id": "o", "type": "attribute", "label": "old", "confidence": 0.7},
                {"id": "h", "type": "event", "label": "hold", "confidence": 0.6},
                {"id": "t", "type": "entity", "label": "table", "confidence": 0.5},
            ],
            "edges": [
                {"source": "m", "target": "o", "type": "has_attribute", "confidence": 0.4},
                {"source": "h", "target": "m", "type": "agent", "confidence": 0.3},
                {"source": "h", "target": "c", "type": "patient", "confidence": 0.2},
                {"source": "c", "target": "t", "type": "spatial", "label": "on", "confidence": 0.1},
            ],
        }
    )
    gold = [("man", "hold", "cup"), ("cup", "is", "old"), ("cup", "near", "man")]
    nodes, edges = judge([graph], [gold])
    assert dict(zip(nodes.confidences, nodes.right, strict=True)) == {
        0.9: True,
        0.8: True,
        0.7: True,
        0.6: True,
        0.5: False,
    }
    # "old" is a value of gold, but not the man's.
    assert dict(zip(edges.confidences, edges.right, strict=True)) == {0.4: False, 0.3: True, 0.2: True, 0.1: False}
