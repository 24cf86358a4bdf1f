"""Two things that meet, as a scene graph says it and as boxes show it: who pushes, carries, passes, lands on whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from mov_ai.captions.lexicon import RelationWords, TabletopWords, load
from mov_ai.graph import Edge, Interval, Node, SceneGraph
from mov_ai.worlds.tabletop import lexicon
from mov_ai.worlds.tabletop.motions import motion_of, movers
from mov_ai.worlds.tabletop.world_boxes import SEEN, frames_of, overlaps, world_positions, world_sizes

#: Kinds of which the one to whom it is done is the verb's patient, and how they are called here.
_DONE_TO = {"push": "pushes", "pull": "pulls", "carry": "carried by"}
#: How it is said that one thing lies on another.
ON = load("relations", RelationWords).more["on"]
#: Where somebody jumps or falls.
_OVER, _ONTO = ("over", "across"), (*ON, "onto", "down onto", "upon")
#: Motions that take what lies on something away from it.
_AWAY = ("left", "right", "toward", "away", "rise", "fall", "jump")
#: Thresholds, chosen between what gold boxes show and what they show backwards, mirrored and of other meetings. What
#: lies on another has its base this share of the lower one's width below the upper edge of the lower one's box, which
#: ends at the farther edge of its top; from there it may be so far off, in that width, and nearer or farther, in world
#: units.
_SUNK, _OFF, _ASIDE, _DEPTH = 0.2, 0.3, 0.3, 0.5
#: Between two that touch, world units: the boxes of round things overlap.
_TOUCH, _SLACK = -0.1, 0.35
#: How far to a side of the other one who goes past it begins and ends, in widths of the other.
_BESIDE = 0.4
#: Between the depths of one who passes and of the other, and the share of the farther one that is covered.
_PASSING, _COVERED = 0.8, 0.7
#: How high above the other one who jumps over it is, in its widths; and how far each goes that pushes, world units.
_CLEAR, _MOVED = 0.1, 0.45


@dataclass(frozen=True)
class StatedMeeting:
    """What a graph says that one thing does with another.

    Attributes:
        source: id of the event, or of the first thing where it only lies there.
        first, second: ids of the two entities.
        kind: "on", "carried by", "pushes", "pulls", "passes behind", "passes in front of", "jumps over" or "lands on";
            None if they meet in a way that boxes are not asked about.
        interval: when.
        way: 1 to the right, -1 to the left, 0 if it is not said.
        at_first: whether it holds when the interval begins, and an event ends it.
    """

    source: str
    first: str
    second: str
    kind: str | None
    interval: Interval
    way: int = 0
    at_first: bool = False

    @property
    def pair(self) -> frozenset[str]:
        """Both; such two may touch and hide one another."""
        return frozenset((self.first, self.second))

    def margin(self, first: np.ndarray, second: np.ndarray) -> float | None:
        """By how much two tracks of boxes (F, 6) show it: 0 at the threshold, below 0 if they do not; None if boxes are
        not asked about it, or the two are never seen together.
        """
        a, b = _Body(first), _Body(second)
        frames = frames_of(self.interval, len(first))
        frames = frames[(a.is_seen & b.is_seen)[frames]]
        if not len(frames):
            return None
        match self.kind:
            case "on" | "carried by":
                return float(_rests(a, b)[frames[:1] if self.at_first else frames].min())
            case "lands on":
                return float(_rests(a, b)[frames[-1]])
            case "pushes" | "pulls":
                return self._moves_along(a, b, frames)
            case "passes behind" | "passes in front of":
                return self._passes(a, b, frames)
            case "jumps over":
                return self._jumps_over(a, b, frames)
        return None

    def _moves_along(self, a: _Body, b: _Body, frames: np.ndarray) -> float:
        """The one behind the other, in touch in the second half of the time at the latest, and both go."""
        gone = [body.x[frames[-1]] - body.x[frames[0]] for body in (a, b)]
        way = self.way or (1 if gone[1] > 0 else -1)
        late = frames[len(frames) // 2 :]
        side = way if self.kind == "pushes" else -way
        gap = side * (b.x - a.x)[late] - (a.width + b.width)[late] / 2
        touching = 1 - np.abs(gap - _TOUCH).max() / _SLACK
        level = 1 - np.abs(a.z - b.z)[late].max() / _DEPTH
        return float(min(touching, level, *(way * each / _MOVED - 1 for each in gone)))

    def _crosses(self, a: _Body, b: _Body, frames: np.ndarray) -> float:
        """From one side of the other to its other side."""
        aside = (a.x - b.x)[frames] / b.width[frames]
        way = self.way or (1 if aside[-1] > aside[0] else -1)
        return float(min(-way * aside[0], way * aside[-1]) / _BESIDE - 1)

    def _passes(self, a: _Body, b: _Body, frames: np.ndarray) -> float:
        far, near = (a, b) if self.kind == "passes behind" else (b, a)
        at = frames[np.abs(a.x - b.x)[frames].argmin()]
        apart = float(far.z[at] - near.z[at]) / _PASSING - 1
        return min(self._crosses(a, b, frames), apart, float(_covered(far, near)[frames].max()) / _COVERED - 1)

    def _jumps_over(self, a: _Body, b: _Body, frames: np.ndarray) -> float:
        at = frames[np.abs(a.x - b.x)[frames].argmin()]
        clear = float((a.foot - b.head)[at] / b.width[at]) / _CLEAR - 1
        level = 1 - float(np.abs(a.z - b.z)[at]) / _DEPTH
        return min(self._crosses(a, b, frames), clear, level)


class _Body:
    """A track in the world, each (F,): its middle, its width, where its box ends below and above."""

    def __init__(self, boxes: np.ndarray) -> None:
        self.boxes = boxes
        self.is_seen = boxes[:, 5] > SEEN
        self.x, y, self.z = world_positions(boxes).T
        # Given boxes may be as narrow as nothing.
        self.width, height = np.maximum(world_sizes(boxes), 1e-6).T
        self.foot, self.head = y - height / 2, y + height / 2


def _rests(upper: _Body, lower: _Body) -> np.ndarray:
    """(F,) by how much one lies on the other."""
    sunk = np.abs((upper.foot - lower.head) / lower.width + _SUNK) / _OFF
    aside = np.abs(upper.x - lower.x) / (_ASIDE * lower.width)
    return 1 - np.maximum.reduce([sunk, aside, np.abs(upper.z - lower.z) / _DEPTH])


def _covered(far: _Body, near: _Body) -> np.ndarray:
    """(F,) share of a box that another covers in the frame."""
    return overlaps(far.boxes, near.boxes) / np.maximum(far.boxes[:, 2:4].prod(-1), 1e-9)


# -- what a graph says -------------------------------------------------------------------------------------------------


def stated_meetings(graph: SceneGraph) -> list[StatedMeeting]:
    """All that a graph says of two things that meet, each once; nothing of events that are denied."""
    entities = {node.id for node in graph.of_type("entity")}
    events = [event for event in graph.of_type("event") if not event.negated]
    found = [
        StatedMeeting(edge.source, edge.source, edge.target, "on", edge.interval, at_first=_leaves(graph, edge, events))
        for edge in graph.edges
        if edge.type == "spatial" and {edge.source, edge.target} <= entities and (edge.label or "").lower() in ON
    ]
    lying = {(one.first, one.second) for one in found}
    for event in events:
        done = [*_done_to(graph, event), *_goes_by(graph, event, events, entities)]
        # What is carried lies on its carrier, and that is asked once.
        found += [one for one in done if one.kind != "carried by" or (one.first, one.second) not in lying]
    return list(dict.fromkeys(found))


def _leaves(graph: SceneGraph, edge: Edge, events: Sequence[Node]) -> bool:
    """Whether an event takes what lies on something away from it: "a ball on top of a cube jumps"."""
    moving = [movers(graph, event) for event in events if motion_of(event.label, event.direction) in _AWAY]
    return any(edge.source in who and edge.target not in who for who in moving)


def _done_to(graph: SceneGraph, event: Node) -> Iterator[StatedMeeting]:
    """What an event's agents do to its patients."""
    verb = event.label.lower().strip()
    kind = next((kind for kind in _DONE_TO if verb in _verbs(kind)), None)
    agents, patients = (graph.edges_from(event.id, role) for role in ("agent", "patient"))
    # Of several that push one thing boxes need not show each in touch with it.
    said = _DONE_TO[kind] if kind is not None and len(agents) == len(patients) == 1 else None
    for agent in agents:
        for patient in patients:
            if agent.target == patient.target:
                continue
            pair = (agent.target, patient.target) if kind != "carry" else (patient.target, agent.target)
            yield StatedMeeting(event.id, *pair, said, event.interval, _way(event))


def _goes_by(graph: SceneGraph, event: Node, events: Sequence[Node], entities: set[str]) -> Iterator[StatedMeeting]:
    """Past, over and onto what an event's agents go."""
    verb, way = event.label.lower().strip(), _way(event)
    motion = motion_of(verb, event.direction)
    agents = [edge.target for edge in graph.edges_from(event.id, "agent")]
    placed = [
        (edge.label or "", edge.target) for edge in graph.edges_from(event.id, "location") if edge.target in entities
    ]
    for agent in agents:
        for label, other in placed:
            if label.lower() in _OVER and (motion == "jump" or verb in _verbs("jump over")):
                yield StatedMeeting(event.id, agent, other, "jumps over", event.interval, way)
            elif label.lower() in _ONTO and (motion in ("fall", "jump") or verb in _verbs("fall onto")):
                yield StatedMeeting(event.id, agent, other, "lands on", event.interval, way)
        if motion not in (None, "left", "right"):
            continue
        # "Rolls to the left behind the cube" goes past it; "rolls behind the cube" may end there.
        beside = [(label, other, verb == "pass" or way != 0) for label, other in placed]
        # "The ball is behind the cube and rolls to the left" and "rolls to the left behind the cube" have one graph, of
        # which boxes may show either.
        beside += [
            (edge.label or "", edge.target, verb == "pass")
            for edge in graph.edges_from(agent, "spatial")
            if edge.interval[1] >= event.interval[1]
        ]
        for label, other, is_told in beside:
            side = lexicon.concept("spatial", label)
            if side in ("behind", "in front of") and not _moves(graph, other, event.interval, events):
                yield StatedMeeting(event.id, agent, other, f"passes {side}" if is_told else None, event.interval, way)


def _moves(graph: SceneGraph, entity: str, interval: Interval, events: Sequence[Node]) -> bool:
    """Whether an event that goes on at that time moves an entity somewhere."""
    return any(
        entity in movers(graph, event)
        and motion_of(event.label, event.direction) in ("left", "right", "toward", "away")
        and event.interval[0] < interval[1]
        and interval[0] < event.interval[1]
        for event in events
    )


def _way(event: Node) -> int:
    return {"left": -1, "right": 1}.get(event.direction or "", 0)


@cache
def _verbs(kind: str) -> frozenset[str]:
    """The verbs that captions have for a kind of meeting."""
    blocks = load("tabletop", TabletopWords).meetings[kind]
    return frozenset(verb for block in blocks if block.role != "none" for verb in block.verbs)
