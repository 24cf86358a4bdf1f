"""Words that `meanings.yaml` lacks, put as the likest word that it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np

from mov_ai.graph import Edge, SceneGraph
from mov_ai.worlds.stage.meanings import stage_meanings

#: How like the vector of a known word must be to stand in for another: a stranger's best is about 0.2 to 0.35.
_LIKE = {"event": 0.48, "relation": 0.6, "place": 0.45}


def in_known_words(graph: SceneGraph) -> tuple[SceneGraph, frozenset[str]]:
    """The graph with its verbs, relations and places in words of `meanings.yaml`, and the events whose verb none is
    like."""
    means, nodes, strange = stage_meanings(), [], set()
    types = {node.id: node.type for node in graph.nodes}
    for node in graph.nodes:
        if node.type == "event" and not node.negated and node.label not in means.verbs:
            word = _likest("event", node.label)
            if word is None:
                strange.add(node.id)
            node = replace(node, label=word or node.label)
        nodes.append(node)
    return SceneGraph(graph.caption, nodes, [_edge(edge, types) for edge in graph.edges]), frozenset(strange)


def _edge(edge: Edge, types: Mapping[str, str]) -> Edge:
    means = stage_meanings()
    if edge.label is None or edge.type not in ("location", "spatial", "relation"):
        return edge
    role = "place" if types.get(edge.target) == "scene" else "relation"
    if edge.label in (means.place_names if role == "place" else means.relations) or edge.label in means.comparisons:
        return edge
    word = _likest(role, edge.label)
    return edge if word is None else replace(edge, label=word)


@cache
def _table(role: str) -> tuple[list[str], np.ndarray]:
    from mov_ai.labels.encoder import LabelEncoderConfig, load_label_encoder

    means = stage_meanings()
    words = list({"event": means.verbs, "relation": means.relations, "place": means.place_names}[role])
    encoder = load_label_encoder(LabelEncoderConfig())
    return words, np.asarray(encoder([(_role(role), word) for word in words]))


def _role(role: str) -> str:
    return "event" if role == "event" else "relation"


@cache
def _likest(role: str, word: str) -> str | None:
    from mov_ai.labels.encoder import LabelEncoderConfig, load_label_encoder

    words, vectors = _table(role)
    likeness = vectors @ np.asarray(load_label_encoder(LabelEncoderConfig())([(_role(role), word)]))[0]
    best = int(likeness.argmax())
    return words[best] if likeness[best] >= _LIKE[role] else None
