"""Does a confidence of 0.8 mean right in 8 of 10? Expected calibration error, reliability table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mov_ai.graph import SceneGraph
from mov_ai.graph.convert import Triple, said_name, to_triples

BINS = 15


@dataclass(frozen=True)
class Bin:
    """One row of a reliability table: predictions whose confidence is in (low, high], the first bin with its 0.

    Attributes:
        n: how many; `confidence` and `accuracy` are their means in [0, 1], None if there are none.
    """

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Judged:
    """Predictions that were compared with gold: confidences in [0, 1], and whether each is right; in the same order."""

    confidences: tuple[float, ...]
    right: tuple[bool, ...]


def reliability(judged: Judged, bins: int = BINS) -> list[Bin]:
    """The reliability table, with bins of equal width.

    Raises:
        ValueError: if the numbers of confidences and verdicts differ, or a confidence is not within [0, 1].
    """
    confidences, right = np.asarray(judged.confidences, dtype=float), np.asarray(judged.right, dtype=float)
    if confidences.shape != right.shape:
        raise ValueError(f"expected as many verdicts as confidences; found {right.size} and {confidences.size}")
    if not ((confidences >= 0) & (confidences <= 1)).all():
        raise ValueError("expected confidences from 0 to 1")
    edges = np.linspace(0, 1, bins + 1)
    places = np.clip(np.digitize(confidences, edges, right=True) - 1, 0, bins - 1)
    rows = []
    for place, (low, high) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        inside = places == place
        n = int(inside.sum())
        means = (float(confidences[inside].mean()), float(right[inside].mean())) if n else (None, None)
        rows.append(Bin(low, high, n, *means))
    return rows


def expected_calibration_error(judged: Judged, bins: int = BINS) -> float:
    """Mean over all predictions of |accuracy - confidence| of their bin, in [0, 1]; 0 if there are none.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 3, with bins of equal width.
    """
    table = reliability(judged, bins)
    total = sum(row.n for row in table)
    gaps = (
        row.n * abs(row.accuracy - row.confidence)
        for row in table
        if row.accuracy is not None and row.confidence is not None
    )
    return sum(gaps) / total if total else 0.0


def judge(graphs: Sequence[SceneGraph], gold: Sequence[Sequence[Triple]]) -> tuple[Judged, Judged]:
    """Confidences of the graphs' nodes and edges, and whether FACTUAL's triples say that each is right.

    An entity is right if a gold triple has its name as an object, an attribute if one has its label as a value. An
    event is right if one of the triples that it takes part in has a predicate or value that the gold graph has too. An
    edge is right if all triples that would go without it are in the gold graph. What no triple depends on (the scene,
    `contains`, time, mentions by pronoun) is not judged.

    Returns:
        Nodes, edges.
    """
    nodes: list[tuple[float, bool]] = []
    edges: list[tuple[float, bool]] = []
    for graph, triples in zip(graphs, gold, strict=True):
        wanted = set(triples)
        objects = {head for head, _, _ in wanted} | {tail for _, predicate, tail in wanted if predicate != "is"}
        values = {tail for _, predicate, tail in wanted if predicate == "is"}
        predicates = {predicate for _, predicate, _ in wanted} - {"is"}
        said = set(to_triples(graph))
        mentions = {edge.source for edge in graph.edges if edge.type == "coref"}
        for node in graph.nodes:
            if node.negated or node.id in mentions:
                continue
            if node.type == "entity":
                nodes.append((node.confidence, said_name(graph.caption, node) in objects))
            elif node.type == "attribute":
                nodes.append((node.confidence, node.label in values))
            elif node.type == "event":
                without = replace(graph, edges=[e for e in graph.edges if node.id not in (e.source, e.target)])
                own = said - set(to_triples(without))
                if own:
                    found = any(
                        tail in values if predicate == "is" else predicate in predicates for _, predicate, tail in own
                    )
                    nodes.append((node.confidence, found))
        for position, edge in enumerate(graph.edges):
            if edge.type in ("contains", "temporal", "coref"):
                continue
            without = replace(graph, edges=graph.edges[:position] + graph.edges[position + 1 :])
            own = said - set(to_triples(without))
            if own:
                edges.append((edge.confidence, own <= wanted))
    return _judged(nodes), _judged(edges)


def _judged(verdicts: Sequence[tuple[float, bool]]) -> Judged:
    return Judged(tuple(confidence for confidence, _ in verdicts), tuple(right for _, right in verdicts))
