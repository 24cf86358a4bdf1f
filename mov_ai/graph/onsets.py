"""Times at which something is to begin, such as the onsets of a sound, become the times of a graph's events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from mov_ai.errors import UsageError
from mov_ai.graph.schema import Node, SceneGraph
from mov_ai.graph.time import FULL, Interval, change_time

#: What begins within so much of each other begins at once.
_SAME = 1e-6
#: Least share of a video that an event lasts.
_SHORTEST = 1e-5


@dataclass(frozen=True)
class Onsets:
    """When something begins in a sound.

    Attributes:
        times: seconds, ascending.
        decibels: of each, how loud the sound is from then on, as `mov_ai.data.onsets` measures it.
        duration: seconds of the sound.
        file, sha256: what it was read from.
    """

    times: tuple[float, ...]
    decibels: tuple[float, ...]
    duration: float
    file: str = ""
    sha256: str = ""

    def loudest(self, count: int, duration: float) -> list[float]:
        """At most so many times in order of time, those of the loudest onsets that a video of that duration reaches."""
        reached = [i for i, time in enumerate(self.times) if time < duration * (1 - 1e-3)]
        chosen = sorted(reached, key=lambda i: -self.decibels[i])[:count]
        return sorted(self.times[i] for i in chosen)


class Beginning(NamedTuple):
    """What begins at one moment: events by their ids, and `at` on the graph's clock."""

    at: float
    events: tuple[str, ...]


def beginnings(graph: SceneGraph) -> list[Beginning]:
    """What a graph has begin, in order.

    Events that begin together are one; but two that both last throughout, and of which nothing says that they go on at
    once, follow one another in the graph's order. A ball that turns blue begins to when it is blue. What begins to hold
    later than the video, such as a colour, is one too, without an event if none begins with it.
    """
    tied = {edge.source for edge in graph.edges if edge.type == "temporal"}
    tied |= {edge.target for edge in graph.edges if edge.type == "temporal"}
    found: list[Beginning] = []
    starts = {event.id: _start(graph, event) for event in _events(graph)}
    for event in sorted(_events(graph), key=lambda node: starts[node.id]):
        start = starts[event.id]
        is_free = event.interval == FULL and start == 0 and event.id not in tied
        row = next((i for i, one in enumerate(found) if abs(one.at - start) < _SAME), None)
        if row is None or (is_free and found[row].events):
            found.append(Beginning(start, (event.id,)))
        else:
            found[row] = Beginning(start, (*found[row].events, event.id))
    for edge in graph.edges:
        start = edge.interval[0]
        if start > _SAME and edge.type != "temporal" and all(abs(one.at - start) >= _SAME for one in found):
            found.append(Beginning(start, ()))
    return sorted(found, key=lambda one: one.at)


def _start(graph: SceneGraph, event: Node) -> float:
    """When an event begins; a change that the graph has in the middle of an event, as it lasts throughout, is then."""
    change = change_time(event.interval)
    things = {edge.target for edge in graph.edges_from(event.id) if edge.type in ("agent", "patient")}
    held = [edge for edge in graph.edges if edge.type != "temporal" and {edge.source, edge.target} & things]
    is_change = any(abs(time - change) < _SAME for edge in held for time in edge.interval)
    return change if is_change else event.interval[0]


def _events(graph: SceneGraph) -> list[Node]:
    return [node for node in graph.of_type("event") if not node.negated]


def timed(graph: SceneGraph, onsets: Onsets, duration: float | None = None) -> SceneGraph:
    """The graph with its events at the onsets: what begins k-th (`beginnings`) begins at onset k.

    Of more onsets than are needed, the loudest count; of fewer, what is left follows the last one at even distances. An
    event that was over when another began still is over then, one that went on still does, and of those that lasted
    throughout and now follow one another each lasts until the next. All other times move along: what held before,
    between or after still does.

    Args:
        duration: seconds of the video; None for the sound's own.

    Raises:
        UsageError: if nothing begins in the graph, or the video ends before the first onset.
    """
    duration = onsets.duration if duration is None else duration
    moments = beginnings(graph)
    if not moments:
        raise UsageError(
            f"--audio: {onsets.file}: nothing happens in the graph that could begin at an onset; say what happens"
        )
    times = [time / duration for time in onsets.loudest(len(moments), duration)]
    if not times:
        raise UsageError(
            f"--audio: {onsets.file}: the first onset is at {onsets.times[0]:.2f} s, and the video lasts "
            f"{duration:g} s; give more --seconds"
        )
    left = len(moments) - len(times)
    times += [times[-1] + (1 - times[-1]) * (i + 1) / (left + 1) for i in range(left)]
    knots = [(one.at, time) for one, time in zip(moments, times, strict=True)]
    of_event, of_state = _warp(knots, events=True), _warp(knots, events=False)
    new: dict[str, Interval] = {}
    for number, (one, time) in enumerate(zip(moments, times, strict=True)):
        following = next((later for later in times[number + 1 :] if later > time), 1.0)
        shared = sum(abs(other.at - one.at) < _SAME for other in moments) > 1
        for event in one.events:
            end = graph.node(event).interval[1]
            new[event] = _interval(time, following if shared and end >= 1 else of_event(end))
    nodes = [
        replace(
            node,
            interval=new.get(node.id, node.interval),
            camera=tuple(
                replace(move, interval=_interval(*(of_state(v) for v in move.interval))) for move in node.camera
            ),
        )
        for node in graph.nodes
    ]
    edges = [
        edge if edge.interval == FULL else replace(edge, interval=_interval(*(of_state(v) for v in edge.interval)))
        for edge in graph.edges
    ]
    result = SceneGraph(graph.caption, nodes, edges)
    result.validate()
    return result


def _warp(knots: Sequence[tuple[float, float]], events: bool) -> Callable[[float], float]:
    """From the old clock to the new one: piecewise linear, ascending, through the knots.

    Args:
        events: whether it is of events, of which the first may begin later than the video. What merely holds from the
            video's start holds from there still.
    """
    known: dict[float, float] = {} if events else {0.0: 0.0}
    for old, new in knots:
        known.setdefault(old, new)
    known.setdefault(0.0, 0.0)
    known[1.0] = 1.0
    olds = sorted(known)
    news = np.maximum.accumulate([known[old] for old in olds])
    return lambda value: float(np.interp(value, olds, news))


def _interval(start: float, end: float) -> Interval:
    start = min(round(start, 5), 1 - _SHORTEST)
    return start, min(1.0, max(round(end, 5), start + _SHORTEST))
