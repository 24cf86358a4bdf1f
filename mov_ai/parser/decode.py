"""From the network's probabilities to a scene graph that is valid whatever the text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mov_ai.errors import UsageError
from mov_ai.graph import MAX_NODES, Edge, Interval, Node, SceneGraph, allen
from mov_ai.graph.convert import FACTUAL_WORDINGS, NUMBER_WORDS, said_name, to_triples
from mov_ai.graph.time import change_time, relation_end
from mov_ai.parser.lemmas import noun_lemma, travels, verb_lemma
from mov_ai.parser.network import DIRECTIONS, LINKS, ORDERS, ROLES, SPATIAL_LABELS
from mov_ai.parser.reading import Fact, Reading, read, words_before
from mov_ai.parser.scores import Scores
from mov_ai.parser.token_graph import TokenGraph
from mov_ai.parser.vocabulary import Vocabulary, span_words


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: Words that say how many. Vague ones get the smallest number that they may mean.
_COUNTS = NUMBER_WORDS | {
    "a": 1, "an": 1, "pair": 2, "couple": 2, "both": 2, "some": 3, "several": 3, "few": 3, "many": 5, "dozen": 12,
}  # fmt: skip
_PRONOUNS = ("it", "they", "them", "he", "she", "him", "her", "one", "ones", "this", "that", "these", "those", "itself")
_DEFINITE = ("the", "this", "that", "these", "those")
_INDEFINITE = ("a", "an", "another")
#: Without one of these nothing is negated.
_NEGATIONS = frozenset(_words("not n't n’t no never without none nobody nothing neither nor cannot nowhere hardly"))
#: A link that no argument takes for itself is still used if it is at least this likely.
_WEAK = 0.15
#: A link is not believed where the network is so sure that the two entities have nothing to do with each other.
_SURELY_NOT = 0.5
#: A pronoun stands for something: the likeliest entity told, if it is at least this likely.
_REFERS = 0.25
#: All steps last equally long if none would differ from that by more than this part of it.
_UNEVEN = 0.2
_MAX_COUNT = 1000
_EQUAL, _BEFORE, _AFTER = (np.eye(len(ORDERS))[ORDERS.index(name)] for name in ("equal", "before", "after"))
#: What ties a sentence to the time of another one, other than following it.
_OTHER_TIME = re.compile(
    r"\b(meanwhile|simultaneously|earlier|previously|beforehand|at the same (time|moment|instant)"
    r"|at that (time|moment)|(before|while|during|as|until) (this|that|it|these|those))\b",
    re.IGNORECASE,
)
_SPATIAL_WORDINGS = {wording: label for label, wording in FACTUAL_WORDINGS.items()}
#: Words that say where something is, besides `SPATIAL_LABELS`.
_PLACES = _words("over at inside beneath below around against between across along outside atop before beside near by")
_PLACES += ("on top of", "on side of", "on back of", "on edge of", "on bottom of", "on middle of", "close to")
_PLACES += ("to the left of", "on the left of", "to the right of", "on the right of", "in back of")


def choose(role: np.ndarray) -> np.ndarray:
    """The tokens whose pairs matter: ascending numbers; role is (N, roles)."""
    kinds = role.argmax(-1)
    unpaired = [ROLES.index(name) for name in ("none", "setting", "light")]
    return np.flatnonzero(~np.isin(kinds, unpaired))


def check_size(count: int) -> None:
    """Refuse a graph that is larger than the schema allows.

    Raises:
        UsageError: it names the limit.
    """
    if count > MAX_NODES:
        raise UsageError(
            f"the text describes {count} things, events and attributes; a scene graph holds at most {MAX_NODES} nodes: "
            "shorten the text or split it into several prompts"
        )


@dataclass(frozen=True)
class Parse:
    """A scene graph and the words that speak for it.

    Attributes:
        graph: the graph.
        edge_words: number of an edge in `graph.edges` -> character range of the word that tells of it; edges that no
            single word tells of ("contains") are left out. The words of a node are its span.
    """

    graph: SceneGraph
    edge_words: dict[int, tuple[int, int]]


def decode(text: str, tokens: TokenGraph, scores: Scores, vocabulary: Vocabulary) -> Parse:
    """Build the graph that the probabilities speak for.

    Raises:
        UsageError: if it would have more than `MAX_NODES` nodes.
    """
    return _Decoder(text, tokens, scores, vocabulary).parse()


def step_lengths(log_duration: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """How long one step of each sentence lasts: all the same, unless the network is sure of something else.

    Args:
        log_duration: (S,), of the sentences.
        steps: (S,), how many steps each has, at least 1.

    Returns:
        (S,), positive; with the number of steps they sum to 1.
    """
    shares = np.exp(log_duration - log_duration.max())
    lengths = shares / shares.sum() / steps
    uneven = np.abs(lengths * steps.sum() - 1).max()
    return lengths if uneven > _UNEVEN else np.full(len(steps), 1 / steps.sum())


# -- decoding ----------------------------------------------------------------------------------------------------------


@dataclass
class _Entity:
    """All mentions of one thing: token numbers, in the order of the text; and the words used for it."""

    mentions: list[int]
    nouns: set[str] = field(default_factory=set)
    adjectives: set[tuple[str, str]] = field(default_factory=set)
    id: str = ""

    def add(self, token: int, noun: str, adjectives: list[tuple[str, str]]) -> None:
        """Take in a mention."""
        self.mentions.append(token)
        self.nouns.add(noun)
        self.adjectives.update(adjectives)

    def agrees(self, noun: str, adjectives: list[tuple[str, str]]) -> bool | None:
        """Whether a later noun phrase names this entity (True), cannot (False), or may (None)."""
        if noun in _PRONOUNS and not (adjectives and noun in ("one", "ones")):
            return None
        if noun not in _PRONOUNS and noun not in self.nouns:
            return None
        if set(adjectives) <= self.adjectives:
            return True
        kinds = {kind for kind, _ in self.adjectives}
        new = set(adjectives) - self.adjectives
        return False if any(kind in kinds and kind != "attribute:other" for kind, _ in new) else None


@dataclass
class _Argument:
    """Who or what takes part in an event; `label` is the preposition, `said` the token that tells of it."""

    entity: _Entity
    role: str
    probability: float
    label: str | None = None
    said: int | None = None


@dataclass
class _Event:
    token: int
    id: str = ""
    rank: int = 0
    interval: Interval = (0.0, 1.0)
    arguments: list[_Argument] = field(default_factory=list)

    def doers(self) -> list[_Argument]:
        """Agents and patients."""
        return [argument for argument in self.arguments if argument.role in ("agent", "patient")]


@dataclass
class _Attribute:
    token: int
    left: int
    label: str
    kind: str
    owners: list[tuple[_Entity, float]]
    event: _Event | None
    id: str = ""


class _Decoder:
    """Reads one text's scores; token numbers everywhere, `place` maps them to rows of the pair scores."""

    def __init__(self, text: str, tokens: TokenGraph, scores: Scores, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.text, self.tokens, self.scores = text, tokens, scores
        self.kinds = [ROLES[k] for k in scores.role.argmax(-1)]
        self.place = {int(token): row for row, token in enumerate(scores.chosen)}
        self.reading: Reading = read(text, tokens, scores, vocabulary, self._takes_part())
        chosen = [int(token) for token in scores.chosen]
        self.entities = self._entities([t for t in chosen if t in self.reading.entities])
        self.owner = {mention: entity for entity in self.entities for mention in entity.mentions}
        # What is said of two mentions of one entity says nothing; of one mention, that its members do it to each other.
        self.facts = [
            fact
            for fact in self.reading.facts
            if (fact.head, fact.tail) not in self.reading.attributes
            and (fact.head == fact.tail or self.owner[fact.head] is not self.owner[fact.tail])
        ]
        verbs = {fact.verb for fact in self.facts if fact.verb is not None}
        worded = {token for (_, token), words in self.reading.attributes.items() if words != tokens.words[token]}
        events = {t for t in chosen if self.kinds[t] == "event"} - worded | (verbs - set(self.reading.entities))
        self.events = [_Event(t) for t in sorted(events)]
        self._order_events()
        for event in self.events:
            event.arguments = self._arguments(event)
        self._share_subjects()
        self._complete_lists()
        self._tell_of_both()
        self.attributes = self._attributes()

    def _takes_part(self) -> set[int]:
        """Tokens of entities that some event is about."""
        links = self.scores.link.argmax(-1)
        roles = [LINKS.index(name) for name in ("agent", "patient", "instrument", "location")]
        chosen = self.scores.chosen
        return {int(chosen[target]) for _, target in np.argwhere(np.isin(links, roles))}

    def _link(self, source: int, target: int, name: str) -> float:
        if source not in self.place or target not in self.place:
            return 0.0
        return float(self.scores.link[self.place[source], self.place[target], LINKS.index(name)])

    def _best_link(self, source: int, target: int) -> str:
        if source not in self.place or target not in self.place:
            return "none"
        return LINKS[int(self.scores.link[self.place[source], self.place[target]].argmax())]

    def _entities(self, found: list[int]) -> list[_Entity]:
        """Gather mentions into entities: the network's links, corrected where the words speak against or for one."""
        entities: list[_Entity] = []
        for token in found:
            noun, adjectives, determiner = self._noun_phrase(token)
            agreement = [entity.agrees(noun, adjectives) for entity in entities]
            links = [max(self._link(token, m, "coref") for m in entity.mentions) for entity in entities]
            chosen = None
            # "Before she jumps, a woman waves": what only pronouns spoke of so far may be named as something new.
            open_to = [determiner not in _INDEFINITE or entity.nouns <= set(_PRONOUNS) for entity in entities]
            if any(open_to):
                possible = [i for i, agrees in enumerate(agreement) if agrees is not False and open_to[i]]
                best = max(possible, key=lambda i: links[i], default=None)
                if determiner in _DEFINITE and agreement.count(True) == 1:
                    chosen = agreement.index(True)
                elif best is not None:
                    pronouns = noun in _PRONOUNS or entities[best].nouns <= set(_PRONOUNS)
                    chosen = best if links[best] > (_REFERS if pronouns else 0.5) else None
            if chosen is None:
                entities.append(_Entity([]))
                chosen = -1
            entities[chosen].add(token, noun, [*adjectives, *self._said_of(token, found)])
        return entities

    def _noun_phrase(self, token: int) -> tuple[str, list[tuple[str, str]], str]:
        """A mention's noun, its adjectives before it as (kind, word), and the word before them all."""
        tokens = self.tokens
        noun = noun_lemma(tokens.words[token], tokens.lemmas[token], tokens.tags[token])
        adjectives: list[tuple[str, str]] = []
        before = token - 1
        while before >= 0 and (self.kinds[before].startswith("attribute") or tokens.words[before] == ","):
            if tokens.words[before] != ",":
                adjectives.append((self.kinds[before], tokens.words[before]))
            before -= 1
        return noun, adjectives, tokens.words[before] if before >= 0 else ""

    def _said_of(self, token: int, mentions: list[int]) -> list[tuple[str, str]]:
        """Attributes elsewhere in the text that the network links to this mention, such as a colour turned to."""
        attributes = [a for a in self.place if self.kinds[a].startswith("attribute")]
        return [
            (self.kinds[a], self.tokens.words[a])
            for a in attributes
            if max(mentions, key=lambda m: self._link(m, a, "has_attribute")) == token
            and self._best_link(token, a) == "has_attribute"
        ]

    def _order_events(self) -> None:
        """Give each event its step: events at the same time share one."""
        count = len(self.events)
        if count == 0:
            return
        order = self._orders()  # (events, events, orders)
        index = {name: ORDERS.index(name) for name in ORDERS}
        earlier = order[..., index["before"]] + order[..., index["meets"]]
        earlier = (earlier + (order[..., index["after"]] + order[..., index["met by"]]).T) / 2
        same = (order[..., index["equal"]] + order[..., index["equal"]].T) / 2
        group = list(range(count))
        margin = same - np.maximum(earlier, earlier.T)
        for i, j in sorted(itertools.combinations(range(count), 2), key=lambda pair: -margin[pair]):
            first, second = ([k for k in range(count) if group[k] == group[member]] for member in (i, j))
            # All of one group with all of the other: "while A, B; then C" must not join A and C by way of B.
            if margin[i, j] > 0 and group[i] != group[j] and margin[np.ix_(first, second)].mean() > 0:
                group = [group[i] if g == group[j] else g for g in group]
        # Steps in the order of who comes before most others; the text's own order breaks ties.
        wins = {
            g: sum(np.sign(earlier[i, j] - earlier[j, i]) for i in range(count) if group[i] == g for j in range(count))
            / group.count(g)
            for g in set(group)
        }
        ranked = sorted(wins, key=lambda g: (-wins[g], g))
        for event, g in zip(self.events, group, strict=True):
            event.rank = ranked.index(g)
        ends = self._step_ends(len(ranked))
        for i, event in enumerate(self.events):
            begin = end = event.rank
            # "While A, B and then C": A lasts through both, where it is at the time of all that happens in a step.
            beside = [
                all(margin[i, j] > 0 for j, other in enumerate(self.events) if other.rank == step)
                for step in range(len(ranked))
            ]
            while end + 1 < len(ranked) and beside[end + 1]:
                end += 1
            while begin > 0 and beside[begin - 1]:
                begin -= 1
            event.interval = (ends[begin], ends[end + 1])

    def _orders(self) -> np.ndarray:
        """The order of each pair of events.

        Within a sentence the network says it; events that only a fact speaks of are at the time of all others. What one
        sentence tells comes before what the next tells, unless that has a word that says otherwise.
        """
        order = np.zeros((len(self.events), len(self.events), len(ORDERS)))
        order[..., ORDERS.index("equal")] = 1
        known = [i for i, event in enumerate(self.events) if event.token in self.place]
        rows = [self.place[self.events[i].token] for i in known]
        order[np.ix_(known, known)] = self.scores.order[np.ix_(rows, rows)]
        sentence = np.searchsorted(self.tokens.sentences, [event.token for event in self.events], side="right") - 1
        starts = [*self.tokens.sentences, len(self.tokens)]
        for i, j in itertools.permutations(range(len(self.events)), 2):
            if sentence[i] < sentence[j]:
                told = self.tokens.spans[[starts[sentence[j]], starts[sentence[j] + 1] - 1]]
                if not _OTHER_TIME.search(self.text, told[0, 0], told[1, 1]):
                    order[i, j], order[j, i] = _BEFORE, _AFTER
        return order

    def _step_ends(self, steps: int) -> list[float]:
        """When each step begins, and the end: equal parts, or parts of the sentences' shares where each is in one."""
        lengths = [1.0] * steps
        starts = self.tokens.sentences
        if len(starts) > 1:
            sentence = [
                {int(np.searchsorted(starts, e.token, side="right")) - 1 for e in self.events if e.rank == rank}
                for rank in range(steps)
            ]
            inside = [found.pop() for found in sentence if len(found) == 1]
            if len(inside) == steps and inside == sorted(inside):
                # Sentences without events last no time of their own.
                told, counts = np.unique(inside, return_counts=True)
                lengths = np.repeat(step_lengths(self.scores.log_duration[told], counts), counts).tolist()
        ends = np.concatenate([[0.0], np.cumsum(lengths) / sum(lengths)])
        return [round(float(end), 4) for end in ends]

    def _arguments(self, event: _Event) -> list[_Argument]:
        """Who takes part in an event: what the facts say, then what the links add."""
        found = self._told_arguments(event)
        told = bool(found)
        linked = [a for a in self._linked_arguments(event) if all(a.entity is not b.entity for b in found)]
        found += [a for a in linked if a.role == "agent" and not told]
        heads = [m for a in found if a.role in ("agent", "patient") for m in a.entity.mentions]
        # Facts are trained to be complete, so they also speak against participants that they tell of otherwise.
        told_of = [self.owner[token] for fact in self.facts for token in (fact.head, fact.tail)]
        found += [
            a
            for a in linked
            if a.role != "agent"
            and not (heads and any(a.entity is b for b in told_of) and self._strangers(heads, a.entity.mentions))
        ]
        if not any(a.role in ("agent", "patient") for a in found) and self.entities:
            options = [
                (self._link(event.token, mention, name), i, name)
                for i, entity in enumerate(self.entities)
                for mention in entity.mentions
                for name in ("agent", "patient")
            ]
            probability, i, name = max(options)
            if probability > _WEAK and all(a.entity is not self.entities[i] for a in found):
                found.append(_Argument(self.entities[i], name, probability))
        return found

    def _linked_arguments(self, event: _Event) -> list[_Argument]:
        """Who takes part in an event by the links alone."""
        names = ("agent", "patient", "instrument", "location")
        found = []
        for entity in self.entities:
            if any(self._best_link(event.token, m) in names for m in entity.mentions):
                probability, name = max(
                    (self._link(event.token, m, name), name) for m in entity.mentions for name in names
                )
                found.append(_Argument(entity, name, probability, self._preposition(event, entity, name)))
        return found

    def _strangers(self, heads: Sequence[int], tails: Sequence[int]) -> bool:
        """Whether the network is sure that these entities, given by their mentions, have nothing to do with others."""
        rows = [row for row, (head, tail) in enumerate(self.scores.pairs) if head in heads and tail in tails]
        return bool(rows) and all(self.scores.predicate[row, 0] > _SURELY_NOT for row in rows)

    def _told_arguments(self, event: _Event) -> list[_Argument]:
        """What the facts say of an event's participants, as far as one event can hold it: see `_loose_facts`."""
        facts = [fact for fact in self.facts if fact.verb == event.token]
        endings = {id(fact): self._ending(fact) for fact in facts}
        direct = [fact for fact in facts if not endings[id(fact)]]
        told = {(fact.head, fact.tail) for fact in direct or facts}
        held: list[Fact] = []
        for fact in sorted(direct or facts, key=lambda fact: -fact.probability):
            # All who do it do it to all, so only such facts go together: of "A sees B" and "B sees A" just one.
            trial = [*held, fact]
            if {(a.head, b.tail) for a in trial for b in trial} <= told:
                held = trial
        passive = self.tokens.tags[event.token] == "VBN" and not direct
        found: list[_Argument] = []

        def add(entity: _Entity, role: str, fact: Fact, label: str | None = None) -> None:
            if all((a.entity, a.role) != (entity, role) for a in found):
                found.append(_Argument(entity, role, fact.probability, label, fact.said))

        for fact in held:
            add(self.owner[fact.head], "patient" if passive else "agent", fact)
            label = endings[id(fact)]
            add(self.owner[fact.tail], "location" if label else "patient", fact, label or None)
        return found

    def _ending(self, fact: Fact) -> str:
        """What follows the verb in a fact's predicate."""
        return fact.predicate.partition(" ")[2]

    def _preposition(self, event: _Event, entity: _Entity, role: str) -> str | None:
        """The word before a location or an instrument, where it stands between the verb and the noun."""
        if role not in ("location", "instrument"):
            return None
        mention = min(entity.mentions, key=lambda m: (m < event.token, m))
        return self.vocabulary.preposition(self.tokens, event.token, mention)

    def _share_subjects(self) -> None:
        """Let an event without anyone who does it take the subject of the event nearest in the text."""
        told = [event for event in self.events if event.doers()]
        for event in self.events:
            if told and event not in told:
                nearest = min(told, key=lambda other: abs(other.token - event.token))
                before = self.tokens.words[max(event.token - 2, 0) : event.token]
                passive = self.tokens.tags[event.token] == "VBN" and {"be", "being", "been", "is", "are"} & set(before)
                name = "patient" if passive else "agent"
                taken = [a.entity for a in event.arguments]
                event.arguments += [
                    _Argument(a.entity, name, a.probability)
                    for a in nearest.doers()
                    if all(a.entity is not other for other in taken)
                ]

    def _complete_lists(self) -> None:
        """ "A cone, a cube and a ball roll": whoever stands before the comma in a list of subjects is one of them."""
        for event in self.events:
            start = max(sentence for sentence in self.tokens.sentences if sentence <= event.token)
            for role in ("agent", "patient"):
                those = [argument for argument in event.arguments if argument.role == role]
                places = sorted(m for a in those for m in a.entity.mentions if start <= m < event.token)
                if len(those) < 2 or len(places) < 2 or "and" not in self.tokens.words[places[0] : event.token]:
                    continue
                if any(start <= other.token < places[0] for other in self.events):
                    continue  # "a dog chases a cat, a bird and a fox run"
                comma = self._before_phrase(places[0])
                while comma > start and self.tokens.words[comma] == "," and comma - 1 in self.owner:
                    entity = self.owner[comma - 1]
                    if all(entity is not argument.entity for argument in event.arguments):
                        event.arguments.append(_Argument(entity, role, those[0].probability))
                    comma = self._before_phrase(comma - 1)

    def _before_phrase(self, head: int) -> int:
        """The token before a noun phrase, given its head; -1 if it begins the text."""
        token = head - 1
        while token >= 0 and self.tokens.pos[token] in ("DET", "ADJ", "NUM", "NOUN"):
            token -= 1
        return token

    def _tell_of_both(self) -> None:
        """ "The car turns, the bus stops, and both leave": links lead to the nearer one; the other acted before."""
        for number, event in enumerate(self.events):
            agents = [argument.entity for argument in event.arguments if argument.role == "agent"]
            places = [t for t in range(max(event.token - 3, 0), event.token) if self.tokens.words[t] == "both"]
            if not places or len(agents) != 1:
                continue
            mentions = agents[0].mentions
            plural = any(self.tokens.tags[mention] in ("NNS", "NNPS") for mention in mentions)
            if plural or any(places[0] < mention < event.token for mention in mentions):
                continue  # "the dogs both run", "both the dog and the cat run"
            before = [a for other in reversed(self.events[:number]) for a in other.arguments if a.role == "agent"]
            other = next((a for a in before if a.entity is not agents[0]), None)
            if other is not None and all(a.entity is not other.entity for a in event.arguments):
                event.arguments.append(_Argument(other.entity, "agent", other.probability))

    def _attributes(self) -> list[_Attribute]:
        """Attributes that belong to someone. A verb form is an event instead, where it is one."""
        result: list[_Attribute] = []
        events = {event.token: event for event in self.events}
        linked: dict[int, list[tuple[_Entity, float]]] = {}
        for entity, token in self.reading.attributes:
            owner = (self.owner[entity], float(self.scores.attribute[entity, token]))
            if all(known is not owner[0] for known, _ in linked.setdefault(token, [])):
                linked[token].append(owner)
        roles = [t for t in self.place if self.kinds[t].startswith("attribute")]
        for token in sorted({*roles, *linked}):
            if token in events or (self.kinds[token] == "number" and self._number(token) is not None):
                continue
            if any(0 < mention - token <= self._left(mention) for mention in self.owner):
                continue  # a part of that entity's name: "hockey player"
            change = self._cause(token) if token in self.place else None
            owners = linked.get(token, []) if change is None else self._changed(token, change)
            if not owners:
                continue
            left = words_before(self.tokens, self.scores, token, 1)
            label = next((words for (_, t), words in self.reading.attributes.items() if t == token), None)
            kind = self.kinds[token].partition(":")[2] or "other"
            attribute = _Attribute(token, left, label or self.tokens.words[token], kind, owners, change)
            if change is None and any(self._same(attribute, other) for other in result):
                continue
            result.append(attribute)
        return result

    def _number(self, token: int) -> int | None:
        """What a number word says."""
        word = self.tokens.words[token]
        if word.isdecimal() and len(word) < 5:
            return min(max(int(word), 1), _MAX_COUNT)
        return _COUNTS.get(word)

    def _cause(self, token: int) -> _Event | None:
        """The event that brings an attribute about, if one does."""
        options = [(self._link(event.token, token, "result"), i) for i, event in enumerate(self.events)]
        best, i = max(options, default=(0.0, -1))
        return self.events[i] if best > 0.5 else None

    def _changed(self, token: int, event: _Event) -> list[tuple[_Entity, float]]:
        """Whose attribute an event brings about: who takes part in it, or who is likeliest to have it."""
        owners = [(a.entity, a.probability) for a in event.doers()]
        if owners or not self.entities:
            return owners
        options = [
            (max(float(self.scores.attribute[mention, token]) for mention in entity.mentions), i)
            for i, entity in enumerate(self.entities)
        ]
        best, i = max(options)
        return [(self.entities[i], best)]

    def _same(self, attribute: _Attribute, other: _Attribute) -> bool:
        """Whether an attribute only says again what another said of the same entity."""
        shared = any(a is b for a, _ in attribute.owners for b, _ in other.owners)
        return shared and attribute.label == other.label and attribute.kind == other.kind

    # -- nodes ---------------------------------------------------------------------------------------------------------

    def _span(self, token: int, left: int = 0) -> tuple[int, int]:
        spans = self.tokens.spans
        return int(spans[max(token - left, 0), 0]), int(spans[token, 1])

    def _confidence(self, token: int) -> float:
        return round(float(self.scores.role[token].max()), 4)

    def _negated(self, token: int) -> bool:
        return bool(self.scores.negated[token] > 0.5) and not _NEGATIONS.isdisjoint(self.tokens.words)

    def _entity_node(self, entity: _Entity) -> Node:
        tokens = self.tokens
        head = next((m for m in entity.mentions if tokens.words[m] not in _PRONOUNS), entity.mentions[0])
        left = self._left(head)
        words = self.reading.entities[head]
        label = words
        if words == span_words(self.text, tokens, head, left):
            # The head in the singular; FACTUAL's own wording is found again by the span.
            singular = noun_lemma(tokens.words[head], tokens.lemmas[head], tokens.tags[head])
            label = words.removesuffix(tokens.words[head]) + singular
        return Node(
            entity.id,
            "entity",
            label,
            self._span(head, left),
            self._confidence(head),
            negated=self._negated(head),
            count=self._count(entity, head, label),
        )

    def _left(self, head: int) -> int:
        """How many words before its head belong to an entity's name."""
        return words_before(self.tokens, self.scores, head, 0)

    def _count(self, entity: _Entity, head: int, label: str) -> int:
        said = [(mention, token) for mention, token in self.reading.attributes if mention in entity.mentions]
        for _, token in said:
            number = self._number(token)
            if number is not None:
                return number
        # Nothing is said: one, or more than one.
        singular = noun_lemma(self.tokens.words[head], self.tokens.lemmas[head], self.tokens.tags[head])
        return 2 if singular != self.tokens.words[head] and label.endswith(singular) else 1

    def _event_node(self, event: _Event) -> Node:
        tokens, token = self.tokens, event.token
        # A manner belongs to one event only.
        manners = [
            t
            for t in self.place
            if self.kinds[t] == "manner"
            and max(self.events, key=lambda other: self._link(other.token, t, "manner")) is event
        ]
        best, manner = max(((self._link(token, t, "manner"), t) for t in manners), default=(0.0, -1))
        return Node(
            event.id,
            "event",
            verb_lemma(tokens.words[token], tokens.lemmas[token], tokens.tags[token]),
            self._span(token),
            self._confidence(token),
            negated=self._negated(token),
            direction=DIRECTIONS[int(self.scores.direction[token].argmax())],
            manner=self._manner(manner) if best > 0.5 else None,
            interval=event.interval,
        )

    def _manner(self, token: int) -> str:
        left = words_before(self.tokens, self.scores, token, 1)
        return " ".join(self.tokens.words[token - left : token + 1])

    def _scene_node(self) -> Node:
        fields: dict[str, str | None] = {}
        for name in ("setting", "light"):
            tokens = [t for t, kind in enumerate(self.kinds) if kind == name]
            best = max(tokens, key=lambda t: float(self.scores.role[t].max()), default=None)
            fields[name] = None if best is None else self.tokens.words[best]
        return Node("n0", "scene", "scene", setting=fields["setting"], light=fields["light"])

    # -- edges ---------------------------------------------------------------------------------------------------------

    def _attribute_confidence(self, attribute: _Attribute) -> float:
        """That of its role, or, where it is an attribute by its link only, of the link."""
        if self.kinds[attribute.token].startswith("attribute"):
            return self._confidence(attribute.token)
        return round(min(max(p for _, p in attribute.owners), 1.0), 4)

    def _attribute_edges(self) -> list[tuple[Edge, int | None]]:
        edges: list[tuple[Edge, int | None]] = []
        for attribute in self.attributes:
            for owner, probability in attribute.owners:
                interval = self._holds(attribute, owner)
                confidence = round(min(probability, 1.0), 4)
                edge = Edge(owner.id, attribute.id, "has_attribute", None, interval, confidence)
                edges.append((edge, attribute.token))
        return edges

    def _holds(self, attribute: _Attribute, owner: _Entity) -> Interval:
        """When an entity has an attribute: an event that brings another of its kind about ends it."""
        start = change_time(attribute.event.interval) if attribute.event else 0.0
        ends = [
            change_time(other.event.interval)
            for other in self.attributes
            if other.event is not None
            and other.kind == attribute.kind
            and any(entity is owner for entity, _ in other.owners)
        ]
        return start, min((end for end in ends if end > start), default=1.0)

    def _relations(self) -> list[tuple[Edge, int | None]]:
        """Relations that are no event, with the token that tells of each."""
        edges: list[tuple[Edge, int | None]] = []
        told: set[tuple[str, str]] = set()
        for fact in self.facts:
            if fact.verb is not None and fact.verb not in self.reading.entities:
                continue
            a, b = self.owner[fact.head], self.owner[fact.tail]
            label = _SPATIAL_WORDINGS.get(fact.predicate, fact.predicate)
            spatial = label in SPATIAL_LABELS or label in _PLACES
            interval = self._until_moved(a, b) if spatial else (0.0, 1.0)
            kind = "spatial" if spatial else "relation"
            # Said again of other mentions, it is the same relation.
            if all((e.source, e.target, e.label) != (a.id, b.id, label) for e, _ in edges):
                edges.append((Edge(a.id, b.id, kind, label, interval, round(fact.probability, 4)), fact.said))
            told |= {(a.id, b.id), (b.id, a.id)}
        for a, b in itertools.permutations(self.entities, 2):
            if (a.id, b.id) in told:
                continue
            options = [(m, n) for m in a.mentions for n in b.mentions]
            pairs = np.stack([self.scores.link[self.place[m], self.place[n]] for m, n in options])
            rows = [LINKS[int(pair.argmax())].startswith("spatial:") for pair in pairs]
            if not any(rows):
                continue
            best = int(pairs[rows].max(-1).argmax())
            link = int(pairs[rows][best].argmax())
            probability = round(float(pairs[rows][best, link]), 4)
            label = LINKS[link].split(":")[1]
            edges.append((Edge(a.id, b.id, "spatial", label, self._until_moved(a, b), probability), None))
        return edges

    def _until_moved(self, a: _Entity, b: _Entity) -> Interval:
        """How long a relation holds: until one of the two moves."""
        moves = [
            event.interval
            for event in self.events
            if any(x.entity is a or x.entity is b for x in event.arguments if x.role != "location")
            and self._travels(event)
        ]
        return 0.0, relation_end(moves)

    def _travels(self, event: _Event) -> bool:
        node = self._event_node(event)
        return travels(node.label, node.direction)

    def _temporal(self) -> list[Edge]:
        edges = []
        for pair in itertools.pairwise(sorted(self.events, key=lambda e: (e.rank, e.token))):
            known = all(event.token in self.place for event in pair)
            order = self.scores.order[tuple(self.place[event.token] for event in pair)] if known else _EQUAL
            meets = order[ORDERS.index("meets")] > order[ORDERS.index("before")]
            swapped, label = allen(pair[0].interval, pair[1].interval, meets)
            first, second = reversed(pair) if swapped else pair
            probability = round(float(order[ORDERS.index(label if label in ORDERS else "equal")]), 4)
            edges.append(Edge(first.id, second.id, "temporal", label, confidence=probability))
        return edges

    def parse(self) -> Parse:
        """The whole graph, validated, and the words that speak for its edges."""
        parts: list[tuple[int, _Entity | _Event | _Attribute]] = [
            *((entity.mentions[0], entity) for entity in self.entities),
            *((event.token, event) for event in self.events),
            *((attribute.token, attribute) for attribute in self.attributes),
        ]
        check_size(1 + len(parts))
        nodes = [self._scene_node()]
        edges: list[tuple[Edge, int | None]] = []
        for number, (_, part) in enumerate(sorted(parts, key=lambda pair: pair[0]), start=1):
            part.id = f"n{number}"
            if isinstance(part, _Attribute):
                span = self._span(part.token, part.left)
                negated = self._negated(part.token)
                confidence = self._attribute_confidence(part)
                nodes.append(Node(part.id, "attribute", part.label, span, confidence, negated, kind=part.kind))
                continue
            nodes.append(self._entity_node(part) if isinstance(part, _Entity) else self._event_node(part))
            edges.append((Edge("n0", part.id, "contains"), None))
        for event in self.events:
            for a in event.arguments:
                edge = Edge(event.id, a.entity.id, a.role, a.label, confidence=round(min(a.probability, 1.0), 4))
                edges.append((edge, event.token if a.said is None else a.said))
        edges += self._attribute_edges()
        edges += self._relations()
        edges += [(edge, None) for edge in self._temporal()]
        edges += self._loose_facts(nodes, [edge for edge, _ in edges])
        graph = SceneGraph(self.text, nodes, [edge for edge, _ in edges])
        graph.validate()
        words = {i: self._span(said) for i, (_, said) in enumerate(edges) if said is not None}
        return Parse(graph, words)

    def _loose_facts(self, nodes: list[Node], edges: list[Edge]) -> list[tuple[Edge, int | None]]:
        """Facts that the events do not hold, as relations: "rides a wave on a board" has two objects of one verb."""
        facts = [fact for fact in self.facts if fact.verb is not None and fact.verb not in self.reading.entities]
        if not facts:
            return []
        held = set(to_triples(SceneGraph(self.text, nodes, edges)))
        by_id = {node.id: node for node in nodes}
        loose: list[tuple[Edge, int | None]] = []
        for fact in facts:
            ends = [by_id[self.owner[token].id] for token in (fact.head, fact.tail)]
            # As `to_triples` words a relation, which it leaves out where an end is negated.
            head, tail = (node.label if ends[0] is ends[1] else said_name(self.text, node) for node in ends)
            if not any(node.negated for node in ends) and (head, fact.predicate, tail) not in held:
                edge = Edge(ends[0].id, ends[1].id, "relation", fact.predicate, confidence=round(fact.probability, 4))
                loose.append((edge, fact.said))
                held.add((head, fact.predicate, tail))
        return loose
