"""Small scene graphs, layouts and networks that the tests of the models share."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from mov_ai.graph import Edge, Layout, Node, SceneGraph, Track
from mov_ai.graph.instances import drawn_entities
from mov_ai.labels.encoder import LabelEncoderConfig, load_label_encoder
from mov_ai.models.conditioning import Conditioning, condition
from mov_ai.models.denoiser import DenoiserConfig, TSAMDenoiser
from mov_ai.models.graph_encoder import GraphEncoderConfig
from mov_ai.models.refiner import RefinerConfig, VideoRefiner

Network = TypeVar("Network", bound=nn.Module)
#: The label encoder of the small networks.
LABELS = LabelEncoderConfig(width=64)
ENCODER = load_label_encoder(LABELS)
CAPTION = "a red ball rolls left, then turns blue, behind a cube"


def ball_and_cube(**ball: object) -> SceneGraph:
    """A ball, red [0, .5] and blue [.5, 1], that rolls left behind a cube whose colour is not said."""
    nodes = [
        Node("s", "scene", "scene"),
        Node("roll", "event", "roll", direction="left", interval=(0.0, 0.5)),
        Node("ball", "entity", "ball", **ball),  # type: ignore[arg-type]
        Node("cube", "entity", "cube"),
        Node("red", "attribute", "red", kind="color"),
        Node("blue", "attribute", "blue", kind="color"),
    ]
    edges = [
        Edge("s", "roll", "contains"),
        Edge("s", "cube", "contains"),
        Edge("roll", "ball", "agent"),
        Edge("ball", "red", "has_attribute", interval=(0.0, 0.5)),
        Edge("ball", "blue", "has_attribute", interval=(0.5, 1.0)),
        Edge("ball", "cube", "spatial", "behind"),
    ]
    graph = SceneGraph(CAPTION, nodes, edges)
    graph.validate()
    return graph


def tracks_from_boxes(graph: SceneGraph, boxes: np.ndarray) -> Layout:
    """A layout from (K, F, 6) boxes in the order of `drawn_entities(graph)`."""
    tracks = [
        Track(entity, boxes[k].astype(np.float32), instance, graph.node(entity).label)
        for k, (entity, instance) in enumerate(drawn_entities(graph))
    ]
    return Layout(int(boxes.shape[1]), tracks)


def dogs_and_frisbees() -> SceneGraph:
    """Words of another world, one in every place where a graph can hold one."""
    nodes = [
        Node("s", "scene", "scene", setting="meadow", camera="pan", light="sunset", style="watercolour"),
        Node("catch", "event", "catch", direction="up", manner="eagerly", interval=(0.0, 0.5)),
        Node("dog", "entity", "dog", count=2),
        Node("frisbee", "entity", "frisbee"),
        Node("large", "attribute", "large", kind="size"),
        Node("spotted", "attribute", "spotted", kind="texture"),
        Node("wooden", "attribute", "wooden", kind="material"),
        Node("ochre", "attribute", "ochre", kind="color"),
    ]
    edges = [
        Edge("s", "catch", "contains"),
        Edge("catch", "dog", "agent"),
        Edge("catch", "frisbee", "patient"),
        Edge("dog", "large", "has_attribute"),
        Edge("dog", "spotted", "has_attribute"),
        Edge("frisbee", "wooden", "has_attribute"),
        Edge("frisbee", "ochre", "has_attribute", interval=(0.0, 0.5)),
        Edge("frisbee", "dog", "spatial", "above"),
        Edge("dog", "frisbee", "relation", "chasing"),
    ]
    graph = SceneGraph("two large spotted dogs eagerly catch an ochre wooden frisbee", nodes, edges)
    graph.validate()
    return graph


def relabelled(graph: SceneGraph, old: str, new: str) -> SceneGraph:
    """A copy in which the edges that are labelled `old` are labelled `new`."""
    edges = [replace(edge, label=new if edge.label == old else edge.label) for edge in graph.edges]
    return SceneGraph(graph.caption, graph.nodes, edges)


def still_layout(graph: SceneGraph, boxes: list[tuple[float, ...]], frames: int = 16) -> Layout:
    """A layout in which the drawn instances, in order, stay at these boxes (x, y, w, h, depth, visibility)."""
    drawn = drawn_entities(graph)
    return Layout(
        frames,
        [
            Track(entity, np.tile(np.array(box, dtype=np.float32), (frames, 1)), instance)
            for (entity, instance), box in zip(drawn, boxes, strict=True)
        ],
    )


def given(graph: SceneGraph | None = None, frames: int = 16) -> Conditioning:
    """A batch of one with every source of conditioning: instances side by side."""
    graph = graph or ball_and_cube()
    count = max(1, len(drawn_entities(graph)))
    boxes = [((k + 0.5) / count, 0.5, 0.3, 0.4, 4.0 + k, 1.0) for k in range(len(drawn_entities(graph)))]
    return condition(graph, still_layout(graph, boxes, frames), ENCODER, frames)


def small_denoiser(seed: int = 0, **changes: object) -> TSAMDenoiser:
    """A denoiser of a few ten thousand parameters with random weights that all matter."""
    values: dict[str, object] = {
        "latent_channels": 4,
        "dim": 32,
        "heads": 2,
        "depth": 2,
        "mlp_ratio": 2.0,
        "stem": 8,
        "stem_blocks": 2,
        "graph_encoder": GraphEncoderConfig(16, 1, 2),
        "labels": LABELS,
    }
    config = DenoiserConfig(**{**values, **changes})  # type: ignore[arg-type]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return awake(TSAMDenoiser(config), seed)


def small_refiner(seed: int = 0, **changes: object) -> VideoRefiner:
    """A refiner of a few ten thousand parameters with random weights that all matter."""
    values: dict[str, object] = {"latent_channels": 4, "widths": (8, 12), "blocks": (1, 1), "dim": 8, "labels": LABELS}
    config = RefinerConfig(**{**values, **changes})  # type: ignore[arg-type]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return awake(VideoRefiner(config), seed)


def awake(network: Network, seed: int = 0) -> Network:
    """A network whose weights all matter: a test of what has influence needs those that start at zero to be something.

    Returns:
        The network itself, in evaluation mode.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1 or not parameter.any():
                parameter.normal_(std=0.15, generator=generator)
    return network.eval()
