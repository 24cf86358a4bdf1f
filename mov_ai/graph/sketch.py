"""A drawing of one thing: which thing it is, where it stands in the frame, and its outline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mov_ai.errors import UsageError
from mov_ai.graph.instances import drawn_entities, entity_phrase
from mov_ai.graph.layout import BOX_FIELDS, Layout, Track
from mov_ai.graph.outline import Outline, filled
from mov_ai.graph.schema import SceneGraph

#: Where no other depth is known.
_DEPTH = 1.0
#: Things that a message names.
_LISTED = 8


@dataclass(frozen=True)
class Sketch:
    """What a drawing says.

    Attributes:
        outline: of the thing, within its box.
        box: centre x, y, width, height, in fractions of the frame.
        entity: id or label of the entity that is drawn, or its label after its attributes, as "red ball"; None for the
            first that has no sketch.
        file, sha256: what it was read from.
    """

    outline: Outline
    box: tuple[float, float, float, float]
    entity: str | None = None
    file: str = ""
    sha256: str = ""


def sketched_instances(graph: SceneGraph, sketches: Sequence[Sketch]) -> list[tuple[str, int]]:
    """(entity id, instance) that each sketch is of: several of one entity are of one instance each.

    Raises:
        UsageError: if the graph draws no such thing, or not so many.
    """
    free = drawn_entities(graph)
    taken: list[tuple[str, int]] = []
    for sketch in sketches:
        match = next((key for key in free if sketch.entity is None or _is_called(graph, key[0], sketch.entity)), None)
        if match is None:
            names = list(dict.fromkeys(f"{entity} ({entity_phrase(graph, entity)})" for entity, _ in free))[:_LISTED]
            which = "another thing" if sketch.entity is None else repr(sketch.entity)
            raise UsageError(
                f"--sketch: {sketch.file}: the graph draws no {which} without a sketch; it draws "
                f"{', '.join(names) or 'nothing more'}"
            )
        free.remove(match)
        taken.append(match)
    return taken


def _is_called(graph: SceneGraph, entity: str, name: str) -> bool:
    wanted = name.casefold().strip()
    return entity == name or wanted in (graph.node(entity).label.casefold(), entity_phrase(graph, entity).casefold())


def sketched_layout(
    graph: SceneGraph, frames: int, sketches: Sequence[Sketch], given: Layout | None, planned: Layout | None, grid: int
) -> Layout:
    """Boxes that are known once things are drawn: each stands in the first frame where its sketch has it.

    Args:
        given: boxes that are known without the sketches, of as many frames; they go before the sketches' places.
        planned: a plan without the sketches, which knows how far away things are; None where there is none.
        grid: moments that the planner thinks in; a thing stays where it is for as long as the planner needs to hear
            of it.

    Raises:
        UsageError: as `sketched_instances`.
    """
    tracks = {(track.entity, track.instance): track for track in (given.tracks if given is not None else [])}
    held = min(frames, frames // (2 * grid) + 1)
    for key, sketch in zip(sketched_instances(graph, sketches), sketches, strict=True):
        unknown = np.full((frames, len(BOX_FIELDS)), np.nan, np.float32)
        track = tracks.get(key, Track(key[0], unknown, key[1]))
        boxes = track.boxes.copy()
        if np.isnan(boxes[0]).any():
            plan = None if planned is None else planned.track(*key)
            depth = _DEPTH if plan is None else float(plan.boxes[0, 4])
            rows = np.isnan(boxes[:held]).any(axis=1)
            boxes[:held][rows] = [*sketch.box, depth, 1.0]
        tracks[key] = replace(track, boxes=boxes, outline=sketch.outline)
    return Layout(frames, list(tracks.values()), None if given is None else given.shape)


def drawn_picture(track: Track, height: int, width: int) -> np.ndarray:
    """The outline of a track, filled, in its box of the first frame: uint8 (height, width), black on white, as a
    sketch is read."""
    picture = np.zeros((height, width), np.float32)
    if track.outline is not None:
        x, y, w, h = (float(value) for value in track.boxes[0, :4] * [width, height, width, height])
        left, top = round(x - w / 2), round(y - h / 2)
        across, down = max(1, round(w)), max(1, round(h))
        shape = filled(track.outline, min(down, 4 * height), min(across, 4 * width))
        low, high = max(0, top), min(height, top + shape.shape[0])
        first, last = max(0, left), min(width, left + shape.shape[1])
        if low < high and first < last:
            picture[low:high, first:last] = shape[low - top : high - top, first - left : last - left]
    return np.asarray((255 * (1 - picture)).round(), np.uint8)
