"""Clips of the world with their graphs, and graphs made wrong in known ways."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mov_ai.graph import SceneGraph
from mov_ai.worlds.tabletop import lexicon
from mov_ai.worlds.tabletop.motions import motion_of
from mov_ai.worlds.tabletop.world import sample_clip

#: Motion -> (verb, direction) that says it in a graph.
_WORDS: dict[str, tuple[str, str | None]] = {
    "left": ("roll", "left"),
    "right": ("roll", "right"),
    "toward": ("roll", "toward"),
    "away": ("roll", "away"),
    "jump": ("jump", None),
    "spin": ("spin", None),
    "fall": ("fall", None),
    "rise": ("rise", None),
    "stay": ("stay", None),
    "grow": ("grow", None),
    "shrink": ("shrink", None),
    "vanish": ("vanish", None),
    "appear": ("appear", None),
}


def real_clip(seed: int, split: str, size: int = 128) -> tuple[SceneGraph, np.ndarray]:
    """The gold graph and the rendered frames, uint8 (16, size, size, 3), of a clip of the world."""
    clip = sample_clip(seed, split, size)
    return clip.caption.graph, clip.video.numpy()


def with_other_colors(graph: SceneGraph, rng: np.random.Generator) -> SceneGraph:
    """The graph with every colour word replaced by another colour that the graph does not name."""
    used = {lexicon.concept("color", n.label) for n in graph.of_type("attribute")}
    free = [color for color in lexicon.COLORS if color not in used]
    nodes = [
        replace(node, label=str(rng.choice(free))) if lexicon.concept("color", node.label) else node
        for node in graph.nodes
    ]
    return SceneGraph(graph.caption, nodes, list(graph.edges))


def with_other_shapes(graph: SceneGraph, rng: np.random.Generator) -> SceneGraph:
    """The graph with every shape word replaced by another shape, one that the graph does not name if there is one."""
    used = {lexicon.concept("shape", n.label) for n in graph.of_type("entity")}
    nodes = []
    for node in graph.nodes:
        shape = lexicon.concept("shape", node.label) if node.type == "entity" else None
        others = [name for name in lexicon.SHAPES if name not in used] or [n for n in lexicon.SHAPES if n != shape]
        nodes.append(node if shape is None else replace(node, label=str(rng.choice(others))))
    return SceneGraph(graph.caption, nodes, list(graph.edges))


def with_other_motions(graph: SceneGraph, rng: np.random.Generator) -> SceneGraph:
    """The graph with every motion replaced by another one, though never by a spin: only cubes can be seen to spin."""
    nodes = []
    for node in graph.nodes:
        motion = motion_of(node.label, node.direction) if node.type == "event" else None
        if motion is None:
            nodes.append(node)
            continue
        # What turns its colour stays in its place, so "stay" would be no mistake there.
        others = [name for name in _WORDS if name not in (motion, "spin") and (motion, name) != ("turn", "stay")]
        label, direction = _WORDS[str(rng.choice(others))]
        nodes.append(replace(node, label=label, direction=direction))
    return SceneGraph(graph.caption, nodes, list(graph.edges))
