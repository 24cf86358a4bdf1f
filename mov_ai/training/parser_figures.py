"""Figures that training reports of the parser: its graphs and triples against gold ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mov_ai.captions.caption import HELD_OUT_PATTERNS
from mov_ai.graph import SceneGraph
from mov_ai.graph.convert import Triple
from mov_ai.worlds.tabletop.world import caption_and_layout


def node_keys(graph: SceneGraph) -> set[tuple]:
    """What must agree of each node: everything but id and confidence."""
    return {
        (n.type, n.label, n.span, n.negated, n.count, n.kind, n.direction, n.manner, n.interval, n.setting, n.light)
        for n in graph.nodes
    }


def edge_keys(graph: SceneGraph) -> set[tuple]:
    """What must agree of each edge: ends (by span), type, label, interval."""
    ends = {node.id: (node.type, node.span) for node in graph.nodes}
    return {(ends[e.source], ends[e.target], e.type, e.label, e.interval) for e in graph.edges}


def figures(predicted: Sequence[SceneGraph], gold: Sequence[SceneGraph]) -> dict[str, float]:
    """Agreement of graphs: F1 of nodes and edges, share of exact graphs, share of gold events with exact interval."""
    totals = {"node": np.zeros(3), "edge": np.zeros(3)}
    exact = intervals = events = 0
    for p, g in zip(predicted, gold, strict=True):
        for name, keys in (("node", node_keys), ("edge", edge_keys)):
            a, b = keys(p), keys(g)
            totals[name] += (len(a & b), len(a), len(b))
        exact += node_keys(p) == node_keys(g) and edge_keys(p) == edge_keys(g)
        interval_at = {n.span: n.interval for n in p.of_type("event")}
        intervals += sum(interval_at.get(n.span) == n.interval for n in g.of_type("event"))
        events += len(g.of_type("event"))
    result = {f"{name}_f1": float(2 * t[0] / max(t[1] + t[2], 1)) for name, t in totals.items()}
    return {**result, "exact": exact / max(len(gold), 1), "intervals": intervals / max(events, 1)}


def triple_figures(predicted: Sequence[Sequence[Triple]], gold: Sequence[Sequence[Triple]]) -> dict[str, float]:
    """Agreement of triples: share of captions with equal sets (FACTUAL's Set Match), F1 over all triples."""
    pairs = [(set(p), set(g)) for p, g in zip(predicted, gold, strict=True)]
    both, either = sum(len(p & g) for p, g in pairs), sum(len(p) + len(g) for p, g in pairs)
    exact = sum(p == g for p, g in pairs)
    return {"set_match": exact / max(len(pairs), 1), "triple_f1": 2 * both / max(either, 1)}


def held_out(count: int) -> dict[str, list[tuple[str, SceneGraph]]]:
    """Texts with gold graphs: `count` captions of real scenes of each split of the world that is not trained on.

    "pattern" holds the test captions that use `HELD_OUT_PATTERNS`, "test" all of them.
    """
    examples: dict[str, list[tuple[str, SceneGraph]]] = {"pattern": []}
    for split in ("validation", "test"):
        captions = [caption_and_layout(seed, split)[1] for seed in range(count)]
        examples[split] = [(caption.text, caption.graph) for caption in captions]
        examples["pattern"] += [(c.text, c.graph) for c in captions if c.pattern in HELD_OUT_PATTERNS]
    return examples
