"""Words for a scene of the benchmark: a template with slots becomes a text and the scene graph that it means."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from mov_ai.graph import Edge, Interval, Node, SceneGraph
from mov_ai.graph.inflection import inflect
from mov_ai.graph.time import change_time
from mov_ai.worlds.tabletop.lexicon import SHAPES
from mov_ai.worlds.tabletop.scene import Scene

_COUNTS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}
_SLOT = re.compile(r"\{(e?)(\d+)(?::(\w+))?\}")


@dataclass(frozen=True)
class Happening:
    """One event as it is told.

    Attributes:
        verb: lemma.
        tail: what follows the verb ("to the left"); "{new}" stands for the colour that a thing turns, "{old}" for the
            one that it had.
        direction: as `Node.direction`.
        interval: when.
        agents, patients: numbers of the things that do it, or that it is done to.
        location: (label, thing), as in "falls onto the cube".
    """

    verb: str
    tail: str
    direction: str | None
    interval: Interval
    agents: tuple[int, ...]
    patients: tuple[int, ...] = ()
    location: tuple[str, int] | None = None


@dataclass(frozen=True)
class Worded:
    """A text with its graph; `things` and `events` are the ids of the nodes, in the order of scene and happenings."""

    text: str
    graph: SceneGraph
    things: tuple[str, ...]
    events: tuple[str, ...]


def word(
    template: str,
    scene: Scene,
    happenings: Sequence[Happening] = (),
    relations: Collection[tuple[int, str, int]] = (),
    nouns: Sequence[str] | None = None,
    sized: Collection[int] = (),
    meets: Collection[tuple[int, int]] = (),
) -> Worded:
    """Fill a template's slots and build the gold graph, nodes in the order of the text.

    Slots: "{0}" speaks of thing 0, in full at first ("a red ball") and briefly later ("the ball"); "{0:the}" says "the
    red ball" even at first; "{0:it}" is a pronoun. "{e0}" is event 0 in the present tense with its tail, "{e0:gerund}"
    ("rolling left"), "{e0:perfect}" ("has rolled left") and "{e0:passive}" ("is pushed") are other forms.

    Args:
        template: every thing must occur in it.
        scene: what is shown.
        happenings: the events told.
        relations: (thing, label, thing) told by the template's own words; they hold throughout.
        nouns: a word for each thing; the shape's name if not given.
        sized: things whose size is said.
        meets: pairs of events of which the second starts as soon as the first ends.

    Raises:
        ValueError: if the template leaves out a thing or an event.
    """
    shapes = [SHAPES[thing.shape][0] for thing in scene.things]
    writer = _Writer(scene, tuple(happenings), tuple(nouns or shapes), frozenset(sized))
    return writer.write(template, tuple(relations), frozenset(meets))


def plural(noun: str) -> str:
    """ "balls", "boxes"."""
    return noun + ("es" if noun.endswith("x") else "s")


@dataclass
class _Writer:
    scene: Scene
    happenings: tuple[Happening, ...]
    nouns: tuple[str, ...]
    sized: frozenset[int]
    text: str = ""
    nodes: dict[tuple[str, int, str], Node] = field(default_factory=dict)

    def write(
        self, template: str, relations: Sequence[tuple[int, str, int]], meets: Collection[tuple[int, int]]
    ) -> Worded:
        end = 0
        for slot in _SLOT.finditer(template):
            self._say(template[end : slot.start()])
            end = slot.end()
            number, form = int(slot[2]), slot[3] or ""
            self._verb(number, form) if slot[1] else self._thing(number, form)
        self._say(template[end:])
        missing = [f"thing {i}" for i in range(len(self.nouns)) if ("entity", i, "") not in self.nodes]
        missing += [f"event {i}" for i in range(len(self.happenings)) if ("event", i, "") not in self.nodes]
        if missing:
            raise ValueError(f"template {template!r} leaves out {', '.join(missing)}")
        nodes = [Node("n0", "scene", "scene"), *self.nodes.values()]
        graph = SceneGraph(self.text, nodes, self._edges(relations, meets))
        graph.validate(self.text)
        things = tuple(self.nodes["entity", i, ""].id for i in range(len(self.nouns)))
        return Worded(
            self.text, graph, things, tuple(self.nodes["event", i, ""].id for i in range(len(self.happenings)))
        )

    # -- words ---------------------------------------------------------------------------------------------------------

    def _say(self, words: str) -> tuple[int, int]:
        """Add words, the first one of a sentence with a capital letter; returns their character range."""
        if words.strip() and (not self.text or self.text.rstrip().endswith(".")):
            lead = len(words) - len(words.lstrip())
            words = words[:lead] + words[lead].upper() + words[lead + 1 :]
        start = len(self.text)
        self.text += words
        return start, len(self.text)

    def _node(self, key: tuple[str, int, str], span: tuple[int, int], label: str, **values: object) -> None:
        if key not in self.nodes:
            self.nodes[key] = Node(f"n{len(self.nodes) + 1}", key[0], label, span, **values)  # type: ignore[arg-type]

    def _thing(self, index: int, form: str) -> None:
        thing, noun = self.scene.things[index], self.nouns[index]
        many = thing.count > 1
        shown = plural(noun) if many else noun
        first = ("entity", index, "") not in self.nodes
        if form == "it":
            self._say("they" if many else "it")
            return
        alike = sum(other.shape == thing.shape for other in self.scene.things) > 1
        words = [word for word, look in ((thing.size, index in self.sized), (thing.color, True)) if look]
        if first and form != "the":
            self._say(_COUNTS[thing.count] if many else "an" if words[0][0] in "aeiou" else "a")
        else:
            self._say("the")
            words = words if first else [thing.color] if alike else []
        for look in words:
            self._say(" ")
            kind = "color" if look == thing.color else "size"
            self._node(("attribute", index, look), self._say(look), look, kind=kind)
        self._say(" ")
        self._node(("entity", index, ""), self._say(shown), noun, count=thing.count)

    def _verb(self, number: int, form: str) -> None:
        happening = self.happenings[number]
        doers = happening.patients if form == "passive" else happening.agents
        many = len(doers) > 1 or self.scene.things[doers[0]].count > 1
        before = {"perfect": "have " if many else "has ", "passive": "are " if many else "is "}.get(form, "")
        self._say(before)
        inflected = {"perfect": "participle", "passive": "participle", "": "present"}.get(form, form)
        span = self._say(inflect(happening.verb, inflected, many))
        self._node(
            ("event", number, ""), span, happening.verb, direction=happening.direction, interval=happening.interval
        )
        for part in re.split(r"(\{new\}|\{old\})", f" {happening.tail}" if happening.tail else ""):
            if part in ("{new}", "{old}"):
                doer = happening.agents[0]
                turned = next(a.value for a in self.scene.actions if a.thing == doer and a.motion == "turn")
                color = turned if part == "{new}" else self.scene.things[doer].color
                assert color is not None
                self._node(("attribute", doer, color), self._say(color), color, kind="color")
            else:
                self._say(part)

    # -- edges ---------------------------------------------------------------------------------------------------------

    def _edges(self, relations: Sequence[tuple[int, str, int]], meets: Collection[tuple[int, int]]) -> list[Edge]:
        ids = {key: node.id for key, node in self.nodes.items()}
        edges = [Edge("n0", node.id, "contains") for node in self.nodes.values() if node.type != "attribute"]
        for number, happening in enumerate(self.happenings):
            event = ids["event", number, ""]
            edges += [Edge(event, ids["entity", i, ""], "agent") for i in happening.agents]
            edges += [Edge(event, ids["entity", i, ""], "patient") for i in happening.patients]
            if happening.location is not None:
                edges.append(Edge(event, ids["entity", happening.location[1], ""], "location", happening.location[0]))
        for (kind, owner, value), node_id in ids.items():
            if kind == "attribute":
                edges.append(
                    Edge(ids["entity", owner, ""], node_id, "has_attribute", interval=self._held(owner, value))
                )
                # Things that turn together share the word, and so the attribute.
                edges += [
                    Edge(ids["entity", other, ""], node_id, "has_attribute", interval=self._held(other, value))
                    for other in self._turning_too(owner, value)
                ]
        edges += [Edge(ids["entity", i, ""], ids["entity", j, ""], "spatial", label) for i, label, j in relations]
        return edges + self._temporal(ids, meets)

    def _held(self, thing: int, value: str) -> Interval:
        """When a colour or a size holds."""
        for action in self.scene.actions:
            if action.thing == thing and action.motion == "turn":
                change = change_time(action.interval)
                if value == action.value:
                    return change, 1.0
                if value == self.scene.things[thing].color:
                    return 0.0, change
        return 0.0, 1.0

    def _turning_too(self, owner: int, value: str) -> list[int]:
        together = [
            happening.agents for happening in self.happenings if happening.agents and happening.agents[0] == owner
        ]
        turns = {(a.thing, a.value) for a in self.scene.actions if a.motion == "turn"}
        return [i for agents in together for i in agents[1:] if {(owner, value), (i, value)} <= turns]

    def _temporal(self, ids: dict[tuple[str, int, str], str], meets: Collection[tuple[int, int]]) -> list[Edge]:
        position = {key[1]: place for place, key in enumerate(self.nodes) if key[0] == "event"}
        order = sorted(position, key=lambda n: (self.happenings[n].interval[0], position[n]))
        edges = []
        for a, b in itertools.pairwise(order):
            same = self.happenings[a].interval == self.happenings[b].interval
            label = "equal" if same else "meets" if (a, b) in meets else "before"
            edges.append(Edge(ids["event", a, ""], ids["event", b, ""], "temporal", label))
        return edges
