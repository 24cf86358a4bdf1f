"""What drawings of a graph share: colours, and the words for nodes and edges.

Captions and labels may hold anything; characters that XML does not allow become visible stand-ins.
"""

from __future__ import annotations

import itertools
import re
import unicodedata

from mov_ai.graph.schema import FULL, Edge, Interval, Node, SceneGraph

#: Node type -> (fill, border, text); text on fill has a contrast of at least 7 to 1.
COLOURS = {
    "scene": ("#e8eaed", "#7b828c", "#2b2f36"),
    "event": ("#ffe3c2", "#d97706", "#5c2e00"),
    "entity": ("#d3e5fd", "#2f6fd0", "#0e2f66"),
    "attribute": ("#d8f1dd", "#2e8b4a", "#0f3d1f"),
}
#: Edge type -> line colour.
LINE_COLOURS = {
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
    "receiver": "#4d7c0f",
}
TITLES = {"scene": "scene", "event": "events", "entity": "entities", "attribute": "attributes"}
ROLES = ("agent", "patient", "receiver", "instrument", "location")

# What XML 1.0 cannot hold: controls except tab and line ends, surrogates, two non-characters.
NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def clean(text: str) -> str:
    """Text on one line that XML and terminals can hold: control characters become their pictures (U+2400...)."""
    one_line = re.sub(r"[\t\r\n\u2028\u2029]", " ", text)
    return NOT_XML.sub(lambda m: chr(0x2400 + ord(m[0])) if m[0] < " " else "\ufffd", one_line)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def interval_text(interval: Interval) -> str:
    """As "0–0.5"."""
    return f"{_number(interval[0])}–{_number(interval[1])}"


def is_added(node: Node) -> bool:
    """Whether a completer added the whole node."""
    return "label" in node.assumed


def marked(node: Node, field_name: str, text: str | None) -> str:
    """The text of a field, with a word that it was assumed; of nodes that were added, the node itself has the word."""
    return f"{text} (assumed)" if text and field_name in node.assumed and not is_added(node) else text or ""


def count_text(node: Node) -> str:
    """As " × 2"; "" for one."""
    return f" × {marked(node, 'count', str(node.count))}" if node.count > 1 else ""


def title_of(node: Node) -> str:
    """The first line of a node: its label, with how many, and whether it is not so."""
    return clean(("not " if node.negated else "") + node.label + count_text(node))


def detail_of(node: Node, names: dict[str, str] | None = None) -> str:
    """The small second line of a node: what it says besides its label; with `names`, the id where labels repeat."""
    words: list[str] = []
    if node.type == "scene":
        camera = (m.label if m.interval == FULL else f"{m.label} {interval_text(m.interval)}" for m in node.camera)
        texts = {"setting": node.setting, "camera": ", ".join(camera), "light": node.light}
        texts["style"] = ", ".join(node.style)
        words = [marked(node, name, text) for name, text in texts.items()]
    elif node.type == "event":
        words = [marked(node, name, getattr(node, name)) for name in ("direction", "manner")]
        words.append(marked(node, "interval", interval_text(node.interval)))
    elif node.type == "attribute":
        words = [marked(node, "kind", node.kind)]
    elif names is not None and names[node.id] != clean(node.label):
        words = [node.id]
    return clean(" · ".join(word for word in [*words, "assumed" if is_added(node) else ""] if word))


def distinct_names(graph: SceneGraph) -> dict[str, str]:
    """Node id -> label, with the id added where two nodes of a type would read the same."""
    titles = [(node.type, node.label) for node in graph.nodes]
    return {
        node.id: clean(f"{node.label} ({node.id})" if titles.count((node.type, node.label)) > 1 else node.label)
        for node in graph.nodes
    }


def own_interval(graph: SceneGraph, edge: Edge) -> str:
    """An edge's interval where it tells more than [0, 1] or than the interval of the event it starts from; else ""."""
    source = graph.node(edge.source)
    inherited = (FULL, source.interval) if source.type == "event" else (FULL,)
    return "" if edge.interval in inherited else interval_text(edge.interval)


def edge_text(graph: SceneGraph, edge: Edge) -> str:
    """The label of an edge in a drawing; "" for edges whose colour and place are clear without one."""
    if edge.type in ("spatial", "relation", "temporal"):
        words = edge.label or ""
    elif edge.type in ("contains", "has_attribute"):
        words = ""
    else:
        words = f"{edge.type}: {edge.label}" if edge.label else edge.type
    return clean(f"{words} {own_interval(graph, edge)}".strip())


def edge_sentence(edge: Edge, names: dict[str, str]) -> str:
    """An edge in words, as "ball → left of → cube"; `names` as `distinct_names`."""
    link = clean(edge.label) if edge.type in ("spatial", "relation", "temporal") and edge.label else edge.type
    label = f" ({clean(edge.label)})" if edge.label and link == edge.type else ""
    return f"{names[edge.source]} → {link}{label} → {names[edge.target]}"


def text_width(text: str, size: float) -> float:
    """Width of a line in a sans-serif font, an estimate on the large side."""
    return sum(size * _advance(character) for character in text)


def fit(text: str, size: float, width: float) -> str:
    """The text, or its beginning and an ellipsis, so that it is no wider than `width`."""
    if text_width(text, size) <= width:
        return text
    room = width - text_width("…", size)
    ends = itertools.accumulate(size * _advance(character) for character in text)
    return text[: sum(1 for _ in itertools.takewhile(lambda end: end <= room, ends))].rstrip() + "…"


def _advance(character: str) -> float:
    return 1.05 if unicodedata.east_asian_width(character) in "WF" else 0.58
