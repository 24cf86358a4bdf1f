"""What the world needs to know and a graph leaves open, filled in where it can be read and edited: as assumed nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from mov_ai.graph import MAX_NODES, Edge, Interval, Node, SceneGraph
from mov_ai.worlds.tabletop import lexicon
from mov_ai.worlds.tabletop.scene import Scene

#: Kinds of attributes that every object of the world has, each for all of the time.
LOOKS = ("color", "material")
_DEFAULT_MATERIAL, _DEFAULT_SETTING, _DEFAULT_LIGHT = "matte", "floor", "left"
#: What a node's fields hold where nothing is said.
_DEFAULTS: dict[str, Any] = {f.name: f.default for f in fields(Node)}
#: Shorter gaps between intervals are rounding.
_SHORTEST = 1e-3


@dataclass(frozen=True)
class Look:
    """What an object looks like where the graph says nothing: the world's names."""

    color: str
    material: str


def complete(graph: SceneGraph, seed: int) -> SceneGraph:
    """A copy in which every entity has a colour and a material at all times, and the scene a setting and a light.

    A colour is chosen that no one else has. Each entity draws from its own generator, so that editing one entity leaves
    the others as they were; the same graph and seed give the same copy. Nodes beyond the schema's limit are not added.
    """
    entities = graph.of_type("entity")
    used_colors = {label for n in entities for label, _ in _spans(graph, n.id, "color")}
    looks = {}
    for index, node in enumerate(entities):
        colors = list(lexicon.COLORS)
        first = int(np.random.default_rng([seed, index]).integers(len(colors)))
        denied = {_canonical("color", n.label) for n, _ in graph.attributes(node.id) if n.negated}
        # From a drawn place on, the first colour not in use: an edit elsewhere changes this choice only if it takes the
        # same colour.
        ring = [name for name in colors[first:] + colors[:first] if name not in denied]
        color = next((name for name in ring if name not in used_colors), ring[0] if ring else colors[first])
        if _gaps(_spans(graph, node.id, "color")):
            used_colors.add(color)
        looks[node.id] = Look(color, _DEFAULT_MATERIAL)
    return with_looks(graph, looks, _DEFAULT_SETTING, _DEFAULT_LIGHT)


def gold_graph(graph: SceneGraph, scene: Scene, things: tuple[str, ...]) -> SceneGraph:
    """The graph of a clip, completed with what the clip shows; `things` are the entity ids in the scene's order."""
    looks = {
        entity: Look(thing.color, thing.material if thing.material in lexicon.MATERIALS else _DEFAULT_MATERIAL)
        for entity, thing in zip(things, scene.things, strict=True)
    }
    return with_looks(graph, looks, scene.setting, scene.light)


def without_assumed(graph: SceneGraph) -> SceneGraph:
    """A copy without anything that was assumed."""
    nodes = []
    for node in graph.nodes:
        # The root stays: a graph has one, whatever is said of it.
        if "label" in node.assumed and node.type != "scene":
            continue
        emptied = {name: _DEFAULTS[name] for name in node.assumed if name != "label"}
        nodes.append(replace(node, assumed=(), **emptied))
    kept_ids = {node.id for node in nodes}
    return SceneGraph(graph.caption, nodes, [e for e in graph.edges if e.source in kept_ids and e.target in kept_ids])


def with_looks(graph: SceneGraph, looks: Mapping[str, Look], setting: str, light: str) -> SceneGraph:
    """A copy with assumed nodes for the looks of each entity where the graph says none, and for the scene."""
    nodes, edges = list(graph.nodes), list(graph.edges)
    names = {node.id for node in nodes}
    for entity in graph.of_type("entity"):
        if entity.negated or entity.id not in looks:
            continue
        for kind in LOOKS:
            spans = _spans(graph, entity.id, kind)
            for start, end in _gaps(spans):
                if len(nodes) == MAX_NODES:
                    break
                # What was said lasts until something else is said.
                before = [label for label, interval in spans if interval[1] <= start + _SHORTEST]
                name = _free(f"{entity.id}_{kind}", names)
                label = before[-1] if before else getattr(looks[entity.id], kind)
                nodes.append(Node(name, "attribute", label, kind=kind, assumed=("label",)))
                edges.append(Edge(entity.id, name, "has_attribute", interval=(start, end)))
    for i, node in enumerate(nodes):
        if node.type == "scene":
            missing: dict[str, Any] = {
                k: v for k, v in (("setting", setting), ("light", light)) if getattr(node, k) is None
            }
            nodes[i] = replace(node, **missing, assumed=(*node.assumed, *missing))
    return SceneGraph(graph.caption, nodes, edges)


def _canonical(kind: str, label: str) -> str:
    return lexicon.concept(kind, label) or label


def _spans(graph: SceneGraph, entity: str, kind: str) -> list[tuple[str, Interval]]:
    """(canonical value or label, interval) of an entity's attributes of a kind, in order of time."""
    spans = []
    for node, edge in graph.attributes(entity):
        concept = lexicon.attribute_concept(node.label)
        if not node.negated and (concept[0] if concept else node.kind) == kind:
            spans.append((_canonical(kind, node.label), edge.interval))
    return sorted(spans, key=lambda span: span[1])


def _gaps(spans: list[tuple[str, Interval]]) -> list[Interval]:
    """The parts of [0, 1] that no interval covers; intervals in order of their starts."""
    gaps, reached = [], 0.0
    for _, (start, end) in spans:
        if start > reached + _SHORTEST:
            gaps.append((reached, start))
        reached = max(reached, end)
    if reached < 1 - _SHORTEST:
        gaps.append((reached, 1.0))
    return gaps


def _free(name: str, names: set[str]) -> str:
    """A name that is not in use, which is then."""
    result, number = name, 2
    while result in names:
        result, number = f"{name}{number}", number + 1
    names.add(result)
    return result
