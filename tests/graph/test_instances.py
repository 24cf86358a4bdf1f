"""What of a graph is drawn, and how what is left out is named."""

from __future__ import annotations

from hypothesis import given

from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.graph.instances import MAX_COUNT, MAX_INSTANCES, drawn_entities, entity_phrase, left_out
from tests.strategies import scene_graphs


def things(**counts: int) -> SceneGraph:
    return SceneGraph("", [Node("s", "scene", "scene"), *(Node(n, "entity", n, count=c) for n, c in counts.items())])


def test_ten_of_a_kind_and_twenty_four_in_all_are_drawn() -> None:
    assert (MAX_COUNT, MAX_INSTANCES) == (10, 24)
    assert drawn_entities(things(ball=10)) == [("ball", i) for i in range(10)]
    assert left_out(things(ball=10, dog=10, cube=4)) == ""
    assert left_out(things(ball=40, dog=1)) == "30 of 40 balls"


def test_where_there_is_no_room_for_all_every_kind_keeps_some() -> None:
    graph = things(ball=10, dog=10, cube=10, boy=1)
    drawn = [entity for entity, _ in drawn_entities(graph)]
    assert [drawn.count(name) for name in ("ball", "dog", "cube", "boy")] == [8, 8, 7, 1]
    assert left_out(graph) == "2 of 10 balls, 2 of 10 dogs, 3 of 10 cubes"


def test_kinds_that_are_absent_altogether_are_counted_and_the_first_are_named() -> None:
    graph = things(**{f"kind{i}": 1 for i in range(40)})
    words = left_out(graph)
    assert words.startswith("1 kind24, 1 kind25")
    assert words.endswith("1 kind31, and 8 more")
    many = SceneGraph("", [Node("s", "scene", "scene"), *(Node(f"b{i}", "entity", "ball") for i in range(40))])
    assert left_out(many) == "16 of 40 balls"


@given(scene_graphs())
def test_any_graph_draws_no_more_than_it_asks_for(graph: SceneGraph) -> None:
    drawn = drawn_entities(graph)
    asked = {node.id: node.count for node in graph.of_type("entity") if not node.negated}
    assert len(drawn) == len(set(drawn)) <= MAX_INSTANCES
    assert all(instance < min(asked[entity], MAX_COUNT) for entity, instance in drawn)
    assert (left_out(graph) == "") == (len(drawn) == sum(asked.values()))
    assert "\n" not in left_out(graph)


def test_a_phrase_has_the_attributes_that_hold_throughout() -> None:
    nodes = [
        *(Node("s", "scene", "scene"), Node("b", "entity", "ball")),
        *(Node("r", "attribute", "red"), Node("w", "attribute", "wet"), Node("n", "attribute", "new", negated=True)),
    ]
    edges = [
        *(Edge("b", "r", "has_attribute"), Edge("b", "w", "has_attribute", None, (0.5, 1))),
        Edge("b", "n", "has_attribute"),
    ]
    graph = SceneGraph("", nodes, edges)
    assert entity_phrase(graph, "b") == "red ball"
    assert entity_phrase(graph, "x") == ""
