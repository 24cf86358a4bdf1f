"""The verdicts on a layout of any scene: every fact of its graph, and what holds of all boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mov_ai.errors import UsageError
from mov_ai.graph import Edge, Layout, Node, SceneGraph
from mov_ai.graph.instances import drawn_entities
from mov_ai.graph.layout_report import LayoutReport, Verdict
from mov_ai.worlds.stage.rules import (
    camera,
    company,
    handling,
    passages,
    places,
    presence,
    pursuit,
    sizes,
    standing,
    stillness,
    ways,
)
from mov_ai.worlds.stage.rules.boxes import SEEN, Shot, boxes_of
from mov_ai.worlds.stage.rules.fact import Fact
from mov_ai.worlds.stage.rules.reading import Reading, read
from mov_ai.worlds.stage.screenplay import AMONG

#: Share of the smaller box that two things that have nothing to do with each other may have in common.
_TOUCHING = 0.15
#: The longest step of a middle in a sixteenth of the video, in parts of the frame.
_JUMP = 0.26
#: How far a box may reach over the frame's edge.
_EDGE = 0.01


@dataclass(frozen=True)
class LayoutRules:
    """All that one graph states, read once; `judged` looks at one layout of it."""

    reading: Reading
    facts: tuple[Fact, ...]
    drawn: tuple[tuple[str, int], ...]

    def judged(self, layout: Layout) -> LayoutReport:
        """Verdicts, in the order of the graph.

        Raises UsageError if a drawn entity has no track, or a track has boxes that are not given.
        """
        shot = self._shot(layout)
        verdicts: dict[str, list[Verdict]] = {}
        for fact in self.facts:
            verdicts.setdefault(fact.family, []).append(fact.judged(shot))
        smooth = self._smooth(shot)
        hidden, hidden_worst, touching = self._crowding(shot)
        return LayoutReport(
            events=tuple(verdicts.get("events", ())),
            relations=tuple(verdicts.get("relations", ())),
            inside=self._inside(shot),
            hidden=hidden,
            hidden_worst=hidden_worst,
            touching=touching,
            places=tuple(verdicts.get("places", ())),
            presence=(*verdicts.get("presence", ()), *smooth),
            sizes=tuple(verdicts.get("sizes", ())),
            camera=tuple(verdicts.get("camera", ())),
        )

    def _shot(self, layout: Layout) -> Shot:
        tracks = {(track.entity, track.instance): track.boxes for track in layout.tracks}
        grouped: dict[str, list[np.ndarray]] = {}
        for entity, instance in self.drawn:
            boxes = tracks.get((entity, instance))
            if boxes is None or not np.isfinite(boxes).all():
                raise UsageError(
                    f"layout: the boxes of entity {entity!r}, instance {instance} are not all given; plan first"
                )
            grouped.setdefault(entity, []).append(boxes)
        boxes_by_key = {entity: boxes_of(np.stack(group)) for entity, group in grouped.items()}
        return Shot(boxes_by_key, layout.frames, self.reading.anchors if self.reading.play.camera else None)

    # -- what holds of all -------------------------------------------------------------------------------------------

    def _performers(self) -> list[str]:
        return [key for key in self.reading.play.performers if key in self.reading.drawn]

    def _smooth(self, shot: Shot) -> list[Verdict]:
        """One verdict for each performer that jumps from frame to frame."""
        found = []
        for key in self._performers() if shot.frames > 1 else ():
            boxes = shot.boxes[key]
            seen = (boxes.seen > SEEN)[:, 1:] & (boxes.seen > SEEN)[:, :-1]
            step = np.hypot(np.diff(boxes.x), np.diff(boxes.y)) * seen
            margin = 1 - float(step.max()) / (_JUMP * max(1.0, 16 / shot.frames))
            if margin < 0:
                text = f"{self.reading.names[key]} moves without a jump"
                found.append(Verdict(key, key, text, "smooth", False, max(margin, -2.0)))
        return found

    def _inside(self, shot: Shot) -> float:
        """Share of the seen boxes within the frame; none of what crosses its edge or is filmed moving."""
        inside, seen = [], []
        crossing = {key for deed in self.reading.play.deeds if deed.action in ("enter", "leave") for key in deed.agents}
        for key in self._performers():
            if self.reading.root(key) in crossing or key in crossing or self.reading.play.camera:
                continue
            boxes = shot.boxes[key]
            low, high = np.minimum(boxes.left, boxes.top), np.maximum(boxes.right, boxes.bottom)
            inside.append(((low >= -_EDGE) & (high <= 1 + _EDGE)).ravel())
            seen.append((boxes.seen > SEEN).ravel())
        if not inside or not np.concatenate(seen).any():
            return 1.0
        return float(np.mean(np.concatenate(inside), where=np.concatenate(seen)))

    def _crowding(self, shot: Shot) -> tuple[float, float, int]:
        """Greatest mean and worst share of a box that another hides with which it has nothing to do, and how many
        such pairs touch."""
        keys = self._performers()
        instances = [key for key in keys for _ in range(len(shot.boxes[key].x))]
        if len(set(instances)) < 2:
            return 0.0, 0.0, 0
        pairs = [
            (i, j)
            for i in range(len(instances))
            for j in range(i + 1, len(instances))
            if instances[i] != instances[j] and frozenset((instances[i], instances[j])) not in self.reading.linked
        ]
        if not pairs:
            return 0.0, 0.0, 0
        left, right, top, bottom, near, seen = (
            np.concatenate([getattr(shot.boxes[key], name) for key in keys])
            for name in ("left", "right", "top", "bottom", "near", "seen")
        )
        first, second = np.array(pairs).T
        both = (seen[first] > SEEN) & (seen[second] > SEEN)
        across = np.minimum(right[first], right[second]) - np.maximum(left[first], left[second])
        up = np.minimum(bottom[first], bottom[second]) - np.maximum(top[first], top[second])
        overlap = np.maximum(across, 0) * np.maximum(up, 0) * both
        area = (right - left) * (bottom - top)
        farther = np.where(near[first] < near[second], area[first], area[second])
        hidden = np.minimum(overlap / farther, 1.0)
        touching = (overlap / np.minimum(area[first], area[second])).max(1) > _TOUCHING
        return float(hidden.mean(-1).max()), float(hidden.max()), int(touching.sum())


def _instances(graph: SceneGraph, layout: Layout | None) -> list[tuple[str, int]]:
    """(entity, instance) of all that is drawn, and of what more a layout has of what the graph counts."""
    drawn = drawn_entities(graph)
    if layout is None:
        return drawn
    there = {(track.entity, track.instance) for track in layout.tracks}
    named = {(node.id, i) for node in graph.of_type("entity") if not node.negated for i in range(min(node.count, 64))}
    more = [key for key in named & there if key not in drawn]
    return sorted([*drawn, *more]) if more else drawn


def rules_of(graph: SceneGraph, layout: Layout | None = None) -> LayoutRules:
    """All that a valid graph states, as rules for layouts with the tracks of `layout`, or with those they need."""
    drawn = _instances(graph, layout)
    counts: dict[str, int] = {}
    for entity, _ in drawn:
        counts[entity] = counts.get(entity, 0) + 1
    reading = read(graph, counts)
    facts = [*presence.facts(reading), *places.facts(reading)]
    for deed in reading.play.deeds:
        if deed.id in reading.strange and not deed.direction and not deed.ways:
            facts += [
                Fact("events", deed.id, key, reading.doing(deed, key), "", None) for key in deed.agents if key in counts
            ]
            continue
        if deed.action in AMONG:
            facts += company.facts(reading, deed)
            continue
        facts += [
            *ways.facts(reading, deed),
            *passages.facts(reading, deed),
            *pursuit.facts(reading, deed),
            *handling.facts(reading, deed),
            *presence.event_facts(reading, deed),
        ]
    facts += [*standing.facts(reading), *stillness.facts(reading), *sizes.facts(reading), *camera.facts(reading)]
    return LayoutRules(reading, tuple(facts), tuple(drawn))


class _Latest:
    """The rules of the graph that was judged last: a planner asks for eight layouts of one graph in turn."""

    def __init__(self) -> None:
        self._key: tuple[list[Node], list[Edge], list[tuple[str, int]]] | None = None
        self._rules: LayoutRules | None = None

    def of(self, graph: SceneGraph, layout: Layout) -> LayoutRules:
        key = (graph.nodes, graph.edges, [(track.entity, track.instance) for track in layout.tracks])
        if self._rules is None or self._key != key:
            self._key = (list(graph.nodes), list(graph.edges), key[2])
            self._rules = rules_of(graph, layout)
        return self._rules


_LATEST = _Latest()


def judge(graph: SceneGraph, layout: Layout) -> LayoutReport:
    """What a complete layout shows of its graph, in a square frame. Raises UsageError as `LayoutRules.judged`."""
    return _LATEST.of(graph, layout).judged(layout)
