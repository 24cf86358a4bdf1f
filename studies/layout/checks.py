"""What no layout should have, whatever its prompt: overlap without reason, leaving the frame untold, jumps."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mov_ai.graph import Layout, SceneGraph
from mov_ai.graph.time import frame_times
from mov_ai.shipped_files import from_yaml
from studies.layout.boxes import View, overlap
from studies.layout.cast import Cast, Instance
from studies.layout.facts import Fact
from studies.layout.predicates import EVERYTHING, GROUP, PREDICATES

CHECKS = ("overlap", "leaves", "jumps")
#: One box covers more than half of another for longer than it takes to pass by, a third of the time.
COVERED, COVERED_TIME = 0.5, 1 / 3
#: Share of a box within the frame from which it counts as there: people accept a cut tail, not half a dog.
WHOLE = 0.5
#: Longest step between frames, in lengths of the frame: part of it for each frame, the rest by the time between frames.
#: In 16 frames it is 0.3: a third of the video for the whole width of the frame, as a thrown thing may need.
STEP, STEP_RATE = 0.06, 3.84
#: Largest ratio of sizes of successive frames, in 16 frames; fewer frames allow more.
RESIZE = 1.7
_TOLD: dict[str, list[str]] = from_yaml(Path(__file__).with_name("told.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: which check, who, and how much of it."""

    check: str
    who: tuple[Instance, ...]
    amount: float


def faults(layout: Layout, facts: Sequence[Fact], cast: Cast, graph: SceneGraph) -> list[Fault]:
    """All faults of a layout.

    Args:
        facts: what its prompt says; things that a fact names together may overlap, and what it sends out may leave.
        cast: who plays whom.
        graph: that the layout was planned from; things that it links may overlap too.
    """
    times = frame_times(layout.frames)
    views = {(t.entity, t.instance): View(t.boxes.astype(float), times) for t in layout.tracks}
    names = {one: name for name, ones in cast.actors.items() for one in ones}
    ground = {one for one in views if names.get(one) in cast.regions}
    ground |= {one for one, view in views.items() if view.seen.any() and np.median(view.area[view.seen]) >= 0.4}
    plain = list(_plain(facts))
    moving_view = any(fact.name in _TOLD["camera"] for fact in plain)
    linked = _linked(plain) | {frozenset(_ends) for _ends in _linked_nodes(graph)}
    found = []
    for (one, a), (other, b) in itertools.combinations(views.items(), 2):
        pairs = frozenset((names.get(one, ""), names.get(other, ""))), frozenset((one[0], other[0]))
        is_told = any(pair in linked for pair in pairs) or bool({one, other} & ground)
        both = a.seen & b.seen
        if is_told or not both.any():
            continue
        covered = overlap(a.at(both), b.at(both)) / np.minimum(a.area, b.area)[both]
        share = float((covered > COVERED).mean())
        if share > COVERED_TIME:
            found.append(Fault("overlap", (one, other), share))
    told = {name for fact in plain if fact.name in _TOLD["presence"] for name in fact.args}
    for one, view in views.items():
        if one not in ground and names.get(one) not in told and not moving_view and (out := _out(view)):
            found.append(Fault("leaves", (one,), out))
        if one not in ground and (jump := _jump(view)):
            found.append(Fault("jumps", (one,), jump))
    return found


def _plain(facts: Iterable[Fact]) -> Iterable[Fact]:
    for fact in facts:
        yield from _plain(fact.parts) if fact.parts else (fact,)


def _linked(facts: Iterable[Fact]) -> set[frozenset[Any]]:
    """Pairs of names that a fact about touching or being in, before, on the way of each other names together."""
    pairs: set[frozenset[Any]] = set()
    for fact in facts:
        if fact.name in _TOLD["apart"] or fact.name not in PREDICATES:
            continue
        actors = PREDICATES[fact.name].actors
        if actors not in (GROUP, EVERYTHING):
            pairs |= {frozenset(pair) for pair in itertools.combinations(fact.args[:actors], 2)}
    return pairs


def _linked_nodes(graph: SceneGraph) -> Iterable[tuple[str, str]]:
    """Entities of one event, or with a relation that is not one of sides."""
    sides = set(_TOLD["sides"])
    for edge in graph.edges:
        if edge.type in ("spatial", "relation") and edge.label not in sides:
            yield edge.source, edge.target
    for event in graph.of_type("event"):
        entities = [e.target for e in graph.edges_from(event.id) if graph.node(e.target).type == "entity"]
        yield from itertools.combinations(sorted(set(entities)), 2)


def _out(view: View) -> float:
    """The greatest share of its box that is out of the frame in a frame; 0 if that is fine."""
    given = np.isfinite(view.boxes).all(1)
    if not given.any():
        return 0.0
    view = view.at(given)
    outside = np.where(view.boxes[:, 5] > 0, 1 - view.inside_frame, 1.0)
    unseen = ~view.seen
    worst = float(np.where(unseen, 1.0, outside).max())
    return worst if worst > 1 - WHOLE else 0.0


def _jump(view: View) -> float:
    """The longest step that is too long, in lengths of the frame; of sizes the ratio; 0 if there is none."""
    frames = len(view.times)
    both = view.seen[1:] & view.seen[:-1]
    if not both.any():
        return 0.0
    steps = np.linalg.norm(np.diff(view.centre, axis=0), axis=1)[both]
    # Away from the frame's scale things near the camera move faster; a large box may step by a part of itself.
    allowed = STEP + STEP_RATE / max(frames, 8) + 0.1 * view.size[1:][both]
    ratios = np.abs(np.diff(np.log(view.size)))[both]
    most = np.log(RESIZE) * max(16 / frames, 0.5)
    if (steps > allowed).any():
        return float(steps.max())
    return float(np.exp(ratios.max())) if (ratios > most).any() else 0.0
