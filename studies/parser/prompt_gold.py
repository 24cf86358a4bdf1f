"""Prompts as people write them, with graphs made by hand: the notation of `data/prompts/real`, read as scene graphs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TypeVar

from mov_ai.errors import UsageError
from mov_ai.graph import CameraMove, Edge, Interval, Node, SceneGraph, allen
from mov_ai.graph.time import FULL, change_time
from mov_ai.shipped_files import shipped

FOLDER = shipped("data/prompts/real")
UNSEEN = shipped("data/prompts/unseen")
_P = TypeVar("_P")
SPLITS = ("development", "held_out")
#: Name of folders that have no held-out half: all of their prompts are development.
WHOLE = "unseen"
_KINDS = {"c": "color", "s": "size", "m": "material", "f": "shape", "x": "texture", "t": "state"}
_POSSESSION = ("with", "of", "have")
_SOURCE = re.compile(r"\{(\w+) (\d+)\}$")
_EVENT = re.compile(r"([!?]*)([^\s(]+)\(([^)]*)\)(.*)$")
_RELATION = re.compile(r"(\??)(\S+) ([-=])(\??)(.+)\3 ([^\s:]+)(.*)$")
_ENTITY = re.compile(r"([!?]*)([^\s:]+)((?: [\[@].*?)?)(?::(?!\S)(.*))?$")
_REFERENCE = re.compile(r"(\??)([^|*]+)(\*\d*)?((?:\|[^|*]+)*)(\*\d*)?$")
_TAIL = re.compile(r"\s*(?:\[\[(\??)(.+?)\]\]|\[(\??)(.+?)\]|\^(\S+)|@(\S+)|%(\S+)|~(\S+))")
_COMMA = re.compile(r""",(?=(?:[^"]*"[^"]*")*[^"]*$)""")


@dataclass
class GoldPrompt:
    """One prompt: its graph, and what else would be right.

    Attributes:
        id, kind, split: name of its file and its number there; the file; one of `SPLITS`.
        text, source: the prompt; ("vbench", line) for a published one, else ("own", number).
        graph: what it means.
        labels: node or edge -> its other labels that are right too; nodes by id, edges by their number.
        optional: nodes, edges, and ("direction", event), ("scene", field, word) that may be there or not.
        any_count: entities in the plural without a number.
        untimed: events whose order the text leaves open.
        places: words for place, time of day or weather: right as `setting` of the scene, and as entities.
        camera_or_style: words that are right as either.
        names: name in the notation -> id of its entity.
        steps: into how many equal parts the statements divide the video.
    """

    id: str
    kind: str
    split: str
    text: str
    source: tuple[str, int]
    graph: SceneGraph
    labels: dict[str | int, tuple[str, ...]] = field(default_factory=dict)
    optional: set[object] = field(default_factory=set)
    any_count: set[str] = field(default_factory=set)
    untimed: set[str] = field(default_factory=set)
    places: tuple[str, ...] = ()
    camera_or_style: tuple[str, ...] = ()
    names: dict[str, str] = field(default_factory=dict)
    steps: int = 1


def gold_prompts(split: str | None = None, folder: str | Path = FOLDER) -> list[GoldPrompt]:
    """All prompts in the order of the files, or those of one split.

    Raises:
        UsageError: if the split or the folder is unknown, or a line cannot be read; the message names the prompt.
    """
    check_split(split)
    return [prompt for prompt in read_blocks(Path(folder), build) if split in (None, prompt.split)]


def splits_of(prompts: Iterable[GoldPrompt]) -> list[str]:
    """The splits that there are prompts of, development first."""
    there = {prompt.split for prompt in prompts}
    return [split for split in SPLITS if split in there]


def check_split(split: str | None) -> None:
    """Raises UsageError unless it is one of `SPLITS`, or None for all."""
    if split is not None and split not in SPLITS:
        raise UsageError(f"split: expected one of {', '.join(SPLITS)}; found {split!r}")


@cache
def read_blocks(folder: Path, build_one: Callable[[str, str, int, str], _P]) -> tuple[_P, ...]:
    """What a function makes of each block of a folder's text files: of its kind (the file's name), number, and split.

    The number, from 1, decides the split: within a kind, every other prompt is held out. Folders called `WHOLE` have
    no held-out half.

    Raises:
        UsageError: if there are no such files, or as the function does.
    """
    prompts: list[_P] = []
    for path in sorted(folder.glob("*.txt")):
        blocks = [block for block in path.read_text(encoding="utf-8").split("\n\n") if block.strip()]
        prompts += [
            build_one(block, path.stem, number, SPLITS[0 if folder.name == WHOLE else (number + 1) % 2])
            for number, block in enumerate(blocks, start=1)
        ]
    if not prompts:
        raise UsageError(f"{folder}: expected text files with prompts; they are in the repository, not in the wheel")
    return tuple(prompts)


def build(block: str, kind: str = "own", number: int = 1, split: str = SPLITS[0]) -> GoldPrompt:
    """One prompt from its block of lines: the text, then its graph in the notation of the folder's README.

    Raises:
        UsageError: `id: what cannot be read`.
    """
    text, *lines = block.strip("\n").splitlines()
    builder = _Builder(GoldPrompt(f"{kind}-{number:02}", kind, split, text, ("own", number), _EMPTY))
    for line in lines:
        source = _SOURCE.match(line.strip())
        if source:
            builder.prompt.source = (source[1], int(source[2]))
        else:
            builder.statements += [part.strip() for part in line.split(";") if part.strip()]
    return builder.build()


_EMPTY = SceneGraph()


@dataclass
class _Builder:
    prompt: GoldPrompt
    statements: list[str] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=lambda: [Node("n0", "scene", "scene")])
    edges: list[Edge] = field(default_factory=list)
    #: Name in the notation -> node id.
    names: dict[str, str] = field(default_factory=dict)
    present: dict[str, Interval] = field(default_factory=dict)
    scene: dict[str, list[str]] = field(default_factory=lambda: {"setting": [], "style": []})
    camera: list[CameraMove] = field(default_factory=list)

    def build(self) -> GoldPrompt:
        steps = re.findall(r"(?:\s@(?:\d+-)?|^steps: )(\d+)", "\n".join(self.statements), re.MULTILINE)
        self.steps = max(map(int, steps), default=1)
        for statement in self.statements:
            self._statement(statement)
        style, settings = tuple(self.scene["style"]), tuple(self.scene["setting"])
        self.nodes[0] = replace(
            self.nodes[0], setting=", ".join(settings) or None, style=style, camera=tuple(self.camera)
        )
        ends = [n for n in self.nodes if n.type in ("entity", "event")]
        contains = [Edge("n0", n.id, "contains", interval=self.present.get(n.id, FULL)) for n in ends]
        timed = [n for n in self.nodes if n.type == "event" and n.id not in self.prompt.untimed]
        for first, second in itertools.pairwise(timed):
            swapped, label = allen(first.interval, second.interval)
            pair = (second, first) if swapped else (first, second)
            self.edges.append(Edge(pair[0].id, pair[1].id, "temporal", label))
        # Contained nodes come last, so that the numbers of the other edges stay.
        graph = SceneGraph(self.prompt.text, self.nodes, self.edges + contains)
        graph.validate(self.prompt.id)
        return replace(self.prompt, graph=graph, places=settings, names=self.names, steps=self.steps)

    # -- statements ------------------------------------------------------------------------------------------------

    def _statement(self, text: str) -> None:
        keyword, _, rest = text.partition(": ")
        if keyword in ("setting", "style", "camera", "camera/style", "steps"):
            self._scene_words(keyword, rest)
        elif text == "@free":
            self.prompt.untimed |= {n.id for n in self.nodes if n.type == "event"}
        elif match := _EVENT.match(text):
            self._event(*match.groups())
        elif match := _RELATION.match(text):
            self._relation(*match.groups())
        elif match := _ENTITY.match(text):
            self._entity(*match.groups())
        else:
            raise UsageError(f"{self.prompt.id}: cannot read {text!r}")

    def _scene_words(self, keyword: str, rest: str) -> None:
        for part in () if keyword == "steps" else rest.split(","):
            words, _, step = part.strip().partition(" @")
            label, *others = words.lstrip("?").split("|")
            name = keyword.partition("/")[0]
            self.prompt.labels[f"{name}: {label}"] = tuple(others)
            if words.startswith("?"):
                self.prompt.optional.add(("scene", name, label))
            if keyword == "camera/style":
                self.prompt.camera_or_style += (label,)
            if name == "camera":
                self.camera.append(CameraMove(label, self._interval(step)))
            else:
                self.scene[name].append(label)

    def _entity(self, marks: str, name: str, tail: str, attributes: str | None) -> None:
        node_id = self._reference(name)
        index = self._index(node_id)
        if "!" in marks:
            self.nodes[index] = replace(self.nodes[index], negated=True)
        if "?" in marks and not (attributes and node_id in self.present):
            self.prompt.optional.add(node_id)
        parts = self._tail(tail)
        interval = self._interval(parts.get("step", [("", "")])[0][1])
        for mark, place in parts.get("screen", ()):
            self._edge(node_id, "n0", "location", place.replace("_", " "), interval, bool(mark))
        if "step" in parts and "screen" not in parts:
            self.present[node_id] = interval
        for attribute in _COMMA.split(attributes) if attributes else ():
            self._attribute(node_id, attribute.strip())

    def _attribute(self, owner: str, text: str) -> None:
        text, _, step = text.partition(" @")
        mark = re.match(r"[!?]*", text)[0]  # type: ignore[index]
        values = [value.strip() for value in text[len(mark) :].split(">")]
        if len(values) == 1:
            bounds = [self._interval(step)]
        else:
            count = len(values)
            cuts = [i / count for i in range(1, count)] if count > 2 else [change_time(self._interval(step))]
            bounds = list(zip([0.0, *cuts], [*cuts, 1.0], strict=True))
        for value, interval in zip(values, bounds, strict=True):
            if not value:
                continue
            words, _, letter = value.partition("/") if not value.startswith('"') else (value, "", "")
            label, *others = [word.strip('"') for word in words.split("|")]
            kind = "text" if value.startswith('"') else _KINDS.get(letter, "other")
            node = self._node("attribute", label, others, kind=kind, negated="!" in mark)
            if "?" in mark:
                self.prompt.optional.add(node)
            self._edge(owner, node, "has_attribute", None, (round(interval[0], 4), round(interval[1], 4)))

    def _relation(self, mark: str, sources: str, _: str, mark2: str, label: str, targets: str, tail: str) -> None:
        interval = self._interval(self._tail(tail).get("step", [("", "")])[0][1])
        first = label.split("|")[0]
        kind = "relation" if first in _POSSESSION or " than" in first or first.endswith(" as") else "spatial"
        for source in sources.split("+"):
            for target in targets.split("+"):
                ends = self._reference(source), self._reference(target)
                self._edge(*ends, kind, label, interval, bool(mark or mark2))

    def _event(self, marks: str, name: str, arguments: str, tail: str) -> None:
        parts = self._tail(tail)
        step = parts.get("step", [("", "")])[0][1]
        direction = parts.get("direction", [("", "")])[0][1].replace("_", " ")
        others = name.split("|")[1:]
        event = self._node(
            "event",
            name.split("|")[0].split("#")[0],
            others,
            negated="!" in marks,
            direction=direction.lstrip("?").split("|")[0] or None,
            manner=parts["manner"][0][1].lstrip("?") if "manner" in parts else None,
            interval=self._interval("" if step == "?" else step),
        )
        if "?" in marks:
            self.prompt.optional.add(event)
        if direction.startswith("?"):
            self.prompt.optional.add(("direction", event))
        self.prompt.labels[f"direction: {event}"] = tuple(direction.lstrip("?").split("|")[1:])
        if step == "?":
            self.prompt.untimed.add(event)
        roles = ("agent", "patient", "receiver")
        for role, names in zip(roles, (a.strip() for a in arguments.split(",")), strict=False):
            for entity in names.split("+") if names != "-" else ():
                self._edge(event, self._reference(entity), role, None, FULL, entity.startswith("?"))
        for mark, place in parts.get("place", ()):
            preposition, _, target = place.rpartition(" ")
            self._edge(event, self._reference(target), "location", preposition or None, FULL, bool(mark))
        for mark, place in parts.get("screen", ()):
            self._edge(event, "n0", "location", place, FULL, bool(mark))
        for _, tool in parts.get("tool", ()):
            self._edge(event, self._reference(tool), "instrument", None, FULL, True)

    # -- parts -----------------------------------------------------------------------------------------------------

    def _tail(self, text: str) -> dict[str, list[tuple[str, str]]]:
        parts: dict[str, list[tuple[str, str]]] = {}
        text = text.strip()
        if _TAIL.sub("", text).strip():
            raise UsageError(f"{self.prompt.id}: cannot read {text!r}")
        for screen_mark, screen, mark, place, direction, step, tool, manner in _TAIL.findall(text):
            for name, value in (("screen", screen), ("place", place), ("direction", direction), ("step", step)):
                if value:
                    parts.setdefault(name, []).append((screen_mark or mark, value))
            for name, value in (("tool", tool), ("manner", manner)):
                if value:
                    parts.setdefault(name, []).append(("", value))
        return parts

    def _reference(self, text: str) -> str:
        """The entity of a name; it is added when it is new."""
        match = _REFERENCE.match(text.strip())
        if not match:
            raise UsageError(f"{self.prompt.id}: cannot read the name {text!r}")
        _, name, star, others, star2 = match.groups()
        if name not in self.names:
            label = name.split("#")[0].replace("_", " ")
            labels = [other.split("#")[0].replace("_", " ") for other in others.split("|") if other]
            self.names[name] = self._node("entity", label, labels)
        node_id = self.names[name]
        if count := star or star2:
            index = self._index(node_id)
            self.nodes[index] = replace(self.nodes[index], count=int(count[1:] or 2))
            if count == "*":
                self.prompt.any_count.add(node_id)
        return node_id

    def _node(self, node_type: str, label: str, others: Sequence[str] = (), **fields: object) -> str:
        node = Node(f"n{len(self.nodes)}", node_type, label.replace("_", " "), **fields)  # type: ignore[arg-type]
        self.nodes.append(node)
        self.prompt.labels[node.id] = tuple(other.split("#")[0].replace("_", " ") for other in others)
        return node.id

    def _edge(
        self, source: str, target: str, kind: str, label: str | None, interval: Interval, optional: bool = False
    ) -> None:
        labels = label.split("|") if label else [None]
        if optional:
            self.prompt.optional.add(len(self.edges))
        self.prompt.labels[len(self.edges)] = tuple(other for other in labels[1:] if other)
        self.edges.append(Edge(source, target, kind, labels[0], interval))

    def _index(self, node_id: str) -> int:
        return int(node_id[1:])

    def _interval(self, step: str) -> Interval:
        if not step:
            return FULL
        first, dash, last = step.partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()):
            raise UsageError(f"{self.prompt.id}: expected a step as @2, @2- or @1-2; found @{step}")
        end = int(last) if last else self.steps if dash else int(first)
        return (round((int(first) - 1) / self.steps, 4), round(end / self.steps, 4))
