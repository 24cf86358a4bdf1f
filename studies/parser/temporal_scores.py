"""How well a parser reads time: figures on the hand-written temporal sentences of `data/temporal`."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mov_ai.captions.caption import Mention
from mov_ai.graph import Edge, Interval, Node, SceneGraph
from studies.parser.temporal_sentences import (
    PHENOMENA,
    PROMPT_PHENOMENA,
    PRONOUNS,
    SENTENCES,
    StateChange,
    TemporalSentence,
    temporal_sentences,
)

#: Figure -> what it is the share of.
FIGURES = {
    "event_recall": "gold events that are predicted: the spans overlap, or the lemmas are the same",
    "event_precision": "predicted events that are in the gold graph",
    "event_order": "pairs of gold events that are before, after or at the same time as in the gold graph",
    "sentence_order": "sentences of two or more events with every pair in order",
    "state_changes": "changes to a said value: right value, entity and time, and the old value, if said, ended by it",
    "verb_changes": "changes that the verb alone says: the event is there, with the right entity",
    "agents": "gold agents that are predicted as agents of their event",
    "patients": "gold patients that are predicted as patients of their event",
    "participant_precision": "predicted agents and patients of found events that are in the gold graph",
    "pronouns": "agents and patients spoken of by a pronoun that lead to the right entity",
    "locations": "gold locations that are predicted",
    "instruments": "gold instruments that are predicted",
    "directions": "gold events with a direction that have it",
    "negation": "negated gold events and entities that are found and negated",
    "negation_precision": "predicted negated events and entities that are negated in the gold graph",
    "counts": "gold entities of more than one that have the right count",
    "repeats": "events said to happen several times whose manner says so",
    "interval_iou": "mean overlap (intersection over union) of gold and predicted intervals of events",
}
_TIME = 1e-3
#: Words that do not say by themselves how often something happens.
_FILLERS = ("and", "time", "times")


class Parser(Protocol):
    """What is measured."""

    def parse_batch(self, texts: Sequence[str], /) -> list[SceneGraph]:
        """A scene graph for each text."""


def evaluate_temporal(parser: Parser, split: str = "held_out", path: str | Path = SENTENCES) -> dict[str, Any]:
    """Parse the sentences of one split and score the graphs.

    Args:
        parser: anything with `parse_batch`.
        split: "held_out" or "development".
        path: the file of sentences.

    Returns:
        "split", "sentences" (how many), "figures": name in `FIGURES` -> {"value": share in [0, 1] or None where there
        is nothing to count, "right", "total"}; "phenomena": name -> {"sentences", "figures"}; "failures": a list of
        {"id", "text", "figure", "expected", "found"}, empty for the held-out half, for nobody may tune on it.

    Raises:
        UsageError: if the split is unknown or the file is wrong.
    """
    sentences = temporal_sentences(split, path)
    graphs = parser.parse_batch([sentence.text for sentence in sentences])
    return {"split": split, **score(sentences, graphs)}


def score(sentences: Sequence[TemporalSentence], graphs: Sequence[SceneGraph]) -> dict[str, Any]:
    """Score predicted graphs, one a sentence; returns as `evaluate_temporal`, without the split."""
    scores = [_Score(sentence, graph) for sentence, graph in zip(sentences, graphs, strict=True)]
    rows = {}
    for name in (*PHENOMENA, *PROMPT_PHENOMENA):
        chosen = [s for s in scores if name in s.sentence.phenomena]
        if chosen:
            rows[name] = {"sentences": len(chosen), "figures": _totals(chosen)}
    failures = [failure for s in scores if s.sentence.split == "development" for failure in s.failures]
    return {"sentences": len(scores), "figures": _totals(scores), "phenomena": rows, "failures": failures}


def _totals(scores: Iterable[_Score]) -> dict[str, dict[str, float | None]]:
    right: dict[str, float] = defaultdict(float)
    total: dict[str, int] = defaultdict(int)
    for sentence_score in scores:
        for name, values in sentence_score.values.items():
            right[name] += sum(values)
            total[name] += len(values)
    return {
        name: {
            "value": right[name] / total[name] if total[name] else None,
            "right": round(right[name], 4),
            "total": total[name],
        }
        for name in FIGURES
    }


def relation(a: Interval, b: Interval) -> str:
    """ "before", "after" or "same": how the first interval lies to the second."""
    if a[1] <= b[0] + _TIME:
        return "before"
    return "after" if b[1] <= a[0] + _TIME else "same"


def overlap(a: Interval, b: Interval) -> float:
    """Intersection over union of two intervals, in [0, 1]."""
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    return shared / (max(a[1], b[1]) - min(a[0], b[0])) if shared else 0.0


def _touch(a: tuple[int, int] | None, b: tuple[int, int] | None) -> bool:
    return a is not None and b is not None and a[0] < b[1] and b[0] < a[1]


def _match(
    gold: Sequence[Node], predicted: Sequence[Node], tests: Sequence[Callable[[Node, Node], bool]]
) -> dict[str, Node]:
    """Gold id -> predicted node, one to one; each test is tried on all that is left before the next one."""
    result: dict[str, Node] = {}
    for test in tests:
        for node in gold:
            used = {match.id for match in result.values()}
            match = next((f for f in predicted if f.id not in used and test(node, f)), None)
            if node.id not in result and match is not None:
                result[node.id] = match
    return result


@dataclass
class _Score:
    """One sentence: each figure gets one number per thing counted."""

    sentence: TemporalSentence
    graph: SceneGraph
    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failures: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gold = self.sentence.graph
        self.mentions: dict[str, list[Mention]] = defaultdict(list)
        for mention in self.sentence.mentions:
            self.mentions[mention.node].append(mention)
        self.entities = _match(
            self.gold.of_type("entity"),
            self.graph.of_type("entity"),
            (
                lambda g, f: _touch(g.span, f.span),
                lambda g, f: g.label == f.label,
                # Known only by a pronoun or a later noun.
                lambda g, f: any(_touch(m.span, f.span) for m in self.mentions[g.id]),
            ),
        )
        self.events = _match(
            self.gold.of_type("event"),
            self.graph.of_type("event"),
            (lambda g, f: _touch(g.span, f.span), lambda g, f: g.label == f.label),
        )
        self._count_events()
        self._count_order()
        self._count_roles()
        self._count_fields()
        for change in self.sentence.changes:
            self._count_change(change)

    def _count(self, figure: str, right: bool, expected: str, predicted: str) -> None:
        self.values[figure].append(float(right))
        if not right:
            failure = {"id": self.sentence.id, "text": self.sentence.text, "figure": figure}
            self.failures.append({**failure, "expected": expected, "found": predicted})

    # -- events ----------------------------------------------------------------------------------------------------

    def _count_events(self) -> None:
        predicted = self.graph.of_type("event")
        labels = ", ".join(node.label for node in predicted)
        for node in self.gold.of_type("event"):
            match = self.events.get(node.id)
            self._count("event_recall", match is not None, node.label, labels)
            self.values["interval_iou"].append(overlap(node.interval, match.interval) if match else 0.0)
        matched = {node.id for node in self.events.values()}
        for node in predicted:
            self._count("event_precision", node.id in matched, "no such event", node.label)

    def _count_order(self) -> None:
        pairs = list(itertools.combinations(self.gold.of_type("event"), 2))
        rights = []
        for a, b in pairs:
            expected, predicted = relation(a.interval, b.interval), self._relation(a, b)
            rights.append(expected == predicted)
            self._count("event_order", rights[-1], f"{a.label} {expected} {b.label}", predicted)
        if pairs:
            self.values["sentence_order"].append(float(all(rights)))

    def _relation(self, a: Node, b: Node) -> str:
        missing = [node.label for node in (a, b) if node.id not in self.events]
        if missing:
            return f"no event {' and '.join(missing)}"
        return relation(self.events[a.id].interval, self.events[b.id].interval)

    # -- who takes part --------------------------------------------------------------------------------------------

    def _count_roles(self) -> None:
        figures = {"agent": "agents", "patient": "patients", "location": "locations", "instrument": "instruments"}
        for edge in self.gold.edges:
            if edge.type not in figures:
                continue
            event, entity = self.gold.node(edge.source), self.gold.node(edge.target)
            right = self._has_role(edge)
            expected, predicted = f"{event.label} --{edge.type}-> {entity.label}", self._roles(event)
            self._count(figures[edge.type], right, expected, predicted)
            if edge.type in ("agent", "patient") and self._by_pronoun(edge):
                self._count("pronouns", right, expected, predicted)
        gold_of = {node.id: name for name, node in self.events.items()}
        entity_of = {node.id: name for name, node in self.entities.items()}
        gold_roles = {(e.source, e.target, e.type) for e in self.gold.edges}
        for edge in self.graph.edges:
            if edge.type in ("agent", "patient") and edge.source in gold_of:
                event = self.gold.node(gold_of[edge.source])
                right = (event.id, entity_of.get(edge.target, ""), edge.type) in gold_roles
                predicted = f"{event.label} --{edge.type}-> {self.graph.node(edge.target).label}"
                self._count("participant_precision", right, "no such participant", predicted)

    def _has_role(self, gold: Edge) -> bool:
        event, entity = self.events.get(gold.source), self.entities.get(gold.target)
        if event is None or entity is None:
            return False
        return any(edge.target == entity.id for edge in self.graph.edges_from(event.id, gold.type))

    def _roles(self, gold: Node) -> str:
        """What the prediction says of who takes part in an event."""
        event = self.events.get(gold.id)
        if event is None:
            return "no such event"
        edges = self.graph.edges_from(event.id)
        return (
            ", ".join(f"--{e.type}-> {self.graph.node(e.target).label}" for e in edges if e.type != "temporal") or "-"
        )

    def _by_pronoun(self, edge: Edge) -> bool:
        """Whether the mention that fills a role is a pronoun: the last before the verb for agents, else the nearest."""
        span = self.gold.node(edge.source).span
        assert span is not None
        mentions = [m.span for m in self.mentions[edge.target]]
        before = [m for m in mentions if m[0] < span[0]]
        if edge.type == "agent" and before:
            chosen = before[-1]
        else:
            chosen = min(mentions, key=lambda m: max(m[0] - span[1], span[0] - m[1]))
        return self.sentence.text[slice(*chosen)].lower() in PRONOUNS

    # -- what else is said of nodes --------------------------------------------------------------------------------

    def _count_fields(self) -> None:
        matches = {**self.entities, **self.events}
        for node in self.gold.nodes:
            match = matches.get(node.id)
            presence = f"no such {node.type}" if match is None else "found"
            if node.negated:
                self._count("negation", match is not None and match.negated, f"not {node.label}", presence)
            if node.type == "entity" and node.count > 1:
                predicted = str(match.count) if match else presence
                self._count("counts", predicted == str(node.count), f"{node.count} {node.label}", predicted)
            if node.direction is not None:
                predicted = str(match.direction) if match else presence
                self._count("directions", predicted == node.direction, f"{node.label} {node.direction}", predicted)
            if node.id in self.sentence.repeated:
                predicted = (match.manner or "no manner") if match else presence
                words = set(str(node.manner).split())
                right = predicted == node.manner or predicted in words.difference(_FILLERS)
                self._count("repeats", right, f"{node.label} {node.manner}", predicted)
        negated = {match.id for name, match in matches.items() if self.gold.node(name).negated}
        for node in self.graph.nodes:
            if node.negated and node.type != "attribute":
                self._count("negation_precision", node.id in negated, "not negated", f"not {node.label}")

    # -- changes ---------------------------------------------------------------------------------------------------

    def _count_change(self, change: StateChange) -> None:
        figure = "state_changes" if change.new else "verb_changes"
        event, entity = self.gold.node(change.event), self.gold.node(change.entity)
        values = [self.gold.node(value).label if value else "?" for value in (change.old, change.new)]
        problem = self._problem(change)
        self._count(figure, problem is None, f"{event.label}: {entity.label} {' -> '.join(values)}", problem or "")

    def _problem(self, change: StateChange) -> str | None:
        """What is wrong with the prediction of a change; None if nothing."""
        gold, event, entity = self.gold, self.events.get(change.event), self.entities.get(change.entity)
        if event is None or entity is None:
            return f"no {'event' if event is None else 'entity'} of that kind"
        if change.new is None and all(
            edge.target != entity.id for kind in ("agent", "patient") for edge in self.graph.edges_from(event.id, kind)
        ):
            return f"{entity.label} takes no part in it"
        times = [event.interval]
        if change.new is not None:
            new = self._value(entity, gold.node(change.new))
            if new is None:
                return "no such new value on the entity"
            if new[0] <= 0 or not event.interval[0] - _TIME <= new[0] <= event.interval[1] + _TIME:
                return f"the new value starts at {new[0]}, its event lasts {event.interval}"
            for other in gold.of_type("event"):
                expected = relation(other.interval, gold.node(change.event).interval)
                if other.id != change.event and other.id in self.events:
                    predicted = self._relation(other, gold.node(change.event))
                    if predicted != expected:
                        return f"{other.label} should be {expected}, is {predicted}"
            times = [(new[0], new[0])]
        if change.old is not None:
            old = self._value(entity, gold.node(change.old))
            if old is None:
                return "no such old value on the entity"
            if not (old[0] < old[1] < 1 and times[0][0] - _TIME <= old[1] <= times[0][1] + _TIME):
                return f"the old value lasts {old}"
        return None

    def _value(self, entity: Node, value: Node) -> Interval | None:
        """When a predicted entity has the value of a gold attribute; None if it never has."""
        attributes = list(self.graph.attributes(entity.id))
        for test in (lambda node: _touch(node.span, value.span), lambda node: node.label == value.label):
            for node, edge in attributes:
                if test(node):
                    return edge.interval
        return None
