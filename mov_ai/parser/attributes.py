"""Which attributes there are, whose they are, and while when."""

from __future__ import annotations

from mov_ai.graph import Edge, Interval, Node
from mov_ai.graph.time import change_time
from mov_ai.parser.draft import PART_INTERVALS, Attribute, Draft, Entity, Event
from mov_ai.parser.entities import number_of
from mov_ai.parser.reading import words_before
from mov_ai.parser.written import quoted


def find_attributes(draft: Draft) -> list[Attribute]:
    """Attributes that belong to someone. A verb form is an event instead, where it is one."""
    attributes: list[Attribute] = []
    verbs = {event.token for event in draft.events}
    roles = draft.scores.roles
    #: Token -> who has it by the network's direct word, and the wording of the attribute.
    linked: dict[int, list[tuple[Entity, float]]] = {}
    labels: dict[int, str] = {}
    for (mention, token), words in draft.reading.attributes.items():
        owner = draft.owner[mention]
        labels.setdefault(token, words)
        if all(known is not owner for known, _ in linked.setdefault(token, [])):
            linked[token].append((owner, float(draft.scores.attribute[mention, token])))
    for token in sorted({*(t for t in draft.scores.row if roles[t].startswith("attribute")), *linked}):
        word = draft.tokens.words[token]
        if token in verbs or (roles[token] == "number" and number_of(word) is not None):
            continue
        if any(0 < mention - token <= draft.name_length(mention) for mention in draft.owner):
            continue  # a part of that entity's name: "hockey player"
        cause = _cause(draft, token) if token in draft.scores.row else None
        owners = linked.get(token, []) if cause is None else _changed(draft, token, cause)
        if not owners:
            continue
        left = words_before(draft.tokens, draft.scores, token, 1)
        kind = roles[token].partition(":")[2] or "other"
        label = labels.get(token) or word
        if kind == "text":
            left, label = _written(draft, token, left)
        attribute = Attribute(token, left, label, kind, owners, cause)
        if cause is not None or not any(_repeats(attribute, other) for other in attributes):
            attributes.append(attribute)
    return attributes


def _written(draft: Draft, token: int, left: int) -> tuple[int, str]:
    """What is written on a thing, word for word, up to a token: how many words before it, and the text.

    Quotation marks say where it begins; without them the network does.
    """
    marked = quoted(draft.tokens, token)
    if marked is not None:
        left = len(marked) - 1
    start, end = draft.span(token, left)
    return left, draft.text[start:end]


def _cause(draft: Draft, token: int) -> Event | None:
    """The event that brings an attribute about, if one does."""
    options = [(draft.scores.link_chance(event.token, token, "result"), i) for i, event in enumerate(draft.events)]
    probability, i = max(options, default=(0.0, -1))
    return draft.events[i] if probability > 0.5 else None


def _changed(draft: Draft, token: int, cause: Event) -> list[tuple[Entity, float]]:
    """Whose attribute an event brings about: who takes part in it, or who is likeliest to have it.

    Of several who take part, those that have it: who paints a fence white does not turn white.
    """
    owners = [(a.entity, a.probability) for a in cause.of_role("agent", "patient")]
    having = [
        (entity, probability)
        for entity, probability in owners
        if any(draft.scores.attribute[mention, token] > 0.5 for mention in entity.mentions)
    ]
    if owners or not draft.entities:
        return having or owners
    probability, i = max(
        (max(float(draft.scores.attribute[mention, token]) for mention in entity.mentions), i)
        for i, entity in enumerate(draft.entities)
    )
    return [(draft.entities[i], probability)]


def _repeats(attribute: Attribute, other: Attribute) -> bool:
    """Whether an attribute repeats another one of the same entity."""
    shared = any(a is b for a, _ in attribute.owners for b, _ in other.owners)
    return shared and attribute.label == other.label and attribute.kind == other.kind


# -- nodes and edges ---------------------------------------------------------------------------------------------------


def attribute_node(draft: Draft, attribute: Attribute) -> Node:
    """Its node; the confidence is that of its role, or, where it is an attribute by its link only, of the link."""
    token = attribute.token
    if draft.scores.roles[token].startswith("attribute"):
        confidence = draft.scores.confidence(token)
    else:
        confidence = round(min(max(p for _, p in attribute.owners), 1.0), 4)
    span = draft.span(token, attribute.left)
    return Node(attribute.id, "attribute", attribute.label, span, confidence, draft.negated(token), kind=attribute.kind)


def attribute_edges(draft: Draft) -> list[tuple[Edge, int | None]]:
    """Who has which attribute, with the token that it was read from."""
    edges: list[tuple[Edge, int | None]] = []
    for attribute in draft.attributes:
        for owner, probability in attribute.owners:
            confidence = round(min(probability, 1.0), 4)
            interval = _interval(draft, attribute, owner)
            edge = Edge(owner.id, attribute.id, "has_attribute", None, interval, confidence)
            edges.append((edge, attribute.token))
    return edges


def _part(draft: Draft, attribute: Attribute, others: list[Attribute]) -> str:
    """Of which part of the video a value holds; a part of it only where the same thing has another value too."""
    parts = {draft.scores.part_of(other.token) for other in others}
    part = draft.scores.part_of(attribute.token)
    return part if parts - {"whole", part} or any(a.cause is not None for a in others) else "whole"


def _interval(draft: Draft, attribute: Attribute, owner: Entity) -> Interval:
    """While when an entity has an attribute: an event that brings another of its kind about ends it."""
    others = [a for a in draft.attributes if a is not attribute and any(entity is owner for entity, _ in a.owners)]
    part = _part(draft, attribute, others)
    start = change_time(attribute.cause.interval) if attribute.cause else 0.0
    # What is said to hold at first ends with any change: marble is a material, gold may be a colour.
    changes = [a.cause for a in others if a.cause is not None and (a.kind == attribute.kind or part == "first")]
    ends = [time for time in (change_time(event.interval) for event in changes) if time > start]
    if attribute.cause is None and (part in ("middle", "last") or (part == "first" and not ends)):
        return PART_INTERVALS[part]
    return start, min(ends, default=1.0)
