"""Pictures of a scene graph: a tree for the terminal, DOT for Graphviz, SVG, and a web page.

SVG and page are self-contained: no scripts, fonts or styles from elsewhere. Captions and labels may hold anything;
what is markup is escaped, and characters that XML does not allow become visible stand-ins.
"""

from __future__ import annotations

import base64
import hashlib
import html
import itertools
import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mov_ai.graph.schema import FULL, Edge, Interval, Node, SceneGraph

if TYPE_CHECKING:
    from rich.tree import Tree

#: Node type -> (fill, border, text); text on fill has a contrast of at least 7 to 1.
_COLOURS = {
    "scene": ("#e8eaed", "#7b828c", "#2b2f36"),
    "event": ("#ffe3c2", "#d97706", "#5c2e00"),
    "entity": ("#d3e5fd", "#2f6fd0", "#0e2f66"),
    "attribute": ("#d8f1dd", "#2e8b4a", "#0f3d1f"),
}
#: Edge type -> line colour.
_LINES = {
    "contains": "#cdd2d9",
    "agent": "#c2410c",
    "patient": "#7c3aed",
    "instrument": "#0f766e",
    "location": "#8a6d00",
    "has_attribute": "#2e8b4a",
    "spatial": "#1d4ed8",
    "relation": "#be185d",
    "temporal": "#b45309",
    "coref": "#6b7280",
}
_TITLES = {"scene": "scene", "event": "events", "entity": "entities", "attribute": "attributes"}
_ROLES = ("agent", "patient", "instrument", "location")
_TREE_STYLES = {"scene": "bold", "event": "dark_orange", "entity": "dodger_blue1", "attribute": "green"}

# Sizes in SVG user units (pixels).
_ROW, _BOX_HEIGHT = 48.0, 36.0
_TOP, _MARGIN = 64.0, 20.0
_FONT, _SMALL = 14, 11
_LABEL_HEIGHT = 15.0
_STRIP_ROW = 22.0

# What XML 1.0 cannot hold: controls except tab and line ends, surrogates, two non-characters.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


# -- words, shared by all drawings -----------------------------------------------------------------------------------


def _clean(text: str) -> str:
    """Text on one line that XML and terminals can hold: control characters become their pictures (U+2400...)."""
    one_line = re.sub(r"[\t\r\n\u2028\u2029]", " ", text)
    return _NOT_XML.sub(lambda m: chr(0x2400 + ord(m[0])) if m[0] < " " else "\ufffd", one_line)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _interval_text(interval: Interval) -> str:
    return f"{_number(interval[0])}–{_number(interval[1])}"


def _is_added(node: Node) -> bool:
    """Whether a completer added the whole node."""
    return "label" in node.assumed


def _marked(node: Node, field_name: str, text: str | None) -> str:
    """The text of a field, with a word that it was assumed; of nodes that were added, the node itself has the word."""
    return f"{text} (assumed)" if text and field_name in node.assumed and not _is_added(node) else text or ""


def _count_of(node: Node) -> str:
    return f" × {_marked(node, 'count', str(node.count))}" if node.count > 1 else ""


def _title_of(node: Node) -> str:
    return _clean(("not " if node.negated else "") + node.label + _count_of(node))


def _detail_of(node: Node, names: dict[str, str] | None = None) -> str:
    """The small second line of a node: what it says besides its label; with `names`, the id where labels repeat."""
    words: list[str] = []
    if node.type == "scene":
        words = [_marked(node, name, getattr(node, name)) for name in ("setting", "camera", "light", "style")]
    elif node.type == "event":
        words = [_marked(node, name, getattr(node, name)) for name in ("direction", "manner")]
        words.append(_marked(node, "interval", _interval_text(node.interval)))
    elif node.type == "attribute":
        words = [_marked(node, "kind", node.kind)]
    elif names is not None and names[node.id] != _clean(node.label):
        words = [node.id]
    return _clean(" · ".join(word for word in [*words, "assumed" if _is_added(node) else ""] if word))


def _names(graph: SceneGraph) -> dict[str, str]:
    """Node id -> label, with the id added where two nodes of a type would read the same."""
    titles = [(node.type, node.label) for node in graph.nodes]
    return {
        node.id: _clean(f"{node.label} ({node.id})" if titles.count((node.type, node.label)) > 1 else node.label)
        for node in graph.nodes
    }


def _own_interval(graph: SceneGraph, edge: Edge) -> str:
    """An edge's interval where it tells more than [0, 1] or than the interval of the event it starts from; else ""."""
    source = graph.node(edge.source)
    known = (FULL, source.interval) if source.type == "event" else (FULL,)
    return "" if edge.interval in known else _interval_text(edge.interval)


def _edge_text(graph: SceneGraph, edge: Edge) -> str:
    """The label of an edge in a drawing; "" for edges whose colour and place say enough."""
    if edge.type in ("spatial", "relation", "temporal"):
        words = edge.label or ""
    elif edge.type in ("contains", "has_attribute"):
        words = ""
    else:
        words = f"{edge.type}: {edge.label}" if edge.label else edge.type
    return _clean(f"{words} {_own_interval(graph, edge)}".strip())


def _edge_sentence(edge: Edge, names: dict[str, str]) -> str:
    link = _clean(edge.label) if edge.type in ("spatial", "relation", "temporal") and edge.label else edge.type
    label = f" ({_clean(edge.label)})" if edge.label and link == edge.type else ""
    return f"{names[edge.source]} → {link}{label} → {names[edge.target]}"


# -- terminal --------------------------------------------------------------------------------------------------------


def to_tree(graph: SceneGraph, confidence: bool = False) -> Tree:
    """The graph as a tree for the terminal (`rich.print(to_tree(graph))`).

    Args:
        graph: a valid scene graph.
        confidence: also show confidences below 1.

    Returns:
        Branches `entities` (with attributes), `events` (with roles), `relations`, `time`, `loose attributes`; empty
        ones are left out. Intervals are shown for events, and elsewhere where they are not [0, 1].
    """
    from rich.text import Text
    from rich.tree import Tree

    names = _names(graph)

    def said(value: float) -> str:
        return f"  {value:.0%}" if confidence and value < 1 else ""

    def timed(edge: Edge) -> str:
        interval = _own_interval(graph, edge)
        return f"  {interval}" if interval else ""

    def line(node: Node, plain: str, dim: str = "") -> Text:
        prefix = "not " if node.negated else ""
        style = _TREE_STYLES[node.type] + (" dim" if _is_added(node) else "")
        return Text.assemble((prefix, "red"), (plain, style), (dim + said(node.confidence), "dim"))

    scene = next((node for node in graph.nodes if node.type == "scene"), Node("scene", "scene", "scene"))
    detail = _detail_of(scene)
    heading = line(scene, names.get(scene.id, scene.label), f"  {detail}" if detail else "")
    if graph.caption:
        heading.append(f"  “{_clean(graph.caption)}”", "italic")
    tree = Tree(heading)

    entities = graph.of_type("entity")
    if entities:
        branch = tree.add("entities")
        for entity in entities:
            added = "  assumed" if _is_added(entity) else ""
            twig = branch.add(line(entity, names[entity.id] + _count_of(entity), added))
            for attribute, edge in graph.attributes(entity.id):
                leaf = line(attribute, _clean(attribute.label), f"  {_detail_of(attribute)}{timed(edge)}")
                leaf.append(said(edge.confidence), "dim")
                twig.add(leaf)

    events = graph.of_type("event")
    if events:
        branch = tree.add("events")
        for event in events:
            words = (_marked(event, name, getattr(event, name)) for name in ("direction", "manner"))
            plain = " ".join([names[event.id], *(_clean(word) for word in words if word)])
            interval = _marked(event, "interval", _interval_text(event.interval))
            twig = branch.add(line(event, plain, f"  {interval}" + ("  assumed" if _is_added(event) else "")))
            links = graph.edges_from(event.id)
            in_role = {edge.target for edge in links if edge.type in _ROLES}
            for edge in links:
                if edge.type in _ROLES or (edge.type == "contains" and edge.target not in in_role):
                    label = f" ({_clean(edge.label)})" if edge.label else ""
                    text = f"{edge.type}{label}: {names[edge.target]}"
                    twig.add(Text.assemble(text, (timed(edge) + said(edge.confidence), "dim")))

    for title, types in (("relations", ("spatial", "relation", "coref")), ("time", ("temporal",))):
        links = [edge for edge in graph.edges if edge.type in types]
        if links:
            branch = tree.add(title)
            for edge in links:
                link = "same as" if edge.type == "coref" else _clean(edge.label or edge.type)
                text = f"{names[edge.source]} {link} {names[edge.target]}"
                branch.add(Text.assemble(text, (timed(edge) + said(edge.confidence), "dim")))

    loose = [node for node in graph.of_type("attribute") if not graph.edges_to(node.id, "has_attribute")]
    if loose:
        branch = tree.add("loose attributes")
        for node in loose:
            branch.add(line(node, names[node.id], f"  {_detail_of(node)}"))
    return tree


# -- Graphviz --------------------------------------------------------------------------------------------------------


def _dot_quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def to_dot(graph: SceneGraph) -> str:
    """The graph in Graphviz's DOT language; nodes are named n0, n1, ... in the order of the graph."""
    index = {node.id: f"n{i}" for i, node in enumerate(graph.nodes)}
    lines = [
        "digraph scene_graph {",
        f"  graph [rankdir=LR, label={_dot_quote(_clean(graph.caption))}, labelloc=t];",
        '  node [shape=box, style="rounded,filled", fontname="sans-serif"];',
        '  edge [fontname="sans-serif", fontsize=10];',
    ]
    for node in graph.nodes:
        fill, border, text = _COLOURS[node.type]
        detail = _detail_of(node)
        # The line break is DOT's own escape, so it joins parts that are quoted already.
        label = _dot_quote(_title_of(node))[:-1] + (r"\n" + _dot_quote(detail)[1:] if detail else '"')
        look = ["rounded"] + ["filled"] * (not _is_added(node)) + ["dashed"] * (node.negated or _is_added(node))
        style = "" if look == ["rounded", "filled"] else f', style="{",".join(look)}"'
        colours = f'fillcolor="{fill}", color="{border}", fontcolor="{text}"'
        lines.append(f"  {index[node.id]} [label={label}, tooltip={_dot_quote(_clean(node.id))}, {colours}{style}];")
    for edge in graph.edges:
        style = ", style=dashed" if edge.type in ("contains", "coref") else ""
        colour = f'color="{_LINES[edge.type]}"'
        ends = f"{index[edge.source]} -> {index[edge.target]}"
        lines.append(f"  {ends} [label={_dot_quote(_edge_text(graph, edge))}, tooltip={edge.type}, {colour}{style}];")
    return "\n".join([*lines, "}"]) + "\n"


# -- layout of the SVG -----------------------------------------------------------------------------------------------


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
    """Where everything of a graph stands: columns for scene, events, entities and attributes, left to right."""

    boxes: dict[str, Rectangle] = field(default_factory=dict)
    wires: list[Wire] = field(default_factory=list)
    headings: list[tuple[str, float, float]] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


def _text_width(text: str, size: float) -> float:
    """Width of a line in a sans-serif font, an estimate on the large side."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return size * (0.58 * (len(text) - wide) + 1.05 * wide)


def _fit(text: str, size: float, width: float) -> str:
    """The text, or its beginning and an ellipsis, so that it is no wider than `width`."""
    if _text_width(text, size) <= width:
        return text
    while text and _text_width(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def _spread(wanted: list[float], gap: float, low: float) -> list[float]:
    """Positions near the wanted ones, in the same order, at least `gap` apart and from `low` on."""
    placed: list[float] = []
    for want in wanted:
        placed.append(max(want, placed[-1] + gap if placed else low))
    # The pass above only pushes down; half of the push is given back where there is room above.
    for i in reversed(range(len(placed))):
        floor = placed[i - 1] + gap if i else low
        placed[i] = max(floor, min(placed[i], (placed[i] + wanted[i]) / 2))
    return placed


def _mean(values: Iterable[float], default: float) -> float:
    known = list(values)
    return sum(known) / len(known) if known else default


def _rows(graph: SceneGraph) -> dict[str, float]:
    """Node id -> row (fractional), such that an entity stands by its attributes and an event by its entities."""
    events = sorted(graph.of_type("event"), key=lambda node: node.interval)
    first_event: dict[str, int] = {}
    for i, event in enumerate(events):
        for edge in graph.edges_from(event.id):
            if edge.type in _ROLES:
                first_event.setdefault(edge.target, i)
    # Entities that do nothing stand by what they are linked to.
    for edge in graph.edges:
        if edge.type in ("spatial", "relation", "coref"):
            for own, other in ((edge.source, edge.target), (edge.target, edge.source)):
                if own not in first_event and other in first_event:
                    first_event[own] = first_event[other]
    entities = sorted(graph.of_type("entity"), key=lambda node: first_event.get(node.id, len(events)))
    rows: dict[str, float] = {}
    attribute_row = 0.0
    for entity in entities:
        own_ids = [attribute.id for attribute, _ in graph.attributes(entity.id) if attribute.id not in rows]
        own_ids = list(dict.fromkeys(own_ids))
        for i, attribute_id in enumerate(own_ids):
            rows[attribute_id] = attribute_row + i
        rows[entity.id] = attribute_row + max(len(own_ids) - 1, 0) / 2
        attribute_row += max(len(own_ids), 1)
    for node in graph.of_type("attribute"):
        if node.id not in rows:
            rows[node.id] = attribute_row
            attribute_row += 1
    middle = (attribute_row - 1) / 2 if attribute_row else 0.0
    wanted = {
        event.id: _mean((rows[e.target] for e in graph.edges_from(event.id) if e.target in rows), middle)
        for event in events
    }
    # In the order of time, whatever the entities' places: a reader goes down the column as the video goes on.
    low = max(0.0, min(wanted.values(), default=0.0) - (len(events) - 1) / 2)
    for event, row in zip(events, _spread([wanted[event.id] for event in events], 1.0, low), strict=True):
        rows[event.id] = row
    last = max(rows.values(), default=0.0)
    for i, node in enumerate(graph.of_type("scene")):
        rows[node.id] = last / 2 + i
    return rows


def _bend(start: Point, end: Point) -> Curve:
    pull = (end[0] - start[0]) / 2
    return start, (start[0] + pull, start[1]), (end[0] - pull, end[1]), end


def _point(curve: Curve, t: float) -> Point:
    a, b, c, d = curve
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    x, y = (sum(w * p[axis] for w, p in zip(weights, (a, b, c, d), strict=True)) for axis in (0, 1))
    return x, y


def arrange(graph: SceneGraph) -> Drawing:
    """Place nodes, edges and edge labels; labels stand in the gutters between columns, so never on a node."""
    drawing = Drawing()
    rows, names = _rows(graph), _names(graph)
    columns = [kind for kind in _COLOURS if any(node.type == kind for node in graph.nodes)]
    column_of = {node.id: columns.index(node.type) for node in graph.nodes}
    # Links within a column bulge out of it: events to the left (towards the scene), entities to the right.
    side = {"event": -1, "entity": 1}
    texts = [_fit(_edge_text(graph, edge), _SMALL, 170) for edge in graph.edges]

    # Gutter i lies left of column i; it is as wide as its widest label, its arcs and some air need.
    gutters = [_MARGIN] + [70.0] * (len(columns) - 1) + [_MARGIN]
    lanes = _lanes(graph, rows)
    for i, edge in enumerate(graph.edges):
        low, high = sorted((column_of[edge.source], column_of[edge.target]))
        label_width = _text_width(texts[i], _SMALL) + 8 if texts[i] else 0.0
        if low == high:
            gutter = low if side[columns[low]] < 0 else low + 1
            gutters[gutter] = max(gutters[gutter], label_width + 60 + 14 * lanes[i])
        elif texts[i]:
            gutters[high] = max(gutters[high], label_width + 60)

    x = 0.0
    column_x: list[tuple[float, float]] = []
    for i, kind in enumerate(columns):
        members = [node for node in graph.nodes if node.type == kind]
        texts_wide = [_text_width(_title_of(n), _FONT * 1.05) for n in members]
        texts_wide += [_text_width(_detail_of(n, names), _SMALL) for n in members]
        width = min(200.0, max(84.0, max(texts_wide) + 24))
        x += gutters[i]
        column_x.append((x, width))
        drawing.headings.append((kind, x, width))
        for node in members:
            drawing.boxes[node.id] = Rectangle(x, _TOP + rows[node.id] * _ROW, width, _BOX_HEIGHT)
        x += width
    drawing.width = x + gutters[-1]
    drawing.height = max(box.y + box.height for box in drawing.boxes.values()) + _MARGIN

    ports = _ports(graph, drawing.boxes, column_of, columns, side)
    # The lane above a column that edges from the scene take when they pass over it.
    lane = _TOP - 14
    roles = {(e.source, e.target) for e in graph.edges if e.type in _ROLES}
    for i, edge in enumerate(graph.edges):
        if edge.type == "contains" and (edge.source, edge.target) in roles:
            # The role's line joins the same two boxes already.
            continue
        start, end = ports[i]
        a, b = column_of[edge.source], column_of[edge.target]
        if a == b:
            away = side[columns[a]]
            room = gutters[a if away < 0 else a + 1] - 8
            reach = _text_width(texts[i], _SMALL) / 2 + 26 + 14 * lanes[i]
            # A curve goes three quarters of the way to its control points.
            pull = away * min(reach, room) / 0.75
            curves = [(start, (start[0] + pull, start[1]), (end[0] + pull, end[1]), end)]
        elif b - a > 1:
            left, width = column_x[a + 1]
            far = column_x[b - 1][0] + column_x[b - 1][1]
            near = (left - 6, lane)
            flat: Curve = (near, (left + width / 3, lane), (far - width / 3, lane), (far + 6, lane))
            curves = [_bend(start, near), flat, _bend((far + 6, lane), end)]
        else:
            curves = [_bend(start, end)]
        drawing.wires.append(Wire(edge, curves, texts[i]))
    _place_labels(drawing, column_x)
    return drawing


def _lanes(graph: SceneGraph, rows: dict[str, float]) -> dict[int, int]:
    """Position of an edge within a column -> how far out it bulges: short ones inside, none on another, at most 9."""
    kinds = {node.id: node.type for node in graph.nodes}
    within = [i for i, edge in enumerate(graph.edges) if kinds[edge.source] == kinds[edge.target]]
    reach = {i: sorted((rows[graph.edges[i].source], rows[graph.edges[i].target])) for i in within}
    lanes: dict[int, int] = {}
    for i in sorted(within, key=lambda i: reach[i][1] - reach[i][0]):
        low, high = reach[i]
        kind = kinds[graph.edges[i].source]
        taken = {
            lane
            for j, lane in lanes.items()
            if kinds[graph.edges[j].source] == kind and reach[j][0] < high and low < reach[j][1]
        }
        lanes[i] = next((lane for lane in range(8) if lane not in taken), 8)
    return lanes


def _ports(
    graph: SceneGraph,
    boxes: dict[str, Rectangle],
    column_of: dict[str, int],
    columns: list[str],
    side: dict[str, int],
) -> list[tuple[Point, Point]]:
    """For each edge, where it leaves its source and enters its target: spread over the box's side, uncrossed."""
    at_side: dict[tuple[str, int], list[tuple[float, int, int]]] = {}
    for i, edge in enumerate(graph.edges):
        a, b = column_of[edge.source], column_of[edge.target]
        away = (side[columns[a]], side[columns[a]]) if a == b else ((1, -1) if b > a else (-1, 1))
        for which, (own, other) in enumerate(((edge.source, edge.target), (edge.target, edge.source))):
            # An edge that takes the lane above arrives from above.
            height = boxes[other].y if abs(a - b) <= 1 else -1.0
            at_side.setdefault((own, away[which]), []).append((height, i, which))
    places: dict[tuple[int, int], Point] = {}
    for (node_id, away_side), ends in at_side.items():
        box = boxes[node_id]
        step = min(9.0, (box.height - 10) / max(len(ends) - 1, 1))
        for k, (_, i, which) in enumerate(sorted(ends)):
            y = box.y + box.height / 2 + (k - (len(ends) - 1) / 2) * step
            places[i, which] = (box.x if away_side < 0 else box.x + box.width, y)
    return [(places[i, 0], places[i, 1]) for i in range(len(graph.edges))]


def _place_labels(drawing: Drawing, column_x: list[tuple[float, float]]) -> None:
    """Give each labelled wire the place along it that covers the least of other labels, inside its gutter."""
    placed: list[Rectangle] = []
    tries = [(t, dy) for dy in (0, 8, -8, 16, -16, 24, -24, 34, -34) for t in (0.5, 0.42, 0.58, 0.35, 0.65, 0.28, 0.72)]
    for wire in drawing.wires:
        if not wire.text:
            continue
        width = _text_width(wire.text, _SMALL) + 8
        curve = wire.curves[-1]
        middle_x = _point(curve, 0.5)[0]
        low, high = 2.0, drawing.width - 2.0
        for left, column_width in column_x:
            if left + column_width <= middle_x:
                low = max(low, left + column_width + 4)
            if left >= middle_x:
                high = min(high, left - 4)
        least = math.inf
        for t, dy in tries:
            x, y = _point(curve, t)
            x = min(max(x, low + width / 2), high - width / 2)
            spot = Rectangle(x - width / 2, max(2.0, y + dy - _LABEL_HEIGHT / 2), width, _LABEL_HEIGHT)
            covered = sum(spot.overlap(other) for other in placed)
            if covered < least:
                least, wire.label = covered, spot
            if covered == 0:
                break
        if wire.label is not None:
            placed.append(wire.label)


# -- SVG -------------------------------------------------------------------------------------------------------------


def _escape(text: str) -> str:
    return html.escape(text, quote=True)


def _marks(graph: SceneGraph, ids: Iterable[str]) -> str:
    """Positions of nodes for `data-nodes`: numbers, because ids may hold anything."""
    position = {node.id: i for i, node in enumerate(graph.nodes)}
    return " ".join(str(position[node_id]) for node_id in ids)


def _strip_rows(graph: SceneGraph, names: dict[str, str]) -> list[tuple[str, Interval, str, str, list[str]]]:
    """Rows of the time strip: text, interval, fill, border, ids of the nodes it speaks of."""
    rows: list[tuple[str, Interval, str, str, list[str]]] = []
    for event in sorted(graph.of_type("event"), key=lambda node: node.interval):
        agents = [edge.target for edge in graph.edges_from(event.id, "agent")]
        said = [
            *(names[agent] for agent in agents[:1]),
            "not" if event.negated else "",
            names[event.id],
            _clean(event.direction or ""),
        ]
        text = " ".join(word for word in said if word)
        rows.append((text, event.interval, *_COLOURS["event"][:2], [event.id, *agents]))
    for edge in graph.edges:
        if edge.type == "has_attribute" and edge.interval != FULL:
            text = f"{names[edge.source]}: {_clean(graph.node(edge.target).label)}"
            rows.append((text, edge.interval, *_COLOURS["attribute"][:2], [edge.source, edge.target]))
        elif edge.type in ("spatial", "relation") and edge.interval != FULL:
            text = f"{names[edge.source]} {_clean(edge.label or '')} {names[edge.target]}"
            rows.append((text, edge.interval, *_COLOURS["entity"][:2], [edge.source, edge.target]))
    return rows


def _strip_svg(graph: SceneGraph, names: dict[str, str], top: float, width: float) -> tuple[list[str], float]:
    """The time strip from `top` down, and its height; nothing for a graph in which nothing is timed."""
    rows = _strip_rows(graph, names)
    if not rows:
        return [], 0.0
    label_width = min(220.0, max(_text_width(row[0], 12) for row in rows) + 12)
    left, right = _MARGIN + label_width, width - _MARGIN - 14
    bottom = top + 26 + len(rows) * _STRIP_ROW
    parts = [f'<g class="sg-strip"><text class="sg-head" x="{_MARGIN}" y="{top + 14:.0f}">time</text>']
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x = left + tick * (right - left)
        parts.append(f'<line x1="{x:.1f}" y1="{top + 20:.1f}" x2="{x:.1f}" y2="{bottom:.1f}" stroke="#d5d9df"/>')
        parts.append(f'<text class="sg-tick" x="{x:.1f}" y="{top + 14:.1f}" text-anchor="middle">{tick:g}</text>')
    for i, (text, (start, end), fill, border, ids) in enumerate(rows):
        y = top + 24 + i * _STRIP_ROW
        x, length = left + start * (right - left), max(3.0, (end - start) * (right - left))
        said = _escape(f"{text}: {_interval_text((start, end))}")
        name = _escape(_fit(text, 12, label_width))
        parts.append(
            f'<g class="sg-bar" data-nodes="{_marks(graph, ids)}"><title>{said}</title>'
            f'<text x="{left - 10:.1f}" y="{y + 13:.1f}" text-anchor="end">{name}</text>'
            f'<rect x="{x:.1f}" y="{y + 2:.1f}" width="{length:.1f}" height="{_STRIP_ROW - 7:.1f}" rx="4" '
            f'fill="{fill}" stroke="{border}"/></g>'
        )
    parts.append("</g>")
    return parts, bottom - top + _MARGIN


_SVG_STYLE = (
    ".sg text{font-family:system-ui,'Segoe UI','DejaVu Sans',Helvetica,Arial,sans-serif;fill:#2b2f36;font-size:12px}"
    ".sg .sg-name{font-size:14px;font-weight:600}.sg .sg-detail{font-size:11px}.sg .sg-label{font-size:11px}"
    ".sg .sg-head{font-size:12px;font-weight:600;fill:#4a515c}.sg .sg-tick{font-size:11px;fill:#4a515c}"
    ".sg path{fill:none;stroke-width:1.5}.sg .sg-contains path{stroke-width:1.1}"
)


def _node_svg(graph: SceneGraph, node: Node, box: Rectangle, names: dict[str, str]) -> str:
    fill, border, colour = _COLOURS[node.type]
    detail = _fit(_detail_of(node, names), _SMALL, box.width - 12)
    name = _fit(_title_of(node), _FONT * 1.05, box.width - 12)
    x, y = box.x + box.width / 2, box.y + box.height / 2
    dashes = ' stroke-dasharray="5 3"' if node.negated else ""
    if _is_added(node):
        # Empty and finely dotted: quieter than what was said, and its words as easy to read.
        fill, dashes = "#ffffff", ' stroke-dasharray="2 3"'
    full = [f"{node.type}: {_title_of(node)}", _detail_of(node), f"id {_clean(node.id)}"]
    if node.confidence < 1:
        full.append(f"confidence {node.confidence:.2f}")
    name_y = y - 2 if detail else y + 5
    lines = (
        f'<text class="sg-name" x="{x:.1f}" y="{name_y:.1f}" text-anchor="middle" style="fill:{colour}">'
        f"{_escape(name)}</text>"
    )
    if detail:
        lines += (
            f'<text class="sg-detail" x="{x:.1f}" y="{y + 12:.1f}" text-anchor="middle" style="fill:{colour}">'
            f"{_escape(detail)}</text>"
        )
    return (
        f'<g class="sg-node" data-nodes="{_marks(graph, [node.id])}">'
        f"<title>{_escape(' · '.join(word for word in full if word))}</title>"
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="8" '
        f'fill="{fill}" stroke="{border}" stroke-width="1.5"{dashes}/>{lines}</g>'
    )


def _wire_svg(graph: SceneGraph, wire: Wire, names: dict[str, str], prefix: str) -> tuple[str, str]:
    """The line and the label of an edge; labels are drawn last, so that no line crosses them."""
    edge = wire.edge
    colour = _LINES[edge.type]
    path = f"M{wire.curves[0][0][0]:.1f} {wire.curves[0][0][1]:.1f}"
    for _, b, c, d in wire.curves:
        path += f"C{b[0]:.1f} {b[1]:.1f} {c[0]:.1f} {c[1]:.1f} {d[0]:.1f} {d[1]:.1f}"
    arrow = "" if edge.type in ("contains", "has_attribute") else f' marker-end="url(#{prefix}-{edge.type})"'
    dashes = ' stroke-dasharray="4 3"' if edge.type == "coref" else ""
    nodes = _marks(graph, [edge.source, edge.target])
    said = _edge_sentence(edge, names)
    if edge.interval != FULL:
        said += f", {_interval_text(edge.interval)}"
    if edge.confidence < 1:
        said += f", confidence {edge.confidence:.2f}"
    line = (
        f'<g class="sg-edge sg-{edge.type}" data-edge="{nodes}"><title>{_escape(said)}</title>'
        f'<path d="{path}" stroke="{colour}"{dashes}{arrow}/></g>'
    )
    if wire.label is None:
        return line, ""
    box = wire.label
    label = (
        f'<g class="sg-edge" data-edge="{nodes}"><title>{_escape(said)}</title>'
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="3" '
        f'fill="#ffffff" fill-opacity="0.92"/>'
        f'<text class="sg-label" x="{box.x + box.width / 2:.1f}" y="{box.y + 11.5:.1f}" text-anchor="middle" '
        f'style="fill:{colour}">{_escape(wire.text)}</text></g>'
    )
    return line, label


def to_svg(graph: SceneGraph) -> str:
    """The graph as a self-contained SVG picture, with a strip of time below it.

    Columns from left to right are the scene, events (earliest on top), entities and attributes. Dashed boxes are
    negated, empty dotted ones assumed; titles that appear on hovering give ids, whole labels and confidences below 1.
    """
    names = _names(graph)
    drawing = arrange(graph)
    width = max(drawing.width, 560.0)
    strip, strip_height = _strip_svg(graph, names, drawing.height + 4, width)
    height = drawing.height + strip_height + 4
    # Several drawings may stand in one page, so names of arrows and titles carry the graph's digest.
    prefix = "sg" + hashlib.sha256(graph.to_json().encode()).hexdigest()[:8]
    counts = ", ".join(f"{len(graph.of_type(kind))} {title}" for kind, title in _TITLES.items() if kind != "scene")
    told = "; ".join(_edge_sentence(e, names) for e in graph.edges if e.type != "contains")
    caption = _clean(graph.caption) or "no caption"
    used = [kind for kind in _LINES if any(wire.edge.type == kind for wire in drawing.wires)]
    markers = "".join(
        f'<marker id="{prefix}-{kind}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0L8 4L0 8z" style="fill:{_LINES[kind]}"/></marker>'
        for kind in used
    )
    wires = [_wire_svg(graph, wire, names, prefix) for wire in drawing.wires]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-labelledby="{prefix}-title {prefix}-desc">',
        f'<title id="{prefix}-title">Scene graph: {_escape(caption)}</title>',
        f'<desc id="{prefix}-desc">{_escape(counts)}. {_escape(told)}</desc>',
        f"<style>{_SVG_STYLE}</style><defs>{markers}</defs>",
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
    ]
    for kind, x, column_width in drawing.headings:
        parts.append(
            f'<text class="sg-head" x="{x + column_width / 2:.1f}" y="24" text-anchor="middle">{_TITLES[kind]}</text>'
            f'<line x1="{x:.1f}" y1="32" x2="{x + column_width:.1f}" y2="32" stroke="{_COLOURS[kind][1]}" '
            f'stroke-width="3" stroke-linecap="round"/>'
        )
    # The hierarchy is the palest and lies lowest.
    order = sorted(range(len(wires)), key=lambda i: drawing.wires[i].edge.type != "contains")
    parts += [wires[i][0] for i in order]
    parts += [_node_svg(graph, node, drawing.boxes[node.id], names) for node in graph.nodes]
    parts += [label for _, label in wires if label]
    return "\n".join([*parts, *strip, "</svg>"]) + "\n"


# -- web page --------------------------------------------------------------------------------------------------------

_PAGE_STYLE = """
body{font:16px/1.5 system-ui,'Segoe UI','DejaVu Sans',Helvetica,Arial,sans-serif;color:#2b2f36;background:#f6f7f9;
 margin:0}
main{max-width:1280px;margin:0 auto;padding:24px}
h1{font-size:14px;font-weight:600;color:#4a515c;margin:0 0 8px}
.caption{font-size:22px;line-height:1.7;margin:0 0 16px;white-space:pre-wrap;overflow-wrap:anywhere}
.caption mark{background:none;color:inherit;border-bottom:3px solid;padding:1px 0;cursor:default}
.picture{background:#fff;border:1px solid #d5d9df;border-radius:10px;overflow:auto;padding:8px}
.picture svg{display:block;margin:0 auto}
details{margin-top:16px;background:#fff;border:1px solid #d5d9df;border-radius:10px;padding:10px 16px}
summary{cursor:pointer;font-weight:600}
pre{font:13px/1.45 ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;white-space:pre-wrap;
 overflow-wrap:anywhere;max-height:60vh;overflow:auto}
button{font:inherit;font-size:14px;margin-top:8px;padding:3px 12px;border:1px solid #7b828c;border-radius:6px;
 background:#fff;color:#2b2f36;cursor:pointer}
.caption mark:focus-visible,button:focus-visible,summary:focus-visible{outline:3px solid #2f6fd0;outline-offset:2px}
.lit .sg-node,.lit .sg-edge,.lit .sg-bar{opacity:.25}
.lit .sg-node.on,.lit .sg-edge.on,.lit .sg-bar.on{opacity:1}
.lit .sg-node.on rect{stroke-width:3}
.caption mark.on{background:#fff3a3}
"""

# No `<` and no `&`: the page is read as HTML and as XML alike.
_PAGE_SCRIPT = """
(function () {
  var main = document.querySelector('main');
  var things = Array.from(document.querySelectorAll('[data-nodes]'));
  var edges = Array.from(document.querySelectorAll('[data-edge]'));
  function list(element, name) { return element.getAttribute(name).split(' '); }
  function light(nodes) {
    main.classList.toggle('lit', nodes.length !== 0);
    things.forEach(function (element) {
      element.classList.toggle('on', list(element, 'data-nodes').some(function (n) { return nodes.includes(n); }));
    });
    edges.forEach(function (element) {
      element.classList.toggle('on', list(element, 'data-edge').some(function (n) { return nodes.includes(n); }));
    });
  }
  things.forEach(function (element) {
    ['mouseenter', 'focus'].forEach(function (name) {
      element.addEventListener(name, function () { light(list(element, 'data-nodes')); });
    });
    ['mouseleave', 'blur'].forEach(function (name) {
      element.addEventListener(name, function () { light([]); });
    });
  });
  edges.forEach(function (element) {
    element.addEventListener('mouseenter', function () { light(list(element, 'data-edge')); });
    element.addEventListener('mouseleave', function () { light([]); });
  });
  var button = document.querySelector('button');
  button.addEventListener('click', function () {
    var text = document.querySelector('pre');
    window.getSelection().selectAllChildren(text);
    // A page opened from disk may have no clipboard; the text is selected then, ready for the keyboard.
    if (navigator.clipboard) {
      navigator.clipboard.writeText(text.textContent).then(function () { button.textContent = 'Copied'; });
    }
  });
})();
"""


def _caption_html(graph: SceneGraph) -> str:
    """The caption with a mark around each stretch that nodes' spans cover; spans may nest and overlap."""
    caption = graph.caption
    spans = [(node.span[0], node.span[1], node) for node in graph.nodes if node.span and node.type != "scene"]
    cuts = sorted({0, len(caption), *(end for start, stop, _ in spans for end in (start, stop))})
    parts = []
    for start, stop in itertools.pairwise(cuts):
        text = _escape(_clean(caption[start:stop]))
        inside = [(last - first, node) for first, last, node in spans if first <= start and stop <= last]
        if inside:
            # The shortest span that covers a stretch is the most telling, and gives the colour.
            node = min(inside, key=lambda pair: pair[0])[1]
            said = _escape(", ".join(f"{other.type}: {_title_of(other)}" for _, other in inside))
            text = (
                f'<mark tabindex="0" data-nodes="{_marks(graph, [other.id for _, other in inside])}" title="{said}" '
                f'style="border-color:{_COLOURS[node.type][1]}">{text}</mark>'
            )
        parts.append(text)
    return "".join(parts)


def to_html(graph: SceneGraph) -> str:
    """The graph as one self-contained web page: caption, picture with strip of time, and the JSON to copy.

    Hovering over a part of the caption, a node or a bar lights up what belongs to it. The page forbids itself every
    script but its own, by that script's digest.
    """
    script = _PAGE_SCRIPT
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    # Characters that a page cannot hold stay exact as JSON escapes; they only occur inside strings.
    text = _NOT_XML.sub(lambda m: f"\\u{ord(m[0]):04x}", graph.to_json())
    caption = _caption_html(graph) or "(no caption)"
    title = _escape(_fit(_clean(graph.caption) or "scene graph", 1, 60))
    return (
        f'<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" lang="en">\n<head>\n<meta charset="utf-8"/>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"/>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"/>\n<title>{title}</title>\n'
        f"<style>{_PAGE_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>Scene graph</h1>\n"
        f'<p class="caption" dir="auto">{caption}</p>\n<div class="picture">\n{to_svg(graph)}</div>\n'
        f'<details>\n<summary>JSON</summary>\n<button type="button">Copy</button>\n<pre>{_escape(text)}</pre>\n'
        f"</details>\n</main>\n<script>{script}</script>\n</body>\n</html>\n"
    )
