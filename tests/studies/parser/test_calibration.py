"""Calibration error against values worked out by hand; which nodes and edges count as right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.parser.confidence import Judged, judge
from studies.parser.calibration import BINS, expected_calibration_error, judge_parts, reliability, report
from studies.parser.prompt_gold import gold_prompts


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


def test_every_part_of_the_gold_graphs_is_right() -> None:
    gold = gold_prompts("development")[:40]
    nodes, edges = judge_parts(gold, [prompt.graph for prompt in gold])
    assert len(nodes.right) > 80
    assert len(edges.right) > 40
    assert all(nodes.right)
    assert all(edges.right)


def test_what_is_added_to_a_gold_graph_is_wrong_and_what_it_leaves_open_is_not_judged() -> None:
    gold = next(prompt for prompt in gold_prompts("development") if prompt.text == "Garden, zoom in")
    garden = gold.graph.of_type("entity")[0]
    nodes = [*gold.graph.nodes, Node("x", "entity", "camera", confidence=0.3), Node("y", "attribute", "wet")]
    edges = [*gold.graph.edges, Edge(garden.id, "y", "has_attribute", confidence=0.4)]
    edges.append(Edge("x", garden.id, "spatial", "in", confidence=0.2))
    judged_nodes, judged_edges = judge_parts([gold], [SceneGraph(gold.text, nodes, edges)])
    assert dict(zip(judged_nodes.confidences, judged_nodes.right, strict=True))[0.3] is False
    assert sorted(zip(judged_edges.confidences, judged_edges.right, strict=True)) == [(0.2, False), (0.4, False)]


def test_an_event_with_another_agent_is_right_and_its_edge_is_not() -> None:
    gold = next(p for p in gold_prompts("development") if p.text == "Chef slices cucumber")
    edges = [
        replace(edge, source=edge.source, target=next(o.target for o in gold.graph.edges if o.type == "patient"))
        if edge.type == "agent"
        else edge
        for edge in gold.graph.edges
        if edge.type != "patient"
    ]
    nodes, judged_edges = judge_parts([gold], [SceneGraph(gold.text, gold.graph.nodes, edges)])
    assert all(nodes.right)
    assert judged_edges.right == (False,)


def test_the_report_has_both_errors_and_every_threshold() -> None:
    gold = gold_prompts("development")[:5]
    lines = report(gold, [prompt.graph for prompt in gold]).splitlines()
    assert lines[0].startswith("nodes: expected calibration error 0.0 %")
    assert any(line.startswith("edges: expected calibration error 0.0 %") for line in lines)
    assert lines[-1] == "threshold 0.9: facts precision 100.0 %, recall 100.0 %"
