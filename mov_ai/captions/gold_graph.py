"""From a worded plot to its gold graph: nodes in the order of the text, each with the span of the words for it."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence

from mov_ai.captions.caption import Caption, Mention
from mov_ai.captions.english import PRONOUNS
from mov_ai.captions.lexicon import VerbWords, load
from mov_ai.captions.plot import Actor, Event, Facts
from mov_ai.captions.text import Key, Span
from mov_ai.graph import Edge, Interval, Node, SceneGraph, allen
from mov_ai.graph.time import FULL, change_time

_VERBS = load("verbs", VerbWords)
#: Verb -> the way that it goes where no word says another; verb with the word behind it -> the same.
_WAYS = {verb: way for way, verbs in _VERBS.directions.items() for verb in verbs}
_WAYS |= {f"{verb} {way}": way for way, verbs in _VERBS.particles.items() for verb in verbs}
_PRONOUNS = {word for forms in PRONOUNS.values() for word in forms[:2]}


def gold_caption(
    text: str,
    spans: Sequence[tuple[Span, Key]],
    actors: Sequence[Actor],
    events: Sequence[Event],
    relations: Sequence[tuple[int, str, int, Interval]] = (),
    meets: Collection[tuple[int, int]] = (),
    pattern: str = "plain",
    facts: Facts | None = None,
) -> Caption:
    """The caption with its graph and mentions.

    Args:
        spans: where the text speaks of what.
        events: in the order of their keys.
        relations: (actor, label, actor, interval) of the spatial relations that the text says.
        meets: ids of pairs of events of which the second is said to begin because the first ends.
        facts: what else the text says.
    """
    facts = facts or Facts()
    places: dict[Key, list[Span]] = {}
    marks = [(span, key) for span, key in spans if key[0] == "mark"]
    for span, key in (pair for pair in spans if pair[1][0] != "mark"):
        places.setdefault(key, []).append(span)
    scene = {
        str(key[0]): text[slice(*places.pop(key)[0])].lower() for key in (("setting",), ("light",)) if key in places
    }
    named = {
        key: next((span for span in mentions_of_key if text[slice(*span)].lower() not in _PRONOUNS), mentions_of_key[0])
        for key, mentions_of_key in places.items()
    }
    ids = {key: f"n{number}" for number, key in enumerate(sorted(named, key=lambda key: named[key]), start=1)}
    camera, style = tuple(facts.camera), tuple(dict.fromkeys(facts.style))
    setting, light = scene.get("setting"), scene.get("light")
    nodes = [Node("n0", "scene", "scene", setting=setting, light=light, camera=camera, style=style)]
    nodes += [_node(key, node_id, named[key], text, actors, events, facts) for key, node_id in ids.items()]
    edges = [
        Edge("n0", node_id, "contains", interval=facts.times.get(key, FULL))
        for key, node_id in ids.items()
        if key[0] != "attribute"
    ]
    edges += _roles(events, ids) + _attributes(events, ids, facts)
    both = {**ids, ("scene",): "n0"}
    edges += [Edge(both[a], both[b], kind, label, when) for a, kind, label, b, when in facts.links]
    edges += [Edge(ids["entity", i], ids["entity", j], "spatial", label, when) for i, label, j, when in relations]
    edges += _order(events, ids, meets)
    mentions = tuple(
        Mention(span, ids[key], "node" if span == named[key] else "coref") for span, key in sorted(spans) if key in ids
    )
    if marks:
        marked = [Mention(span, ids.get(key[2:], "n0"), str(key[1])) for span, key in marks]
        mentions = tuple(sorted((*mentions, *marked), key=lambda mention: mention.span))
    things = tuple(ids["entity", index] for index in range(len(actors)) if ("entity", index) in ids)
    return Caption(text, SceneGraph(text, nodes, edges), mentions, things, pattern)


def _node(
    key: Key, node_id: str, span: Span, text: str, actors: Sequence[Actor], events: Sequence[Event], facts: Facts
) -> Node:
    label, denied = facts.labels.get(key), key in facts.denied
    if key[0] == "attribute":
        words = text[slice(*span)].lower() if label is None else label
        return Node(node_id, "attribute", words, span, negated=denied, kind=str(key[2]))
    number = int(key[1])
    if key[0] == "entity":
        actor, lacking = actors[number], number in {other.lacks for other in actors}
        noun = actor.noun if label is None else label
        return Node(node_id, "entity", noun, span, negated=lacking or denied, count=actor.count)
    event = events[number]
    return Node(
        node_id,
        "event",
        event.lemma if label is None else label,
        span,
        negated=bool(event.negated) or denied,
        direction=event.direction or _way(event),
        manner=event.times or event.manner,
        interval=event.interval,
    )


def _way(event: Event) -> str | None:
    """ "falls" goes down, "picks up" goes up: the direction that a verb has by itself."""
    first = (event.particle or (event.place[0] if event.place else "")).partition(" ")[0]
    return _WAYS.get(f"{event.lemma} {first}") or _WAYS.get(event.lemma)


def _roles(events: Sequence[Event], ids: dict[Key, str]) -> list[Edge]:
    edges = []
    for number, event in enumerate(events):
        roles = [("agent", agent) for agent in event.agents] + [("patient", patient) for patient in event.patients]
        roles += [("location", event.place[1])] if event.place and event.place[1] is not None else []
        roles += [("instrument", event.tool)] if event.tool is not None else []
        edges += [Edge(ids["event", number], ids["entity", actor], role) for role, actor in roles]
    return edges


def _attributes(events: Sequence[Event], ids: dict[Key, str], facts: Facts) -> list[Edge]:
    """A value holds from the event that brings it about to the one that ends it."""
    changes = {change: event for event in events for change in event.changes}

    def time(actor: int, kind: str, position: int, otherwise: float) -> float:
        event = changes.get((actor, kind, position))
        return otherwise if event is None else change_time(event.interval)

    edges = []
    for key, node_id in ids.items():
        if key[0] != "attribute":
            continue
        value = (int(key[1]), str(key[2]), int(key[3]))
        # Actors that change together share one attribute node: the caption names their new value once.
        for actor, kind, position in changes[value].changes if value in changes else [value]:
            interval = (time(actor, kind, position, 0.0), time(actor, kind, position + 1, 1.0))
            interval = facts.times.get(key, interval)
            edges.append(Edge(ids["entity", actor], node_id, "has_attribute", interval=interval))
    return edges


def _order(events: Sequence[Event], ids: dict[Key, str], meets: Collection[tuple[int, int]]) -> list[Edge]:
    """Each event with the next one in time, or in the text where they are simultaneous."""
    numbers = [int(key[1]) for key in ids if key[0] == "event"]
    edges = []
    for a, b in itertools.pairwise(sorted(numbers, key=lambda number: events[number].interval)):
        swapped, label = allen(events[a].interval, events[b].interval, (id(events[a]), id(events[b])) in meets)
        first, second = (b, a) if swapped else (a, b)
        edges.append(Edge(ids["event", first], ids["event", second], "temporal", label))
    return edges
