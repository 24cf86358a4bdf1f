"""Wrong layouts on purpose: right ones mirrored, run backwards, frozen ..., in which certain facts cannot hold.

They test the judge: what it accepts there it accepts by mistake. Which perturbations break a fact is told by its
predicate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from mov_ai.graph import Layout, Track
from mov_ai.graph.time import FULL
from studies.layout.cast import Cast, Instance
from studies.layout.facts import SEQUENCES, Fact
from studies.layout.predicates import GROUP, PREDICATES

X, Y, W, H, DEPTH, VISIBILITY = range(6)
#: A change of the boxes of a layout, (K, frames, 6): the boxes, and rows of the first, the second, ... actor of a fact.
Change = Callable[[np.ndarray, Sequence[Sequence[int]]], np.ndarray]


def wrong_layouts(layout: Layout, fact: Fact, cast: Cast) -> Iterator[tuple[str, Layout]]:
    """Layouts in which a fact that holds in `layout` must not hold: (name of the perturbation, layout).

    Args:
        layout: complete, and one that shows the fact.
    """
    actors = _actors(fact, cast)
    for name in broken_by(fact):
        yield name, perturbed(layout, name, actors)


def broken_by(fact: Fact) -> tuple[str, ...]:
    """Names of the perturbations that break a fact; none for a fact that is denied or is not about boxes."""
    if fact.denied or fact.name == "looks":
        return ()
    if fact.name == "then":
        return ("frozen",)
    if fact.name == "while":
        first = [set(broken_by(part)) for part in fact.parts]
        return tuple(sorted(first[0] | first[1])) if fact.parts[0].args[:1] == fact.parts[1].args[:1] else ("frozen",)
    if fact.name == "count":
        return ("missing", "doubled") if int(fact.args[1]) else ("doubled",)
    predicate = PREDICATES[fact.name]
    breaks = predicate.broken_by(fact.args[max(0, predicate.actors) :])
    # Being nowhere breaks what must be seen.
    own = () if fact.name == "absent" or predicate.actors < 0 else ("missing",)
    breaks = tuple(dict.fromkeys((*breaks, *own)))
    # What holds at any time, or in a part of it, may do so backwards too ("left, then right").
    return breaks if fact.when == FULL else tuple(name for name in breaks if name != "reversed")


def _actors(fact: Fact, cast: Cast) -> list[list[Instance]]:
    if fact.name in SEQUENCES:
        return [one for part in fact.parts for one in _actors(part, cast)]
    if fact.name == "count":
        return [list(cast.labelled.get(fact.args[0], ()))]
    actors = PREDICATES[fact.name].actors
    names = fact.args if actors == GROUP else fact.args[: max(0, actors)]
    return [list(cast.actors[name]) for name in names]


def perturbed(layout: Layout, name: str, actors: Sequence[Sequence[Instance]] = ()) -> Layout:
    """A layout with one thing wrong.

    Args:
        name: one of `PERTURBATIONS`.
        actors: instances of the first actor of a fact, of the second, and so on; some perturbations are of these only.
    """
    keys = [(track.entity, track.instance) for track in layout.tracks]
    rows = [[keys.index(one) for one in group if one in keys] for group in actors]
    boxes = np.stack([track.boxes for track in layout.tracks]).astype(np.float32)
    changed = PERTURBATIONS[name](boxes.copy(), rows)
    tracks = [replace(track, boxes=new) for track, new in zip(layout.tracks, changed, strict=False)]
    if len(changed) > len(keys):
        source = layout.tracks[rows[0][0]] if rows and rows[0] else layout.tracks[0]
        number = 1 + max(instance for entity, instance in keys if entity == source.entity)
        tracks.append(Track(source.entity, changed[-1], number, source.label))
    return Layout(layout.frames, tracks, layout.shape)


def _mirrored(boxes: np.ndarray, _: Sequence[Sequence[int]]) -> np.ndarray:
    boxes[..., X] = 1 - boxes[..., X]
    return boxes


def _upended(boxes: np.ndarray, _: Sequence[Sequence[int]]) -> np.ndarray:
    boxes[..., Y] = 1 - boxes[..., Y]
    return boxes


def _half_upended(boxes: np.ndarray, rows: Sequence[Sequence[int]]) -> np.ndarray:
    """Every other one in the upper half, the rest in the lower one, and to either side by turns."""
    for place, row in enumerate(row for group in rows for row in group):
        boxes[row, :, Y] = (0.15, 0.85)[place % 2]
        boxes[row, :, X] = (0.15, 0.85)[place // 2 % 2]
    return boxes


def _inverted(boxes: np.ndarray, _: Sequence[Sequence[int]]) -> np.ndarray:
    """What was near is far: depths and heights on the screen the other way round."""
    boxes[..., DEPTH] = boxes[..., DEPTH].max() + boxes[..., DEPTH].min() - boxes[..., DEPTH]
    feet = boxes[..., Y] + boxes[..., H] / 2
    boxes[..., Y] += feet.max() + feet.min() - 2 * feet
    return boxes


def _reversed(boxes: np.ndarray, _: Sequence[Sequence[int]]) -> np.ndarray:
    return boxes[:, ::-1]


def _half_reversed(boxes: np.ndarray, rows: Sequence[Sequence[int]]) -> np.ndarray:
    """The first half of a group runs backwards."""
    group = [row for part in rows for row in part]
    chosen = group[: max(1, len(group) // 2)]
    boxes[chosen] = boxes[chosen, ::-1]
    return boxes


def _frozen(boxes: np.ndarray, _: Sequence[Sequence[int]]) -> np.ndarray:
    """Everything stays as it is in the middle of the time in which it is seen, and is there throughout."""
    for track in boxes:
        seen = np.flatnonzero(track[:, VISIBILITY] > 0)
        track[:] = track[seen[len(seen) // 2]] if len(seen) else track[0]
    return boxes


def _swapped(boxes: np.ndarray, rows: Sequence[Sequence[int]]) -> np.ndarray:
    """The first actor plays the second and the other way round."""
    first, second = rows[0], rows[1]
    old = boxes.copy()
    for i, row in enumerate(first):
        boxes[row] = old[second[i % len(second)]]
    for i, row in enumerate(second):
        boxes[row] = old[first[i % len(first)]]
    return boxes


def _missing(boxes: np.ndarray, rows: Sequence[Sequence[int]]) -> np.ndarray:
    """The instance of the first actor that is there for longest is never there."""
    for row in sorted(rows[0], key=lambda row: boxes[row, :, VISIBILITY].sum())[-1:] if rows else ():
        boxes[row, :, VISIBILITY] = 0
    return boxes


def _doubled(boxes: np.ndarray, rows: Sequence[Sequence[int]]) -> np.ndarray:
    """There is one more, beside the first one."""
    source = boxes[rows[0][0] if rows and rows[0] else 0].copy()
    source[:, X] += np.where(source[:, X] < 0.5, 0.3, -0.3)
    source[:, VISIBILITY] = 1
    return np.concatenate([boxes, source[None]])


def _lasting(boxes: np.ndarray, _: Sequence[Sequence[int]]) -> np.ndarray:
    """Everything is there, within the frame, all the time."""
    boxes[..., X] = np.clip(boxes[..., X], 0.2, 0.8)
    boxes[..., Y] = np.clip(boxes[..., Y], 0.2, 0.8)
    boxes[..., VISIBILITY] = 1
    return boxes


def _scattered(boxes: np.ndarray, rows: Sequence[Sequence[int]]) -> np.ndarray:
    """The first actor, small, in the corner that is farthest from the others of the fact."""
    others = [row for group in rows[1:] for row in group]
    for row in rows[0]:
        middle = boxes[others].mean(0)[:, :2] if others else np.full((boxes.shape[1], 2), 0.5)
        boxes[row, :, [X, Y]] = np.where(middle < 0.5, 0.95, 0.05).T
        boxes[row, :, [W, H]] = 0.06
    for row in others:
        # What fills the frame is made small too, or every corner would lie in it.
        boxes[row, :, W : H + 1] = np.minimum(boxes[row, :, W : H + 1], 0.3)
    return boxes


def _cornered(boxes: np.ndarray, _: Sequence[Sequence[int]]) -> np.ndarray:
    """Everything in one corner, on top of each other."""
    boxes[..., X] = 0.9 + 0.02 * boxes[..., X]
    boxes[..., Y] = 0.1 + 0.02 * boxes[..., Y]
    return boxes


def _alike(boxes: np.ndarray, rows: Sequence[Sequence[int]]) -> np.ndarray:
    """All of a fact have one size."""
    for row in (row for group in rows for row in group):
        boxes[row, :, W : H + 1] = boxes[rows[0][0], :, W : H + 1].copy()
    return boxes


def _shrunken(boxes: np.ndarray, _: Sequence[Sequence[int]]) -> np.ndarray:
    boxes[..., W : H + 1] *= 0.2 / np.maximum(boxes[..., W : H + 1].max(-1, keepdims=True), 0.2)
    return boxes


def _enlarged(boxes: np.ndarray, _: Sequence[Sequence[int]]) -> np.ndarray:
    boxes[..., W : H + 1] *= 0.7 / boxes[..., W : H + 1].max(-1, keepdims=True)
    return boxes


def _pumped(boxes: np.ndarray, _: Sequence[Sequence[int]]) -> np.ndarray:
    """Everything grows to twice its size."""
    boxes[..., W : H + 1] *= np.linspace(1, 2, boxes.shape[1])[None, :, None]
    return boxes


def _stirred(boxes: np.ndarray, _: Sequence[Sequence[int]]) -> np.ndarray:
    """Everything drifts through half of the frame."""
    boxes[..., X] += np.linspace(-0.25, 0.25, boxes.shape[1])
    return boxes


PERTURBATIONS: dict[str, Change] = {
    "mirrored": _mirrored,
    "upended": _upended,
    "half upended": _half_upended,
    "inverted": _inverted,
    "reversed": _reversed,
    "half reversed": _half_reversed,
    "frozen": _frozen,
    "swapped": _swapped,
    "missing": _missing,
    "doubled": _doubled,
    "lasting": _lasting,
    "scattered": _scattered,
    "cornered": _cornered,
    "alike": _alike,
    "shrunken": _shrunken,
    "enlarged": _enlarged,
    "pumped": _pumped,
    "stirred": _stirred,
}


def judged_rates(cases: Sequence[tuple[Layout, Sequence[Fact], Cast]]) -> dict[str, int]:
    """How the judge does on layouts that are right, and on their perturbations.

    Returns:
        Numbers of facts: "right" of "told" accepted on the layouts as they are; "accepted" of "broken" perturbed
        layouts of the facts that were accepted before.
    """
    from studies.layout.judge import Judge

    counts = {"right": 0, "told": 0, "accepted": 0, "broken": 0}
    for layout, facts, cast in cases:
        answers = Judge(layout, cast).answers(facts)
        for fact, answer in zip(facts, answers, strict=True):
            counts["told"] += answer is not None
            counts["right"] += answer is True
            for _, broken in wrong_layouts(layout, fact, cast) if answer else ():
                counts["broken"] += 1
                counts["accepted"] += Judge(broken, _with_doubles(cast, broken)).answer(fact) is True
    return counts


def _with_doubles(cast: Cast, layout: Layout) -> Cast:
    """The cast with the instances that a perturbation added, under the name of their entity."""
    labelled = {}
    for label, ones in cast.labelled.items():
        entities = {entity for entity, _ in ones}
        labelled[label] = tuple((t.entity, t.instance) for t in layout.tracks if t.entity in entities)
    return replace(cast, labelled=labelled)
