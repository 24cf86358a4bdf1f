import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mov_ai.errors import UsageError
from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.parser.confidence import Calibration, check_threshold, confident_part, fit_scaling


def test_overconfident_predictions_are_scaled_down():
    rng = np.random.default_rng(0)
    true = rng.uniform(0.5, 0.95, 4000)
    right = rng.random(4000) < true
    logit = np.log(true / (1 - true))
    said = 1 / (1 + np.exp(-(2.0 * logit + 0.5)))
    slope, offset = fit_scaling(said.tolist(), right.tolist())
    assert slope == pytest.approx(0.5, abs=0.08)
    assert offset == pytest.approx(-0.25, abs=0.12)


@pytest.mark.parametrize("right", [[True] * 20, [False] * 20, [True, False]])
def test_nothing_is_fitted_where_nothing_can_be(right):
    assert fit_scaling([0.9] * len(right), right) == (1.0, 0.0)


def test_scene_and_contents_stay_certain_and_all_else_is_scaled():
    nodes = [Node("n0", "scene", "scene"), Node("n1", "entity", "ball", confidence=0.9), Node("n2", "event", "roll")]
    edges = [Edge("n0", "n1", "contains"), Edge("n2", "n1", "agent", confidence=0.5)]
    graph = Calibration(node=(1.0, -1.0), edge=(1.0, 1.0)).apply(SceneGraph("", nodes, edges))
    assert graph.nodes[0].confidence == graph.edges[0].confidence == 1
    assert graph.nodes[1].confidence < 0.9
    assert 0.99 < graph.nodes[2].confidence < 1
    assert graph.edges[1].confidence == pytest.approx(0.7311, abs=1e-4)


def test_the_default_changes_nothing():
    graph = SceneGraph("", [Node("n0", "scene", "scene"), Node("n1", "entity", "ball", confidence=0.3)], [])
    assert Calibration().apply(graph) == graph


def _doubtful() -> SceneGraph:
    nodes = [
        Node("s", "scene", "scene"),
        Node("e", "event", "roll", confidence=0.9),
        Node("a", "entity", "ball", confidence=0.4),
        Node("b", "entity", "floor", confidence=0.8),
        Node("c", "attribute", "red", confidence=0.95),
        Node("d", "attribute", "wet", confidence=0.9),
    ]
    edges = [
        *(Edge("s", target, "contains") for target in "eab"),
        Edge("e", "a", "agent", confidence=0.9),
        Edge("e", "b", "location", "on", confidence=0.6),
        Edge("a", "c", "has_attribute", confidence=0.9),
        Edge("b", "d", "has_attribute", confidence=0.3),
    ]
    return SceneGraph("", nodes, edges)


@pytest.mark.parametrize(
    ("threshold", "nodes", "edges"),
    [
        (0, "seabcd", 7),
        (0.35, "seabc", 6),  # nobody has "wet"
        (0.5, "seb", 3),  # the ball goes, with its red; it rolls all the same
        (0.7, "seb", 2),
        (0.85, "se", 1),
        (1, "s", 0),
    ],
)
def test_below_a_threshold_nothing_is_left_and_the_graph_stays_valid(threshold, nodes, edges):
    graph = _doubtful()
    left, kept = confident_part(graph, threshold)
    left.validate()
    assert "".join(node.id for node in left.nodes) == nodes
    assert (len(left.edges), len(kept)) == (edges, edges)
    assert [graph.edges[number] for number in kept] == left.edges


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_leaves_no_more(low, high):
    few, many = (confident_part(_doubtful(), t)[0] for t in (max(low, high), min(low, high)))
    assert {n.id for n in few.nodes} <= {n.id for n in many.nodes}
    assert confident_part(few, max(low, high))[0] == few


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan"), True, "0.5", None])
def test_what_is_no_confidence_is_refused(threshold):
    with pytest.raises(UsageError, match="threshold: expected a confidence from 0 to 1"):
        check_threshold(threshold)
