"""Verdicts on layouts: of solids by the table's rules and, where it has none, the stage's; of others by the stage's."""

from __future__ import annotations

from dataclasses import replace

from mov_ai.graph import Edge, Layout, Node, SceneGraph
from mov_ai.graph.layout_report import LayoutReport
from mov_ai.graph.time import FULL
from mov_ai.worlds.stage.meanings import stage_meanings
from mov_ai.worlds.stage.rules.report import judge
from mov_ai.worlds.tabletop import lexicon
from mov_ai.worlds.tabletop.layout_rules import score
from mov_ai.worlds.tabletop.meeting_rules import ON, stated_meetings
from mov_ai.worlds.tabletop.motions import motion_of
from mov_ai.worlds.tabletop.solids import is_of_solids


def verify(graph: SceneGraph, layout: Layout) -> LayoutReport:
    """Verdicts on a complete layout.

    A scene of solids is judged by the rules of the table. For what these have no words (places on the screen, times of
    being there, ways past another, relations as "between", comparisons) it is judged by the rules of the stage, as any
    other scene is. A camera's framing of solids is judged by neither.

    Raises:
        UsageError: if a drawn entity has no track, or a track has boxes that are not given.
    """
    if not is_of_solids(graph):
        return judge(graph, layout)
    report, foreign = score(graph, layout), _foreign(graph)
    if not foreign:
        return report
    staged = judge(graph, layout)
    events = [one for one in staged.events if one.source in foreign and one.satisfied is not None]
    done = {one.source for one in events}
    unknown = {(one.source, one.target) for one in report.relations if one.satisfied is None}
    relations = [one for one in staged.relations if (one.source, one.target) in unknown]
    related = {(one.source, one.target) for one in relations}
    places = [one for one in staged.places if one.source in foreign]
    presence = [one for one in staged.presence if one.source in foreign and one.kind == "there"]
    sizes = [one for one in staged.sizes if one.source in foreign and one.kind != "larger in life"]
    if not (events or relations or places or presence or sizes):
        return report
    return replace(
        report,
        events=(*(one for one in report.events if one.source not in done), *events),
        relations=(*(one for one in report.relations if (one.source, one.target) not in related), *relations),
        places=tuple(places),
        presence=tuple(presence),
        sizes=tuple(sizes),
        # Those who go past each other come nearer than the table's rules allow, and those who leave cross the edge.
        inside=staged.inside,
        hidden=staged.hidden,
        hidden_worst=staged.hidden_worst,
        touching=staged.touching,
    )


def _foreign(graph: SceneGraph) -> set[str]:
    """Events and entities of which something is told that the table's rules do not know."""
    nodes = {node.id: node for node in graph.nodes}
    meeting = {one.source for one in stated_meetings(graph)}
    found = set()
    for node in graph.of_type("event"):
        if node.negated:
            continue
        locations = graph.edges_from(node.id, "location")
        if any(nodes[edge.target].type == "scene" for edge in locations):
            # The place is the event's where its agents go there, and theirs where they stay.
            found |= {node.id, *(edge.target for edge in graph.edges_from(node.id, "agent"))}
        if node.id not in meeting and (
            locations or motion_of(node.label, node.direction) is None or _crosses_edge(node)
        ):
            found.add(node.id)
    return found | {
        edge.source if edge.type != "contains" else edge.target for edge in graph.edges if _odd(edge, nodes)
    }


def _odd(edge: Edge, nodes: dict[str, Node]) -> bool:
    """Whether an edge tells of an entity what the table's rules do not know."""
    entity = nodes[edge.target if edge.type == "contains" else edge.source]
    if entity.type != "entity" or entity.negated:
        return False
    label = (edge.label or "").lower()
    if edge.type in ("spatial", "relation"):
        return label not in ON and lexicon.concept("spatial", label) is None
    return edge.type == "location" or (edge.type == "contains" and edge.interval != FULL)


def _crosses_edge(event: Node) -> bool:
    """Whether an event tells that something comes into the frame, or goes out of it, by a side."""
    crossing = stage_meanings().verbs.get(event.label) in ("enter", "leave")
    return crossing and event.direction in (None, "left", "right")
