"""The hand-written temporal sentences of `data/temporal`: reading them, and building the scene graphs they mean."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from mov_ai.captions.caption import Mention
from mov_ai.errors import UsageError
from mov_ai.graph import ATTRIBUTE_KINDS, Edge, Interval, Node, SceneGraph, allen
from mov_ai.graph.files import parse_json
from mov_ai.graph.time import change_time
from mov_ai.shipped_files import shipped

SENTENCES = shipped("data/temporal/sentences.jsonl")
#: Prompts as people write them for videos, all of them held out.
PROMPTS = SENTENCES.with_name("prompts.jsonl")
SPLITS = ("development", "held_out")
PHENOMENA = (
    "then",
    "before",
    "after",
    "while",
    "as",
    "until",
    "once",
    "first_next_finally",
    "two_sentences",
    "state_change",
    "repeated",
    "simultaneous",
    "negation",
    "pronoun_chain",
    "three_events",
    "passive",
)
#: What only prompts are written for.
PROMPT_PHENOMENA = ("fragment", "relative_clause", "both", "one_event", "one_subject")
PRONOUNS = ("it", "he", "she", "they", "him", "her", "them", "itself", "himself", "herself", "themselves", "one")
_WORDS = (6, 40)
_REQUIRED = ("id", "split", "phenomena", "text", "entities", "events", "order")
_OPTIONAL = ("counts", "attributes", "changes", "meets", "negated")
_ROLES = ("agent", "patient", "instrument", "location")
_EVENT_KEYS = (*_ROLES, "direction", "manner", "times")
_CHANGE_KEYS = ("event", "entity", "kind", "from", "to")

Span = tuple[int, int]


@dataclass(frozen=True)
class StateChange:
    """A change that a sentence describes, as node ids of its graph.

    Attributes:
        event: what brings it about.
        entity: what changes.
        new: the attribute that holds from then on; None where the verb alone says it ("the snow melts").
        old: the attribute that held until then; None if it is not said.
    """

    event: str
    entity: str
    new: str | None
    old: str | None


@dataclass(frozen=True)
class TemporalSentence:
    """One entry with its gold graph.

    Attributes:
        id: unique in the file.
        split: one of `SPLITS`.
        phenomena: some of `PHENOMENA` and `PROMPT_PHENOMENA`; the first is what the sentence was written for.
        text: the sentence or sentences.
        graph: what they mean.
        mentions: every head word of an entity, attribute or event, in the order of the text.
        changes: the state changes in it.
        repeated: ids of the events said to happen several times; their `manner` says how often.
    """

    id: str
    split: str
    phenomena: tuple[str, ...]
    text: str
    graph: SceneGraph
    mentions: tuple[Mention, ...]
    changes: tuple[StateChange, ...]
    repeated: tuple[str, ...]


def temporal_sentences(split: str | None = None, path: str | Path = SENTENCES) -> list[TemporalSentence]:
    """Read and check the sentences.

    Args:
        split: one of `SPLITS`, or None for all.
        path: a file in the form that `data/temporal/README.md` describes.

    Raises:
        UsageError: if the split or the file is unknown, or an entry is wrong; the message names the entry.
    """
    if split is not None and split not in SPLITS:
        raise UsageError(f"split: expected one of {', '.join(SPLITS)}; found {split!r}")
    return [entry for entry in _read(Path(path)) if split in (None, entry.split)]


@cache
def _read(path: Path) -> tuple[TemporalSentence, ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read ({error.strerror}); the temporal sentences are in the repository, not the wheel"
        ) from None
    entries = tuple(
        build(parse_json(line, f"{path}: line {number}"), f"{path}: line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    )
    ids = [entry.id for entry in entries]
    for name in ids:
        if ids.count(name) > 1:
            raise UsageError(f"{path}: {name}: expected ids used once")
    return entries


def build(entry: Any, source: str = "entry") -> TemporalSentence:
    """The full graph of one entry.

    Args:
        entry: parsed JSON in the compact form that `data/temporal/README.md` describes.
        source: named in errors, along with the entry's id.

    Raises:
        UsageError: `source: id: what was expected`.
    """
    name = entry.get("id") if isinstance(entry, dict) else None
    path = f"{source}: {name}"
    if not isinstance(entry, dict) or not isinstance(name, str):
        raise UsageError(f"{source}: expected an object with an 'id'")
    _keys(entry, _REQUIRED, _OPTIONAL, path)
    if entry["split"] not in SPLITS:
        raise UsageError(f"{path}: split: expected one of {', '.join(SPLITS)}; found {entry['split']!r}")
    known_phenomena = (*PHENOMENA, *PROMPT_PHENOMENA)
    if set(entry["phenomena"]) - set(known_phenomena) or not entry["phenomena"]:
        raise UsageError(
            f"{path}: phenomena: expected some of {', '.join(known_phenomena)}; found {entry['phenomena']}"
        )
    words = len(entry["text"].split())
    if not _WORDS[0] <= words <= _WORDS[1]:
        raise UsageError(f"{path}: text: expected {_WORDS[0]} to {_WORDS[1]} words; found {words}")
    return _Builder(entry, path).sentence()


def _keys(value: dict[str, Any], required: tuple[str, ...], optional: tuple[str, ...], path: str) -> None:
    for key in required:
        if key not in value:
            raise UsageError(f"{path}: expected a key {key!r}")
    for key in value:
        if key not in (*required, *optional):
            raise UsageError(f"{path}: expected only the keys {', '.join((*required, *optional))}; found {key!r}")


@dataclass
class _Builder:
    """Finds the words of one entry in its text, then writes nodes and edges."""

    entry: dict[str, Any]
    path: str
    used_spans: set[Span] = field(default_factory=set)
    #: Key of a node -> its mentions; keys are ("entity", name), ("event", name), ("attribute", entity, kind, word).
    spans: dict[tuple[str, ...], list[Span]] = field(default_factory=dict)
    nodes: dict[tuple[str, ...], Node] = field(default_factory=dict)
    #: (entity name, attribute key) -> interval.
    held: dict[tuple[str, tuple[str, ...]], Interval] = field(default_factory=dict)
    intervals: dict[str, Interval] = field(default_factory=dict)
    changes: list[tuple[str, str, tuple[str, ...] | None, tuple[str, ...] | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.text: str = self.entry["text"]
        self.counts: dict[str, int] = self.entry.get("counts", {})
        self.negated: list[str] = self.entry.get("negated", [])

    def sentence(self) -> TemporalSentence:
        self._order()
        self._entities()
        self._events()
        self._attributes()
        self._changes()
        for name in (*self.counts, *self.negated):
            if all(name not in key for key in self.nodes):
                raise UsageError(f"{self.path}: {name!r} is counted or negated, but nothing has that name")
        keys = sorted(self.nodes, key=lambda key: self.spans[key][0])
        ids = {key: f"n{number}" for number, key in enumerate(keys, start=1)}
        nodes = [
            Node("n0", "scene", "scene"),
            *(replace(self.nodes[k], id=ids[k], span=self.spans[k][0]) for k in keys),
        ]
        graph = SceneGraph(self.text, nodes, list(self._edges(ids)))
        graph.validate(self.path)
        mentions = sorted(
            (
                Mention(span, ids[key], "coref" if position else "node")
                for key in keys
                for position, span in enumerate(self.spans[key])
            ),
            key=lambda mention: mention.span,
        )
        changes = tuple(
            StateChange(
                ids["event", event], ids["entity", entity], ids[new] if new else None, ids[old] if old else None
            )
            for event, entity, new, old in self.changes
        )
        repeated = tuple(ids["event", name] for name, event in self.entry["events"].items() if "times" in event)
        entry = self.entry
        return TemporalSentence(
            entry["id"], entry["split"], tuple(entry["phenomena"]), self.text, graph, tuple(mentions), changes, repeated
        )

    # -- words -----------------------------------------------------------------------------------------------------

    def _find(self, word: str, start: int = 0) -> Span:
        """Where a word stands: its first free place from `start` on, or its n-th place for "word#n"."""
        words, _, number = word.partition("#")
        places = [m.span() for m in re.finditer(rf"(?<!\w){re.escape(words)}(?!\w)", self.text, re.IGNORECASE)]
        if number:
            places = places[int(number) - 1 : int(number)] if number.isdecimal() else []
        else:
            places = [span for span in places if span[0] >= start]
        free = [s for s in places if all(s[1] <= t[0] or s[0] >= t[1] for t in self.used_spans)]
        if not free:
            raise UsageError(f"{self.path}: {word!r}: expected it in the text, and in no other part of the gold form")
        self.used_spans.add(free[0])
        return free[0]

    def _check_named(self, kind: str, name: str) -> None:
        if (kind, name) not in self.nodes:
            raise UsageError(f"{self.path}: expected {name!r} among the {'entities' if kind == 'entity' else 'events'}")

    # -- nodes -----------------------------------------------------------------------------------------------------

    def _order(self) -> None:
        """Equal parts of the video for the steps; an event listed in several steps lasts through all of them."""
        steps = self.entry["order"]
        if {name for step in steps for name in step} != set(self.entry["events"]):
            raise UsageError(f"{self.path}: order: expected each event in at least one step, and no other names")
        for name in self.entry["events"]:
            where = [i for i, step in enumerate(steps) if name in step]
            if where != list(range(where[0], where[-1] + 1)):
                raise UsageError(f"{self.path}: order: expected {name!r} in steps that follow each other")
            self.intervals[name] = (round(where[0] / len(steps), 4), round((where[-1] + 1) / len(steps), 4))

    def _entities(self) -> None:
        for name, words in self.entry["entities"].items():
            spans: list[Span] = []
            for word in words:
                spans.append(self._find(word, spans[-1][1] if spans else 0))
            key = ("entity", name)
            self.spans[key] = spans
            self.nodes[key] = Node(
                "", "entity", _label(name), negated=name in self.negated, count=self.counts.get(name, 1)
            )

    def _events(self) -> None:
        for name, event in self.entry["events"].items():
            _keys(event, ("word",), _EVENT_KEYS, f"{self.path}: {name}")
            key = ("event", name)
            self.spans[key] = [self._find(event["word"])]
            # How often comes before how: a node has one manner.
            manner = event.get("times", event.get("manner"))
            for field_name in ("times", "manner"):
                if field_name in event:
                    self._find(event[field_name])
            self.nodes[key] = Node(
                "",
                "event",
                _label(name),
                negated=name in self.negated,
                direction=event.get("direction"),
                manner=manner,
                interval=self.intervals[name],
            )
            for role in _ROLES:
                for entity in event.get(role, ()):
                    self._check_named("entity", entity)

    def _attribute(self, entity: str, word: str, kind: str) -> tuple[str, ...]:
        """The key of an attribute; it is added when it is new."""
        self._check_named("entity", entity)
        if kind not in ATTRIBUTE_KINDS:
            raise UsageError(f"{self.path}: {word}: kind: expected one of {', '.join(ATTRIBUTE_KINDS)}; found {kind!r}")
        key = ("attribute", entity, kind, word)
        if key not in self.nodes:
            self.spans[key] = [self._find(word)]
            self.nodes[key] = Node("", "attribute", word.partition("#")[0].lower(), kind=kind)
        return key

    def _attributes(self) -> None:
        for entity, word, kind in self.entry.get("attributes", ()):
            self.held[entity, self._attribute(entity, word, kind)] = (0.0, 1.0)

    def _changes(self) -> None:
        """Changes in the order of time: each starts its new value, and ends the one before."""
        changes = self.entry.get("changes", ())
        shared: dict[tuple[str, str], tuple[str, ...]] = {}
        started: dict[tuple[str, str], float] = {}
        for change in changes:
            _keys(change, _CHANGE_KEYS, (), f"{self.path}: changes")
            self._check_named("event", change["event"])
        for change in sorted(changes, key=lambda c: self.intervals[c["event"]]):
            event, entity, kind, old, new = (change[k] for k in ("event", "entity", "kind", "from", "to"))
            time = change_time(self.intervals[event])
            since = started.get((entity, kind), 0.0)
            old_key = None
            for key in [k for e, k in self.held if e == entity and k[2] == kind and self.held[e, k][1] == 1.0]:
                if self.held[entity, key][0] > 0:
                    self.held[entity, key] = (self.held[entity, key][0], time)
            if old is not None:
                old_key = self._attribute(entity, old, kind)
                self.held[entity, old_key] = (since, time)
            new_key = None
            if new is not None:
                new_key = shared.get((event, new)) or self._attribute(entity, new, kind)
                shared[event, new] = new_key
                self.held[entity, new_key] = (time, 1.0)
            started[entity, kind] = time
            self.changes.append((event, entity, new_key, old_key))

    # -- edges -----------------------------------------------------------------------------------------------------

    def _edges(self, ids: dict[tuple[str, ...], str]) -> Iterator[Edge]:
        for key, node_id in ids.items():
            if key[0] != "attribute":
                yield Edge("n0", node_id, "contains")
        for name, event in self.entry["events"].items():
            for role in _ROLES:
                for entity in event.get(role, ()):
                    yield Edge(ids["event", name], ids["entity", entity], role)
        for (entity, key), interval in self.held.items():
            yield Edge(ids["entity", entity], ids[key], "has_attribute", interval=interval)
        meets = {tuple(pair) for pair in self.entry.get("meets", ())}
        order = sorted(self.intervals, key=lambda name: (self.intervals[name][0], self.spans["event", name]))
        for a, b in dict.fromkeys([*itertools.pairwise(order), *meets]):
            for name in (a, b):
                self._check_named("event", name)
            swapped, label = allen(self.intervals[a], self.intervals[b], (a, b) in meets)
            source, target = (b, a) if swapped else (a, b)
            yield Edge(ids["event", source], ids["event", target], "temporal", label)


def _label(name: str) -> str:
    """A node's label from its name: "ball2" is a second "ball", "fire_truck" is "fire truck"."""
    return name.rstrip("0123456789").replace("_", " ")
