"""What is said of the scene as a whole: setting, light, camera, style; and where on the screen things are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mov_ai.graph import CameraMove, Edge, Node
from mov_ai.parser.draft import PART_INTERVALS, Draft
from mov_ai.parser.lemmas import verb_lemma
from mov_ai.parser.lexicon import load_lexicon
from mov_ai.parser.vocabulary import span_words

#: A link to a place on the screen counts from this likelihood on.
_LEAST_PROBABILITY = 0.5


def scene_node(draft: Draft) -> Node:
    """The scene's node: of setting and light the likeliest phrase, of camera and style all."""
    camera = dict.fromkeys(_camera_move(draft, run) for run in draft.scores.runs("camera"))
    style = dict.fromkeys(_words(draft, run) for run in draft.scores.runs("style"))
    setting, light = (_likeliest(draft, name) for name in ("setting", "light"))
    return Node("n0", "scene", "scene", setting=setting, light=light, camera=tuple(camera), style=tuple(style))


def _words(draft: Draft, run: Sequence[int]) -> str:
    return span_words(draft.text, draft.tokens, run[-1], len(run) - 1)


def _likeliest(draft: Draft, role: str) -> str | None:
    runs = draft.scores.runs(role)
    best = max(runs, key=lambda run: float(draft.scores.role[list(run)].max(-1).mean()), default=None)
    return None if best is None else _words(draft, best)


def _camera_move(draft: Draft, run: Sequence[int]) -> CameraMove:
    """ "pans left" is the move "pan left"; it lasts as long as most of its words say."""
    tokens, first = draft.tokens, run[0]
    words = _words(draft, run)
    # Taggers take "the camera trucks left" for several trucks; no dictionary has that form.
    if tokens.tags[first].startswith("VB") or tokens.words[first] not in load_lexicon():
        verb = verb_lemma(tokens.words[first], tokens.lemmas[first], tokens.tags[first])
        words = verb + words.removeprefix(tokens.words[first])
    parts = [draft.scores.part_of(token) for token in run]
    part = max(dict.fromkeys(parts), key=parts.count)
    return CameraMove(words, PART_INTERVALS[part])


def screen_places(draft: Draft) -> list[tuple[Edge, int | None]]:
    """Where on the screen things and events are, each with the token that it was read from."""
    edges: list[tuple[Edge, int | None]] = []
    speakers = {mention: entity.id for mention, entity in draft.owner.items()}
    speakers |= {event.token: event.id for event in draft.events}
    tokens = sorted(token for token in speakers if token in draft.scores.row)
    for run in draft.scores.runs("place"):
        place = run[-1]
        chances = [draft.scores.link_chance(token, place, "place") for token in tokens]
        best = int(np.argmax(chances)) if chances else -1
        if chances and chances[best] > _LEAST_PROBABILITY:
            label, interval = _words(draft, run), PART_INTERVALS[draft.scores.part_of(place)]
            source = speakers[tokens[best]]
            edges.append((Edge(source, "n0", "location", label, interval, round(chances[best], 4)), place))
    return edges
