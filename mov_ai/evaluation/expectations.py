"""What a scene graph lets one expect of a video frame by frame, and which of the things seen it is about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from mov_ai.evaluation.checker_tracks import Track
from mov_ai.graph import Interval, Node, SceneGraph
from mov_ai.graph.time import change_time, frame_times
from mov_ai.worlds.tabletop import lexicon
from mov_ai.worlds.tabletop.metric_labels import COLOR_NAMES, SHAPE_NAMES
from mov_ai.worlds.tabletop.motions import motion_of, movers


@dataclass
class Expectation:
    """What the graph says of one entity, for every frame.

    Attributes:
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
        colored = self.color >= 0
        evidence += np.where(colored & seen, np.nan_to_num(track.color)[np.arange(len(seen)), self.color], 0)
        weight += colored
        share = np.where(weight > 0, evidence / np.maximum(weight, 1), 0.5 * seen)
        return float(share[self.visible].mean())

    def right_shape(self, track: Track) -> bool:
        """Whether the shape that is likeliest over all frames together is the one that is said, if one is."""
        frames = track.seen & self.visible
        if self.shape is None or not frames.any():
            return self.shape is None
        return SHAPE_NAMES[int(track.shape[frames].mean(0).argmax())] == self.shape

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
                # A colour counts only if the thing should be visible in its time; if it is not seen then, it is wrong.
                shares.append(0.0 if (inside & self.visible).any() else 1.0)
        return shares

    def presence(self, track: Track) -> float:
        """Share of the frames in which it should be there and is."""
        return float(track.seen[self.visible].mean()) if self.visible.any() else 1.0


def expectations(graph: SceneGraph, frames: int) -> dict[str, Expectation]:
    """What the graph says of every entity, frame by frame."""
    times = frame_times(frames)
    result = {}
    for node in graph.of_type("entity"):
        colors = []
        for attribute, edge in graph.attributes(node.id):
            concept = None if attribute.negated else lexicon.attribute_concept(attribute.label)
            if concept and concept[0] == "color":
                colors.append((concept[1], edge.interval))
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


def match(
    expected: dict[str, Expectation], tracks: list[Track], frames: int
) -> tuple[dict[str, list[Track]], list[Track]]:
    """Give tracks to entities by their looks alone, so that the sum of fits over all entities is best.

    Returns:
        Entity -> a track for each of its instances, empty ones (which fail every check) where too few are left; and
        the tracks that nobody was given.
    """
    slots = [entity for entity, e in expected.items() if not e.node.negated for _ in range(e.node.count)]
    fits = np.array([[expected[entity].fit(track) for track in tracks] for entity in slots])
    fits = fits.reshape(len(slots), len(tracks))
    partner = dict(zip(*(indices.tolist() for indices in linear_sum_assignment(-fits)), strict=True))
    matched: dict[str, list[Track]] = {entity: [] for entity in expected}
    given = set()
    for slot, entity in enumerate(slots):
        index = partner.get(slot, -1)
        if index >= 0 and fits[slot, index] > 0:
            matched[entity].append(tracks[index])
            given.add(index)
        else:
            matched[entity].append(Track.empty(frames))
    return matched, [track for index, track in enumerate(tracks) if index not in given]
