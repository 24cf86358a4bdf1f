"""The judge accepts what boxes show, and refuses it mirrored, backwards, frozen, with actors swapped or missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mov_ai.errors import UsageError
from mov_ai.graph import Layout
from studies.layout.boxes import MOVED
from studies.layout.cast import Cast
from studies.layout.facts import Fact, read_fact
from studies.layout.judge import Judge
from studies.layout.predicates import PREDICATES
from studies.layout.wrong import PERTURBATIONS, broken_by, judged_rates, perturbed, wrong_layouts
from tests.studies.layout.drawn import at, drawn, scaled, seen, way

CIRCLE = [(t, 0.5 + 0.25 * np.cos(2 * np.pi * t), 0.5 + 0.2 * np.sin(2 * np.pi * t)) for t in np.linspace(0, 1, 30)]
ZIGZAG = [(0.0, 0.1, 0.4), (0.25, 0.3, 0.6), (0.5, 0.5, 0.4), (0.75, 0.7, 0.6), (1.0, 0.9, 0.4)]
RIGHT, LEFT = way((0, 0.15, 0.6), (1, 0.85, 0.6)), way((0, 0.85, 0.6), (1, 0.15, 0.6))
TABLE = at(0.5, 0.75, w=0.6, h=0.3, depth=6)
ROAD = at(0.5, 0.8, w=1.0, h=0.35, depth=9)
FLOCK = [way((0, 0.1 + dx, 0.3 + dy), (1, 0.6 + dx, 0.3 + dy)) for dx, dy in ((0, 0), (0.2, 0), (0.1, 0.2), (0.3, 0.2))]
ROW = [at(x, 0.5 + 0.01 * (i % 2)) for i, x in enumerate((0.15, 0.4, 0.6, 0.85))]
SPREAD = [
    way((0, 0.5 + dx / 8, 0.5 + dy / 8), (1, 0.5 + dx, 0.5 + dy)) for dx, dy in ((0.3, 0), (-0.3, 0.2), (0, -0.3))
]
GATHER = [boxes[::-1].copy() for boxes in SPREAD]

#: Facts that hold, and the tracks that show them.
RIGHT_ONES: list[tuple[str, dict[str, np.ndarray | list[np.ndarray]]]] = [
    ("at(cat, left)", {"cat": at(0.3, 0.5)}),
    ("at(cat, lower right)", {"cat": at(0.8, 0.7)}),
    ("at(cat, top)", {"cat": at(0.5, 0.2)}),
    ("at(cat, top center)", {"cat": at(0.55, 0.2)}),
    ("at(cat, center)", {"cat": at(0.45, 0.55)}),
    ("at(cat, left) @start", {"cat": RIGHT}),
    ("at(cat, right) @2", {"cat": way((0, 0.2, 0.5), (0.4, 0.3, 0.5), (0.55, 0.8, 0.5))}),
    ("at(cat, upper right) @once", {"cat": way((0, 0.2, 0.8), (0.5, 0.8, 0.2), (1, 0.2, 0.8))}),
    ("visits(cat, left, right)", {"cat": RIGHT}),
    ("visits(cat, lower left, lower right, upper right)", {"cat": way((0, 0.2, 0.8), (0.5, 0.8, 0.8), (1, 0.8, 0.2))}),
    ("left_of(cat, dog)", {"cat": at(0.3, 0.5), "dog": at(0.6, 0.5)}),
    ("right_of(cat, dog) @end", {"cat": RIGHT, "dog": at(0.5, 0.5)}),
    ("above(lamp, table)", {"lamp": at(0.4, 0.2), "table": TABLE}),
    ("below(cat, lamp)", {"lamp": at(0.4, 0.2), "cat": at(0.8, 0.8)}),
    ("over(gull, boat)", {"gull": at(0.5, 0.2), "boat": at(0.45, 0.7, 0.3)}),
    ("over(gull, boat) @once", {"gull": way((0, 0.1, 0.2), (1, 0.9, 0.2)), "boat": at(0.45, 0.7, 0.3)}),
    ("under(cat, table)", {"cat": at(0.5, 0.83, 0.1), "table": TABLE}),
    ("behind(tree, cat)", {"tree": at(0.5, 0.5, depth=9), "cat": at(0.4, 0.6, depth=4)}),
    ("behind(tree, cat)", {"tree": at(0.5, 0.4, depth=0), "cat": at(0.4, 0.6, depth=0)}),
    ("in_front_of(cat, tree)", {"tree": at(0.5, 0.5, depth=9), "cat": at(0.4, 0.6, depth=4)}),
    ("next_to(cat, dog)", {"cat": at(0.4, 0.5), "dog": at(0.6, 0.5)}),
    ("between(cat, dog, fox)", {"cat": at(0.5, 0.55), "dog": at(0.2, 0.5), "fox": at(0.8, 0.5)}),
    ("between(cat, tree, tree)", {"cat": at(0.5, 0.55), "tree": [at(0.2, 0.5), at(0.8, 0.5)]}),
    ("on(cat, table)", {"cat": at(0.5, 0.55), "table": TABLE}),
    ("on(car, road)", {"car": RIGHT + np.float32([0, 0.15, 0, 0, 0, 0]), "road": ROAD}),
    ("inside(egg, nest)", {"egg": [at(0.45, 0.5, 0.06), at(0.55, 0.5, 0.06)], "nest": at(0.5, 0.55, 0.3)}),
    ("touches(broom, door)", {"broom": at(0.31, 0.5, w=0.1, h=0.5), "door": at(0.5, 0.5, w=0.25, h=0.8)}),
    ("near(cat, dog)", {"cat": at(0.4, 0.5), "dog": at(0.6, 0.5)}),
    ("larger(bear, cat)", {"bear": at(0.3, 0.5, 0.4), "cat": at(0.8, 0.5, 0.1)}),
    ("smaller(cat, bear)", {"bear": at(0.3, 0.5, 0.4), "cat": at(0.8, 0.5, 0.1)}),
    ("taller(tree, car)", {"tree": at(0.3, 0.5, w=0.1, h=0.7), "car": at(0.7, 0.6, w=0.4, h=0.2)}),
    ("wider(car, tree)", {"tree": at(0.3, 0.5, w=0.1, h=0.7), "car": at(0.7, 0.6, w=0.4, h=0.2)}),
    ("close_up(cat)", {"cat": at(0.5, 0.5, 0.7)}),
    ("far_away(cat)", {"cat": at(0.5, 0.5, 0.15)}),
    ("region(road)", {"road": ROAD}),
    ("grows(cat)", {"cat": scaled(at(0.5, 0.5), 1, 2)}),
    ("shrinks(cat) @2", {"cat": scaled(at(0.5, 0.5), 2, 2, 1)}),
    ("keeps_size(cat)", {"cat": RIGHT}),
    ("present(cat)", {"cat": at(0.5, 0.5)}),
    ("present(cat) @2", {"cat": seen(at(0.5, 0.5), 0.5, 1)}),
    ("absent(cat) @1", {"cat": seen(at(0.5, 0.5), 0.5, 1)}),
    ("absent(cat) @start", {"cat": seen(at(0.5, 0.5), 0.3, 1)}),
    ("appears(cat)", {"cat": seen(at(0.5, 0.5), 0.4, 1)}),
    ("vanishes(cat)", {"cat": seen(at(0.5, 0.5), 0, 0.7)}),
    ("enters(cat, left)", {"cat": way((0, -0.1, 0.5), (0.6, 0.5, 0.5))}),
    ("enters(cat, left)", {"cat": seen(way((0.2, 0.08, 0.5), (0.8, 0.5, 0.5)), 0.3, 1)}),
    ("enters(cat)", {"cat": way((0, 0.5, 1.1), (0.6, 0.5, 0.5))}),
    ("leaves(cat, top)", {"cat": way((0.3, 0.5, 0.5), (1, 0.5, -0.2))}),
    ("moves(cat, right)", {"cat": RIGHT}),
    ("moves(cat, down)", {"cat": way((0, 0.5, 0.2), (1, 0.55, 0.8))}),
    ("moves(cat, down right)", {"cat": way((0, 0.2, 0.2), (1, 0.6, 0.5))}),
    ("moves(cat, toward)", {"cat": scaled(at(0.5, 0.5), 1, 2.5)}),
    ("moves(cat, away)", {"cat": scaled(at(0.5, 0.5), 2, 1)}),
    ("moves(cat)", {"cat": LEFT}),
    ("moves(cat, left) @2", {"cat": way((0, 0.8, 0.5), (0.5, 0.8, 0.5), (1, 0.2, 0.5))}),
    ("still(cat)", {"cat": at(0.4, 0.6)}),
    ("circles(moth)", {"moth": way(*CIRCLE)}),
    ("circles_around(moth, lamp)", {"moth": way(*CIRCLE), "lamp": at(0.5, 0.5)}),
    ("back_and_forth(ball)", {"ball": way((0, 0.2, 0.5), (0.3, 0.8, 0.5), (0.6, 0.2, 0.5), (1, 0.8, 0.5))}),
    ("up_and_down(ball)", {"ball": way((0, 0.5, 0.7), (0.3, 0.5, 0.5), (0.6, 0.5, 0.7), (1, 0.5, 0.5))}),
    ("zigzags(hare)", {"hare": way(*ZIGZAG)}),
    ("jumps(frog)", {"frog": way((0.3, 0.5, 0.7), (0.5, 0.5, 0.4), (0.7, 0.5, 0.7))}),
    ("fast(cat)", {"cat": RIGHT}),
    ("slow(cat)", {"cat": way((0, 0.3, 0.5), (1, 0.6, 0.5))}),
    ("faster(cat, dog)", {"cat": RIGHT, "dog": way((0, 0.3, 0.5), (1, 0.6, 0.5))}),
    ("slower(dog, cat)", {"cat": RIGHT, "dog": way((0, 0.3, 0.5), (1, 0.6, 0.5))}),
    ("follows(wolf, deer)", {"wolf": way((0, 0.1, 0.5), (1, 0.6, 0.5)), "deer": way((0, 0.35, 0.5), (1, 0.9, 0.5))}),
    (
        "follows(wolf, deer)",
        {"wolf": scaled(at(0.5, 0.4, depth=9), 1, 2), "deer": scaled(at(0.5, 0.6, depth=6), 1, 2)},
    ),
    ("flees(deer, wolf)", {"wolf": way((0, 0.1, 0.5), (1, 0.5, 0.5)), "deer": way((0, 0.35, 0.5), (1, 0.9, 0.5))}),
    ("approaches(cat, dog)", {"cat": way((0, 0.1, 0.5), (1, 0.6, 0.5)), "dog": at(0.8, 0.5)}),
    ("reaches(cat, dog)", {"cat": way((0, 0.1, 0.5), (1, 0.65, 0.5)), "dog": at(0.8, 0.5)}),
    ("meets(cat, dog)", {"cat": way((0, 0.1, 0.5), (1, 0.42, 0.5)), "dog": way((0, 0.9, 0.5), (1, 0.58, 0.5))}),
    ("parts_from(cat, dog)", {"cat": way((0, 0.6, 0.5), (1, 0.1, 0.5)), "dog": at(0.8, 0.5)}),
    ("passes(cat, dog)", {"cat": RIGHT, "dog": at(0.5, 0.5)}),
    ("passes(cat, dog, right)", {"cat": RIGHT, "dog": at(0.5, 0.5)}),
    ("into(cat, box)", {"cat": way((0, 0.2, 0.5), (0.7, 0.7, 0.5), size=0.1), "box": at(0.7, 0.5, 0.3)}),
    ("into(cat, box)", {"cat": seen(way((0, 0.2, 0.5), (0.9, 0.7, 0.5), size=0.1), 0, 0.8), "box": at(0.7, 0.5, 0.3)}),
    ("out_of(cat, box)", {"cat": way((0.2, 0.7, 0.5), (1, 0.2, 0.5), size=0.1), "box": at(0.7, 0.5, 0.3)}),
    ("along(car, road)", {"car": RIGHT, "road": ROAD}),
    ("through(car, tunnel)", {"car": RIGHT, "tunnel": at(0.5, 0.5, 0.4)}),
    (
        "holds(man, ladder)",
        {"man": way((0, 0.2, 0.5), (1, 0.8, 0.5), h=0.5), "ladder": way((0, 0.3, 0.5), (1, 0.9, 0.5))},
    ),
    ("wears(man, hat)", {"man": RIGHT, "hat": way((0, 0.15, 0.54), (1, 0.85, 0.54), size=0.05)}),
    (
        "rides(boy, horse)",
        {"boy": way((0, 0.2, 0.4), (1, 0.8, 0.4)), "horse": way((0, 0.2, 0.55), (1, 0.8, 0.55), size=0.3)},
    ),
    ("pulls(horse, cart)", {"horse": way((0, 0.3, 0.5), (1, 0.9, 0.5)), "cart": way((0, 0.1, 0.5), (1, 0.7, 0.5))}),
    ("pushes(boy, cart)", {"boy": way((0, 0.1, 0.5), (1, 0.7, 0.5)), "cart": way((0, 0.3, 0.5), (1, 0.9, 0.5))}),
    ("throws(girl, ball)", {"girl": at(0.2, 0.5), "ball": way((0.1, 0.25, 0.5), (0.8, 0.8, 0.4), size=0.05)}),
    ("catches(dog, ball)", {"dog": at(0.8, 0.5), "ball": way((0.1, 0.25, 0.5), (0.8, 0.75, 0.5), size=0.05)}),
    ("together(goose)", {"goose": FLOCK}),
    ("apart(goose)", {"goose": FLOCK}),
    ("in_a_row(goose)", {"goose": ROW}),
    ("scatters(duck)", {"duck": SPREAD}),
    ("gathers(duck)", {"duck": GATHER}),
    (
        "all_move(left)",
        {"tree": way((0, 0.8, 0.4), (1, 0.4, 0.4)), "car": way((0, 0.5, 0.7), (1, 0.2, 0.7)), "sky": at(0.5, 0.5, 1)},
    ),
    ("all_grow()", {"tree": scaled(at(0.6, 0.5), 1, 1.6), "car": scaled(at(0.3, 0.6), 1, 1.5)}),
    ("all_shrink()", {"tree": scaled(at(0.6, 0.5), 1.6, 1)}),
    ("all_still()", {"tree": at(0.6, 0.5), "car": at(0.3, 0.6)}),
    ("parallax(tree, car)", {"tree": way((0, 0.4, 0.4), (1, 0.5, 0.4)), "car": way((0, 0.7, 0.7), (1, 0.4, 0.7))}),
    ("count(egg, 3)", {"egg": [at(0.2, 0.5), at(0.4, 0.5), at(0.6, 0.5)]}),
    ("count(egg, 1) @1", {"egg": [at(0.2, 0.5), seen(at(0.4, 0.5), 0.5, 1)]}),
    ("moves(cat, right) then moves(cat, up)", {"cat": way((0, 0.2, 0.8), (0.5, 0.7, 0.8), (1, 0.7, 0.3))}),
    (
        "moves(cat, right) then moves(dog, left)",
        {"cat": way((0, 0.1, 0.3), (0.45, 0.7, 0.3)), "dog": way((0.55, 0.8, 0.7), (1, 0.2, 0.7))},
    ),
    ("moves(cat, left) while moves(dog, right)", {"cat": LEFT, "dog": RIGHT}),
]
IDS = [f"{number} {text}" for number, (text, _) in enumerate(RIGHT_ONES)]


def answer(text: str, layout: Layout, cast: Cast) -> bool | None:
    return Judge(layout, cast).answer(read_fact(text, steps=2))


@pytest.mark.parametrize(("text", "tracks"), RIGHT_ONES, ids=IDS)
def test_what_boxes_show_is_accepted_and_its_perturbations_are_not(
    text: str, tracks: dict[str, np.ndarray | list[np.ndarray]]
) -> None:
    layout, cast = drawn(**tracks)
    assert answer(text, layout, cast) is True
    rates = judged_rates([(layout, [read_fact(text, 2)], cast)])
    fact = read_fact(text, 2)
    accepted = [name for name, wrong in wrong_layouts(layout, fact, cast) if Judge(wrong, cast).answer(fact)]
    assert [name for name in accepted if name != "doubled"] == []
    assert rates["accepted"] == 0
    assert rates["broken"] == len(broken_by(fact)) > 0


@pytest.mark.parametrize(("text", "tracks"), RIGHT_ONES, ids=IDS)
def test_a_denied_fact_is_the_opposite_so_long_as_everybody_is_there(
    text: str, tracks: dict[str, np.ndarray | list[np.ndarray]]
) -> None:
    if " then " in text or " while " in text:
        pytest.skip("sequences are not denied")
    layout, cast = drawn(**tracks)
    assert answer(f"!{text}", layout, cast) is False


def test_every_predicate_and_every_perturbation_is_tested() -> None:
    facts = [read_fact(text, 2) for text, _ in RIGHT_ONES]
    plain = [part for fact in facts for part in (fact.parts or (fact,))]
    assert set(PREDICATES) - {fact.name for fact in plain} == set()
    assert set(PERTURBATIONS) - {name for fact in facts for name in broken_by(fact)} == set()


@pytest.mark.parametrize("frames", [6, 24, 64])
@pytest.mark.parametrize(("text", "tracks"), RIGHT_ONES, ids=IDS)
def test_the_number_of_frames_does_not_matter(
    text: str, tracks: dict[str, np.ndarray | list[np.ndarray]], frames: int
) -> None:
    layout, cast = drawn(**tracks)
    assert answer(text, layout.resampled(frames), cast) is True


#: Facts that do not hold, and tracks that come near.
WRONG_ONES: list[tuple[str, dict[str, np.ndarray | list[np.ndarray]]]] = [
    ("at(cat, left)", {"cat": at(0.5, 0.5)}),
    ("at(cat, center)", {"cat": at(0.5, 0.85)}),
    ("at(cat, lower left)", {"cat": at(0.2, 0.2)}),
    ("visits(cat, left, right, left)", {"cat": RIGHT}),
    ("visits(cat, lower left, lower right, upper right)", {"cat": way((0, 0.2, 0.8), (0.5, 0.2, 0.2), (1, 0.8, 0.2))}),
    ("left_of(cat, dog)", {"cat": RIGHT, "dog": at(0.5, 0.5)}),
    ("over(gull, boat)", {"gull": at(0.1, 0.2), "boat": at(0.7, 0.7, 0.2)}),
    ("under(cat, table)", {"cat": at(0.5, 0.4, 0.1), "table": TABLE}),
    ("next_to(cat, dog)", {"cat": at(0.5, 0.5, 0.1), "dog": at(0.5, 0.5, 0.3)}),
    ("between(cat, dog, fox)", {"cat": at(0.95, 0.5), "dog": at(0.2, 0.5), "fox": at(0.8, 0.5)}),
    ("on(cat, table)", {"cat": at(0.5, 0.2), "table": TABLE}),
    ("on(cat, table)", {"cat": at(0.9, 0.55), "table": at(0.4, 0.75, w=0.4, h=0.3)}),
    ("inside(egg, nest)", {"egg": at(0.35, 0.4, 0.1), "nest": at(0.5, 0.55, 0.3)}),
    ("larger(bear, cat)", {"bear": at(0.3, 0.5, 0.2), "cat": at(0.8, 0.5, 0.19)}),
    ("region(road)", {"road": at(0.5, 0.5, 0.3)}),
    ("appears(cat)", {"cat": seen(at(0.5, 0.5), 0.3, 0.6)}),
    ("present(cat) @1", {"cat": seen(at(0.5, 0.5), 0.5, 1)}),
    ("present(cat)", {"cat": at(1.3, 0.5)}),
    ("enters(cat, left)", {"cat": way((0, 1.1, 0.5), (0.6, 0.5, 0.5))}),
    ("enters(cat, left)", {"cat": RIGHT}),
    ("moves(cat, right)", {"cat": way((0, 0.2, 0.2), (1, 0.4, 0.8))}),
    ("moves(cat, right)", {"cat": way((0, 0.5, 0.5), (1, 0.55, 0.5))}),
    ("moves(cat, toward)", {"cat": RIGHT}),
    ("still(cat)", {"cat": way((0, 0.4, 0.5), (1, 0.55, 0.5))}),
    ("circles(moth)", {"moth": RIGHT}),
    ("circles_around(moth, lamp)", {"moth": way(*CIRCLE), "lamp": at(0.9, 0.9)}),
    ("back_and_forth(ball)", {"ball": RIGHT}),
    ("zigzags(hare)", {"hare": way((0, 0.1, 0.4), (0.5, 0.5, 0.6), (1, 0.9, 0.4))}),
    ("jumps(frog)", {"frog": way((0.3, 0.5, 0.7), (0.7, 0.5, 0.4))}),
    ("follows(wolf, deer)", {"wolf": RIGHT, "deer": LEFT}),
    ("follows(wolf, deer)", {"wolf": RIGHT, "deer": at(0.9, 0.5)}),
    ("meets(cat, dog)", {"cat": way((0, 0.1, 0.5), (1, 0.65, 0.5)), "dog": at(0.8, 0.5)}),
    ("passes(cat, dog)", {"cat": way((0, 0.1, 0.5), (1, 0.4, 0.5)), "dog": at(0.6, 0.5)}),
    ("into(cat, box)", {"cat": way((0, 0.2, 0.5), (1, 0.45, 0.5), size=0.1), "box": at(0.7, 0.5, 0.3)}),
    ("holds(man, ladder)", {"man": RIGHT, "ladder": at(0.5, 0.5, 0.6)}),
    ("wears(man, hat)", {"man": RIGHT, "hat": way((0, 0.15, 0.2), (1, 0.85, 0.2), size=0.05)}),
    ("rides(boy, horse)", {"boy": at(0.2, 0.5), "horse": RIGHT}),
    ("pulls(horse, cart)", {"horse": way((0, 0.5, 0.5), (1, 0.95, 0.5)), "cart": at(0.1, 0.5)}),
    ("throws(girl, ball)", {"girl": at(0.2, 0.5), "ball": at(0.25, 0.5, 0.05)}),
    ("together(goose)", {"goose": [*FLOCK, LEFT]}),
    ("apart(goose)", {"goose": [*FLOCK, FLOCK[0]]}),
    ("in_a_row(goose)", {"goose": [*ROW, at(0.5, 0.1)]}),
    ("count(egg, 3)", {"egg": [at(0.2, 0.5), at(0.4, 0.5)]}),
    ("count(egg, 2)", {"egg": [at(0.2, 0.5), at(0.2, 0.5)]}),
    ("all_move(left)", {"tree": way((0, 0.8, 0.4), (1, 0.4, 0.4)), "car": at(0.5, 0.7)}),
    ("parallax(tree, car)", {"tree": way((0, 0.3, 0.4), (1, 0.5, 0.4)), "car": way((0, 0.5, 0.7), (1, 0.7, 0.7))}),
    ("moves(cat, right) then moves(cat, up)", {"cat": way((0, 0.2, 0.8), (1, 0.7, 0.3))}),
    ("moves(cat, right) then moves(cat, up)", {"cat": way((0, 0.2, 0.8), (0.5, 0.2, 0.3), (1, 0.7, 0.3))}),
    ("moves(cat, right) then moves(dog, left)", {"cat": RIGHT, "dog": LEFT}),
    (
        "moves(cat, left) while moves(dog, right)",
        {"cat": way((0, 0.8, 0.3), (0.45, 0.2, 0.3)), "dog": way((0.55, 0.2, 0.7), (1, 0.8, 0.7))},
    ),
]


@pytest.mark.parametrize(("text", "tracks"), WRONG_ONES, ids=[f"{i} {text}" for i, (text, _) in enumerate(WRONG_ONES)])
def test_what_comes_near_is_refused(text: str, tracks: dict[str, np.ndarray | list[np.ndarray]]) -> None:
    assert answer(text, *drawn(**tracks)) is False


def test_who_is_missing_shows_nothing_and_a_setting_cannot_be_told() -> None:
    layout, _ = drawn(dog=at(0.5, 0.5))
    cast = Cast({"dog": (("dog", 0),), "cat": (), "park": ()}, settings=frozenset({"park"}))
    judge = Judge(layout, cast)
    texts = ["present(cat)", "!present(cat)", "left_of(cat, dog)", "!left_of(cat, dog)", "absent(cat)"]
    assert judge.answers([read_fact(text) for text in texts]) == [False, False, False, False, True]
    parks = ["inside(dog, park)", "region(park)", "!region(park)", "inside(dog, park) then moves(dog, left)"]
    assert judge.answers([read_fact(text) for text in parks]) == [None, None, None, None]


def test_a_fact_of_several_must_hold_for_each() -> None:
    layout, cast = drawn(duck=[at(0.2, 0.5), at(0.7, 0.5)], tree=at(0.5, 0.5))
    assert Judge(layout, cast).answer(read_fact("left_of(duck, tree)")) is False
    assert Judge(layout, cast).answer(read_fact("near(duck, tree)")) is True


def test_boxes_that_are_not_given_are_not_seen() -> None:
    boxes = at(0.5, 0.5)
    boxes[:8] = np.nan
    layout, cast = drawn(cat=boxes)
    assert Judge(layout, cast).answers([read_fact("appears(cat)"), read_fact("present(cat) @1", 2)]) == [True, False]


def test_an_empty_layout_shows_nothing() -> None:
    judge = Judge(Layout(16), Cast({"cat": ()}))
    texts = ["present(cat)", "count(cat, 1)", "all_move(left)", "all_still()", "count(cat, 0)"]
    assert judge.answers([read_fact(text) for text in texts]) == [False, False, None, False, True]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flies(cat)", "expected one of"),
        ("moves(dog)", "expected actors of cat"),
        ("moves(cat, left, right)", "other arguments"),
        ("visits(cat, left)", "other arguments"),
        ("left_of(cat)", "other arguments"),
        ("count(cat, many)", "a name and a number"),
        ("at(cat, nowhere)", "expected a place"),
        ("moves(cat, sideways)", "expected one of left"),
    ],
)
def test_a_fact_without_meaning_is_one_clear_error(text: str, message: str) -> None:
    layout, cast = drawn(cat=at(0.5, 0.5))
    with pytest.raises(UsageError, match=message):
        Judge(layout, cast).answer(read_fact(text))


@settings(max_examples=60, deadline=None)
@given(st.floats(0.1, 0.9), st.floats(0.1, 0.9), st.floats(0.1, 0.9), st.floats(0.1, 0.9))
def test_ways_and_their_mirror_images(x0: float, y0: float, x1: float, y1: float) -> None:
    # Neither on a diagonal nor just as far as is needed, where rounding decides.
    across, down = abs(x1 - x0), abs(y1 - y0)
    assume(abs(across - down) > 1e-3 and min(abs(0.9375 * side - MOVED) for side in (across, down)) > 1e-3)
    layout, cast = drawn(cat=way((0, x0, y0), (1, x1, y1)))
    mirrored, backwards = perturbed(layout, "mirrored"), perturbed(layout, "reversed")
    for way_on, way_back in (("left", "right"), ("right", "left")):
        on = Judge(layout, cast).answer(Fact("moves", ("cat", way_on)))
        back = Fact("moves", ("cat", way_back))
        assert on == Judge(mirrored, cast).answer(back) == Judge(backwards, cast).answer(back)
    ways = [Judge(layout, cast).answer(Fact("moves", ("cat", way))) for way in ("left", "right", "up", "down")]
    assert sum(map(bool, ways)) == (max(across, down) * 0.9375 >= MOVED)
