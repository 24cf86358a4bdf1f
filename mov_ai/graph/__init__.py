"""Scene graphs, layouts and sizes: schema, validation, JSON, triples, drawing."""

from mov_ai.graph.layout import BOX_FIELDS, Layout, Track
from mov_ai.graph.schema import (
    ATTRIBUTE_KINDS,
    EDGE_TYPES,
    MAX_NODES,
    NODE_TYPES,
    CameraMove,
    Edge,
    Node,
    SceneGraph,
)
from mov_ai.graph.time import ALLEN_RELATIONS, Interval, allen
from mov_ai.graph.video_shape import VideoShape, parse_size

__all__ = [
    "ALLEN_RELATIONS",
    "ATTRIBUTE_KINDS",
    "BOX_FIELDS",
    "EDGE_TYPES",
    "MAX_NODES",
    "NODE_TYPES",
    "CameraMove",
    "Edge",
    "Interval",
    "Layout",
    "Node",
    "SceneGraph",
    "Track",
    "VideoShape",
    "allen",
    "parse_size",
]
