"""Who plays whom: the tracks of a layout that stand for the entities of a gold prompt."""

from __future__ import annotations

from dataclasses import dataclass, field

from mov_ai.graph import Layout, SceneGraph
from mov_ai.graph.inflection import pluralize
from studies.parser.prompt_facts import align, told_as_setting
from studies.parser.prompt_gold import GoldPrompt

#: Entity id and instance, as a track has them.
Instance = tuple[str, int]


@dataclass(frozen=True)
class Cast:
    """The instances that facts speak of.

    Attributes:
        actors: name in the notation -> its instances; none if the layout lacks it.
        labelled: word, as in the notation -> all instances that are called so, asked for or not.
        looks: name -> values that the graph gives to its entity.
        settings: names of places that stand in the graph as the scene's setting, and so have no boxes.
        regions: names of places, whose boxes are ground or background and not things.
        extra: instances that stand for nobody.
    """

    actors: dict[str, tuple[Instance, ...]]
    labelled: dict[str, tuple[Instance, ...]] = field(default_factory=dict)
    looks: dict[str, frozenset[str]] = field(default_factory=dict)
    settings: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    extra: tuple[Instance, ...] = ()


def cast_of(gold: GoldPrompt, graph: SceneGraph, layout: Layout) -> Cast:
    """Who of a layout, planned from `graph`, plays the entities of a gold prompt.

    Nodes are aligned by label and by what is said of them (`studies.parser.prompt_facts.align`). Where a graph tells
    "two dogs" as two entities and the gold as one of two, or the other way round, instances of the same label fill in.
    """
    names = {node_id: gold_id for node_id, gold_id in align(gold, graph).items() if not gold_id.startswith("+")}
    labels = {node.id: node.label for node in graph.nodes}
    labels_of_tracks = {(track.entity, track.instance): labels.get(track.entity, "") for track in layout.tracks}
    free = list(labels_of_tracks)
    found: dict[str, list[Instance]] = {node.id: [] for node in gold.graph.of_type("entity")}
    wanted = {node.id: node.count for node in gold.graph.of_type("entity")}

    def take(gold_id: str, fits: list[Instance]) -> None:
        missing = wanted[gold_id] - len(found[gold_id])
        if gold_id in gold.any_count:
            missing = len(fits)
        for instance in fits[: max(0, missing)]:
            found[gold_id].append(instance)
            free.remove(instance)

    for gold_id in found:
        take(gold_id, [one for one in free if names.get(one[0]) == gold_id])
    for gold_id in found:
        words = {gold.graph.node(gold_id).label, *gold.labels.get(gold_id, ())}
        if gold_id not in gold.any_count or not found[gold_id]:
            take(gold_id, [one for one in free if _called(labels_of_tracks[one], words)])
    settings = told_as_setting(gold, graph, {names[one] for one in names})
    own = {gold_id: name for name, gold_id in gold.names.items()}
    places = {word.casefold() for word in gold.places}
    predicted = {gold_id: node_id for node_id, gold_id in names.items()}
    labelled: dict[str, set[Instance]] = {}
    for node in gold.graph.of_type("entity"):
        words = {node.label, *gold.labels.get(node.id, ())}
        ones = labelled.setdefault(node.label, set())
        ones |= {one for one in labels_of_tracks if _called(labels_of_tracks[one], words)} | set(found[node.id])
    return Cast(
        {own[gold_id]: tuple(instances) for gold_id, instances in found.items()},
        {label.replace(" ", "_"): tuple(sorted(ones)) for label, ones in labelled.items()},
        {own[gold_id]: _looks(graph, predicted.get(gold_id)) for gold_id in found},
        frozenset(own[gold_id] for gold_id in settings),
        frozenset(own[g] for g in found if gold.graph.node(g).label.casefold() in places),
        tuple(free),
    )


def _called(label: str, words: set[str]) -> bool:
    plain = label.casefold().replace("-", " ")
    return any(plain in (word.casefold(), pluralize(word.casefold())) for word in words)


def _looks(graph: SceneGraph, node_id: str | None) -> frozenset[str]:
    if node_id is None:
        return frozenset()
    return frozenset(value.label.casefold() for value, _ in graph.attributes(node_id) if not value.negated)
