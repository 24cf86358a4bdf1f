"""Templates become texts, and the graphs that they mean."""

from __future__ import annotations

import pytest

from mov_ai.worlds.tabletop.scene import Action, Instance, Thing
from tools.benchmark.arrange import scene_of
from tools.benchmark.wording import Happening, plural, word

BALL, BOXES = Thing("sphere", "orange", "small", "matte"), Thing("cube", "blue", "large", "matte", 3)
PLACES = [Instance(0, 0, 0, 0, 0), *(Instance(1, x, 1.0, 0, 0) for x in (-1, 0, 1))]


def test_first_mentions_are_full_and_later_ones_brief() -> None:
    roll = Action(0, "left", (0.0, 0.5), None, 1.5)
    turn = Action(0, "turn", (0.5, 1.0), "green")
    told = [
        Happening("roll", "to the left", "left", (0.0, 0.5), (0,)),
        Happening("turn", "from {old} to {new}", None, (0.5, 1.0), (0,)),
    ]
    scene = scene_of([BALL, BOXES], [roll, turn], PLACES)
    template = "after {e0:gerund} behind {1}, {0} {e1}. {1} are near {0}."
    worded = word(template, scene, told, [(0, "behind", 1)], ("ball", "box"), sized=(1,))
    assert worded.text == (
        "After rolling to the left behind three large blue boxes, an orange ball turns from orange to green."
        " The boxes are near the ball."
    )
    graph = worded.graph
    ball, boxes = (graph.node(node) for node in worded.things)
    assert (ball.label, ball.count, boxes.label, boxes.count) == ("ball", 1, "box", 3)
    assert {(a.label, a.kind): e.interval for a, e in graph.attributes(ball.id)} == {
        ("orange", "color"): (0.0, 0.5),
        ("green", "color"): (0.5, 1.0),
    }
    assert {a.label: a.kind for a, _ in graph.attributes(boxes.id)} == {"large": "size", "blue": "color"}
    first, second = (graph.node(node) for node in worded.events)
    assert (first.label, first.direction, first.interval) == ("roll", "left", (0.0, 0.5))
    assert [e.target for e in graph.edges_from(second.id, "agent")] == [ball.id]
    assert [(e.source, e.target, e.label) for e in graph.edges if e.type == "temporal"] == [
        (first.id, second.id, "before")
    ]
    assert [(e.source, e.target, e.label) for e in graph.edges if e.type == "spatial"] == [
        (ball.id, boxes.id, "behind")
    ]
    for node in graph.nodes[1:]:
        assert node.span is not None
        assert worded.text[slice(*node.span)][:3].lower() == node.label[:3]


def test_things_that_turn_together_share_the_new_colour() -> None:
    things = [BALL, Thing("cone", "red", "small", "matte")]
    actions = [Action(i, "turn", (0.0, 1.0), "green") for i in (0, 1)]
    scene = scene_of(things, actions, [Instance(0, 0, 0, 0, 0), Instance(1, 1, 0, 0, 0)])
    worded = word("{0} and {1} {e0}.", scene, [Happening("turn", "{new}", None, (0.0, 1.0), (0, 1))])
    assert worded.text == "An orange sphere and a red cone turn green."
    owners = [e.source for e in worded.graph.edges if e.type == "has_attribute" and e.interval == (0.5, 1.0)]
    assert owners == list(worded.things)


def test_passives_and_pronouns() -> None:
    scene = scene_of([BALL, BOXES], [Action(1, "left", (0.0, 1.0), None, 1.0)], PLACES)
    told = [Happening("push", "", "left", (0.0, 1.0), (0,), (1,))]
    worded = word("{1} {e0:passive} to the left by {0}. {1:it} are heavy.", scene, told)
    assert worded.text == "Three blue cubes are pushed to the left by an orange sphere. They are heavy."
    edges = {(e.type, e.target) for e in worded.graph.edges_from(worded.events[0])}
    assert edges == {("agent", worded.things[0]), ("patient", worded.things[1])}


def test_a_template_that_leaves_something_out_is_refused() -> None:
    scene = scene_of([BALL, BOXES], [], PLACES)
    with pytest.raises(ValueError, match="leaves out thing 1"):
        word("{0}.", scene)


def test_plurals() -> None:
    assert [plural(noun) for noun in ("ball", "box")] == ["balls", "boxes"]
