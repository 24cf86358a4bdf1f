"""The scene graph, schema version 2: nodes, edges, intervals, validation and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from mov_ai.errors import UsageError, shown
from mov_ai.graph.files import parse_json, read_json, write_json
from mov_ai.graph.time import ALLEN_RELATIONS, FULL, Interval

#: The version that is written, and those that are read; version 1 has no `assumed`.
VERSION, READABLE = 2, (1, 2)
MAX_NODES = 64
#: Characters of an id, a label or another word of a graph or a layout: as many as the longest prompt has.
MAX_WORD = 20_000
NODE_TYPES = ("scene", "event", "entity", "attribute")
#: "text" is what is written on a thing, word for word.
ATTRIBUTE_KINDS = ("color", "size", "material", "shape", "texture", "state", "other", "text")
#: Edge type -> (allowed source node types, allowed target node types).
EDGE_TYPES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "contains": (("scene", "event"), ("event", "entity")),
    "agent": (("event",), ("entity",)),
    "patient": (("event",), ("entity",)),
    "instrument": (("event",), ("entity",)),
    # A place on the screen is a place in the scene, as in "a cat on the lower left of the scene".
    "location": (("event", "entity"), ("entity", "scene")),
    "has_attribute": (("entity",), ("attribute",)),
    "spatial": (("entity",), ("entity",)),
    "relation": (("entity",), ("entity",)),
    "temporal": (("event",), ("event",)),
    "coref": (("entity",), ("entity",)),
    "receiver": (("event",), ("entity",)),
}
#: Edge types that must say what they mean in their label.
LABELLED_EDGES = ("spatial", "relation", "temporal")


@dataclass(frozen=True)
class CameraMove:
    """What the camera does or how it looks at the scene ("pan left", "close-up"), and while when."""

    label: str
    interval: Interval = FULL


@dataclass(frozen=True)
class Node:
    """One thing the caption speaks of.

    Attributes:
        id: unique in the graph.
        type: one of `NODE_TYPES`.
        label: verb lemma (event), head lemma (entity), value (attribute); free for the scene.
        span: character range [start, end) in the caption, or None when written by hand.
        confidence: parser's probability in [0, 1]; 1 when written by hand.
        negated: said not to be (events, entities, attributes).
        count: how many (entities), at least 1.
        kind: one of `ATTRIBUTE_KINDS` (attributes).
        direction: left, right, up, down, toward, away, around, ... (events).
        manner: adverb lemma (events).
        interval: when it holds, as fractions of the video, 0 <= start < end <= 1 (events).
        setting, light: free words (scene).
        camera: what the camera does (scene); a plain word is one move that lasts throughout.
        style: how it looks, one word or phrase each (scene); a plain word is a tuple of one.
        assumed: names of the fields that nobody said and that a world's completer filled in; ("label",) for a node
            that was added as a whole.
    """

    id: str
    type: str
    label: str
    span: tuple[int, int] | None = None
    confidence: float = 1.0
    negated: bool = False
    count: int = 1
    kind: str = "other"
    direction: str | None = None
    manner: str | None = None
    interval: Interval = FULL
    setting: str | None = None
    camera: tuple[CameraMove, ...] = ()
    light: str | None = None
    style: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("camera", "style"):
            value = getattr(self, name)
            if type(value) is tuple and not value:
                continue
            if value is None or isinstance(value, (str, CameraMove)):
                value = () if value is None else (value,)
            if name == "camera" and isinstance(value, tuple):
                value = tuple(CameraMove(move) if isinstance(move, str) else move for move in value)
            object.__setattr__(self, name, value)

    def words(self, name: str) -> tuple[Any, ...]:
        """The words of a field, one by one; none if it is not set."""
        value = getattr(self, name)
        values = value if isinstance(value, tuple) else () if value is None else (value,)
        return tuple(v.label if isinstance(v, CameraMove) else v for v in values)


@dataclass(frozen=True)
class Edge:
    """A typed, directed link `source -> target`, with the interval in which it holds."""

    source: str
    target: str
    type: str
    label: str | None = None
    interval: Interval = FULL
    confidence: float = 1.0


#: Fields that only some node types carry.
_OWNERS: dict[str, tuple[str, ...]] = {
    "negated": ("event", "entity", "attribute"),
    "count": ("entity",),
    "kind": ("attribute",),
    "direction": ("event",),
    "manner": ("event",),
    "interval": ("event",),
    "setting": ("scene",),
    "camera": ("scene",),
    "light": ("scene",),
    "style": ("scene",),
}
#: Node type -> the fields that a completer may fill in.
ASSUMABLE = {
    node_type: ("label", *(name for name, owners in _OWNERS.items() if node_type in owners and name != "negated"))
    for node_type in NODE_TYPES
}
_NODE_DEFAULTS = {f.name: f.default for f in fields(Node)}
_EDGE_DEFAULTS = {f.name: f.default for f in fields(Edge)}


@dataclass
class SceneGraph:
    """A directed, typed multigraph with time; the only thing that language hands to vision."""

    caption: str = ""
    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)

    # -- views ---------------------------------------------------------------------------------------------------

    def node(self, node_id: str) -> Node:
        """The node of that id. Raises KeyError if there is none."""
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise KeyError(node_id)

    def of_type(self, node_type: str) -> list[Node]:
        """Nodes of one type, in the order of the graph."""
        return [node for node in self.nodes if node.type == node_type]

    def edges_from(self, node_id: str, edge_type: str | None = None) -> list[Edge]:
        """Edges that leave a node, of one type if given."""
        return [e for e in self.edges if e.source == node_id and edge_type in (None, e.type)]

    def edges_to(self, node_id: str, edge_type: str | None = None) -> list[Edge]:
        """Edges that enter a node, of one type if given."""
        return [e for e in self.edges if e.target == node_id and edge_type in (None, e.type)]

    def attributes(self, entity_id: str) -> Iterator[tuple[Node, Edge]]:
        """An entity's attribute nodes, each with the edge (and so the interval) that holds it."""
        for edge in self.edges_from(entity_id, "has_attribute"):
            yield self.node(edge.target), edge

    # -- editing -------------------------------------------------------------------------------------------------

    def with_node(self, node_id: str, **changes: Any) -> SceneGraph:
        """A validated copy in which one node's fields are changed. Raises UsageError if there is no such node."""
        if all(node.id != node_id for node in self.nodes):
            raise UsageError(f"graph: no node has the id {node_id!r}; ids are {', '.join(n.id for n in self.nodes)}")
        nodes = [replace(node, **changes) if node.id == node_id else node for node in self.nodes]
        changed = SceneGraph(self.caption, nodes, list(self.edges))
        changed.validate()
        return changed

    # -- validation ----------------------------------------------------------------------------------------------

    def validate(self, source: str = "graph") -> None:
        """Check every rule of the schema. Raises UsageError `source: path: what was expected; what was found`."""
        types = self._validate_nodes(source)
        scenes = [n.id for n in self.nodes if n.type == "scene"]
        if len(scenes) != 1:
            raise UsageError(f"{source}: nodes: expected exactly one node of type 'scene', found {len(scenes)}")
        for i, edge in enumerate(self.edges):
            _validate_edge(edge, f"{source}: edges[{i}]", types)
        self._validate_hierarchy(source)

    def _validate_nodes(self, source: str) -> dict[str, str]:
        """Check each node by itself; returns id -> type."""
        _expect(is_text(self.caption), f"{source}: caption", "a string of whole Unicode characters", self.caption)
        if len(self.nodes) > MAX_NODES:
            raise UsageError(f"{source}: nodes: expected at most {MAX_NODES}, found {len(self.nodes)}; split the text")
        types: dict[str, str] = {}
        for i, node in enumerate(self.nodes):
            path = f"{source}: nodes[{i}]"
            _validate_node(node, path, len(self.caption))
            if node.id in types:
                raise UsageError(f"{path}.id: expected ids used once, found {node.id!r} twice")
            types[node.id] = node.type
        return types

    def _validate_hierarchy(self, source: str) -> None:
        children: dict[str, list[str]] = {}
        for edge in self.edges:
            if edge.type == "contains":
                children.setdefault(edge.source, []).append(edge.target)
        state: dict[str, int] = {}

        def visit(node_id: str) -> None:
            state[node_id] = 1
            for child in children.get(node_id, []):
                if state.get(child) == 1:
                    raise UsageError(f"{source}: edges: 'contains' must not form a circle, found one through {child!r}")
                if child not in state:
                    visit(child)
            state[node_id] = 2

        for node_id in children:
            if node_id not in state:
                visit(node_id)

    # -- JSON ----------------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; fields with default values are left out, `interval` of events is kept."""
        return {
            "version": VERSION,
            "caption": self.caption,
            "nodes": [_node_to_dict(node) for node in self.nodes],
            "edges": [_edge_to_dict(edge) for edge in self.edges],
        }

    def to_json(self, indent: int | None = 2) -> str:
        """The graph as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)

    def save(self, path: str | Path) -> None:
        """Write the graph as a JSON file, all or nothing. Raises MovAIError if it cannot be written."""
        write_json(path, self.to_dict())

    @classmethod
    def from_dict(cls, value: Any, source: str = "graph") -> SceneGraph:
        """Build and validate a graph from parsed JSON; a scene node is added if missing. UsageError as `validate`."""
        _expect(isinstance(value, dict), source, "an object with 'version', 'nodes' and 'edges'", value)
        _only_keys(value, ("version", "caption", "nodes", "edges"), source)
        version = value.get("version")
        is_readable = type(version) is int and version in READABLE
        _expect(is_readable, f"{source}: version", f"{' or '.join(map(str, READABLE))}, as the schema's", version)
        caption = value.get("caption", "")
        _expect(isinstance(caption, str), f"{source}: caption", "a string", caption)
        raw_nodes, raw_edges = value.get("nodes"), value.get("edges", [])
        _expect(isinstance(raw_nodes, list), f"{source}: nodes", "a list", raw_nodes)
        _expect(isinstance(raw_edges, list), f"{source}: edges", "a list", raw_edges)
        keys = tuple(name for name in _NODE_DEFAULTS if name != "assumed" or version != 1)
        nodes = [_node_from_dict(raw, keys, f"{source}: nodes[{i}]") for i, raw in enumerate(raw_nodes)]
        graph = cls(caption, nodes)
        # Before a scene is added, so that the numbers in a message are the reader's own.
        types = graph._validate_nodes(source)
        edges = [_edge_from_dict(raw, f"{source}: edges[{i}]") for i, raw in enumerate(raw_edges)]
        for i, edge in enumerate(edges):
            _validate_edge(edge, f"{source}: edges[{i}]", types)
        if "scene" not in types.values():
            if len(nodes) == MAX_NODES:
                raise UsageError(
                    f"{source}: nodes: expected at most {MAX_NODES - 1} beside the scene, which is added where none is "
                    f"given; found {len(nodes)}"
                )
            names = ("scene", *(f"scene{i}" for i in range(len(nodes))))
            scene_id = next(name for name in names if name not in types)
            nodes.insert(0, Node(scene_id, "scene", "scene"))
            edges = [Edge(scene_id, n.id, "contains") for n in nodes if n.type in ("event", "entity")] + edges
        graph.edges = edges
        graph.validate(source)
        return graph

    @classmethod
    def from_json(cls, text: str, source: str = "graph") -> SceneGraph:
        """Read a graph from JSON text. Raises UsageError as `from_dict`."""
        return cls.from_dict(parse_json(text, source), source)

    @classmethod
    def load(cls, path: str | Path) -> SceneGraph:
        """Read a graph file. Raises UsageError as `from_dict`, and if the file cannot be read."""
        return cls.from_dict(read_json(path), str(path))


def _expect(condition: bool, path: str, expected: str, value: Any) -> None:
    if not condition:
        raise UsageError(f"{path}: expected {expected}; found {shown(value)}")


def _only_keys(value: dict[str, Any], allowed: tuple[str, ...], path: str) -> None:
    for key in value:
        _expect(key in allowed, path, f"only the keys {', '.join(allowed)}", key)


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    # A whole number is finite whatever its size, and `math.isfinite` overflows on one with hundreds of digits.
    return isinstance(value, int) and not isinstance(value, bool)


def is_text(value: Any) -> bool:
    """Whether it is a string that a UTF-8 file can hold, as half of a surrogate pair is not."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def is_word(value: Any) -> bool:
    """Whether it is such a string with something to read, of at most `MAX_WORD` characters."""
    return isinstance(value, str) and len(value) <= MAX_WORD and is_text(value) and value.strip() != ""


def _validate_interval(interval: Any, path: str) -> None:
    good = (
        isinstance(interval, (tuple, list))
        and len(interval) == 2
        and all(_is_number(v) for v in interval)
        and 0 <= interval[0] < interval[1] <= 1
    )
    _expect(good, f"{path}.interval", "[start, end] with 0 <= start < end <= 1", interval)


def _validate_node(node: Node, path: str, caption_length: int) -> None:
    short_id = is_text(node.id) and 0 < len(node.id) <= MAX_WORD
    _expect(short_id, f"{path}.id", f"a non-empty string of at most {MAX_WORD} characters", node.id)
    _expect(node.type in NODE_TYPES, f"{path}.type", f"one of {', '.join(NODE_TYPES)}", node.type)
    expected = f"a non-empty string of at most {MAX_WORD} characters"
    _expect(is_word(node.label), f"{path}.label", expected, node.label)
    if node.span is not None:
        good = (
            isinstance(node.span, (tuple, list))
            and len(node.span) == 2
            and all(isinstance(v, int) and not isinstance(v, bool) for v in node.span)
            and 0 <= node.span[0] <= node.span[1] <= caption_length
        )
        expected = f"[start, end] within the caption's {caption_length} characters, or null"
        _expect(good, f"{path}.span", expected, node.span)
    _expect(_is_number(node.confidence) and 0 <= node.confidence <= 1, f"{path}.confidence", "0 to 1", node.confidence)
    _expect(isinstance(node.negated, bool), f"{path}.negated", "true or false", node.negated)
    good_count = isinstance(node.count, int) and not isinstance(node.count, bool) and node.count >= 1
    _expect(good_count, f"{path}.count", "a whole number from 1", node.count)
    _expect(node.kind in ATTRIBUTE_KINDS, f"{path}.kind", f"one of {', '.join(ATTRIBUTE_KINDS)}", node.kind)
    for name in ("direction", "manner", "setting", "light"):
        value = getattr(node, name)
        _expect(value is None or is_word(value), f"{path}.{name}", "a word or null", value)
    good_style = isinstance(node.style, tuple) and all(is_word(word) for word in node.style)
    _expect(good_style, f"{path}.style", "a word, a list of words or null", node.style)
    good_camera = isinstance(node.camera, tuple) and all(isinstance(m, CameraMove) for m in node.camera)
    expected = "a word, null, or a list of words and of objects with 'label' and 'interval'"
    _expect(good_camera and all(is_word(m.label) for m in node.camera), f"{path}.camera", expected, node.camera)
    for i, move in enumerate(node.camera):
        _validate_interval(move.interval, f"{path}.camera[{i}]")
    _validate_interval(node.interval, path)
    for name, owners in _OWNERS.items():
        if node.type not in owners and getattr(node, name) != _NODE_DEFAULTS[name]:
            raise UsageError(f"{path}.{name}: only {' and '.join(owners)} nodes carry it; this node is {node.type!r}")
    allowed = ASSUMABLE[node.type]
    good_names = isinstance(node.assumed, (tuple, list)) and all(name in allowed for name in node.assumed)
    expected = f"a list of fields of {node.type} nodes, each once ({', '.join(allowed)})"
    _expect(good_names and len({*node.assumed}) == len(node.assumed), f"{path}.assumed", expected, node.assumed)


def _validate_edge(edge: Edge, path: str, types: dict[str, str]) -> None:
    for end in ("source", "target"):
        node_id = getattr(edge, end)
        _expect(isinstance(node_id, str) and node_id in types, f"{path}.{end}", "the id of a node in 'nodes'", node_id)
    # A list or an object given as a type cannot be looked up.
    type_is_valid = isinstance(edge.type, str) and edge.type in EDGE_TYPES
    _expect(type_is_valid, f"{path}.type", f"one of {', '.join(EDGE_TYPES)}", edge.type)
    sources, targets = EDGE_TYPES[edge.type]
    for end, allowed in (("source", sources), ("target", targets)):
        node_type = types[getattr(edge, end)]
        _expect(node_type in allowed, f"{path}.{end}", f"a node of type {' or '.join(allowed)}", node_type)
    # "Two zebras next to each other" are one entity.
    if edge.type not in ("spatial", "relation"):
        _expect(edge.source != edge.target, f"{path}.target", "a node other than the source", edge.target)
    _expect(edge.label is None or is_word(edge.label), f"{path}.label", "a word or null", edge.label)
    if edge.type in LABELLED_EDGES:
        _expect(edge.label is not None, f"{path}.label", f"a label, as edges of type {edge.type!r} have", edge.label)
    if edge.type == "temporal":
        _expect(edge.label in ALLEN_RELATIONS, f"{path}.label", f"one of {', '.join(ALLEN_RELATIONS)}", edge.label)
    _validate_interval(edge.interval, path)
    _expect(_is_number(edge.confidence) and 0 <= edge.confidence <= 1, f"{path}.confidence", "0 to 1", edge.confidence)


def _node_to_dict(node: Node) -> dict[str, Any]:
    result: dict[str, Any] = {"id": node.id, "type": node.type, "label": node.label}
    for name, default in _NODE_DEFAULTS.items():
        if name in result:
            continue
        value = getattr(node, name)
        if value == default and not (name == "interval" and node.type == "event"):
            continue
        if name == "kind" and node.type != "attribute":
            continue
        if name in ("camera", "style"):
            result[name] = _words_to_json(value)
        else:
            result[name] = list(value) if isinstance(value, tuple) else value
    return result


def _words_to_json(values: tuple[str | CameraMove, ...]) -> Any:
    """One word as it is, several as a list; moves of the camera that do not last throughout with their interval."""
    written = [
        v if isinstance(v, str) else v.label if v.interval == FULL else {"label": v.label, "interval": [*v.interval]}
        for v in values
    ]
    return written[0] if len(written) == 1 and isinstance(written[0], str) else written


def _edge_to_dict(edge: Edge) -> dict[str, Any]:
    result: dict[str, Any] = {"source": edge.source, "target": edge.target, "type": edge.type}
    for name in ("label", "interval", "confidence"):
        value = getattr(edge, name)
        if value != _EDGE_DEFAULTS[name]:
            result[name] = list(value) if isinstance(value, tuple) else value
    return result


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _node_from_dict(raw: Any, keys: tuple[str, ...], path: str) -> Node:
    _expect(isinstance(raw, dict), path, "an object", raw)
    _only_keys(raw, keys, path)
    for key in ("id", "type", "label"):
        _expect(key in raw, path, f"a key {key!r}", raw)
    values = {key: _as_tuple(value) for key, value in raw.items()}
    if isinstance(values.get("camera"), tuple):
        values["camera"] = tuple(_move_from_json(move, f"{path}.camera[{i}]") for i, move in enumerate(raw["camera"]))
    node = Node(**values)
    _validate_interval(node.interval, path)
    return replace(node, interval=(float(node.interval[0]), float(node.interval[1])))


def _move_from_json(raw: Any, path: str) -> Any:
    if not isinstance(raw, dict):
        return raw
    _only_keys(raw, ("label", "interval"), path)
    interval = raw.get("interval", FULL)
    _validate_interval(interval, path)
    return CameraMove(raw.get("label", ""), (float(interval[0]), float(interval[1])))


def _edge_from_dict(raw: Any, path: str) -> Edge:
    _expect(isinstance(raw, dict), path, "an object", raw)
    _only_keys(raw, tuple(_EDGE_DEFAULTS), path)
    for key in ("source", "target", "type"):
        _expect(key in raw, path, f"a key {key!r}", raw)
    edge = Edge(**{key: _as_tuple(value) for key, value in raw.items()})
    _validate_interval(edge.interval, path)
    return replace(edge, interval=(float(edge.interval[0]), float(edge.interval[1])))
