"""Clips that do not show what their prompt asks for, in known ways: a checker that passes them sees nothing.

Changes of pixels apply to every prompt of which they make the answer wrong, changes of scenes to those of some
categories; each is rendered like the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from mov_ai.evaluation.benchmark.prompts import BenchmarkPrompt
from mov_ai.evaluation.benchmark.scenes import rendered
from mov_ai.graph import Interval
from mov_ai.worlds.tabletop.lexicon import COLORS, SHAPES
from mov_ai.worlds.tabletop.scene import Action, Instance, Scene
from tools.benchmark.arrange import showable
from tools.benchmark.choices import OPPOSITE, heights

#: Gives a changed scene, or None if the change would leave the answer right.
_Change = Callable[[BenchmarkPrompt], Scene | None]
#: What every prompt must fail on.
NOTHING = ("noise", "grey", "empty floor")
_LATERAL = ("left", "right")
_ONE_WAY = ("attribute_change", "motion_binding", "interactions", "event_order")


def counterfactuals(prompt: BenchmarkPrompt, frames: np.ndarray, size: int) -> dict[str, Callable[[], np.ndarray]]:
    """Name -> a function that makes the clip: uint8 (F, size, size, 3).

    Args:
        prompt: what is asked.
        frames: the prompt's reference clip.
        size: height and width of the clips in pixels.
    """
    made: dict[str, Callable[[], np.ndarray]] = {
        "frozen": lambda: np.repeat(frames[:1], len(frames), 0),
        "noise": lambda: np.random.default_rng(prompt.seed).integers(0, 256, frames.shape, dtype=np.uint8),
        "grey": lambda: np.full_like(frames, 128),
        "empty floor": lambda: rendered(replace(prompt.scene, instances=(), actions=()), size),
    }
    if prompt.category in _ONE_WAY and not _same_backwards(prompt):
        made["reversed"] = lambda: np.ascontiguousarray(frames[::-1])
    if _sided(prompt):
        made["mirrored"] = lambda: np.ascontiguousarray(frames[:, :, ::-1])
    for name, change in {**_EVERYWHERE, **CHANGES[prompt.category]}.items():
        scene = change(prompt)
        if scene is not None:
            made[name] = lambda scene=scene: rendered(scene, size)  # type: ignore[misc]
    return made


def _sided(prompt: BenchmarkPrompt) -> bool:
    """Whether everything that is asked tells left from right."""
    kinds = [check.about.get("way") or check.about.get("label") for check in prompt.checks if not check.needed]
    if prompt.category == "motion_binding":
        return all(action.motion in (*_LATERAL, "stay") for action in prompt.scene.actions)
    if prompt.category == "spatial_relations":
        return all(kind in ("left of", "right of") for kind in kinds)
    return prompt.category == "interactions" and all(kind in _LATERAL for kind in kinds)


def _same_backwards(prompt: BenchmarkPrompt) -> bool:
    """Whether its events, told from the end, are the same ones: rising and then falling."""
    actions = prompt.scene.actions
    backwards = [(a.thing, OPPOSITE.get(a.motion, a.motion)) for a in reversed(actions)]
    return len(actions) > 1 and prompt.category == "event_order" and backwards == [(a.thing, a.motion) for a in actions]


# -- changes of scenes -------------------------------------------------------------------------------------------------


def _other_colors(prompt: BenchmarkPrompt) -> Scene | None:
    """Every colour replaced by one that the prompt does not name."""
    scene = prompt.scene
    used = {thing.color for thing in scene.things} | {action.value for action in scene.actions}
    free = [color for color in COLORS if color not in used]
    things = tuple(replace(thing, color=free[i]) for i, thing in enumerate(scene.things))
    actions = tuple(replace(a, value=free[-1]) if a.motion == "turn" else a for a in scene.actions)
    return replace(scene, things=things, actions=actions)


def _other_shapes(prompt: BenchmarkPrompt) -> Scene | None:
    """Every shape replaced by one that the prompt does not name; by another one of the prompt's if it names all."""
    scene = prompt.scene
    used = [thing.shape for thing in scene.things]
    free = [shape for shape in SHAPES if shape not in used]
    names = list(SHAPES)
    things = tuple(
        replace(thing, shape=free[0] if free else names[(names.index(thing.shape) + 1) % len(names)])
        for thing in scene.things
    )
    return replace(scene, things=things)


def _colors_exchanged(prompt: BenchmarkPrompt) -> Scene | None:
    things = prompt.scene.things
    changed = tuple(replace(t, color=things[(i + 1) % len(things)].color) for i, t in enumerate(things))
    return replace(prompt.scene, things=changed)


def _colors_drift(prompt: BenchmarkPrompt) -> Scene | None:
    """Everything takes another colour half way."""
    scene = prompt.scene
    free = [color for color in COLORS if color not in {thing.color for thing in scene.things}]
    drift = tuple(Action(i, "turn", (0.0, 1.0), free[i]) for i in range(len(scene.things)))
    return replace(scene, actions=(*scene.actions, *drift))


def _actions_exchanged(prompt: BenchmarkPrompt) -> Scene | None:
    """Each thing does what the next one is said to do."""
    number = len(prompt.scene.things)
    if number < 2:
        return None
    return _with_actions(
        prompt.scene, tuple(replace(action, thing=(action.thing + 1) % number) for action in prompt.scene.actions)
    )


def _other_actions(prompt: BenchmarkPrompt) -> Scene | None:
    """Each thing does something that nobody is said to do."""
    used_motions = {action.motion for action in prompt.scene.actions}
    free = [
        Action(0, m, (0.0, 1.0), None, a)
        for m, a in (("jump", 0.9), ("left", 1.2), ("right", 1.2))
        if m not in used_motions
    ]
    actions = tuple(
        replace(free[i % len(free)], thing=a.thing, interval=a.interval) for i, a in enumerate(prompt.scene.actions)
    )
    return _with_actions(prompt.scene, actions)


def _with_actions(scene: Scene, actions: tuple[Action, ...]) -> Scene:
    high = heights(actions, len(scene.things))
    places = tuple(replace(instance, y=high[instance.thing]) for instance in scene.instances)
    return replace(scene, actions=actions, instances=places)


def _turned_round(prompt: BenchmarkPrompt) -> Scene | None:
    """The table turned by half a circle: left is right, and what was behind is in front."""
    labels = [check.about["label"] for check in prompt.checks if check.kind == "relation"]
    if any(label in ("on", "next to") for label in labels):
        return None
    places = tuple(replace(instance, x=-instance.x, z=-instance.z) for instance in prompt.scene.instances)
    return replace(prompt.scene, instances=places)


def _apart(prompt: BenchmarkPrompt) -> Scene | None:
    """What should lie on something or close to it stands at the other end of the table."""
    labels = [check.about["label"] for check in prompt.checks if check.kind == "relation"]
    if not any(label in ("on", "next to") for label in labels):
        return None
    first, second = prompt.scene.instances[:2]
    return _first_shown(
        prompt.scene,
        [
            (replace(first, x=x, z=z, y=0.0), second)
            for x, z in sorted(
                ((x, z) for x in (-1.5, 0.0, 1.5) for z in (-1.4, 0.0, 1.4)),
                key=lambda place: -np.hypot(place[0] - second.x, place[1] - second.z),
            )
        ],
    )


def _no_meeting(prompt: BenchmarkPrompt) -> Scene | None:
    """The same motions, but past one another: at the other's depth, beside it, or out of touch."""
    scene, kind = prompt.scene, prompt.checks[0].kind
    first, second = scene.instances
    if kind == "passes":
        return replace(scene, instances=(replace(first, z=second.z), replace(second, z=first.z)))
    if kind in ("carried", "lands"):
        height = scene.actions[0].amount if kind == "lands" else 0.0
        beside = [replace(first, x=second.x + dx, z=second.z + dz, y=height) for dx, dz in _AROUND]
        return _first_shown(scene, [(place, second) for place in beside])
    if kind == "over":
        # On the floor, in front of the other thing.
        actions = tuple(a for a in scene.actions if a.motion != "jump")
        return replace(scene, actions=actions, instances=(replace(first, z=second.z - 1.3), second))
    # Pushing: the pusher ahead of what it should push, and not in touch.
    behind = 1 if second.x > first.x else -1
    ahead = [(replace(first, x=second.x + behind * gap), second) for gap in (1.6, 1.4, 1.2)]
    return _first_shown(scene, ahead) or replace(scene, instances=(replace(first, z=first.z + 1.5), second))


_AROUND = ((1.5, 0.0), (-1.5, 0.0), (0.0, 1.6), (0.0, -1.6), (1.2, -1.2), (-1.2, -1.2), (1.2, 1.2), (-1.2, 1.2))


def _first_shown(scene: Scene, arrangements: Sequence[tuple[Instance, ...]]) -> Scene | None:
    scenes = (replace(scene, instances=places) for places in arrangements)
    return next((changed for changed in scenes if showable(changed)), None)


def _one_more(prompt: BenchmarkPrompt) -> Scene | None:
    """One more of everything that is counted, wherever there is room."""
    scene = prompt.scene
    for thing in range(len(scene.things)):
        like = next(i for i in scene.instances if i.thing == thing)
        spots = [(x, z) for z in (-1.6, -0.8, 0.0, 0.8, 1.6) for x in (-1.7, -0.85, 0.0, 0.85, 1.7)]
        added = _first_shown(scene, [(*scene.instances, replace(like, x=x, z=z)) for x, z in spots])
        if added is None:
            return None
        scene = added
    return scene


def _one_fewer(prompt: BenchmarkPrompt) -> Scene | None:
    """One fewer of everything that is counted."""
    left_out_once: set[int] = set()
    kept: list[Instance] = []
    for instance in prompt.scene.instances:
        if instance.thing in left_out_once:
            kept.append(instance)
        left_out_once.add(instance.thing)
    return replace(prompt.scene, instances=tuple(kept)) if kept else None


def _order_exchanged(prompt: BenchmarkPrompt) -> Scene | None:
    """The last event first; what should happen at the same time does not."""
    actions = prompt.scene.actions
    thirds: tuple[Interval, ...] = ((0.0, 0.3333), (0.3333, 0.6667), (0.6667, 1.0))
    new: tuple[Interval, ...]
    if any(check.about["label"] == "equal" for check in prompt.checks):
        new = (thirds[1], thirds[2], thirds[0])
    else:
        new = tuple(action.interval for action in reversed(actions))
    return _with_actions(prompt.scene, tuple(replace(a, interval=i) for a, i in zip(actions, new, strict=True)))


def _all_at_once(prompt: BenchmarkPrompt) -> Scene | None:
    """What should happen in order happens at the same time."""
    if any(check.about["label"] == "equal" for check in prompt.checks):
        return None
    return _with_actions(prompt.scene, tuple(replace(action, interval=(0.0, 1.0)) for action in prompt.scene.actions))


_EVERYWHERE: dict[str, _Change] = {"other colors": _other_colors, "other shapes": _other_shapes}
#: Category -> its own changes.
CHANGES: dict[str, dict[str, _Change]] = {
    "attribute_binding": {"colors exchanged": _colors_exchanged, "colors drift": _colors_drift},
    "attribute_change": {"another thing changes": _actions_exchanged},
    "spatial_relations": {"table turned round": _turned_round, "moved apart": _apart},
    "motion_binding": {"motions exchanged": _actions_exchanged},
    "action_binding": {"actions exchanged": _actions_exchanged, "other actions": _other_actions},
    "interactions": {"no meeting": _no_meeting},
    "counts": {"one more": _one_more, "one fewer": _one_fewer},
    "event_order": {"order exchanged": _order_exchanged, "all at once": _all_at_once},
}
