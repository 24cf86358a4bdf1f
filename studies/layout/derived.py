"""Facts that a graph says of its own boxes, by the words of `derived.yaml`.

For layouts that were made from graphs, as those of staged scenes: they show whether the judge accepts what is right.
The hand-written prompts of `data/layouts` have facts of their own. Words that the table does not know say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mov_ai.graph import Interval, Layout, Node, SceneGraph
from mov_ai.graph.time import FULL
from mov_ai.shipped_files import from_yaml
from studies.layout.cast import Cast
from studies.layout.facts import Fact
from studies.layout.predicates import WORDS

_TABLE: dict[str, Any] = from_yaml(Path(__file__).with_name("derived.yaml").read_text(encoding="utf-8"))
_PLACES = {*WORDS["x_places"], *WORDS["y_places"], *WORDS["middles"]}
_DIRECTIONS = {*WORDS["directions"], *WORDS["size_directions"]}
#: The part of a time at whose end something has come to its place, and at whose start it has not yet left it.
_END = 0.12
#: What is not there all the time: looked at over the whole video; the last two may have a side.
_COMING = ("appears", "vanishes", "enters", "leaves")


def own_cast(graph: SceneGraph, layout: Layout) -> Cast:
    """Everybody plays herself: names of actors are ids of nodes."""
    tracks: dict[str, list[tuple[str, int]]] = {node.id: [] for node in graph.of_type("entity")}
    for track in layout.tracks:
        tracks.setdefault(track.entity, []).append((track.entity, track.instance))
    labels = {node.label.replace(" ", "_") for node in graph.of_type("entity")}
    labelled = {
        label: tuple(
            one for node in graph.of_type("entity") for one in tracks[node.id] if node.label.replace(" ", "_") == label
        )
        for label in labels
    }
    return Cast({name: tuple(ones) for name, ones in tracks.items()}, labelled)


def derived_facts(graph: SceneGraph) -> list[Fact]:
    """What boxes must show of a graph; actors are ids of nodes. Where the camera moves, its facts are the only ones."""
    scene = graph.of_type("scene")[0]
    moves = [(move.interval, _TABLE["camera"].get(move.label)) for move in scene.camera]
    events = [event for event in graph.of_type("event") if not event.negated]
    if moves:
        # What moves on its own may go with the camera or against it.
        goes = any(event.direction or _ways(graph, event) for event in events)
        told = [(interval, words) for interval, words in moves if words and not goes]
        return [Fact(words[0], tuple(words[1:]), interval) for interval, words in told]
    facts = [*_presence(graph), *_places(graph, events)]
    for edge in graph.edges:
        name = _TABLE["relations"].get(edge.label or "") if edge.type in ("spatial", "relation") else None
        if name and not _moves(graph, {edge.source, edge.target}, edge.interval):
            facts.append(Fact(name, (edge.source, edge.target), edge.interval))
    for event in events:
        facts += _of_event(graph, event)
    negated = {node.id for node in graph.nodes if node.negated}
    return [fact for fact in dict.fromkeys(facts) if not negated & set(fact.args)]


def _presence(graph: SceneGraph) -> Iterator[Fact]:
    limited = {
        edge.target: edge.interval
        for edge in graph.edges
        if edge.type == "contains" and edge.interval != FULL and graph.node(edge.target).type == "entity"
    }
    for name, (start, end) in limited.items():
        yield Fact("present", (name,), (start, end))
        yield from [Fact("absent", (name,), (0.0, start))] if start > 0 else []
        yield from [Fact("absent", (name,), (end, 1.0))] if end < 1 else []
    comers = [node.id for node in graph.of_type("event") if _one(node) in _COMING]
    coming = {edge.target for name in comers for edge in graph.edges_from(name, "agent")}
    counts: dict[str, int] = {}
    for node in graph.of_type("entity"):
        if not node.negated:
            counts[node.label] = counts.get(node.label, 0) + node.count
    for label, count in counts.items():
        ids = {node.id for node in graph.of_type("entity") if node.label == label}
        if not ids & (set(limited) | coming):
            yield Fact("count", (label.replace(" ", "_"), str(count)), FULL)


def _places(graph: SceneGraph, events: list[Node]) -> Iterator[Fact]:
    for edge in graph.edges:
        if edge.type != "location" or graph.node(edge.target).type != "scene" or not _is_place(edge.label):
            continue
        source, place = graph.node(edge.source), str(edge.label)
        if source.type == "entity":
            start, end = edge.interval
            when = (start, start + _END * (end - start)) if _moves(graph, {source.id}, FULL) else edge.interval
            yield Fact("at", (source.id, place), when)
        elif source in events and not _one(source):
            start, end = source.interval
            for agent in graph.edges_from(source.id, "agent"):
                yield Fact("at", (agent.target, place), (end - _END * (end - start), end))


def _of_event(graph: SceneGraph, event: Node) -> Iterator[Fact]:
    agents = [edge.target for edge in graph.edges_from(event.id, "agent")]
    patients = [edge.target for edge in graph.edges_from(event.id, "patient")]
    two = _TABLE["verbs_of_two"].get(event.label)
    # What is thrown flies on, and what is caught has flown before.
    start, end = event.interval
    when = {"throws": (start, 1.0), "catches": (0.0, end)}.get(two or "", event.interval)
    others = {e.label for e in graph.edges_from(event.id, "location") if graph.node(e.target).type == "entity"}
    for agent in agents:
        yield from (Fact(two, (agent, patient), when) for patient in patients if two and patient != agent)
        if two == "rides":
            continue
        if not patients and _one(event) and not (_one(event) == "jumps" and others):
            sides = [str(e.label) for e in graph.edges_from(event.id, "location") if str(e.label) in WORDS["x_places"]]
            yield Fact(
                _one(event),
                (agent, *(sides[:1] if _one(event) in _COMING[2:] else ())),
                FULL if _one(event) in _COMING else event.interval,
            )
        for word, target in _ways(graph, event):
            name, moment = _TABLE["ways"][word]
            yield Fact(name, (agent, target), _moment(event.interval, moment))
        for edge in graph.edges_from(event.id, "location"):
            name = _TABLE["relations"].get(edge.label or "")
            if name and graph.node(edge.target).type == "entity":
                yield Fact(name, (agent, edge.target), _moment(event.interval, "end"))
    # "Toward the camera" or toward another; "down" or down from something.
    is_free = not others - {*_TABLE["relations"], *_TABLE["ways"]} and (
        event.direction not in WORDS["size_directions"] or not patients
    )
    if event.direction and is_free and not _one(event):
        goers = patients if event.label in _TABLE["sending"] else agents
        if event.direction in _DIRECTIONS:
            yield from (Fact("moves", (goer, event.direction), event.interval) for goer in goers)
        elif event.direction in _TABLE["directions"] and not patients and not _ways(graph, event):
            yield from (Fact(_TABLE["directions"][event.direction], (goer,), event.interval) for goer in goers)


def _one(event: Node) -> str:
    """The predicate of a verb that tells all about who does it; "" for others."""
    return str(_TABLE["verbs_of_one"].get(event.label, ""))


def _ways(graph: SceneGraph, event: Node) -> list[tuple[str, str]]:
    """Prepositions that tell a way, each with whose way it is."""
    edges = graph.edges_from(event.id, "location")
    return [(str(e.label), e.target) for e in edges if e.label in _TABLE["ways"]]


def _moves(graph: SceneGraph, names: set[str], interval: Interval) -> bool:
    """Whether an event in that time takes one of these elsewhere, or may do so."""
    for event in graph.of_type("event"):
        overlaps = event.interval[0] < interval[1] and event.interval[1] > interval[0]
        involved = {edge.target for edge in graph.edges_from(event.id) if edge.type in ("agent", "patient")}
        goes = event.direction or _ways(graph, event) or event.label in _TABLE["verbs_of_two"] or _one(event)
        to_place = any(graph.node(edge.target).type == "scene" for edge in graph.edges_from(event.id, "location"))
        if overlaps and names & involved and (goes or to_place):
            return True
    return False


def _moment(interval: Interval, moment: str) -> Interval | str:
    start, end = interval
    if moment == "once":
        return "once"
    edges = {"start": (start, start + _END * (end - start)), "end": (end - _END * (end - start), end)}
    return edges.get(moment, interval)


def _is_place(label: str | None) -> bool:
    return bool(label) and set(str(label).split()) <= _PLACES
