"""How a parser's graph of a text is compared with what the text means."""

from __future__ import annotations

from dataclasses import replace

from mov_ai.evaluation.benchmark import CATEGORIES, load_prompts
from mov_ai.graph import SceneGraph
from tools.benchmark.readings import reading, reading_scores

RIGHT = {"things": True, "events": True, "relations": True}


def renamed(graph: SceneGraph) -> SceneGraph:
    """The same graph with other ids."""
    nodes = [replace(node, id=f"x{node.id}") for node in graph.nodes]
    edges = [replace(edge, source=f"x{edge.source}", target=f"x{edge.target}") for edge in graph.edges]
    return SceneGraph(graph.caption, nodes, edges)


def test_the_gold_graphs_are_read_right_whatever_their_ids() -> None:
    for prompt in load_prompts():
        assert reading(prompt.graph, renamed(prompt.graph)) == RIGHT, prompt.text


def test_what_is_missing_or_wrong_is_told() -> None:
    prompt = next(p for p in load_prompts() if p.category == "spatial_relations")
    graph = prompt.graph
    without = SceneGraph(graph.caption, graph.nodes, [e for e in graph.edges if e.type != "spatial"])
    assert reading(graph, without) == {**RIGHT, "relations": False}
    entity, event = graph.of_type("entity")[0], graph.of_type("event")[0]
    assert reading(graph, graph.with_node(entity.id, count=2)) == {**RIGHT, "things": False}
    assert reading(graph, graph.with_node(event.id, interval=(0.0, 0.5))) == {**RIGHT, "events": False}
    nobody = SceneGraph(graph.caption, graph.nodes, [e for e in graph.edges if e.type != "agent"])
    assert reading(graph, nobody)["events"] is False


def test_scores_are_by_category() -> None:
    prompts = load_prompts()[:16]
    graphs = {prompt.text: prompt.graph for prompt in prompts}
    scores = reading_scores(prompts, graphs.__getitem__)
    assert set(scores) == {"things", "events", "relations", "all"}
    assert all(scores["all"][category].share == 1 and scores["all"][category].n == 2 for category in CATEGORIES)
