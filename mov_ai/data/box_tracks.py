"""Annotated boxes with their own times, sampled as a layout; and graphs cut to a part of their clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mov_ai.graph import Interval, Layout, SceneGraph, Track, allen
from mov_ai.graph.instances import drawn_entities

#: Depth of a thing whose lower edge is at the top of the frame; at the bottom it is 0, nearest.
FARTHEST = 10.0
#: Shortest part of a clip, as a fraction, in which an event or an edge counts as seen.
SHORTEST = 1e-3


@dataclass(frozen=True, eq=False)
class BoxTrack:
    """The annotated boxes of one thing.

    Attributes:
        label: what it is, as the data set says.
        times: float64 (n,), ascending, seconds from the video's first frame: every moment at which the data set says
            where the thing is, or that it is not there.
        boxes: float32 (n, 4): x and y of the centre, width, height, as fractions of the frame; NaN where it is absent.
        visibility: float32 (n,), from 0, absent, to 1, wholly there.
        entity: id of its node in the clip's own graph; "" if it has none.
        instance: 0 ... count-1 for entities with a count.
    """

    label: str
    times: np.ndarray
    boxes: np.ndarray
    visibility: np.ndarray
    entity: str = ""
    instance: int = 0

    def __post_init__(self) -> None:
        count = len(self.times)
        if not count or self.boxes.shape != (count, 4) or self.visibility.shape != (count,):
            raise ValueError(f"expected n times, n x 4 boxes, n visibilities; got {count}, {self.boxes.shape}")
        if (np.diff(self.times) <= 0).any():
            raise ValueError("expected ascending times")

    def at(self, times: Sequence[float]) -> np.ndarray | None:
        """Rows of a layout, float32 (len(times), 6), at moments in seconds; None if the thing is never there.

        Boxes are interpolated linearly between the moments at which the thing is there; whether it is there is as at
        the nearest moment. Depth is not annotated anywhere: what reaches farther down in the frame is nearer.
        """
        there = np.isfinite(self.boxes).all(axis=1) & (self.visibility > 0)
        if not there.any():
            return None
        moments = np.asarray(times, dtype=np.float64)
        rows = np.empty((len(moments), 6), dtype=np.float32)
        for column in range(4):
            rows[:, column] = np.interp(moments, self.times[there], self.boxes[there, column])
        rows[:, :2] = rows[:, :2].clip(-2, 3)
        rows[:, 2:4] = rows[:, 2:4].clip(0, 4)
        bottom = rows[:, 1] + rows[:, 3] / 2
        rows[:, 4] = FARTHEST * (1 - bottom.clip(0, 1))
        after = np.searchsorted(self.times, moments).clip(1, max(len(self.times) - 1, 1))
        if len(self.times) == 1:
            nearest = np.zeros(len(moments), dtype=int)
        else:
            is_before = moments - self.times[after - 1] <= self.times[after] - moments
            nearest = np.where(is_before, after - 1, after)
        rows[:, 5] = np.where(there, self.visibility, 0)[nearest]
        return rows


def layout_at(tracks: Sequence[BoxTrack], graph: SceneGraph, times: Sequence[float]) -> Layout:
    """The annotated boxes of what is in a graph, at moments in seconds from the video's first frame.

    A track belongs to the node that its `entity` names if that node has its label; else to an instance of an entity
    whose label is the track's or its last words ("ball" of "red ball"): of several to one that has the most of its
    other words as attributes, and of those to the next in graph order. Entities without a track are left out of the
    layout, and so are tracks without an entity, and those that are absent at all the moments.
    """
    free = drawn_entities(graph)
    labels = {node.id: _words(node.label) for node in graph.of_type("entity")}
    placed: list[tuple[BoxTrack, tuple[str, int]]] = []
    others = []
    for track in tracks:
        slot = (track.entity, track.instance)
        if slot in free and labels[track.entity] == _words(track.label):
            free.remove(slot)
            placed.append((track, slot))
        else:
            others.append(track)
    pairs = [
        (-_shared_attributes(graph, slot[0], _words(track.label)), number, place)
        for number, track in enumerate(others)
        for place, slot in enumerate(free)
        if _same_thing(labels[slot[0]], _words(track.label))
    ]
    tracks_left, slots_left = dict(enumerate(others)), dict(enumerate(free))
    for _, number, place in sorted(pairs):
        if number in tracks_left and place in slots_left:
            placed.append((tracks_left.pop(number), slots_left.pop(place)))
    rows = [(slot, track.label, track.at(times)) for track, slot in placed]
    seen = [
        Track(entity, boxes, instance, label)
        for (entity, instance), label, boxes in rows
        if boxes is not None and boxes[:, 5].any()
    ]
    order = {node.id: i for i, node in enumerate(graph.nodes)}
    return Layout(len(times), sorted(seen, key=lambda track: (order[track.entity], track.instance)))


def graph_within(graph: SceneGraph, start: float, end: float) -> SceneGraph:
    """A graph of a part of its clip: intervals are measured anew, what does not happen in that part is left out.

    Args:
        start, end: of the part, as fractions of the clip, 0 <= start < end <= 1.
    """
    if (start, end) == (0.0, 1.0):
        return graph
    nodes = []
    for node in graph.nodes:
        interval = _within(node.interval, start, end) if node.type == "event" else node.interval
        if interval is not None:
            nodes.append(replace(node, interval=interval))
    kept = {node.id: node for node in nodes}
    edges = []
    for edge in graph.edges:
        interval = _within(edge.interval, start, end)
        if interval is None or edge.source not in kept or edge.target not in kept:
            continue
        edge = replace(edge, interval=interval)
        if edge.type == "temporal" and edge.label not in ("before", "after", "meets"):
            # Two that began one after the other may now both begin with the part.
            swapped, label = allen(kept[edge.source].interval, kept[edge.target].interval)
            ends = (edge.target, edge.source) if swapped else (edge.source, edge.target)
            edge = replace(edge, source=ends[0], target=ends[1], label=label)
        edges.append(edge)
    held = {edge.target for edge in edges if edge.type == "has_attribute"}
    lost = {edge.target for edge in graph.edges if edge.type == "has_attribute"} - held
    nodes = [node for node in nodes if node.id not in lost]
    return SceneGraph(graph.caption, nodes, edges)


def _within(interval: Interval, start: float, end: float) -> Interval | None:
    low, high = max(interval[0], start), min(interval[1], end)
    if high - low < SHORTEST * (end - start):
        return None
    length = end - start
    return max(0.0, (low - start) / length), min(1.0, (high - start) / length)


def _words(label: str) -> tuple[str, ...]:
    return tuple(label.lower().replace("_", " ").split())


def _shared_attributes(graph: SceneGraph, entity: str, words: tuple[str, ...]) -> int:
    """How many attributes of an entity are among the words."""
    return sum(not node.negated and set(_words(node.label)) <= set(words) for node, _ in graph.attributes(entity))


def _same_thing(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    short, long = sorted((one, other), key=len)
    return bool(short) and long[-len(short) :] == short
