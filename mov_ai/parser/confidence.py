"""Confidences that mean what they say: of nodes given 0.8, eight in ten are right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mov_ai.checked_config import Finite
from mov_ai.errors import UsageError
from mov_ai.graph import SceneGraph
from mov_ai.graph.convert import Triple, name_in_caption, to_triples

_LIMIT = 1e-4


@dataclass(frozen=True)
class Calibration:
    """Platt scaling (Platt 1999) of nodes and of edges: confidence = sigmoid(slope * logit(probability) + offset).

    Attributes:
        node, edge: (slope, offset); (1, 0) changes nothing.
    """

    node: tuple[Finite, Finite] = (1.0, 0.0)
    edge: tuple[Finite, Finite] = (1.0, 0.0)

    def apply(self, graph: SceneGraph) -> SceneGraph:
        """The graph with calibrated confidences; the scene and `contains` edges are certain and stay so."""
        nodes = [
            n if n.type == "scene" else replace(n, confidence=_scaled(n.confidence, self.node)) for n in graph.nodes
        ]
        edges = [
            e if e.type == "contains" else replace(e, confidence=_scaled(e.confidence, self.edge)) for e in graph.edges
        ]
        return replace(graph, nodes=nodes, edges=edges)


UNCHANGED = Calibration()


def check_threshold(threshold: float) -> None:
    """Raises UsageError for a confidence that is none."""
    is_number = isinstance(threshold, (int, float)) and not isinstance(threshold, bool)
    if not is_number or not 0 <= threshold <= 1:
        raise UsageError(f"threshold: expected a confidence from 0 to 1; found {threshold!r}")


def confident_part(graph: SceneGraph, threshold: float) -> tuple[SceneGraph, list[int]]:
    """A graph without what is less likely than a threshold, and the numbers of the edges that are left.

    An edge goes with either of its nodes, and an attribute with the last edge that says whose it is. An event without
    its agent stays. Raises UsageError if the threshold is not from 0 to 1.
    """
    check_threshold(threshold)
    nodes = {node.id: node for node in graph.nodes if node.confidence >= threshold or node.type == "scene"}
    kept = [
        number
        for number, edge in enumerate(graph.edges)
        if edge.confidence >= threshold and edge.source in nodes and edge.target in nodes
    ]
    owned = {graph.edges[number].target for number in kept if graph.edges[number].type == "has_attribute"}
    had_owner = {edge.target for edge in graph.edges if edge.type == "has_attribute"}
    left = [node for node in nodes.values() if node.id in owned or node.id not in had_owner]
    # An attribute has no other edges: those that are left are still all there.
    return replace(graph, nodes=left, edges=[graph.edges[number] for number in kept]), kept


@dataclass(frozen=True)
class Judged:
    """Predictions that were compared with gold: confidences in [0, 1], and whether each is right; in the same order."""

    confidences: tuple[float, ...]
    right: tuple[bool, ...]


def fit_scaling(confidences: Sequence[float], right: Sequence[bool]) -> tuple[float, float]:
    """Slope and offset that make confidences likeliest, given which predictions are right.

    Logistic regression on the logit, with Platt's smoothed targets against certainty; (1, 0) if there are fewer than
    ten predictions, or none right or wrong.
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


def judge(graphs: Sequence[SceneGraph], gold: Sequence[Sequence[Triple]]) -> tuple[Judged, Judged]:
    """Confidences of the graphs' nodes, then edges, and whether FACTUAL's triples say that each is right.

    An entity is right if a gold triple has its name as an object, an attribute if one has its label as a value. An
    event is right if one of the triples that it takes part in has a predicate or value that the gold graph has too. An
    edge is right if all triples that would go without it are in the gold graph. What no triple depends on (the scene,
    `contains`, time, mentions by pronoun) is not judged.
    """
    nodes: list[tuple[float, bool]] = []
    edges: list[tuple[float, bool]] = []
    for graph, triples in zip(graphs, gold, strict=True):
        wanted = set(triples)
        objects = {head for head, _, _ in wanted} | {tail for _, predicate, tail in wanted if predicate != "is"}
        values = {tail for _, predicate, tail in wanted if predicate == "is"}
        predicates = {predicate for _, predicate, _ in wanted} - {"is"}
        predicted = set(to_triples(graph))
        mentions = {edge.source for edge in graph.edges if edge.type == "coref"}
        for node in graph.nodes:
            if node.negated or node.id in mentions:
                continue
            if node.type == "entity":
                nodes.append((node.confidence, name_in_caption(graph.caption, node) in objects))
            elif node.type == "attribute":
                nodes.append((node.confidence, node.label in values))
            elif node.type == "event":
                without = replace(graph, edges=[e for e in graph.edges if node.id not in (e.source, e.target)])
                own = predicted - set(to_triples(without))
                if own:
                    is_right = any(
                        tail in values if predicate == "is" else predicate in predicates for _, predicate, tail in own
                    )
                    nodes.append((node.confidence, is_right))
        for position, edge in enumerate(graph.edges):
            if edge.type in ("contains", "temporal", "coref"):
                continue
            without = replace(graph, edges=graph.edges[:position] + graph.edges[position + 1 :])
            own = predicted - set(to_triples(without))
            if own:
                edges.append((edge.confidence, own <= wanted))
    return _judged(nodes), _judged(edges)


def _judged(verdicts: Sequence[tuple[float, bool]]) -> Judged:
    return Judged(tuple(confidence for confidence, _ in verdicts), tuple(right for _, right in verdicts))


def _logit(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, _LIMIT, 1 - _LIMIT)
    return np.log(p / (1 - p))


def _scaled(confidence: float, scaling: tuple[float, float]) -> float:
    if scaling == (1.0, 0.0):
        return confidence
    slope, offset = scaling
    return round(1 / (1 + math.exp(-(slope * float(_logit(np.array(confidence))) + offset))), 4)
