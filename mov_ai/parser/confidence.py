"""Confidences that mean what they say: of nodes given 0.8, eight in ten are right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mov_ai.graph import SceneGraph

_LIMIT = 1e-4


@dataclass(frozen=True)
class Calibration:
    """Platt scaling (Platt 1999) of nodes and of edges: confidence = sigmoid(slope * logit(probability) + offset).

    Attributes:
        node, edge: (slope, offset); (1, 0) changes nothing.
    """

    node: tuple[float, float] = (1.0, 0.0)
    edge: tuple[float, float] = (1.0, 0.0)

    def apply(self, graph: SceneGraph) -> SceneGraph:
        """The graph with calibrated confidences; the scene and `contains` edges are certain and stay so."""
        nodes = [
            n if n.type == "scene" else replace(n, confidence=_scaled(n.confidence, self.node)) for n in graph.nodes
        ]
        edges = [
            e if e.type == "contains" else replace(e, confidence=_scaled(e.confidence, self.edge)) for e in graph.edges
        ]
        return replace(graph, nodes=nodes, edges=edges)


def fit_scaling(confidences: Sequence[float], right: Sequence[bool]) -> tuple[float, float]:
    """Slope and offset that make confidences likeliest, given which predictions are right.

    Logistic regression on the logit, with Platt's smoothed targets against certainty.

    Returns:
        (slope, offset); (1, 0) if there are fewer than ten predictions, or none right or wrong.
    """
    hits = np.asarray(right, dtype=float)
    if len(hits) < 10 or hits.min() == hits.max():
        return 1.0, 0.0
    # Imported here: only training fits, and scipy costs start-up time.
    from scipy.optimize import minimize

    positive = hits.sum()
    target = np.where(hits > 0, (positive + 1) / (positive + 2), 1 / (len(hits) - positive + 2))
    x = np.stack([_logit(np.asarray(confidences, dtype=float)), np.ones(len(hits))], axis=1)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        z = x @ weights
        p = 0.5 * (1 + np.tanh(z / 2))
        return float((np.logaddexp(0, z) - target * z).mean()), x.T @ (p - target) / len(x)

    slope, offset = minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS").x
    return float(slope), float(offset)


def _logit(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, _LIMIT, 1 - _LIMIT)
    return np.log(p / (1 - p))


def _scaled(confidence: float, scaling: tuple[float, float]) -> float:
    if scaling == (1.0, 0.0):
        return confidence
    slope, offset = scaling
    return round(1 / (1 + math.exp(-(slope * float(_logit(np.array(confidence))) + offset))), 4)
