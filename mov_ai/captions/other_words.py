"""The captions of a world with other words in them, so that a parser learns to read what the world does not know."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from mov_ai.captions.caption import Caption, Mention
from mov_ai.captions.choices import Choices
from mov_ai.captions.english import article
from mov_ai.captions.lexicon import OtherWords, RelationWords, load
from mov_ai.captions.text import Span
from mov_ai.captions.unmarked_words import number_before, spatial_words
from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.graph.inflection import COMMON_VERBS, TRANSITIVE_VERBS, inflect, pluralize

WORDS = load("other_words", OtherWords)
_RELATIONS = load("relations", RelationWords).more
#: Verbs that keep their meaning in every caption: changes of colour, and one that says where its subject goes.
_CHANGE_VERBS = ("turn", "become", "change", "approach")


def with_other_words(caption: Caption, rng: np.random.Generator) -> Caption:
    """The caption with nouns, adjectives, verbs, numbers or prepositions replaced, and now and then a negation."""
    return _Substitution(caption, rng).apply()


class _Substitution(Choices):
    """Collects replacements of text ranges and the changes they make to nodes and edges."""

    def __init__(self, caption: Caption, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self.caption, self.text = caption, caption.text
        self.nodes = {node.id: node for node in caption.graph.nodes}
        self.edges = list(caption.graph.edges)
        self.passive = {edge.source for edge in self.edges if edge.type == "patient"}
        #: Replaced range -> (new text, offset of the head within the new text).
        self.changes: dict[Span, tuple[str, int]] = {}
        #: Mentions that the replacements add.
        self.added: list[Mention] = []
        self.spans: dict[str, list[Span]] = {}
        for mention in caption.mentions:
            self.spans.setdefault(mention.node, []).append(mention.span)

    def apply(self) -> Caption:
        """Replace, and rebuild text, spans and graph."""
        self._replace_nouns()
        self._replace_adjectives()
        self._replace_verbs()
        self._replace_numbers()
        self._replace_prepositions()
        self._move_to_things()
        self._add_participants()
        return self._rebuilt()

    def _of_type(self, kind: str) -> list[Node]:
        return [node for node in self.nodes.values() if node.type == kind]

    def _word(self, span: Span) -> str:
        return self.text[slice(*span)].lower()

    def _new_word(self, span: Span) -> str:
        return (self.changes[span][0] if span in self.changes else self.text[slice(*span)]).lower()

    def _put(self, span: Span, new: str, head: int = 0) -> None:
        if self.text[span[0] : span[0] + 1].isupper() and span[1] > span[0]:
            new = new[0].upper() + new[1:]
        self.changes[span] = (new, head)

    def _invented(self) -> str:
        """An invented word: the network can only use its place in the sentence."""

        def syllable() -> str:
            return self.pick(WORDS.onsets) + self.pick("aeiou")

        middle = syllable() if self.chance(0.6) else ""
        return syllable() + middle + self.pick(WORDS.codas)

    # -- one word for another ------------------------------------------------------------------------------------------

    def _replace_nouns(self) -> None:
        used: set[str] = set()
        for node in self._of_type("entity"):
            if not self.chance(0.6):
                continue
            noun = self.pick(WORDS.nouns)
            if self.chance(0.2):
                noun = self._invented()
            elif self.chance(0.1):
                noun = self.pick(WORDS.compounds)
            if noun in used:
                continue
            used.add(noun)
            for span in self.spans[node.id]:
                # Pronouns stay.
                if self._word(span).startswith(node.label):
                    self._put(span, noun if self._word(span) == node.label else pluralize(noun))
            self.nodes[node.id] = replace(node, label=noun)

    def _replace_adjectives(self) -> None:
        attribute_edges = [edge for edge in self.edges if edge.type == "has_attribute"]
        turning = {edge.source for edge in attribute_edges if edge.interval != (0.0, 1.0)}
        owners = {edge.target: edge.source for edge in attribute_edges}
        for node in self._of_type("attribute"):
            if not self.chance(0.35):
                continue
            kind = self.pick(list(WORDS.adjectives))
            if owners[node.id] in turning:
                # What changes over time keeps its kind: a colour becomes a colour, anything else something else.
                kind = "color" if node.kind == "color" else "other"
            word = self.pick(WORDS.adjectives[kind])
            if kind == "other" and self.chance(0.4):
                word = self._invented()
            for span in self.spans[node.id]:
                self._put(span, word)
            self.nodes[node.id] = replace(node, label=word, kind=kind)

    def _form(self, event: Node) -> str:
        word = self._word(self.spans[event.id][0])
        forms = ("present", "gerund", "past", "participle", "base")
        return next(form for form in forms if inflect(event.label, form) == word)

    def _replace_verbs(self) -> None:
        for node in self._of_type("event"):
            span, lemma = self.spans[node.id][0], node.label
            if lemma not in _CHANGE_VERBS and self.chance(0.35):
                lemma = self.pick(TRANSITIVE_VERBS if node.id in self.passive else COMMON_VERBS)
                if self.chance(0.2):
                    lemma = self._invented()
            form = self._form(node)
            negated = self.chance(0.04)
            before = self.text[: span[0]].rstrip().rsplit(" ", 1)[-1].lower()
            if negated and form == "present":
                start = self.pick(("does not ", "doesn't ", "does not "))
                self._put(span, start + lemma, len(start))
            elif negated and before in ("is", "are", "was", "were"):
                self._put(span, "not " + inflect(lemma, form), 4)
            else:
                negated = False
                if lemma != node.label:
                    self._put(span, inflect(lemma, form))
            self.nodes[node.id] = replace(node, label=lemma, negated=negated)

    def _replace_numbers(self) -> None:
        for node in self._of_type("entity"):
            span = number_before(self.text, self.spans[node.id][0][0], node.count) if node.count > 1 else None
            if span is not None and self._word(span) != "pair" and self.chance(0.4):
                word = self.pick(list(WORDS.numbers))
                self._put(span, word)
                self.nodes[node.id] = replace(node, count=WORDS.numbers[word])

    def _replace_prepositions(self) -> None:
        for i, edge in enumerate(self.edges):
            if edge.type != "spatial" or edge.label is None or not self.chance(0.5):
                continue
            places = spatial_words(self.text, self.spans[edge.source], self.spans[edge.target], edge.label)
            if places is not None:
                label = self.pick(list(_RELATIONS))
                self._put(places[2], self.pick(_RELATIONS[label]))
                self.edges[i] = replace(edge, label=label)

    # -- more participants ---------------------------------------------------------------------------------------------

    def _named_before(self, event: str, place: int) -> list[Node]:
        """Entities that are named before a place in the text and have no part in an event."""
        acting = {edge.target for edge in self.edges if edge.source == event}
        entities = [node for node in self._of_type("entity") if node.id not in acting]
        return [node for node in entities if self.spans[node.id][0][1] <= place]

    def _move_to_things(self) -> None:
        """Let a thing move toward or away from another thing instead of the camera."""
        for match in re.finditer(r"(?:toward|towards|from|closer to) (the camera|the viewer|us)\b", self.text):
            span = match.span(1)
            events = [m for m in self.caption.mentions if m.span[1] <= span[0] and self.nodes[m.node].type == "event"]
            if not events or self.rng.random() > 0.85:
                continue
            goals = self._named_before(events[-1].node, span[0])
            if not goals:
                continue
            goal = self.pick(goals)
            self._put(span, f"the {self._new_word(self.spans[goal.id][0])}", 4)
            self.edges.append(Edge(events[-1].node, goal.id, "location"))
            self.added.append(Mention(span, goal.id, "coref"))

    def _add_participants(self) -> None:
        """Give events other participants: "chases a dog", "is pushed by a robot", "jumps onto the cube"."""
        for node in self._of_type("event"):
            if node.label in _CHANGE_VERBS or self.rng.random() > 0.14:
                continue
            span = self.spans[node.id][0]
            ends_here = self.text[span[1] : span[1] + 1] in ("", ".", ",", ";")
            if node.id in self.passive:
                self._add_participant(node.id, span[1], "agent", "by")
            elif ends_here and self.chance(0.5):
                self._add_participant(node.id, span[1], "location", self.pick(WORDS.places))
            elif span not in self.changes:
                lemma = self.pick(TRANSITIVE_VERBS)
                self._put(span, inflect(lemma, self._form(node)))
                self.nodes[node.id] = replace(node, label=lemma)
                self._add_participant(node.id, span[1], "patient", "")

    def _add_participant(self, event: str, place: int, role: str, preposition: str) -> None:
        """Put a new thing, or one named before, behind an event's verb."""
        lead = f" {preposition} " if preposition else " "
        named = self._named_before(event, place)
        if named and self.chance(0.5):
            node, kind = self.pick(named), "coref"
            noun, start = self._new_word(self.spans[node.id][0]), f"{lead}the "
        else:
            noun, kind = self.pick(WORDS.nouns), "node"
            node = Node(f"n{len(self.nodes)}", "entity", noun, (place, place))
            self.nodes[node.id], self.spans[node.id] = node, [(place, place)]
            self.edges.append(Edge("n0", node.id, "contains"))
            start = f"{lead}{self.pick((article(noun), article(noun), 'the'))} "
        self._put((place, place), start + noun, len(start))
        self.edges.append(Edge(event, node.id, role))
        self.added.append(Mention((place, place), node.id, kind))

    # -- the new caption -----------------------------------------------------------------------------------------------

    def _rebuilt(self) -> Caption:
        text, last = "", 0
        #: Old place in the text -> new place, of what was not replaced; replaced range -> range of its new head.
        moved: dict[int, int] = {}
        heads: dict[Span, Span] = {}
        for span in [*sorted(self.changes), (len(self.text), len(self.text) + 1)]:
            new, head = self.changes.get(span, ("", 0))
            moved |= {place: len(text) + place - last for place in range(last, span[0])}
            between = self.text[last : span[0]]
            if new:
                between = re.sub(r"\b([Aa])n? $", rf"\1{'n' if new[0] in 'aeiou' else ''} ", between)
            heads[span] = (len(text) + len(between) + head, len(text) + len(between) + len(new))
            text, last = text + between + new, span[1]

        def place(span: Span) -> Span:
            return heads.get(span) or (moved[span[0]], moved[span[1] - 1] + 1)

        nodes = [node if node.span is None else replace(node, span=place(node.span)) for node in self.nodes.values()]
        mentions = sorted([*self.caption.mentions, *self.added], key=lambda mention: mention.span)
        placed = tuple(replace(mention, span=place(mention.span)) for mention in mentions)
        graph = SceneGraph(text, nodes, self.edges)
        return Caption(text, graph, placed, self.caption.things, self.caption.pattern)
