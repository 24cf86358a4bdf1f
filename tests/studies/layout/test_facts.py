"""The prompts of `data/layouts` can be read, are balanced, and their facts have a meaning."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from mov_ai.errors import UsageError
from mov_ai.graph import Edge, Layout, Node, SceneGraph
from mov_ai.graph.instances import drawn_entities
from studies.layout.cast import cast_of
from studies.layout.facts import UNSEEN, Fact, LayoutPrompt, build_layout_prompt, layout_prompts, read_fact
from studies.layout.judge import Judge
from studies.parser.prompt_facts import judge_prompt
from studies.parser.prompt_gold import FOLDER as PROMPT_FOLDER
from studies.parser.prompt_gold import SPLITS, gold_prompts
from studies.parser.prompt_gold import UNSEEN as UNSEEN_PROMPTS
from tests.models.builders import still_layout

PROMPTS = layout_prompts()
NEVER_TUNED_FOR = layout_prompts(folder=UNSEEN)


def row_layout(graph: SceneGraph) -> Layout:
    """Everything of a graph side by side."""
    drawn = drawn_entities(graph)
    return still_layout(graph, [((i + 0.5) / len(drawn), 0.5, 0.08, 0.08, 5.0, 1.0) for i in range(len(drawn))])


@pytest.mark.parametrize("prompt", [*PROMPTS, *NEVER_TUNED_FOR], ids=lambda prompt: prompt.gold.id)
def test_a_prompt_has_a_valid_graph_and_facts_with_a_meaning(prompt: LayoutPrompt) -> None:
    graph = prompt.gold.graph
    assert SceneGraph.from_json(graph.to_json()) == graph
    judged = judge_prompt(prompt.gold, graph)
    assert (judged.missing, judged.invented) == ([], [])
    layout = row_layout(graph)
    cast = cast_of(prompt.gold, graph, layout)
    # Whoever the graph draws is cast; numbers above what a video shows are not all there.
    for node_id, instances in ((prompt.gold.names[name], ones) for name, ones in cast.actors.items()):
        assert instances == tuple(one for one in drawn_entities(graph) if one[0] == node_id)
    assert cast.extra == ()
    answers = Judge(layout, cast).answers(prompt.facts)
    assert len(answers) == len(prompt.facts)


def test_nothing_in_a_graph_is_only_perhaps_there() -> None:
    for prompt in [*PROMPTS, *NEVER_TUNED_FOR]:
        perhaps = {item for item in prompt.gold.optional if isinstance(item, str)}
        entities = {node.id for node in prompt.gold.graph.of_type("entity")}
        assert not perhaps & entities, prompt.gold.id


def test_there_are_two_hundred_prompts_half_of_each_kind_in_each_half() -> None:
    kinds = Counter((prompt.gold.kind, prompt.gold.split) for prompt in PROMPTS)
    assert len(PROMPTS) == 200
    assert len({kind for kind, _ in kinds}) == 11
    for kind in {kind for kind, _ in kinds}:
        assert kinds[kind, "development"] == kinds[kind, "held_out"] >= 7
    facts = Counter(prompt.gold.split for prompt in PROMPTS for _ in prompt.facts)
    assert max(facts.values()) <= 1.1 * min(facts.values())
    assert [len(layout_prompts(split)) for split in SPLITS] == [100, 100]


def test_unseen_prompts_are_of_the_same_kinds_and_have_no_held_out_half() -> None:
    assert len(NEVER_TUNED_FOR) == 80
    assert layout_prompts("development", UNSEEN) == NEVER_TUNED_FOR
    kinds = Counter(prompt.gold.kind for prompt in NEVER_TUNED_FOR)
    assert set(kinds) == {prompt.gold.kind for prompt in PROMPTS}
    assert min(kinds.values()) >= 6


def test_no_two_prompts_are_alike_here_or_among_those_of_the_parser() -> None:
    def words(text: str) -> frozenset[str]:
        return frozenset(re.findall(r"[a-z]+", text.lower()))

    texts = [words(prompt.gold.text) for prompt in [*PROMPTS, *NEVER_TUNED_FOR]]
    others = [
        words(prompt.text) for folder in (PROMPT_FOLDER, UNSEEN_PROMPTS) for prompt in gold_prompts(folder=folder)
    ]
    assert len(set(texts)) == len(texts)
    for i, text in enumerate(texts):
        for other in [*texts[i + 1 :], *others]:
            assert len(text & other) < 0.9 * len(text | other), sorted(text)


def test_facts_are_read() -> None:
    assert read_fact("at(cat, upper left) @2", 2) == Fact("at", ("cat", "upper left"), (0.5, 1.0))
    assert read_fact("!present(cat) @1-2", 4) == Fact("present", ("cat",), (0.0, 0.5), denied=True)
    assert read_fact("moves(cat, left) @2-", 4).when == (0.25, 1.0)
    assert read_fact("near(a, b) @once").when == "once"
    then = read_fact("moves(cat, up) then still(cat)")
    assert (then.name, [part.name for part in then.parts]) == ("then", ["moves", "still"])
    assert str(read_fact("!moves(cat, up) @2", 2)) == "!moves(cat, up) @0.5-1"


@pytest.mark.parametrize("text", ["at cat left", "at(cat, left) @3", "at(cat, left) @0", "at(cat) @soon", "at(cat"])
def test_a_fact_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(UsageError, match="own-01: expected"):
        build_layout_prompt(f"a cat\n  cat; steps: 2\n  = {text}")


def test_a_prompt_without_facts_and_a_split_without_prompts_are_refused() -> None:
    with pytest.raises(UsageError, match="found none"):
        build_layout_prompt("a cat\n  cat")
    with pytest.raises(UsageError, match="expected one of development, held_out"):
        layout_prompts("test")


# -- who plays whom ----------------------------------------------------------------------------------------------------


def graph_of(*nodes: Node, edges: tuple[Edge, ...] = (), setting: str | None = None) -> SceneGraph:
    graph = SceneGraph("", [Node("s", "scene", "scene", setting=setting), *nodes], list(edges))
    graph.validate()
    return graph


def test_two_entities_may_play_one_of_two_and_the_other_way_round() -> None:
    two = build_layout_prompt("two dogs\n  dog*2\n  = count(dog, 2)")
    apart = graph_of(Node("a", "entity", "dog"), Node("b", "entity", "dog"))
    layout = row_layout(apart)
    cast = cast_of(two.gold, apart, layout)
    assert cast.actors == {"dog": (("a", 0), ("b", 0))}
    assert Judge(layout, cast).answers(two.facts) == [True]
    each = build_layout_prompt("one dog and another\n  dog#1; dog#2\n  = count(dog, 2); left_of(dog#1, dog#2)")
    together = graph_of(Node("a", "entity", "dogs", count=2))
    cast = cast_of(each.gold, together, row_layout(together))
    assert sorted(cast.actors.values()) == [(("a", 0),), (("a", 1),)]
    assert cast.extra == ()


def test_colours_tell_who_is_who_and_are_asked_for() -> None:
    block = "a red car, a blue car\n  car#1: red/c; car#2: blue/c\n  = looks(car#1, red); looks(car#2, blue)"
    prompt = build_layout_prompt(block)
    cars = [Node("x", "entity", "car"), Node("y", "entity", "car")]
    colours = [Node("b", "attribute", "blue"), Node("r", "attribute", "red")]
    graph = graph_of(*cars, *colours, edges=(Edge("x", "b", "has_attribute"), Edge("y", "r", "has_attribute")))
    cast = cast_of(prompt.gold, graph, row_layout(graph))
    assert cast.actors == {"car#1": (("y", 0),), "car#2": (("x", 0),)}
    assert Judge(row_layout(graph), cast).answers(prompt.facts) == [True, True]
    plain = graph_of(*cars)
    assert Judge(row_layout(plain), cast_of(prompt.gold, plain, row_layout(plain))).answers(prompt.facts) == [
        False,
        False,
    ]


def test_what_nobody_asked_for_is_extra_and_counts() -> None:
    prompt = build_layout_prompt("a dog\n  dog\n  = count(dog, 1)")
    graph = graph_of(Node("a", "entity", "dog"), Node("b", "entity", "dog"), Node("c", "entity", "scene"))
    cast = cast_of(prompt.gold, graph, row_layout(graph))
    assert len(cast.extra) == 2
    assert Judge(row_layout(graph), cast).answers(prompt.facts) == [False]


def test_a_place_told_as_setting_cannot_be_judged_and_one_that_is_lost_is_wrong() -> None:
    prompt = build_layout_prompt("a dog in a park\n  dog -in- park; setting: park\n  = inside(dog, park)")
    dog = Node("a", "entity", "dog")
    for setting, expected in (("park", None), (None, False)):
        graph = graph_of(dog, setting=setting)
        cast = cast_of(prompt.gold, graph, row_layout(graph))
        assert cast.regions == frozenset({"park"})
        assert Judge(row_layout(graph), cast).answers(prompt.facts) == [expected]
    assert np.isfinite(row_layout(graph).tracks[0].boxes).all()
