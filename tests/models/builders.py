"""Small scene graphs, layouts and networks that the tests of the models share."""

from __future__ import annotations

import numpy as np
import torch

from mov_ai.graph import Edge, Layout, Node, SceneGraph, Track
from mov_ai.graph.instances import drawn_entities
from mov_ai.labels.encoder import LabelEncoderConfig, load_label_encoder
from mov_ai.models.conditioning import Conditioning, condition
from mov_ai.models.denoiser import DenoiserConfig, TSAMDenoiser
from mov_ai.models.graph_encoder import GraphEncoderConfig

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
        "graph_encoder": GraphEncoderConfig(16, 1, 2),
        "labels": LABELS,
    }
    config = DenoiserConfig(**{**values, **changes})  # type: ignore[arg-type]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = TSAMDenoiser(config).eval()
        # Some weights start at zero; a test of what has influence needs them to be something.
        for parameter in network.parameters():
            if parameter.ndim > 1 or not parameter.any():
                torch.nn.init.normal_(parameter, std=0.15)
    return network
