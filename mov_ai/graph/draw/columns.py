"""Our own placement of a scene graph: columns for scene, events, entities and attributes, left to right."""

from __future__ import annotations

import math
from collections.abc import Iterable

from mov_ai.graph.draw.placement import (
    BOX_HEIGHT,
    LABEL_HEIGHT,
    MARGIN,
    SMALL,
    TOP,
    Curve,
    Drawing,
    Point,
    Rectangle,
    Wire,
    box_width,
    columns_of,
    is_drawn,
    wire_text,
)
from mov_ai.graph.draw.words import ROLES, text_width
from mov_ai.graph.schema import SceneGraph

_ROW = 48.0
#: Labels beyond these stand in the middle of their wires, whatever is there.
_MOST_LABELS = 200


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
    numbers = list(values)
    return sum(numbers) / len(numbers) if numbers else default


def _rows(graph: SceneGraph) -> dict[str, float]:
    """Node id -> row (fractional), such that an entity stands by its attributes and an event by its entities."""
    events = sorted(graph.of_type("event"), key=lambda node: node.interval)
    first_event: dict[str, int] = {}
    for i, event in enumerate(events):
        for edge in graph.edges_from(event.id):
            if edge.type in ROLES:
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
    rows, columns = _rows(graph), columns_of(graph)
    column_of = {node.id: columns.index(node.type) for node in graph.nodes}
    # Links within a column bulge out of it: events to the left (towards the scene), entities to the right.
    side = {"event": -1, "entity": 1}
    texts = [wire_text(graph, edge) for edge in graph.edges]

    # Gutter i lies left of column i; it is as wide as its widest label, its arcs and some air need.
    gutters = [MARGIN] + [70.0] * (len(columns) - 1) + [MARGIN]
    lanes = _lanes(graph, rows)
    for i, edge in enumerate(graph.edges):
        low, high = sorted((column_of[edge.source], column_of[edge.target]))
        label_width = text_width(texts[i], SMALL) + 8 if texts[i] else 0.0
        if low == high:
            gutter = low if side[columns[low]] < 0 else low + 1
            gutters[gutter] = max(gutters[gutter], label_width + 60 + 14 * lanes[i])
        elif texts[i]:
            # A label stands where its edge arrives.
            gutter = high if column_of[edge.target] == high else low + 1
            gutters[gutter] = max(gutters[gutter], label_width + 60)

    x = 0.0
    column_x: list[tuple[float, float]] = []
    for i, kind in enumerate(columns):
        width = box_width(graph, kind)
        x += gutters[i]
        column_x.append((x, width))
        drawing.headings.append((kind, x, width))
        for node in graph.of_type(kind):
            drawing.boxes[node.id] = Rectangle(x, TOP + rows[node.id] * _ROW, width, BOX_HEIGHT)
        x += width
    drawing.width = x + gutters[-1]
    drawing.height = max(box.y + box.height for box in drawing.boxes.values()) + MARGIN

    ports = _ports(graph, drawing.boxes, column_of, columns, side)
    # The lane above a column that edges from and to the scene take when they pass over it.
    lane = TOP - 14
    for i, edge in enumerate(graph.edges):
        if not is_drawn(graph, edge):
            continue
        start, end = ports[i]
        a, b = column_of[edge.source], column_of[edge.target]
        if a == b:
            direction = side[columns[a]]
            room = gutters[a if direction < 0 else a + 1] - 8
            reach = text_width(texts[i], SMALL) / 2 + 26 + 14 * lanes[i]
            # A curve goes three quarters of the way to its control points.
            pull = direction * min(reach, room) / 0.75
            curves = [(start, (start[0] + pull, start[1]), (end[0] + pull, end[1]), end)]
        elif abs(b - a) > 1:
            between = column_x[min(a, b) + 1 : max(a, b)]
            edges_of_lane = (between[0][0] - 6, between[-1][0] + between[-1][1] + 6)
            near, far = edges_of_lane if b > a else edges_of_lane[::-1]
            third = (far - near) / 3
            flat: Curve = ((near, lane), (near + third, lane), (far - third, lane), (far, lane))
            curves = [_bend(start, (near, lane)), flat, _bend((far, lane), end)]
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
        used = {
            lane
            for j, lane in lanes.items()
            if kinds[graph.edges[j].source] == kind and reach[j][0] < high and low < reach[j][1]
        }
        lanes[i] = next((lane for lane in range(8) if lane not in used), 8)
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
        directions = (side[columns[a]], side[columns[a]]) if a == b else ((1, -1) if b > a else (-1, 1))
        for which, (own, other) in enumerate(((edge.source, edge.target), (edge.target, edge.source))):
            # An edge that takes the lane above arrives from above.
            height = boxes[other].y if abs(a - b) <= 1 else -1.0
            at_side.setdefault((own, directions[which]), []).append((height, i, which))
    places: dict[tuple[int, int], Point] = {}
    for (node_id, direction), ends in at_side.items():
        box = boxes[node_id]
        step = min(9.0, (box.height - 10) / max(len(ends) - 1, 1))
        for k, (_, i, which) in enumerate(sorted(ends)):
            y = box.y + box.height / 2 + (k - (len(ends) - 1) / 2) * step
            places[i, which] = (box.x if direction < 0 else box.x + box.width, y)
    return [(places[i, 0], places[i, 1]) for i in range(len(graph.edges))]


def _place_labels(drawing: Drawing, column_x: list[tuple[float, float]]) -> None:
    """Give each labelled wire the place along it that covers the least of other labels, inside its gutter."""
    placed: list[Rectangle] = []
    tries = [(t, dy) for dy in (0, 8, -8, 16, -16, 24, -24, 34, -34) for t in (0.5, 0.42, 0.58, 0.35, 0.65, 0.28, 0.72)]
    for wire in drawing.wires:
        if not wire.text:
            continue
        width = text_width(wire.text, SMALL) + 8
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
            spot = Rectangle(x - width / 2, max(2.0, y + dy - LABEL_HEIGHT / 2), width, LABEL_HEIGHT)
            # Where there are hundreds of labels none finds room, and looking for it takes minutes.
            covered = sum(spot.overlap(other) for other in placed) if len(placed) < _MOST_LABELS else 0.0
            if covered < least:
                least, wire.label = covered, spot
            if covered == 0:
                break
        if wire.label is not None:
            placed.append(wire.label)
