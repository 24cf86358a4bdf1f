"""The captions of the tabletop world that train the parser, of scenes that are never rendered."""

from __future__ import annotations

import numpy as np

from mov_ai.captions.caption import Mention
from mov_ai.captions.choices import Choices
from mov_ai.captions.other_words import with_other_words
from mov_ai.graph import SceneGraph
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
)
from mov_ai.worlds.tabletop.scene import Action, Camera, Scene, Thing, split_seed


class WorldCaptions:
    """Captions of scenes that are only put into words: nothing is placed on a floor.

    Args:
        split: "train", "validation" or "test".
        substituted: share of captions in which words are replaced by ones that the world does not know.
    """

    def __init__(self, split: str = "train", substituted: float = 0.45) -> None:
        self.split, self.substituted = split, substituted

    def caption(self, index: int) -> tuple[str, SceneGraph, tuple[Mention, ...]]:
        """Caption `index`, always the same."""
        rng = split_seed(self.split, index)
        caption = describe(unplaced_scene(rng, self.split), rng, self.split)
        if rng.random() < self.substituted:
            caption = with_other_words(caption, rng)
        return caption.text, caption.graph, caption.mentions


def unplaced_scene(rng: np.random.Generator, split: str) -> Scene:
    """A scene to put into words: things, actions, relations, setting and light, but no objects and no camera's view.

    More varied than `scene.sample_scene`, for nothing has to fit into a frame: up to five steps, and more often two
    things that do the same. Only test scenes show `HELD_OUT_PAIRS`.
    """
    draw = Choices(rng)
    number = int(rng.choice([1, 2, 3, 4], p=[0.32, 0.40, 0.20, 0.08]))
    pairs = [(s, c) for s in SHAPES for c in COLORS if split == "test" or (s, c) not in HELD_OUT_PAIRS]
    things = []
    for i in rng.permutation(len(pairs))[:number]:
        shape, color = pairs[i]
        size, material = draw.pick(list(SIZES)), draw.pick(list(MATERIALS))
        things.append(Thing(shape, color, size, material, int(rng.choice([1, 2, 3], p=[0.88, 0.07, 0.05]))))
    actions = _actions(draw, things)
    relations: tuple[tuple[int, str, int], ...] = ()
    appearing = {action.thing for action in actions if action.motion == "appear"}
    placed = [i for i, thing in enumerate(things) if thing.count == 1 and i not in appearing]
    if len(placed) > 1 and draw.chance(0.45):
        i, j = (placed[int(k)] for k in rng.permutation(len(placed))[:2])
        relations = ((i, draw.pick(list(INVERSE_SPATIAL)), j),)
    setting = str(rng.choice(list(SETTINGS), p=[0.6, 0.25, 0.15]))
    light = str(rng.choice(list(LIGHTS), p=[0.7, 0.15, 0.15]))
    camera = Camera((0.0, 0.0, -1.0), (0.0, 0.0, 0.0), 1.0)
    return Scene(tuple(things), (), tuple(actions), relations, setting, light, camera, (0.0, 0.0))


def _actions(draw: Choices, things: list[Thing]) -> list[Action]:
    steps = int(draw.rng.choice([0, 1, 2, 3, 4, 5], p=[0.06, 0.30, 0.34, 0.19, 0.07, 0.04]))
    colors = {i: thing.color for i, thing in enumerate(things)}
    mentioned: set[int] = set()
    actions: list[Action] = []
    for step in range(steps):
        interval = (round(step / steps, 4), round((step + 1) / steps, 4))
        order = [int(i) for i in draw.rng.permutation(len(things))]
        if actions and draw.chance(0.5):
            # The same thing goes on acting.
            order.sort(key=lambda i: i != actions[-1].thing)
        actors = order[: 2 if len(things) > 1 and draw.chance(0.22) else 1]
        if len(actors) == 1 and draw.chance(0.07):
            # One thing that does two things at the same time, as in "spins while rising".
            actors = [order[0], order[0]]
        alone = len(set(actors)) == 1 < len(actors)
        first: str | None = None
        for index in actors:
            options = [motion for motion in MOTIONS if motion != "appear" or index not in mentioned]
            if alone:
                options = [motion for motion in options if motion not in ("stay", "vanish", first)]
            common = [motion for motion in ("left", "left", "right", "right", "turn") if motion in options]
            motion, value = draw.pick([*options, *common]), None
            shared = first is not None and not alone and first != "turn" and first in options
            if shared and draw.chance(0.3):
                motion = str(first)
            if motion == "turn":
                value = colors[index] = draw.pick([color for color in COLORS if color != colors[index]])
            first = motion
            mentioned.add(index)
            actions.append(Action(index, motion, interval, value))
    return actions
