"""Layout rules of any scene: gold boxes pass, boxes of another happening do not, and what contradicts itself fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mov_ai.errors import UsageError
from mov_ai.graph import CameraMove, Edge, Layout, Node, SceneGraph, Track
from mov_ai.graph.instances import MAX_COUNT
from mov_ai.graph.layout_report import LayoutReport, Verdict
from mov_ai.worlds.stage.rules.report import judge, rules_of
from mov_ai.worlds.stage.wording import scene_templates
from mov_ai.worlds.stage.world import StagedScene, sample_scene

FRAMES = 16
TIME = (np.arange(FRAMES) + 0.5) / FRAMES
#: Facts that look otherwise when time runs backwards, or stands still.
MOTIONS = (
    *("left", "right", "up", "down", "toward", "away", "to", "from", "out", "off", "throw", "put", "release"),
    *("enter", "leave", "appear", "vanish", "chase", "follow", "push", "pull"),
)
#: What of a report is about what happens: where things stand is the same backwards.
HAPPENING = ("events", "presence")
#: Facts that look otherwise in a mirror.
SIDES = (
    "left",
    "right",
    "upper left",
    "upper right",
    "lower left",
    "lower right",
    "from_left",
    "pan left",
    "pan right",
)


def boxes(
    x: object = 0.5, y: object = 0.6, w: object = 0.1, h: object = 0.2, depth: object = 6.7, seen: object = 1.0
) -> np.ndarray:
    """(FRAMES, 6), each column a number or one for each frame."""
    return np.stack([np.broadcast_to(np.asarray(v, float), FRAMES) for v in (x, y, w, h, depth, seen)], -1).astype(
        np.float32
    )


def graph(*parts: Node | Edge) -> SceneGraph:
    nodes = [Node("s", "scene", "scene"), *(part for part in parts if isinstance(part, Node))]
    if any(isinstance(part, Node) and part.type == "scene" for part in parts):
        nodes = nodes[1:]
    made = SceneGraph("", nodes, [part for part in parts if isinstance(part, Edge)])
    made.validate()
    return made


def layout(**tracks: np.ndarray | list[np.ndarray]) -> Layout:
    made = []
    for key, track in tracks.items():
        group = track if isinstance(track, list) else [track]
        made += [Track(key, one, instance) for instance, one in enumerate(group)]
    return Layout(FRAMES, made)


def verdict(report: LayoutReport, kind: str) -> Verdict:
    return next(v for v in report.verdicts if v.kind == kind)


@pytest.fixture(scope="module")
def gold() -> list[StagedScene]:
    return [sample_scene(seed, "validation", kind) for kind in scene_templates() for seed in range(6)]


def changed(scene: StagedScene, change: Callable[[np.ndarray], np.ndarray]) -> LayoutReport:
    tracks = [replace(track, boxes=change(track.boxes.copy())) for track in scene.layout.tracks]
    return judge(scene.caption.graph, Layout(scene.layout.frames, tracks))


def test_gold_boxes_show_their_graphs(gold: list[StagedScene]) -> None:
    reports = [judge(scene.caption.graph, scene.layout) for scene in gold]
    marks = [v.satisfied for report in reports for v in report.verdicts]
    known = [mark for mark in marks if mark is not None]
    assert len(known) > 500
    assert np.mean(known) >= 0.985
    assert len(known) / len(marks) >= 0.95
    assert np.mean([report.inside == 1 and report.touching == 0 for report in reports]) >= 0.98


@pytest.mark.parametrize(
    ("change", "parts", "kinds", "most"),
    [
        (lambda b: b[::-1], HAPPENING, MOTIONS, 0.2),
        (lambda b: np.repeat(b[8:9], len(b), 0), HAPPENING, MOTIONS, 0.3),
        (
            lambda b: np.concatenate([1 - b[:, :1], b[:, 1:]], 1),
            (*HAPPENING, "relations", "places", "camera"),
            SIDES,
            0.02,
        ),
    ],
    ids=["backwards", "frozen", "mirrored"],
)
def test_wrong_boxes_do_not_pass(
    gold: list[StagedScene],
    change: Callable[[np.ndarray], np.ndarray],
    parts: tuple[str, ...],
    kinds: tuple[str, ...],
    most: float,
) -> None:
    accepted = []
    for scene in gold:
        good = {v.text for v in judge(scene.caption.graph, scene.layout).verdicts if v.satisfied}
        wrong = changed(scene, change)
        verdicts = [v for part in parts for v in getattr(wrong, part)]
        accepted += [bool(v.satisfied) for v in verdicts if v.kind in kinds and v.text in good]
    assert len(accepted) > 40
    assert np.mean(accepted) <= most


def test_gold_is_the_best_candidate(gold: list[StagedScene]) -> None:
    """Of a scene whose actors have changed places, the report's value is less."""
    better = []
    for scene in gold:
        tracks = scene.layout.tracks
        if len(tracks) == 2 and tracks[0].entity != tracks[1].entity:
            swapped = [replace(tracks[0], boxes=tracks[1].boxes), replace(tracks[1], boxes=tracks[0].boxes)]
            report = judge(scene.caption.graph, Layout(scene.layout.frames, swapped))
            better.append(judge(scene.caption.graph, scene.layout).value > report.value)
    assert len(better) > 20
    assert np.mean(better) >= 0.85


# -- single facts ------------------------------------------------------------------------------------------------------

DOG, CAR = Node("dog", "entity", "dog"), Node("car", "entity", "car")


def going(direction: str | None = None, verb: str = "run", **more: object) -> tuple[Node, Edge]:
    return Node("go", "event", verb, direction=direction, **more), Edge("go", "dog", "agent")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("direction", "right", "wrong"),
    [
        ("left", boxes(x=0.8 - 0.5 * TIME), boxes(x=0.3 + 0.5 * TIME)),
        ("up", boxes(y=0.8 - 0.4 * TIME), boxes(x=0.8 - 0.4 * TIME)),
        ("toward", boxes(w=0.1 + 0.1 * TIME, h=0.2 + 0.2 * TIME, depth=6.7 / (1 + TIME)), boxes(y=0.6 + 0.2 * TIME)),
        (
            "around",
            boxes(x=0.5 + 0.15 * np.cos(6.28 * TIME), y=0.5 + 0.08 * np.sin(6.28 * TIME)),
            boxes(x=0.3 + 0.4 * TIME),
        ),
        ("back and forth", boxes(x=0.3 + 0.4 * np.abs(np.sin(6.28 * TIME))), boxes(x=0.3 + 0.4 * TIME)),
        ("zigzag", boxes(x=0.2 + 0.6 * TIME, y=0.6 + 0.06 * np.sin(12.6 * TIME)), boxes(x=0.2 + 0.6 * TIME)),
    ],
)
def test_ways(direction: str, right: np.ndarray, wrong: np.ndarray) -> None:
    asked = graph(DOG, *going(direction, verb="climb" if direction == "up" else "run"))
    assert verdict(judge(asked, layout(dog=right)), direction).satisfied
    assert verdict(judge(asked, layout(dog=wrong)), direction).satisfied is False


def test_a_motion_counts_only_in_its_own_time() -> None:
    asked = graph(DOG, *going("left", interval=(0.5, 1.0)))
    late, early = 0.8 - np.clip(TIME - 0.5, 0, 1), 0.8 - np.clip(TIME, 0, 0.5)
    assert verdict(judge(asked, layout(dog=boxes(x=late))), "left").satisfied
    assert verdict(judge(asked, layout(dog=boxes(x=early))), "left").satisfied is False


@pytest.mark.parametrize(
    ("relation", "right", "wrong"),
    [
        ("past", boxes(x=0.1 + 0.8 * TIME, depth=6), boxes(x=0.1 + 0.3 * TIME)),
        ("behind", boxes(x=0.1 + 0.8 * TIME, depth=9), boxes(x=0.1 + 0.8 * TIME, depth=5)),
        ("toward", boxes(x=0.1 + 0.25 * TIME), boxes(x=0.35 - 0.25 * TIME)),
        ("away from", boxes(x=0.35 - 0.3 * TIME), boxes(x=0.1 + 0.25 * TIME)),
        ("over", boxes(x=0.1 + 0.8 * TIME, y=0.65 - 1.6 * TIME * (1 - TIME)), boxes(x=0.1 + 0.8 * TIME)),
    ],
)
def test_ways_by_another_thing(relation: str, right: np.ndarray, wrong: np.ndarray) -> None:
    asked = graph(DOG, CAR, *going(), Edge("go", "car", "location", relation))
    car = boxes(w=0.2)
    good, bad = (judge(asked, layout(dog=dog, car=car)).events[-1] for dog in (right, wrong))
    assert (good.satisfied, bad.satisfied) == (True, False)


@pytest.mark.parametrize(
    ("label", "dog"),
    [
        ("left of", boxes(x=0.2)),
        ("right of", boxes(x=0.8)),
        ("behind", boxes(x=0.55, y=0.5, depth=10)),
        ("in front of", boxes(x=0.55, y=0.7, depth=5)),
        ("on", boxes(y=0.4)),
        ("above", boxes(y=0.2)),
        ("in", boxes(y=0.62, h=0.12)),
    ],
)
def test_relations_tell_apart(label: str, dog: np.ndarray) -> None:
    """Each holds where it should, and the others do not hold there, but for what is on a thing is above it."""
    labels = ("left of", "right of", "behind", "in front of", "on", "above", "in")
    shown = [
        other
        for other in labels
        if judge(graph(DOG, CAR, Edge("dog", "car", "spatial", other)), layout(dog=dog, car=boxes(w=0.2)))
        .relations[0]
        .satisfied
    ]
    assert label in shown
    assert set(shown) <= ({label, "above"} if label == "on" else {label})


def test_two_sides_at_once_are_never_both_shown() -> None:
    asked = graph(DOG, CAR, Edge("dog", "car", "spatial", "left of"), Edge("dog", "car", "spatial", "right of"))
    for x in (0.1, 0.3, 0.5, 0.7, 0.9):
        assert not judge(asked, layout(dog=boxes(x=x), car=boxes())).satisfied


def test_nothing_is_in_what_is_in_it() -> None:
    asked = graph(DOG, CAR, Edge("dog", "car", "spatial", "in"), Edge("car", "dog", "spatial", "in"))
    for w in (0.05, 0.1, 0.2):
        assert not judge(asked, layout(dog=boxes(w=w, h=w), car=boxes(w=0.1, h=0.1))).satisfied


def test_more_than_can_be_drawn_is_said() -> None:
    asked = graph(replace(DOG, count=40))
    report = judge(asked, layout(dog=[boxes(x=0.1 + 0.1 * i, w=0.05) for i in range(MAX_COUNT)]))
    assert verdict(report, "number").satisfied is False
    assert f"NO 40 of dog dog there: only {MAX_COUNT} have boxes" in str(report).replace("NO  ", "NO ")


def test_a_number_needs_room_for_all() -> None:
    asked = graph(replace(DOG, count=3))
    apart, heap = ([boxes(x=0.5 + step * i) for i in (-1, 0, 1)] for step in (0.15, 0.01))
    assert verdict(judge(asked, layout(dog=apart)), "number").satisfied
    assert verdict(judge(asked, layout(dog=heap)), "number").satisfied is False


def test_what_is_carried_comes_along() -> None:
    bag = Node("bag", "entity", "bag")
    woman = Node("dog", "entity", "woman")
    asked = graph(woman, bag, *going(verb="carry"), Edge("go", "bag", "patient"))
    x = 0.2 + 0.5 * TIME
    with_her, left_there = (layout(dog=boxes(x=x), bag=boxes(x=way, w=0.05, h=0.05)) for way in (x + 0.05, 0.25))
    assert verdict(judge(asked, with_her), "carry").satisfied
    assert verdict(judge(asked, left_there), "carry").satisfied is False


def test_who_chases_is_behind() -> None:
    asked = graph(DOG, CAR, *going(verb="chase"), Edge("go", "car", "patient"))
    front, back = boxes(x=0.3 + 0.5 * TIME), boxes(x=0.15 + 0.5 * TIME)
    assert verdict(judge(asked, layout(dog=back, car=front)), "chase").satisfied
    assert verdict(judge(asked, layout(dog=front, car=back)), "chase").satisfied is False


def test_presence_has_its_time() -> None:
    asked = graph(DOG, Edge("s", "dog", "contains", interval=(0.0, 0.5)))
    seen = (TIME < 0.5).astype(float)
    assert verdict(judge(asked, layout(dog=boxes(seen=seen))), "there").satisfied
    assert verdict(judge(asked, layout(dog=boxes())), "there").satisfied is False
    assert verdict(judge(asked, layout(dog=boxes(seen=1 - seen))), "there").satisfied is False


def test_places_come_one_after_another() -> None:
    asked = graph(
        DOG,
        *going(interval=(0.5, 1.0)),
        Edge("dog", "s", "location", "upper left", (0.0, 0.5)),
        Edge("go", "s", "location", "lower right"),
    )
    way = np.clip(TIME * 2 - 1, 0, 1)
    report = judge(asked, layout(dog=boxes(x=0.2 + 0.6 * way, y=0.25 + 0.5 * way)))
    assert [v.satisfied for v in report.places] == [True, True]
    backwards = judge(asked, layout(dog=boxes(x=0.8 - 0.6 * way, y=0.75 - 0.5 * way)))
    assert [v.satisfied for v in backwards.places] == [False, False]


def test_a_pan_moves_all_that_stands_and_is_taken_out_of_ways() -> None:
    scene = Node("s", "scene", "scene", camera=(CameraMove("pan left"),))
    asked = graph(scene, DOG, CAR, *going("left"))
    drift = 0.2 + 0.3 * TIME
    # In the frame the dog stays where it is: it goes left as fast as the camera turns.
    report = judge(asked, layout(dog=boxes(x=0.6), car=boxes(x=drift)))
    assert verdict(report, "pan left").satisfied
    assert verdict(report, "left").satisfied
    assert verdict(judge(asked, layout(dog=boxes(x=0.6), car=boxes(x=0.2))), "pan left").satisfied is False


def test_what_nothing_is_said_of_stays() -> None:
    asked = graph(DOG, CAR, *going("left"))
    dog = boxes(x=0.8 - 0.5 * TIME)
    assert verdict(judge(asked, layout(dog=dog, car=boxes())), "still").satisfied
    assert verdict(judge(asked, layout(dog=dog, car=boxes(x=0.3 + 0.4 * TIME))), "still").satisfied is False


def test_a_jump_from_frame_to_frame_is_a_fault() -> None:
    asked = graph(DOG, *going("right"))
    jumping = np.where(TIME < 0.5, 0.2, 0.7)
    assert verdict(judge(asked, layout(dog=boxes(x=jumping))), "smooth").satisfied is False
    assert judge(asked, layout(dog=boxes(x=0.2 + 0.5 * TIME))).satisfied


def test_who_walks_up_to_something_does_not_rise() -> None:
    asked = graph(DOG, *going("up", verb="walk"))
    assert verdict(judge(asked, layout(dog=boxes(x=0.2 + 0.5 * TIME))), "up").satisfied is None
    assert verdict(judge(asked, layout(dog=boxes(y=0.8 - 0.5 * TIME))), "up").satisfied


def test_who_has_gone_rests() -> None:
    asked = graph(DOG, *going("left", interval=(0.0, 0.5)))
    stops, goes_on = boxes(x=0.8 - np.minimum(TIME, 0.5)), boxes(x=0.8 - 0.6 * TIME)
    assert verdict(judge(asked, layout(dog=stops)), "rest").satisfied
    assert verdict(judge(asked, layout(dog=goes_on)), "rest").satisfied is False


def test_two_that_pass_each_other_change_sides() -> None:
    asked = graph(DOG, CAR, *going(verb="pass"), Edge("go", "car", "agent"))
    there, back = boxes(x=0.2 + 0.6 * TIME), boxes(x=0.8 - 0.6 * TIME)
    assert verdict(judge(asked, layout(dog=there, car=back)), "pass").satisfied
    assert verdict(judge(asked, layout(dog=there, car=boxes(x=0.05 + 0.6 * TIME))), "pass").satisfied is False


def test_strangers_do_not_cover_each_other() -> None:
    asked = graph(DOG, CAR)
    assert judge(asked, layout(dog=boxes(x=0.3), car=boxes(x=0.7))).touching == 0
    assert judge(asked, layout(dog=boxes(x=0.5), car=boxes(x=0.52))).touching == 1


def test_unknown_words_are_read_by_their_likes_or_not_at_all() -> None:
    stands, goes = boxes(), boxes(x=0.2 + 0.5 * TIME)
    walking = graph(DOG, *going(verb="saunter"))
    assert judge(walking, layout(dog=goes)).events[0].satisfied
    assert judge(walking, layout(dog=stands)).events[0].satisfied is False
    knitting = graph(DOG, *going(verb="knit"))
    assert [judge(knitting, layout(dog=dog)).events[0].satisfied for dog in (stands, goes)] == [None, None]


def test_clearer_boxes_are_worth_more() -> None:
    asked = graph(DOG, *going("right"))
    bold, timid = (judge(asked, layout(dog=boxes(x=0.3 + far * TIME))) for far in (0.4, 0.082))
    assert bold.satisfied
    assert timid.satisfied
    assert bold.value > timid.value


def test_boxes_that_are_missing_are_named() -> None:
    with pytest.raises(UsageError, match="entity 'car', instance 0 are not all given"):
        judge(graph(DOG, CAR), layout(dog=boxes()))


@pytest.mark.parametrize("frames", [1, 2, 5, 120])
def test_any_number_of_frames_is_judged(gold: list[StagedScene], frames: int) -> None:
    for scene in gold[::6]:
        rules = rules_of(scene.caption.graph, scene.layout)
        rules.judged(scene.layout.resampled(frames))


# -- several among themselves ------------------------------------------------------------------------------------------


def test_a_group_scatters_or_gathers() -> None:
    spread = np.stack([boxes(x=0.5 + step * (0.06 + 0.2 * TIME)) for step in (-1.0, 0.0, 1.0)])
    apart = graph(replace(DOG, count=3), Node("go", "event", "scatter"), Edge("go", "dog", "agent"))
    together = graph(replace(DOG, count=3), Node("go", "event", "gather"), Edge("go", "dog", "agent"))
    for asked, right, wrong in ((apart, spread, spread[:, ::-1]), (together, spread[:, ::-1], spread)):
        kind = asked.of_type("event")[0].label
        assert verdict(judge(asked, layout(dog=list(right))), kind).satisfied
        assert verdict(judge(asked, layout(dog=list(wrong))), kind).satisfied is False


def test_what_has_come_in_is_to_be_seen() -> None:
    scene = graph(Node("dog", "entity", "dog"), *going("right", "enter"))
    way = np.linspace(-0.1, 0.6, FRAMES)
    for seen, is_shown in ((1.0, True), (TIME > 0.6, False)):
        assert verdict(judge(scene, layout(dog=boxes(x=way, seen=seen))), "enter").satisfied is is_shown


def test_two_that_meet_both_come_and_are_close_at_last() -> None:
    asked = graph(replace(DOG, count=2), *going(verb="meet"))
    come = [boxes(x=0.2 + 0.25 * TIME), boxes(x=0.8 - 0.25 * TIME)]
    stay_far = [boxes(x=0.2 + 0.1 * TIME), boxes(x=0.8 - 0.1 * TIME)]
    assert verdict(judge(asked, layout(dog=come)), "meet").satisfied
    assert verdict(judge(asked, layout(dog=stay_far)), "meet").satisfied is False


def test_one_that_runs_away_from_the_other_does_not_come_toward_it() -> None:
    toward = (Node("go", "event", "walk"), Edge("go", "dog", "agent"), Edge("go", "dog", "location", "to"))
    asked = graph(replace(DOG, count=2), *toward)
    both = [boxes(x=0.2 + 0.2 * TIME), boxes(x=0.8 - 0.2 * TIME)]
    chased = [boxes(x=0.5 - 0.2 * TIME), boxes(x=0.9 - 0.4 * TIME)]
    assert verdict(judge(asked, layout(dog=both)), "gather").satisfied
    assert verdict(judge(asked, layout(dog=chased)), "gather").satisfied is False


def test_a_group_that_goes_together_goes_alike() -> None:
    march = (Node("go", "event", "march", direction="right", manner="together"), Edge("go", "dog", "agent"))
    asked = graph(replace(DOG, count=3), *march)
    alike = [boxes(x=0.1 + 0.12 * k + 0.4 * TIME) for k in range(3)]
    unlike = [boxes(x=0.1 + 0.12 * k + (0.15 + 0.25 * k) * TIME) for k in range(3)]
    assert verdict(judge(asked, layout(dog=alike)), "together").satisfied
    assert verdict(judge(asked, layout(dog=unlike)), "together").satisfied is False


def test_each_of_several_that_pull_is_before_the_thing() -> None:
    pull = (Node("go", "event", "pull", direction="right"), Edge("go", "dog", "agent"), Edge("go", "car", "patient"))
    asked = graph(replace(DOG, count=2), CAR, *pull)
    car = boxes(x=0.3 + 0.3 * TIME, w=0.16)
    before = [boxes(x=0.45 + 0.3 * TIME), boxes(x=0.57 + 0.3 * TIME)]
    one_behind = [boxes(x=0.45 + 0.3 * TIME), boxes(x=0.15 + 0.3 * TIME)]
    assert verdict(judge(asked, layout(dog=before, car=car)), "pull").satisfied
    assert verdict(judge(asked, layout(dog=one_behind, car=car)), "pull").satisfied is False


def test_what_is_told_to_be_large_looks_larger_than_what_is_told_to_be_small() -> None:
    def told(first: str, large: str, second: str, small: str) -> SceneGraph:
        return graph(
            Node("a", "entity", first),
            Node("b", "entity", second),
            Node("large", "attribute", large, kind="size"),
            Node("small", "attribute", small, kind="size"),
            Edge("a", "large", "has_attribute"),
            Edge("b", "small", "has_attribute"),
        )

    large, small = boxes(x=0.3, w=0.2, h=0.3), boxes(x=0.7, w=0.1, h=0.2)
    robot = told("robot", "giant", "tree", "small")
    assert verdict(judge(robot, layout(a=large, b=small)), "larger as told").satisfied
    assert verdict(judge(robot, layout(a=small, b=large)), "larger as told").satisfied is False
    # A large hedgehog is no match for a small church.
    hedgehog = told("hedgehog", "large", "church", "small")
    assert "larger as told" not in {v.kind for v in judge(hedgehog, layout(a=small, b=large)).verdicts}
