"""The study's clips: one or two things of the tabletop world that move or change colour, told in few words."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from mov_ai.captions.caption import SPLITS, Caption
from mov_ai.captions.english import article
from mov_ai.captions.gold_graph import gold_caption
from mov_ai.captions.plot import Actor, Event
from mov_ai.captions.text import Piece, about, joined, say
from mov_ai.graph import Interval
from mov_ai.graph.inflection import inflect
from mov_ai.graph.time import FULL
from mov_ai.worlds.tabletop.scene import Action, Camera, Instance, Scene, Thing, boxes, simulate

#: Of every clip; the side is in pixels.
FRAMES, SIZE = 8, 64
#: Shape -> the one word for it.
NOUNS = {"sphere": "ball", "cube": "cube", "cone": "cone"}
COLORS = ("red", "green", "blue", "yellow")
#: Motion -> verb, what follows it, and the direction that says; a turn is followed by the new colour.
VERBS: dict[str, tuple[str, str, str | None]] = {
    "left": ("slide", "to the left", "left"),
    "right": ("slide", "to the right", "right"),
    "jump": ("jump", "", None),
    "turn": ("turn", "", None),
}
#: How a clip is told that shows one event; two of one thing; two of two things; two at the same time. And the clauses
#: in it, `a` being the first in time.
PATTERNS: dict[str, tuple[str, ...]] = {
    "single": ("a",),
    "sequence": ("a , then b", "b after a", "before b , a"),
    "pair": ("a , then b", "b after a", "before b , a"),
    "together": ("a while b",),
}
_HALVES: tuple[Interval, Interval] = ((0.0, 0.5), (0.5, 1.0))
#: How far things slide and jump, world units.
_AMOUNT = 1.0
#: Where one thing stands, and two do, (x, z): one behind the other, so that they never meet; and how far off that.
_MIDDLE, _LANES, _JITTER = (0.0, 0.0), ((-0.6, 2.0), (0.4, -0.8)), 0.3
#: Most of one box that another may cover.
_HIDDEN = 0.3
_CAMERA = Camera((0.0, 3.3, -6.2), (0.0, 0.62, 0.0), 0.37)
#: One meaning in so many is kept for judging: nothing is both trained on and judged, however it is worded.
_KEPT = 5


@dataclass(frozen=True)
class Told:
    """A scene and what is said of it; `kind` is one of `PATTERNS`."""

    kind: str
    scene: Scene
    caption: Caption


def tell(seed: int, split: str) -> Told:
    """Clip `seed` of a split, "train" or "validation"; the same on every machine. The splits share no meaning."""
    rng = np.random.Generator(np.random.PCG64([SPLITS.index(split), seed]))
    while True:
        kind = str(rng.choice(list(PATTERNS)))
        scene = _scene(kind, rng)
        while not _clear(scene):
            scene = _scene(kind, rng)
        if (zlib.crc32(meaning(scene).encode()) % _KEPT == 0) == (split == "validation"):
            return Told(kind, scene, _caption(kind, scene, rng))


def told_apart(number: int, split: str) -> list[Told]:
    """The first clips of a split of which no two have the same caption."""
    told: dict[str, Told] = {}
    seed = 0
    while len(told) < number:
        one = tell(seed, split)
        told.setdefault(one.caption.text, one)
        seed += 1
    return list(told.values())


def meaning(scene: Scene) -> str:
    """What a scene's graph says, whatever the words: which things there are, and what each does when."""
    things = []
    for number, thing in enumerate(scene.things):
        events = sorted(
            f"{action.motion} {action.value or ''} {action.interval}"
            for action in scene.actions
            if action.thing == number
        )
        things.append(f"{thing.color} {thing.shape}: {', '.join(events)}")
    return "; ".join(sorted(things))


def _scene(kind: str, rng: np.random.Generator) -> Scene:
    number = 2 if kind in ("pair", "together") else 1
    looks = [(shape, color) for shape in NOUNS for color in COLORS]
    chosen = [looks[int(i)] for i in rng.permutation(len(looks))[:number]]
    things = tuple(Thing(shape, color, "large", "matte") for shape, color in chosen)
    motions = [str(motion) for motion in rng.permutation(list(VERBS))[:2]]
    intervals = {"single": (FULL,), "together": (FULL, FULL)}.get(kind, _HALVES)
    actions = []
    for index, (motion, interval) in enumerate(zip(motions, intervals, strict=False)):
        thing = index % number
        others = [color for color in COLORS if color != things[thing].color]
        value = str(rng.choice(others)) if motion == "turn" else None
        actions.append(Action(thing, motion, interval, value, _AMOUNT))
    places = [_MIDDLE] if number == 1 else [_LANES[int(i)] for i in rng.permutation(2)]
    instances = tuple(
        Instance(index, x + float(rng.uniform(-_JITTER, _JITTER)), z, 0.0, np.pi / 5)
        for index, (x, z) in enumerate(places)
    )
    return Scene(things, instances, tuple(actions), (), "floor", "left", _CAMERA, (0.0, 0.0))


def _clear(scene: Scene) -> bool:
    """Whether nothing leaves the frame and nothing hides much of another thing."""
    box = boxes(scene, simulate(scene, FRAMES))
    low, high = box[..., :2] - box[..., 2:4] / 2, box[..., :2] + box[..., 2:4] / 2
    if low.min() < 0 or high.max() > 1:
        return False
    overlap = np.clip(high.min(0) - low.max(0), 0, None).prod(-1)
    smaller = box[..., 2:4].prod(-1).min(0)
    return len(box) == 1 or bool((overlap <= _HIDDEN * smaller).all())


def _caption(kind: str, scene: Scene, rng: np.random.Generator) -> Caption:
    """The scene in words, with its gold graph."""
    actors = [Actor(NOUNS[thing.shape], looks=[("color", thing.color)]) for thing in scene.things]
    events = []
    for action in scene.actions:
        lemma, particle, direction = VERBS[action.motion]
        changes = [(action.thing, "color", 1)] if action.value else []
        events.append(
            Event([action.thing], lemma, particle, interval=action.interval, direction=direction, changes=changes)
        )
    order = str(rng.choice(PATTERNS[kind])).split()
    pieces: list[Piece] = []
    mentioned: set[int] = set()
    for word in order:
        if word not in ("a", "b"):
            pieces += say(word)
            continue
        number = "ab".index(word)
        action, event = scene.actions[number], events[number]
        if action.thing in mentioned:
            pieces += about("it", "entity", action.thing)
        else:
            mentioned.add(action.thing)
            color = scene.things[action.thing].color
            pieces += [*say(article(color)), *about(color, "attribute", action.thing, "color", 0)]
            pieces += about(actors[action.thing].noun, "entity", action.thing)
        pieces += [*about(inflect(event.lemma, "present", False), "event", number), *say(event.particle)]
        if action.value:
            pieces += about(action.value, "attribute", action.thing, "color", 1)
    text, spans = joined(pieces, lower=False, full_stop=True)
    return gold_caption(text, spans, actors, events)
