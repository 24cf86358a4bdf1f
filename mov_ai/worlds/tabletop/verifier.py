"""Verdicts on layouts: the table's rules for its solids and their motions, the stage's for whatever else is told."""

from __future__ import annotations

from dataclasses import replace

from mov_ai.graph import Layout, Node, SceneGraph
from mov_ai.graph.layout_report import LayoutReport, Verdict
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

    A scene of solids is judged by the rules of the table. What these do not know (places on the screen, times of being
    there, ways past another, relations as "between") and any other scene are judged by the rules of the stage. Raises
    UsageError if a drawn entity has no track, or a track has boxes that are not given.
    """
    if not is_of_solids(graph):
        return judge(graph, layout)
    report, foreign = score(graph, layout), _foreign(graph)
    if not foreign:
        return report
    staged = judge(graph, layout)
    own = {verdict.source for verdict in staged.events if verdict.source in foreign and verdict.satisfied is not None}
    relations = {
        (verdict.source, verdict.target): verdict
        for verdict in staged.relations
        if verdict.source in foreign and verdict.satisfied is not None
    }

    def of_stage(verdicts: tuple[Verdict, ...], kind: str | None = None) -> tuple[Verdict, ...]:
        return tuple(one for one in verdicts if one.source in foreign and kind in (None, one.kind))

    return replace(
        report,
        # Those that go past or around each other come nearer than the table's rules allow, and others out of the frame.
        inside=staged.inside,
        hidden=staged.hidden,
        hidden_worst=staged.hidden_worst,
        touching=staged.touching,
        events=(
            *(one for one in report.events if one.source not in own),
            *(one for one in staged.events if one.source in own),
        ),
        relations=tuple(
            relations.get((one.source, one.target), one) if one.satisfied is None else one for one in report.relations
        ),
        places=of_stage(staged.places),
        presence=of_stage(staged.presence, "there"),
    )


def _foreign(graph: SceneGraph) -> set[str]:
    """Events and entities of which something is told that the table's rules do not know."""
    meeting = {one.source for one in stated_meetings(graph)}
    found = set()
    for node in graph.of_type("event"):
        placed = bool(graph.edges_from(node.id, "location"))
        if node.id not in meeting and (placed or motion_of(node.label, node.direction) is None or _crosses(node)):
            found.add(node.id)
    for edge in graph.edges:
        label = (edge.label or "").lower()
        if edge.type == "location" and graph.node(edge.source).type == "entity":
            found.add(edge.source)
        elif edge.type == "contains" and edge.interval != FULL and graph.node(edge.target).type == "entity":
            found.add(edge.target)
        elif edge.type == "spatial" and label not in ON and lexicon.concept("spatial", label) is None:
            found.add(edge.source)
    return found


def _crosses(event: Node) -> bool:
    """Whether it is told that something comes into the frame or goes out of it, from or to a side."""
    crossing = stage_meanings().verbs.get(event.label) in ("enter", "leave")
    return crossing and event.direction in (None, "left", "right")
