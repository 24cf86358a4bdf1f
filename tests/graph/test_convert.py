"""Triples as FACTUAL writes them."""

from __future__ import annotations

from hypothesis import given, settings

from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.graph.convert import to_triples, triples_to_text
from tests.strategies import scene_graphs


def written(*edges: Edge, verb: str = "stand", negated: tuple[str, ...] = (), count: int = 1) -> str:
    """FACTUAL's text of a graph over the event v and the entities man, dog, grass and bat; only linked nodes are in."""
    used = {"man", *(end for edge in edges for end in (edge.source, edge.target))}
    nodes = [Node("s", "scene", "scene")]
    if "v" in used:
        nodes.append(Node("v", "event", verb, negated="v" in negated))
    for name in ("man", "dog", "grass", "bat"):
        if name in used:
            nodes.append(Node(name, "entity", name, negated=name in negated, count=count if name == "man" else 1))
    if "red" in used:
        nodes.append(Node("red", "attribute", "red", negated="red" in negated))
    graph = SceneGraph("", nodes, list(edges))
    graph.validate()
    return triples_to_text(to_triples(graph))


AGENT, PATIENT = Edge("v", "man", "agent"), Edge("v", "dog", "patient")
PLACE, TOOL = Edge("v", "grass", "location", "on"), Edge("v", "bat", "instrument")
RED = Edge("man", "red", "has_attribute")


def test_attributes_counts_and_relations() -> None:
    assert written(RED) == "( man , is , red )"
    assert written(count=2) == "( man , is , 2 )"
    assert written(Edge("man", "dog", "spatial", "left of")) == "( man , at the left of , dog )"
    assert written(Edge("man", "dog", "relation", "have")) == "( man , have , dog )"


def test_events_by_their_roles() -> None:
    assert written(AGENT, PATIENT, verb="hold") == "( man , hold , dog )"
    assert written(AGENT, PLACE) == "( man , stand on , grass )"
    assert written(AGENT, PLACE, verb="be") == "( man , on , grass )"
    assert written(AGENT, PATIENT, PLACE, verb="hold") == "( man , hold , dog ) , ( man , on , grass )"
    assert written(AGENT, PATIENT, TOOL, verb="hit") == "( man , hit , dog ) , ( man , hit with , bat )"
    assert written(AGENT, verb="run") == "( man , is , running )"
    assert written(Edge("v", "man", "patient"), verb="carry") == "( man , is , carried )"
    assert written(Edge("v", "man", "patient"), PLACE, verb="carry") == "( man , carry on , grass )"


def test_a_location_without_preposition_leaves_the_verb() -> None:
    assert written(AGENT, Edge("v", "grass", "location"), verb="enter") == "( man , enter , grass )"


def test_entities_in_no_triple_stand_alone() -> None:
    assert written() == "( man )"
    assert to_triples(SceneGraph("", [Node("b", "entity", "bed")])) == [("bed", "", "")]


def test_what_is_negated_is_left_out() -> None:
    assert written(RED, negated=("red",)) == "( man )"
    assert written(AGENT, negated=("v",)) == "( man )"
    assert written(AGENT, PATIENT, verb="hold", negated=("dog",)) == "( man , is , holding )"


def test_mentions_go_by_what_they_refer_to() -> None:
    nodes = [Node("d", "entity", "dog"), Node("it", "entity", "it"), Node("e", "event", "run")]
    graph = SceneGraph("", nodes, [Edge("it", "d", "coref"), Edge("e", "it", "agent")])
    assert to_triples(graph) == [("dog", "is", "running")]
    circle = SceneGraph("", nodes[:2], [Edge("it", "d", "coref"), Edge("d", "it", "coref")])
    assert len(to_triples(circle)) == 2


def test_signs_of_the_format_inside_words_become_spaces() -> None:
    assert triples_to_text([("a, (b)", "is", "x\ny")]) == "( a b , is , x y )"


@settings(max_examples=20, deadline=None)
@given(scene_graphs())
def test_any_graph_has_triples_each_once(graph: SceneGraph) -> None:
    triples = to_triples(graph)
    assert len(triples) == len(set(triples))
    assert triples_to_text(triples).count("( ") >= (1 if triples else 0)


def captioned(caption: str, nodes: list[Node], edges: list[Edge]) -> set[tuple[str, str, str]]:
    return set(to_triples(SceneGraph(caption, [Node("n0", "scene", "scene"), *nodes], edges)))


def test_entities_keep_the_number_that_the_caption_says() -> None:
    trees = Node("t", "entity", "tree", (0, 5), count=2)
    assert captioned("trees", [trees], []) == {("trees", "", "")}
    two = Node("t", "entity", "tree", (4, 9), count=2)
    assert captioned("two trees", [two], []) == {("trees", "is", "2")}
    men = Node("m", "entity", "man", (6, 9), count=3)
    assert captioned("three men", [men], []) == {("men", "is", "3")}


def test_those_who_do_it_to_each_other_are_told_in_the_singular() -> None:
    zebras = Node("z", "entity", "zebra", (4, 10), count=2)
    beside = Edge("z", "z", "spatial", "next to")
    assert captioned("two zebras next to each other", [zebras], [beside]) == {("zebra", "next to", "zebra")}
    nuzzle = Node("e", "event", "nuzzle", (11, 19))
    edges = [Edge("e", "z", "agent"), Edge("e", "z", "patient")]
    assert captioned("two zebras nuzzling each other", [zebras, nuzzle], edges) == {("zebra", "nuzzle", "zebra")}


def test_a_verb_that_a_relation_tells_of_is_not_told_again() -> None:
    nodes = [
        Node("m", "entity", "man", (0, 3)),
        Node("d", "entity", "dog", (17, 20)),
        Node("e", "event", "walk", (4, 11)),
    ]
    edges = [Edge("e", "m", "agent"), Edge("m", "d", "relation", "walk with")]
    assert captioned("man walking with dog", nodes, edges) == {("man", "walk with", "dog")}
    assert captioned("man walking", nodes[::2], edges[:1]) == {("man", "is", "walking")}
