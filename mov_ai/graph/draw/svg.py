"""A scene graph as a self-contained SVG picture."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Iterable

from mov_ai.graph.draw import columns, graphviz
from mov_ai.graph.draw.placement import FONT, MARGIN, SMALL, Drawing, Rectangle, Wire
from mov_ai.graph.draw.words import (
    COLOURS,
    LINE_COLOURS,
    TITLES,
    clean,
    detail_of,
    distinct_names,
    edge_sentence,
    fit,
    interval_text,
    is_added,
    text_width,
    title_of,
)
from mov_ai.graph.schema import FULL, Interval, Node, SceneGraph

_STRIP_ROW = 22.0


def arrange(graph: SceneGraph) -> Drawing:
    """Place a graph: by Graphviz if its program is installed, else in our own columns."""
    return graphviz.arrange(graph) or columns.arrange(graph)


def escape(text: str) -> str:
    """Text as XML holds it."""
    return html.escape(text, quote=True)


def node_numbers(graph: SceneGraph, ids: Iterable[str]) -> str:
    """Positions of nodes for `data-nodes`: numbers, because ids may hold anything."""
    position = {node.id: i for i, node in enumerate(graph.nodes)}
    return " ".join(str(position[node_id]) for node_id in ids)


def _strip_rows(graph: SceneGraph, names: dict[str, str]) -> list[tuple[str, Interval, str, str, list[str]]]:
    """Rows of the time strip: text, interval, fill, border, ids of the nodes it speaks of."""
    rows: list[tuple[str, Interval, str, str, list[str]]] = []
    for event in sorted(graph.of_type("event"), key=lambda node: node.interval):
        agents = [edge.target for edge in graph.edges_from(event.id, "agent")]
        words = [
            *(names[agent] for agent in agents[:1]),
            "not" if event.negated else "",
            names[event.id],
            clean(event.direction or ""),
        ]
        text = " ".join(word for word in words if word)
        rows.append((text, event.interval, *COLOURS["event"][:2], [event.id, *agents]))
    for edge in graph.edges:
        if edge.type == "has_attribute" and edge.interval != FULL:
            text = f"{names[edge.source]}: {clean(graph.node(edge.target).label)}"
            rows.append((text, edge.interval, *COLOURS["attribute"][:2], [edge.source, edge.target]))
        elif edge.type in ("spatial", "relation") and edge.interval != FULL:
            text = f"{names[edge.source]} {clean(edge.label or '')} {names[edge.target]}"
            rows.append((text, edge.interval, *COLOURS["entity"][:2], [edge.source, edge.target]))
    return rows


def _strip_svg(graph: SceneGraph, names: dict[str, str], top: float, width: float) -> tuple[list[str], float]:
    """The time strip from `top` down, and its height; nothing for a graph in which nothing is timed."""
    rows = _strip_rows(graph, names)
    if not rows:
        return [], 0.0
    label_width = min(220.0, max(text_width(row[0], 12) for row in rows) + 12)
    left, right = MARGIN + label_width, width - MARGIN - 14
    bottom = top + 26 + len(rows) * _STRIP_ROW
    parts = [f'<g class="sg-strip"><text class="sg-head" x="{MARGIN}" y="{top + 14:.0f}">time</text>']
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x = left + tick * (right - left)
        parts.append(f'<line x1="{x:.1f}" y1="{top + 20:.1f}" x2="{x:.1f}" y2="{bottom:.1f}" stroke="#d5d9df"/>')
        parts.append(f'<text class="sg-tick" x="{x:.1f}" y="{top + 14:.1f}" text-anchor="middle">{tick:g}</text>')
    for i, (text, (start, end), fill, border, ids) in enumerate(rows):
        y = top + 24 + i * _STRIP_ROW
        x, length = left + start * (right - left), max(3.0, (end - start) * (right - left))
        hover = escape(f"{text}: {interval_text((start, end))}")
        name = escape(fit(text, 12, label_width))
        parts.append(
            f'<g class="sg-bar" data-nodes="{node_numbers(graph, ids)}"><title>{hover}</title>'
            f'<text x="{left - 10:.1f}" y="{y + 13:.1f}" text-anchor="end">{name}</text>'
            f'<rect x="{x:.1f}" y="{y + 2:.1f}" width="{length:.1f}" height="{_STRIP_ROW - 7:.1f}" rx="4" '
            f'fill="{fill}" stroke="{border}"/></g>'
        )
    parts.append("</g>")
    return parts, bottom - top + MARGIN


_SVG_STYLE = (
    ".sg text{font-family:system-ui,'Segoe UI','DejaVu Sans',Helvetica,Arial,sans-serif;fill:#2b2f36;font-size:12px}"
    ".sg .sg-name{font-size:14px;font-weight:600}.sg .sg-detail{font-size:11px}.sg .sg-label{font-size:11px}"
    ".sg .sg-head{font-size:12px;font-weight:600;fill:#4a515c}.sg .sg-tick{font-size:11px;fill:#4a515c}"
    ".sg path{fill:none;stroke-width:1.5}.sg .sg-contains path{stroke-width:1.1}"
)


def _node_svg(graph: SceneGraph, node: Node, box: Rectangle, names: dict[str, str]) -> str:
    fill, border, colour = COLOURS[node.type]
    detail = fit(detail_of(node, names), SMALL, box.width - 12)
    name = fit(title_of(node), FONT * 1.05, box.width - 12)
    x, y = box.x + box.width / 2, box.y + box.height / 2
    dashes = ' stroke-dasharray="5 3"' if node.negated else ""
    if is_added(node):
        # Empty and finely dotted: quieter than what was said, and its words as easy to read.
        fill, dashes = "#ffffff", ' stroke-dasharray="2 3"'
    hover = [f"{node.type}: {title_of(node)}", detail_of(node), f"id {clean(node.id)}"]
    if node.confidence < 1:
        hover.append(f"confidence {node.confidence:.2f}")
    name_y = y - 2 if detail else y + 5
    lines = (
        f'<text class="sg-name" x="{x:.1f}" y="{name_y:.1f}" text-anchor="middle" style="fill:{colour}">'
        f"{escape(name)}</text>"
    )
    if detail:
        lines += (
            f'<text class="sg-detail" x="{x:.1f}" y="{y + 12:.1f}" text-anchor="middle" style="fill:{colour}">'
            f"{escape(detail)}</text>"
        )
    return (
        f'<g class="sg-node" data-nodes="{node_numbers(graph, [node.id])}">'
        f"<title>{escape(' · '.join(word for word in hover if word))}</title>"
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="8" '
        f'fill="{fill}" stroke="{border}" stroke-width="1.5"{dashes}/>{lines}</g>'
    )


def _wire_svg(graph: SceneGraph, wire: Wire, names: dict[str, str], prefix: str) -> tuple[str, str]:
    """The line and the label of an edge; labels are drawn last, so that no line crosses them."""
    edge = wire.edge
    colour = LINE_COLOURS[edge.type]
    path = f"M{wire.curves[0][0][0]:.1f} {wire.curves[0][0][1]:.1f}"
    for _, b, c, d in wire.curves:
        path += f"C{b[0]:.1f} {b[1]:.1f} {c[0]:.1f} {c[1]:.1f} {d[0]:.1f} {d[1]:.1f}"
    arrow = "" if edge.type in ("contains", "has_attribute") else f' marker-end="url(#{prefix}-{edge.type})"'
    dashes = ' stroke-dasharray="4 3"' if edge.type == "coref" else ""
    nodes = node_numbers(graph, [edge.source, edge.target])
    hover = edge_sentence(edge, names)
    if edge.interval != FULL:
        hover += f", {interval_text(edge.interval)}"
    if edge.confidence < 1:
        hover += f", confidence {edge.confidence:.2f}"
    line = (
        f'<g class="sg-edge sg-{edge.type}" data-edge="{nodes}"><title>{escape(hover)}</title>'
        f'<path d="{path}" stroke="{colour}"{dashes}{arrow}/></g>'
    )
    if wire.label is None:
        return line, ""
    box = wire.label
    label = (
        f'<g class="sg-edge" data-edge="{nodes}"><title>{escape(hover)}</title>'
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="3" '
        f'fill="#ffffff" fill-opacity="0.92"/>'
        f'<text class="sg-label" x="{box.x + box.width / 2:.1f}" y="{box.y + 11.5:.1f}" text-anchor="middle" '
        f'style="fill:{colour}">{escape(wire.text)}</text></g>'
    )
    return line, label


def to_svg(graph: SceneGraph) -> str:
    """The graph as a self-contained SVG picture, with a strip of time below it.

    Columns from left to right are the scene, events (earliest on top), entities and attributes. Dashed boxes are
    negated, empty dotted ones assumed; titles that appear on hovering give ids, whole labels and confidences below 1.
    """
    names = distinct_names(graph)
    drawing = arrange(graph)
    width = max(drawing.width, 560.0)
    strip, strip_height = _strip_svg(graph, names, drawing.height + 4, width)
    height = drawing.height + strip_height + 4
    # Several drawings may stand in one page, so names of arrows and titles carry the graph's digest.
    prefix = "sg" + hashlib.sha256(graph.to_json().encode()).hexdigest()[:8]
    counts = ", ".join(f"{len(graph.of_type(kind))} {title}" for kind, title in TITLES.items() if kind != "scene")
    sentences = "; ".join(edge_sentence(e, names) for e in graph.edges if e.type != "contains")
    caption = clean(graph.caption) or "no caption"
    used = [kind for kind in LINE_COLOURS if any(wire.edge.type == kind for wire in drawing.wires)]
    markers = "".join(
        f'<marker id="{prefix}-{kind}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0L8 4L0 8z" style="fill:{LINE_COLOURS[kind]}"/></marker>'
        for kind in used
    )
    wires = [_wire_svg(graph, wire, names, prefix) for wire in drawing.wires]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-labelledby="{prefix}-title {prefix}-desc">',
        f'<title id="{prefix}-title">Scene graph: {escape(caption)}</title>',
        f'<desc id="{prefix}-desc">{escape(counts)}. {escape(sentences)}</desc>',
        f"<style>{_SVG_STYLE}</style><defs>{markers}</defs>",
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
    ]
    for kind, x, column_width in drawing.headings:
        parts.append(
            f'<text class="sg-head" x="{x + column_width / 2:.1f}" y="24" text-anchor="middle">{TITLES[kind]}</text>'
            f'<line x1="{x:.1f}" y1="32" x2="{x + column_width:.1f}" y2="32" stroke="{COLOURS[kind][1]}" '
            f'stroke-width="3" stroke-linecap="round"/>'
        )
    # The hierarchy is the palest and lies lowest.
    order = sorted(range(len(wires)), key=lambda i: drawing.wires[i].edge.type != "contains")
    parts += [wires[i][0] for i in order]
    parts += [_node_svg(graph, node, drawing.boxes[node.id], names) for node in graph.nodes]
    parts += [label for _, label in wires if label]
    return "\n".join([*parts, *strip, "</svg>"]) + "\n"
