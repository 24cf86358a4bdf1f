"""A part of a video: its slice of the graph's timeline and of the layout's tracks, for work window by window."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from mov_ai.graph.layout import Layout
from mov_ai.graph.schema import CameraMove, Edge, Node, SceneGraph
from mov_ai.graph.time import Interval

#: What lasts for less than this share of a part is not in it: less than any frame shows.
_SHORTEST = 1e-6


@dataclass(frozen=True)
class GraphSlice:
    """What holds in a part of a video, on the part's own clock.

    Attributes:
        graph: the part's, a valid graph. Events that do not go on in the part are gone, and so are attributes, links
            and moves of the camera that do not hold in it.
        spans: the whole interval of each event that is left, by its id, which may begin before 0 and end after 1: how
            far an event has come does not begin anew with every part.
    """

    graph: SceneGraph
    spans: dict[str, Interval]


def on_clock(interval: Interval, part: Interval) -> Interval:
    """An interval of the whole on the clock of a part: below 0 is before it, above 1 after it."""
    length = part[1] - part[0]
    return (interval[0] - part[0]) / length, (interval[1] - part[0]) / length


def within(interval: Interval, part: Interval) -> Interval | None:
    """What of an interval lies in a part, on the part's clock, [0, 1]; None if nothing does."""
    start, end = on_clock(interval, part)
    start, end = max(0.0, start), min(1.0, end)
    return (start, end) if end - start > _SHORTEST else None


def slice_graph(graph: SceneGraph, part: Interval) -> GraphSlice:
    """The slice of a graph's timeline that a part of the video shows.

    Args:
        graph: of the whole video.
        part: start and end of the part as shares of the whole, 0 <= start < end <= 1.

    Returns:
        The slice; of the whole, the graph as it is. Things stay, whether they are to be seen in the part or not: that
        is the layout's to say. What an event contained that is gone is contained by the scene.

    Raises:
        ValueError: if it is no part.
    """
    if not 0 <= part[0] < part[1] <= 1:
        raise ValueError(f"slice: expected a part of [0, 1], got {part}")
    spans = {event.id: on_clock(event.interval, part) for event in graph.of_type("event")}
    nodes: list[Node] = []
    for node in graph.nodes:
        interval = within(node.interval, part) if node.type == "event" else node.interval
        if interval is not None:
            nodes.append(replace(node, interval=interval, camera=tuple(_moves(node.camera, part))))
    kept = {node.id for node in nodes}
    edges: list[Edge] = []
    for edge in graph.edges:
        interval = within(edge.interval, part)
        if interval is not None and edge.source in kept and edge.target in kept:
            edges.append(replace(edge, interval=interval))
    # An attribute that nothing has any longer, or not yet.
    held, holding = ({e.target for e in listed if e.type == "has_attribute"} for listed in (graph.edges, edges))
    nodes = [node for node in nodes if node.type != "attribute" or node.id in holding or node.id not in held]
    edges += _contained_by_scene(graph, nodes, edges)
    left = {node.id for node in nodes}
    sliced = SceneGraph(graph.caption, nodes, [edge for edge in edges if {edge.source, edge.target} <= left])
    return GraphSlice(sliced, {event: span for event, span in spans.items() if event in left})


def _moves(camera: Iterable[CameraMove], part: Interval) -> Iterable[CameraMove]:
    for move in camera:
        interval = within(move.interval, part)
        if interval is not None:
            yield replace(move, interval=interval)


def _contained_by_scene(graph: SceneGraph, nodes: list[Node], edges: list[Edge]) -> list[Edge]:
    """Links from the scene to what was contained by events only, all of which are gone."""
    scene = graph.of_type("scene")[0].id
    before, now = ({e.target for e in listed if e.type == "contains"} for listed in (graph.edges, edges))
    return [Edge(scene, node.id, "contains") for node in nodes if node.id in before - now]


def slice_layout(layout: Layout, first: int, frames: int) -> Layout:
    """The boxes of some frames, from number `first` on; ValueError if there are none such."""
    if not 0 <= first < first + frames <= layout.frames:
        raise ValueError(f"slice: expected frames of a layout of {layout.frames}, got {frames} from {first} on")
    tracks = [replace(track, boxes=track.boxes[first : first + frames]) for track in layout.tracks]
    shape = None if layout.shape is None else replace(layout.shape, frames=frames)
    return Layout(frames, tracks, shape)
