"""Predicates of relation data sets, as the graph says them: `walk_left` is an event "walk" at a place "left of"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mov_ai.graph import Edge, Interval, Node

#: Where something is, in the data sets' words and in the graph's.
PLACES = {
    **{name: name for name in ("above", "behind", "below", "beneath", "beside", "in front of", "inside", "next to")},
    **{name: name for name in ("in", "near", "on", "outside", "over", "under", "underneath")},
    **{"front": "in front of", "left": "left of", "right": "right of", "on the side of": "beside"},
    **{"to the left of": "left of", "to the right of": "right of", "left of": "left of", "right of": "right of"},
}
#: What a verb may end in beside places: where to, with whom.
_WAYS = {
    **{name: name for name in ("at", "by", "for", "from", "into", "of", "off", "past", "through", "to", "toward")},
    **{"towards": "toward", "away": "away from", "away from": "away from", "with": "with", "around": "around"},
    **{"onto": "onto", "along": "along", "across": "across", "against": "against"},
}
_ENDINGS = PLACES | _WAYS
#: Ways alone are a movement: VidVRD's `past`, VidOR's `towards`.
_MOVE = "move"
_COMPARED = re.compile(r"(?:larger|smaller|taller|shorter|faster|slower|bigger|longer|higher|lower)(?: than)?")


@dataclass(frozen=True)
class Predicate:
    """What a relation says.

    Attributes:
        label: a place ("left of"), a comparison ("larger than"), or a verb's lemma.
        kind: "spatial", "relation" or "event".
        way: preposition between the verb and the other thing ("toward"); "" if it is done to the other thing.
    """

    label: str
    kind: str
    way: str = ""

    def in_graph(self, subject: str, target: str, number: int, interval: Interval) -> tuple[list[Node], list[Edge]]:
        """The nodes and edges that say it.

        Args:
            subject, target: ids of the two entities.
            number: makes the event's id unique.
        """
        if self.kind != "event":
            return [], [Edge(subject, target, self.kind, self.label, interval)]
        event = Node(f"n{number}", "event", self.label, interval=interval)
        other = Edge(event.id, target, "location", self.way) if self.way else Edge(event.id, target, "patient")
        return [event], [Edge(event.id, subject, "agent"), other]


def read_predicate(text: str) -> Predicate:
    """A predicate as VidVRD and VidOR write it: `next_to`, `larger`, `chase`, `walk_left`, `wave_hand_to`.

    Verbs are lemmas there, and stay as they are; a remark in brackets, as in `play(instrument)`, is left away.
    """
    words = re.sub(r"\(.*?\)", " ", text).replace("_", " ").lower().split()
    phrase = " ".join(words) or text
    if phrase in PLACES:
        return Predicate(PLACES[phrase], "spatial")
    if _COMPARED.fullmatch(phrase):
        return Predicate(phrase if phrase.endswith(" than") else f"{phrase} than", "relation")
    if phrase in _WAYS:
        return Predicate(_MOVE, "event", _WAYS[phrase])
    for first in range(1, len(words)):
        ending = " ".join(words[first:])
        if ending in _ENDINGS:
            return Predicate(" ".join(words[:first]), "event", _ENDINGS[ending])
    return Predicate(phrase, "event")
