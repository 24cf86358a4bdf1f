"""A scene graph in Graphviz's language, and its placement by Graphviz's program where that is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from typing import Any

from mov_ai.graph.draw.placement import (
    BOX_HEIGHT,
    LABEL_HEIGHT,
    MARGIN,
    SMALL,
    TOP,
    Drawing,
    Point,
    Rectangle,
    Wire,
    box_width,
    columns_of,
    is_drawn,
    wire_text,
)
from mov_ai.graph.draw.words import COLOURS, LINE_COLOURS, clean, detail_of, edge_text, is_added, text_width, title_of
from mov_ai.graph.schema import SceneGraph

#: Seconds that Graphviz may take; hundreds of edges take it well under one.
_TIME_LIMIT = 5.0


def _dot_quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def to_dot(graph: SceneGraph) -> str:
    """The graph in Graphviz's DOT language; nodes are named n0, n1, ... in the order of the graph."""
    index = {node.id: f"n{i}" for i, node in enumerate(graph.nodes)}
    lines = [
        "digraph scene_graph {",
        f"  graph [rankdir=LR, label={_dot_quote(clean(graph.caption))}, labelloc=t];",
        '  node [shape=box, style="rounded,filled", fontname="sans-serif"];',
        '  edge [fontname="sans-serif", fontsize=10];',
    ]
    for node in graph.nodes:
        fill, border, text = COLOURS[node.type]
        detail = detail_of(node)
        # The line break is DOT's own escape, so it joins parts that are quoted already.
        label = _dot_quote(title_of(node))[:-1] + (r"\n" + _dot_quote(detail)[1:] if detail else '"')
        look = ["rounded"] + ["filled"] * (not is_added(node)) + ["dashed"] * (node.negated or is_added(node))
        style = "" if look == ["rounded", "filled"] else f', style="{",".join(look)}"'
        colours = f'fillcolor="{fill}", color="{border}", fontcolor="{text}"'
        lines.append(f"  {index[node.id]} [label={label}, tooltip={_dot_quote(clean(node.id))}, {colours}{style}];")
    for edge in graph.edges:
        style = ", style=dashed" if edge.type in ("contains", "coref") else ""
        colour = f'color="{LINE_COLOURS[edge.type]}"'
        ends = f"{index[edge.source]} -> {index[edge.target]}"
        lines.append(f"  {ends} [label={_dot_quote(edge_text(graph, edge))}, tooltip={edge.type}, {colour}{style}];")
    return "\n".join([*lines, "}"]) + "\n"


def arrange(graph: SceneGraph) -> Drawing | None:
    """Place nodes, edges and edge labels by Graphviz's `dot`; None if it is not installed, fails or is too slow."""
    program = shutil.which("dot")
    if program is None:
        return None
    try:
        run = subprocess.run(
            [program, "-Tjson0"],
            input=_layout_request(graph).encode(),
            capture_output=True,
            timeout=_TIME_LIMIT,
            check=True,
        )
        return _drawing(graph, json.loads(run.stdout))
    except (OSError, subprocess.SubprocessError, ValueError, LookupError, TypeError):
        return None


def _layout_request(graph: SceneGraph) -> str:
    """The graph in DOT with sizes only: an inch, 72 points, stands for 72 pixels."""
    index = {node.id: f"n{i}" for i, node in enumerate(graph.nodes)}
    kinds = {node.id: node.type for node in graph.nodes}
    lines = [
        "digraph {",
        "  graph [rankdir=LR, nodesep=0.17, ranksep=0.7];",
        f'  node [shape=box, fixedsize=true, label="", height={BOX_HEIGHT / 72:.3f}];',
        f"  edge [arrowhead=none, fontsize={SMALL}];",
    ]
    columns = columns_of(graph)
    for kind in columns:
        nodes = graph.of_type(kind)
        if kind == "event":
            nodes = sorted(nodes, key=lambda node: node.interval)
        width = box_width(graph, kind) / 72
        lines += [f"  {index[node.id]} [width={width:.3f}];" for node in nodes]
        lines.append(f"  {{rank=same; {'; '.join(index[node.id] for node in nodes)}}}")
        if kind == "event" and len(nodes) > 1:
            # Edges within a column give its order: a reader goes down the column as the video goes on.
            lines.append(f"  {' -> '.join(index[node.id] for node in nodes)} [style=invis];")
    firsts = [index[graph.of_type(kind)[0].id] for kind in columns]
    lines.append(f"  {' -> '.join(firsts)} [style=invis, weight=0];" if len(firsts) > 1 else "")
    for i, edge in enumerate(graph.edges):
        if is_drawn(graph, edge):
            # A stand-in as wide as the text: the program knows neither our font nor every script.
            text = "x" * round(text_width(wire_text(graph, edge), SMALL) / (0.5 * SMALL))
            within = ", constraint=false" if kinds[edge.source] == kinds[edge.target] else ""
            lines.append(f'  {index[edge.source]} -> {index[edge.target]} [id="{i}", label="{text}"{within}];')
    return "\n".join([*lines, "}"])


def _drawing(graph: SceneGraph, placed: dict[str, Any]) -> Drawing:
    """What Graphviz answered, in our units: y down, the first column at the margin."""
    left, _, _, top = _numbers(placed["bb"])

    def point(x: float, y: float) -> Point:
        return x - left + MARGIN, top - y + TOP

    drawing = Drawing()
    for thing in placed["objects"]:
        if "pos" not in thing:  # a group of nodes of one column
            continue
        node = graph.nodes[int(thing["name"][1:])]
        x, y = point(*_numbers(thing["pos"]))
        width = box_width(graph, node.type)
        drawing.boxes[node.id] = Rectangle(x - width / 2, y - BOX_HEIGHT / 2, width, BOX_HEIGHT)
    for link in placed.get("edges", ()):
        if "id" not in link:
            continue
        edge = graph.edges[int(link["id"])]
        points = [point(*_numbers(pair)) for pair in link["pos"].split()]
        curves = [(points[i], points[i + 1], points[i + 2], points[i + 3]) for i in range(0, len(points) - 3, 3)]
        wire = Wire(edge, curves, wire_text(graph, edge))
        if wire.text and "lp" in link:
            x, y = point(*_numbers(link["lp"]))
            width = text_width(wire.text, SMALL) + 8
            wire.label = Rectangle(x - width / 2, y - LABEL_HEIGHT / 2, width, LABEL_HEIGHT)
        drawing.wires.append(wire)
    for kind in columns_of(graph):
        x = min(drawing.boxes[node.id].x for node in graph.of_type(kind))
        drawing.headings.append((kind, x, box_width(graph, kind)))
    things = [*drawing.boxes.values(), *(wire.label for wire in drawing.wires if wire.label is not None)]
    ends = [end for wire in drawing.wires for curve in wire.curves for end in curve]
    drawing.width = max([thing.x + thing.width for thing in things] + [x for x, _ in ends]) + MARGIN
    drawing.height = max([thing.y + thing.height for thing in things] + [y for _, y in ends]) + MARGIN
    return drawing


def _numbers(text: str) -> Iterable[float]:
    return (float(number) for number in text.split(","))
