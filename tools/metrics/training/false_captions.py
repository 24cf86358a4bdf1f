"""Captions that train the text-video network: true ones, and false ones that differ in one thing only."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from mov_ai.worlds.tabletop.grammar import describe
from mov_ai.worlds.tabletop.lexicon import COLORS, SHAPES
from mov_ai.worlds.tabletop.scene import Action, Scene, Thing

#: What a false caption gets wrong.
EDITS = ("colors", "shapes", "motions", "order")
#: Motions that take the place of others. "spin" is for cubes; "turn", "appear" and "vanish" are worded too differently.
_MOTIONS = ("left", "right", "toward", "away", "jump", "rise", "grow", "shrink", "stay")
_OPPOSITE = {"left": "right", "right": "left", "toward": "away", "away": "toward", "grow": "shrink", "shrink": "grow"}
_OPPOSITE |= {"rise": "jump", "fall": "rise", "jump": "stay", "spin": "stay", "stay": "left"}
_SIDE = re.compile(r"\b(left|right)(wards?)?\b", re.IGNORECASE)
#: Attempts at an edit: it may change nothing in the caption, or make an impossible scene.
_TRIES = 4


def true_and_false_captions(scene: Scene, split: str, number: int, rng: np.random.Generator) -> list[list[str]]:
    """Captions of a scene, each with its false ones.

    A false caption is the true one's wording of an edited scene: choices of words are drawn from the same seed, so
    that the two differ in little more than what is false.

    Args:
        split: whose sentence patterns are used.
        number: of true captions.

    Returns:
        `number` lists of 1 + 4 texts: the true caption, then one for each of `EDITS`, "" where there is none.
    """
    result = []
    for _ in range(number):
        seed = int(rng.integers(1 << 62))
        texts = [describe(scene, np.random.default_rng(seed), split).text]
        for edit in EDITS:
            false = ""
            for _ in range(_TRIES):
                edited = _edited(scene, edit, rng)
                if edited is not None and consistent(edited):
                    false = describe(edited, np.random.default_rng(seed), split).text
                if false not in ("", texts[0]):
                    break
                # The caption does not mention what was changed, so it is still true: try again.
                false = ""
            texts.append(false)
        result.append(texts)
    return result


def mirrored_text(text: str) -> str:
    """The caption of the mirrored video: left and right exchanged, also in "leftward", of motions, places and light."""

    def other(match: re.Match[str]) -> str:
        side = "right" if match[1].lower() == "left" else "left"
        return (side.capitalize() if match[1][0].isupper() else side) + (match[2] or "")

    return _SIDE.sub(other, text)


def consistent(scene: Scene) -> bool:
    """Whether each thing's actions can follow one another, and no two things look alike."""
    looks = [(thing.shape, thing.color) for thing in scene.things]
    if len(set(looks)) < len(looks):
        return False
    for index, thing in enumerate(scene.things):
        color, air = thing.color, False
        actions = sorted((a for a in scene.actions if a.thing == index), key=lambda a: a.interval)
        for before, action in enumerate(actions):
            last = before == len(actions) - 1
            if action.motion == "turn" and action.value == color:
                return False
            if (action.motion == "appear" and before) or (action.motion == "vanish" and not last):
                return False
            if action.motion == "fall" and before and not air:
                return False
            if air and action.motion in ("rise", "jump", "stay", "toward", "away"):
                return False
            color = action.value or color
            air = action.motion == "rise" or (air and action.motion != "fall")
    return True


def _edited(scene: Scene, edit: str, rng: np.random.Generator) -> Scene | None:
    """The scene with one thing changed that makes its true captions false; None if this draw gives none."""
    if edit in ("colors", "shapes"):
        return _with_looks(scene, edit.removesuffix("s"), rng)
    return _with_motions(scene, rng) if edit == "motions" else _with_order(scene, rng)


def _with_looks(scene: Scene, field: str, rng: np.random.Generator) -> Scene | None:
    """Two things with their colours or shapes exchanged, or one with another colour or shape."""
    things = list(scene.things)
    i, j = _draw_pair(len(things), rng)
    # With equal shapes an exchange of colours might only change which thing is named first.
    exchanged = i != j and things[i].shape != things[j].shape
    if field == "shape":
        exchanged = exchanged and _does(scene, i) != _does(scene, j)
    if exchanged and rng.random() < (0.7 if field == "color" else 0.5):
        one, other = getattr(things[i], field), getattr(things[j], field)
        things[i], things[j] = _with_look(things[i], field, other), _with_look(things[j], field, one)
    else:
        used = {getattr(thing, field) for thing in things} | {action.value for action in scene.actions}
        free = [value for value in (COLORS if field == "color" else SHAPES) if value not in used]
        if not free:
            return None
        things[i] = _with_look(things[i], field, str(rng.choice(free)))
    return replace(scene, things=tuple(things))


def _with_look(thing: Thing, field: str, value: str) -> Thing:
    return replace(thing, color=value) if field == "color" else replace(thing, shape=value)


def _with_motions(scene: Scene, rng: np.random.Generator) -> Scene | None:
    actions = list(scene.actions)
    i, j = _draw_pair(len(actions), rng)
    one, other = actions[i], actions[j]
    if one.thing != other.thing and _motion_and_value(one) != _motion_and_value(other) and rng.random() < 0.5:
        actions[i] = replace(one, motion=other.motion, value=other.value)
        actions[j] = replace(other, motion=one.motion, value=one.value)
        changed = replace(scene, actions=tuple(actions))
        # If a thing does both motions anyway, the exchanged caption is still true.
        return None if _does(changed, one.thing) == _does(scene, one.thing) else changed
    done = {a.motion for a in actions if a.thing == one.thing}
    motion = _OPPOSITE.get(one.motion)
    if motion is None or motion in done or rng.random() < 0.5:
        motion = str(rng.choice([m for m in _MOTIONS if m not in done]))
    actions[i] = replace(one, motion=motion, value=None)
    return replace(scene, actions=tuple(actions))


def _with_order(scene: Scene, rng: np.random.Generator) -> Scene | None:
    steps = sorted({action.interval for action in scene.actions})
    a, b = _draw_pair(len(steps), rng)
    if a == b:
        return None
    moved = {steps[a]: steps[b], steps[b]: steps[a]}

    def done(step: int) -> set[tuple[int, str, str | None]]:
        return {(act.thing, *_motion_and_value(act)) for act in scene.actions if act.interval == steps[step]}

    if done(a) == done(b):
        return None
    actions = [replace(act, interval=moved.get(act.interval, act.interval)) for act in scene.actions]
    return replace(scene, actions=tuple(sorted(actions, key=lambda act: act.interval)))


def _motion_and_value(action: Action) -> tuple[str, str | None]:
    return action.motion, action.value


def _does(scene: Scene, thing: int) -> list[tuple[str, str | None]]:
    return [_motion_and_value(action) for action in scene.actions if action.thing == thing]


def _draw_pair(count: int, rng: np.random.Generator) -> tuple[int, int]:
    """Two different places in random order; the same one twice if there is only one."""
    order = rng.permutation(count)
    return int(order[0]), int(order[-1])
