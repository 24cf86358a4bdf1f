"""Does a video of the embedded world show what its scene graph says? Entity by entity, event by event."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from mov_ai.evaluation.checker import Checker
from mov_ai.evaluation.checker_motion import measure, shows
from mov_ai.evaluation.checker_tracks import Track
from mov_ai.evaluation.expectations import Expectation, expectations, match
from mov_ai.graph import Interval, Node, SceneGraph
from mov_ai.graph.time import change_time, frame_times
from mov_ai.worlds.tabletop.metric_labels import COLOR_NAMES
from mov_ai.worlds.tabletop.motions import motion_of, movers

#: Share of the frames in which a look must be right, and in which a thing must be there.
_MAJORITY, _PRESENT = 0.6, 0.5
#: A track that no entity was given counts as one too many if it is there in this share of the entity's frames.
_EXTRA_FRAMES = 0.3


@dataclass
class EntityReport:
    """What is seen of one entity; None where the graph says nothing that the world could show.

    Attributes:
        entity: id of its node.
        negated: the graph says that there is none.
        found: every instance is there in most of its frames.
        shape_ok, color_ok: every instance found has the shape, and every colour in its interval.
        count, count_ok: how many things look like it, and whether that is as many as the graph says.
        ok: all of these that apply; of a negated entity, that nothing looks like it.
    """

    entity: str
    negated: bool
    found: bool
    shape_ok: bool | None = None
    color_ok: bool | None = None
    count: int = 0
    count_ok: bool | None = None
    ok: bool | None = None


@dataclass
class EventReport:
    """What is seen of one event.

    Attributes:
        event: id of its node.
        motion: name in `lexicon.MOTIONS`, or None if the world does not know it.
        motion_ok: the best match of everyone whom it moves does it; None if it cannot be seen.
        ok: that, and all of them look as the graph says.
    """

    event: str
    motion: str | None
    motion_ok: bool | None = None
    ok: bool | None = None


@dataclass
class CheckReport:
    """What a video shows of a graph; `tracks` is how many objects were followed through it."""

    entities: list[EntityReport]
    events: list[EventReport]
    tracks: int

    def verdicts(self) -> dict[str, list[bool]]:
        """What is right and what is not, by kind; what cannot be checked is left out.

        Kinds are "objects", and of those that should be there "shapes" and "colors"; "events" (the right object does
        it), "motions" (the best match does it), and "motion:NAME", events by their motion.
        """
        verdicts: dict[str, list[bool]] = {}

        def note(kind: str, verdict: bool | None) -> None:
            if verdict is not None:
                verdicts.setdefault(kind, []).append(bool(verdict))

        for entity in self.entities:
            note("objects", entity.ok)
            if not entity.negated:
                note("shapes", None if entity.shape_ok is None else entity.found and entity.shape_ok)
                note("colors", None if entity.color_ok is None else entity.found and entity.color_ok)
        for event in self.events:
            note("events", event.ok)
            note("motions", event.motion_ok)
            note(f"motion:{event.motion}", event.ok)
        return verdicts


def check(checker: Checker, graph: SceneGraph, video: np.ndarray | Tensor) -> CheckReport:
    """Compare a video, as `Checker.follow` takes it, with a graph.

    Raises:
        UsageError: if the video is not one that can be checked.
    """
    return judge(graph, checker.follow(video), len(video))


def judge(graph: SceneGraph, tracks: list[Track], frames: int) -> CheckReport:
    """Compare what was followed through a video of so many frames with a graph.

    Tracks are given to entities by their looks alone, so that the sum over all entities is best; what they do is
    measured afterwards.
    """
    expected = expectations(graph, frames)
    matched, rest = match(expected, tracks, frames)
    entities = [_judge_entity(expected[node.id], matched[node.id], rest) for node in graph.of_type("entity")]
    right = {report.entity: report.ok for report in entities}
    events = [_judge_event(graph, node, expected, matched, right) for node in graph.of_type("event")]
    return CheckReport(entities, events, len(tracks))


def _judge_entity(expected: Expectation, tracks: list[Track], rest: list[Track]) -> EntityReport:
    node = expected.node
    extra = [t for t in rest if expected.presence(t) >= _EXTRA_FRAMES and _looks_right(expected, t)]
    if node.negated and expected.checkable:
        return EntityReport(node.id, True, bool(extra), count=len(extra), ok=not extra)
    all_present = all(expected.presence(track) >= _PRESENT for track in tracks)
    if not expected.checkable:
        return EntityReport(node.id, node.negated, all_present)
    shape_ok = None if expected.shape is None else all(expected.right_shape(t) for t in tracks)
    color_ok = all(min(expected.right_colors(t)) >= _MAJORITY for t in tracks) if expected.colors else None
    count = sum(expected.presence(t) >= _PRESENT and _looks_right(expected, t) for t in tracks) + len(extra)
    count_ok = count == node.count
    ok = all_present and shape_ok is not False and color_ok is not False and count_ok
    return EntityReport(node.id, False, all_present, shape_ok, color_ok, count, count_ok, ok)


def _looks_right(expected: Expectation, track: Track) -> bool:
    """Whether the shape is right, and the colours in most frames."""
    return expected.right_shape(track) and all(share >= _MAJORITY for share in expected.right_colors(track))


def _judge_event(
    graph: SceneGraph,
    node: Node,
    expected: dict[str, Expectation],
    matched: dict[str, list[Track]],
    right: dict[str, bool | None],
) -> EventReport:
    motion, moved = motion_of(node.label, node.direction), movers(graph, node)
    if motion is None or not moved or any(expected[entity].node.negated for entity in moved):
        return EventReport(node.id, motion)
    # Only a cube's spin can be seen.
    if motion == "spin" and any(expected[entity].shape not in ("cube", None) for entity in moved):
        return EventReport(node.id, motion)
    verdicts = []
    for entity in moved:
        for track in matched[entity]:
            verdict = shows(motion, measure(track, node.interval, expected[entity].visible))
            verdicts.append(_turned(expected[entity], track, node.interval) if verdict is None else verdict)
    motion_ok = all(verdicts) != node.negated
    return EventReport(node.id, motion, motion_ok, motion_ok and all(right[entity] is not False for entity in moved))


def _turned(expected: Expectation, track: Track, interval: Interval) -> bool:
    """Whether the colour changes as said: most frames before have one colour, most frames after the new one.

    The colour before need not be said; it must only be another one.
    """
    times = frame_times(len(expected.color))
    change, leeway = change_time(interval), 1.01 / len(times)
    new = [color for color, (start, _) in expected.colors if abs(start - change) < leeway and start > 0]
    # Up to the changes before and after this one, if the graph says more than one.
    starts = [start for _, (start, _) in expected.colors]
    first = max([s for s in starts if s < change - leeway], default=0.0)
    last = min([s for s in starts if s > change + leeway], default=1.0)
    main_colors: list[str | None] = []
    for early, late in ((first, change - leeway), (change + leeway, last)):
        frames = (times >= early) & (times <= late) & track.seen & expected.visible
        votes = np.bincount(track.color[frames].argmax(1), minlength=len(COLOR_NAMES))
        steady = votes.max() >= _MAJORITY * votes.sum() > 0
        main_colors.append(COLOR_NAMES[int(votes.argmax())] if steady else None)
    before, after = main_colors
    changed = before is not None and after is not None and before != after
    return changed and (not new or after == new[0])
