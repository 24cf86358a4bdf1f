"""What is said of the scene as a whole: setting, light, camera, style; and where on the screen things are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mov_ai.graph import CameraMove, Edge, Node
from mov_ai.parser.draft import PART_INTERVALS, Draft, Event
from mov_ai.parser.lemmas import verb_lemma
from mov_ai.parser.lexicon import load_lexicon
from mov_ai.parser.vocabulary import span_words

#: A link to a place on the screen counts from this likelihood on.
_LEAST_PROBABILITY = 0.5


def scene_node(draft: Draft) -> Node:
    """The scene's node: of setting and light the likeliest phrase, of camera and style all."""
    camera = dict.fromkeys(_camera_move(draft, run) for run in draft.scores.runs("camera"))
    # "A wizened, craggy fisherman": what a thing is like is no style.
    told = {token for _, token in draft.reading.attributes}
    style = dict.fromkeys(_words(draft, run) for run in draft.scores.runs("style") if not told.issuperset(run))
    setting, light = (_likeliest(draft, name) for name in ("setting", "light"))
    return Node("n0", "scene", "scene", setting=setting, light=light, camera=tuple(camera), style=tuple(style))


def _words(draft: Draft, run: Sequence[int]) -> str:
    return span_words(draft.text, draft.tokens, run[-1], len(run) - 1)


def _likeliest(draft: Draft, role: str) -> str | None:
    runs = draft.scores.runs(role)
    best = max(runs, key=lambda run: float(draft.scores.role[list(run)].max(-1).mean()), default=None)
    return None if best is None else _words(draft, best)


def _camera_move(draft: Draft, run: Sequence[int]) -> CameraMove:
    """ "pans to the left" is the move "pan left"; it lasts as long as most of its words say."""
    tokens, first = draft.tokens, run[0]
    words = _words(draft, run).replace(" to the ", " ").replace("close up", "close-up")
    # Taggers take "the camera trucks left" for several trucks; no dictionary has that form. "Locked" is no move.
    is_verb = tokens.tags[first].startswith("VB") and tokens.tags[first] not in ("VBD", "VBN")
    if is_verb or tokens.words[first] not in load_lexicon():
        verb = verb_lemma(tokens.words[first], tokens.lemmas[first], tokens.tags[first])
        words = verb + words.removeprefix(tokens.words[first])
    parts = [draft.scores.part_of(token) for token in run]
    part = max(dict.fromkeys(parts), key=parts.count)
    return CameraMove(words, PART_INTERVALS[part])


def find_places(draft: Draft) -> None:
    """Note whose each place on the screen is; a verb that leads to several is as many events, one after the other.

    "Goes to the upper left and from there to the lower left": nobody is at two places at one time.
    """
    holders = sorted(token for token in {*draft.owner, *(e.token for e in draft.events)} if token in draft.scores.row)
    for run in draft.scores.runs("place") if holders else ():
        chances = [draft.scores.link_chance(token, run[-1], "place") for token in holders]
        best = int(np.argmax(chances))
        if chances[best] > _LEAST_PROBABILITY:
            draft.places[run] = holders[best]
    events: list[Event] = []
    for event in draft.events:
        runs = [run for run, holder in draft.places.items() if holder == event.token and holder not in draft.owner]
        events += [Event(event.token, run) for run in runs] or [event]
    draft.events = events


def screen_places(draft: Draft) -> list[tuple[Edge, int | None]]:
    """Where on the screen things and events are, each with the token that it was read from."""
    of_events = {event.place: event.id for event in draft.events if event.place is not None}
    edges: list[tuple[Edge, int | None]] = []
    for run, holder in draft.places.items():
        place = run[-1]
        interval = draft.at_first.get(run, PART_INTERVALS[draft.scores.part_of(place)])
        source = of_events[run] if run in of_events else draft.owner[holder].id
        chance = round(draft.scores.link_chance(holder, place, "place"), 4)
        edges.append((Edge(source, "n0", "location", _words(draft, run), interval, chance), place))
    return edges
