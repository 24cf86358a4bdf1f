"""Recipes for how things stand to one another: spatial relations, and meetings such as passing behind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mov_ai.graph.schema import FULL
from mov_ai.worlds.tabletop.lexicon import INVERSE_SPATIAL
from mov_ai.worlds.tabletop.scene import EXTENT, RADIUS, Action, Instance, Scene, Thing, boxes, simulate
from tools.benchmark.choices import Choice
from tools.benchmark.drafts import Draft, drafted
from tools.benchmark.wording import Happening

#: Relation -> how it is said; "top" is where something rests.
_PHRASES = {
    "left of": ("to the left of",),
    "right of": ("to the right of",),
    "behind": ("behind",),
    "in front of": ("in front of",),
    "next to": ("next to", "beside"),
    "on": ("on top of", "on"),
}
#: What rests on what: of other pairs the checker's network, which was trained on things that stand on the floor, often
#: takes the lower one for a part of the upper one.
_STACKS = (("sphere", "cube"), ("sphere", "cylinder"), ("cylinder", "cube"))
#: What a thing can do without leaving its place.
_IN_PLACE = ("turn", "grow", "shrink", "spin")

# -- relations ---------------------------------------------------------------------------------------------------------


def beside_each_other(choice: Choice) -> Draft | None:
    """ "A red ball is to the left of a blue cube. The cube spins"."""
    return _related(choice, choice.pick(("left of", "right of")))


def in_depth(choice: Choice) -> Draft | None:
    """ "A red ball is behind a blue cube, and the ball turns green"."""
    return _related(choice, choice.pick(("behind", "in front of")))


def close_by(choice: Choice) -> Draft | None:
    """ "A red ball next to a blue cube grows"."""
    return _related(choice, "next to")


def on_top(choice: Choice) -> Draft | None:
    """ "A small red ball sits on a large blue cube. The cube turns green"."""
    return _related(choice, "on")


def three_in_relation(choice: Choice) -> Draft | None:
    """ "A red ball is to the left of a blue cube. A green cone is behind the cube. The cone grows"."""
    things = choice.things(3, sizes=("small", "small", "small"))
    first, second = choice.some(("left of", "right of", "behind", "in front of"), 2)
    if INVERSE_SPATIAL[first] == second:
        # Both seen from the same thing, on its two sides, is as good.
        first, second = second, first
    actor = choice.pick((0, 2))
    action = _in_place(choice, actor, things)
    a, b = (choice.pick(_PHRASES[label]) for label in (first, second))
    template = f"{{0}} is {a} {{1}}, and {{2}} is {b} {{1}}. {{{actor}}} {{e0}}."

    def placing() -> list[Instance]:
        middle = choice.place(1, x=choice.between(-0.6, 0.6), z=choice.between(-0.5, 0.5))
        return [_beside(choice, 0, first, middle), middle, _beside(choice, 2, second, middle)]

    relations = [(0, first, 1), (2, second, 1)]
    happenings = [choice.happening([action], things)]
    draft = drafted(choice, template, _fit(things, [action]), [action], happenings, placing, relations=relations)
    return draft and draft.relation(0, first, 1).relation(2, second, 1).lively((actor,))


def _related(choice: Choice, label: str) -> Draft | None:
    shapes = choice.pick(_STACKS) if label == "on" else ()
    sizes = ("small", "large") if label == "on" else ("small", choice.pick(("small", "large")))
    things = choice.things(2, shapes, sizes)
    actor = choice.pick((0, 1))
    action = _in_place(choice, actor, things, growing=label != "on" or actor == 0)
    things = _fit(things, [action]) if label != "on" else things
    phrase = choice.pick(_PHRASES[label])
    options = [
        f"{{0}} is {phrase} {{1}}. {{{actor}}} {{e0}}.",
        f"{{0}} sits {phrase} {{1}}. {{{actor}}} {{e0}}.",
        f"There is {{0}} {phrase} {{1}}. {{{actor}}} {{e0}}.",
        f"{{0}} is {phrase} {{1}}, and {{{actor}}} {{e0}}.",
    ]
    if actor == 0:
        options.append(f"{{0}} {phrase} {{1}} {{e0}}.")

    def placing() -> list[Instance]:
        second = choice.place(1)
        if label != "on":
            return [_beside(choice, 0, label, second, things), second]
        return [choice.place(0, _top(things[1]), second.x, second.z), second]

    happenings = [choice.happening([action], things)]
    meeting = [(0, 1)] if label == "on" else []
    draft = drafted(
        choice,
        choice.pick(options),
        things,
        [action],
        happenings,
        placing,
        relations=[(0, label, 1)],
        sized=(0, 1) if label == "on" else (),
        meeting=meeting,
    )
    return draft and draft.relation(0, label, 1).lively((actor,))


def _in_place(choice: Choice, thing: int, things: Sequence[Thing], growing: bool = True) -> Action:
    options = [
        motion
        for motion in _IN_PLACE
        if (motion != "spin" or things[thing].shape == "cube") and (growing or motion not in ("grow", "shrink"))
    ]
    motion = choice.pick(options)
    return choice.action(thing, motion, value=choice.color_besides(things) if motion == "turn" else None)


def _fit(things: Sequence[Thing], actions: Sequence[Action]) -> tuple[Thing, ...]:
    """Small what grows and large what shrinks, so that both stay within what the world shows."""
    sizes = {action.thing: {"grow": "small", "shrink": "large"}.get(action.motion) for action in actions}
    return tuple(Thing(t.shape, t.color, sizes.get(i) or t.size, t.material, t.count) for i, t in enumerate(things))


def _beside(choice: Choice, thing: int, label: str, other: Instance, things: Sequence[Thing] | None = None) -> Instance:
    """A place that stands to another as the relation says, clearly."""
    if label == "next to":
        assert things is not None
        reach = sum(RADIUS[t.size] for t in things) * choice.between(1.14, 1.3)
        angle = choice.between(0, 2 * np.pi)
        return choice.place(thing, x=other.x + reach * np.cos(angle), z=other.z + reach * np.sin(angle))
    far, aside = choice.between(1.2, 2.2), choice.between(-0.4, 0.4)
    dx, dz = {
        "left of": (-far, aside * far),
        "right of": (far, aside * far),
        "behind": (aside * far, far),
        "in front of": (aside * far, -far),
    }[label]
    return choice.place(thing, x=other.x + dx, z=other.z + dz)


def _top(thing: Thing) -> float:
    """How high its upper side is."""
    return EXTENT[thing.shape][1] * RADIUS[thing.size]


# -- meetings ----------------------------------------------------------------------------------------------------------


def passes_behind(choice: Choice) -> Draft | None:
    """ "A small red ball passes behind a large blue cube from left to right": hidden for a while, then back."""
    return _passes(choice, "behind", ("small", "large"))


def passes_in_front(choice: Choice) -> Draft | None:
    """ "A large red ball rolls to the left in front of a small blue cube", which is hidden for a while."""
    return _passes(choice, "in front of", ("large", "small"))


def _passes(choice: Choice, side: str, sizes: tuple[str, str]) -> Draft | None:
    things = choice.things(2, sizes=sizes)
    way = choice.pick(("left", "right"))
    amount = choice.between(2.8, 3.4)
    action = choice.action(0, way, amount=amount)
    origin = "right" if way == "left" else "left"
    verb = "roll" if things[0].shape in ("sphere", "cylinder") else "slide"
    happening, template = choice.pick(
        (
            (Happening("pass", "", way, FULL, (0,)), f"{{0}} {{e0}} {side} {{1}} from {origin} to {way}."),
            (Happening(verb, f"to the {way}", way, FULL, (0,)), f"{{0}} {{e0}} {side} {{1}}."),
            (Happening("move", "", way, FULL, (0,)), f"{{0}} {{e0}} {side} {{1}} from {origin} to {way}."),
        )
    )

    def placing() -> list[Instance]:
        far = choice.between(1.35, 1.65) * (1 if side == "behind" else -1)
        z = choice.between(0.0, 1.0) if side == "behind" else choice.between(-1.6, -0.4)
        start = amount / 2 * (-1 if way == "right" else 1)
        x = choice.between(-0.15, 0.15)
        return [choice.place(0, x=start, z=z), choice.place(1, x=x, z=z - far)]

    def hides(scene: Scene) -> bool:
        shares = hidden_shares(scene, *((0, 1) if side == "behind" else (1, 0)))
        return shares.max() > 0.7 and shares[:2].max() < 0.1 and shares[-2:].max() < 0.1

    draft = drafted(
        choice,
        template,
        things,
        [action],
        [happening],
        placing,
        hides,
        relations=[(0, side, 1)],
        sized=(0, 1),
        meeting=[(0, 1)],
    )
    return draft and draft.meeting("passes", 0, 1, f"{{0}} passes {side} {{1}} to the {way}", label=side, way=way)


def hidden_shares(scene: Scene, far: int, near: int) -> np.ndarray:
    """Share of the farther instance's box that the nearer one's box covers, in each frame; (F,)."""
    box = boxes(scene, simulate(scene))
    low = np.maximum(box[far, :, :2] - box[far, :, 2:4] / 2, box[near, :, :2] - box[near, :, 2:4] / 2)
    high = np.minimum(box[far, :, :2] + box[far, :, 2:4] / 2, box[near, :, :2] + box[near, :, 2:4] / 2)
    return np.clip(high - low, 0, None).prod(-1) / box[far, :, 2:4].prod(-1)


def is_carried(choice: Choice) -> Draft | None:
    """ "A large blue cube with a small red ball on top slides to the left": what rests on it goes along."""
    things = choice.things(2, choice.pick(_STACKS), ("small", "large"))
    way = choice.pick(("left", "right"))
    first = choice.action(0, way)
    actions = [first, choice.action(1, way, amount=first.amount)]
    together = [Happening("move", f"to the {way}", way, FULL, (0, 1))]
    carries = [Happening("carry", "", way, FULL, (1,), (0,))]
    alone = [Happening("slide", f"to the {way}", way, FULL, (1,))]
    happenings, template = choice.pick(
        (
            (together, "{0} sits on top of {1}. {0} and {1} {e0} together."),
            (carries, f"{{1}} {{e0}} {{0}} on top of it to the {way}."),
            (alone, "{0} rests on {1}, and {1} {e0}."),
            (alone, "{1} {e0} with {0} on top of it."),
        )
    )

    def placing() -> list[Instance]:
        below = choice.place(1)
        return [choice.place(0, _top(things[1]), below.x, below.z), below]

    draft = drafted(
        choice,
        template,
        things,
        actions,
        happenings,
        placing,
        relations=[(0, "on", 1)],
        sized=(0, 1),
        meeting=[(0, 1)],
    )
    return draft and draft.meeting("carried", 0, 1, f"{{0}} is carried to the {way} by {{1}}", way=way)


def falls_onto(choice: Choice) -> Draft | None:
    """ "A small red ball falls onto a large blue cube" and stays there."""
    things = choice.things(2, choice.pick(_STACKS), ("small", "large"))
    action = choice.action(0, "fall", amount=choice.between(0.55, 0.75))
    verb, tail, direction = choice.pick((("fall", "onto", None), ("drop", "onto", None), ("fall", "down onto", "down")))
    happening = Happening(verb, tail, direction, FULL, (0,), location=("onto", 1))

    def placing() -> list[Instance]:
        below = choice.place(1, x=choice.between(-1.3, 1.3), z=choice.between(-1.7, 0.3))
        return [choice.place(0, _top(things[1]) + action.amount, below.x, below.z), below]

    draft = drafted(choice, "{0} {e0} {1}.", things, [action], [happening], placing, sized=(0, 1), meeting=[(0, 1)])
    return draft and draft.meeting("lands", 0, 1, "{0} falls onto {1}")


def jumps_over(choice: Choice) -> Draft | None:
    """ "A small red ball jumps over a small blue cube from left to right"."""
    things = choice.things(2, sizes=("small", "small"))
    way = choice.pick(("left", "right"))
    amount = choice.between(2.4, 3.0)
    actions = [choice.action(0, way, amount=amount), choice.action(0, "jump", amount=choice.between(1.45, 1.75))]
    origin = "right" if way == "left" else "left"
    happening = Happening(choice.pick(("jump", "leap")), "over", way, FULL, (0,), location=("over", 1))
    template = f"{{0}} {{e0}} {{1}} from {origin} to {way}."

    def placing() -> list[Instance]:
        z, x = choice.between(-1.4, 0.6), choice.between(-0.15, 0.15)
        start = amount / 2 * (-1 if way == "right" else 1)
        return [choice.place(0, x=start, z=z), choice.place(1, x=x, z=z)]

    draft = drafted(choice, template, things, actions, [happening], placing, sized=(0, 1), meeting=[(0, 1)])
    return draft and draft.meeting("over", 0, 1, f"{{0}} jumps over {{1}} to the {way}", way=way)


def pushes(choice: Choice) -> Draft | None:
    """ "A red ball pushes a blue cube to the right": both go, in touch, the pusher behind."""
    things = choice.things(2, sizes=choice.pick((("small", "small"), ("large", "small"), ("small", "large"))))
    way = choice.pick(("left", "right"))
    amount = choice.between(1.1, 1.6)
    actions = [choice.action(i, way, amount=amount) for i in (0, 1)]
    happening = Happening("push", "", way, FULL, (0,), (1,))
    template = choice.pick((f"{{0}} {{e0}} {{1}} to the {way}.", f"{{1}} {{e0:passive}} to the {way} by {{0}}."))

    def placing() -> list[Instance]:
        front = choice.place(1)
        back = choice.place(0, z=front.z)
        apart = _half_width(things[0], back.yaw) + _half_width(things[1], front.yaw) + 0.03
        return [choice.place(0, x=front.x + (apart if way == "left" else -apart), z=front.z), front]

    draft = drafted(choice, template, things, actions, [happening], placing, sized=(), meeting=[(0, 1)])
    return draft and draft.meeting("pushes", 0, 1, f"{{0}} pushes {{1}} to the {way}", way=way)


def _half_width(thing: Thing, yaw: float) -> float:
    """How far it reaches to the side."""
    half = EXTENT[thing.shape][0] * RADIUS[thing.size]
    return half * (abs(np.cos(yaw)) + abs(np.sin(yaw))) if thing.shape == "cube" else half
