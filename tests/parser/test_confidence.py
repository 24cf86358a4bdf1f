import numpy as np
import pytest

from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.parser.confidence import Calibration, fit_scaling


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
