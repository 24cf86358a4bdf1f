"""How much of the benchmark's texts a parser reads as they are meant: a bound on what text-to-video can score."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from mov_ai.evaluation.benchmark import Score
from mov_ai.evaluation.benchmark.prompts import CATEGORIES, BenchmarkPrompt
from mov_ai.evaluation.benchmark.scores import score_of
from mov_ai.graph import Interval, SceneGraph
from mov_ai.worlds.tabletop.lexicon import attribute_concept, concept
from mov_ai.worlds.tabletop.motions import motion_of

#: What is compared.
PARTS = ("things", "events", "relations")
#: How far the ends of intervals may be apart.
_TIME = 0.05


def reading_scores(
    prompts: Sequence[BenchmarkPrompt], parse: Callable[[str], SceneGraph]
) -> dict[str, dict[str, Score]]:
    """The share of texts of which each part is read right.

    Args:
        prompts: any of the benchmark.
        parse: from a text to its graph.

    Returns:
        "things", "events", "relations" and "all" -> category -> score.
    """
    rows = []
    for prompt in prompts:
        right = reading(prompt.graph, parse(prompt.text))
        rows.append((prompt.category, {**right, "all": all(right.values())}))
    return {
        part: {
            category: score_of([float(right[part]) for other, right in rows if other == category])
            for category in CATEGORIES
        }
        for part in (*PARTS, "all")
    }


def reading(gold: SceneGraph, parsed: SceneGraph) -> dict[str, bool]:
    """Which parts of a graph's meaning another graph of the same text has.

    Args:
        gold: its entities and events have spans.
        parsed: nodes are matched to the gold ones by their spans.

    Returns:
        "things": shapes, counts, and colours and sizes with their times, and no other known shapes. "events": motions,
        times, and who does them. "relations": where things are, said of an entity or of an event.
    """
    names = {node.id: _twin(node.span, parsed, node.type) for node in gold.nodes if node.type in ("entity", "event")}
    things = {names[node.id]: _thing(gold, node.id) for node in gold.of_type("entity")}
    parsed_things = {
        n.id: _thing(parsed, n.id) for n in parsed.of_type("entity") if concept("shape", n.label) is not None
    }
    events = all(
        names[node.id] is not None
        and _event(gold, node.id, names) == _event(parsed, str(names[node.id]), {})
        and _close(node.interval, parsed.node(str(names[node.id])).interval)
        for node in gold.of_type("event")
    )
    stated = _relations(parsed, {})
    return {"things": things == parsed_things, "events": events, "relations": _relations(gold, names) <= stated}


def _twin(span: tuple[int, int] | None, graph: SceneGraph, kind: str) -> str | None:
    """The node of that type whose span overlaps the given one."""
    spans = [(node.id, node.span) for node in graph.of_type(kind) if node.span is not None]
    return next((i for i, (a, b) in spans if span is not None and a < span[1] and span[0] < b), None)


def _thing(graph: SceneGraph, entity: str) -> tuple[object, ...]:
    node = graph.node(entity)
    stated = ((attribute_concept(attribute.label), edge.interval) for attribute, edge in graph.attributes(entity))
    # Times in tenths: a change in the middle is meant, not at which hundredth.
    attributes = frozenset((*what, round(start, 1), round(end, 1)) for what, (start, end) in stated if what is not None)
    return concept("shape", node.label), node.count, attributes


def _event(graph: SceneGraph, event: str, names: dict[str, str | None]) -> tuple[object, ...]:
    node = graph.node(event)
    motion = motion_of(node.label, node.direction)
    return motion or node.label, _named(_participants(graph, event), names)


def _participants(graph: SceneGraph, event: str) -> list[str]:
    """Who does it and to whom it is done: a reading has to get both right, whoever is moved."""
    return [edge.target for edge in graph.edges_from(event) if edge.type in ("agent", "patient")]


def _named(entities: Iterable[str], names: dict[str, str | None]) -> frozenset[str | None]:
    return frozenset(names.get(entity, entity) for entity in entities)


def _close(first: Interval, second: Interval) -> bool:
    return all(abs(a - b) <= _TIME for a, b in zip(first, second, strict=True))


def _relations(graph: SceneGraph, names: dict[str, str | None]) -> set[tuple[str | None, str, str | None]]:
    """(thing, relation, thing), those told of an event being said of its agents."""
    relations = set()
    for edge in graph.edges:
        label = concept("spatial", edge.label) or edge.label
        if label is None or edge.type not in ("spatial", "location"):
            continue
        event = edge.type == "location"
        sources = _participants(graph, edge.source) if event else [edge.source]
        relations |= {(names.get(s, s), label, names.get(edge.target, edge.target)) for s in sources}
    return relations
