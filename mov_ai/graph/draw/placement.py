"""Where everything of a scene graph stands in its picture: boxes, curves and labels, in SVG user units (pixels)."""

from __future__ import annotations

from dataclasses import dataclass, field

from mov_ai.graph.draw.words import COLOURS, ROLES, detail_of, distinct_names, edge_text, fit, text_width, title_of
from mov_ai.graph.schema import Edge, SceneGraph

BOX_HEIGHT = 36.0
TOP, MARGIN = 64.0, 20.0
FONT, SMALL = 14, 11
LABEL_HEIGHT = 15.0


@dataclass(frozen=True)
class Rectangle:
    """An axis-aligned rectangle in SVG user units, y down."""

    x: float
    y: float
    width: float
    height: float

    def overlap(self, other: Rectangle) -> float:
        """Shared area, 0 if apart."""
        across = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        down = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        return across * down if across > 0 and down > 0 else 0.0


Point = tuple[float, float]
Curve = tuple[Point, Point, Point, Point]


@dataclass
class Wire:
    """One drawn edge: cubic Bézier curves one after another, and where its label stands."""

    edge: Edge
    curves: list[Curve]
    text: str
    label: Rectangle | None = None


@dataclass
class Drawing:
    """Where everything of a graph stands: columns for scene, events, entities and attributes, left to right.

    Attributes:
        boxes: node id -> its box.
        wires: the edges that are drawn.
        headings: (node type, left, width) of each column.
        width, height: of the whole, without the strip of time.
    """

    boxes: dict[str, Rectangle] = field(default_factory=dict)
    wires: list[Wire] = field(default_factory=list)
    headings: list[tuple[str, float, float]] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


def columns_of(graph: SceneGraph) -> list[str]:
    """The node types that the graph has, from left to right."""
    return [kind for kind in COLOURS if any(node.type == kind for node in graph.nodes)]


def box_width(graph: SceneGraph, kind: str) -> float:
    """Width of the boxes of one node type: that of the widest text in them, within limits."""
    names = distinct_names(graph)
    nodes = graph.of_type(kind)
    widths = [text_width(title_of(node), FONT * 1.05) for node in nodes]
    widths += [text_width(detail_of(node, names), SMALL) for node in nodes]
    return min(200.0, max(84.0, max(widths) + 24))


def wire_text(graph: SceneGraph, edge: Edge) -> str:
    """An edge's label, cut to the width that a gutter may have."""
    return fit(edge_text(graph, edge), SMALL, 170)


def is_drawn(graph: SceneGraph, edge: Edge) -> bool:
    """Whether an edge has a line of its own: not a `contains` whose two boxes a role's line joins already."""
    return edge.type != "contains" or not any(
        (edge.source, edge.target) == (other.source, other.target) for other in graph.edges if other.type in ROLES
    )
