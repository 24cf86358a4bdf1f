"""The scenes that the planner learns from, in files of a pool: the tabletop's and staged ones."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from mov_ai.captions.caption import Caption
from mov_ai.graph import BOX_FIELDS, Interval, Layout, SceneGraph, Track
from mov_ai.graph.instances import drawn_entities
from mov_ai.graph.time import FULL
from mov_ai.worlds.stage.staging import stage
from mov_ai.worlds.stage.world import sample_scene
from mov_ai.worlds.tabletop.held_out import with_seen_words
from mov_ai.worlds.tabletop.scene import FRAMES, Scene, simulate
from mov_ai.worlds.tabletop.solids import is_of_solids
from mov_ai.worlds.tabletop.variation import PLAIN, VariedScene, WorldVariation
from mov_ai.worlds.tabletop.world import caption_and_layout, gold_layout

#: Scenes in a file of the pool, and how often each training scene of the tabletop is told again with other intervals.
CHUNK, RETIMED = 250, 2
#: Shortest interval of a retimed event.
_SHORTEST = 0.18
#: How many staged scenes are told with other intervals, of how many of these nothing happens at first or at last, and
#: the shortest time between two cuts.
_RETIMED_SHARE, _PAUSES, _LEAST_PART = 0.35, 0.3, 0.14


def retime(scene: Scene, caption: Caption, rng: np.random.Generator) -> tuple[Scene, SceneGraph] | None:
    """The same happenings at other times: the world's own intervals are halves and thirds only, users write any.

    Time is stretched piecewise, so nothing collides that did not before. None if an interval would be too short.
    """
    meeting = scene.meeting if isinstance(scene, VariedScene) else None
    met = meeting.actions if meeting else 0
    steps = sorted({a.interval for a in scene.actions[met:]} | ({meeting.interval} if meeting else set()))
    cuts = np.sort(rng.uniform(0, 1, 2 * len(steps)))
    if rng.random() < 0.6:
        # One step begins where the one before ends; else there is a pause between them.
        cuts[1:-1] = np.repeat(cuts[1:-1].reshape(-1, 2).mean(1), 2)
    if rng.random() < 0.5:
        cuts[0] = 0.0
    if rng.random() < 0.5:
        cuts[-1] = 1.0
    cuts = np.round(cuts, 4)
    if (cuts[1::2] - cuts[::2]).min() < _SHORTEST:
        return None
    new = {old: (float(cuts[2 * i]), float(cuts[2 * i + 1])) for i, old in enumerate(steps)}
    knots = [t for old in steps for t in old], [t for old in steps for t in new[old]]

    def moved(interval: Interval) -> Interval:
        if interval in new:
            return new[interval]
        start, end = (t if t in (0, 1) else float(np.interp(t, *knots)) for t in interval)
        return start, max(end, start + 1e-3)

    actions = tuple(replace(action, interval=new[action.interval]) for action in scene.actions[met:])
    if meeting is not None:
        # What belongs to a meeting keeps its share of it: what is pushed starts at the contact.
        told = [tuple(np.interp(a.interval, meeting.interval, new[meeting.interval])) for a in scene.actions[:met]]
        parts = zip(scene.actions[:met], told, strict=True)
        actions = (*(replace(a, interval=(float(start), float(end))) for a, (start, end) in parts), *actions)
    graph = caption.graph
    nodes = [replace(n, interval=moved(n.interval)) if n.type == "event" else n for n in graph.nodes]
    edges = [replace(e, interval=moved(e.interval)) if e.type == "spatial" else e for e in graph.edges]
    return replace(scene, actions=actions), SceneGraph(graph.caption, nodes, edges)


def draw_chunk(split: str, chunk: int, variation: WorldVariation = PLAIN) -> dict[str, np.ndarray]:
    """The tabletop's scenes from `chunk * CHUNK` on: graphs as JSON, boxes in the order of `drawn_entities`, and their
    number.

    `variation`: what the scenes may show beyond the plain ones.
    """
    drawn = []
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        scene, caption, layout = caption_and_layout(seed, split, variation)
        rng = np.random.default_rng([seed, 7])
        tellings = [(caption.graph, layout)]
        while split == "train" and len(tellings) <= RETIMED:
            other = retime(scene, caption, rng)
            if other is not None:
                tellings.append((other[1], gold_layout(other[0], simulate(other[0]), caption)))
        drawn += [(with_seen_words(graph) if split == "train" else graph, gold) for graph, gold in tellings]
    return _packed(drawn)


def draw_staged_chunk(split: str, chunk: int) -> dict[str, np.ndarray]:
    """The same of staged scenes. Those that only show what stands on the tabletop are left to it: it has another way
    of seeing them, and one graph should have one.
    """
    drawn = []
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        scene = sample_scene(seed, split)
        graph, layout = scene.caption.graph, scene.layout
        rng = np.random.default_rng([seed, 11])
        if split == "train" and rng.random() < _RETIMED_SHARE:
            other = retimed(graph, rng)
            staged = None if other is None else stage(other, rng, is_strict=True)
            if other is not None and staged is not None:
                graph, layout = other, staged
        if not is_of_solids(graph):
            drawn.append((graph, layout))
    return _packed(drawn)


def retimed(graph: SceneGraph, rng: np.random.Generator) -> SceneGraph | None:
    """A graph whose events begin and end at other times, in the same order; None where there is nothing to change.

    A staged caption's intervals are halves and thirds only, users write any. What changes an attribute stays, for when
    it does follows from its event's interval by a rule of its own.
    """
    if any(edge.type == "has_attribute" and edge.interval != FULL for edge in graph.edges):
        return None
    intervals = {node.interval for node in graph.of_type("event")} | {edge.interval for edge in graph.edges}
    intervals |= {move.interval for node in graph.of_type("scene") for move in node.camera}
    cuts = sorted({time for interval in intervals for time in interval} | {0.0, 1.0})
    pauses = rng.random() < _PAUSES
    if len(cuts) == 2 and not pauses:
        return None
    ends = np.sort(rng.uniform(0, 1, len(cuts) - 2))
    first = rng.uniform(0.05, 0.25) if pauses and rng.random() < 0.6 else 0.0
    last = 1 - rng.uniform(0.05, 0.25) if pauses and rng.random() < 0.6 else 1.0
    new = np.round([first, *(first + (last - first) * ends), last], 4)
    if np.diff(new).min() < _LEAST_PART:
        return None
    at = dict(zip(cuts, new.tolist(), strict=True))

    def moved(interval: Interval) -> Interval:
        return at[interval[0]], at[interval[1]]

    def kept(interval: Interval) -> Interval:
        """What is there or holds from the first or to the last goes on doing so."""
        start, end = moved(interval)
        return (0.0 if interval[0] == 0 else start, 1.0 if interval[1] == 1 else end)

    nodes = [replace(node, interval=moved(node.interval)) if node.type == "event" else node for node in graph.nodes]
    nodes = [
        replace(node, camera=tuple(replace(move, interval=moved(move.interval)) for move in node.camera))
        if node.camera
        else node
        for node in nodes
    ]
    edges = [replace(edge, interval=kept(edge.interval)) for edge in graph.edges]
    return SceneGraph(graph.caption, nodes, edges)


def _packed(drawn: Iterable[tuple[SceneGraph, Layout]]) -> dict[str, np.ndarray]:
    graphs, tracks, counts = [], [np.zeros((0, FRAMES, len(BOX_FIELDS)), dtype=np.float32)], []
    for graph, layout in drawn:
        found = [layout.track(*instance) for instance in drawn_entities(graph)]
        boxes = [track.boxes for track in found if track is not None]
        if boxes and len(boxes) == len(found):
            tracks.append(np.stack(boxes))
            counts.append(len(boxes))
            graphs.append(json.dumps(graph.to_dict()))
    return {"boxes": np.concatenate(tracks), "counts": np.array(counts, dtype=int), "graphs": np.array(graphs)}


def staged_graphs(split: str, number: int) -> list[SceneGraph]:
    """The graphs of the first so many staged scenes of a split, but for those that the tabletop sees its own way."""
    scenes = (sample_scene(seed, split).caption.graph for seed in itertools.count())
    return list(itertools.islice((graph for graph in scenes if not is_of_solids(graph)), number))


def unpacked(arrays: dict[str, np.ndarray]) -> Iterator[tuple[SceneGraph, Layout]]:
    """The graphs and gold layouts of a chunk."""
    first = 0
    for text, count in zip(arrays["graphs"].tolist(), arrays["counts"].tolist(), strict=True):
        graph = SceneGraph.from_dict(json.loads(text))
        boxes = arrays["boxes"][first : first + count]
        drawn = zip(drawn_entities(graph), boxes, strict=True)
        yield graph, Layout(FRAMES, [Track(entity, track, instance) for (entity, instance), track in drawn])
        first += count
