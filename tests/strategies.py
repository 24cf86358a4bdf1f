"""Hypothesis strategies shared by tests: valid scene graphs of every kind."""

from __future__ import annotations

from hypothesis import strategies as st

from mov_ai.graph import ALLEN_RELATIONS, ATTRIBUTE_KINDS, EDGE_TYPES, Edge, Node, SceneGraph
from mov_ai.graph.schema import ASSUMABLE, CameraMove

#: Any text without halves of surrogate pairs: control characters, markup, other scripts.
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
words = any_text.filter(lambda text: text.strip() != "")
_twentieths = st.tuples(st.integers(0, 19), st.integers(1, 20)).filter(lambda pair: pair[0] < pair[1])
intervals = _twentieths.map(lambda pair: (pair[0] / 20, pair[1] / 20))
confidences = st.floats(0, 1)


@st.composite
def scene_graphs(draw: st.DrawFn, max_nodes: int = 12, max_edges: int = 20) -> SceneGraph:
    """A valid scene graph of 1 to `max_nodes` nodes (at most 64), with any text in its caption and labels."""
    caption = draw(any_text)
    ids = draw(st.lists(any_text.filter(bool), min_size=1, max_size=max_nodes, unique=True))
    types = ["scene", *(draw(st.sampled_from(["event", "entity", "attribute"])) for _ in ids[1:])]
    nodes = [draw(_nodes(node_id, node_type, len(caption))) for node_id, node_type in zip(ids, types, strict=True)]
    edges = draw(st.lists(_edges(nodes), max_size=max_edges)) if len(nodes) > 1 else []
    graph = SceneGraph(caption, nodes, [edge for edge in edges if edge is not None])
    graph.validate()
    return graph


@st.composite
def _nodes(draw: st.DrawFn, node_id: str, node_type: str, caption_length: int) -> Node:
    stretch = st.tuples(st.integers(0, caption_length), st.integers(0, caption_length)).map(lambda p: (min(p), max(p)))
    values: dict[str, object] = {
        "label": draw(words),
        "span": draw(st.none() | stretch),
        "confidence": draw(confidences),
    }
    optional = st.none() | words
    if node_type != "scene":
        values["negated"] = draw(st.booleans())
    if node_type == "entity":
        values["count"] = draw(st.integers(1, 100))
    elif node_type == "attribute":
        values["kind"] = draw(st.sampled_from(ATTRIBUTE_KINDS))
    elif node_type == "event":
        values |= {"direction": draw(optional), "manner": draw(optional), "interval": draw(intervals)}
    else:
        values |= {name: draw(optional) for name in ("setting", "light")}
        values["style"] = tuple(draw(st.lists(words, max_size=2)))
        values["camera"] = tuple(draw(st.lists(st.builds(CameraMove, words, intervals), max_size=2)))
    values["assumed"] = draw(st.sampled_from([(), ("label",), (sorted(values.keys() & ASSUMABLE[node_type])[0],)]))
    return Node(node_id, node_type, **values)  # type: ignore[arg-type]


@st.composite
def _edges(draw: st.DrawFn, nodes: list[Node]) -> Edge | None:
    edge_type = draw(st.sampled_from(sorted(EDGE_TYPES)))
    sources, targets = EDGE_TYPES[edge_type]
    # `contains` goes down the list only, so that it never forms a circle.
    pairs = [
        (a.id, b.id)
        for i, a in enumerate(nodes)
        for j, b in enumerate(nodes)
        if a.type in sources and b.type in targets and (i < j if edge_type == "contains" else i != j)
    ]
    if not pairs:
        return None
    source, target = draw(st.sampled_from(pairs))
    if edge_type == "temporal":
        label: str | None = draw(st.sampled_from(ALLEN_RELATIONS))
    else:
        label = draw(words if edge_type in ("spatial", "relation") else st.none() | words)
    return Edge(source, target, edge_type, label, draw(intervals), draw(confidences))
