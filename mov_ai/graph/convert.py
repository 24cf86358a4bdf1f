"""Views of a scene graph: networkx (lossless), torch-geometric tensors, FACTUAL's triples."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING

from mov_ai.errors import UsageError
from mov_ai.graph.schema import ATTRIBUTE_KINDS, EDGE_TYPES, FULL, NODE_TYPES, VERSION, Edge, Node, SceneGraph

if TYPE_CHECKING:
    import networkx as nx
    from torch_geometric.data import Data

Triple = tuple[str, str, str]

_EDGE_TYPE_NAMES = tuple(EDGE_TYPES)
#: Verbs that FACTUAL leaves out in favour of the preposition: "a cat is on a mat" is `( cat , on , mat )`.
_COPULAS = ("be", "is")
#: Participles that no rule gives, for the verbs that captions use of things done to them.
_IRREGULAR_PARTICIPLES = {
    "bend": "bent", "break": "broken", "build": "built", "buy": "bought", "catch": "caught", "cut": "cut",
    "draw": "drawn", "drive": "driven", "eat": "eaten", "feed": "fed", "find": "found", "fly": "flown",
    "give": "given", "hang": "hung", "hide": "hidden", "hit": "hit", "hold": "held", "keep": "kept", "lay": "laid",
    "leave": "left", "light": "lit", "make": "made", "pay": "paid", "put": "put", "read": "read", "ride": "ridden",
    "see": "seen", "sell": "sold", "set": "set", "shake": "shaken", "show": "shown", "shut": "shut", "split": "split",
    "spread": "spread", "take": "taken", "tear": "torn", "throw": "thrown", "wear": "worn", "write": "written",
}  # fmt: skip


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
    entity with a count above 1                         `( ball , is , 2 )`
    attribute                                           `( ball , is , red )`
    spatial or relation edge                            `( ball , left of , cube )`
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
    """
    referents = {edge.source: edge.target for edge in graph.edges if edge.type == "coref"}

    def name(node_id: str) -> str:
        seen = {node_id}
        while referents.get(node_id) is not None and referents[node_id] not in seen:
            node_id = referents[node_id]
            seen.add(node_id)
        return graph.node(node_id).label

    affirmed = {node.id for node in graph.nodes if not node.negated}
    triples: list[Triple] = []
    for node in graph.nodes:
        if node.id not in affirmed:
            continue
        if node.type == "entity":
            if node.count > 1:
                triples.append((name(node.id), "is", str(node.count)))
            for attribute, _ in graph.attributes(node.id):
                if attribute.id in affirmed:
                    triples.append((name(node.id), "is", attribute.label))
        elif node.type == "event":
            roles = {
                role: [(name(e.target), e.label) for e in graph.edges_from(node.id, role) if e.target in affirmed]
                for role in ("agent", "patient", "location", "instrument")
            }
            triples += _event_triples(node.label, roles)
    for edge in graph.edges:
        if edge.type in ("spatial", "relation") and edge.source in affirmed and edge.target in affirmed:
            triples.append((name(edge.source), edge.label or "", name(edge.target)))
    spoken_of = {head for head, _, _ in triples} | {tail for _, predicate, tail in triples if predicate != "is"}
    alone = [name(node.id) for node in graph.of_type("entity") if node.id in affirmed]
    return list(dict.fromkeys(triples + [(label, "", "") for label in alone if label not in spoken_of]))


def _event_triples(verb: str, roles: dict[str, list[tuple[str, str | None]]]) -> list[Triple]:
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
    if not triples and not copula:
        participle = present_participle if agents else past_participle
        triples = [(subject, "is", participle(verb)) for subject in subjects]
    return triples


def triples_to_text(triples: list[Triple]) -> str:
    """Triples as FACTUAL writes them: `( ball , is , red ) , ( man , hold , cup ) , ( sky )`.

    Commas and brackets inside a word would end it early, so they become spaces.
    """
    written = []
    for triple in triples:
        words = [re.sub(r"[\s,()]+", " ", word).strip() for word in triple]
        written.append(f"( {' , '.join(word for word in words if word)} )")
    return " , ".join(written)


def present_participle(verb: str) -> str:
    """The -ing form of an English verb lemma; of its first word, if there are several ("pick up" -> "picking up")."""
    first, space, rest = verb.partition(" ")
    if first.endswith("ie"):
        stem = first[:-2] + "y"
    elif re.search(r"[^eoy]e$", first) and len(first) > 2:
        stem = first[:-1]
    else:
        stem = _doubled(first)
    return f"{stem}ing{space}{rest}"


def past_participle(verb: str) -> str:
    """The past participle of an English verb lemma; of its first word, if there are several."""
    first, space, rest = verb.partition(" ")
    if first in _IRREGULAR_PARTICIPLES:
        form = _IRREGULAR_PARTICIPLES[first]
    elif first.endswith("e"):
        form = first + "d"
    elif re.search(r"[^aeiou]y$", first):
        form = first[:-1] + "ied"
    else:
        form = _doubled(first) + "ed"
    return f"{form}{space}{rest}"


def _doubled(verb: str) -> str:
    # One syllable that ends in consonant, vowel, consonant: sit -> sitt(ing), stop -> stopp(ed).
    return verb + verb[-1] if re.fullmatch(r"(?:[^aeiou]+|[^aeiou]*qu)[aeiou][^aeiouwxy]", verb) else verb
