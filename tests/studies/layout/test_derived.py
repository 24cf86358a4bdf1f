"""Facts that a graph says of itself, and the judge on layouts that were made from graphs."""

from __future__ import annotations

import pytest

from mov_ai.graph import Layout, SceneGraph
from studies.layout.derived import derived_facts, own_cast
from studies.layout.judge import Judge, check_fact
from studies.layout.wrong import judged_rates
from studies.parser.prompt_gold import build
from tests.studies.layout.drawn import at, drawn, way

#: Scenes of the stage, where it is installed; the shares that the judge must reach on more of them are 99 % and 5 %.
STAGED, LEAST_RIGHT, MOST_WRONG = 40, 0.97, 0.05


def facts_of(block: str) -> list[str]:
    return [str(fact) for fact in derived_facts(build(f"text\n  {block}").graph)]


@pytest.mark.parametrize(
    ("block", "facts"),
    [
        ("cat*2", ["count(cat, 2)"]),
        ("cat [[upper left]]", ["count(cat, 1)", "at(n1, upper left)"]),
        ("cat @2; steps: 2", ["present(n1) @0.5-1", "absent(n1) @0-0.5"]),
        ("cat -left of- dog", ["count(cat, 1)", "count(dog, 1)", "left_of(n1, n2)"]),
        ("chase(wolf, deer)", ["count(wolf, 1)", "count(deer, 1)", "follows(n2, n3)"]),
        ("walk(cat) ^left @1; jump(cat) @2", ["count(cat, 1)", "moves(n2, left) @0-0.5", "jumps(n2) @0.5-1"]),
        ("roll(ball) [past box]", ["count(ball, 1)", "count(box, 1)", "passes(n2, n3)"]),
        ("walk(cat) [from left of box]", ["count(cat, 1)", "count(box, 1)", "left_of(n2, n3) @0-0.12"]),
        (
            "throw(boy, ball) ^left @1; steps: 2",
            ["count(boy, 1)", "count(ball, 1)", "throws(n2, n3)", "moves(n3, left) @0-0.5"],
        ),
        ("enter(cat) ^right", ["enters(n2)"]),
        ("fly(moth) ^around", ["count(moth, 1)", "circles(n2)"]),
        ("cat; camera: pan left", ["all_move(right)"]),
        ("walk(cat) ^left; camera: zoom in", []),
        ("cat; !dog", ["count(cat, 1)"]),
    ],
)
def test_a_graph_says_facts(block: str, facts: list[str]) -> None:
    assert facts_of(block) == facts


def test_derived_facts_have_a_meaning_and_everybody_plays_herself() -> None:
    graph = build("text\n  roll(ball) [past box] ^right").graph
    layout, _ = drawn(n2=way((0, 0.1, 0.6), (1, 0.9, 0.6)), n3=at(0.5, 0.6))
    cast = own_cast(graph, layout)
    facts = derived_facts(graph)
    for fact in facts:
        check_fact(fact, cast)
    assert Judge(layout, cast).answers(facts) == [True] * 4
    rates = judged_rates([(layout, facts, cast)])
    assert (rates["right"], rates["told"], rates["accepted"]) == (4, 4, 0)
    assert rates["broken"] >= 8
    assert Judge(Layout(16), own_cast(graph, Layout(16))).answers(facts) == [False] * 4


def test_the_judge_accepts_staged_scenes_and_refuses_their_perturbations() -> None:
    stage = pytest.importorskip("mov_ai.worlds.stage.world")
    cases = []
    for seed in range(STAGED):
        scene = stage.sample_scene(seed, "test")
        graph: SceneGraph = scene.caption.graph
        cases.append((scene.layout, derived_facts(graph), own_cast(graph, scene.layout)))
    rates = judged_rates(cases)
    assert rates["right"] >= LEAST_RIGHT * rates["told"] > 0
    assert rates["accepted"] <= MOST_WRONG * rates["broken"]
