"""Rules that say whether a layout shows what its graph says: no network, only boxes, as they are in the world."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mov_ai.errors import UsageError
from mov_ai.graph import Edge, Interval, Layout, Node, SceneGraph, Track
from mov_ai.graph.instances import drawn_entities
from mov_ai.graph.layout_report import LayoutReport, Verdict
from mov_ai.graph.time import change_time, frame_times
from mov_ai.worlds.tabletop import lexicon
from mov_ai.worlds.tabletop.meeting_rules import ON, StatedMeeting, stated_meetings
from mov_ai.worlds.tabletop.motions import motion_of, movers
from mov_ai.worlds.tabletop.world_boxes import SEEN, frames_of, overlaps, world_positions, world_sizes

#: Thresholds, in world units (an object is 0.9 to 1.4 wide); gold motions are about twice as large.
MOVED, LIFTED, JUMPED, STILL = 0.45, 0.5, 0.35, 0.25
#: So far to the side of its way, nothing is plain to see any more of where a thing goes; in gold a third at most.
STRAIGHT = 0.3
#: Width and height, at the same distance, after growing or shrinking as a share of those before.
GROWN, SHRUNK = 1.18, 0.85
#: Mean absolute second difference of log width: 0 for steady motion, about 0.1 for a turning cube.
WOBBLE = 0.035
#: Spatial relations: least distance along the axis; greatest gap over the floor for "next to".
APART, NEAR = 0.6, 0.75
#: How far a box may reach over the frame's edge.
EDGE = 0.005


# -- motions -----------------------------------------------------------------------------------------------------------

#: A rule takes boxes (F, 6) and the event's interval, and gives a margin: 0 at the threshold, 1 at twice the threshold.
_Rule = Callable[[np.ndarray, Interval], float]


def _travelled(boxes: np.ndarray, interval: Interval) -> np.ndarray:
    """World displacement (3,) from the interval's first frame to its last, scaled up to the whole interval."""
    frames = frames_of(interval, len(boxes))
    place = world_positions(boxes[frames])
    # Between n frames lie n - 1 steps; the motion goes on before the first and after the last of them.
    return (place[-1] - place[0]) * len(frames) / max(1, len(frames) - 1)


def _along(axis: int, sign: float, threshold: float) -> _Rule:
    def rule(boxes: np.ndarray, interval: Interval) -> float:
        offset = _travelled(boxes, interval)
        # The largest component decides whether it moves over the floor or rises or falls.
        rest = np.abs(np.delete(offset, axis)).max()
        margin = min(sign * offset[axis] / threshold - 1, (sign * offset[axis] - rest) / threshold + 0.5)
        # It may go another way besides, as another event says; but the straighter, the plainer which way it goes.
        return float(min(margin, max(0.0, 1 - rest / STRAIGHT)))

    return rule


def _jump(boxes: np.ndarray, interval: Interval) -> float:
    height = world_positions(boxes[frames_of(interval, len(boxes))])[:, 1]
    top = height.max() - max(height[0], height[-1])
    # A short interval misses the ends of the arc, which fall between frames, so half the height is enough there.
    return float(top / (JUMPED if len(height) > 4 else JUMPED / 2) - 1)


def _wobble(boxes: np.ndarray, interval: Interval) -> float:
    size = np.log(np.maximum(world_sizes(boxes[frames_of(interval, len(boxes))])[:, 0], 1e-6))
    return float(np.abs(np.diff(size, 2)).mean()) if len(size) > 2 else 0.0


def _resized(boxes: np.ndarray, interval: Interval) -> np.ndarray:
    """log of width and height (2,) at the interval's end over those at its start, scaled up to the whole interval."""
    frames = frames_of(interval, len(boxes))
    size = np.log(np.maximum(world_sizes(boxes[frames]), 1e-6))
    return (size[-1] - size[0]) * len(frames) / max(1, len(frames) - 1)


def _scaled(share: float) -> _Rule:
    def rule(boxes: np.ndarray, interval: Interval) -> float:
        return float((_resized(boxes, interval) / np.log(share)).min()) - 1

    return rule


def _stay(boxes: np.ndarray, interval: Interval) -> float:
    frames = frames_of(interval, len(boxes))
    place = world_positions(boxes[frames])
    steady = 1 - np.abs(place - place[0]).max() / STILL
    same_size = 1 - np.abs(_resized(boxes, interval)).max() / -np.log(SHRUNK)
    visibility = boxes[frames, 5].min() / SEEN - 1
    return float(min(steady, same_size, 1 - _wobble(boxes, interval) / WOBBLE, visibility))


def _sudden(sign: float) -> _Rule:
    """Seen just before the change and no more in the interval's last frame (1), or the other way round (-1)."""

    def rule(boxes: np.ndarray, interval: Interval) -> float:
        before = np.flatnonzero(frame_times(len(boxes)) < change_time(interval))
        first = int(before[-1]) if len(before) else 0
        last = max(first, int(frames_of(interval, len(boxes))[-1]))
        before_margin, after_margin = (float(boxes[frame, 5]) / SEEN - 1 for frame in (first, last))
        return min(sign * before_margin, -sign * after_margin)

    return rule


_RULES: dict[str, _Rule] = {
    "left": _along(0, -1.0, MOVED),
    "right": _along(0, 1.0, MOVED),
    "toward": _along(2, -1.0, MOVED),
    "away": _along(2, 1.0, MOVED),
    "rise": _along(1, 1.0, LIFTED),
    "fall": _along(1, -1.0, LIFTED),
    "jump": _jump,
    "spin": lambda boxes, interval: _wobble(boxes, interval) / WOBBLE - 1,
    "stay": _stay,
    "grow": _scaled(GROWN),
    "shrink": _scaled(SHRUNK),
    "vanish": _sudden(1),
    "appear": _sudden(-1),
}


def motion_margin(motion: str, boxes: np.ndarray, interval: Interval) -> float | None:
    """By how much a track (F, 6), without NaN, shows one of `lexicon.MOTIONS` in an interval.

    0 or more if it does, negative if not; None for what boxes cannot show ("turn", unknown motions).
    """
    rule = _RULES.get(motion)
    return None if rule is None else rule(boxes, interval)


# -- relations ---------------------------------------------------------------------------------------------------------


def relation_margin(label: str, first: np.ndarray, second: np.ndarray) -> float | None:
    """By how much "first is `label` second", a key of `lexicon.SPATIAL`, holds between two boxes (6,) of one frame.

    0 or more if it holds, negative if not; None for relations that the world does not know.
    """
    x, _, z = world_positions(second) - world_positions(first)
    if label == "next to":
        gap = np.hypot(x, z) - (world_sizes(first)[0] + world_sizes(second)[0]) / 2
        return float(1 - max(0.0, gap) / NEAR)
    along = {"left of": x, "right of": -x, "in front of": z, "behind": -z}.get(label)
    return None if along is None else float(along / APART - 1)


# -- the whole layout --------------------------------------------------------------------------------------------------


def score(graph: SceneGraph, layout: Layout) -> LayoutReport:
    """Verdicts on events and relations of a layout, and how well everything is to be seen.

    Tracks of entities that the graph does not draw are not looked at. Raises UsageError if a drawn entity has no track,
    or a track has boxes that are not given.
    """
    drawn = drawn_entities(graph)
    tracks: dict[str, list[Track]] = {}
    for entity, instance in drawn:
        track = layout.track(entity, instance)
        if track is None or not np.isfinite(track.boxes).all():
            raise UsageError(
                f"layout: the boxes of entity {entity!r}, instance {instance} are not all given; plan first"
            )
        tracks.setdefault(entity, []).append(track)
    names = {node.id: f"{node.label} {node.id}" for node in graph.nodes}
    events = [
        _judge_event(event, track, names[entity])
        for event in graph.of_type("event")
        if not event.negated
        for entity in movers(graph, event)
        for track in tracks.get(entity, [])
    ]
    relations = [
        _judge_relation(edge, tracks[edge.source], tracks[edge.target], names, layout.frames)
        for edge in graph.edges
        if edge.type == "spatial"
        and (edge.label or "").lower() not in ON
        and edge.source in tracks
        and edge.target in tracks
    ]
    met = stated_meetings(graph)
    relations += [
        _judge_meeting(one, tracks, names) for one in met if one.kind is not None and one.pair <= tracks.keys()
    ]
    entities = [entity for entity, group in tracks.items() for _ in group]
    boxes = np.stack([track.boxes for group in tracks.values() for track in group]) if drawn else np.zeros((0, 1, 6))
    return LayoutReport(
        tuple(events), tuple(relations), inside_share(boxes), *_crowding(boxes, entities, {one.pair for one in met})
    )


def _judge_event(event: Node, track: Track, name: str) -> Verdict:
    motion = motion_of(event.label, event.direction) or ""
    margin = motion_margin(motion, track.boxes, event.interval)
    doing = event.label if event.direction is None else f"{event.label} {event.direction}"
    number = f"#{track.instance + 1} " if track.instance else ""
    text = f"{name} {number}{doing} in [{event.interval[0]:g}, {event.interval[1]:g}]"
    return Verdict(event.id, track.entity, text, motion, None if margin is None else margin >= 0, margin or 0.0)


def _judge_meeting(one: StatedMeeting, tracks: dict[str, list[Track]], names: dict[str, str]) -> Verdict:
    groups = [tracks[entity] for entity in (one.first, one.second)]
    margin = None
    if all(len(group) == 1 for group in groups):
        margin = one.margin(*(group[0].boxes for group in groups))
    start, end = one.interval
    text = f"{names[one.first]} {one.kind} {names[one.second]} in [{start:g}, {end:g}]"
    satisfied = None if margin is None else margin >= 0
    return Verdict(one.source, one.second, text, one.kind or "", satisfied, margin or 0.0)


def _judge_relation(edge: Edge, first: list[Track], second: list[Track], names: dict[str, str], frames: int) -> Verdict:
    label = lexicon.concept("spatial", edge.label) or ""
    start = int(frames_of(edge.interval, frames)[0])
    margins = [
        relation_margin(label, a.boxes[start], b.boxes[start]) for a in first for b in second if a.entity != b.entity
    ]
    known_margins = [margin for margin in margins if margin is not None]
    margin = min(known_margins) if known_margins else None
    text = f"{names[edge.source]} {edge.label} {names[edge.target]} at {edge.interval[0]:g}"
    return Verdict(edge.source, edge.target, text, label, None if margin is None else margin >= 0, margin or 0.0)


def inside_share(boxes: np.ndarray) -> float:
    """Share of the seen boxes that lie within the frame, 1 if none is seen; boxes: (K, F, 6)."""
    is_seen = boxes[..., 5] > SEEN
    if not is_seen.any():
        return 1.0
    low, high = boxes[..., :2] - boxes[..., 2:4] / 2, boxes[..., :2] + boxes[..., 2:4] / 2
    inside = np.all((low >= -EDGE) & (high <= 1 + EDGE), axis=-1)
    return float(np.mean(inside, where=is_seen))


def _crowding(boxes: np.ndarray, entities: Sequence[str], meeting: set[frozenset[str]]) -> tuple[float, float, int]:
    """Greatest mean and worst share of a box hidden by a nearer one, and how many pairs touch.

    Args:
        boxes: (K, F, 6). entities: of each track.
        meeting: pairs of entities that may.
    """
    first, second = np.triu_indices(len(boxes), 1)
    pairs = zip(first.tolist(), second.tolist(), strict=True)
    apart = [frozenset((entities[i], entities[j])) not in meeting for i, j in pairs]
    first, second = first[apart], second[apart]
    if not len(first):
        return 0.0, 0.0, 0
    a, b = boxes[first], boxes[second]  # (pairs, F, 6)
    both = (a[..., 5] > SEEN) & (b[..., 5] > SEEN)
    overlap = overlaps(a, b) * both
    farther = np.where(a[..., 4] > b[..., 4], a[..., 2:4].prod(-1), b[..., 2:4].prod(-1))
    hidden = overlap / np.maximum(farther, 1e-9)
    gap = np.linalg.norm(world_positions(a) - world_positions(b), axis=-1)
    # Bodies are taken as balls of 0.85 times half the box's width: the corner of a cube sticks out of its ball.
    reach = 0.85 * (world_sizes(a)[..., 0] + world_sizes(b)[..., 0]) / 2
    touching = ((gap < reach) & both).any(-1)
    return float(hidden.mean(-1).max()), float(hidden.max()), int(touching.sum())
