"""What is seen of a prompt's things in a video: a track for each, what it looks like, and when it does what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mov_ai.evaluation.benchmark.geometry import floor_places, radii
from mov_ai.evaluation.benchmark.timing import Doing, happens, switched
from mov_ai.evaluation.checker_motion import measure
from mov_ai.evaluation.checker_tracks import Track
from mov_ai.evaluation.expectations import Expectation, expectations, match
from mov_ai.graph import Node, SceneGraph
from mov_ai.graph.schema import FULL
from mov_ai.graph.time import frame_times
from mov_ai.models.metric_networks.checker import SIZE, STRIDE
from mov_ai.worlds.tabletop.metric_labels import COLOR_NAMES
from mov_ai.worlds.tabletop.motions import motion_of, movers

#: Share of the frames in which a look must be right, and in which a thing must be there.
_MOST_FRAMES, _PRESENT = 0.8, 0.6
#: Share of the frames in which a thing is there that comes or goes.
_SOME_TIME = 0.12
#: A track that no thing was given counts as one too many from this share of the frames on.
_EXTRA_FRAMES = 0.4
#: An unseen thing counts as hidden if so much of its box is covered. A track whose box lies in another's by this share
#: is a part of that thing, not a thing of its own.
_COVERED, _INSIDE = 0.5, 0.7
#: A thing shows at least this share of its box, or it is the shadow of another; and it has at least this share of the
#: cells of those that it looks like, or it is a piece of one.
_SOLID, _SMALLEST = 0.3, 0.3


@dataclass
class Observed:
    """A video as far as a prompt's graph is concerned.

    Attributes:
        graph: the prompt's.
        frames: how many the video has.
        expected, tracks, rest: of `expectations` and `match`, by the entities' ids.
    """

    graph: SceneGraph
    frames: int
    expected: dict[str, Expectation]
    tracks: dict[str, list[Track]]
    rest: list[Track]

    @classmethod
    def of(cls, graph: SceneGraph, tracks: list[Track], frames: int) -> Observed:
        """Give the tracks of a video to the entities of a graph."""
        expected = expectations(graph, frames)
        matched, rest = match(expected, tracks, frames)
        observed = cls(graph, frames, expected, matched, rest)
        for entity, entity_tracks in matched.items():
            if len(entity_tracks) == 1:
                observed._rejoin(entity)
        return observed

    def _rejoin(self, entity: str) -> None:
        """Put together what is one thing before and after it was hidden, however long that took."""
        for part in list(self.rest):
            entity_track = self.one(entity)
            if not entity_track.seen.any() or (entity_track.seen & part.seen).any() or not self.alike(entity, part):
                continue
            both = joined(entity_track, part)
            first, last = sorted(
                (np.flatnonzero(entity_track.seen)[[0, -1]].tolist(), np.flatnonzero(part.seen)[[0, -1]].tolist())
            )
            between = slice(first[1] + 1, last[0])
            others = [t for name, ts in self.tracks.items() for t in ts if name != entity]
            gap_boxes = filled(both)[between]
            behind = (
                [covered(gap_boxes, np.nan_to_num(other.boxes[between])).mean() for other in others]
                if len(gap_boxes)
                else []
            )
            if max(behind, default=0.0) >= _COVERED:
                self.tracks[entity] = [both]
                self.rest = [track for track in self.rest if track is not part]

    # -- looks ---------------------------------------------------------------------------------------------------------

    def alike(self, entity: str, track: Track) -> bool:
        """Whether a track has the shape of an entity, and its colour, or its colours one after the other."""
        expected = self.expected[entity]
        if not track.seen.any() or not expected.right_shape(track):
            return False
        colors = [COLOR_NAMES.index(color) for color, _ in expected.colors]
        main_colors = track.color[track.seen].argmax(1)
        if len(colors) < 2:
            return all(float((main_colors == color).mean()) >= _MOST_FRAMES for color in colors)
        return self.turned(track, colors[0], colors[1]) is not None

    def turned(self, track: Track, old: int, new: int) -> float | None:
        """When a track turns from one colour to another, in [0, 1]; None if it does not."""
        frames = np.flatnonzero(track.seen)
        if len(frames) < 2:
            return None
        colors = track.color[frames].argmax(1)
        # The split with the most frames of the right colour on either side.
        right = [int((colors[:split] == old).sum() + (colors[split:] == new).sum()) for split in range(1, len(frames))]
        split = 1 + int(np.argmax(right))
        least = min(2, max(1, self.frames // 8))
        sides = ((colors[:split] == old), (colors[split:] == new))
        if any(side.sum() < least or side.mean() < _MOST_FRAMES for side in sides):
            return None
        times = frame_times(self.frames)
        return float(times[frames[split - 1]] + times[frames[split]]) / 2

    def present(self, entity: str, track: Track) -> bool:
        """Whether a track is seen in most of the frames in which the entity should be; what is hidden is excused.

        What comes or goes only has to be there at some time: when is another question.
        """
        if not self.expected[entity].visible.all():
            return float(track.seen.mean()) >= _SOME_TIME
        unhidden = ~self._hidden(track)
        return bool(unhidden.any() and track.seen[unhidden].mean() >= _PRESENT)

    def _hidden(self, track: Track) -> np.ndarray:
        """Frames in which a track is not seen, but was and will be, and would be behind something else; (F,) bool."""
        hidden = np.zeros(self.frames, dtype=bool)
        if not track.seen.any():
            return hidden
        first, last = np.flatnonzero(track.seen)[[0, -1]]
        between = ~track.seen & (np.arange(self.frames) >= first) & (np.arange(self.frames) <= last)
        boxes = filled(track)
        for other in (*(t for tracks in self.tracks.values() for t in tracks), *self.rest):
            if other is not track:
                hidden |= between & other.seen & (covered(boxes, np.nan_to_num(other.boxes)) > _COVERED)
        return hidden

    def looks(self, entity: str) -> bool:
        """Whether every instance is there and looks as said, and nothing else looks like it."""
        tracks = self.tracks[entity]
        right = all(self.present(entity, track) and self.alike(entity, track) for track in tracks)
        return right and not self.extras(entity)

    def lookalikes(self, entity: str) -> list[Track]:
        """What looks like an entity, though it was given to none; no piece of it, and no shadow that looks like it."""
        seen_tracks = [track for track in self.tracks[entity] if track.seen.any()]
        usual = float(np.median([np.median(track.cells[track.seen]) for track in seen_tracks])) if seen_tracks else 0.0
        return [
            track
            for track in self.rest
            if self.alike(entity, track)
            and _solid(track)
            and np.median(track.cells[track.seen]) >= _SMALLEST * usual
            and not any(_is_part(track, other) for other in seen_tracks)
        ]

    def extras(self, entity: str) -> list[Track]:
        """Lookalikes that are there for long enough to be one too many."""
        return [t for t in self.lookalikes(entity) if self.expected[entity].presence(t) >= _EXTRA_FRAMES]

    def one(self, entity: str) -> Track:
        """The track of an entity that there is one of."""
        return self.tracks[entity][0]

    def shape(self, entity: str) -> str:
        """The shape said, or the one seen where none is."""
        return self.expected[entity].shape or self.one(entity).shape_name()

    # -- places, frame by frame; NaN where the thing is not seen -------------------------------------------------------

    def floor(self, entity: str) -> np.ndarray:
        """Where it stands, if it stands on the floor: x to the right and z away, world units, (F, 2)."""
        return floor_places(self.one(entity).boxes, self.shape(entity))

    def radius(self, entity: str) -> np.ndarray:
        """World units, (F,)."""
        return radii(self.one(entity).boxes, self.shape(entity))

    # -- events --------------------------------------------------------------------------------------------------------

    def doings(self, event: str) -> list[Doing] | None:
        """When each of an event's agents does it; None if one of them does not, or looks wrong.

        When it should happen does not count here: it is looked for in the whole video.
        """
        node = self.graph.node(event)
        doers = movers(self.graph, node)
        if not doers or not all(self.looks(entity) for entity in doers):
            return None
        measured = [self.doing(node, entity, track) for entity in doers for track in self.tracks[entity]]
        return [doing for doing in measured if doing is not None] if None not in measured else None

    def doing(self, node: Node, entity: str, track: Track) -> Doing | None:
        """When a track does what an event says; None if it does not."""
        motion = motion_of(node.label, node.direction)
        if motion == "turn":
            colors = [COLOR_NAMES.index(color) for color, _ in self.expected[entity].colors]
            time = self.turned(track, colors[0], colors[1]) if len(colors) > 1 else None
            return None if time is None else Doing(time, time)
        return None if motion is None else happens(motion, track, node.interval)


def filled(track: Track) -> np.ndarray:
    """Boxes (F, 4) of a track that is seen somewhere, those of unseen frames put between their neighbours."""
    frames = np.arange(len(track.boxes))
    return np.stack([np.interp(frames, frames[track.seen], track.boxes[track.seen, i]) for i in range(4)], -1)


def joined(first: Track, second: Track) -> Track:
    """One track of two that are never seen in the same frame."""
    late = second.seen
    return Track(
        np.where(late[:, None], second.boxes, first.boxes),
        np.where(late, second.cells, first.cells),
        np.where(late[:, None], second.shape, first.shape),
        np.where(late[:, None], second.color, first.color),
        np.where(late[:, None], second.turn, first.turn),
    )


def covered(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Share of each box that another box covers; boxes: (F, 4), others: (F, 4)."""
    low = np.maximum(boxes[:, :2] - boxes[:, 2:] / 2, others[:, :2] - others[:, 2:] / 2)
    high = np.minimum(boxes[:, :2] + boxes[:, 2:] / 2, others[:, :2] + others[:, 2:] / 2)
    return np.clip(high - low, 0, None).prod(-1) / np.maximum(boxes[:, 2:].prod(-1), 1e-9)


def _solid(track: Track) -> bool:
    """Whether a thing fills enough of its box to be one: the thinnest, a cone, fills half."""
    areas = track.boxes[track.seen, 2:].prod(-1) * (SIZE // STRIDE) ** 2
    return bool(np.median(track.cells[track.seen] / areas) >= _SOLID)


def _is_part(track: Track, whole: Track) -> bool:
    """Whether a track is only a piece of another one."""
    both = track.seen & whole.seen
    if not both.any():
        return False
    inside = np.median(covered(track.boxes[both], whole.boxes[both])) >= _INSIDE
    return bool(inside and np.median(track.cells[both] / whole.cells[both]) < 0.5)


def moves(track: Track, frames: int) -> bool:
    """Whether anything happens to a track: it moves, spins, changes its size or its colour, comes or goes."""
    seen = track.seen
    if seen.sum() < 2:
        return False
    boxes = track.boxes[seen]
    spread = np.percentile(boxes[:, :2], 90, axis=0) - np.percentile(boxes[:, :2], 10, axis=0)
    sizes = np.log(boxes[:, 2:]).mean(1)
    colors = np.bincount(track.color[seen].argmax(1), minlength=len(COLOR_NAMES))
    least = min(2, max(1, frames // 8))
    return bool(
        spread.max() > 0.03
        or np.percentile(sizes, 90) - np.percentile(sizes, 10) > 0.2
        or (colors >= least).sum() > 1
        or measure(track, FULL, np.ones(frames, dtype=bool)).spun
        or any(switched(track, off) is not None for off in (True, False))
    )
