"""Who and what takes part in each event."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from mov_ai.graph.convert import relation_label
from mov_ai.parser.draft import Argument, Draft, Entity, Event
from mov_ai.parser.reading import Fact

#: A link that no participant has used yet is still used if it is at least this likely.
_LEAST_PROBABILITY = 0.15
#: A link is dropped if the network is at least this sure that the two entities are unrelated.
_SURELY_UNRELATED = 0.5
#: Who is given something is so by the links, if they say it at least this surely: facts know no receivers.
_SURELY_LINKED = 0.5
_ROLES = ("agent", "patient", "instrument", "location", "receiver")
#: Parts of speech that may stand before a noun in its phrase.
_IN_A_PHRASE = {"DET", "ADJ", "NUM", "NOUN", "PROPN", "ADV"}


def find_arguments(draft: Draft) -> None:
    """Fill in the arguments of all events."""
    for event in draft.events:
        event.arguments = _arguments(draft, event)
    _share_subjects(draft)
    _complete_lists(draft)
    _add_the_other_of_both(draft)


def _arguments(draft: Draft, event: Event) -> list[Argument]:
    """Who takes part in an event: first from the facts, then from the links."""
    arguments = _from_facts(draft, event)
    linked = [a for a in _from_links(draft, event) if all(a.entity is not b.entity for b in arguments)]
    if not arguments:
        arguments += [a for a in linked if a.role == "agent"]
    doers = [m for a in arguments if a.role in ("agent", "patient") for m in a.entity.mentions]
    # Facts are trained to be complete: an entity that has facts, but none with this event, takes no part in it.
    in_facts = [draft.owner[token] for fact in draft.facts for token in (fact.head, fact.tail)]
    arguments += [
        a
        for a in linked
        if a.role == "receiver"
        or (
            a.role != "agent"
            and not (doers and any(a.entity is b for b in in_facts) and _unrelated(draft, doers, a.entity.mentions))
        )
    ]
    if not any(a.role in ("agent", "patient") for a in arguments) and draft.entities:
        probability, i, role = max(
            (draft.scores.link_chance(event.token, mention, role), i, role)
            for i, entity in enumerate(draft.entities)
            for mention in entity.mentions
            for role in ("agent", "patient")
        )
        if probability > _LEAST_PROBABILITY and all(a.entity is not draft.entities[i] for a in arguments):
            arguments.append(Argument(draft.entities[i], role, probability))
    _find_receivers(draft, event, arguments)
    return arguments


def _from_facts(draft: Draft, event: Event) -> list[Argument]:
    """Participants from the facts that fit one event; the other facts become relations."""
    facts = [fact for fact in draft.facts if fact.verb == event.token]
    direct = [fact for fact in facts if not _ending(fact)]
    pairs = {(fact.head, fact.tail) for fact in direct or facts}
    compatible: list[Fact] = []
    for fact in sorted(direct or facts, key=lambda fact: -fact.probability):
        # All who do it do it to all, so only such facts go together: of "A sees B" and "B sees A" just one.
        trial = [*compatible, fact]
        if {(a.head, b.tail) for a in trial for b in trial} <= pairs:
            compatible = trial
    passive = draft.tokens.tags[event.token] == "VBN" and not direct
    arguments: list[Argument] = []

    def add(token: int, role: str, fact: Fact, label: str | None = None) -> None:
        entity = draft.owner[token]
        # "From the left of the car to its right": one thing, two places.
        where = label if role == "location" else None
        if all(
            (a.entity, a.role, a.label if a.role == "location" else None) != (entity, role, where) for a in arguments
        ):
            arguments.append(Argument(entity, role, fact.probability, label, fact.word))

    for fact in compatible:
        add(fact.head, "patient" if passive else "agent", fact)
        label = relation_label(_ending(fact))
        role = "location" if label else "patient"
        chance, linked = _likeliest_role(draft, event, draft.owner[fact.tail])
        if linked == "receiver" and chance > _SURELY_LINKED:
            role, label = "receiver", label if label != "to" else ""
        add(fact.tail, role, fact, label or None)
    return arguments


def _find_receivers(draft: Draft, event: Event, arguments: Sequence[Argument]) -> None:
    """Of two objects that nothing joins the first is who is given the second: "gives the boy a ball"."""
    pos = draft.tokens.pos
    after = [(next((m for m in a.entity.mentions if m > event.token), None), a) for a in arguments]
    objects = {mention: a for mention, a in after if mention is not None and a.role == "patient"}
    for first, second in itertools.pairwise(sorted(objects)):
        between = set(pos[first + 1 : second])
        if objects[first] is not objects[second] and "DET" in between and between <= _IN_A_PHRASE:
            objects[first].role = "receiver"


def _ending(fact: Fact) -> str:
    """What follows the verb in a fact's predicate."""
    return fact.predicate.partition(" ")[2]


def _from_links(draft: Draft, event: Event) -> list[Argument]:
    """Who takes part in an event by the links alone."""
    arguments = []
    for entity in draft.entities:
        if any(draft.scores.likeliest_link(event.token, m) in _ROLES for m in entity.mentions):
            probability, role = _likeliest_role(draft, event, entity)
            arguments.append(Argument(entity, role, probability, _preposition(draft, event, entity, role)))
    return arguments


def _likeliest_role(draft: Draft, event: Event, entity: Entity) -> tuple[float, str]:
    """As what an entity takes part in an event, by the links, and how likely it does."""
    return max((draft.scores.link_chance(event.token, m, role), role) for m in entity.mentions for role in _ROLES)


def _preposition(draft: Draft, event: Event, entity: Entity, role: str) -> str | None:
    """The word before a location or an instrument, where it stands between the verb and the noun."""
    if role not in ("location", "instrument"):
        return None
    mention = min(entity.mentions, key=lambda m: (m < event.token, m))
    words = draft.vocabulary.preposition(draft.tokens, event.token, mention)
    return words and relation_label(words)


def _unrelated(draft: Draft, heads: Sequence[int], tails: Sequence[int]) -> bool:
    """Whether the network is sure that these entities, given by their mentions, have nothing to do with others."""
    rows = [row for row, (head, tail) in enumerate(draft.scores.pairs) if head in heads and tail in tails]
    return bool(rows) and all(draft.scores.predicate[row, 0] > _SURELY_UNRELATED for row in rows)


# -- what sentences leave out ------------------------------------------------------------------------------------------


def _share_subjects(draft: Draft) -> None:
    """Let an event without anyone who does it take the subject of the event nearest in the text."""
    complete = [event for event in draft.events if event.of_role("agent", "patient")]
    for event in draft.events:
        if complete and event not in complete:
            nearest = min(complete, key=lambda other: abs(other.token - event.token))
            before = draft.tokens.words[max(event.token - 2, 0) : event.token]
            passive = draft.tokens.tags[event.token] == "VBN" and {"be", "being", "been", "is", "are"} & set(before)
            role = "patient" if passive else "agent"
            event.arguments += [
                Argument(a.entity, role, a.probability)
                for a in nearest.of_role("agent", "patient")
                if not event.has(a.entity)
            ]


def _complete_lists(draft: Draft) -> None:
    """ "A cone, a cube and a ball roll": whoever stands before the comma in a list of subjects is one of them."""
    words = draft.tokens.words
    for event in draft.events:
        start = max(sentence for sentence in draft.tokens.sentences if sentence <= event.token)
        for role in ("agent", "patient"):
            listed = event.of_role(role)
            places = sorted(m for a in listed for m in a.entity.mentions if start <= m < event.token)
            if len(listed) < 2 or len(places) < 2 or "and" not in words[places[0] : event.token]:
                continue
            if any(start <= other.token < places[0] for other in draft.events):
                continue  # "a dog chases a cat, a bird and a fox run"
            comma = _before_phrase(draft, places[0])
            while comma > start and words[comma] == "," and comma - 1 in draft.owner:
                entity = draft.owner[comma - 1]
                if not event.has(entity):
                    event.arguments.append(Argument(entity, role, listed[0].probability))
                comma = _before_phrase(draft, comma - 1)


def _before_phrase(draft: Draft, head: int) -> int:
    """The token before a noun phrase, given its head; -1 if it begins the text."""
    token = head - 1
    while token >= 0 and draft.tokens.pos[token] in ("DET", "ADJ", "NUM", "NOUN"):
        token -= 1
    return token


def _add_the_other_of_both(draft: Draft) -> None:
    """ "The car turns, the bus stops, and both leave": links lead to the nearer one; the other acted before."""
    tokens = draft.tokens
    for number, event in enumerate(draft.events):
        agents = [argument.entity for argument in event.of_role("agent")]
        both = next((t for t in range(max(event.token - 3, 0), event.token) if tokens.words[t] == "both"), None)
        if both is None or len(agents) != 1:
            continue
        mentions = agents[0].mentions
        plural = any(tokens.tags[mention] in ("NNS", "NNPS") for mention in mentions)
        if plural or any(both < mention < event.token for mention in mentions):
            continue  # "the dogs both run", "both the dog and the cat run"
        before = [a for earlier in reversed(draft.events[:number]) for a in earlier.of_role("agent")]
        other = next((a for a in before if a.entity is not agents[0]), None)
        if other is not None and not event.has(other.entity):
            event.arguments.append(Argument(other.entity, "agent", other.probability))
