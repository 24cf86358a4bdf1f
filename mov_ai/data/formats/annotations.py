"""Annotated things, boxes and relations of one clip, gathered frame by frame into a scene graph and box tracks."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mov_ai.data.box_tracks import BoxTrack
from mov_ai.data.formats.predicates import Predicate
from mov_ai.errors import UsageError
from mov_ai.graph import MAX_NODES, Edge, Interval, Node, SceneGraph
from mov_ai.graph.instances import MAX_INSTANCES

#: Frames of one stretch that can be annotated: half a day at 24 frames a second.
MAX_ANNOTATED = 1_000_000

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class _Relation:
    subject: Hashable
    predicate: Predicate
    target: Hashable


class Annotations:
    """What is annotated of one stretch of a video.

    Relations and attributes that overlap or touch in time and say the same are one. A graph has room for
    `MAX_NODES`: things that take part in most and are there longest come first, then what lasts longest.
    """

    def __init__(
        self, annotated: Sequence[int], frames: float, fps: float, first: int = 0, moment: float | None = None
    ) -> None:
        """Begin a stretch.

        Args:
            annotated: numbers of the frames that somebody looked at, ascending, counted from the video's first.
            frames: how many the stretch has, from `first` on.
            fps: frames a second.
            first: the stretch's first frame.
            moment: of frame 0's boxes, in seconds from the video's first frame; in the middle of the time for which
                it is shown if None, which is when a sample of it is taken.

        Raises:
            UsageError: for more than `MAX_ANNOTATED` frames.
        """
        if len(annotated) > MAX_ANNOTATED:
            raise UsageError(f"expected boxes of at most {MAX_ANNOTATED:,} frames; found {len(annotated):,}")
        self.annotated, self.frames, self.fps, self.first = list(annotated), frames, fps, first
        self._moment = 0.5 / fps if moment is None else moment
        self._place = {frame: i for i, frame in enumerate(self.annotated)}
        self._labels: dict[Hashable, str] = {}
        self._boxes: dict[Hashable, dict[int, tuple[Box, float]]] = {}
        self._relations: dict[_Relation, list[Interval]] = {}
        self._attributes: dict[tuple[Hashable, str], list[Interval]] = {}

    def thing(self, key: Hashable, label: str) -> None:
        """A thing by a key of its own; its first label stays."""
        self._labels.setdefault(key, " ".join(label.replace("_", " ").split()) or "object")

    def box(self, key: Hashable, frame: int, corners: Box, visibility: float = 1.0) -> None:
        """Where a thing is: left, top, right, bottom as fractions of the frame. Empty boxes are none."""
        left, top, right, bottom = corners
        if key in self._labels and frame in self._place and right > left and bottom > top and visibility > 0:
            self._boxes.setdefault(key, {})[frame] = (corners, min(visibility, 1.0))

    def relate(self, subject: Hashable, predicate: Predicate, target: Hashable, interval: Interval) -> None:
        """A relation that holds in an interval on [0, 1]; left out if it is a thing's own or one is not known."""
        if subject != target and subject in self._labels and target in self._labels and interval[0] < interval[1]:
            self._relations.setdefault(_Relation(subject, predicate, target), []).append(interval)

    def attribute(self, key: Hashable, value: str, interval: Interval) -> None:
        """An attribute that a thing has in an interval on [0, 1]."""
        if key in self._labels and value.strip() and interval[0] < interval[1]:
            self._attributes.setdefault((key, value.strip()), []).append(interval)

    def around(self, frame: int) -> Interval:
        """The interval for which an annotated frame speaks: to half-way to its neighbours, at the ends to the end."""
        i = self._place[frame]
        frames = self.annotated
        start = (frames[i - 1] + 1 + frame) / 2 if i else self.first
        end = (frame + 1 + frames[i + 1]) / 2 if i + 1 < len(frames) else self.first + self.frames
        low, high = ((edge - self.first) / self.frames for edge in (start, end))
        return max(0.0, low), min(1.0, high)

    @property
    def says_more(self) -> bool:
        """Whether there are relations or attributes beside the things."""
        return bool(self._relations or self._attributes)

    def result(self) -> tuple[SceneGraph, tuple[BoxTrack, ...]]:
        """The graph and the tracks, whose `entity` is a node of the graph."""
        relations = [(rel, when) for rel, intervals in self._relations.items() for when in _merged(intervals)]
        relations.sort(key=lambda item: item[1][0] - item[1][1])
        attributes = [(key, value, when) for (key, value), times in self._attributes.items() for when in _merged(times)]
        part = dict.fromkeys(self._labels, 0)
        for relation, _ in relations:
            part[relation.subject] += 1
            part[relation.target] += 1
        order = sorted(self._labels, key=lambda key: (-min(part[key], 1), -len(self._boxes.get(key, ()))))
        # Half of the room is kept for what happens.
        order = order[: MAX_NODES // 2]
        # What a layout has room for stays in the annotation's order, which alone may tell things of one label apart.
        drawn = set(order[:MAX_INSTANCES])
        order = [*(key for key in self._labels if key in drawn), *order[MAX_INSTANCES:]]
        ids = _node_ids((key, self._labels[key]) for key in order)
        nodes = [Node("scene", "scene", "scene")]
        nodes += [Node(ids[key], "entity", self._labels[key]) for key in order]
        edges = []
        for relation, when in relations:
            if relation.subject in ids and relation.target in ids:
                added, ties = relation.predicate.in_graph(ids[relation.subject], ids[relation.target], len(nodes), when)
                if len(nodes) + len(added) <= MAX_NODES:
                    nodes += added
                    edges += ties
        for key, value, when in attributes:
            if key in ids and len(nodes) < MAX_NODES:
                nodes.append(Node(f"n{len(nodes)}", "attribute", value))
                edges.append(Edge(ids[key], nodes[-1].id, "has_attribute", None, when))
        contained = [Edge("scene", n.id, "contains") for n in nodes if n.type in ("entity", "event")]
        graph = SceneGraph("", nodes, contained + edges)
        graph.validate()
        return graph, tuple(self._track(key, ids[key]) for key in order if self._boxes.get(key))

    def _track(self, key: Hashable, entity: str) -> BoxTrack:
        boxes = np.full((len(self.annotated), 4), np.nan, dtype=np.float32)
        visibility = np.zeros(len(self.annotated), dtype=np.float32)
        for frame, ((left, top, right, bottom), seen) in self._boxes[key].items():
            i = self._place[frame]
            boxes[i] = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
            visibility[i] = seen
        times = np.array(self.annotated, dtype=np.float64) / self.fps + self._moment
        return BoxTrack(self._labels[key], times, boxes, visibility, entity)


def _node_ids(things: Iterable[tuple[Hashable, str]]) -> dict[Hashable, str]:
    """Readable ids: "dog_1", "dog_2", each once."""
    counts: dict[str, int] = {}
    ids = {}
    for key, label in things:
        name = label.replace(" ", "_")
        counts[name] = counts.get(name, 0) + 1
        ids[key] = f"{name}_{counts[name]}"
    return ids


def _merged(intervals: Sequence[Interval]) -> list[Interval]:
    """Intervals that overlap or touch as one, in order."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1] + 1e-9:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
