"""What facts mean in boxes: one function for each predicate.

A *static* predicate says for each frame whether it holds; a *whole* one looks at the way through all frames at once.
Both get the views of their actors in the frames in which all of these are seen (a `raw` one: in all frames), then
their words. Each names the perturbations of `studies.layout.wrong` after which it cannot hold any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mov_ai.errors import UsageError
from mov_ai.shipped_files import from_yaml
from studies.layout.boxes import (
    ASIDE,
    BEHIND,
    CLOSE,
    GROWN,
    LARGER,
    LOWER,
    MOVED,
    STILL,
    TOUCH,
    View,
    distance,
    gap,
    legs,
    overlap,
    same_box,
    share_inside,
    turning,
)

WORDS: dict[str, Any] = from_yaml(Path(__file__).with_name("words.yaml").read_text(encoding="utf-8"))
GROUP, EVERYTHING = -1, -2
#: Yes, no, or cannot tell.
Answer = bool | None


@dataclass(frozen=True)
class Predicate:
    """How one predicate is judged.

    Attributes:
        name, test: as in facts; what it computes.
        actors: how many of its arguments are actors; the rest are words. `GROUP`: the instances of all of them,
            together; `EVERYTHING`: no argument, but all that the layout has.
        scope: "static", "whole", or "raw" (whole, with frames in which nobody is seen).
        least, most: how many words it may have.
        broken_by: perturbations after which it cannot hold, by its words.
    """

    name: str
    test: Callable[..., Any]
    actors: int
    scope: str
    least: int
    most: int
    broken_by: Callable[[Sequence[str]], tuple[str, ...]]


PREDICATES: dict[str, Predicate] = {}


def _predicate(
    actors: int,
    scope: str = "static",
    broken_by: tuple[str, ...] | Callable[[Sequence[str]], tuple[str, ...]] = (),
    words: tuple[int, int] = (0, 0),
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(test: Callable[..., Any]) -> Callable[..., Any]:
        breaks = broken_by if callable(broken_by) else lambda _: broken_by
        name = test.__name__.rstrip("_")
        PREDICATES[name] = Predicate(name, test, actors, scope, *words, breaks)
        return test

    return register


def _word(table: str, word: str) -> Any:
    if word not in WORDS[table]:
        raise UsageError(f"fact: expected one of {', '.join(WORDS[table])}; found {word!r}")
    return WORDS[table][word]


# -- places ------------------------------------------------------------------------------------------------------------


def _place_breaks(words: Sequence[str]) -> tuple[str, ...]:
    parts = set(words[0].split())
    sides = ("mirrored",) * bool(parts & set(WORDS["x_places"])) + ("upended",) * bool(parts & set(WORDS["y_places"]))
    return sides or ("cornered",)


def is_at(view: View, place: str) -> np.ndarray:
    """Whether the centre of each box is at a place on the screen, "upper left" or the like; (n,)."""
    x_places, y_places, middles = WORDS["x_places"], WORDS["y_places"], WORDS["middles"]
    parts = place.split()
    if unknown := [part for part in parts if part not in (*x_places, *y_places, *middles)]:
        raise UsageError(
            f"fact: expected a place of {', '.join((*x_places, *y_places, *middles))}; found {unknown[0]!r}"
        )
    across = next((x_places[part] for part in parts if part in x_places), None)
    down = next((y_places[part] for part in parts if part in y_places), None)
    # "top center" leaves only the other direction to the middle; "left" alone says nothing of the height.
    if any(part in middles for part in parts):
        across, down = across or WORDS["middle_range"], down or WORDS["middle_range"]
    at = np.ones(len(view.times), dtype=bool)
    for values, bounds in ((view.x, across), (view.y, down)):
        if bounds is not None:
            at &= (values >= bounds[0]) & (values <= bounds[1])
    return at


@_predicate(1, broken_by=_place_breaks, words=(1, 1))
def at(a: View, place: str) -> np.ndarray:
    return is_at(a, place)


@_predicate(1, "whole", lambda places: ("frozen", "reversed")[: 1 + (places[0] != places[-1])], words=(2, 6))
def visits(a: View, *places: str) -> bool:
    """It is first at the first place, last at the last, and at the others in between, in their order."""
    first, last = is_at(a, places[0]), is_at(a, places[-1])
    if not (first[0] and last[-1]):
        return False
    frame = 0
    for place in places:
        there = np.flatnonzero(is_at(a, place)[frame:])
        if not len(there):
            return False
        frame += int(there[0])
    return True


@_predicate(2, broken_by=("mirrored", "swapped"))
def left_of(a: View, b: View) -> np.ndarray:
    return a.x <= b.x - ASIDE


@_predicate(2, broken_by=("mirrored", "swapped"))
def right_of(a: View, b: View) -> np.ndarray:
    return a.x >= b.x + ASIDE


@_predicate(2, broken_by=("upended", "swapped"))
def above(a: View, b: View) -> np.ndarray:
    """Its middle is higher, by more than a hair and by a part of the larger one's height."""
    return b.y - a.y >= np.maximum(ASIDE, 0.25 * np.minimum(np.maximum(a.h, b.h), 0.4))


@_predicate(2, broken_by=("upended", "swapped"))
def below(a: View, b: View) -> np.ndarray:
    return above(b, a)


@_predicate(2, broken_by=("upended", "swapped"))
def over(a: View, b: View) -> np.ndarray:
    """Above, and not beside: they share a part of the width. Over a large place it is enough to be higher."""
    higher = above(a, b) | ((b.w >= 0.6) & (b.y - a.y >= ASIDE))
    return higher & (np.abs(a.x - b.x) <= (a.w + b.w) / 2)


@_predicate(2, broken_by=("upended", "swapped"))
def under(a: View, b: View) -> np.ndarray:
    """Below something, or at its foot ("a cat under a table"): lower edges may be level."""
    return (np.abs(a.x - b.x) <= (a.w + b.w) / 2) & (a.y >= b.y + ASIDE) & (a.top >= b.top + ASIDE)


def _farther(a: View, b: View) -> np.ndarray:
    """1 where `a` is behind, -1 where it is in front, 0 where neither can be said; (n,)."""
    ratio = np.log(np.maximum(a.depth, 1e-3) / np.maximum(b.depth, 1e-3))
    by_depth = np.where(np.abs(ratio) >= np.log(BEHIND), np.sign(ratio), 0)
    # On the ground what is farther stands higher on the screen.
    lower = a.bottom - b.bottom
    by_foot = np.where(np.abs(lower) >= LOWER, -np.sign(lower), 0)
    return np.where(by_depth != 0, by_depth, by_foot)


@_predicate(2, broken_by=("inverted", "swapped"))
def behind(a: View, b: View) -> np.ndarray:
    return _farther(a, b) > 0


@_predicate(2, broken_by=("inverted", "swapped"))
def in_front_of(a: View, b: View) -> np.ndarray:
    return _farther(a, b) < 0


@_predicate(2, broken_by=("scattered",))
def next_to(a: View, b: View) -> np.ndarray:
    """Close together, and not one within the other."""
    return (gap(a, b) <= CLOSE) & (np.maximum(share_inside(a, b), share_inside(b, a)) <= 0.7)


@_predicate(3, broken_by=("scattered",))
def between(a: View, b: View, c: View) -> np.ndarray:
    """The middle of `a` lies beside the line from one to the other, off its ends and nearer than half its length."""
    way = c.centre - b.centre
    length = np.maximum(np.linalg.norm(way, axis=1), 1e-6)
    offset = a.centre - b.centre
    along = (offset * way).sum(1) / length**2
    aside = np.abs(offset[:, 0] * way[:, 1] - offset[:, 1] * way[:, 0]) / length
    return (along >= 0.1) & (along <= 0.9) & (aside <= 0.5 * length)


@_predicate(2, broken_by=("scattered",))
def on(a: View, b: View) -> np.ndarray:
    """It stands, sits or lies on it: its foot is within the other's height or just above, its middle above the other's.

    What is much larger (a road, a wall) may have its middle anywhere.
    """
    across = np.abs(a.x - b.x) <= b.w / 2 + 0.1 * a.w
    foot = (a.bottom >= b.top - 2 * TOUCH) & (a.bottom <= b.bottom + TOUCH)
    return across & foot & ((a.y < b.y) | (b.area >= 3 * a.area))


@_predicate(2, broken_by=("scattered",))
def inside(a: View, b: View) -> np.ndarray:
    """At least six tenths of it are within the other; what sits in a basket looks out of it.

    In a large place (a road, a field) is also what stands on its ground, which may be all that its box covers.
    """
    return ((share_inside(a, b) >= 0.6) & (a.area <= b.area)) | ((b.w >= 0.6) & on(a, b))


@_predicate(2, broken_by=("scattered",))
def touches(a: View, b: View) -> np.ndarray:
    return gap(a, b) <= TOUCH


@_predicate(2, broken_by=("scattered",))
def near(a: View, b: View) -> np.ndarray:
    return gap(a, b) <= CLOSE


# -- sizes -------------------------------------------------------------------------------------------------------------


@_predicate(2, broken_by=("swapped", "alike"))
def larger(a: View, b: View) -> np.ndarray:
    return a.size >= LARGER * b.size


@_predicate(2, broken_by=("swapped", "alike"))
def smaller(a: View, b: View) -> np.ndarray:
    return larger(b, a)


@_predicate(2, broken_by=("swapped", "alike"))
def taller(a: View, b: View) -> np.ndarray:
    return a.h >= LARGER * b.h


@_predicate(2, broken_by=("swapped", "alike"))
def wider(a: View, b: View) -> np.ndarray:
    return a.w >= LARGER * b.w


@_predicate(1, broken_by=("shrunken",))
def close_up(a: View) -> np.ndarray:
    """It takes up at least half of the frame's height or width."""
    return np.maximum(a.w, a.h) >= 0.5


@_predicate(1, broken_by=("enlarged",))
def far_away(a: View) -> np.ndarray:
    """It takes up at most three tenths of the frame's height and width."""
    return np.maximum(a.w, a.h) <= 0.3


@_predicate(1, broken_by=("shrunken",))
def region(a: View) -> np.ndarray:
    """Ground or background: over half as wide or high as the frame, and with a seventh of its area at least.

    A road or a strip of sky is low, a waterfall narrow.
    """
    return (np.maximum(a.w, a.h) >= 0.6) & (a.area >= 0.15)


@_predicate(1, "whole", ("reversed", "frozen"))
def grows(a: View) -> bool:
    return a.growth >= GROWN


@_predicate(1, "whole", ("reversed", "frozen"))
def shrinks(a: View) -> bool:
    return a.growth <= 1 / GROWN


@_predicate(1, "whole", ("pumped",))
def keeps_size(a: View) -> bool:
    return bool(a.size.max() / a.size.min() <= GROWN)


# -- being there -------------------------------------------------------------------------------------------------------


@_predicate(1, broken_by=("missing",))
def present(a: View) -> np.ndarray:
    return a.seen


@_predicate(1, broken_by=("lasting",))
def absent(a: View) -> np.ndarray:
    return ~a.seen


@_predicate(1, "raw", ("reversed", "lasting", "missing"))
def appears(a: View) -> bool:
    """It is not there at first, and from some frame on it is."""
    seen = a.seen
    return bool(not seen[0] and seen[-1] and np.count_nonzero(np.diff(seen)) == 1)


@_predicate(1, "raw", ("reversed", "lasting", "missing"))
def vanishes(a: View) -> bool:
    seen = a.seen
    return bool(seen[0] and not seen[-1] and np.count_nonzero(np.diff(seen)) == 1)


def _comes_in(a: View, side: str) -> bool:
    """From outside or from the edge of the frame to its inside: not there or cut at first, whole later."""
    seen = np.flatnonzero(a.seen)
    if not len(seen):
        return False
    first, inside = a.at(seen[:1]), a.at(seen)
    begins_outside = seen[0] > 0 or first.inside_frame[0] <= 0.7
    edges = {"left": first.left[0], "right": 1 - first.right[0], "top": first.top[0], "bottom": 1 - first.bottom[0]}
    # The first frame in which it is seen may be one step of its way from the edge.
    at_edge = (edges[side] if side else min(edges.values())) <= 0.15
    way_in = np.linalg.norm(inside.centre - first.centre, axis=1).max() >= MOVED
    return bool(begins_outside and at_edge and way_in and inside.inside_frame.max() >= 0.8)


@_predicate(1, "raw", ("frozen", "missing"), words=(0, 1))
def enters(a: View, side: str = "") -> bool:
    return _comes_in(a, side)


@_predicate(1, "raw", ("frozen", "missing"), words=(0, 1))
def leaves(a: View, side: str = "") -> bool:
    return _comes_in(a.at(np.arange(len(a.times))[::-1]), side)


# -- ways --------------------------------------------------------------------------------------------------------------


def goes(a: View, direction: str, least: float = MOVED) -> bool:
    """Whether it gets on in a direction: more so than across it."""
    if direction in WORDS["size_directions"]:
        growth = a.growth if _word("size_directions", direction) > 0 else 1 / a.growth
        return growth >= GROWN
    ways = np.array([_word("directions", part) for part in direction.split()], dtype=float)
    way = a.displacement
    if len(ways) > 1:
        # Both components of "down right".
        return bool(((ways @ way) >= least * 0.6).all())
    along = float(ways[0] @ way)
    return along >= least and along >= abs(float(way[0] * ways[0][1] - way[1] * ways[0][0]))


def _way_breaks(words: Sequence[str]) -> tuple[str, ...]:
    breaks: tuple[str, ...] = ("frozen",)
    if words:
        breaks += ("reversed",)
        parts = words[0].split()
        sides = [_word("directions", part) for part in parts if part in WORDS["directions"]]
        breaks += ("mirrored",) * any(side[0] for side in sides) + ("upended",) * any(side[1] for side in sides)
    return breaks


@_predicate(1, "whole", _way_breaks, words=(0, 1))
def moves(a: View, direction: str = "") -> bool:
    """In a direction; without one, anywhere on the screen or to or from the camera."""
    if direction:
        return goes(a, direction)
    return a.reach >= MOVED or max(a.size) / min(a.size) >= GROWN


@_predicate(1, "whole", ("stirred",))
def still(a: View) -> bool:
    return a.reach <= STILL


@_predicate(1, "whole", ("frozen",))
def circles(a: View) -> bool:
    """Three quarters of a circle at least, on the screen or on the ground (across and in depth)."""
    extent = max(np.ptp(a.x), np.ptp(a.y))
    return bool(extent >= 0.8 * MOVED and max(turning(a.x, a.y), turning(a.x, a.depth)) >= 0.75)


@_predicate(2, "whole", ("frozen",))
def circles_around(a: View, b: View) -> bool:
    """A circle with the other on the inside, as seen across the screen."""
    return circles(a) and bool(a.x.min() < b.x.mean() < a.x.max())


@_predicate(1, "whole", ("frozen",))
def back_and_forth(a: View) -> bool:
    """There and back at least once, across, up and down, or in depth."""
    return max(legs(a.x, 0.8 * MOVED), legs(a.y, 0.8 * MOVED), legs(np.log(a.size), np.log(GROWN))) >= 2


@_predicate(1, "whole", ("frozen",))
def up_and_down(a: View) -> bool:
    return legs(a.y, 0.5 * MOVED) >= 2


@_predicate(1, "whole", ("frozen",))
def zigzags(a: View) -> bool:
    """It gets on one way while it swerves at least twice across it."""
    ways = (a.x, a.y, np.log(a.size))
    return any(
        abs(ways[i][-1] - ways[i][0]) >= MOVED and legs(ways[j], 0.3 * MOVED) >= 3
        for i in range(3)
        for j in range(2)
        if i != j
    )


@_predicate(1, "whole", ("frozen", "upended"))
def jumps(a: View) -> bool:
    """Up and down again, by a fifth of its height and more than sway."""
    highest = int(a.y.argmin())
    least = max(STILL, 0.2 * float(np.median(a.h)))
    before = float(a.y[: highest + 1].max() - a.y[highest])
    after = float(a.y[highest:].max() - a.y[highest])
    return min(before, after) >= least


@_predicate(1, "whole", ("frozen",))
def fast(a: View) -> bool:
    """While it moves, it would cross two fifths of the frame or more in the time of the video."""
    return a.reach >= MOVED and a.speed >= 0.4


@_predicate(1, "whole", ("frozen",))
def slow(a: View) -> bool:
    """It moves, but would not cross two thirds of the frame."""
    return a.reach >= 0.5 * MOVED and a.speed <= 0.65


@_predicate(2, "whole", ("swapped",))
def faster(a: View, b: View) -> bool:
    return a.reach >= MOVED and a.speed >= 1.25 * b.speed


@_predicate(2, "whole", ("swapped",))
def slower(a: View, b: View) -> bool:
    return faster(b, a)


# -- ways relative to another ------------------------------------------------------------------------------------------


def _along(a: View, b: View) -> tuple[float, np.ndarray]:
    """Cosine of the ways of two, and how far the second is ahead of the first on its own way; (n,)."""
    ways = a.displacement, b.displacement
    lengths = [max(float(np.linalg.norm(way)), 1e-6) for way in ways]
    ahead: np.ndarray = (b.centre - a.centre) @ (ways[1] / lengths[1])
    return float(ways[0] @ ways[1]) / (lengths[0] * lengths[1]), ahead


@_predicate(2, "whole", ("swapped", "frozen", "reversed"))
def follows(a: View, b: View) -> bool:
    """Both go the same way, the other ahead most of the time; to or from the camera, nearer or farther than it."""
    if min(a.reach, b.reach) >= MOVED:
        cosine, ahead = _along(a, b)
        if cosine >= 0.5 and (ahead > 0).mean() >= 0.75:
            return True
    in_depth = np.log([a.growth, b.growth])
    if np.abs(in_depth).min() >= np.log(GROWN) and in_depth[0] * in_depth[1] > 0:
        return bool((_farther(a, b) == np.sign(in_depth[0])).mean() >= 0.75)
    return False


@_predicate(2, "whole", ("frozen", "reversed"))
def flees(a: View, b: View) -> bool:
    """Away from the other, which stands, comes after it, or is left behind."""
    away = distance(a, b)
    return a.reach >= MOVED and (float(away[-1] - away[0]) >= 0.8 * MOVED or follows(b, a))


@_predicate(2, "whole", ("frozen", "reversed"))
def approaches(a: View, b: View) -> bool:
    """The distance shrinks, mostly because `a` moves towards where the other is in the end."""
    apart = distance(a, b)
    goal = np.linalg.norm(a.centre - b.centre[-1], axis=1)
    return bool(apart[0] - apart[-1] >= 0.8 * MOVED and goal[0] - goal[-1] >= 0.5 * MOVED)


@_predicate(2, "whole", ("frozen", "reversed"))
def reaches(a: View, b: View) -> bool:
    """It approaches and is near in the end."""
    return approaches(a, b) and bool(gap(a, b)[-1] <= CLOSE / 2)


@_predicate(2, "whole", ("frozen", "reversed"))
def meets(a: View, b: View) -> bool:
    """Both move, each towards the other, and they are near in the end."""
    return reaches(a, b) and approaches(b, a)


@_predicate(2, "whole", ("frozen", "reversed"))
def parts_from(a: View, b: View) -> bool:
    apart = distance(a, b)
    return bool(apart[-1] - apart[0] >= 0.8 * MOVED)


@_predicate(2, "whole", lambda words: ("frozen", *("reversed", "mirrored") * bool(words)), words=(0, 1))
def passes(a: View, b: View, direction: str = "") -> bool:
    """From one side of the other to the other side, to the left or right if that is told; it moves itself.

    A thing that comes towards the camera, or goes away, passes what it is first behind and then in front of.
    """
    if direction:
        way = _word("directions", direction)[0]
        offset = (a.x - b.x) * way
        return bool(offset[0] <= -ASIDE and offset[-1] >= ASIDE and a.displacement[0] * way >= MOVED)
    way = a.displacement
    offset = (a.centre - b.centre) @ (way / max(float(np.linalg.norm(way)), 1e-6))
    on_screen = a.reach >= MOVED and offset[0] <= -ASIDE and offset[-1] >= ASIDE
    order = _farther(a, b)
    return bool(on_screen or (order[0] * order[-1] < 0 and max(a.growth, 1 / a.growth) >= GROWN))


@_predicate(2, "raw", ("frozen", "reversed", "missing"))
def into(a: View, b: View) -> bool:
    """Outside first, inside last; what is hidden inside may be seen no more."""
    seen = np.flatnonzero(a.seen & b.seen)
    if len(seen) < 2:
        return False
    first, last = (share_inside(a.at(seen), b.at(seen))[i] for i in (0, -1))
    is_gone = not a.seen[-1] and b.seen[-1]
    return bool(first <= 0.4 and (last >= 0.6 or (is_gone and last > 0.05)))


@_predicate(2, "raw", ("frozen", "reversed", "missing"))
def out_of(a: View, b: View) -> bool:
    backwards = np.arange(len(a.times))[::-1]
    return into(a.at(backwards), b.at(backwards))


@_predicate(2, "whole", ("frozen",))
def along(a: View, b: View) -> bool:
    """It gets on and stays at the other, as on a road, across a bridge, by a wall."""
    return a.reach >= MOVED and bool((gap(a, b) <= 2 * TOUCH).mean() >= 0.8)


@_predicate(2, "whole", ("frozen",))
def through(a: View, b: View) -> bool:
    """It gets on, and for a time it is at or in the other and within its width; a field may be seen as ground only."""
    within = (np.abs(a.x - b.x) <= b.w / 2) & (gap(a, b) <= TOUCH)
    return (a.reach >= MOVED or max(a.growth, 1 / a.growth) >= GROWN) and bool(within.any())


# -- contact -----------------------------------------------------------------------------------------------------------


def _moves_along(a: View, b: View) -> bool:
    """Whether `b` keeps its place beside `a`, but for a third of the way and of its swinging."""
    offset = b.centre - a.centre
    drift = np.linalg.norm(offset - offset.mean(0), axis=1).max()
    return bool(drift <= max(0.08, 0.35 * a.reach))


@_predicate(2, "whole", ("scattered",))
def holds(a: View, b: View) -> bool:
    """They touch, and what is held moves along."""
    return bool((gap(a, b) <= TOUCH).mean() >= 0.8) and _moves_along(a, b)


@_predicate(2, "whole", ("scattered", "swapped"))
def wears(a: View, b: View) -> bool:
    """What is worn is on the body, is smaller, and moves along."""
    middle = (np.abs(a.x - b.x) <= a.w / 2) & (b.y >= a.top - 0.5 * b.h) & (b.y <= a.bottom + TOUCH)
    return bool((middle & (b.area <= a.area)).mean() >= 0.8) and _moves_along(a, b)


@_predicate(2, "whole", ("scattered", "upended"))
def rides(a: View, b: View) -> bool:
    """The rider sits on or in it, higher than its middle, and they move together."""
    seat = (np.abs(a.x - b.x) <= b.w / 2) & (gap(a, b) <= TOUCH) & (a.top <= b.top + TOUCH) & (a.y <= b.y)
    return bool(seat.mean() >= 0.8) and _moves_along(a, b)


def _in_tow(a: View, b: View) -> float:
    """Share of frames in which `b` is before `a` on a common way, 0 to 1; -1 if they do not go together."""
    if min(a.reach, b.reach) < MOVED or (gap(a, b) <= 0.75 * CLOSE).mean() < 0.8:
        return -1.0
    cosine, ahead = _along(a, b)
    return float((ahead > 0).mean()) if cosine >= 0.7 else -1.0


@_predicate(2, "whole", ("swapped", "frozen", "reversed"))
def pulls(a: View, b: View) -> bool:
    return 0 <= _in_tow(a, b) <= 0.25


@_predicate(2, "whole", ("swapped", "frozen", "reversed"))
def pushes(a: View, b: View) -> bool:
    return _in_tow(a, b) >= 0.75


@_predicate(2, "whole", ("reversed", "frozen"))
def throws(a: View, b: View) -> bool:
    """It is at the thrower first, and then away."""
    apart = gap(a, b)
    return bool(apart[0] <= 2 * TOUCH and apart.max() >= 0.8 * MOVED and b.reach >= MOVED)


@_predicate(2, "whole", ("reversed", "frozen"))
def catches(a: View, b: View) -> bool:
    backwards = np.arange(len(a.times))[::-1]
    return throws(a.at(backwards), b.at(backwards))


# -- groups ------------------------------------------------------------------------------------------------------------


@_predicate(GROUP, "whole", ("frozen", "half reversed"))
def together(*group: View) -> bool:
    """They all go the same way: each one's displacement is the mean's but for two fifths."""
    ways = np.array([view.displacement for view in group])
    mean = ways.mean(0)
    length = float(np.linalg.norm(mean))
    return length >= 0.8 * MOVED and bool((np.linalg.norm(ways - mean, axis=1) <= max(0.08, 0.4 * length)).all())


@_predicate(GROUP, "whole", ("cornered",))
def apart(*group: View) -> bool:
    """Room for all: of no two does the larger cover more than half of the smaller for most of the time."""
    for i, a in enumerate(group):
        for b in group[i + 1 :]:
            if (overlap(a, b) / np.minimum(a.area, b.area) > 0.5).mean() > 0.5:
                return False
    return True


@_predicate(GROUP, "whole", ("half upended",))
def in_a_row(*group: View) -> bool:
    """Middles near one line, and spread along it."""
    points = np.array([view.centre.mean(0) for view in group])
    spread = np.linalg.svd(points - points.mean(0), compute_uv=False) / np.sqrt(len(points))
    return bool(spread[1] <= 0.04 and spread[0] >= 2 * spread[1])


@_predicate(GROUP, "whole", ("frozen", "reversed"))
def scatters(*group: View) -> bool:
    """They get farther from their common middle."""
    centres = np.array([view.centre for view in group])
    spread = np.linalg.norm(centres - centres.mean(0), axis=2).mean(0)
    return bool(spread[-1] - spread[0] >= 0.5 * MOVED)


@_predicate(GROUP, "whole", ("frozen", "reversed"))
def gathers(*group: View) -> bool:
    backwards = np.arange(len(group[0].times))[::-1]
    return scatters(*(view.at(backwards) for view in group))


# -- camera ------------------------------------------------------------------------------------------------------------


def _things(views: Sequence[View]) -> list[View]:
    """Without what fills the frame before and after a move of the camera."""
    return [view for view in views if len(view.times) > 1 and np.median(view.area) < 0.5]


@_predicate(EVERYTHING, "whole", _way_breaks, words=(1, 1))
def all_move(direction: str, *views: View) -> Answer:
    """Everything that does not fill the frame goes the same way on the screen, as when a camera pans or tilts."""
    things = _things(views)
    return all(goes(view, direction, 0.6 * MOVED) for view in things) if things else None


@_predicate(EVERYTHING, "whole", ("reversed", "frozen"))
def all_grow(*views: View) -> bool:
    return bool(views) and all(view.growth >= GROWN for view in _things(views) or views)


@_predicate(EVERYTHING, "whole", ("reversed", "frozen"))
def all_shrink(*views: View) -> bool:
    return bool(views) and all(view.growth <= 1 / GROWN for view in _things(views) or views)


@_predicate(EVERYTHING, "whole", ("stirred",))
def all_still(*views: View) -> bool:
    return bool(views) and all(view.reach <= STILL for view in views)


@_predicate(2, "whole", ("frozen",))
def parallax(a: View, b: View) -> bool:
    """Things at rest shift against each other, as when a camera orbits or travels past them."""
    offset = a.centre - b.centre
    # Less than what is seen as movement: nothing else moves in such a shot, so a little is seen.
    return bool(np.linalg.norm(offset - offset[0], axis=1).max() >= 0.4 * MOVED)


def distinct(views: Sequence[View]) -> bool:
    """Whether no two have one and the same box throughout."""
    pairs = [(a, b) for i, a in enumerate(views) for b in views[i + 1 :]]
    return not any((same_box(a, b) >= 0.85).all() for a, b in pairs)
