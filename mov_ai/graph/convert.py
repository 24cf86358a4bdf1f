"""Views of a scene graph: networkx (lossless), torch-geometric tensors, FACTUAL's triples."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING

from mov_ai.errors import UsageError
from mov_ai.graph.inflection import IRREGULAR_PLURALS, inflect
from mov_ai.graph.schema import ATTRIBUTE_KINDS, EDGE_TYPES, FULL, NODE_TYPES, VERSION, Edge, Node, SceneGraph

if TYPE_CHECKING:
    import networkx as nx
    from torch_geometric.data import Data

Triple = tuple[str, str, str]

_EDGE_TYPE_NAMES = tuple(EDGE_TYPES)
#: Verbs that FACTUAL leaves out in favour of the preposition: "a cat is on a mat" is `( cat , on , mat )`.
_COPULAS = ("be", "is")
#: How FACTUAL words spatial relations that the graph names otherwise.
FACTUAL_WORDINGS = {"left of": "at the left of", "right of": "on the right side of"}
#: Number words, as captions say how many there are.
NUMBER_WORDS = {
    word: number
    for number, word in enumerate(
        (
            *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
            *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
        ),
        start=1,
    )
}


def to_networkx(graph: SceneGraph) -> nx.MultiDiGraph:
    """The graph as networkx's, without loss.

    Returns:
        Nodes are the ids, with the fields of `Node` (less `id`) as attributes; edge keys are positions in
        `graph.edges`, with `type`, `label`, `interval`, `confidence` as attributes; `graph["caption"]`.
    """
    import networkx as nx

    result = nx.MultiDiGraph(caption=graph.caption, version=VERSION)
    for node in graph.nodes:
        result.add_node(node.id, **{f.name: getattr(node, f.name) for f in fields(Node) if f.name != "id"})
    for position, edge in enumerate(graph.edges):
        values = {f.name: getattr(edge, f.name) for f in fields(Edge) if f.name not in ("source", "target")}
        result.add_edge(edge.source, edge.target, key=position, **values)
    return result


def from_networkx(graph: nx.MultiDiGraph) -> SceneGraph:
    """A scene graph from networkx's; attributes left out take their defaults, a missing scene node is added.

    Whole-number edge keys give the order of the edges, as `to_networkx` writes them.

    Raises:
        UsageError: if `graph` is not a directed multigraph, or does not follow the schema.
    """
    if not (graph.is_directed() and graph.is_multigraph()):
        raise UsageError(f"networkx: expected a MultiDiGraph; found {type(graph).__name__}")
    edges = list(graph.edges(keys=True, data=True))
    if all(isinstance(key, int) for _, _, key, _ in edges):
        edges.sort(key=lambda edge: edge[2])
    value = {
        "version": graph.graph.get("version", VERSION),
        "caption": graph.graph.get("caption", ""),
        "nodes": [{"id": node_id, **values} for node_id, values in graph.nodes(data=True)],
        "edges": [{"source": source, "target": target, **values} for source, target, _, values in edges],
    }
    return SceneGraph.from_dict(value, "networkx")


def node_interval(graph: SceneGraph, node: Node) -> tuple[float, float]:
    """When a node holds, within [0, 1].

    An event has its own interval; an attribute holds from the first start to the last end of the `has_attribute`
    edges that lead to it; scenes, entities and attributes of nothing hold throughout.
    """
    if node.type == "event":
        return node.interval
    held = [edge.interval for edge in graph.edges_to(node.id, "has_attribute")]
    return (min(start for start, _ in held), max(end for _, end in held)) if held else FULL


def to_pyg(graph: SceneGraph, reverse: bool = False) -> Data:
    """The graph as one homogeneous torch-geometric `Data`, N nodes and E edges, in the order of the graph.

    Args:
        graph: a valid scene graph.
        reverse: also add every edge backwards, after all others, with type + len(EDGE_TYPES); E doubles.

    Returns:
        `Data` with
        - `node_type` (N,) int64, index into `NODE_TYPES`;
        - `interval` (N, 2) float32 in [0, 1], as `node_interval`;
        - `count` (N,) int64 from 1 (capped at 2^31 - 1); `negated` (N,) bool; `confidence` (N,) float32 in [0, 1];
        - `kind` (N,) int64, index into `ATTRIBUTE_KINDS`, -1 for nodes that are no attribute;
        - `node_id`, `label`, `direction`, `manner`: lists of N strings, "" where there is none;
        - `edge_index` (2, E) int64; `edge_type` (E,) int64, index into the keys of `EDGE_TYPES`;
        - `edge_interval` (E, 2) float32 in [0, 1]; `edge_confidence` (E,) float32;
        - `edge_label`: list of E strings, "" where there is none;
        - `caption`: string.
    """
    import torch
    from torch_geometric.data import Data

    position = {node.id: i for i, node in enumerate(graph.nodes)}
    nodes, edges = graph.nodes, graph.edges
    kinds = [ATTRIBUTE_KINDS.index(node.kind) if node.type == "attribute" else -1 for node in nodes]
    pairs = [(position[edge.source], position[edge.target]) for edge in edges]
    types = [_EDGE_TYPE_NAMES.index(edge.type) for edge in edges]
    if reverse:
        pairs = pairs + [(target, source) for source, target in pairs]
        types = types + [edge_type + len(EDGE_TYPES) for edge_type in types]
        edges = edges + edges
    return Data(
        num_nodes=len(nodes),
        node_type=torch.tensor([NODE_TYPES.index(node.type) for node in nodes], dtype=torch.long),
        interval=torch.tensor([node_interval(graph, node) for node in nodes], dtype=torch.float32).reshape(-1, 2),
        count=torch.tensor([min(node.count, 2**31 - 1) for node in nodes], dtype=torch.long),
        negated=torch.tensor([node.negated for node in nodes], dtype=torch.bool),
        confidence=torch.tensor([node.confidence for node in nodes], dtype=torch.float32),
        kind=torch.tensor(kinds, dtype=torch.long),
        node_id=[node.id for node in nodes],
        label=[node.label for node in nodes],
        direction=[node.direction or "" for node in nodes],
        manner=[node.manner or "" for node in nodes],
        edge_index=torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).t().contiguous(),
        edge_type=torch.tensor(types, dtype=torch.long),
        edge_interval=torch.tensor([edge.interval for edge in edges], dtype=torch.float32).reshape(-1, 2),
        edge_confidence=torch.tensor([edge.confidence for edge in edges], dtype=torch.float32),
        edge_label=[edge.label or "" for edge in edges],
        caption=graph.caption,
    )


def to_triples(graph: SceneGraph) -> list[Triple]:
    """The graph projected onto FACTUAL's triples (head, predicate, tail), in the order of the graph, each once.

    What FACTUAL's annotators write, seen in its training set, decides:

    ==================================================  ================================================
    in the graph                                        triple
    ==================================================  ================================================
    entity with a count above 1                         `( balls , is , 2 )`
    attribute                                           `( ball , is , red )`
    spatial or relation edge                            `( ball , behind , cube )`
    spatial edge "left of", "right of"                  `( ball , at the left of , cube )`
    event with agent and patient                        `( man , hold , cup )`
    and a location                                      `( man , on , grass )`, beside it
    and an instrument                                   `( man , hit with , bat )`, beside it
    event with agent (or only patient) and location     `( man , stand on , grass )`, `( car , park on , street )`
    event with only agents                              `( ball , is , rolling )`
    event with only patients                            `( car , is , parked )`
    entity in no other triple                           `(ball, "", "")`, in text `( ball )`
    ==================================================  ================================================

    The preposition is the label of the `location` or `instrument` edge ("with" for instruments, nothing for locations
    that have none); "be" as an event leaves only the preposition. Time, direction, manner and the scene are not in
    FACTUAL and are left out; so is what is negated ("a sky with no clouds" is `( sky )`). A mention with a `coref`
    edge goes by the name of what it refers to.

    Where the graph has spans, entities keep their number ("trees", whose label is "tree"), verbs without an object
    their form, and a count is told only if the caption says it: "trees" alone are not two.
    """
    referents = {edge.source: edge.target for edge in graph.edges if edge.type == "coref"}

    def referent(node_id: str) -> Node:
        seen = {node_id}
        while referents.get(node_id) is not None and referents[node_id] not in seen:
            node_id = referents[node_id]
            seen.add(node_id)
        return graph.node(node_id)

    def name(node_id: str) -> str:
        return said_name(graph.caption, referent(node_id))

    affirmed = {node.id for node in graph.nodes if not node.negated}
    relations = [
        edge
        for edge in graph.edges
        if edge.type in ("spatial", "relation") and edge.source in affirmed and edge.target in affirmed
    ]
    # Who does something to each other has no number with FACTUAL's annotators.
    among = {edge.source for edge in relations if edge.source == edge.target}
    for event in graph.of_type("event"):
        agents, patients, places = (
            {e.target for e in graph.edges_from(event.id, role)} for role in ("agent", "patient", "location")
        )
        among |= (agents or patients) & (places | (patients if agents else set()))
    triples: list[Triple] = []
    for node in graph.nodes:
        if node.id not in affirmed:
            continue
        if node.type == "entity":
            if node.count > 1 and node.id not in among and _count_is_said(graph.caption, node):
                triples.append((name(node.id), "is", str(node.count)))
            for attribute, _ in graph.attributes(node.id):
                if attribute.id in affirmed:
                    triples.append((name(node.id), "is", attribute.label))
        elif node.type == "event":
            roles = {
                role: [e for e in graph.edges_from(node.id, role) if e.target in affirmed]
                for role in ("agent", "patient", "location", "instrument")
            }
            doers = {e.target for e in (*roles["agent"], *roles["patient"])}
            told = any(e.source in doers and (e.label or "").split()[:1] == [node.label] for e in relations)
            # "Two men facing each other": one of them does it to one of them.
            subjects = {e.target for e in roles["agent"] or roles["patient"]}
            objects = (*roles["location"], *(roles["patient"] if roles["agent"] else ()))
            both = subjects & {e.target for e in objects}
            named = {
                role: [(referent(e.target).label if e.target in both else name(e.target), e.label) for e in edges]
                for role, edges in roles.items()
            }
            triples += _event_triples(graph.caption, node, named, told)
    for edge in relations:
        ends = [name(end) for end in (edge.source, edge.target)]
        if edge.source == edge.target:
            ends = [referent(edge.source).label] * 2
        label = edge.label or ""
        triples.append((ends[0], FACTUAL_WORDINGS.get(label, label) if edge.type == "spatial" else label, ends[1]))
    spoken_of = {head for head, _, _ in triples} | {tail for _, predicate, tail in triples if predicate != "is"}
    entities = [node for node in graph.of_type("entity") if node.id in affirmed]
    labels = {node.label for node in entities} & spoken_of
    alone = [name(node.id) for node in entities if referent(node.id).label not in labels]
    return list(dict.fromkeys(triples + [(label, "", "") for label in alone if label not in spoken_of]))


def said_name(caption: str, node: Node) -> str:
    """An entity's name in the number that the caption says it in."""
    if node.span is None or not caption:
        return node.label
    said = caption[slice(*node.span)].lower().split()
    words = node.label.split()
    if node.count > 1 and len(said) == len(words) and said[:-1] == words[:-1] and _is_plural(said[-1], words[-1]):
        return " ".join(said)
    return node.label


def _is_plural(word: str, singular: str) -> bool:
    return word == IRREGULAR_PLURALS.get(singular) or (word.endswith("s") and word[:2] == singular[:2])


def _count_is_said(caption: str, node: Node) -> bool:
    """Whether the words just before an entity's head say how many there are; always, where its words are unknown."""
    if node.span is None or not caption:
        return True
    before = re.findall(r"\w+", caption[: node.span[1]].lower())[-5:-1]
    return any(str(NUMBER_WORDS.get(word, word)) == str(node.count) for word in before)


def _event_triples(
    caption: str, event: Node, roles: dict[str, list[tuple[str, str | None]]], told: bool
) -> list[Triple]:
    """The triples of one event; `told`: a relation tells of it already, so it needs no triple of its own."""
    verb = event.label
    agents, patients = [name for name, _ in roles["agent"]], [name for name, _ in roles["patient"]]
    triples = [(agent, verb, patient) for agent in agents for patient in patients]
    copula = verb in _COPULAS
    subjects = agents or patients
    for subject in subjects:
        for place, preposition in roles["location"]:
            words = [preposition or ""] if copula or (agents and patients) else [verb, preposition or ""]
            triples.append((subject, " ".join(word for word in words if word) or verb, place))
        for tool, preposition in roles["instrument"]:
            triples.append((subject, f"{verb} {preposition or 'with'}", tool))
    if not triples and not copula and not told:
        said = caption[slice(*event.span)].lower() if event.span and caption else ""
        worded = said.endswith(("ing", "ed", "en")) and " " not in said
        form = said if worded else inflect(verb, "gerund" if agents else "participle")
        triples = [(subject, "is", form) for subject in subjects]
    return triples


def triples_to_text(triples: list[Triple]) -> str:
    """Triples as FACTUAL writes them: `( ball , is , red ) , ( man , hold , cup ) , ( sky )`.

    Commas and brackets inside a word would end it early, so they become spaces; a triple with a word of nothing else is
    left out.
    """
    written = []
    for triple in triples:
        words = [re.sub(r"[\s,()]+", " ", word).strip() for word in triple]
        if any(word and not kept for word, kept in zip(triple, words, strict=True)):
            continue  # nothing but commas and brackets
        written.append(f"( {' , '.join(word for word in words if word)} )")
    return " , ".join(written)
