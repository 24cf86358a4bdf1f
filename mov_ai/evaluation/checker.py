"""The checker: does a video of the embedded world show what its scene graph says? It sees frames and graph only."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mov_ai.evaluation.checker_motion import measure, shows
from mov_ai.evaluation.checker_tracks import Track, detect, link, to_planes
from mov_ai.graph import Interval, Node, SceneGraph
from mov_ai.graph.time import change_time, frame_times
from mov_ai.models.component import load_component
from mov_ai.models.metric_networks.checker import CheckerConfig, CheckerNetwork
from mov_ai.worlds.tabletop import lexicon
from mov_ai.worlds.tabletop.metric_labels import COLOR_NAMES, SHAPE_NAMES
from mov_ai.worlds.tabletop.motions import motion_of, movers

EMBEDDED = Path(__file__).resolve().parents[1] / "assets" / "tiny" / "checker"
#: Share of the frames in which a look must be right, and in which a thing must be there.
_MOST, _PRESENT = 0.6, 0.5
#: A track that no entity was given counts as one too many if it is there in this share of the entity's frames.
_EXTRA = 0.3


@dataclass
class EntityReport:
    """What is seen of one entity; None where the graph says nothing that the world could show.

    Attributes:
        entity, label: id and label of its node.
        expected: what the graph says: shape, and colours with their intervals.
        found: every instance is there in most of its frames.
        shape_ok, color_ok: every instance found has the shape, and every colour in its interval.
        count, count_ok: how many things look like it, and whether that is as many as said.
        ok: all of these that apply; of a negated entity, that nothing looks like it.
        instances: per instance, the shape seen and its mean probability, the share of frames in which it is there, and
            for each colour said the share of its frames that show it.
    """

    entity: str
    label: str
    expected: dict[str, Any]
    found: bool
    shape_ok: bool | None
    color_ok: bool | None
    count: int
    count_ok: bool | None
    ok: bool | None
    instances: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class EventReport:
    """What is seen of one event.

    Attributes:
        event, label: id and label of its node.
        motion: name in `lexicon.MOTIONS`, or None if the world does not know it.
        entities: ids of who does it.
        interval: when.
        motion_ok: the best match of everyone who does it does it; None if it cannot be seen.
        ok: that, and all of them look as the graph says.
        measured: per instance, what was measured in the interval.
    """

    event: str
    label: str
    motion: str | None
    entities: tuple[str, ...]
    interval: Interval
    motion_ok: bool | None
    ok: bool | None
    measured: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class CheckReport:
    """What a video shows of a graph; `tracks` is how many objects were followed through it."""

    entities: list[EntityReport]
    events: list[EventReport]
    tracks: int

    @property
    def ok(self) -> bool:
        """Whether everything that can be checked is right."""
        verdicts = [entity.ok for entity in self.entities] + [event.ok for event in self.events]
        return False not in verdicts

    def counts(self) -> dict[str, int]:
        """How many entities and events were checked, and how many are right."""
        entities = [r.ok for r in self.entities if r.ok is not None]
        events = [r.ok for r in self.events if r.ok is not None]
        motions = [r.motion_ok for r in self.events if r.motion_ok is not None]
        return {
            "objects": len(entities),
            "objects_right": sum(entities),
            "events": len(events),
            "events_right": sum(events),
            "motions_right": sum(motions),
        }

    def summary(self) -> str:
        """One line per entity and event, in words."""
        lines = []
        for entity in self.entities:
            said = " ".join([*(color for color, _ in entity.expected["colors"]), entity.label])
            faults = [
                word
                for word, right in (
                    ("not found", entity.found),
                    ("wrong shape", entity.shape_ok),
                    ("wrong colour", entity.color_ok),
                    (f"{entity.count} instead of {entity.expected['count']}", entity.count_ok),
                )
                if right is False
            ]
            if entity.expected["negated"]:
                said, faults = f"no {said}", [f"{entity.count} seen"]
            lines.append(_line(entity.entity, said, entity.ok, faults))
        for event in self.events:
            said = f"{event.label} ({event.motion or 'unknown'}) {event.interval[0]:.2f}-{event.interval[1]:.2f}"
            faults = ["not seen"] if event.motion_ok is False else ["by the wrong object"]
            lines.append(_line(event.event, said, event.ok, faults))
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"counts": self.counts(), **asdict(self)}


def _line(node: str, said: str, ok: bool | None, faults: list[str]) -> str:
    verdict = "not checked" if ok is None else "ok" if ok else ", ".join(faults)
    return f"{node}: {said}: {verdict}"


@dataclass
class Expectation:
    """What the graph says of one entity, for every frame.

    Attributes:
        node: the entity.
        shape: name in `SHAPE_NAMES`, or None if the world does not know the word.
        colors: the colours said, with their intervals, in order of time.
        visible: (F,) bool, where the graph lets it be seen.
        color: (F,) index in `COLOR_NAMES`, -1 where no colour is said.
    """

    node: Node
    shape: str | None
    colors: list[tuple[str, Interval]]
    visible: np.ndarray
    color: np.ndarray

    @property
    def checkable(self) -> bool:
        return self.shape is not None or bool(self.colors)

    def fit(self, track: Track) -> float:
        """How well a track's look fits, frame by frame, in [0, 1]; where it is or how it moves does not count."""
        if not self.visible.any():
            return 0.0
        evidence = np.zeros(len(self.color))
        weight = np.zeros(len(self.color))
        seen = track.seen
        if self.shape is not None:
            evidence += np.where(seen, np.nan_to_num(track.shape[:, SHAPE_NAMES.index(self.shape)]), 0)
            weight += 1
        said = self.color >= 0
        evidence += np.where(said & seen, np.nan_to_num(track.color)[np.arange(len(said)), self.color], 0)
        weight += said
        share = np.where(weight > 0, evidence / np.maximum(weight, 1), 0.5 * seen)
        return float(share[self.visible].mean())

    def seen_shape(self, track: Track) -> tuple[str | None, float]:
        """The shape that is likeliest over all frames together, and its mean probability; None if it is never seen."""
        frames = track.seen & self.visible
        if not frames.any():
            return None, 0.0
        mean = track.shape[frames].mean(0)
        return SHAPE_NAMES[int(mean.argmax())], float(mean.max())

    def right_shape(self, track: Track) -> bool:
        """Whether that is the shape that is said, if one is said."""
        return self.shape is None or self.seen_shape(track)[0] == self.shape

    def right_colors(self, track: Track) -> list[float]:
        """For each colour said, the share of its frames with it; a frame of leeway where it begins or ends."""
        times = frame_times(len(self.color))
        leeway = 1.01 / len(times)
        shares = []
        for color, (start, end) in self.colors:
            inside = (times >= start) & (times < end)
            inner = (times >= start + leeway * (start > 0)) & (times < end - leeway * (end < 1))
            inside = inner if inner.sum() >= 2 else inside
            frames = inside & self.visible & track.seen
            if frames.any():
                shares.append(float((track.color[frames].argmax(1) == COLOR_NAMES.index(color)).mean()))
            else:
                # A colour in whose time the thing is not to be seen says nothing; one that was missed is wrong.
                shares.append(0.0 if (inside & self.visible).any() else 1.0)
        return shares

    def presence(self, track: Track) -> float:
        """Share of the frames in which it should be there and is."""
        return float(track.seen[self.visible].mean()) if self.visible.any() else 1.0

    def looks_right(self, track: Track) -> bool:
        """Whether the shape is right, and the colours in most frames."""
        return self.right_shape(track) and all(share >= _MOST for share in self.right_colors(track))


def expectations(graph: SceneGraph, frames: int) -> dict[str, Expectation]:
    """What the graph says of every entity, frame by frame."""
    times = frame_times(frames)
    result = {}
    for node in graph.of_type("entity"):
        colors = []
        for attribute, edge in graph.attributes(node.id):
            found = None if attribute.negated else lexicon.attribute_concept(attribute.label)
            if found and found[0] == "color":
                colors.append((found[1], edge.interval))
        colors.sort(key=lambda value: value[1])
        color = np.full(frames, -1)
        for name, (start, end) in colors:
            color[(times >= start) & (times < end)] = COLOR_NAMES.index(name)
        visible = np.ones(frames, dtype=bool)
        for event in graph.of_type("event"):
            if node.id in movers(graph, event) and not event.negated:
                motion = motion_of(event.label, event.direction)
                if motion == "vanish":
                    visible &= times < change_time(event.interval)
                elif motion == "appear":
                    visible &= times >= change_time(event.interval)
        result[node.id] = Expectation(node, lexicon.concept("shape", node.label), colors, visible, color)
    return result


class Checker:
    """Follows objects through a video and compares them with a scene graph.

    Objects are found by a network that was trained on rendered clips only and knows nothing of any generator. Tracks
    are given to entities by their looks alone, so that the sum over all entities is best; what they do is measured
    afterwards.
    """

    def __init__(self, network: CheckerNetwork) -> None:
        self.network = network.eval()

    @classmethod
    def from_pretrained(cls, path: str | Path | None = None, device: torch.device | str = "cpu") -> Checker:
        """Load the embedded network, or one from a folder that training exported.

        Raises:
            UsageError, MovAIError: as `load_component`.
        """
        network = load_component(CheckerNetwork, CheckerConfig, EMBEDDED if path is None else path)
        return cls(network.to(device))

    def follow(self, video: np.ndarray | Tensor) -> list[Track]:
        """The objects of a video.

        Args:
            video: uint8 (F, H, W, 3), square; frames are brought to 128 pixels first (larger ones averaged over areas).

        Raises:
            UsageError: if it is not such a video.
        """
        return link(detect(self.network, to_planes(video)))

    def check(self, graph: SceneGraph, video: np.ndarray | Tensor) -> CheckReport:
        """Compare a video with a graph.

        Args:
            graph: what should be seen.
            video: as `follow`.

        Raises:
            UsageError: if the video is not one that can be checked.
        """
        return self.judge(graph, self.follow(video), len(video))

    def judge(self, graph: SceneGraph, tracks: list[Track], frames: int) -> CheckReport:
        """Compare what was followed through a video of so many frames with a graph."""
        expected = expectations(graph, frames)
        matched, rest = match(expected, tracks, frames)
        entities = [_judge_entity(expected[node.id], matched[node.id], rest) for node in graph.of_type("entity")]
        right = {report.entity: report.ok for report in entities}
        events = [_judge_event(graph, node, expected, matched, right) for node in graph.of_type("event")]
        return CheckReport(entities, events, len(tracks))


def match(
    expected: dict[str, Expectation], tracks: list[Track], frames: int
) -> tuple[dict[str, list[Track]], list[Track]]:
    """Give tracks to entities by their looks alone, so that the sum over all entities is best.

    Returns:
        Entity -> a track for each of its instances, empty ones (which fail every check) where too few are left; and
        the tracks that nobody was given.
    """
    given = _assign(expected, tracks)
    taken = {index for indices in given.values() for index in indices}
    rest = [track for index, track in enumerate(tracks) if index not in taken]
    matched = {
        entity: [tracks[i] if i >= 0 else Track.empty(frames) for i in indices] for entity, indices in given.items()
    }
    return matched, rest


def _assign(expected: dict[str, Expectation], tracks: list[Track]) -> dict[str, list[int]]:
    """Entity -> index of a track for each of its instances, -1 where there is none left; the best sum of fits."""
    from scipy.optimize import linear_sum_assignment

    slots = [entity for entity, e in expected.items() if not e.node.negated for _ in range(e.node.count)]
    given: dict[str, list[int]] = {entity: [] for entity in expected}
    fits = np.array([[expected[entity].fit(track) for track in tracks] for entity in slots])
    fits = fits.reshape(len(slots), len(tracks))
    partner = dict(zip(*(indices.tolist() for indices in linear_sum_assignment(-fits)), strict=True))
    for slot, entity in enumerate(slots):
        index = partner.get(slot, -1)
        given[entity].append(index if index >= 0 and fits[slot, index] > 0 else -1)
    return given


def _judge_entity(expected: Expectation, tracks: list[Track], rest: list[Track]) -> EntityReport:
    node = expected.node
    instances = []
    for track in tracks:
        shape, certainty = expected.seen_shape(track)
        shares: dict[str, float | list[float]] = {
            "certainty": certainty,
            "present": expected.presence(track),
            "colors": expected.right_colors(track),
        }
        instances.append({"shape": shape, **{key: _rounded(value) for key, value in shares.items()}})
    extra = [t for t in rest if expected.presence(t) >= _EXTRA and expected.looks_right(t)]
    said = {
        "shape": expected.shape,
        "colors": [(color, list(interval)) for color, interval in expected.colors],
        "count": node.count,
        "negated": node.negated,
    }
    if not expected.checkable:
        found = all(expected.presence(track) >= _PRESENT for track in tracks)
        return EntityReport(node.id, node.label, said, found, None, None, 0, None, None, instances)
    if node.negated:
        return EntityReport(node.id, node.label, said, bool(extra), None, None, len(extra), None, not extra, [])
    found = all(expected.presence(track) >= _PRESENT for track in tracks)
    shape_ok = None if expected.shape is None else all(expected.right_shape(t) for t in tracks)
    color_ok = all(min(expected.right_colors(t)) >= _MOST for t in tracks) if expected.colors else None
    alike = sum(expected.presence(t) >= _PRESENT and expected.looks_right(t) for t in tracks) + len(extra)
    count_ok = alike == node.count
    ok = found and shape_ok is not False and color_ok is not False and count_ok
    return EntityReport(node.id, node.label, said, found, shape_ok, color_ok, alike, count_ok, ok, instances)


def _rounded(value: float | list[float]) -> float | list[float]:
    return [round(entry, 4) for entry in value] if isinstance(value, list) else round(value, 4)


def _judge_event(
    graph: SceneGraph,
    node: Node,
    expected: dict[str, Expectation],
    matched: dict[str, list[Track]],
    right: dict[str, bool | None],
) -> EventReport:
    motion = motion_of(node.label, node.direction)
    doers = tuple(movers(graph, node))
    report = EventReport(node.id, node.label, motion, doers, node.interval, None, None)
    if motion is None or not doers or any(expected[entity].node.negated for entity in doers):
        return report
    # Only a cube's spin can be seen.
    if motion == "spin" and any(expected[entity].shape not in ("cube", None) for entity in doers):
        return report
    verdicts = []
    for entity in doers:
        for track in matched[entity]:
            m = measure(track, node.interval, expected[entity].visible)
            numbers: dict[str, Any] = {"entity": entity, **m.as_dict()}
            verdict = shows(motion, m)
            if verdict is None:
                verdict, numbers["colors"] = _turned(expected[entity], track, node.interval)
            verdicts.append(verdict)
            report.measured.append(numbers)
    report.motion_ok = all(verdicts) != node.negated
    report.ok = report.motion_ok and all(right[entity] is not False for entity in doers)
    return report


def _turned(expected: Expectation, track: Track, interval: Interval) -> tuple[bool, list[str | None]]:
    """Whether the colour changes as said: most frames before have one colour, most frames after the new one.

    The colour before need not be said; it must only be another one. Returns the colours seen before and after, too.
    """
    times = frame_times(len(expected.color))
    change, leeway = change_time(interval), 1.01 / len(times)
    new = [color for color, (start, _) in expected.colors if abs(start - change) < leeway and start > 0]
    # Up to the changes before and after this one, if the graph says more than one.
    starts = [start for _, (start, _) in expected.colors]
    first = max([s for s in starts if s < change - leeway], default=0.0)
    last = min([s for s in starts if s > change + leeway], default=1.0)
    seen: list[str | None] = []
    for early, late in ((first, change - leeway), (change + leeway, last)):
        frames = (times >= early) & (times <= late) & track.seen & expected.visible
        votes = np.bincount(track.color[frames].argmax(1), minlength=len(COLOR_NAMES)) if frames.any() else np.zeros(8)
        steady = votes.max() >= _MOST * votes.sum() > 0
        seen.append(COLOR_NAMES[int(votes.argmax())] if steady else None)
    before, after = seen
    changed = before is not None and after is not None and before != after
    return changed and (not new or after == new[0]), seen
