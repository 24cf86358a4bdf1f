"""A scene graph as FACTUAL's triples."""

from __future__ import annotations

import re
from dataclasses import replace

from mov_ai.graph.inflection import IRREGULAR_PLURALS, inflect
from mov_ai.graph.schema import Edge, Node, SceneGraph

Triple = tuple[str, str, str]

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


#: "on the left-hand side of", "from the left of": a side of something, in any of its wordings.
_SIDE = re.compile(
    r"(?:(?:at|on|to|in|(from))\s+)?(?:(?:the|its|his|her|their)\s+)?(left|right)(?:\W*hand)?(?:\s+side)?(?:\s+of)?"
)


def relation_label(words: str) -> str:
    """A relation's label in a graph, by its words: sides are `left of`, `from left of` and so on, all else stays."""
    side = _SIDE.fullmatch(words)
    return words if side is None else f"{'from ' if side[1] else ''}{side[2]} of"


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
    and a receiver                                      `( man , to , boy )`, beside it
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
    their form, and a count is given only if the caption says it: "trees" alone are not two.
    """
    referents = {edge.source: edge.target for edge in graph.edges if edge.type == "coref"}

    def referent(node_id: str) -> Node:
        visited = {node_id}
        while referents.get(node_id) is not None and referents[node_id] not in visited:
            node_id = referents[node_id]
            visited.add(node_id)
        return graph.node(node_id)

    def name(node_id: str) -> str:
        return name_in_caption(graph.caption, referent(node_id))

    affirmed = {node.id for node in graph.nodes if not node.negated}
    relations = [
        edge
        for edge in graph.edges
        if edge.type in ("spatial", "relation") and edge.source in affirmed and edge.target in affirmed
    ]
    # FACTUAL's annotators give no count to entities that are related to each other ("two men facing each other").
    among = {edge.source for edge in relations if edge.source == edge.target}
    for event in graph.of_type("event"):
        agents, patients = ({e.target for e in graph.edges_from(event.id, role)} for role in ("agent", "patient"))
        places = {e.target for e in _places(graph, event)}
        among |= (agents or patients) & (places | (patients if agents else set()))
    triples: list[Triple] = []
    for node in graph.nodes:
        if node.id not in affirmed:
            continue
        if node.type == "entity":
            if node.count > 1 and node.id not in among and _caption_states_count(graph.caption, node):
                triples.append((name(node.id), "is", str(node.count)))
            for attribute, _ in graph.attributes(node.id):
                if attribute.id in affirmed:
                    triples.append((name(node.id), "is", attribute.label))
        elif node.type == "event":
            roles = {
                role: [e for e in graph.edges_from(node.id, role) if e.target in affirmed]
                for role in ("agent", "patient", "instrument")
            }
            roles["location"] = [e for e in _places(graph, node) if e.target in affirmed]
            doers = {e.target for e in (*roles["agent"], *roles["patient"])}
            in_relation = any(e.source in doers and (e.label or "").split()[:1] == [node.label] for e in relations)
            # "Two men facing each other": both ends of the triple are named in the singular.
            subjects = {e.target for e in roles["agent"] or roles["patient"]}
            objects = (*roles["location"], *(roles["patient"] if roles["agent"] else ()))
            both = subjects & {e.target for e in objects}
            named = {
                role: [(referent(e.target).label if e.target in both else name(e.target), e.label) for e in edges]
                for role, edges in roles.items()
            }
            triples += _event_triples(graph.caption, node, named, in_relation)
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


def _places(graph: SceneGraph, event: Node) -> list[Edge]:
    """Where an event is, and to whom something goes; not where on the screen."""
    edges = graph.edges_from(event.id, "location") + graph.edges_from(event.id, "receiver")
    named = [replace(e, label="to") if e.type == "receiver" and e.label is None else e for e in edges]
    return [edge for edge in named if graph.node(edge.target).type == "entity"]


def name_in_caption(caption: str, node: Node) -> str:
    """An entity's name, in the plural if the caption has it in the plural."""
    if node.span is None or not caption:
        return node.label
    spoken = caption[slice(*node.span)].lower().split()
    words = node.label.split()
    if node.count > 1 and len(spoken) == len(words) and spoken[:-1] == words[:-1] and _is_plural(spoken[-1], words[-1]):
        return " ".join(spoken)
    return node.label


def _is_plural(word: str, singular: str) -> bool:
    return word == IRREGULAR_PLURALS.get(singular) or (word.endswith("s") and word[:2] == singular[:2])


def _caption_states_count(caption: str, node: Node) -> bool:
    """Whether the words just before an entity's head say how many there are; always, where its words are unknown."""
    if node.span is None or not caption:
        return True
    before = re.findall(r"\w+", caption[: node.span[1]].lower())[-5:-1]
    return any(str(NUMBER_WORDS.get(word, word)) == str(node.count) for word in before)


def _event_triples(
    caption: str, event: Node, roles: dict[str, list[tuple[str, str | None]]], in_relation: bool
) -> list[Triple]:
    """The triples of one event; `in_relation`: a relation says it already, so it needs none of its own."""
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
    if not triples and not copula and not in_relation:
        spoken = caption[slice(*event.span)].lower() if event.span and caption else ""
        worded = spoken.endswith(("ing", "ed", "en")) and " " not in spoken
        form = spoken if worded else inflect(verb, "gerund" if agents else "participle")
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
