"""A gold graph laid over the tokens of its caption: what the parser's network should say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from mov_ai.captions.caption import Mention
from mov_ai.captions.unmarked_words import number_before, spatial_words
from mov_ai.graph import Edge, Interval, Node, SceneGraph
from mov_ai.graph.convert import FACTUAL_WORDINGS, relation_label
from mov_ai.graph.time import FULL, change_time, part_of_video
from mov_ai.parser.entities import number_of
from mov_ai.parser.network import DIRECTIONS, LINKS, ORDERS, PARTS, ROLES, SPATIAL_LABELS, UNLINKED
from mov_ai.parser.timeline import tokens_of
from mov_ai.parser.token_graph import TokenGraph
from mov_ai.parser.vocabulary import COPY, TextWording, Vocabulary, base_verb
from mov_ai.parser.written import QUOTES
from mov_ai.training.parser_samples import IGNORED, Sample, Targets

#: Words that say that two events are at one time.
_AT_ONCE = {"while", "as", "when", "during", "meanwhile"}


def make_sample(
    tokens: TokenGraph,
    graph: SceneGraph,
    mentions: Sequence[Mention],
    vocabulary: Vocabulary,
    open_order: bool = False,
) -> Sample:
    """Lay the gold graph over the tokens of its text.

    `open_order`: events of one interval are at one time only if a word says so; else the text leaves it open, and so
    does the sample ("a dog runs, a cat jumps").
    """
    return _Alignment(tokens, graph, mentions, vocabulary, open_order).sample()


class _Alignment:
    def __init__(
        self,
        tokens: TokenGraph,
        graph: SceneGraph,
        mentions: Sequence[Mention],
        vocabulary: Vocabulary,
        open_order: bool,
    ) -> None:
        self.open_order = open_order
        self.tokens, self.graph, self.vocabulary = tokens, graph, vocabulary
        self.targets = Targets(tokens)
        self.role = self.targets.role
        self.nodes = {node.id: node for node in graph.nodes}
        #: Node id -> head tokens of its mentions, in the order of the text; and their character ranges.
        self.heads: dict[str, list[int]] = {}
        self.spans: dict[str, list[tuple[int, int]]] = {}
        self.mentions = mentions
        for mention in mentions:
            if mention.kind in ("node", "coref"):
                self.heads.setdefault(mention.node, []).append(self._head(mention.span))
                self.spans.setdefault(mention.node, []).append(mention.span)
        entities = [node.id for node in graph.of_type("entity")]
        told = Counter(head for node in entities for head in set(self.heads[node]))
        #: Node id -> while when it is there.
        self.present = {edge.target: edge.interval for edge in graph.edges if edge.type == "contains"}
        #: Tokens that speak of several things, which are told apart then.
        self.groups = {head for head, count in told.items() if count > 1}
        #: (node, place on the screen) of the places whose words were met.
        self.placed: set[tuple[str, str]] = set()

    def _words(self, span: tuple[int, int]) -> np.ndarray:
        """The tokens that a character range touches, without quotation marks."""
        touched = tokens_of(self.tokens.spans, *span)
        words = [token for token in touched if self.tokens.words[token] not in QUOTES]
        return np.array(words) if words else touched

    def _head(self, span: tuple[int, int]) -> int:
        """The last word of a character range."""
        return int(self._words(span)[-1])

    def _size(self, span: tuple[int, int]) -> int:
        return len(self._words(span))

    def _nearest(self, node: str, token: int) -> int:
        return min(self.heads[node], key=lambda head: (abs(head - token), head))

    def _link(self, source: int, target: int, name: str) -> None:
        if source != target:
            self.targets.links[source, target] = LINKS.index(name)

    def sample(self) -> Sample:
        self._roles()
        self._arguments()
        self._attributes()
        self._relations()
        self._extras()
        self._marks()
        self._attribute_rows()
        self._predicates()
        self.targets.shares = self._shares()
        chosen = np.flatnonzero(~np.isin(self.role, [ROLES.index(name) for name in UNLINKED]))
        row = {int(token): i for i, token in enumerate(chosen)}
        return self.targets.sample(chosen, self._orders(row), self.vocabulary)

    def _roles(self) -> None:
        for node_id, heads in self.heads.items():
            node = self.nodes[node_id]
            name = node.type if node.type != "attribute" else f"attribute:{node.kind}"
            for position, (head, span) in enumerate(zip(heads, self.spans[node_id], strict=True)):
                self.role[head] = ROLES.index(name)
                self.targets.negated[head] = int(node.negated and position == 0)
                if node.type == "entity":
                    self.targets.set_left(head, 0, self._size(span) - 1)
                    self.targets.part[head] = _part(self.present.get(node_id, FULL)) if not position else IGNORED
                    if self.tokens.pos[head] != "PRON":
                        self.targets.form[head, 0] = self.vocabulary.forms.index(COPY)
                    if position:
                        group = heads[position - 1] in self.groups
                        self._link(head, heads[position - 1], "member" if group else "coref")
                elif node.type == "event":
                    self.targets.direction[head] = DIRECTIONS.index(node.direction)
                elif node.type == "attribute":
                    self.targets.set_left(head, 1, self._size(span) - 1)
                    self.targets.form[head, 1] = self.vocabulary.forms.index(COPY)

    def _arguments(self) -> None:
        #: (event, place) -> how often the one was said to be the other's so far.
        told = Counter[tuple[str, str]]()
        for edge in self.graph.edges:
            if edge.target not in self.heads:
                continue
            event = self.heads[edge.source][0] if edge.source in self.heads else 0
            if edge.type in ("instrument", "location"):
                after = [head for head in self.heads[edge.target] if head > event]
                # "From the left of the car to the right of it": each side of the car has a mention of its own.
                place = min(told[edge.source, edge.target], len(after) - 1)
                told[edge.source, edge.target] += 1
                participant = after[place] if after else self.heads[edge.target][-1]
            elif edge.type in ("agent", "patient", "receiver"):
                before = [head for head in self.heads[edge.target] if head < event]
                after = [head for head in self.heads[edge.target] if head > event]
                # "The dog takes the ball and drops it": what is done to stands behind the verb, but for passives.
                behind = edge.type != "agent" and after and self.tokens.tags[event] != "VBN"
                participant = after[0] if behind or not before else before[-1]
            else:
                continue
            # "Two swans face each other": one word, who does it; to whom, its predicate with itself says.
            if (event, participant) not in self.targets.links:
                self._link(event, participant, edge.type)

    def _attributes(self) -> None:
        for edge in self.graph.edges:
            if edge.type != "has_attribute" or edge.target not in self.heads:
                continue
            for head in self.heads[edge.target]:
                self._link(self._nearest(edge.source, head), head, "has_attribute")
                self.targets.part[head] = _part(edge.interval)
            event = self._cause(edge)
            if event is not None:
                self._link(event, min(self.heads[edge.target], key=lambda head: abs(head - event)), "result")

    def _cause(self, edge: Edge) -> int | None:
        """The verb of the event that brings an attribute about: of those that change it in time, the nearest before."""
        start = edge.interval[0]
        if start <= 0:
            return None
        word = self.heads[edge.target][0]
        causes = [
            self.heads[argument.source][0]
            for argument in self.graph.edges_to(edge.source)
            if argument.type in ("agent", "patient")
            and abs(change_time(self.nodes[argument.source].interval) - start) < 1e-6
        ]
        return min(causes, key=lambda head: (head > word, abs(head - word)), default=None)

    def _relations(self) -> None:
        marked = {mention.node for mention in self.mentions if mention.kind == "relation"}
        for edge in self.graph.edges:
            if edge.type != "spatial" or edge.label not in SPATIAL_LABELS or edge.target in marked:
                continue
            words = spatial_words(self.graph.caption, self.spans[edge.source], self.spans[edge.target], edge.label)
            if words is not None:
                self._link(self._head(words[0]), self._head(words[1]), f"spatial:{edge.label}")

    def _extras(self) -> None:
        """Words that belong to a node but have no node of their own: numbers, manners, setting, light."""
        marked = {mention.node for mention in self.mentions if mention.kind == "number"}
        for node in self.graph.nodes:
            if node.type == "entity" and node.count > 1 and node.id not in marked:
                span = number_before(self.graph.caption, self.spans[node.id][0][0], node.count)
                if span is not None:
                    token = self._head(span)
                    self.role[token] = ROLES.index("number")
                    self._link(self.heads[node.id][0], token, "number")
            if node.manner is not None:
                event = self.heads[node.id][0]
                words = tuple(node.manner.split())
                last = len(words) - 1
                places = [i for i in range(last, len(self.tokens)) if self.tokens.words[i - last : i + 1] == words]
                if places:
                    token = min(places, key=lambda i: abs(i - event))
                    self.role[token] = ROLES.index("manner")
                    self.targets.set_left(token, 1, last)
                    self._link(event, token, "manner")
            for name in ("setting", "light"):
                value = getattr(node, name)
                # The graph has no span for these fields, so the phrase is looked up by its words.
                if value is not None:
                    self.role[_field_tokens(self.tokens, name, value, self.role)] = ROLES.index(name)

    def _marks(self) -> None:
        """Words that name no node: numbers, camera moves, styles, places on the screen."""
        # They stand in the graph in the order of the text.
        moves = iter([move for node in self.graph.of_type("scene") for move in node.camera])
        for mention in self.mentions:
            words = self._words(mention.span)
            if mention.kind == "number":
                # "a pair of": the last word that is a number by itself.
                numbers = [token for token in words if number_of(self.tokens.words[token]) is not None]
                number = (numbers or words)[-1]
                self.role[number] = ROLES.index("number")
                self._link(self.heads[mention.node][0], int(number), "number")
            elif mention.kind in ("camera", "style"):
                self.role[words] = ROLES.index(mention.kind)
                if mention.kind == "camera":
                    self.targets.part[words] = _part(next(moves).interval)
            elif mention.kind == "place":
                self._screen_place(mention, words)

    def _screen_place(self, mention: Mention, words: np.ndarray) -> None:
        said = self.graph.caption[slice(*mention.span)].lower()
        places = [e for e in self.graph.edges if e.type == "location" and e.target == "n0" and e.label == said]
        if not places:
            return
        self.role[words] = ROLES.index("place")
        for edge in places:
            if (edge.source, said) not in self.placed:
                self.placed.add((edge.source, said))
                self._link(self._nearest(edge.source, int(words[-1])), int(words[-1]), "place")
                self.targets.part[words] = PARTS.index("first") if self._leaves(edge) else _part(edge.interval)
                return

    def _leaves(self, edge: Edge) -> bool:
        """Whether a thing is at its place only at first, for it goes to another: "slides from left to right"."""
        goes = {e.source for e in self.graph.edges_to(edge.source) if e.type in ("agent", "patient")}
        return edge.interval == FULL and any(e.source in goes for e in self.graph.edges_to("n0", "location"))

    def _attribute_rows(self) -> None:
        """An entity's mention has the attributes and the number that are linked to it."""
        events = [head for node in self.graph.of_type("event") for head in self.heads[node.id]]
        for node in self.graph.of_type("entity"):
            for head in self.heads[node.id]:
                self.targets.attribute[head] = 0
                # FACTUAL calls a verb without an object an attribute, these captions do not.
                self.targets.attribute[head, events] = IGNORED
        for (source, target), link in self.targets.links.items():
            if LINKS[link] in ("has_attribute", "number"):
                self.targets.attribute[source, target] = 1

    def _predicates(self) -> None:
        """Relations and events as FACTUAL words them, between the mentions that the links lead to; else nothing."""
        wording = self.vocabulary.wording(self.tokens)
        mentions = [head for node in self.graph.of_type("entity") for head in self.heads[node.id]]
        targets = self.targets.predicates
        targets.update({(a, b): 0 for a in mentions for b in mentions})
        for node in self.graph.of_type("event"):
            verb = self.heads[node.id][0]
            linked = [(LINKS[link], token) for (source, token), link in self.targets.links.items() if source == verb]
            agents, patients = ([token for name, token in linked if name == role] for role in ("agent", "patient"))
            objects: list[tuple[int, str | None]] = [(token, "") for token in patients if agents]
            objects += [
                (token, self.vocabulary.preposition(self.tokens, verb, token))
                for name, token in linked
                if name in ("location", "instrument", "receiver")
            ]
            for subject in agents or patients:
                for token, preposition in objects:
                    words = f"{base_verb(self.tokens, verb)} {preposition or ''}".strip()
                    choice = self.vocabulary.choice(self.tokens, wording, words)
                    is_certain = choice is not None and preposition is not None and not node.negated
                    targets[subject, token] = choice if is_certain and choice is not None else IGNORED
            for words, mention in self._mutual(node, verb):
                choice = self.vocabulary.choice(self.tokens, wording, words)
                targets[mention, mention] = IGNORED if choice is None or node.negated else choice
        for (source, target), link in self.targets.links.items():
            if LINKS[link].startswith("spatial:"):
                label = LINKS[link].split(":")[1]
                choice = self.vocabulary.choice(self.tokens, wording, FACTUAL_WORDINGS.get(label, label))
                targets[source, target] = IGNORED if choice is None else choice
        self._marked_predicates(wording)

    def _mutual(self, event: Node, verb: int) -> list[tuple[str, int]]:
        """How a thing's doing to itself is worded, and the thing's mention: "Two wolves fight with each other"."""
        edges = self.graph.edges_from(event.id)
        agents = {edge.target for edge in edges if edge.type == "agent"}
        return [
            (f"{base_verb(self.tokens, verb)} {edge.label or ''}".strip(), self._nearest(edge.target, verb))
            for edge in edges
            if edge.type in ("patient", "location") and edge.target in agents
        ]

    def _marked_predicates(self, wording: TextWording) -> None:
        """Relations whose words are marked, or that an apostrophe says ("her friend's hair")."""
        said = [
            (mention.node, self.graph.caption[slice(*mention.span)].lower())
            for mention in self.mentions
            if mention.kind == "relation"
        ]
        edges = [edge for edge in self.graph.edges if edge.type in ("spatial", "relation")]
        # Words before the first of a list are meant for all of it.
        marked = {(edge.source, edge.label) for edge in edges if edge.target in dict(said)}
        for edge in edges:
            if edge.label != "of" and (edge.source, edge.label) not in marked:
                continue
            label = str(edge.label)
            wordings = [*(words for _, words in said if relation_label(words) == relation_label(label)), label]
            choices = (self.vocabulary.choice(self.tokens, wording, words) for words in wordings)
            choice = next((choice for choice in choices if choice is not None), IGNORED)
            head, tail = self._ends(edge)
            if head != tail or edge.source == edge.target:
                self.targets.predicates[head, tail] = choice

    def _ends(self, edge: Edge) -> tuple[int, int]:
        """The nearest mentions of both ends of an edge."""
        pairs = [(a, b) for a in self.heads[edge.source] for b in self.heads[edge.target]]
        return min(pairs, key=lambda pair: (abs(pair[0] - pair[1]), pair))

    def _shares(self) -> list[int]:
        """Thousandths of the clip that each sentence lasts, where they follow each other without gap or overlap.

        Sentences without events last no time of their own.
        """
        starts = self.tokens.sentences
        hulls: list[list[float]] = [[2.0, 0.0] for _ in starts]
        for node in self.graph.of_type("event"):
            hull = hulls[int(np.searchsorted(starts, self.heads[node.id][0], side="right")) - 1]
            hull[:] = min(hull[0], node.interval[0]), max(hull[1], node.interval[1])
        used_hulls = [hull for hull in hulls if hull[1] > 0]
        ends = [0.0, *(end for _, end in used_hulls)]
        in_sequence = all(abs(hull[0] - end) < 1e-3 for hull, end in zip(used_hulls, ends, strict=False))
        if len(used_hulls) < 2 or not in_sequence or abs(ends[-1] - 1) > 1e-3:
            return []
        return [round(1000 * (end - start)) if end > 0 else 0 for start, end in hulls]

    def _is_open(self, first: str, second: str) -> bool:
        """Whether no word says that two events are at one time."""
        start, end = sorted((self.heads[first][0], self.heads[second][0]))
        return self.open_order and not _AT_ONCE & set(self.tokens.words[start:end])

    def _orders(self, row: dict[int, int]) -> np.ndarray:
        order = np.full((len(row), len(row)), IGNORED, dtype=np.int64)
        labels = {(e.source, e.target): str(e.label) for e in self.graph.edges if e.type == "temporal"}
        events = self.graph.of_type("event")
        for a in events:
            for b in events:
                # Two may share a verb: "goes to the left, then to the top".
                if self.heads[a.id][0] == self.heads[b.id][0]:
                    continue
                if a.interval[1] <= b.interval[0]:
                    name = "meets" if labels.get((a.id, b.id)) == "meets" else "before"
                elif b.interval[1] <= a.interval[0]:
                    name = "met by" if labels.get((b.id, a.id)) == "meets" else "after"
                elif self._is_open(a.id, b.id):
                    continue
                else:
                    name = "equal"
                order[row[self.heads[a.id][0]], row[self.heads[b.id][0]]] = ORDERS.index(name)
        return order


def _part(interval: Interval) -> int:
    """Of which part of the video something holds, as an index in PARTS."""
    return PARTS.index(part_of_video(interval))


def _field_tokens(tokens: TokenGraph, name: str, value: str, role: np.ndarray) -> list[int]:
    """The tokens that say the setting or the light; none if no words of the text do."""
    words = tuple(value.split())
    size = len(words)
    places = [
        i for i in range(len(tokens) - size + 1) if tokens.words[i : i + size] == words and not role[i : i + size].any()
    ]
    if name == "light":
        lit = ({"light", "lit", "illuminated"}, (("light",), ("lighting",)))
        places = [
            i
            for i in places
            if lit[0] & set(tokens.words[max(0, i - 7) : i]) or tokens.words[i + size : i + size + 1] in lit[1]
        ]
    return list(range(places[0], places[0] + size)) if places else []
