"""Facts of a scene graph beside those of a gold prompt: which are right, which are missing, which are invented.

Rules
-----
- **Nodes are aligned first**: entities to entities, events to events, by the assignment with the most equal labels; of
  nodes with equal labels, those that share attributes, counts, partners and roles. Labels are equal if they are the
  same word or its plural, or one of the gold's alternatives; a compound equals its head with the rest as attribute
  ("porcelain cup"). Verbs are compared without particles ("take off" is "take"). An entity that is a place may be the
  scene's `setting` instead.
- **Facts follow from that**: an entity; a stated number (a plural without one is left open); a value of an entity
  (`attribute`; `change` if it holds for the first, last or middle part of the video only; `text` if written on it);
  each agent, patient and receiver (an event with neither agent nor patient has "nobody" as agent); the direction of an
  event; `order`, that an event is over before another begins; camera and style by their words.
- **Where** something is may be told as the place of an event or as a relation of who takes part in it ("dog in park",
  "dog play in park"): each counts for the other, under the gold's kind. "X with Y", "X has Y" and "Y of X" are one.
- The number of an invented entity is no second invention.
- **Denial**: a denied node is right if it is negated in the graph or absent from it, so long as anything of the prompt
  was understood; it is wrong if affirmed, and then the affirmed facts are inventions too.
- What the gold has as optional, and whatever is said of it, counts neither way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.graph.inflection import pluralize
from mov_ai.graph.time import FULL, Interval, part_of_video
from mov_ai.parser.lemmas import verb_lemma
from studies.parser.prompt_gold import GoldPrompt

KINDS = (
    *("entity", "count", "attribute", "negation", "agent", "patient", "receiver", "place", "relation", "direction"),
    *("change", "order", "camera", "style", "text"),
)
_ROLES = ("agent", "patient", "receiver")
_PARTICLES = {
    *("up", "off", "down", "in", "out", "away", "over", "back", "on", "around", "along", "through", "at", "to", "by"),
    *("past", "into", "onto", "with", "of", "from", "home", "forward", "together"),
}
#: Words of a camera's or a style's name that tell nothing.
_FILLERS = {
    *("a", "an", "the", "in", "with", "of", "style", "effect", "shot", "view", "camera", "video", "footage", "very"),
    *("super", "slowly", "featuring"),
}
_SAME_WORDS = {
    **dict.fromkeys(("inside", "within", "inside of"), "in"),
    **dict.fromkeys(("upon", "on top of", "atop", "atop of"), "on"),
    **dict.fromkeys(("below", "beneath", "underneath"), "under"),
    **dict.fromkeys(("beside", "near", "nearby", "by", "close to", "at side of"), "next to"),
    **dict.fromkeys(("over",), "above"),
    **dict.fromkeys(("has",), "have"),
}
_SYMMETRIC = ("next to",)


@dataclass(frozen=True)
class Fact:
    """What a graph says.

    Attributes:
        kind: one of `KINDS`.
        about: ids of the nodes that it is about, in the gold's names where they are aligned.
        words: what it says of them; any of them is right.
        when: "first", "last", "middle" or "" for throughout.
        shown: the fact in words, for a list of misses.
        optional: whether it may as well be missing.
    """

    kind: str
    about: tuple[frozenset[str], ...]
    words: frozenset[str] = frozenset()
    when: str = ""
    shown: str = ""
    optional: bool = False

    def agrees(self, other: Fact) -> bool:
        """Whether a predicted fact says the same."""
        where = {"place", "relation", "receiver"}
        if self.kind != other.kind and not {self.kind, other.kind} <= where:
            return False
        if bool(self.words or other.words) and not self.words & other.words:
            return False
        if self.when != other.when or len(self.about) != len(other.about):
            return False
        straight = all(a & b for a, b in zip(self.about, other.about, strict=True))
        return straight or (
            len(self.about) == 2
            and bool(self.words & set(_SYMMETRIC))
            and bool(self.about[0] & other.about[1] and self.about[1] & other.about[0])
        )


@dataclass
class Judged:
    """The facts of one prompt: right, missing and invented, each as (kind, in words)."""

    right: list[tuple[str, str]]
    missing: list[tuple[str, str]]
    invented: list[tuple[str, str]]


def judge_prompt(gold: GoldPrompt, graph: SceneGraph) -> Judged:
    """Compare a predicted graph with a gold prompt by the rules above."""
    names = align(gold, graph)
    expected = list(_facts(gold.graph, {n.id: n.id for n in gold.graph.nodes}, gold))
    predicted = list(_facts(graph, names, None))
    judged = Judged([], [], [])
    agreement = np.array([[fact.agrees(other) for other in predicted] for fact in expected], dtype=float)
    # Facts that are asked for come before those that may be missing.
    weights = agreement.reshape(len(expected), len(predicted)) * np.array(
        [[1.0 if f.optional else 2.0] for f in expected]
    )
    pairs = _assign(weights) if expected and predicted else {}
    in_setting = told_as_setting(gold, graph, set(names.values()))
    for i, fact in enumerate(expected):
        if not fact.optional:
            is_right = i in pairs or any(about & in_setting for about in fact.about)
            (judged.right if is_right else judged.missing).append((fact.kind, fact.shown))
    free = _Free(gold, graph, names)
    for j in sorted(set(range(len(predicted))) - set(pairs.values())):
        fact = predicted[j]
        if not free.covers(fact) and not any(agreement[i, j] for i in range(len(expected))):
            judged.invented.append((fact.kind, fact.shown))
    _judge_denials(gold, graph, names, judged)
    return judged


# -- alignment -----------------------------------------------------------------------------------------------------


def align(gold: GoldPrompt, graph: SceneGraph) -> dict[str, str]:
    """Predicted node id -> id of its gold node, or its own with a plus."""
    names = {node.id: f"+{node.id}" for node in graph.nodes}
    for scene, own in zip(graph.of_type("scene"), gold.graph.of_type("scene"), strict=True):
        names[scene.id] = own.id
    for node_type, equal in (("entity", _same_entity), ("event", _same_event)):
        golds, predicted = gold.graph.of_type(node_type), graph.of_type(node_type)
        weights = np.zeros((len(golds), len(predicted)))
        for i, g in enumerate(golds):
            for j, p in enumerate(predicted):
                if equal(gold, g, graph, p):
                    shared = _context(gold.graph, g) & _context(graph, p)
                    weights[i, j] = 1 + 0.02 * len(shared) + 0.01 * (g.negated == p.negated) - 1e-4 * abs(i - j)
        for i, j in _assign(weights).items() if weights.size else ():
            names[predicted[j].id] = golds[i].id
    return names


def _assign(weights: np.ndarray) -> dict[int, int]:
    """Row -> column of the assignment of the largest sum, without the pairs of weight 0."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(weights, maximize=True)
    return {int(i): int(j) for i, j in zip(rows, columns, strict=True) if weights[i, j] > 0}


def _plain(label: str) -> str:
    return re.sub(r"[\s\-_]+", " ", label.casefold()).strip()


def _is_word(gold: str, predicted: str) -> bool:
    return _plain(predicted) in (_plain(gold), _plain(pluralize(gold)))


def _labels(gold: GoldPrompt, node: Node) -> tuple[str, ...]:
    return (node.label, *gold.labels.get(node.id, ()))


def _same_entity(gold: GoldPrompt, node: Node, graph: SceneGraph, other: Node) -> bool:
    spoken = [other.label, *(f"{a.label} {other.label}" for a, _ in graph.attributes(other.id) if not a.negated)]
    named = [*_labels(gold, node), *(f"{a.label} {node.label}" for a, _ in gold.graph.attributes(node.id))]
    return any(_is_word(a, b) for a in named for b in spoken)


def _same_event(gold: GoldPrompt, node: Node, graph: SceneGraph, other: Node) -> bool:
    return bool({_verb(label) for label in _labels(gold, node)} & {_verb(other.label)})


def _verb(label: str) -> str:
    first, *rest = _plain(label).split() or [""]
    return " ".join([first, *(word for word in rest if word not in _PARTICLES)])


def _context(graph: SceneGraph, node: Node) -> set[tuple[str, str]]:
    """What tells a node from others of its label: numbers, attributes, partners and roles."""
    context = {("count", str(node.count)), ("at", str(node.interval)), ("to", str(node.direction))}
    for edge in graph.edges:
        if node.id in (edge.source, edge.target) and edge.type not in ("contains", "temporal"):
            other = edge.target if edge.source == node.id else edge.source
            context.add((edge.type if edge.type in _ROLES else "", _plain(graph.node(other).label)))
            for further in graph.edges_from(other, "has_attribute"):
                context.add(("with", _plain(graph.node(further.target).label)))
    return context


def told_as_setting(gold: GoldPrompt, graph: SceneGraph, aligned: set[str]) -> frozenset[str]:
    """Gold entities that are places and stand in the predicted graph as the scene's setting."""
    words = f" {_plain(graph.of_type('scene')[0].setting or '')} "
    places = {_plain(place) for place in gold.places}
    return frozenset(
        node.id
        for node in gold.graph.of_type("entity")
        if node.id not in aligned and _plain(node.label) in places and f" {_plain(node.label)} " in words
    )


# -- facts ---------------------------------------------------------------------------------------------------------


def _facts(graph: SceneGraph, names: dict[str, str], gold: GoldPrompt | None) -> Iterator[Fact]:
    """The facts of a graph; `gold` where the graph is a gold one, for what may be missing or worded otherwise."""
    optional = gold.optional if gold else set()
    other_labels = gold.labels if gold else {}
    nodes = {node.id: node for node in graph.nodes}
    left_out = {node.id for node in graph.nodes if node.negated} | optional
    graph = _having(graph)
    participants: dict[str, set[str]] = {}
    for edge in graph.edges:
        if edge.type in _ROLES:
            participants.setdefault(edge.source, set()).add(edge.target)
    verbs = {(entity, _verb(nodes[event].label)) for event, taking in participants.items() for entity in taking}

    def ids(*node_ids: str) -> frozenset[str]:
        return frozenset(names[node_id] for node_id in node_ids)

    def wordings(key: str | int, label: str | None, form: Callable[[str], str]) -> frozenset[str]:
        return frozenset(form(word) for word in (label, *other_labels.get(key, ())) if word)

    def missing_allowed(number: int | None, *node_ids: str) -> bool:
        return bool(left_out & {number, *node_ids})

    def who(node_id: str) -> str:
        return nodes[node_id].label

    for node in graph.nodes:
        if node.negated or node.type in ("scene", "attribute"):
            continue
        may_miss = missing_allowed(None, node.id)
        if node.type == "entity":
            yield Fact("entity", (ids(node.id),), shown=node.label, optional=may_miss)
            if node.count > 1 and not names[node.id].startswith("+"):
                open_count = may_miss or (gold is not None and node.id in gold.any_count)
                words = frozenset({str(node.count)})
                yield Fact("count", (ids(node.id),), words, "", f"{node.count} {node.label}", open_count)
            continue
        if node.direction:
            words = wordings(f"direction: {node.id}", node.direction, _direction)
            shown, open_way = f"{node.label} {node.direction}", may_miss or ("direction", node.id) in optional
            yield Fact("direction", (ids(node.id),), words, "", shown, open_way)
        if not any(edge.type in ("agent", "patient") for edge in graph.edges_from(node.id)):
            nobody = frozenset({"nobody"})
            yield Fact("agent", (ids(node.id), nobody), shown=f"{node.label} by nobody", optional=may_miss)
    for number, edge in enumerate(graph.edges):
        source, target = nodes[edge.source], nodes[edge.target]
        may_miss = missing_allowed(number, edge.source, edge.target)
        if source.negated or target.negated:
            continue
        if edge.type == "has_attribute":
            yield _value(ids(source.id), source, target, edge, wordings(target.id, target.label, _plain), may_miss)
        elif edge.type == "contains" and edge.interval != FULL and target.type == "entity":
            when = _part(edge.interval)
            yield Fact("change", (ids(target.id),), frozenset({"there"}), when, f"{target.label} {when}", may_miss)
        elif edge.type in _ROLES:
            words = frozenset({"to"}) if edge.type == "receiver" else frozenset()
            shown = f"{source.label} --{edge.type}-> {target.label}"
            yield Fact(edge.type, (ids(source.id), ids(target.id)), words, "", shown, may_miss)
        elif edge.type in ("location", "spatial", "relation"):
            subjects = ids(source.id, *participants.get(source.id, ()))
            subjects = subjects if source.type == "event" else ids(source.id)
            form = _screen if target.type == "scene" else _where
            words = wordings(number, edge.label or "at", form)
            for word in words if source.type == "entity" and gold is None else ():
                verb, _, preposition = word.partition(" ")
                words = frozenset({_where(preposition)}) if preposition and (source.id, verb) in verbs else words
            kind = "place" if edge.type == "location" else "relation"
            about = (subjects, ids(target.id))
            if words == {"of"}:
                about, words = about[::-1], frozenset({"have"})
            interval = edge.interval if source.type == "entity" else source.interval
            when = _part(interval) if target.type == "scene" else ""
            yield Fact(kind, about, words, when, f"{who(source.id)} {edge.label} {who(target.id)}", may_miss)
    yield from _order(graph, names, gold)
    scene = graph.of_type("scene")[0]
    looks = [("camera", move.label, move.interval) for move in scene.camera]
    for name, label, interval in looks + [("style", word, FULL) for word in scene.style]:
        words = wordings(f"{name}: {label}", label, _look)
        yield Fact(name, (), words, _part(interval), label, ("scene", name, label) in optional)


def _having(graph: SceneGraph) -> SceneGraph:
    """A graph in which "one has the other" is a relation, not an event."""
    having = {node.id for node in graph.of_type("event") if node.label in ("have", "has") and not node.negated}
    edges: list[Edge] = []
    for edge in graph.edges:
        if edge.source in having and edge.type == "patient":
            owners = [e.target for e in graph.edges_from(edge.source, "agent")]
            edges += [Edge(owner, edge.target, "relation", "have") for owner in owners]
        elif not having & {edge.source, edge.target}:
            edges.append(edge)
    # The edges of a gold graph keep their numbers: it has no such event.
    return SceneGraph(graph.caption, [n for n in graph.nodes if n.id not in having], edges)


def _value(about: frozenset[str], owner: Node, value: Node, edge: Edge, words: frozenset[str], may_miss: bool) -> Fact:
    when = _part(edge.interval)
    if value.kind == "text":
        return Fact("text", (about,), words, "", f"{owner.label} “{value.label}”", may_miss)
    shown = f"{owner.label} {value.label} {when}".strip()
    return Fact("change" if when else "attribute", (about,), words, when, shown, may_miss)


def _order(graph: SceneGraph, names: dict[str, str], gold: GoldPrompt | None) -> Iterator[Fact]:
    free = (gold.untimed | gold.optional) if gold else set()
    events = [node for node in graph.of_type("event") if not node.negated]
    for first in events:
        for second in events:
            if first is not second and first.interval[1] <= second.interval[0] + 1e-3:
                about = (frozenset({names[first.id]}), frozenset({names[second.id]}))
                may_miss = bool({first.id, second.id} & free)
                yield Fact("order", about, shown=f"{first.label} before {second.label}", optional=may_miss)


def _part(interval: Interval) -> str:
    part = part_of_video(interval)
    return "" if part == "whole" else part


def _direction(word: str) -> str:
    return (
        re.sub(r"wards?$", "", _plain(word)) if _plain(word) not in ("toward", "towards", "forward") else _plain(word)
    )


def _where(label: str) -> str:
    words = re.sub(r"\b(the|side|edge)\b", " ", _plain(label))
    words = re.sub(r"^(on|to|at|in)\s+(?=(left|right|front)\b)", "", " ".join(words.split()))
    words = {"front of": "in front of", "left": "left of", "right": "right of", "with": "have"}.get(words, words)
    return _SAME_WORDS.get(words, words)


def _screen(label: str) -> str:
    words = re.sub(r"\b(the|side|edge|corner|of|on|in|at|to|screen|frame|scene)\b", " ", _plain(label)).split()
    names = {"upper": "top", "lower": "bottom", "middle": "center", "centre": "center"}
    return " ".join(names.get(word, word) for word in words)


def _look(label: str) -> str:
    words = [word for word in _plain(label).split() if word not in _FILLERS]
    return "".join(verb_lemma(word, word, "NN") for word in words)


# -- what counts neither way, and denials --------------------------------------------------------------------------


class _Free:
    """Predicted facts that count neither way: about optional nodes, a plural's number, a time of day."""

    def __init__(self, gold: GoldPrompt, graph: SceneGraph, names: dict[str, str]) -> None:
        self.gold = gold
        self.nodes = {node.id: node for node in gold.graph.nodes}
        self.places = {_plain(word) for word in gold.places}
        # A place or a time of day that became an entity.
        self.free = {names[n.id] for n in graph.of_type("entity") if _plain(n.label) in self.places}
        self.free = {name for name in self.free if name.startswith("+")}
        self.free |= {item for item in gold.optional if isinstance(item, str)}
        self.untimed = gold.untimed | self.free
        optional_ends = [gold.graph.edges[i] for i in gold.optional if isinstance(i, int)]
        self.pairs = {frozenset((edge.source, edge.target)) for edge in optional_ends}

    def covers(self, fact: Fact) -> bool:
        """Whether a fact that is not expected is no invention either."""
        ends = {next(iter(about)) for about in fact.about if len(about) == 1}
        if any(about & self.free for about in fact.about):
            return True
        if fact.kind == "count":
            return bool(ends & self.gold.any_count)
        if fact.kind == "direction":
            return any(("direction", node) in self.gold.optional for node in ends)
        if fact.kind == "order":
            return bool(ends & self.untimed)
        if fact.kind in ("attribute", "change"):
            return any(self._is_part_of_label(node, fact.words) for node in ends)
        if fact.kind in ("camera", "style"):
            either = {_look(word) for word in self.gold.camera_or_style}
            either |= {_look(item[2]) for item in self.gold.optional if isinstance(item, tuple) and item[0] == "scene"}
            return bool(fact.words & either)
        return any(frozenset((a, b)) in self.pairs for a in fact.about[0] for b in fact.about[-1])

    def _is_part_of_label(self, node: str, words: frozenset[str]) -> bool:
        return node in self.nodes and any(
            word in _plain(label).split() for label in _labels(self.gold, self.nodes[node]) for word in words
        )


def _judge_denials(gold: GoldPrompt, graph: SceneGraph, names: dict[str, str], judged: Judged) -> None:
    predicted = {names[node.id]: node for node in graph.nodes}
    understood = any(kind == "entity" for kind, _ in judged.right)
    allowed: set[str] = set()
    for node in gold.graph.nodes:
        owners = [edge.source for edge in gold.graph.edges_to(node.id, "has_attribute")]
        if not node.negated or node.id in gold.optional:
            continue
        if node.type == "attribute":
            owner = predicted.get(owners[0])
            values = graph.attributes(owner.id) if owner else ()
            found = next((a for a, _ in values if _plain(a.label) in map(_plain, _labels(gold, node))), None)
        else:
            found = predicted.get(node.id)
        if found is not None and found.negated:
            allowed.add(found.id)
        right = found.negated if found is not None else understood
        (judged.right if right else judged.missing).append(("negation", f"no {node.label}"))
    for node in graph.nodes:
        free = names[node.id] in gold.optional or _plain(node.label) in map(_plain, gold.places)
        if node.negated and node.id not in allowed and not free:
            judged.invented.append(("negation", f"no {node.label}"))


def counts(judged: Sequence[Judged], kind: str | None = None) -> np.ndarray:
    """Right, missing and invented facts of each prompt, of one kind or of all; (N, 3)."""
    return np.array(
        [[sum(kind in (None, k) for k, _ in part) for part in (j.right, j.missing, j.invented)] for j in judged],
        dtype=float,
    ).reshape(-1, 3)
