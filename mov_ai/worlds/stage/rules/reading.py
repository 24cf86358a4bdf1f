"""A graph read once for all its layouts: who goes when, who takes whom along, and which boxes may overlap."""

from __future__ import annotations

from dataclasses import dataclass, field

from mov_ai.graph import Interval, SceneGraph
from mov_ai.graph.time import FULL
from mov_ai.worlds.stage.company import bearers
from mov_ai.worlds.stage.meanings import stage_meanings
from mov_ai.worlds.stage.reading import read_screenplay
from mov_ai.worlds.stage.rules.words import in_known_words
from mov_ai.worlds.stage.screenplay import HANDLED, STILL, Deed, Screenplay

#: Actions that take their patient nowhere.
_LEAVE_BE = ("pass", "approach", "circle", "depart", "flee", "stay", "lean", "appear", "vanish", "grow", "shrink")
#: Relations and ways whose two things keep their boxes apart.
_APART = ("left", "right", "beside", "above", "below", "between", "to", "from")


@dataclass(frozen=True)
class Stated:
    """A relation between two entities, as the graph states it."""

    source: str
    relation: str
    target: str
    label: str
    interval: Interval


@dataclass
class Reading:
    """What rules need of a graph.

    Attributes:
        known: the graph in known words. play: of it; strange: its events whose verb means nothing here.
        counts: entity -> how many the graph says. drawn: entity -> how many of it a layout has.
        going: entity -> while when it goes anywhere, by itself or with whoever bears it.
        linked: pairs of performers whose boxes have a reason to overlap.
        anchors: what stands still while the camera moves; first performers, then regions.
    """

    graph: SceneGraph
    known: SceneGraph
    play: Screenplay
    strange: frozenset[str]
    counts: dict[str, int]
    drawn: dict[str, int]
    stated: list[Stated] = field(default_factory=list)
    borne: dict[str, str] = field(default_factory=dict)
    going: dict[str, list[Interval]] = field(default_factory=dict)
    linked: set[frozenset[str]] = field(default_factory=set)
    anchors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.names = {node.id: f"{node.label} {node.id}" for node in self.graph.nodes}
        self.nodes = {node.id: node for node in self.graph.nodes}

    def shown(self, key: str) -> bool:
        """Whether a layout has boxes of an entity."""
        return key in self.drawn

    def is_region(self, key: str) -> bool:
        return key in self.play.regions

    def part(self, key: str, interval: Interval) -> Interval:
        """The part of an interval in which an entity is there; all of it if it never is."""
        present = self.play.performers[key].present if key in self.play.performers else FULL
        start, end = max(interval[0], present[0]), min(interval[1], present[1])
        return (start, end) if end - start > 1e-3 else interval

    def goes_in(self, key: str, interval: Interval) -> bool:
        """Whether an entity goes anywhere in an interval."""
        return any(start < interval[1] - 1e-3 and end > interval[0] + 1e-3 for start, end in self.going.get(key, ()))

    def filmed_moving(self, interval: Interval) -> bool:
        """Whether the camera moves in an interval."""
        moves = (when for _, when in self.play.camera)
        return any(start < interval[1] - 1e-3 and end > interval[0] + 1e-3 for start, end in moves)

    def lost_in_motion(self, interval: Interval) -> bool:
        """Whether ways cannot be told from the camera's in an interval: it moves, and nothing stands still by it."""
        return self.filmed_moving(interval) and not self.anchors

    def way_known(self, event: str, target: str, relation: str) -> bool:
        """Whether a way by something is one of `meanings.yaml`: the play takes all others as "beside"."""
        labels = {e.label for e in self.known.edges_from(event, "location") if e.target == target}
        return relation != "beside" or not labels or bool(labels & set(stage_meanings().relations))

    def root(self, key: str) -> str:
        """Whoever bears an entity in the end; itself if nobody does."""
        for _ in range(len(self.borne)):
            if key not in self.borne:
                break
            key = self.borne[key]
        return key

    def doing(self, deed: Deed, key: str) -> str:
        """For readers: who does what, while when."""
        node = self.nodes.get(deed.id)
        # From place to place it goes without an event that says so.
        words = [self.names[key], *((node.label, node.manner, node.direction) if node else (deed.action,))]
        start, end = deed.interval
        return " ".join(str(word) for word in words if word) + f" in [{start:.3g}, {end:.3g}]"


def read(graph: SceneGraph, drawn: dict[str, int]) -> Reading:
    """Read a valid graph; `drawn`: entity -> how many of it a layout has."""
    known, strange = in_known_words(graph)
    counts = {node.id: node.count for node in graph.of_type("entity") if not node.negated}
    reading = Reading(graph, known, read_screenplay(known), strange, counts, drawn)
    reading.stated = _stated(known, reading.play)
    reading.borne = bearers(reading.play)
    own = {key: _ways_of(reading.play, key, strange) for key in reading.play.performers}
    reading.going = {key: own[key] + own.get(reading.root(key), []) for key in own}
    reading.linked = _linked(reading)
    if reading.play.camera:
        still = [key for key in own if key in drawn and not reading.going[key] and not _changes(reading.play, key)]
        there = [key for key in still if reading.play.performers[key].present == FULL]
        turned = all(name.split()[0] in ("pan", "tilt", "zoom") for name, _ in reading.play.camera)
        reading.anchors = there or [key for key in reading.play.regions if key in drawn and turned]
    return reading


def _changes(play: Screenplay, key: str) -> bool:
    seen = ("appear", "vanish")
    return bool(play.performers[key].changes) or any(key in d.agents and d.action in seen for d in play.deeds)


def _stated(graph: SceneGraph, play: Screenplay) -> list[Stated]:
    """Relations between two entities as edges state them: the play holds more of them, which only the stage needs."""
    means, stated = stage_meanings(), []
    for edge in graph.edges:
        relation = means.relations.get(str(edge.label))
        if edge.type not in ("spatial", "relation", "location") or relation is None or edge.source == edge.target:
            continue
        if edge.source not in play.performers or not (edge.target in play.performers or edge.target in play.regions):
            continue
        target = play.performers.get(edge.target)
        if target is not None and target.thing.group == "garment" and relation in ("in", "beside"):
            relation = "wear"
        stated.append(Stated(edge.source, relation, edge.target, str(edge.label), edge.interval))
    return stated


def _ways_of(play: Screenplay, key: str, strange: frozenset[str]) -> list[Interval]:
    """While when it may go anywhere for an event of its own."""
    found = []
    for deed in play.deeds:
        if key in deed.agents:
            goes = deed.action not in STILL and (deed.action not in HANDLED or deed.action == "carry")
            goes = (goes and deed.action != "wear") or deed.id in strange
        else:
            goes = key in deed.patients and deed.action not in _LEAVE_BE
        if goes:
            found.append(deed.interval)
    return found


def _linked(reading: Reading) -> set[frozenset[str]]:
    """Pairs that one event or relation brings together, with all that each of them bears."""
    play = reading.play
    pairs = {(stated.source, stated.target) for stated in reading.stated if stated.relation not in _APART}
    pairs |= set(reading.borne.items())
    # Who is left of a thing first and right of it later has to pass it.
    passed = [(s.source, s.target) for s in reading.stated if s.relation in ("left", "right")]
    passed += [(agent, to) for d in play.deeds for agent in d.agents for way, to in d.ways if way in ("left", "right")]
    pairs |= {pair for pair in passed if passed.count(pair) > 1}
    for deed in play.deeds:
        parties = (*deed.agents, *deed.patients, *deed.receivers)
        ends = [target for relation, target in deed.ways if relation not in _APART]
        pairs |= {(party, end) for party in parties for end in (*ends, *deed.patients, *deed.receivers)}
    family: dict[str, list[str]] = {}
    for key in play.performers:
        family.setdefault(reading.root(key), []).append(key)
    linked: set[frozenset[str]] = set()
    for members in family.values():
        linked |= {frozenset((a, b)) for a in members for b in members}
    for first, second in pairs:
        own, other = family.get(reading.root(first), [first]), family.get(reading.root(second), [second])
        linked |= {frozenset((a, b)) for a in own for b in other}
    return linked
