"""Captions that train the parser: told scenes of the embedded world, and the same with words the world lacks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar

import numpy as np

from mov_ai.captions.caption import Caption, Mention
from mov_ai.captions.lexicon import OtherWords, load
from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.graph.inflection import COMMON_VERBS, TRANSITIVE_VERBS, inflect, pluralize
from mov_ai.worlds.tabletop.grammar import describe
from mov_ai.worlds.tabletop.lexicon import (
    COLORS,
    HELD_OUT_PAIRS,
    INVERSE_SPATIAL,
    LIGHTS,
    MATERIALS,
    MOTIONS,
    SETTINGS,
    SHAPES,
    SIZES,
    SPATIAL,
)
from mov_ai.worlds.tabletop.scene import Action, Camera, Scene, Thing, split_seed

_T = TypeVar("_T")


class CaptionSource(Protocol):
    """Where captions with their graphs come from; caption `index` must always be the same."""

    def caption(self, index: int) -> tuple[str, SceneGraph, tuple[Mention, ...]]:
        """A text, the graph that it means, and where it speaks of the graph's nodes."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


WORDS = load("other_words", OtherWords)
_COLOR_CHANGES = ("turn", "become", "change")


class WorldCaptions:
    """Captions of told scenes: what the grammar words, without placing anything on a floor.

    Args:
        split: "train", "validation" or "test".
        substituted: share of captions in which words are replaced by ones that the world does not know.
    """

    def __init__(self, split: str = "train", substituted: float = 0.45) -> None:
        self.split, self.substituted = split, substituted

    def caption(self, index: int) -> tuple[str, SceneGraph, tuple[Mention, ...]]:
        """Caption `index`, always the same."""
        rng = split_seed(self.split, index)
        told = describe(told_scene(rng, self.split), rng, self.split)
        if rng.random() < self.substituted:
            told = with_other_words(told, rng)
        return told.text, told.graph, told.mentions


# -- scenes that are only told -----------------------------------------------------------------------------------------


def _pick(rng: np.random.Generator, options: Sequence[_T]) -> _T:
    return options[int(rng.integers(len(options)))]


def told_scene(rng: np.random.Generator, split: str) -> Scene:
    """A scene to put into words: things, actions, relations, setting and light, but no objects and no camera's view.

    More varied than `scene.sample_scene`, for nothing has to fit into a frame: up to five steps, and more often two
    things that do the same. Only test scenes show `HELD_OUT_PAIRS`.
    """
    number = int(rng.choice([1, 2, 3, 4], p=[0.32, 0.40, 0.20, 0.08]))
    pairs = [(s, c) for s in SHAPES for c in COLORS if split == "test" or (s, c) not in HELD_OUT_PAIRS]
    things = []
    for i in rng.permutation(len(pairs))[:number]:
        shape, color = pairs[i]
        size, material = _pick(rng, list(SIZES)), _pick(rng, list(MATERIALS))
        count = int(rng.choice([1, 2, 3], p=[0.88, 0.07, 0.05]))
        things.append(Thing(shape, color, size, material, count))
    actions = _told_actions(rng, things)
    relations: tuple[tuple[int, str, int], ...] = ()
    appearing = {a.thing for a in actions if a.motion == "appear"}
    placed = [i for i, thing in enumerate(things) if thing.count == 1 and i not in appearing]
    if len(placed) > 1 and rng.random() < 0.45:
        i, j = (placed[int(k)] for k in rng.permutation(len(placed))[:2])
        relations = ((i, _pick(rng, list(INVERSE_SPATIAL)), j),)
    setting = str(rng.choice(list(SETTINGS), p=[0.6, 0.25, 0.15]))
    light = str(rng.choice(list(LIGHTS), p=[0.7, 0.15, 0.15]))
    camera = Camera((0.0, 0.0, -1.0), (0.0, 0.0, 0.0), 1.0)
    return Scene(tuple(things), (), actions, relations, setting, light, camera, (0.0, 0.0))


def _told_actions(rng: np.random.Generator, things: list[Thing]) -> tuple[Action, ...]:
    steps = int(rng.choice([0, 1, 2, 3, 4, 5], p=[0.06, 0.30, 0.34, 0.19, 0.07, 0.04]))
    colors = {i: thing.color for i, thing in enumerate(things)}
    seen: set[int] = set()
    actions: list[Action] = []
    previous = -1
    for step in range(steps):
        interval = (round(step / steps, 4), round((step + 1) / steps, 4))
        order = [int(i) for i in rng.permutation(len(things))]
        if previous >= 0 and rng.random() < 0.5:
            order.sort(key=lambda i: i != previous)
        shared: tuple[str, str | None] | None = None
        actors = order[: 2 if len(things) > 1 and rng.random() < 0.22 else 1]
        if len(actors) == 1 and rng.random() < 0.07:
            # One thing that does two things at the same time, as in "spins while rising".
            actors = [order[0], order[0]]
        for index in actors:
            options = [m for m in MOTIONS if (m != "appear" or index not in seen) and m not in ("stay", "vanish")]
            if len(set(actors)) == len(actors):
                options = [m for m in MOTIONS if m != "appear" or index not in seen]
            elif shared is not None and shared[0] in options:
                options.remove(shared[0])
            motion, value = (
                _pick(rng, [*options, *(m for m in ("left", "left", "right", "right", "turn") if m in options)]),
                None,
            )
            if (
                shared is not None
                and len(set(actors)) > 1
                and shared[0] != "turn"
                and shared[0] in options
                and rng.random() < 0.3
            ):
                motion = shared[0]
            if motion == "turn":
                value = _pick(rng, [c for c in COLORS if c != colors[index]])
                colors[index] = value
            shared = (motion, value)
            seen.add(index)
            actions.append(Action(index, motion, interval, value))
            previous = index
    return tuple(actions)


# -- other words -------------------------------------------------------------------------------------------------------


def invented_word(rng: np.random.Generator) -> str:
    """A word that no one knows: the network must then go by its place in the sentence."""
    onsets, vowels, codas = (
        _words("b d f g k l m n p r s t v z bl dr gr pl st tr"),
        "aeiou",
        _words("b d g k l m n p t x nk"),
    )
    middle = f"{_pick(rng, onsets)}{_pick(rng, vowels)}" if rng.random() < 0.6 else ""
    return f"{_pick(rng, onsets)}{_pick(rng, vowels)}{middle}{_pick(rng, codas)}"


def with_other_words(caption: Caption, rng: np.random.Generator) -> Caption:
    """The caption with nouns, adjectives, verbs, numbers or prepositions replaced, and now and then a negation."""
    return _Substitution(caption, rng).apply()


class _Substitution:
    """Collects replacements of text ranges and the changes they make to nodes and edges."""

    def __init__(self, caption: Caption, rng: np.random.Generator) -> None:
        self.caption, self.rng, self.text = caption, rng, caption.text
        self.nodes = {node.id: node for node in caption.graph.nodes}
        self.edges = list(caption.graph.edges)
        #: Replaced range -> (new text, offset of the head within the new text).
        self.changes: dict[tuple[int, int], tuple[str, int]] = {}
        #: Mentions that the replacements add.
        self.said: list[Mention] = []
        self.mentions: dict[str, list[tuple[int, int]]] = {}
        for mention in caption.mentions:
            self.mentions.setdefault(mention.node, []).append(mention.span)

    def apply(self) -> Caption:
        """Replace, and rebuild text, spans and graph."""
        self._nouns()
        self._adjectives()
        self._verbs()
        self._numbers()
        self._prepositions()
        self._goals()
        self._objects()
        return self._rebuilt()

    def _word(self, span: tuple[int, int]) -> str:
        return self.text[slice(*span)].lower()

    def _put(self, span: tuple[int, int], new: str, head: int = 0) -> None:
        if self.text[span[0] : span[0] + 1].isupper() and span[1] > span[0]:
            new = new[0].upper() + new[1:]
        self.changes[span] = (new, head)

    def _nouns(self) -> None:
        used: set[str] = set()
        for node in [n for n in self.nodes.values() if n.type == "entity"]:
            if self.rng.random() > 0.6:
                continue
            noun = _pick(self.rng, WORDS.nouns)
            if self.rng.random() < 0.2:
                noun = invented_word(self.rng)
            elif self.rng.random() < 0.1:
                noun = _pick(self.rng, WORDS.compounds)
            if noun in used:
                continue
            used.add(noun)
            for span in self.mentions[node.id]:
                word = self._word(span)
                if not word.startswith(node.label):
                    continue
                plural = word != node.label
                self._put(span, pluralize(noun) if plural else noun)
            self.nodes[node.id] = replace(node, label=noun)

    def _adjectives(self) -> None:
        turning = {e.source for e in self.edges if e.type == "has_attribute" and e.interval != (0.0, 1.0)}
        owners = {e.target: e.source for e in self.edges if e.type == "has_attribute"}
        for node in [n for n in self.nodes.values() if n.type == "attribute"]:
            if self.rng.random() > 0.35:
                continue
            kind = _pick(self.rng, list(WORDS.adjectives))
            if owners[node.id] in turning:
                # What changes with time must stay a colour, and nothing else may become one.
                kind = "color" if node.kind == "color" else "other"
            word = _pick(self.rng, WORDS.adjectives[kind])
            if kind == "other" and self.rng.random() < 0.4:
                word = invented_word(self.rng)
            for span in self.mentions[node.id]:
                self._put(span, word)
            self.nodes[node.id] = replace(node, label=word, kind=kind)

    def _verbs(self) -> None:
        for node in [n for n in self.nodes.values() if n.type == "event"]:
            span = self.mentions[node.id][0]
            lemma = node.label
            passive = any(e.source == node.id and e.type == "patient" for e in self.edges)
            if lemma not in (*_COLOR_CHANGES, "approach") and self.rng.random() < 0.35:
                lemma = _pick(self.rng, TRANSITIVE_VERBS if passive else COMMON_VERBS)
                if self.rng.random() < 0.2:
                    lemma = invented_word(self.rng)
            form = self._form(node.label, self._word(span))
            negated = self.rng.random() < 0.04
            before = self.text[: span[0]].rstrip().rsplit(" ", 1)[-1].lower()
            if negated and form == "present":
                start = _pick(self.rng, ("does not ", "doesn't ", "does not "))
                self._put(span, start + lemma, len(start))
            elif negated and before in ("is", "are", "was", "were"):
                self._put(span, "not " + inflect(lemma, form), 4)
            elif lemma != node.label:
                negated = False
                self._put(span, inflect(lemma, form))
            else:
                negated = False
            self.nodes[node.id] = replace(node, label=lemma, negated=negated)

    def _form(self, lemma: str, word: str) -> str:
        forms = ("present", "gerund", "past", "participle", "base")
        return next(form for form in forms if inflect(lemma, form) == word)

    def _numbers(self) -> None:
        for node in [n for n in self.nodes.values() if n.type == "entity" and n.count > 1]:
            span = number_before(self.text, self.mentions[node.id][0][0], node.count)
            if span is not None and self._word(span) != "pair" and self.rng.random() < 0.4:
                word = _pick(self.rng, list(WORDS.numbers))
                self._put(span, word)
                self.nodes[node.id] = replace(self.nodes[node.id], count=WORDS.numbers[word])

    def _prepositions(self) -> None:
        for i, edge in enumerate(self.edges):
            if edge.type != "spatial" or self.rng.random() > 0.5 or edge.label is None:
                continue
            found = spatial_words(self.text, self.mentions[edge.source], self.mentions[edge.target], edge.label)
            if found is not None:
                label = _pick(self.rng, list(WORDS.relations))
                self._put(found[2], _pick(self.rng, WORDS.relations[label]))
                self.edges[i] = replace(edge, label=label)

    def _goals(self) -> None:
        """Let a thing move toward or away from another thing instead of the camera."""
        for match in re.finditer(r"(?:toward|towards|from|closer to) (the camera|the viewer|us)\b", self.text):
            start, end = match.span(1)
            events = [m for m in self.caption.mentions if m.span[1] <= start and self.nodes[m.node].type == "event"]
            if not events or self.rng.random() > 0.85:
                continue
            event = events[-1].node
            moving = {e.target for e in self.edges if e.source == event}
            told = [
                node
                for node in self.nodes.values()
                if node.type == "entity" and node.id not in moving and self.mentions[node.id][0][1] <= start
            ]
            if not told:
                continue
            goal = _pick(self.rng, told)
            span = self.mentions[goal.id][0]
            word = self.changes[span][0] if span in self.changes else self.text[slice(*span)]
            self._put((start, end), f"the {word.lower()}", 4)
            self.edges.append(Edge(event, goal.id, "location"))
            self.said.append(Mention((start, end), goal.id, "coref"))

    def _objects(self) -> None:
        """Give events other participants: "chases a dog", "is pushed by a robot", "jumps onto the cube"."""
        for node in [n for n in self.nodes.values() if n.type == "event"]:
            if node.label in (*_COLOR_CHANGES, "approach") or self.rng.random() > 0.14:
                continue
            start, end = self.mentions[node.id][0]
            passive = any(e.source == node.id and e.type == "patient" for e in self.edges)
            ends_here = self.text[end : end + 1] in ("", ".", ",", ";")
            words: tuple[str, ...]
            if passive:
                role, words = "agent", ("by",)
            elif ends_here and self.rng.random() < 0.5:
                role, words = "location", ("onto", "over", "past", "into", "through", "around", "on", "under", "off")
            else:
                role, words = "patient", ("",)
            if role == "patient":
                form = self._form(node.label, self._word((start, end))) if (start, end) not in self.changes else None
                if form is None:
                    continue
                lemma = _pick(self.rng, TRANSITIVE_VERBS)
                self._put((start, end), inflect(lemma, form))
                self.nodes[node.id] = replace(node, label=lemma)
            self._insert(node.id, end, role, _pick(self.rng, words))

    def _insert(self, event: str, place: int, role: str, word: str) -> None:
        """Put a new thing, or one spoken of before, behind an event's verb."""
        lead = f" {word} " if word else " "
        acting = {e.target for e in self.edges if e.source == event}
        told = [
            n
            for n in self.nodes.values()
            if n.type == "entity" and n.id not in acting and self.mentions[n.id][0][1] <= place
        ]
        if told and self.rng.random() < 0.5:
            node = _pick(self.rng, told)
            span = self.mentions[node.id][0]
            noun = (self.changes[span][0] if span in self.changes else self.text[slice(*span)]).lower()
            start = f"{lead}the "
            kind = "coref"
        else:
            noun = _pick(self.rng, WORDS.nouns)
            node = Node(f"n{len(self.nodes)}", "entity", noun, (place, place))
            self.nodes[node.id] = node
            self.edges.append(Edge("n0", node.id, "contains"))
            self.mentions[node.id] = [(place, place)]
            article = "an" if noun[0] in "aeiou" else "a"
            start = f"{lead}{_pick(self.rng, (article, article, 'the'))} "
            kind = "node"
        self._put((place, place), start + noun, len(start))
        self.edges.append(Edge(event, node.id, role))
        self.said.append(Mention((place, place), node.id, kind))

    def _rebuilt(self) -> Caption:
        text, last = "", 0

        def article(match: re.Match[str], following: str) -> str:
            return match[1] + ("n " if following in "aeiou" else " ")

        moved: dict[int, int] = {}
        head: dict[tuple[int, int], tuple[int, int]] = {}
        for span in sorted(self.changes):
            new, offset = self.changes[span]
            before = self.text[last : span[0]]
            fixed = re.sub(r"\b([Aa])n? $", partial(article, following=new[0]), before)
            for position in range(last, span[0]):
                moved[position] = len(text) + position - last
            text += fixed
            head[span] = (len(text) + offset, len(text) + len(new))
            text, last = text + new, span[1]
        for position in range(last, len(self.text) + 1):
            moved[position] = len(text) + position - last
        text += self.text[last:]

        def place(span: tuple[int, int]) -> tuple[int, int]:
            return head.get(span) or (moved[span[0]], moved[span[1] - 1] + 1)

        nodes: list[Node] = []
        for node in self.nodes.values():
            nodes.append(node if node.span is None else replace(node, span=place(node.span)))
        graph = SceneGraph(text, nodes, self.edges)
        mentions = tuple(
            replace(m, span=place(m.span)) for m in sorted([*self.caption.mentions, *self.said], key=lambda m: m.span)
        )
        return Caption(text, graph, mentions, self.caption.things, self.caption.pattern)


# -- words that the graph does not point at ----------------------------------------------------------------------------

_NUMBER = {"two": 2, "2": 2, "pair": 2, "three": 3, "3": 3, **WORDS.numbers}


def number_before(text: str, start: int, count: int) -> tuple[int, int] | None:
    """Where the word for `count` stands that is nearest before a noun starting at `start`; None if there is none."""
    found = None
    for match in re.finditer(r"[A-Za-z0-9]+", text[max(0, start - 60) : start]):
        if _NUMBER.get(match[0].lower()) == count:
            found = (max(0, start - 60) + match.start(), max(0, start - 60) + match.end())
    return found


def spatial_words(
    text: str, sources: Sequence[tuple[int, int]], targets: Sequence[tuple[int, int]], label: str
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]] | None:
    """The mentions that a relation's words stand between: (source, target, words), or None."""
    wordings = sorted({*SPATIAL.get(label, ()), *WORDS.relations.get(label, ())}, key=len, reverse=True)
    options = sorted((t[0] - s[1], s, t) for s in sources for t in targets if t[0] > s[1])
    for _, source, target in options:
        for wording in wordings:
            match = re.search(rf"\b{wording}\b", text[source[1] : target[0]], re.IGNORECASE)
            if match:
                return source, target, (source[1] + match.start(), source[1] + match.end())
    return None


def temporal_labels(edges: Sequence[Edge]) -> dict[tuple[str, str], str]:
    """(source, target) -> label of the temporal edges."""
    return {(edge.source, edge.target): str(edge.label) for edge in edges if edge.type == "temporal"}
